package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// UpdateClientKey changes the spend limit and the last epoch of a key of the sender's account. Acknowledgements of the current
// epoch and of the one before keep what workers have relied on: the limit counts from the next epoch on, and the current one is
// the earliest that can be the last. A key that has ended cannot be revived.
func (s msgServer) UpdateClientKey(goCtx context.Context, msg *types.MsgUpdateClientKey) (*types.MsgUpdateClientKeyResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	if err := msg.ValidateBasic(); err != nil {
		return nil, err
	}
	key, current, err := s.k.ownedKey(ctx, msg.Owner, msg.KeyId)
	if err != nil {
		return nil, err
	}
	if msg.LastEpoch < current || msg.LastEpoch > current+types.MaxKeyEpochs {
		return nil, errorsmod.Wrapf(types.ErrInvalidLastEpoch, "%d, want %d to %d", msg.LastEpoch, current, current+types.MaxKeyEpochs)
	}
	key.ChangeLimit(msg.SpendLimit, current+1, epochtypes.OldestLive(current))
	key.LastEpoch = msg.LastEpoch
	if err := s.k.setClientKey(ctx, key); err != nil {
		return nil, err
	}
	if err := ctx.EventManager().EmitTypedEvent(&types.EventClientKeyUpdated{
		AccountId: key.AccountId, KeyId: key.Id, SpendLimit: key.SpendLimit.String(), LimitFrom: key.LimitFrom, LastEpoch: key.LastEpoch,
	}); err != nil {
		return nil, err
	}
	return &types.MsgUpdateClientKeyResponse{}, nil
}

// RevokeClientKey ends a key of the sender's account with the current epoch. What it signed for the epoch is still settled:
// workers have served it.
func (s msgServer) RevokeClientKey(goCtx context.Context, msg *types.MsgRevokeClientKey) (*types.MsgRevokeClientKeyResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	key, current, err := s.k.ownedKey(ctx, msg.Owner, msg.KeyId)
	if err != nil {
		return nil, err
	}
	key.LastEpoch = current // it has not ended, so this is no later than before
	if err := s.k.setClientKey(ctx, key); err != nil {
		return nil, err
	}
	if err := ctx.EventManager().EmitTypedEvent(&types.EventClientKeyRevoked{
		AccountId: key.AccountId, KeyId: key.Id, LastEpoch: key.LastEpoch,
	}); err != nil {
		return nil, err
	}
	return &types.MsgRevokeClientKeyResponse{LastEpoch: key.LastEpoch}, nil
}

// ownedKey returns a key of the owner's account that has not ended, and the current epoch. It returns ErrAccountNotFound,
// ErrKeyNotFound or ErrKeyEnded.
func (k *Keeper) ownedKey(ctx context.Context, owner string, id uint64) (types.ClientKey, uint64, error) {
	address, err := k.decodeAddress("owner", owner)
	if err != nil {
		return types.ClientKey{}, 0, err
	}
	account, err := k.AccountByOwner(ctx, address)
	if err != nil {
		return types.ClientKey{}, 0, err
	}
	key, err := k.ClientKey(ctx, id)
	if err != nil {
		return types.ClientKey{}, 0, err
	}
	if key.AccountId != account.Id {
		return types.ClientKey{}, 0, errorsmod.Wrapf(types.ErrKeyNotFound, "account %d has no key %d", account.Id, id)
	}
	current, err := k.epoch.CurrentNumber(ctx)
	if err != nil {
		return types.ClientKey{}, 0, err
	}
	if key.LastEpoch < current {
		return types.ClientKey{}, 0, errorsmod.Wrapf(types.ErrKeyEnded, "key %d ended with epoch %d; register a new one", id, key.LastEpoch)
	}
	return key, current, nil
}
