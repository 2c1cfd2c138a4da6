package keeper

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	errorsmod "cosmossdk.io/errors"

	"github.com/edgechain/edge/x/node/types"
)

// InitGenesis loads a state. It returns types.ErrGenesis if the state contradicts itself, types.ErrInvariant if the
// module's account does not hold exactly the deposits.
func (k *Keeper) InitGenesis(ctx context.Context, gs types.GenesisState) error {
	if err := gs.Validate(); err != nil {
		return err
	}
	if err := k.Params.Set(ctx, gs.Params); err != nil {
		return err
	}
	if err := k.NextWorkerID.Set(ctx, gs.NextWorkerId); err != nil {
		return err
	}
	if err := k.CurrentEpoch.Set(ctx, gs.Epoch); err != nil {
		return err
	}
	if err := k.EpochHeight.Set(ctx, gs.EpochHeight); err != nil {
		return err
	}
	if err := k.initNodes(ctx, gs.Nodes); err != nil {
		return err
	}
	for _, w := range gs.Workers {
		// Messages are held to be the operator's by comparing texts, so there must be one text for each address.
		var err error
		if w.Account, err = canonical(k.addressCodec, w.Account); err != nil {
			return errorsmod.Wrapf(types.ErrAddress, "worker %d: account: %v", w.Id, err)
		}
		if w.Operator, err = canonical(k.validatorCodec, w.Operator); err != nil {
			return errorsmod.Wrapf(types.ErrAddress, "worker %d: operator: %v", w.Id, err)
		}
		if err := k.Workers.Set(ctx, w.Id, w); err != nil {
			return err
		}
		if w.Status != types.WORKER_STATUS_RETIRING || w.IsParked() {
			continue
		}
		if err := k.Retirements.Set(ctx, collections.Join(types.RetirementDue(w.RetiredEpoch), w.Id)); err != nil {
			return err
		}
	}
	return k.CheckInvariants(ctx)
}

// initNodes stores the nodes under the bytes of their operators. It returns types.ErrAddress or types.ErrGenesis.
func (k *Keeper) initNodes(ctx context.Context, nodes []types.Node) error {
	for _, n := range nodes {
		operator, err := k.validatorCodec.StringToBytes(n.Operator)
		if err != nil {
			return errorsmod.Wrapf(types.ErrAddress, "node %s: %v", n.Operator, err)
		}
		text, err := k.validatorCodec.BytesToString(operator)
		if err != nil {
			return errorsmod.Wrapf(types.ErrAddress, "node %s: %v", n.Operator, err)
		}
		// Validate compares texts: two of them for one address would be one node that stands twice.
		if text != n.Operator {
			return errorsmod.Wrapf(types.ErrGenesis, "operator %s of a node is not canonical, want %s", n.Operator, text)
		}
		if err := k.Nodes.Set(ctx, operator, n); err != nil {
			return err
		}
	}
	return nil
}

// canonical returns the one text of an address.
func canonical(codec address.Codec, text string) (string, error) {
	b, err := codec.StringToBytes(text)
	if err != nil {
		return "", err
	}
	return codec.BytesToString(b)
}

// ExportGenesis returns the state. A retirement that was postponed is due at once in the new chain.
func (k *Keeper) ExportGenesis(ctx context.Context) (*types.GenesisState, error) {
	gs := &types.GenesisState{}
	var err error
	if gs.Params, err = k.Params.Get(ctx); err != nil {
		return nil, err
	}
	if gs.NextWorkerId, err = k.NextWorkerID.Peek(ctx); err != nil {
		return nil, err
	}
	if gs.Epoch, err = k.Epoch(ctx); err != nil {
		return nil, err
	}
	if gs.EpochHeight, err = k.epochHeight(ctx); err != nil {
		return nil, err
	}
	err = k.Nodes.Walk(ctx, nil, func(_ []byte, n types.Node) (bool, error) {
		gs.Nodes = append(gs.Nodes, n)
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	err = k.Workers.Walk(ctx, nil, func(_ uint64, w types.Worker) (bool, error) {
		gs.Workers = append(gs.Workers, w)
		return false, nil
	})
	return gs, err
}
