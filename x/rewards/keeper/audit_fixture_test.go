package keeper_test

import (
	"context"

	"cosmossdk.io/math"

	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// Totals says that all of the account's money is revenue.
func (d *dack) Totals(ctx context.Context) (dacktypes.Totals, error) {
	t := dacktypes.NewTotals()
	t.OpenRevenue = d.bank.GetBalance(ctx, authtypes.NewModuleAddress(dacktypes.ModuleName), denom).Amount
	return t, nil
}

// EpochTotal adds the records of an epoch up; one whose totals are released is pruned.
func (d *dack) EpochTotal(_ context.Context, epoch uint64) (dacktypes.EpochRevenue, error) {
	if d.released[epoch] {
		return dacktypes.EpochRevenue{}, dacktypes.ErrPruned
	}
	total := dacktypes.EpochRevenue{Epoch: epoch, Summed: true, Revenue: dacktypes.Revenue{Amount: math.ZeroInt()}}
	for _, r := range d.records[epoch] {
		total.Revenue.Amount = total.Revenue.Amount.AddRaw(r.amount)
	}
	return total, nil
}

// OpenRevenue has nothing: all is summed.
func (*dack) OpenRevenue(context.Context, uint64, uint64, uint64, uint32) ([]dacktypes.RevenueRecord, error) {
	return nil, nil
}

func (d *dack) WorkerSums(ctx context.Context, epoch, from uint64, limit uint32) ([]dacktypes.RevenueRecord, error) {
	return d.WorkerTotals(ctx, epoch, from, limit)
}

func (d *dack) ServiceSums(ctx context.Context, epoch, from uint64, limit uint32) ([]dacktypes.RevenueRecord, error) {
	return d.ServiceTotals(ctx, epoch, from, limit)
}
