package types

import (
	"errors"
	"fmt"
	"runtime"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
)

// mathPanics are the texts with which cosmossdk.io/math and the coins of the SDK panic on amounts that they cannot hold.
var mathPanics = map[string]bool{
	"Division by zero":                        true,
	"division-by-zero":                        true,
	"Int overflow":                            true,
	"Int64() out of bound":                    true,
	"Uint64() out of bound":                   true,
	"Uint64() out of bounds":                  true,
	"NewIntFromBigInt() out of bound":         true,
	"NewIntWithDecimal() out of bound":        true,
	"NewIntWithDecimal() decimal is negative": true,
	"dec must be within bounds":               true,
	"negative coin amount":                    true,
}

// PanicError turns what was recovered from a panic into an error that may go into the state, and panics again with what
// may not. It is the one rule for every place that keeps a failing item from halting the chain:
//
//   - A panic that the input alone decides is the same on every machine, and becomes an error: one of the Go runtime (an
//     index, a nil pointer, a division), an overflow of cosmossdk.io/math, a registered error, the end of the gas.
//   - Any other goes on and stops the node. The stores panic with the error of their database when it cannot be read or
//     written: a fault of one machine, which as a state would part it from the others for good.
//
// Only text that is the same on every machine gets into the error: a pointer printed into the state would split the chain.
func PanicError(recovered any) error {
	switch v := recovered.(type) {
	case runtime.Error:
		return errorsmod.Wrap(ErrPanic, v.Error())
	case storetypes.ErrorOutOfGas, storetypes.ErrorGasOverflow, storetypes.ErrorNegativeGasConsumed:
		return errorsmod.Wrap(ErrPanic, fmt.Sprintf("%T", v))
	case string:
		if mathPanics[v] {
			return errorsmod.Wrap(ErrPanic, v)
		}
	case error:
		var registered *errorsmod.Error
		if errors.Is(v, math.ErrIntOverflow) || errors.Is(v, math.ErrDivideByZero) || errors.As(v, &registered) {
			return errorsmod.Wrap(ErrPanic, v.Error())
		}
	}
	panic(recovered)
}
