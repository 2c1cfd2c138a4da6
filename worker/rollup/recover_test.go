package rollup

import (
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/worker/chain"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// With fees for a small settlement only, small ones are made until the fees are used up.
func TestSettlesWhatTheFeesAllow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for id := uint64(1); id <= 4; id++ {
			w.key(id, 1, 1_000_000)
			for lane := range uint8(16) {
				w.put(1, w.signed(id, lane, 1, 10))
			}
		}
		// 64 lanes cost about 2,200 uedge, 16 about 800 and one 420.
		w.chain.fees = big.NewInt(1_300)
		w.start()
		time.Sleep(2 * time.Minute)
		require.GreaterOrEqual(t, w.settled(), int64(160))
		require.Less(t, w.settled(), int64(640))
		require.ErrorIs(t, w.rollup.Problem(), ErrNoFees)
		w.chain.with(func() { w.chain.fees = big.NewInt(1_000_000) })
		w.eventually("settled", func() bool { return w.settled() == 640 })
		w.end()
	})
}

// What a failure taught is taken back in time, and has a bound.
func TestUnlearn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		time.Sleep(time.Second)
		w.rollup.cancel()
		<-w.rollup.done
		r := w.rollup
		for range 100 {
			r.learn(sdkerrors.ErrOutOfGas, 10)
		}
		require.EqualValues(t, maxOverhead, r.overhead)
		r.learn(sdkerrors.ErrTxTooLarge, 200)
		require.Equal(t, 100, r.maxAcks)
		r.learn(dacktypes.ErrTooManyServices, 40)
		require.Equal(t, 20, r.maxAcks, "of fewer there are fewer services")
		r.maxAcks = 100
		view := chain.View{MaxAcks: 1_000}
		r.unlearn(view)
		require.Equal(t, 100, r.maxAcks, "not at once")
		var limits []int
		for range 20 {
			time.Sleep(unlearnRounds * w.cfg.Interval)
			r.unlearn(view)
			limits = append(limits, r.limit(view))
		}
		require.Equal(t, []int{200, 400, 800, 1_000, 1_000}, limits[:5])
		require.EqualValues(t, baseOverhead, r.overhead)
		w.end()
	})
}
