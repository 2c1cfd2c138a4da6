package keeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/x/epoch/beacon"
	"github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// freeze records every bonded validator for the election of the next epoch and fixes the closing height of the open one. The
// draw reads nothing but this record and the seed.
func (k *Keeper) freeze(ctx sdk.Context, e types.Epoch) error {
	params, err := k.params.Get(ctx)
	if err != nil {
		return err
	}
	newest, err := k.newestSet(ctx)
	if err != nil {
		return err
	}
	rows, err := k.record(ctx, e.Number+1)
	if err != nil {
		return err
	}
	height := ctx.BlockHeight()
	k.turnRotation(ctx, height)
	hash, err := k.headerHashes.Get(ctx, height-1)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return err
	}
	e.Phase, e.FreezeHeight = types.PHASE_FROZEN, height
	// One block more than those that carry reveals: it settles the last one.
	e.ClosingHeight = height + max(int64(params.BeaconBlocks), int64(len(newest.Members))) + 1
	start := beacon.Start(e.Seed, hash)
	election := types.Election{
		Epoch: e.Number + 1, FreezeHeight: e.FreezeHeight, ClosingHeight: e.ClosingHeight, Start: start,
	}.Record(values(rows), params)
	if err := k.writeRecord(ctx, election, rows); err != nil {
		return err
	}
	err = k.beacon.Set(ctx, types.Beacon{
		Epoch: election.Epoch, FreezeHeight: e.FreezeHeight, ClosingHeight: e.ClosingHeight, Start: start, Mix: start,
	})
	if err != nil {
		return err
	}
	if err := k.epochs.Set(ctx, e.Number, e); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventFrozen{
		Epoch: election.Epoch, ClosingHeight: e.ClosingHeight, Validators: election.Validators,
		Candidates: election.Candidates, Fallback: election.Fallback,
	})
}

// row is a row of a record with the bytes of its operator's address.
type row struct {
	operator []byte
	value    types.FrozenValidator
}

func values(rows []row) []types.FrozenValidator {
	out := make([]types.FrozenValidator, len(rows))
	for i, r := range rows {
		out[i] = r.value
	}
	return out
}

// record reads the bonded validators as they are now, for the election of an epoch, in the order of their operators' bytes.
func (k *Keeper) record(ctx context.Context, epoch uint64) ([]row, error) {
	bonded, err := k.stakingKeeper.GetBondedValidatorsByPower(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]row, 0, len(bonded))
	for _, v := range bonded {
		if !v.GetTokens().IsPositive() {
			continue // no stake to draw on
		}
		operator, text, err := k.operator(v.GetOperator())
		if err != nil {
			return nil, err
		}
		key, err := k.beaconKeys.Get(ctx, operator)
		if err != nil && !errors.Is(err, collections.ErrNotFound) {
			return nil, err
		}
		why, err := k.ineligibility(ctx, v, operator, epoch, len(key.PubKey) != 0)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{operator, types.FrozenValidator{
			Operator: text, Tokens: v.GetTokens(), BeaconKey: key.PubKey, Ineligibility: why,
		}})
	}
	slices.SortFunc(rows, func(a, b row) int { return bytes.Compare(a.operator, b.operator) })
	return rows, nil
}

// ineligibility says why a bonded validator is no candidate for the committee of an epoch.
func (k *Keeper) ineligibility(ctx context.Context, v stakingtypes.Validator, operator []byte, epoch uint64, hasKey bool) (types.Ineligibility, error) {
	if v.IsJailed() {
		return types.INELIGIBILITY_JAILED, nil
	}
	standing, err := k.nodeKeeper.Standing(ctx, operator, epoch)
	if err != nil {
		return types.INELIGIBILITY_UNSPECIFIED, err
	}
	switch {
	case standing == nodetypes.StandingNotOptedIn:
		return types.INELIGIBILITY_NOT_OPTED_IN, nil
	case standing == nodetypes.StandingLapsed:
		return types.INELIGIBILITY_LAPSED, nil
	case standing == nodetypes.StandingWaiting:
		return types.INELIGIBILITY_WAITING, nil
	case !hasKey:
		return types.INELIGIBILITY_NO_BEACON_KEY, nil
	case standing == nodetypes.StandingUnhealthy:
		return types.INELIGIBILITY_UNHEALTHY, nil
	case standing == nodetypes.StandingOK:
		return types.INELIGIBILITY_NONE, nil
	}
	return types.INELIGIBILITY_UNSPECIFIED, fmt.Errorf("x/node gives %X the unknown standing %d", operator, standing)
}

func (k *Keeper) writeRecord(ctx context.Context, e types.Election, rows []row) error {
	for _, r := range rows {
		if err := k.frozen.Set(ctx, collections.Join(e.Epoch, r.operator), r.value); err != nil {
			return err
		}
	}
	return k.elections.Set(ctx, e.Epoch, e)
}

// operator returns the bytes and the one text of an operator's address; x/staking keeps the text that its creator chose.
func (k *Keeper) operator(text string) ([]byte, string, error) {
	operator, err := k.operators.StringToBytes(text)
	if err != nil {
		return nil, "", err
	}
	canonical, err := k.operators.BytesToString(operator)
	return operator, canonical, err
}
