package ante_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	protov2 "google.golang.org/protobuf/proto"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/dack/ante"
	"github.com/edgechain/edge/x/dack/types"
)

var errRefused = errors.New("refused")

// keeperDouble refuses settlements of worker 9, and consumes gas as reads of the store do.
type keeperDouble struct{ calls int }

func (k *keeperDouble) CheckSettle(ctx context.Context, msg *types.MsgSettle) (types.Params, uint64, error) {
	k.calls++
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(1_000, "read")
	if msg.WorkerId == 9 {
		return types.Params{}, 0, errRefused
	}
	return types.Params{}, 1, nil
}

type tx []sdk.Msg

func (t tx) GetMsgs() []sdk.Msg                    { return t }
func (t tx) GetMsgsV2() ([]protov2.Message, error) { return nil, nil }

func TestSettleDecorator(t *testing.T) {
	good, bad, other := &types.MsgSettle{WorkerId: 1}, &types.MsgSettle{WorkerId: 9}, &types.MsgDeposit{}
	for _, c := range []struct {
		name  string
		ctx   func(sdk.Context) sdk.Context
		tx    tx
		calls int
		want  error
	}{
		{"good", check, tx{good}, 1, nil},
		{"bad", check, tx{bad}, 1, errRefused},
		{"bad behind others", check, tx{other, good, bad}, 2, errRefused},
		{"others", check, tx{other}, 0, nil},
		{"recheck", recheck, tx{bad}, 1, errRefused},
		{"in a block the handler checks", block, tx{bad}, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, reached := &keeperDouble{}, false
			meter := storetypes.NewGasMeter(10)
			_, err := ante.NewSettleDecorator(k).AnteHandle(c.ctx(sdk.Context{}.WithGasMeter(meter)), c.tx, false,
				func(ctx sdk.Context, _ sdk.Tx, _ bool) (sdk.Context, error) { reached = true; return ctx, nil })
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.want == nil, reached)
			require.Equal(t, c.calls, k.calls)
			require.Zero(t, meter.GasConsumed(), "it takes no gas")
		})
	}
}

func check(ctx sdk.Context) sdk.Context   { return ctx.WithIsCheckTx(true) }
func recheck(ctx sdk.Context) sdk.Context { return ctx.WithIsReCheckTx(true) }
func block(ctx sdk.Context) sdk.Context   { return ctx }
