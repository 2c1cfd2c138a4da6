package keeper

import (
	"context"

	cmttypes "github.com/cometbft/cometbft/types"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/committee"
	"github.com/edgechain/edge/x/epoch/types"
)

// CometBFT only holds a block's ProposerAddress to be that of some member: whoever has the turn can name anybody. So x/epoch
// follows the turns itself, with CometBFT's own code, as state/execution.go and consensus/state.go take them:
//
//	set(initial) = NewValidatorSet(genesis)
//	set(h)       = set(h-1), changed by the updates that are in force from h on, its priorities incremented once
//	proposer of round r at h = the proposer of set(h) incremented r more times
const (
	// rotationLag bounds how many heights the stored rotation is behind, and with it the work of catching up: about 10 ms
	// for 300 members.
	rotationLag = 1_000
	// maxRounds bounds the rounds that are repeated to find out who had a turn.
	maxRounds = 1_000
)

// startRotation begins the turns with the set of a genesis.
func (k *Keeper) startRotation(ctx context.Context, initial int64, members []types.Member) error {
	updates, err := committee.Difference(nil, members)
	if err != nil {
		return err
	}
	validators, err := cmttypes.PB2TM.ValidatorUpdates(updates)
	if err != nil {
		return err
	}
	return k.storeRotation(ctx, initial, cmttypes.NewValidatorSet(validators))
}

func (k *Keeper) storeRotation(ctx context.Context, height int64, set *cmttypes.ValidatorSet) error {
	raw, err := set.ToProto()
	if err != nil {
		return err
	}
	return k.rotation.Set(ctx, types.Rotation{Height: height, Set: *raw})
}

// rotationAt returns CometBFT's set at a height, not before the stored one and at most two after the present one, with the
// priorities of its members.
func (k *Keeper) rotationAt(ctx context.Context, height int64) (*cmttypes.ValidatorSet, error) {
	stored, err := k.rotation.Get(ctx)
	if err != nil {
		return nil, err
	}
	if height < stored.Height {
		return nil, errorsmod.Wrapf(types.ErrRotation, "of height %d, asked for %d", stored.Height, height)
	}
	set, err := cmttypes.ValidatorSetFromProto(&stored.Set)
	if err != nil {
		return nil, errorsmod.Wrapf(types.ErrRotation, "height %d: %v", stored.Height, err)
	}
	if height == stored.Height {
		return set, nil
	}
	last, err := k.setAt(ctx, stored.Height)
	if err != nil {
		return nil, err
	}
	var sent []types.ValidatorSet
	rng := new(collections.Range[int64]).StartExclusive(stored.Height).EndInclusive(height)
	err = k.validatorSets.Walk(ctx, rng, func(_ int64, s types.ValidatorSet) (bool, error) {
		sent = append(sent, s)
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	for h := stored.Height + 1; h <= height; h++ {
		if len(sent) != 0 && sent[0].Height == h {
			if err := change(set, last.Members, sent[0].Members); err != nil {
				return nil, errorsmod.Wrapf(types.ErrRotation, "height %d: %v", h, err)
			}
			last, sent = sent[0], sent[1:]
		}
		set.IncrementProposerPriority(1)
	}
	return set, nil
}

// change applies to CometBFT's set what it was told when one set took the place of another.
func change(set *cmttypes.ValidatorSet, last, next []types.Member) error {
	updates, err := committee.Difference(last, next)
	if err != nil || len(updates) == 0 {
		return err
	}
	changes, err := cmttypes.PB2TM.ValidatorUpdates(updates)
	if err != nil {
		return err
	}
	return set.UpdateWithChangeSet(changes)
}

// turnRotation brings the stored rotation to a height, unless it is there already, and returns CometBFT's set of that height.
// Nothing waits for it: if it fails, which is logged, nobody can be held to have missed a reveal, and ok is false.
func (k *Keeper) turnRotation(ctx sdk.Context, height int64) (set *cmttypes.ValidatorSet, ok bool) {
	err := protect(ctx, func(ctx sdk.Context) (err error) {
		if set, err = k.rotationAt(ctx, height); err != nil {
			return err
		}
		return k.storeRotation(ctx, height, set)
	})
	if err != nil {
		k.logger(ctx).Error("rotation of proposers stands still", "height", height, "error", err)
		return nil, false
	}
	return set, true
}

// turns returns the consensus addresses of those who had a turn in the rounds up to and including the given one, in order.
func turns(set *cmttypes.ValidatorSet, round int32) [][]byte {
	set = set.Copy()
	addresses := [][]byte{set.GetProposer().Address}
	for range min(round, maxRounds) {
		set.IncrementProposerPriority(1)
		addresses = append(addresses, set.GetProposer().Address)
	}
	return addresses
}
