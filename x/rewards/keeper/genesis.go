package keeper

import (
	"context"
	"fmt"

	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/rewards/types"
)

// InitGenesis writes the state of a genesis document. x/bank and x/dack come before it. It refuses a document
// whose module account holds anything else than its books promise: the account receives nothing from outside.
func (k *Keeper) InitGenesis(ctx sdk.Context, g types.GenesisState) error {
	if err := g.Validate(); err != nil {
		return err
	}
	if err := k.params.Set(ctx, g.Params); err != nil {
		return err
	}
	changes := g.ShareChanges
	if len(changes) == 0 {
		changes = []types.ShareChange{{Epoch: 1, Shares: g.Params.Shares}}
	}
	for _, c := range changes {
		if err := k.shares.Set(ctx, c.Epoch, c.Shares); err != nil {
			return err
		}
	}
	for _, s := range g.Summaries {
		if err := k.summaries.Set(ctx, s.Epoch, s); err != nil {
			return err
		}
	}
	for _, p := range g.Payouts {
		if err := k.payouts.Set(ctx, keyOf(p.Epoch, p.Kind, p.Id), p); err != nil {
			return err
		}
		if p.SetAside {
			if err := k.setAside.Set(ctx, keyOf(p.Epoch, p.Kind, p.Id)); err != nil {
				return err
			}
		}
	}
	for _, c := range g.Cursors {
		if err := k.cursors.Set(ctx, c.Epoch, c); err != nil {
			return err
		}
	}
	return k.checkFunds(ctx)
}

func (k *Keeper) checkFunds(ctx sdk.Context) error {
	held, err := k.booked(ctx)
	if err != nil {
		return err
	}
	denom, err := k.dackKeeper.SettlementDenom(ctx)
	if err != nil {
		return err
	}
	if balance := k.bankKeeper.GetBalance(ctx, k.account, denom).Amount; !balance.Equal(held) {
		return errorsmod.Wrapf(types.ErrInvalidGenesis, "the module's account holds %s%s, the books promise %s", balance, denom, held)
	}
	return nil
}

// ExportGenesis reads the whole state.
func (k *Keeper) ExportGenesis(ctx context.Context) (*types.GenesisState, error) {
	var g types.GenesisState
	var err error
	if g.Params, err = k.params.Get(ctx); err != nil {
		return nil, fmt.Errorf("params: %w", err)
	}
	err = k.shares.Walk(ctx, nil, func(epoch uint64, s types.Shares) (bool, error) {
		g.ShareChanges = append(g.ShareChanges, types.ShareChange{Epoch: epoch, Shares: s})
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("shares: %w", err)
	}
	err = k.summaries.Walk(ctx, nil, func(_ uint64, s types.EpochSummary) (bool, error) {
		g.Summaries = append(g.Summaries, s)
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("summaries: %w", err)
	}
	err = k.payouts.Walk(ctx, nil, func(_ payoutKey, p types.Payout) (bool, error) {
		g.Payouts = append(g.Payouts, p)
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("payouts: %w", err)
	}
	err = k.cursors.Walk(ctx, nil, func(_ uint64, c types.PayCursor) (bool, error) {
		g.Cursors = append(g.Cursors, c)
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("cursors: %w", err)
	}
	return &g, nil
}
