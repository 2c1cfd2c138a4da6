package keeper

import (
	"bytes"
	"context"
	"errors"
	"slices"

	abci "github.com/cometbft/cometbft/abci/types"
	cryptoenc "github.com/cometbft/cometbft/crypto/encoding"
	cmttypes "github.com/cometbft/cometbft/types"

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
// none outside of the blocks between the freeze and the closing height, and for a proposer without a key in the record. Who
// proposes is looked up in the set that is in force, not in x/staking, where keys rotate.
func (k *Keeper) RevealDuty(ctx context.Context, height int64, proposer []byte) (Duty, bool, error) {
	b, err := k.beacon.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) || err == nil && !carriesReveal(b, height) {
		return Duty{}, false, nil
	}
	if err != nil {
		return Duty{}, false, err
	}
	return k.dutyOf(ctx, b, height, proposer)
}

// carriesReveal says whether the block at a height may carry a reveal: the one at the closing height only counts the last.
func carriesReveal(b types.Beacon, height int64) bool {
	return height > b.FreezeHeight && height < b.ClosingHeight
}

func (k *Keeper) dutyOf(ctx context.Context, b types.Beacon, height int64, proposer []byte) (Duty, bool, error) {
	set, err := k.setAt(ctx, height)
	if err != nil {
		return Duty{}, false, err
	}
	text, err := proposerOf(set, proposer)
	if err != nil || text == "" {
		return Duty{}, false, err
	}
	operator, _, err := k.operator(text)
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

// takeReveal settles the reveal of the block before this one, and keeps what this one says for the next.
//
// A block does not prove who proposed it, nor in which round: its header names whomever the proposer likes. What settles it is
// the commit, which the next block carries: a block that was decided in the first round is the work of whoever had the turn
// in it. So the reveal of a block counts one block later, and the block at the closing height carries none.
func (k *Keeper) takeReveal(ctx sdk.Context, req *abci.RequestFinalizeBlock) error {
	b, err := k.beacon.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if b.Pending != nil {
		pending := *b.Pending
		b.Pending = nil
		if pending.Height == req.Height-1 {
			if err := k.settleReveal(ctx, &b, pending, req.DecidedLastCommit); err != nil {
				return err
			}
		}
	}
	if carriesReveal(b, req.Height) {
		b.Pending = &types.PendingReveal{Height: req.Height, Proposer: req.ProposerAddress}
		if len(req.Txs) != 0 {
			if r, injected := beacon.DecodeTx(req.Txs[0]); injected && len(r) == beacon.SignatureSize {
				b.Pending.Reveal = r
			}
		}
	}
	return k.beacon.Set(ctx, b)
}

// settleReveal mixes the reveal of a block in, or has whoever owed it leave the election; the record and the draw stay as they
// are. It verifies what ProcessProposal has verified already: that is not called when blocks are replayed.
//
//   - Decided in the first round: the block is the work of whoever had the turn. Its own reveal alone counts; without it, or
//     with another's name, it has missed it.
//   - Decided in a later round: who made the block cannot be known, and whoever had a turn before may have been held up by
//     others. The reveal of one who had a turn counts; nobody has missed any.
//   - At the first height of an imported chain there is no commit: the reveal counts if it is right, and nobody has missed any.
func (k *Keeper) settleReveal(ctx sdk.Context, b *types.Beacon, p types.PendingReveal, commit abci.CommitInfo) error {
	duty, ok, err := k.dutyOf(ctx, *b, p.Height, p.Proposer)
	if err != nil {
		return err
	}
	valid := ok && beacon.CheckReveal(duty.PubKey, p.Reveal, ctx.ChainID(), duty.Seed, p.Height) == nil
	var set *cmttypes.ValidatorSet
	known := len(commit.Votes) != 0
	if known {
		set, known = k.turnRotation(ctx, p.Height)
	}
	if known {
		hadTurn := turns(set, commit.Round)
		named := slices.ContainsFunc(hadTurn, func(address []byte) bool { return bytes.Equal(address, p.Proposer) })
		valid = valid && (named || commit.Round > maxRounds)
		if commit.Round == 0 && !valid {
			return k.missReveal(ctx, *b, p.Height, hadTurn[0])
		}
	}
	if !valid {
		return nil
	}
	b.Mix = beacon.Mix(b.Mix, p.Reveal)
	b.Reveals++
	operator, err := k.operators.BytesToString(duty.Operator)
	if err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventRevealed{Epoch: b.Epoch, Operator: operator, Height: p.Height})
}

// missReveal has the proposer of a block leave the election, if it has a key in the record.
func (k *Keeper) missReveal(ctx sdk.Context, b types.Beacon, height int64, proposer []byte) error {
	duty, ok, err := k.dutyOf(ctx, b, height, proposer)
	if err != nil || !ok {
		return err
	}
	left, err := k.leave(ctx, b.Epoch, duty.Operator, types.LEAVE_REASON_MISSED_REVEAL)
	if err != nil || !left {
		return err
	}
	operator, err := k.operators.BytesToString(duty.Operator)
	if err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventRevealMissed{Epoch: b.Epoch, Operator: operator, Height: height})
}
