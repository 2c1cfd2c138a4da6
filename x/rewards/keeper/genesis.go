package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/rewards/types"
)

// InitGenesis writes the state of a genesis document. Every other module comes before it. It refuses a document whose module
// account holds anything else than its books promise: the account receives nothing from outside.
func (k *Keeper) InitGenesis(ctx sdk.Context, g types.GenesisState) error {
	if err := g.Validate(); err != nil {
		return err
	}
	if err := k.params.Set(ctx, g.Params); err != nil {
		return err
	}
	if err := k.initSchedules(ctx, g); err != nil {
		return err
	}
	if err := k.initPayments(ctx, g); err != nil {
		return err
	}
	if err := k.initLocks(ctx, g); err != nil {
		return err
	}
	if err := k.initSupply(ctx, g.Supply); err != nil {
		return err
	}
	held := g.Held()
	if err := k.held.Set(ctx, held); err != nil {
		return err
	}
	if err := k.checkFunds(ctx, held); err != nil {
		return errorsmod.Wrap(types.ErrInvalidGenesis, err.Error())
	}
	return nil
}

// initSchedules writes what counts from which epoch on, in a new chain what the parameters say from the first one on.
func (k *Keeper) initSchedules(ctx sdk.Context, g types.GenesisState) error {
	shares := g.ShareChanges
	if len(shares) == 0 {
		shares = []types.ShareChange{{Epoch: 1, Shares: g.Params.Shares}}
	}
	for _, c := range shares {
		if err := k.shares.Set(ctx, c.Epoch, c.Shares); err != nil {
			return err
		}
	}
	terms := g.EmissionChanges
	if len(terms) == 0 {
		terms = []types.EmissionTermsChange{{Epoch: 1, Terms: g.Params.Emission}}
	}
	for _, c := range terms {
		if err := k.terms.Set(ctx, c.Epoch, c.Terms); err != nil {
			return err
		}
	}
	for _, p := range g.TokenPrices {
		if err := k.tokenPrices.Set(ctx, p.Epoch, p); err != nil {
			return err
		}
	}
	if g.Year != nil {
		return k.year.Set(ctx, *g.Year)
	}
	return nil
}

// initPayments writes the books and payouts.
func (k *Keeper) initPayments(ctx sdk.Context, g types.GenesisState) error {
	settlement, err := k.dackKeeper.SettlementDenom(ctx)
	if err != nil {
		return err
	}
	for _, s := range g.Summaries {
		if err := k.summaries.Set(ctx, s.Epoch, s); err != nil {
			return err
		}
	}
	for _, p := range g.Payouts {
		if !p.Kind.Emission() && p.Denom != settlement {
			return errorsmod.Wrapf(types.ErrInvalidGenesis, "payout of epoch %d kind %s id %d: denom %q, want %q", p.Epoch, p.Kind, p.Id, p.Denom, settlement)
		}
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
	return nil
}

// checkFunds returns ErrBooks if the module's account does not hold exactly what the books say.
func (k *Keeper) checkFunds(ctx context.Context, held types.Held) error {
	settlement, err := k.dackKeeper.SettlementDenom(ctx)
	if err != nil {
		return err
	}
	for _, b := range []struct {
		denom string
		books math.Int
	}{{settlement, held.Settlement()}, {types.EmissionDenom, held.EmissionSetAside}} {
		if balance := k.bankKeeper.GetBalance(ctx, k.account, b.denom).Amount; !balance.Equal(b.books) {
			return errorsmod.Wrapf(types.ErrBooks, "the module's account holds %s%s, the books say %s", balance, b.denom, b.books)
		}
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
	if err := k.exportSchedules(ctx, &g); err != nil {
		return nil, err
	}
	if err := k.exportPayments(ctx, &g); err != nil {
		return nil, err
	}
	if err := k.exportLocks(ctx, &g); err != nil {
		return nil, fmt.Errorf("locks: %w", err)
	}
	supply, err := k.supply.Get(ctx)
	if err != nil {
		return nil, fmt.Errorf("supply: %w", err)
	}
	g.Supply = &supply
	return &g, nil
}

func (k *Keeper) exportSchedules(ctx context.Context, g *types.GenesisState) error {
	err := k.shares.Walk(ctx, nil, func(epoch uint64, s types.Shares) (bool, error) {
		g.ShareChanges = append(g.ShareChanges, types.ShareChange{Epoch: epoch, Shares: s})
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("shares: %w", err)
	}
	err = k.terms.Walk(ctx, nil, func(epoch uint64, t types.EmissionTerms) (bool, error) {
		g.EmissionChanges = append(g.EmissionChanges, types.EmissionTermsChange{Epoch: epoch, Terms: t})
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("emission terms: %w", err)
	}
	err = k.tokenPrices.Walk(ctx, nil, func(_ uint64, p types.TokenPrice) (bool, error) {
		g.TokenPrices = append(g.TokenPrices, p)
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("token prices: %w", err)
	}
	year, err := k.year.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("year: %w", err)
	}
	g.Year = &year
	return nil
}

func (k *Keeper) exportPayments(ctx context.Context, g *types.GenesisState) error {
	err := k.summaries.Walk(ctx, nil, func(_ uint64, s types.EpochSummary) (bool, error) {
		g.Summaries = append(g.Summaries, s)
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("summaries: %w", err)
	}
	err = k.payouts.Walk(ctx, nil, func(_ payoutKey, p types.Payout) (bool, error) {
		g.Payouts = append(g.Payouts, p)
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("payouts: %w", err)
	}
	err = k.cursors.Walk(ctx, nil, func(_ uint64, c types.PayCursor) (bool, error) {
		g.Cursors = append(g.Cursors, c)
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("cursors: %w", err)
	}
	return nil
}
