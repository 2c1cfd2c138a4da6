package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/node/types"
)

// peerProofGas pays for checking a peer key and verifying its proof, about 60 us each. It is what x/dack takes for a client
// key.
const peerProofGas = 6_000

type msgServer struct {
	k *Keeper
}

var _ types.MsgServer = msgServer{}

// NewMsgServerImpl returns the transaction service of x/node.
func NewMsgServerImpl(k *Keeper) types.MsgServer { return msgServer{k: k} }

// UpdateParams replaces the parameters. It returns types.ErrParams, or sdkerrors.ErrUnauthorized for anyone but x/gov.
func (s msgServer) UpdateParams(ctx context.Context, msg *types.MsgUpdateParams) (*types.MsgUpdateParamsResponse, error) {
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	if err := sdk.ValidateAuthority(sdkCtx, s.k.authority, msg.Authority); err != nil {
		return nil, err
	}
	if err := s.k.setParams(ctx, msg.Params); err != nil {
		return nil, err
	}
	if err := sdkCtx.EventManager().EmitTypedEvent(&types.EventParamsUpdated{}); err != nil {
		return nil, err
	}
	return &types.MsgUpdateParamsResponse{}, nil
}

// RegisterWorker takes a deposit and registers a worker of the sender's node.
func (s msgServer) RegisterWorker(ctx context.Context, msg *types.MsgRegisterWorker) (*types.MsgRegisterWorkerResponse, error) {
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	operator, operatorText, err := s.operator(msg.Operator)
	if err != nil {
		return nil, err
	}
	account, err := s.checkService(msg.Account, msg.Endpoints, msg.Region)
	if err != nil {
		return nil, err
	}
	sdkCtx.GasMeter().ConsumeGas(peerProofGas, "peer key proof")
	if err := ack.CheckPublicKey(msg.PeerKey); err != nil {
		return nil, errorsmod.Wrap(types.ErrPeerKey, err.Error())
	}
	if known, err := s.k.IsNode(ctx, operator); err != nil {
		return nil, err
	} else if !known {
		return nil, errorsmod.Wrap(types.ErrNotValidator, operatorText)
	}
	if _, err := s.k.Workers.Indexes.PeerKey.MatchExact(ctx, msg.PeerKey); err == nil {
		return nil, types.ErrPeerKeyTaken
	} else if !errors.Is(err, collections.ErrNotFound) {
		return nil, err
	}
	params, err := s.k.Params.Get(ctx)
	if err != nil {
		return nil, err
	}
	n, err := s.k.countWorkers(ctx, operator, params.MaxWorkersPerNode)
	if err != nil {
		return nil, err
	}
	if n >= params.MaxWorkersPerNode {
		return nil, errorsmod.Wrapf(types.ErrTooManyWorkers, "want at most %d, retiring ones included", params.MaxWorkersPerNode)
	}
	// The signature is checked last: it is the dearest check.
	signed := ack.AppendPeerProofSignBytes(nil, ack.HashChainID(sdkCtx.ChainID()), operator)
	if !ack.VerifyMessage(msg.PeerKey, signed, msg.PeerProof) {
		return nil, types.ErrPeerProof
	}
	epoch, err := s.k.Epoch(ctx)
	if err != nil {
		return nil, err
	}
	id, err := s.k.addWorker(ctx, operator, types.Worker{
		Operator:        operatorText,
		PeerKey:         msg.PeerKey,
		Account:         account,
		Endpoints:       msg.Endpoints,
		Region:          msg.Region,
		Capacity:        msg.Capacity,
		Status:          types.WORKER_STATUS_ACTIVE,
		RegisteredEpoch: epoch,
		Deposit:         params.WorkerDeposit,
	})
	if err != nil {
		return nil, err
	}
	err = sdkCtx.EventManager().EmitTypedEvent(&types.EventWorkerRegistered{WorkerId: id, Operator: operatorText, Account: account})
	if err != nil {
		return nil, err
	}
	return &types.MsgRegisterWorkerResponse{WorkerId: id}, nil
}

// UpdateWorker replaces what can change of a worker. A retiring worker can be updated too, so that an operator who lost
// the hot account can still settle what the worker holds.
func (s msgServer) UpdateWorker(ctx context.Context, msg *types.MsgUpdateWorker) (*types.MsgUpdateWorkerResponse, error) {
	_, operator, err := s.operator(msg.Operator)
	if err != nil {
		return nil, err
	}
	account, err := s.checkService(msg.Account, msg.Endpoints, msg.Region)
	if err != nil {
		return nil, err
	}
	w, err := s.k.ownedWorker(ctx, operator, msg.WorkerId)
	if err != nil {
		return nil, err
	}
	w.Account = account
	w.Endpoints = msg.Endpoints
	w.Region = msg.Region
	w.Capacity = msg.Capacity
	if err := s.k.Workers.Set(ctx, w.Id, w); err != nil {
		return nil, err
	}
	if err := sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventWorkerUpdated{WorkerId: w.Id}); err != nil {
		return nil, err
	}
	return &types.MsgUpdateWorkerResponse{}, nil
}

// RemoveWorker retires a worker. It can settle acknowledgements of the current epoch while they live; then its deposit is
// returned. Of a worker whose deposit could not be returned for too long, it asks for the deposit again.
func (s msgServer) RemoveWorker(ctx context.Context, msg *types.MsgRemoveWorker) (*types.MsgRemoveWorkerResponse, error) {
	_, operator, err := s.operator(msg.Operator)
	if err != nil {
		return nil, err
	}
	w, err := s.k.ownedWorker(ctx, operator, msg.WorkerId)
	if err != nil {
		return nil, err
	}
	var last uint64
	switch {
	case w.Status == types.WORKER_STATUS_ACTIVE:
		last, err = s.k.retire(ctx, w)
	case w.IsParked():
		last, err = w.RetiredEpoch, s.k.unpark(ctx, w)
	default:
		return nil, errorsmod.Wrapf(types.ErrWorkerRetiring, "worker %d was removed in epoch %d", w.Id, w.RetiredEpoch)
	}
	if err != nil {
		return nil, err
	}
	err = sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventWorkerRetiring{WorkerId: w.Id, LastEpoch: last})
	if err != nil {
		return nil, err
	}
	return &types.MsgRemoveWorkerResponse{LastEpoch: last}, nil
}

// operator returns the bytes and the canonical text of an operator address, or types.ErrAddress.
func (s msgServer) operator(text string) ([]byte, string, error) {
	b, err := s.k.validatorCodec.StringToBytes(text)
	if err != nil {
		return nil, "", errorsmod.Wrapf(types.ErrAddress, "operator: %v", err)
	}
	canonical, err := s.k.validatorCodec.BytesToString(b)
	if err != nil {
		return nil, "", errorsmod.Wrapf(types.ErrAddress, "operator: %v", err)
	}
	return b, canonical, nil
}

// checkService checks what an operator declares of a worker and returns the canonical text of its account.
func (s msgServer) checkService(account string, endpoints []string, region string) (string, error) {
	b, err := s.k.addressCodec.StringToBytes(account)
	if err != nil {
		return "", errorsmod.Wrapf(types.ErrAddress, "account: %v", err)
	}
	canonical, err := s.k.addressCodec.BytesToString(b)
	if err != nil {
		return "", errorsmod.Wrapf(types.ErrAddress, "account: %v", err)
	}
	if err := types.ValidateEndpoints(endpoints); err != nil {
		return "", err
	}
	return canonical, types.ValidateRegion(region)
}
