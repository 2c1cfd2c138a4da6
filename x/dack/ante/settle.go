// Package ante holds the ante decorator of x/dack.
package ante

import (
	"context"

	errorsmod "cosmossdk.io/errors"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const (
	// MaxSettles bounds the settlements of a transaction. A worker needs one: a settlement holds as much as a transaction
	// can. Each costs the mempool a check of its own before it has paid.
	MaxSettles = 4
	// maxDepth bounds how deep messages may stand within messages: nobody needs more than one level.
	maxDepth = 4
)

// Keeper is what the decorator needs of x/dack.
type Keeper interface {
	SettleRules(ctx context.Context) (types.Params, uint64, error)
	CheckSettle(ctx context.Context, params types.Params, current uint64, msg *types.MsgSettle) (nodetypes.Worker, error)
}

// SettleDecorator keeps settlements out of the mempool that cannot succeed as a whole: too large, out of order, of a dead
// epoch, or not from the worker's account. It verifies no acknowledgement: the handler checks the same, also for
// settlements that come by another way. The one rule of its own, in every mode, is that a transaction carries at most
// MaxSettles settlements, those within x/authz included.
type SettleDecorator struct {
	keeper Keeper
}

// NewSettleDecorator returns the decorator. It belongs behind the decorators that bound the transaction and its fee.
func NewSettleDecorator(k Keeper) SettleDecorator { return SettleDecorator{keeper: k} }

// AnteHandle counts the settlements of a transaction, and checks them in CheckTx and ReCheckTx. It takes no gas, so that a
// transaction costs the same in every mode.
func (d SettleDecorator) AnteHandle(ctx sdk.Context, tx sdk.Tx, simulate bool, next sdk.AnteHandler) (sdk.Context, error) {
	settles, err := collect(nil, tx.GetMsgs(), 0)
	if err != nil {
		return ctx, err
	}
	if ctx.IsCheckTx() || ctx.IsReCheckTx() {
		if err := d.check(ctx.WithGasMeter(storetypes.NewInfiniteGasMeter()), settles); err != nil {
			return ctx, err
		}
	}
	return next(ctx, tx, simulate)
}

// check reads the parameters and the epoch once for all settlements of a transaction.
func (d SettleDecorator) check(ctx sdk.Context, settles []*types.MsgSettle) error {
	if len(settles) == 0 {
		return nil
	}
	params, current, err := d.keeper.SettleRules(ctx)
	if err != nil {
		return err
	}
	for _, msg := range settles {
		if _, err := d.keeper.CheckSettle(ctx, params, current, msg); err != nil {
			return err
		}
	}
	return nil
}

// wrapper is a message that carries messages, such as MsgExec of x/authz.
type wrapper interface {
	GetMessages() ([]sdk.Msg, error)
}

// collect appends the settlements among messages, also those within others. It returns ErrTooManySettlements for more than
// MaxSettles of them, and for messages nested deeper than maxDepth.
func collect(settles []*types.MsgSettle, msgs []sdk.Msg, depth int) ([]*types.MsgSettle, error) {
	for _, msg := range msgs {
		switch msg := msg.(type) {
		case *types.MsgSettle:
			if len(settles) == MaxSettles {
				return nil, errorsmod.Wrapf(types.ErrTooManySettlements, "want at most %d", MaxSettles)
			}
			settles = append(settles, msg)
		case wrapper:
			if depth == maxDepth {
				return nil, errorsmod.Wrapf(types.ErrTooManySettlements, "messages are nested deeper than %d", maxDepth)
			}
			inner, err := msg.GetMessages()
			if err != nil {
				return nil, err
			}
			if settles, err = collect(settles, inner, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return settles, nil
}
