package types_test

import (
	"errors"
	"fmt"
	stdmath "math"
	"testing"

	"github.com/stretchr/testify/require"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/x/epoch/types"
)

// recovered returns what f panics with.
func recovered(t *testing.T, f func()) (r any) {
	t.Helper()
	defer func() {
		r = recover()
		require.NotNil(t, r)
	}()
	f()
	return nil
}

// What the input alone decides becomes an error with a text that is the same on every machine.
func TestPanicErrorOfTheInput(t *testing.T) {
	largest := math.NewIntWithDecimal(1, 77)
	i, nothing := 3, (*types.Epoch)(nil)
	for name, c := range map[string]struct {
		f    func()
		want string
	}{
		"index":            {func() { _ = []int{1, 2}[i] }, "index out of range [3] with length 2: panic"},
		"nil":              {func() { nothing.Number++ }, "invalid memory address or nil pointer dereference: panic"},
		"type":             {func() { _ = any(i).(string) }, "interface conversion: interface {} is int, not string: panic"},
		"sum overflows":    {func() { largest.Add(largest) }, "overflow: panic"},
		"product overflow": {func() { largest.Mul(largest) }, "overflow: panic"},
		"quotient":         {func() { largest.Quo(math.ZeroInt()) }, "Division by zero: panic"},
		"small integer":    {func() { largest.Int64() }, "Int64() out of bound: panic"},
		"decimal":          {func() { math.LegacyNewDec(stdmath.MaxInt64).Power(9) }, "panic"},
		"coins": {func() {
			sdk.NewCoins(sdk.NewInt64Coin("uusd", 1)).Sub(sdk.NewInt64Coin("uusd", 2))
		}, "negative coin amount: panic"},
		"registered": {func() { panic(errorsmod.Wrap(sdkerrors.ErrUnknownAddress, "module account")) }, "module account: unknown address: panic"},
		"out of gas": {func() { storetypes.NewGasMeter(1).ConsumeGas(2, "x") }, "types.ErrorOutOfGas: panic"},
		"too much gas": {func() {
			m := storetypes.NewInfiniteGasMeter()
			m.ConsumeGas(stdmath.MaxUint64, "x")
			m.ConsumeGas(1, "x")
		}, "types.ErrorGasOverflow: panic"},
	} {
		t.Run(name, func(t *testing.T) {
			err := types.PanicError(recovered(t, c.f))
			require.ErrorIs(t, err, types.ErrPanic)
			require.Contains(t, err.Error(), c.want)
		})
	}
}

// What a machine can meet alone, such as a disk that cannot be read, stops it.
func TestPanicErrorOfTheMachine(t *testing.T) {
	disk := errors.New("input/output error")
	for name, v := range map[string]any{
		"database": disk,
		"wrapped":  fmt.Errorf("could not read node: %w", disk),
		"text":     "version exists in store but could not retrieve corresponding versioned tree",
		"pointer":  new(int),
		"number":   7,
	} {
		t.Run(name, func(t *testing.T) {
			require.PanicsWithValue(t, v, func() { _ = types.PanicError(v) })
		})
	}
}
