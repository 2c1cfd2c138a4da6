package app

import (
	errorsmod "cosmossdk.io/errors"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
)

// checkTxGas returns sdkerrors.ErrInvalidGasLimit if a transaction wants more gas than one may, or less than any can do with.
func checkTxGas(gas uint64) error {
	if gas < minTxGas {
		return errorsmod.Wrapf(sdkerrors.ErrInvalidGasLimit, "transaction wants %d gas, at least %d", gas, uint64(minTxGas))
	}
	return checkMostTxGas(gas)
}

func checkMostTxGas(gas uint64) error {
	if gas > maxTxGas {
		return errorsmod.Wrapf(sdkerrors.ErrInvalidGasLimit, "transaction wants %d gas, at most %d", gas, uint64(maxTxGas))
	}
	return nil
}

// txGasDecorator refuses a transaction that wants more gas than one may, in simulations too: a block waits for its longest
// transaction, even where transactions run in parallel. It refuses one that wants so little that it can only fail, but for
// simulations, whose sender does not know yet what to want, and for transactions of the genesis, which want nothing. A simulation
// gets as much gas as a transaction may have: the SDK's own meter, set before, has no end.
type txGasDecorator struct{}

// AnteHandle implements sdk.AnteDecorator.
func (txGasDecorator) AnteHandle(ctx sdk.Context, tx sdk.Tx, simulate bool, next sdk.AnteHandler) (sdk.Context, error) {
	feeTx, ok := tx.(sdk.FeeTx)
	if !ok {
		return ctx, errorsmod.Wrap(sdkerrors.ErrTxDecode, errNoGasLimit.Error())
	}
	check := checkTxGas
	if simulate || ctx.BlockHeight() == 0 {
		check = checkMostTxGas
	}
	if err := check(feeTx.GetGas()); err != nil {
		return ctx, err
	}
	if simulate {
		ctx = ctx.WithGasMeter(storetypes.NewGasMeter(maxTxGas))
	}
	return next(ctx, tx, simulate)
}
