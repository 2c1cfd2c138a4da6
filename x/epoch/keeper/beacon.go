package keeper

import (
	"bytes"
	"context"
	"errors"

	abci "github.com/cometbft/cometbft/abci/types"
	cryptoenc "github.com/cometbft/cometbft/crypto/encoding"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/beacon"
	"github.com/edgechain/edge/x/epoch/types"
)

// Duty is the reveal that the proposer of a block may give.
type Duty struct {
	// Epoch whose committee is being elected.
	Epoch uint64
	// Operator of the proposer, bytes of its address.
	Operator []byte
	// PubKey is the proposer's beacon key in the record of the freeze.
	PubKey []byte
	// Seed of the open epoch, which the reveal signs.
	Seed []byte
}

// RevealDuty returns the reveal that a proposer, known by its consensus address, may give in the block at a height. There is
// none outside of the blocks after the freeze up to the closing height, and for a proposer without a key in the record. Who
// proposes is looked up in the set that is in force, not in x/staking, where keys rotate.
func (k *Keeper) RevealDuty(ctx context.Context, height int64, proposer []byte) (Duty, bool, error) {
	b, err := k.beacon.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) || err == nil && (height <= b.FreezeHeight || height > b.ClosingHeight) {
		return Duty{}, false, nil
	}
	if err != nil {
		return Duty{}, false, err
	}
	set, err := k.setAt(ctx, height)
	if err != nil {
		return Duty{}, false, err
	}
	text, err := proposerOf(set, proposer)
	if err != nil || text == "" {
		return Duty{}, false, err
	}
	operator, err := k.operators.StringToBytes(text)
	if err != nil {
		return Duty{}, false, err
	}
	v, err := k.frozen.Get(ctx, collections.Join(b.Epoch, operator))
	if errors.Is(err, collections.ErrNotFound) || err == nil && len(v.BeaconKey) == 0 {
		return Duty{}, false, nil
	}
	if err != nil {
		return Duty{}, false, err
	}
	e, err := k.Current(ctx)
	if err != nil {
		return Duty{}, false, err
	}
	return Duty{Epoch: b.Epoch, Operator: operator, PubKey: v.BeaconKey, Seed: e.Seed}, true, nil
}

// proposerOf returns the operator of the member with a consensus address, empty if there is none.
func proposerOf(set types.ValidatorSet, proposer []byte) (string, error) {
	for _, m := range set.Members {
		key, err := cryptoenc.PubKeyFromProto(m.PubKey)
		if err != nil {
			return "", err
		}
		if bytes.Equal(key.Address(), proposer) {
			return m.Operator, nil
		}
	}
	return "", nil
}

// takeReveal mixes the reveal of the block in, if its proposer gave the one that it may give. Whoever has a key in the record
// and did not reveal leaves the election; the record and the draw stay as they are.
//
// It verifies what ProcessProposal has verified already: that is not called when blocks are replayed.
func (k *Keeper) takeReveal(ctx sdk.Context, req *abci.RequestFinalizeBlock) error {
	duty, ok, err := k.RevealDuty(ctx, req.Height, req.ProposerAddress)
	if err != nil || !ok {
		return err
	}
	operator, err := k.operators.BytesToString(duty.Operator)
	if err != nil {
		return err
	}
	var reveal []byte
	if len(req.Txs) != 0 {
		if r, injected := beacon.DecodeTx(req.Txs[0]); injected {
			reveal = r
		}
	}
	if err := beacon.CheckReveal(duty.PubKey, reveal, ctx.ChainID(), duty.Seed, req.Height); err != nil {
		left, err := k.leave(ctx, duty.Epoch, duty.Operator, types.LEAVE_REASON_MISSED_REVEAL)
		if err != nil || !left {
			return err
		}
		return ctx.EventManager().EmitTypedEvent(&types.EventRevealMissed{Epoch: duty.Epoch, Operator: operator})
	}
	b, err := k.beacon.Get(ctx)
	if err != nil {
		return err
	}
	b.Mix = beacon.Mix(b.Mix, reveal)
	b.Reveals++
	if err := k.beacon.Set(ctx, b); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventRevealed{Epoch: duty.Epoch, Operator: operator})
}
