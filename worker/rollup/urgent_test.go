package rollup

import (
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/x/auth/signing"
	"github.com/cosmos/cosmos-sdk/x/authz"

	"github.com/edgechain/edge/worker/chain"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// An account, or a key, that can hardly pay is settled before its interval; one that can is not.
func TestSettlesEarlyWhatCanHardlyBePaid(t *testing.T) {
	for name, tc := range map[string]struct {
		payable, left int64
		early         bool
	}{
		"plenty":                 {payable: 1_000_000, left: 1_000_000},
		"twice of what is owed":  {payable: 200, left: 1_000_000, early: true},
		"key at half its limit":  {payable: 1_000_000, left: 200, early: true},
		"just more than that":    {payable: 201, left: 201},
		"nothing can be paid":    {payable: 0, left: 1_000_000},
		"the key has spent all":  {payable: 1_000_000, left: 0},
		"less than what is owed": {payable: 50, left: 1_000_000, early: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.cfg.Interval = 10 * time.Minute
				w.key(1, 1, tc.payable)
				w.chain.with(func() { w.chain.keyLeft[1] = big.NewInt(tc.left) })
				w.start()
				time.Sleep(time.Second)
				w.put(1, w.signed(1, 0, 1, 100))
				time.Sleep(5 * time.Minute)
				require.Equal(t, tc.early, w.settled() > 0)
				w.end()
			})
		})
	}
}

// What does not fit into one settlement waits by value.
func TestMostValuableGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.chain.maxAcks = 2
		w.key(1, 1, 1_000_000)
		w.key(2, 2, 1_000_000)
		w.put(1, w.signed(1, 0, 1, 1), w.signed(1, 1, 1, 300), w.signed(1, 2, 1, 2))
		w.put(2, w.signed(2, 7, 1, 200))
		w.start()
		w.eventually("the first settlement", func() bool { return w.settled() > 0 })
		require.EqualValues(t, 500, w.settled())
		w.eventually("the rest", func() bool { return w.settled() == 503 })
		w.end()
	})
}

// A fee above the share waits for more value, or for the end, and is never more than the value.
func TestFeesAreHeldAgainstValues(t *testing.T) {
	cfg := DefaultConfig()
	cfg.FeeValue, cfg.MaxFeeShare = big.NewRat(1, 10), big.NewRat(1, 5)
	require.NoError(t, cfg.Validate())
	fee := big.NewInt(500)
	require.False(t, cfg.worth(fee, big.NewInt(249), false))
	require.True(t, cfg.worth(fee, big.NewInt(250), false))
	require.False(t, cfg.worth(fee, big.NewInt(49), true))
	require.True(t, cfg.worth(fee, big.NewInt(50), true))
	cfg.FeeValue = nil
	require.True(t, cfg.worth(fee, big.NewInt(1), false))

	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg.FeeValue, w.cfg.MaxFeeShare = big.NewRat(1, 1), big.NewRat(1, 2)
		w.key(1, 1, 1_000_000)
		w.put(1, w.signed(1, 0, 1, 600)) // one settlement costs about 420
		w.start()
		time.Sleep(10 * time.Minute)
		require.Zero(t, w.settled())
		require.Equal(t, "600", w.rollup.Status().Uneconomic)
		require.NoError(t, w.rollup.Problem())
		w.put(1, w.signed(1, 0, 1, 1_000))
		w.eventually("worth it now", func() bool { return w.settled() == 1_000 })
		require.Empty(t, w.rollup.Status().Uneconomic)
		w.put(1, w.signed(1, 0, 1, 1_600))
		time.Sleep(w.chain.epochLen + 40*time.Minute)
		require.EqualValues(t, 1_000, w.settled())
		w.eventually("at the end at the latest", func() bool { return w.settled() == 1_600 })
		w.chain.with(func() { require.EqualValues(t, 2, w.chain.epoch, "in the drain before it dies, and not before") })
		w.end()
	})
}

func TestMaxFee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg.MaxFee = big.NewInt(600)
		for id := uint64(1); id <= 4; id++ {
			w.key(id, 1, 1_000_000)
			w.put(1, w.signed(id, 0, 1, 10), w.signed(id, 1, 1, 10), w.signed(id, 2, 1, 10), w.signed(id, 3, 1, 10))
		}
		w.start()
		w.eventually("settled in parts", func() bool { return w.settled() == 160 })
		var most int64
		w.chain.with(func() {
			require.Greater(t, w.chain.settlements, 1)
			for _, txs := range w.chain.blocks {
				for _, raw := range txs {
					tx, err := w.chain.enc.TxConfig.TxDecoder()(raw)
					require.NoError(t, err)
					most = max(most, tx.(signing.Tx).GetFee().AmountOf("uedge").Int64())
				}
			}
		})
		require.LessOrEqual(t, most, int64(600))
		w.end()
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg.MaxFee = big.NewInt(100)
		w.key(1, 1, 1_000_000)
		w.put(1, w.signed(1, 0, 1, 10))
		w.start()
		time.Sleep(time.Minute)
		require.ErrorIs(t, w.rollup.Problem(), ErrFeeCap)
		require.Zero(t, w.settled())
		w.end()
	})
}

// What is about to die and cannot be settled is told, with the reason.
func TestEndangered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		w.put(1, w.signed(1, 0, 1, 10))
		w.cfg.Alarm = 10 * time.Minute
		fees := w.chain.fees
		w.chain.fees = new(big.Int)
		w.start()
		time.Sleep(w.chain.epochLen + 10*time.Minute)
		require.NoError(t, w.rollup.Endangered(), "there is time")
		time.Sleep(w.chain.epochLen - 15*time.Minute) // 5 before the end
		require.ErrorIs(t, w.rollup.Endangered(), ErrEndangered)
		require.ErrorIs(t, w.rollup.Endangered(), ErrNoFees)
		require.Equal(t, "10", w.rollup.Status().Endangered)
		w.chain.with(func() { w.chain.fees = fees })
		w.eventually("settled", func() bool { return w.settled() == 10 })
		time.Sleep(2 * w.cfg.Interval)
		require.NoError(t, w.rollup.Endangered())
		require.Empty(t, w.rollup.Status().Endangered)
		w.end()
	})
}

// A key that acts by grants wraps what it settles, names who pays, and says which grant is missing.
func TestSignsByGrants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		raw := make([]byte, 20)
		cold, err := w.chain.enc.Addresses.BytesToString(raw)
		require.NoError(t, err)
		s, err := w.signer.Delegate(cold, cold)
		require.NoError(t, err)
		require.Equal(t, []string{cold, w.signer.Address(), cold}, []string{s.Address(), s.Key(), s.FeePayer()})
		_, err = w.signer.Delegate("cosmos1x", "")
		require.Error(t, err)
		_, err = w.signer.Delegate("", "edge1x")
		require.Error(t, err)
		own, err := w.signer.Delegate(w.signer.Address(), w.signer.Address())
		require.NoError(t, err)
		require.Equal(t, own.Key(), own.Address())

		encoded, err := s.Sign(t.Context(), &dacktypes.MsgSettle{Account: cold, WorkerId: 1, Epoch: 2}, Envelope{ChainID: testChainID, GasLimit: 400, Sequence: 3, TimeoutHeight: 9})
		require.NoError(t, err)
		decoded, err := w.chain.enc.TxConfig.TxDecoder()(encoded)
		require.NoError(t, err)
		require.Equal(t, raw, decoded.(signing.Tx).FeeGranter())
		exec := decoded.GetMsgs()[0].(*authz.MsgExec)
		require.Equal(t, s.Key(), exec.Grantee)
		inner, err := exec.GetMessages()
		require.NoError(t, err)
		require.Equal(t, cold, inner[0].(*dacktypes.MsgSettle).Account)

		w.start()
		w.rollup.cancel()
		<-w.rollup.done
		r := w.rollup
		r.deps.Signer, r.cfg.FeeGranted = s, true
		now := time.Now()
		view := chain.View{Time: now, Grants: &chain.Grants{Messages: map[string]time.Time{}}}
		require.ErrorContains(t, r.checkGrants(view), "has not granted")
		view.Grants.Messages[settleURL] = now.Add(-time.Second)
		require.ErrorContains(t, r.checkGrants(view), "ended at")
		view.Grants.Messages[settleURL] = now.Add(time.Hour)
		require.ErrorContains(t, r.checkGrants(view), "nothing pays the fees")
		view.Grants.Fees = &chain.FeeGrant{Until: now.Add(-time.Second)}
		require.ErrorIs(t, r.checkGrants(view), ErrNoGrant)
		view.Grants.Fees.Until = now.Add(time.Minute)
		require.NoError(t, r.checkGrants(view))
		until, ends := grantsUntil(view)
		require.True(t, ends)
		require.Equal(t, now.Add(time.Minute), until)
		w.end()
	})
}
