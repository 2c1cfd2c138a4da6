package ante_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	protov2 "google.golang.org/protobuf/proto"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"

	"github.com/edgechain/edge/x/dack/ante"
	"github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

var errRefused = errors.New("refused")

// keeperDouble refuses settlements of worker 9, and consumes gas as reads of the store do.
type keeperDouble struct{ calls, reads int }

func (k *keeperDouble) CheckSettle(ctx context.Context, params types.Params, current uint64, msg *types.MsgSettle) (nodetypes.Worker, error) {
	k.calls++
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(1_000, "read")
	if msg.WorkerId == 9 || params.MaxAcks != 7 || current != 5 {
		return nodetypes.Worker{}, errRefused
	}
	return nodetypes.Worker{}, nil
}

func (k *keeperDouble) SettleRules(ctx context.Context) (types.Params, uint64, error) {
	k.reads++
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(1_000, "read")
	return types.Params{MaxAcks: 7}, 5, nil
}

// within wraps messages in a MsgExec of x/authz.
func within(msgs ...sdk.Msg) sdk.Msg {
	exec := authz.NewMsgExec(sdk.AccAddress("grantee"), msgs)
	return &exec
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
		{"within authz", check, tx{within(good, within(bad))}, 2, errRefused},
		{"four", check, tx{good, good, good, good}, 4, nil},
		{"five", check, tx{good, good, good, good, good}, 0, types.ErrTooManySettlements},
		{"five in a block", block, tx{good, good, good, good, other, good}, 0, types.ErrTooManySettlements},
		{"five with authz", recheck, tx{good, within(good, good), within(within(good, good))}, 0, types.ErrTooManySettlements},
		{"hidden deep", check, tx{within(within(within(within(within(good)))))}, 0, types.ErrTooManySettlements},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, reached := &keeperDouble{}, false
			meter := storetypes.NewGasMeter(10)
			_, err := ante.NewSettleDecorator(k).AnteHandle(c.ctx(sdk.Context{}.WithGasMeter(meter)), c.tx, false,
				func(ctx sdk.Context, _ sdk.Tx, _ bool) (sdk.Context, error) { reached = true; return ctx, nil })
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.want == nil, reached)
			require.Equal(t, c.calls, k.calls)
			require.Equal(t, min(c.calls, 1), k.reads, "the rules are read once")
			require.Zero(t, meter.GasConsumed(), "it takes no gas")
		})
	}
}

func check(ctx sdk.Context) sdk.Context   { return ctx.WithIsCheckTx(true) }
func recheck(ctx sdk.Context) sdk.Context { return ctx.WithIsReCheckTx(true) }
func block(ctx sdk.Context) sdk.Context   { return ctx }
