package keeper

import (
	"context"
	"errors"
	"slices"

	abci "github.com/cometbft/cometbft/abci/types"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/x/epoch/committee"
	"github.com/edgechain/edge/x/epoch/types"
)

// prunedSets bounds how many old sets are removed when one is stored.
const prunedSets = 4

// newestSet returns the set as CometBFT was given it last, or collections.ErrNotFound before genesis.
func (k *Keeper) newestSet(ctx context.Context) (types.ValidatorSet, error) {
	return first(ctx, k.validatorSets, collections.OrderDescending)
}

// setDue says whether the set has to be computed anew: someone left, a step was sent, or x/staking is rotating a key. Without
// a reason an ordinary block reads no set, election or validator.
func (k *Keeper) setDue(ctx context.Context) (bool, error) {
	changed, err := k.changed.Has(ctx)
	if err != nil || changed {
		return changed, err
	}
	pending, err := k.stakingKeeper.PendingConsKeyRotations(ctx)
	return len(pending) != 0, err
}

// send computes who holds the seats now, stores the set if it differs from the one that CometBFT was given last, and returns
// the difference. If nobody is left, those who only missed a reveal hold their seats after all; if nobody is left even so,
// CometBFT keeps the members that it has: without validators it would halt for good.
func (k *Keeper) send(ctx sdk.Context) ([]abci.ValidatorUpdate, error) {
	if err := k.changed.Remove(ctx); err != nil {
		return nil, err
	}
	h, err := k.handOver.Get(ctx)
	if err != nil {
		return nil, err
	}
	view := newStakingView(k)
	last, err := k.newestSet(ctx)
	if err != nil {
		return nil, err
	}
	next := types.ValidatorSet{Height: ctx.BlockHeight() + updateDelay, SentHeight: ctx.BlockHeight(), SentTime: ctx.BlockTime()}
	for _, pardon := range []bool{false, true} {
		seats, err := k.seats(ctx, h, view, pardon)
		if err != nil {
			return nil, err
		}
		if next.Members = committee.Members(seats); len(next.Members) != 0 {
			break
		}
	}
	if len(next.Members) == 0 {
		// Their keys rotate all the same: a commit that names a key which x/staking has swapped would halt the chain.
		if next.Members, err = view.known(ctx, last.Members); err != nil {
			return nil, err
		}
		if err := ctx.EventManager().EmitTypedEvent(&types.EventValidatorSetKept{}); err != nil {
			return nil, err
		}
	}
	if err := view.setKeys(ctx, next.Members); err != nil {
		return nil, err
	}
	if slices.EqualFunc(last.Members, next.Members, sameMember) {
		return nil, nil
	}
	updates, err := committee.Difference(last.Members, next.Members)
	if err != nil {
		return nil, err
	}
	if err := k.validatorSets.Set(ctx, next.Height, next); err != nil {
		return nil, err
	}
	k.turnRotation(ctx, ctx.BlockHeight()) // while the sets that it needs are kept
	if err := k.pruneSets(ctx); err != nil {
		return nil, err
	}
	if len(updates) == 0 {
		return nil, nil // the stake behind a seat changed, of which CometBFT knows nothing
	}
	return updates, ctx.EventManager().EmitTypedEvent(setSent(next))
}

func setSent(set types.ValidatorSet) *types.EventValidatorSetSent {
	e := &types.EventValidatorSetSent{Height: set.Height, Members: uint32(len(set.Members))}
	for _, m := range set.Members {
		e.Power += m.Power
	}
	return e
}

func sameMember(a, b types.Member) bool {
	return a.Operator == b.Operator && a.Power == b.Power && a.FreezeHeight == b.FreezeHeight && a.Tokens.Equal(b.Tokens) &&
		a.PubKey.Equal(b.PubKey)
}

// seats returns who holds the seats at this point of a hand-over; with pardon, those who only missed a reveal hold theirs.
func (k *Keeper) seats(ctx sdk.Context, h types.HandOver, view stakingView, pardon bool) ([]committee.Seat, error) {
	var arrays [][]committee.Seat
	for _, epoch := range seatedElections(h) {
		e, err := k.Election(ctx, epoch)
		if err != nil {
			return nil, err
		}
		holders, err := k.holders(ctx, e, view, pardon)
		if err != nil {
			return nil, err
		}
		arrays = append(arrays, holders)
	}
	if len(arrays) == 1 {
		return arrays[0], nil
	}
	return committee.Mixture(arrays[1], arrays[0], h.Steps), nil
}

// holders returns who holds the seats of an election. Whoever x/staking says is jailed or not bonded has left it: the hook has
// noted that already, unless it was so at the draw.
func (k *Keeper) holders(ctx sdk.Context, e types.Election, view stakingView, pardon bool) ([]committee.Seat, error) {
	left, err := k.leftOf(ctx, e.Epoch, pardon)
	if err != nil {
		return nil, err
	}
	for _, runs := range [][]types.SeatRun{e.Elected, e.Spares} {
		for _, r := range runs {
			if left[r.Operator] {
				continue
			}
			operator, v, found, err := view.validator(ctx, r.Operator)
			if err != nil {
				return nil, err
			}
			if found && v.IsBonded() && !v.IsJailed() {
				continue
			}
			if _, err := k.leave(ctx, e.Epoch, operator, types.LEAVE_REASON_UNBONDED); err != nil {
				return nil, err
			}
			left[r.Operator] = true
		}
	}
	return committee.Holders(e.Elected, e.Spares, func(operator string) bool { return left[operator] }), nil
}

// leftOf returns who left an election, for look-ups; with pardon, without those who only missed a reveal.
func (k *Keeper) leftOf(ctx context.Context, epoch uint64, pardon bool) (map[string]bool, error) {
	leavings, err := k.leavingsOf(ctx, epoch)
	if err != nil {
		return nil, err
	}
	left := make(map[string]bool, len(leavings))
	for _, l := range leavings {
		left[l.Operator] = !pardon || l.Reason != types.LEAVE_REASON_MISSED_REVEAL
	}
	return left, nil
}

// stakingView looks each validator up once.
type stakingView struct {
	k *Keeper
	// validators by the text of their operator, for look-ups.
	validators map[string]stakingtypes.Validator
}

func newStakingView(k *Keeper) stakingView {
	return stakingView{k: k, validators: make(map[string]stakingtypes.Validator)}
}

// validator returns the bytes of an operator and its validator, if it has one.
func (s stakingView) validator(ctx context.Context, text string) (operator []byte, v stakingtypes.Validator, found bool, err error) {
	if operator, err = s.k.operators.StringToBytes(text); err != nil {
		return nil, v, false, err
	}
	if v, found = s.validators[text]; found {
		return operator, v, true, nil
	}
	v, err = s.k.stakingKeeper.GetValidator(ctx, operator)
	if errors.Is(err, stakingtypes.ErrNoValidatorFound) {
		return operator, v, false, nil
	}
	if err != nil {
		return nil, v, false, err
	}
	s.validators[text] = v
	return operator, v, true, nil
}

// known returns the members who are validators; if none is, all of them.
func (s stakingView) known(ctx context.Context, members []types.Member) ([]types.Member, error) {
	var known []types.Member
	for _, m := range members {
		_, _, found, err := s.validator(ctx, m.Operator)
		if err != nil {
			return nil, err
		}
		if found {
			known = append(known, m)
		}
	}
	if len(known) == 0 {
		return slices.Clone(members), nil
	}
	return known, nil
}

// setKeys fills in the keys of members as CometBFT has to know them: with a rotation from the block on in which x/staking
// announces it. A member that has a key and is no validator any more keeps it.
func (s stakingView) setKeys(ctx context.Context, members []types.Member) error {
	pending, err := s.k.stakingKeeper.PendingConsKeyRotations(ctx)
	if err != nil {
		return err
	}
	for i, m := range members {
		operator, v, found, err := s.validator(ctx, m.Operator)
		if err != nil {
			return err
		}
		if !found && m.PubKey.Sum != nil {
			continue // kept because nobody is left, and forgotten by x/staking
		}
		if !found {
			return errorsmod.Wrapf(types.ErrNotValidator, "member %s", m.Operator)
		}
		key, err := pending.EffectiveKeyForABCIUpdate(operator, v)
		if err != nil {
			return err
		}
		if members[i].PubKey, err = cryptocodec.ToCmtProtoPublicKey(key); err != nil {
			return err
		}
	}
	return nil
}

// pruneSets removes sets, at most prunedSets of them, for whose faults nobody can be slashed any more: the unbonding time and
// two epochs after a younger one was sent, which must be in force itself.
func (k *Keeper) pruneSets(ctx sdk.Context) error {
	unbonding, err := k.stakingKeeper.UnbondingTime(ctx)
	if err != nil {
		return err
	}
	params, err := k.params.Get(ctx)
	if err != nil {
		return err
	}
	horizon := ctx.BlockTime().Add(-unbonding - 2*params.Duration)
	var oldest []types.ValidatorSet
	err = k.validatorSets.Walk(ctx, nil, func(_ int64, s types.ValidatorSet) (bool, error) {
		oldest = append(oldest, s)
		return len(oldest) > prunedSets, nil
	})
	if err != nil {
		return err
	}
	for i := range len(oldest) - 1 {
		younger := oldest[i+1]
		if younger.Height > ctx.BlockHeight() || !younger.SentTime.Before(horizon) {
			return nil
		}
		if err := k.validatorSets.Remove(ctx, oldest[i].Height); err != nil {
			return err
		}
	}
	return nil
}
