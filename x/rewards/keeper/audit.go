package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	"github.com/edgechain/edge/x/rewards/types"
)

// Audit returns the invariants of the money that exists now, with both sides of each. It reads a dozen records, however much there
// is. The figures of x/dack and the supply count from the end of a block on: between two transactions of a block some of them are
// not yet taken over.
func (k *Keeper) Audit(ctx context.Context) ([]types.Equation, error) {
	f, err := k.figures(ctx)
	if err != nil {
		return nil, err
	}
	return f.Equations(), nil
}

func (k *Keeper) figures(ctx context.Context) (f types.Figures, err error) {
	if f.SettlementDenom, err = k.dackKeeper.SettlementDenom(ctx); err != nil {
		return f, err
	}
	if f.Clients, err = k.dackKeeper.Totals(ctx); err != nil {
		return f, err
	}
	if f.Books, err = k.Held(ctx); err != nil {
		return f, err
	}
	if f.History, err = k.Supply(ctx); err != nil {
		return f, err
	}
	f.ClientsHeld = k.bankKeeper.GetBalance(ctx, authtypes.NewModuleAddress(dacktypes.ModuleName), f.SettlementDenom).Amount
	f.SettlementHeld = k.bankKeeper.GetBalance(ctx, k.account, f.SettlementDenom).Amount
	f.TokensHeld = k.bankKeeper.GetBalance(ctx, k.account, types.EmissionDenom).Amount
	f.Supply = k.bankKeeper.GetSupply(ctx, types.EmissionDenom).Amount
	return f, nil
}

// AuditEpoch returns the invariants of the money of an epoch whose payment has begun. Before that it returns ErrSummaryNotFound.
func (k *Keeper) AuditEpoch(ctx context.Context, epoch uint64) ([]types.Equation, error) {
	summary, err := k.Summary(ctx, epoch)
	if err != nil {
		return nil, err
	}
	f := types.EpochFigures{Books: summary}
	if f.SettlementDenom, err = k.dackKeeper.SettlementDenom(ctx); err != nil {
		return nil, err
	}
	if f.Phase, err = k.phase(ctx, epoch); err != nil {
		return nil, err
	}
	if f.Debited, err = k.debited(ctx, summary); err != nil {
		return nil, err
	}
	return f.Equations(), nil
}

// phase returns the phase of the payment of an epoch, none if it is not at work.
func (k *Keeper) phase(ctx context.Context, epoch uint64) (types.PayPhase, error) {
	c, err := k.cursors.Get(ctx, epoch)
	if errors.Is(err, collections.ErrNotFound) {
		return types.PAY_PHASE_UNSPECIFIED, nil
	}
	return c.Phase, err
}

// debited returns what x/dack says was debited in an epoch, nil if it keeps that no more. Once an epoch is paid, a total that is
// not there was pruned, even if governance has raised history_epochs since and x/dack holds it to be still to come.
func (k *Keeper) debited(ctx context.Context, s types.EpochSummary) (*math.Int, error) {
	total, err := k.dackKeeper.EpochTotal(ctx, s.Epoch)
	if errors.Is(err, dacktypes.ErrPruned) || s.Done && errors.Is(err, dacktypes.ErrNotSummed) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &total.Revenue.Amount, nil
}
