// Package ante holds the ante decorator of x/dack.
package ante

import (
	"context"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/dack/types"
)

// Keeper is what the decorator needs of x/dack.
type Keeper interface {
	CheckSettle(ctx context.Context, msg *types.MsgSettle) (types.Params, uint64, error)
}

// SettleDecorator keeps settlements out of the mempool that cannot succeed as a whole: too large, out of order, of a dead
// epoch, or not from the worker's account. It verifies no acknowledgement, and it makes no rule: the handler checks the
// same, also for settlements that come by another way.
type SettleDecorator struct {
	keeper Keeper
}

// NewSettleDecorator returns the decorator. It belongs behind the decorators that bound the transaction and its fee.
func NewSettleDecorator(k Keeper) SettleDecorator { return SettleDecorator{keeper: k} }

// AnteHandle checks the settlements of a transaction in CheckTx and ReCheckTx. It takes no gas, so that a transaction
// costs the same in every mode.
func (d SettleDecorator) AnteHandle(ctx sdk.Context, tx sdk.Tx, simulate bool, next sdk.AnteHandler) (sdk.Context, error) {
	if ctx.IsCheckTx() || ctx.IsReCheckTx() {
		free := ctx.WithGasMeter(storetypes.NewInfiniteGasMeter())
		for _, msg := range tx.GetMsgs() {
			settle, ok := msg.(*types.MsgSettle)
			if !ok {
				continue
			}
			if _, _, err := d.keeper.CheckSettle(free, settle); err != nil {
				return ctx, err
			}
		}
	}
	return next(ctx, tx, simulate)
}
