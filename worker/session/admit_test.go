package session_test

import (
	"context"
	"math/big"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/session"
)

func (w *world) asked() int {
	w.chain.mu.Lock()
	defer w.chain.mu.Unlock()
	return w.chain.lookups
}

// Acknowledgements that nobody has signed make few queries, and those of open sessions none.
func TestUnknownKeysAreLookedUpSparingly(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	w.open(11, 0)
	before := w.asked()
	var acks []ack.Signed
	for id := range uint64(62) {
		c := newClient(11, 0, 5)
		c.KeyID, c.Bytes = 1_000+id, mib
		acks = append(acks, c.signed())
	}
	known := newClient(11, 0, 5)
	known.Bytes = mib
	out := w.acknowledge(append(acks, known.signed())...)
	require.Equal(t, before+2, w.asked())
	require.Equal(t, session.ReasonUnknownKey, out[0].Reason)
	require.Equal(t, session.ReasonUnknownKey, out[1].Reason)
	require.Equal(t, session.ReasonUnavailable, out[2].Reason)
	require.True(t, out[62].Accepted())
	known.Bytes += mib
	w.acknowledge(known.signed())
	require.Equal(t, before+2, w.asked(), "the key of an open session is at hand")

	// A key that has signed before is not an unknown one any more.
	var proven []ack.Signed
	for key := uint64(12); key <= 14; key++ {
		c := newClient(key, 0, 5)
		c.Bytes = mib
		require.True(t, w.acknowledge(c.signed())[0].Accepted())
		c.Bytes += mib
		proven = append(proven, c.signed())
	}
	for _, o := range w.acknowledge(proven...) {
		require.True(t, o.Accepted())
	}
}

// A new lane takes room in the pool only if something was served on it, or if its account can pay what it says.
func TestNewLanesTakeRoomForAReason(t *testing.T) {
	w := newWorld(t, func(c *session.Config) { c.MaxHeldLanes = 6 })
	defer w.stop()
	w.chain.update(func(c *fakeChain) { c.accounts[2] = chain.Account{ID: 2, Spendable: new(big.Int)} })
	reason := func(key uint64, lane uint8, bytes uint64) string {
		c := newClient(key, lane, 5)
		c.Bytes = bytes
		return w.acknowledge(c.signed())[0].Reason
	}
	require.Equal(t, session.ReasonNotServed, reason(11, 0, 1), "worth nothing")
	require.Equal(t, session.ReasonNotServed, reason(21, 0, mib), "nothing to pay with")
	require.Zero(t, w.pool.Len())
	for lane := range uint8(3) {
		require.Empty(t, reason(12, lane, mib))
	}
	require.Equal(t, session.ReasonTooManyLanes, reason(12, 3, mib), "half is kept for what was served")
	require.Empty(t, reason(12, 2, 2*mib), "a lane that is held takes no more room")
	for lane := range uint8(3) {
		w.fetch(w.open(11, lane), meta(1, 16<<10))
	}
	_, err := w.open(11, 3).Begin(context.Background(), meta(1, 16<<10))
	require.ErrorIs(t, err, session.ErrOverloaded, "refused before anything is served that could not be acknowledged")
	for lane := range uint8(3) {
		require.Empty(t, reason(11, lane, 1))
	}
	require.Equal(t, session.ReasonTooManyLanes, reason(11, 3, 1))
	require.Equal(t, 6, w.pool.Len())
}

// Who has no session and has proven nothing learns nothing of an account.
func TestOutcomesNameAccountsOnlyAfterProof(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	s, c := w.open(11, 0), newClient(11, 0, 5)
	c.Bytes = 5 * mib
	held := c.signed()
	require.Equal(t, uint64(1), w.acknowledge(held)[0].AccountID)
	require.Equal(t, uint64(1), w.acknowledge(held)[0].AccountID, "the same again is proof enough")
	garbage := held
	garbage.Bytes = mib
	garbage.Signature[5] ^= 1
	require.Equal(t, session.AckOutcome{Status: session.AckSuperseded}, w.acknowledge(garbage)[0])
	same := held
	same.Signature[0] ^= 1
	require.Zero(t, w.acknowledge(same)[0].AccountID)
	garbage.Bytes = 9 * mib
	require.Equal(t, session.AckOutcome{Status: session.AckRefused, Reason: session.ReasonBadSignature}, w.acknowledge(garbage)[0])
	own, err := s.Acknowledge(context.Background(), []ack.Signed{garbage})
	require.NoError(t, err)
	require.Equal(t, uint64(1), own[0].AccountID)
}

// Under a small limit a crash costs no more than two groups.
func TestWatermarkOfASmallLimit(t *testing.T) {
	w := newWorld(t, func(c *session.Config) { c.Base = big.NewInt(1) })
	defer func() { w.stop() }()
	r, err := w.open(11, 0).Begin(context.Background(), meta(1, mib))
	require.NoError(t, err)
	require.NoError(t, r.Reserve(context.Background(), 16<<10))
	w.crash()
	require.LessOrEqual(t, w.credit(1).UnacknowledgedBytes, uint64(3*16<<10))
}

// Crashes cost credit only as far as something was served between them, 1/64 of the limit each and at most 128 MiB, until the
// epoch has died.
func TestCrashesAddUpToLittle(t *testing.T) {
	for base, most := range map[int64]uint64{1024: 16 * mib, 200 << 10: 128 * mib} { // 1 GiB and 200 GiB
		w := newWorld(t, func(c *session.Config) {
			c.Base, c.MaxUnsettled = big.NewInt(base), big.NewInt(base)
		})
		w.chain.accounts[1] = chain.Account{ID: 1, Spendable: big.NewInt(64 * base), Payable: big.NewInt(64 * base)}
		key := w.chain.keys[11]
		key.Left, key.SpendLimit = big.NewInt(64*base), big.NewInt(64*base)
		w.chain.keys[11] = key
		c, got := newClient(11, 0, 5), uint64(0)
		for n := range byte(4) {
			r, err := w.open(11, 0).Begin(context.Background(), meta(n, 2*mib))
			require.NoError(t, err)
			require.NoError(t, r.Reserve(context.Background(), mib))
			got += mib
			w.crash()
			surplus := w.credit(1).UnacknowledgedBytes - got
			require.Positive(t, surplus)
			require.LessOrEqual(t, surplus, uint64(n+1)*most)
			w.crash()
			require.Equal(t, surplus, w.credit(1).UnacknowledgedBytes-got, "nothing was served before the second one")
		}
		c.Bytes = got
		require.True(t, w.acknowledge(c.signed())[0].Accepted())
		require.Equal(t, int64(4), w.credit(1).Claim.Int64()-int64(w.credit(1).UnacknowledgedBytes/mib), "the client owes what it got")
		w.chain.nextEpoch()
		w.chain.nextEpoch()
		require.Zero(t, w.credit(1).UnacknowledgedBytes)
		w.stop()
	}
}

func TestMetrics(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	registry := prometheus.NewRegistry()
	m, err := session.New(w.cfg, session.Deps{Chain: w.chain, Pool: w.pool, Metrics: registry})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Stop(context.Background())) }()
	c := newClient(11, 0, 5)
	c.Bytes = mib
	_, err = m.Acknowledge(context.Background(), []ack.Signed{c.signed(), newClient(99, 0, 5).signed()})
	require.NoError(t, err)
	families, err := registry.Gather()
	require.NoError(t, err)
	got := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var name strings.Builder
			name.WriteString(family.GetName())
			for _, label := range metric.GetLabel() {
				name.WriteString(" " + label.GetValue())
			}
			got[name.String()] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	require.Equal(t, 1.0, got["edge_session_acknowledgements_total stored"])
	require.Equal(t, 1.0, got["edge_session_acknowledgements_total unknown-key"])
	require.Equal(t, 1.0, got["edge_session_key_lookups_total unknown"])
	require.Contains(t, got, "edge_session_open_sessions")
}
