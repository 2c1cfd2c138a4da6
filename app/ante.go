package app

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/auth/ante"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"

	dackante "github.com/edgechain/edge/x/dack/ante"
)

// newAnteHandler returns what every transaction passes before its messages run: the SDK's checks in the SDK's order, from
// cheap to dear, with ours of settlements before any signature is verified.
func newAnteHandler(app *App) (sdk.AnteHandler, error) {
	return sdk.ChainAnteDecorators(
		ante.NewSetUpContextDecorator(), // must come first: it sets the gas meter
		txGasDecorator{},
		ante.NewExtensionOptionsDecorator(nil),
		ante.NewValidateBasicDecorator(),
		ante.NewTxTimeoutHeightDecorator(),
		ante.NewValidateMemoDecorator(app.AccountKeeper),
		ante.NewConsumeGasForTxSizeDecorator(app.AccountKeeper),
		ante.NewDeductFeeDecorator(app.AccountKeeper, virtualFees{app.BankKeeper}, app.FeeGrantKeeper, nil),
		dackante.NewSettleDecorator(app.DackKeeper),
		ante.NewSetPubKeyDecorator(app.AccountKeeper), // must come before all checks of signatures
		ante.NewValidateSigCountDecorator(app.AccountKeeper),
		ante.NewSigGasConsumeDecorator(app.AccountKeeper, ante.DefaultSigVerificationGasConsumer),
		ante.NewSigVerificationDecorator(
			app.AccountKeeper, app.encoding.tx.SignModeHandler(),
			ante.WithUnorderedTxGasCost(ante.DefaultUnorderedTxGasCost),
			ante.WithMaxUnorderedTxTimeoutDuration(unorderedValidity),
		),
		ante.NewIncrementSequenceDecorator(app.AccountKeeper),
	), nil
}

// virtualFees credits fees to their collector at the end of the block. Sent at once, every transaction would write the
// collector's balance, and no two could run in parallel.
type virtualFees struct{ bankkeeper.BaseKeeper }

func (v virtualFees) SendCoinsFromAccountToModule(ctx context.Context, sender sdk.AccAddress, module string, amt sdk.Coins) error {
	return v.SendCoinsFromAccountToModuleVirtual(ctx, sender, module, amt)
}
