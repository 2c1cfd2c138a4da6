package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/draw"
	"github.com/edgechain/edge/x/epoch/types"
)

// prunedElections bounds how many elections a turn removes: one becomes too old with each, the other drains what was left.
const prunedElections = 2

// Election returns the record of the election of the committee of an epoch, or ErrElectionNotFound.
func (k *Keeper) Election(ctx context.Context, epoch uint64) (types.Election, error) {
	e, err := k.elections.Get(ctx, epoch)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Election{}, errorsmod.Wrapf(types.ErrElectionNotFound, "epoch %d", epoch)
	}
	return e, err
}

// rows returns the rows of an election's record, in the order of their operators' bytes.
func (k *Keeper) rows(ctx context.Context, epoch uint64) ([]types.FrozenValidator, error) {
	rows, err := k.keyedRows(ctx, epoch)
	return values(rows), err
}

// keyedRows is rows with the bytes of the operators' addresses.
func (k *Keeper) keyedRows(ctx context.Context, epoch uint64) ([]row, error) {
	var rows []row
	err := k.frozen.Walk(ctx, collections.NewPrefixedPairRange[uint64, []byte](epoch),
		func(key operatorKey, v types.FrozenValidator) (bool, error) {
			rows = append(rows, row{key.K2(), v})
			return false, nil
		})
	return rows, err
}

// elect draws an election with its seed, from its record alone. If there is nobody to draw over, the seats of the epoch before
// are kept; those who left them stay out.
func (k *Keeper) elect(ctx sdk.Context, e types.Election, seed []byte) error {
	rows, err := k.keyedRows(ctx, e.Epoch)
	if err != nil {
		return err
	}
	e.Seed = seed
	e.Elected, e.Spares, err = drawSeats(e, rows)
	if err != nil {
		// Cannot be: a record has no stake of 0, no operator twice, and no more than there is. Whatever it was, the same record
		// would fail for ever and hold the clock.
		k.logger(ctx).Error("draw failed, the seats are kept", "epoch", e.Epoch, "error", err)
	}
	if len(e.Elected) == 0 {
		if e.Elected, e.Spares, err = k.keepSeats(ctx, e.Epoch); err != nil {
			return err
		}
		e.Fallback = types.FALLBACK_KEPT
	}
	if err := k.elections.Set(ctx, e.Epoch, e); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventElected{
		Epoch: e.Epoch, Fallback: e.Fallback, Members: uint32(len(e.Elected)), // one run for each
	})
}

// drawSeats draws the seats and the spares. Without candidates both are empty.
func drawSeats(e types.Election, rows []row) (elected, spares []types.SeatRun, err error) {
	drawn := e.DrawCandidates(values(rows))
	if len(drawn) == 0 {
		return nil, nil, nil
	}
	// For look-ups alone: decoding thousands of addresses costs more than the draw.
	operators := make(map[string][]byte, len(rows))
	for _, r := range rows {
		operators[r.value.Operator] = r.operator
	}
	candidates := make([]draw.Candidate, len(drawn))
	byOperator := make(map[string]types.FrozenValidator, len(drawn))
	for i, v := range drawn {
		operator := operators[v.Operator]
		candidates[i] = draw.Candidate{Operator: operator, Stake: v.Tokens.BigInt()}
		byOperator[string(operator)] = v
	}
	if elected, err = runs(e, byOperator, draw.Seats, candidates); err != nil {
		return nil, nil, err
	}
	if spares, err = runs(e, byOperator, draw.Spares, candidates); err != nil {
		return nil, nil, err
	}
	return elected, spares, nil
}

// runs draws once and adds what the record knows of the winners.
func runs(
	e types.Election, byOperator map[string]types.FrozenValidator,
	f func([]byte, []draw.Candidate, uint32) ([]draw.Run, error), candidates []draw.Candidate,
) ([]types.SeatRun, error) {
	won, err := f(e.Seed, candidates, e.Seats)
	if err != nil {
		return nil, err
	}
	out := make([]types.SeatRun, len(won))
	for i, r := range won {
		v := byOperator[string(r.Operator)]
		out[i] = types.SeatRun{Operator: v.Operator, Seats: r.Seats, Tokens: v.Tokens, FreezeHeight: e.FreezeHeight}
	}
	return out, nil
}

// keepSeats returns what was drawn for the epoch before, and notes for this one who left it.
func (k *Keeper) keepSeats(ctx sdk.Context, epoch uint64) (elected, spares []types.SeatRun, err error) {
	before, err := k.Election(ctx, epoch-1)
	if err != nil {
		return nil, nil, err
	}
	left, err := k.leavingsOf(ctx, epoch-1)
	if err != nil {
		return nil, nil, err
	}
	for _, l := range left {
		operator, err := k.operators.StringToBytes(l.Operator)
		if err != nil {
			return nil, nil, err
		}
		key := collections.Join(epoch, operator)
		if has, err := k.leavings.Has(ctx, key); err != nil {
			return nil, nil, err
		} else if has {
			continue
		}
		l.Epoch = epoch
		if err := k.leavings.Set(ctx, key, l); err != nil {
			return nil, nil, err
		}
	}
	return before.Elected, before.Spares, nil
}

// pruneElections removes the records of elections that are too old, at most prunedElections of them. Each is bounded by the
// number of bonded validators at its freeze.
func (k *Keeper) pruneElections(ctx context.Context, newest uint64) error {
	if newest <= types.KeptElections {
		return nil
	}
	var old []uint64
	rng := new(collections.Range[uint64]).EndInclusive(newest - types.KeptElections)
	err := k.elections.Walk(ctx, rng, func(epoch uint64, _ types.Election) (bool, error) {
		old = append(old, epoch)
		return len(old) == prunedElections, nil
	})
	if err != nil {
		return err
	}
	for _, epoch := range old {
		if err := k.frozen.Clear(ctx, collections.NewPrefixedPairRange[uint64, []byte](epoch)); err != nil {
			return err
		}
		if err := k.leavings.Clear(ctx, collections.NewPrefixedPairRange[uint64, []byte](epoch)); err != nil {
			return err
		}
		if err := k.elections.Remove(ctx, epoch); err != nil {
			return err
		}
	}
	return nil
}
