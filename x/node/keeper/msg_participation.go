package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/node/types"
)

// OptIn lets the sender's node take part from the next epoch on. A node that has lapsed opts in again in the same way, and one
// that has opted out in this epoch takes that back. It returns types.ErrAddress, types.ErrNotValidator or types.ErrOptedIn.
func (s msgServer) OptIn(ctx context.Context, msg *types.MsgOptIn) (*types.MsgOptInResponse, error) {
	operator, text, err := s.operator(msg.Operator)
	if err != nil {
		return nil, err
	}
	if known, err := s.k.IsNode(ctx, operator); err != nil {
		return nil, err
	} else if !known {
		return nil, errorsmod.Wrap(types.ErrNotValidator, text)
	}
	params, err := s.k.Params.Get(ctx)
	if err != nil {
		return nil, err
	}
	epoch, err := s.k.Epoch(ctx)
	if err != nil {
		return nil, err
	}
	n, err := s.k.Nodes.Get(ctx, operator)
	switch {
	case errors.Is(err, collections.ErrNotFound):
		n = types.NewNode(text, epoch)
	case err != nil:
		return nil, err
	case !n.MayOptIn(epoch):
		return nil, errorsmod.Wrapf(types.ErrOptedIn, "since epoch %d, lapses in epoch %d without a report", n.SinceEpoch, n.LapseEpoch(epoch+1))
	default:
		n = n.OptIn(epoch)
	}
	if err := s.setParticipation(ctx, operator, n); err != nil {
		return nil, err
	}
	return &types.MsgOptInResponse{FromEpoch: n.FromEpoch, EligibleEpoch: n.EligibleFrom(params.EligibilityEpochs)}, nil
}

// OptOut ends the participation of the sender's node from the next epoch on. Seats that it has won stay with it. It returns
// types.ErrAddress or types.ErrNotOptedIn.
func (s msgServer) OptOut(ctx context.Context, msg *types.MsgOptOut) (*types.MsgOptOutResponse, error) {
	operator, text, err := s.operator(msg.Operator)
	if err != nil {
		return nil, err
	}
	epoch, err := s.k.Epoch(ctx)
	if err != nil {
		return nil, err
	}
	n, err := s.k.Nodes.Get(ctx, operator)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, errorsmod.Wrap(types.ErrNotOptedIn, text)
	} else if err != nil {
		return nil, err
	}
	if !n.OptedInFor(epoch + 1) {
		return nil, errorsmod.Wrapf(types.ErrNotOptedIn, "opted out from epoch %d on", n.FromEpoch)
	}
	n = n.OptOut(epoch)
	if err := s.setParticipation(ctx, operator, n); err != nil {
		return nil, err
	}
	return &types.MsgOptOutResponse{FromEpoch: n.FromEpoch}, nil
}

func (s msgServer) setParticipation(ctx context.Context, operator []byte, n types.Node) error {
	if err := s.k.Nodes.Set(ctx, operator, n); err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventParticipationChanged{
		Operator: n.Operator, OptedIn: n.OptedIn, FromEpoch: n.FromEpoch,
	})
}

// Report records that a node follows the chain. It returns types.ErrAddress, ErrReporter, ErrReportEpoch, ErrNotOptedIn,
// ErrLapsed, ErrAlreadyReported, ErrReportHeight or ErrReportHash.
func (s msgServer) Report(ctx context.Context, msg *types.MsgReport) (*types.MsgReportResponse, error) {
	sender, err := s.k.addressCodec.StringToBytes(msg.Sender)
	if err != nil {
		return nil, errorsmod.Wrapf(types.ErrAddress, "sender: %v", err)
	}
	operator, text, err := s.operator(msg.Operator)
	if err != nil {
		return nil, err
	}
	epoch, err := s.k.Epoch(ctx)
	if err != nil {
		return nil, err
	}
	if msg.Epoch != epoch {
		return nil, errorsmod.Wrapf(types.ErrReportEpoch, "epoch %d, open is %d", msg.Epoch, epoch)
	}
	n, err := s.k.Nodes.Get(ctx, operator)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, errorsmod.Wrap(types.ErrNotOptedIn, text)
	} else if err != nil {
		return nil, err
	}
	if may, err := s.k.mayReport(ctx, operator, sender); err != nil {
		return nil, err
	} else if !may {
		return nil, errorsmod.Wrapf(types.ErrReporter, "%s of node %s", msg.Sender, text)
	}
	if err := checkReporting(n, epoch); err != nil {
		return nil, err
	}
	if err := s.k.checkReportedBlock(ctx, msg.Height, msg.HeaderHash); err != nil {
		return nil, err
	}
	n.LastReportEpoch = epoch
	if err := s.k.Nodes.Set(ctx, operator, n); err != nil {
		return nil, err
	}
	canonicalSender, err := s.k.addressCodec.BytesToString(sender)
	if err != nil {
		return nil, errorsmod.Wrapf(types.ErrAddress, "sender: %v", err)
	}
	err = sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventReported{Operator: text, Epoch: epoch, Sender: canonicalSender})
	if err != nil {
		return nil, err
	}
	return &types.MsgReportResponse{}, nil
}

// checkReporting returns why a node cannot report in an epoch: types.ErrNotOptedIn, ErrLapsed or ErrAlreadyReported.
func checkReporting(n types.Node, epoch uint64) error {
	switch {
	case n.MayReport(epoch):
	case n.OptedInFor(epoch) || n.OptedInFor(epoch+1):
		return errorsmod.Wrapf(types.ErrLapsed, "last report in epoch %d", n.LastReportEpoch)
	default:
		return errorsmod.Wrapf(types.ErrNotOptedIn, "opted out from epoch %d on", n.FromEpoch)
	}
	if n.LastReportEpoch >= epoch {
		return errorsmod.Wrapf(types.ErrAlreadyReported, "epoch %d", epoch)
	}
	return nil
}
