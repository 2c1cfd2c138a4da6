package ackpool_test

import (
	"context"
	"io"
	"log/slog"
	"math/big"
	"testing"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func open(t *testing.T, fs vfs.FS, opts ackpool.Options) *ackpool.Pool {
	t.Helper()
	opts.FS, opts.Logger = fs, quiet()
	p, err := ackpool.Open("pool", opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// item is an acknowledgement whose value is its bytes, and of an account that is its key divided by 10.
func item(epoch, key uint64, lane uint8, bytes uint64) ackpool.Item {
	return ackpool.Item{
		Signed:    ack.Signed{Ack: ack.Ack{Epoch: epoch, KeyID: key, WorkerID: 1, Lane: lane, Bytes: bytes}},
		AccountID: key / 10,
		Value:     new(big.Int).SetUint64(bytes),
	}
}

func laneOf(it ackpool.Item) ack.LaneID { return it.Signed.LaneID() }

func put(t *testing.T, p *ackpool.Pool, items ...ackpool.Item) {
	t.Helper()
	require.NoError(t, p.Put(context.Background(), items))
}

func newest(t *testing.T, p *ackpool.Pool, it ackpool.Item) ackpool.Entry {
	t.Helper()
	e, ok := p.Newest(it.Signed.LaneID())
	require.True(t, ok)
	return e
}

func submit(t *testing.T, p *ackpool.Pool, hash string, epoch uint64) ackpool.Tx {
	t.Helper()
	tx := ackpool.Tx{Hash: []byte(hash), Epoch: epoch, TimeoutHeight: 100, Bytes: []byte("bytes of " + hash)}
	for _, e := range p.Pending(epoch, 1000) {
		tx.Acks = append(tx.Acks, e.Submit())
	}
	require.NoError(t, p.Submit(tx))
	return tx
}

func paid(total int64) ackpool.Result {
	return ackpool.Result{Outcome: ackpool.OutcomePaid, TotalPaid: big.NewInt(total)}
}

func partial(total int64) ackpool.Result {
	return ackpool.Result{Outcome: ackpool.OutcomePartial, TotalPaid: big.NewInt(total)}
}

func refused(reason string) ackpool.Result {
	return ackpool.Result{Outcome: ackpool.OutcomeRefused, Reason: reason, Code: 4}
}

// sums are value, pending, submitted, settled and refused of a lane.
func sums(e ackpool.Entry) [5]int64 {
	return [5]int64{e.Value.Int64(), e.Pending.Int64(), e.Submitted.Int64(), e.Settled.Int64(), e.Refused.Int64()}
}

// check fails if any sum of the ledger does not add up.
func check(t require.TestingT, p *ackpool.Pool) ackpool.Ledger {
	l := p.Ledger()
	require.NoError(t, l.Total.Check())
	for _, e := range l.Epochs {
		require.NoError(t, e.Check(), "epoch %d", e.Epoch)
	}
	for _, a := range l.Accounts {
		require.NoError(t, a.Check(), "account %d", a.AccountID)
	}
	return l
}

func TestNewerReplacesOlderAndOlderIsNoOp(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{})
	put(t, p, item(5, 10, 0, 100))
	put(t, p, item(5, 10, 0, 300))
	put(t, p, item(5, 10, 0, 200))
	put(t, p, item(5, 10, 0, 300))
	e := newest(t, p, item(5, 10, 0, 0))
	require.Equal(t, [5]int64{300, 300, 0, 0, 0}, sums(e))
	require.Equal(t, uint64(300), e.Signed.Bytes)
	require.Equal(t, 1, p.Len())

	// Several of one lane in one call count as if they came one after the other.
	put(t, p, item(5, 10, 1, 5), item(5, 10, 1, 9), item(5, 10, 1, 7))
	require.Equal(t, uint64(9), newest(t, p, item(5, 10, 1, 0)).Signed.Bytes)
	require.Equal(t, uint64(2), check(t, p).Total.Pending.Lanes)
}

func TestIncomparableKeepsHigherValue(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{})
	first := item(5, 10, 0, 100)
	first.Signed.Requests = 7
	put(t, p, first)
	for name, c := range map[string]struct {
		value int64
		kept  uint64
	}{"lower": {99, 7}, "tie": {100, 7}, "higher": {101, 3}} {
		if name == "higher" {
			continue
		}
		other := item(5, 10, 0, 200)
		other.Signed.Requests, other.Value = 3, big.NewInt(c.value)
		put(t, p, other)
		require.Equal(t, c.kept, newest(t, p, first).Signed.Requests, name)
	}
	other := item(5, 10, 0, 200)
	other.Signed.Requests, other.Value = 3, big.NewInt(101)
	put(t, p, other)
	require.Equal(t, uint64(3), newest(t, p, first).Signed.Requests)
	require.Equal(t, [5]int64{101, 101, 0, 0, 0}, sums(newest(t, p, first)))
}

func TestPutRefusesWholeCall(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{MaxLanes: 2})
	ctx := context.Background()
	put(t, p, item(5, 10, 0, 1))

	require.ErrorIs(t, p.Put(ctx, []ackpool.Item{item(5, 10, 0, 2), item(5, 10, 1, 1), item(5, 10, 2, 1)}), ackpool.ErrFull)
	require.Equal(t, uint64(1), newest(t, p, item(5, 10, 0, 0)).Signed.Bytes, "a refused call stores nothing")
	put(t, p, item(5, 10, 1, 1))
	require.Equal(t, 0, p.Room())
	put(t, p, item(5, 10, 0, 2)) // a lane that is held always has room

	foreign := item(5, 10, 0, 3)
	foreign.AccountID = 2
	require.ErrorIs(t, p.Put(ctx, []ackpool.Item{foreign}), ackpool.ErrForeignAccount)
	for name, bad := range map[string]func(*ackpool.Item){
		"lane":           func(it *ackpool.Item) { it.Signed.Lane = 16 },
		"no account":     func(it *ackpool.Item) { it.AccountID = 0 },
		"no value":       func(it *ackpool.Item) { it.Value = nil },
		"negative value": func(it *ackpool.Item) { it.Value = big.NewInt(-1) },
	} {
		it := item(5, 10, 0, 9)
		bad(&it)
		require.ErrorIs(t, p.Put(ctx, []ackpool.Item{it}), ackpool.ErrInvalid, name)
	}
	require.NoError(t, p.Expire(6))
	require.ErrorIs(t, p.Put(ctx, []ackpool.Item{item(5, 10, 0, 9)}), ackpool.ErrExpired)
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, p.Put(canceled, nil), context.Canceled)
	check(t, p)
}

func TestPendingIsInOrderOfSettlement(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{})
	put(t, p, item(5, 20, 1, 1), item(5, 20, 0, 1), item(5, 10, 3, 1), item(6, 10, 0, 1), item(5, 30, 0, 0))
	withService := item(5, 10, 0, 1)
	withService.Signed.ServiceID = 9
	put(t, p, withService)

	var got [][3]uint64
	for _, e := range p.Pending(5, 10) {
		got = append(got, [3]uint64{e.Signed.KeyID, e.Signed.ServiceID, uint64(e.Signed.Lane)})
	}
	require.Equal(t, [][3]uint64{{10, 0, 3}, {10, 9, 0}, {20, 0, 0}, {20, 0, 1}}, got, "a lane worth nothing is not pending")
	require.Len(t, p.Pending(5, 2), 2)
	require.Equal(t, []uint64{5, 6}, p.PendingEpochs())
	some := p.PendingFunc(5, 1, func(e *ackpool.Entry) bool { return e.AccountID == 2 })
	require.Equal(t, uint64(20), some[0].Signed.KeyID)
	require.Equal(t, 2, p.Lanes(5, 10))
	require.Len(t, p.LaneEntries(5, 10), 2)
	require.Equal(t, uint64(1), check(t, p).Total.Settled.Lanes, "nothing to collect counts as settled")
}

func TestVerdictsApplyToWhatWasSubmitted(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{})
	a := item(5, 10, 0, 100)
	put(t, p, a)
	tx := submit(t, p, "a", 5)
	require.Empty(t, p.Pending(5, 10))
	put(t, p, item(5, 10, 0, 150))
	require.Equal(t, [5]int64{150, 50, 100, 0, 0}, sums(newest(t, p, a)))
	require.Empty(t, p.Pending(5, 10), "one transaction at a time carries a lane")
	check(t, p)

	require.NoError(t, p.Resolve(tx.Hash, 7, []ackpool.Result{paid(100)}))
	require.Equal(t, [5]int64{150, 50, 0, 100, 0}, sums(newest(t, p, a)))
	require.Len(t, p.Pending(5, 10), 1)
	require.NoError(t, p.Resolve(tx.Hash, 7, []ackpool.Result{paid(100)}), "resolving twice changes nothing")
	require.Equal(t, [5]int64{150, 50, 0, 100, 0}, sums(newest(t, p, a)))
	require.Equal(t, int64(7), newest(t, p, a).SettledHeight)
	require.ErrorIs(t, p.Submit(tx), ackpool.ErrResolved)
	require.ErrorIs(t, p.Abandon(tx.Hash, "late"), ackpool.ErrResolved)

	submit(t, p, "b", 5)
	require.NoError(t, p.Resolve([]byte("b"), 8, []ackpool.Result{partial(120)}))
	require.Equal(t, [5]int64{150, 30, 0, 120, 0}, sums(newest(t, p, a)))

	submit(t, p, "c", 5)
	require.NoError(t, p.Resolve([]byte("c"), 9, []ackpool.Result{refused("key-expired")}))
	e := newest(t, p, a)
	require.Equal(t, [5]int64{150, 0, 0, 120, 30}, sums(e))
	require.Equal(t, "key-expired", e.Refusals[0].Reason)
	require.Equal(t, uint32(4), e.Rejection.Code)
	require.Equal(t, int64(9), e.Rejection.Height)

	// A newer one is only pending with the difference, and a payment of the whole makes up for the refusal.
	put(t, p, item(5, 10, 0, 160))
	require.Equal(t, [5]int64{160, 10, 0, 120, 30}, sums(newest(t, p, a)))
	submit(t, p, "d", 5)
	require.NoError(t, p.Resolve([]byte("d"), 10, []ackpool.Result{paid(160)}))
	e = newest(t, p, a)
	require.Equal(t, [5]int64{160, 0, 0, 160, 0}, sums(e))
	require.Equal(t, uint64(150), e.Rejection.Signed.Bytes, "the evidence of the refusal stays")
	require.Equal(t, uint64(1), check(t, p).Total.Settled.Lanes)
}

func TestRefusedSubmissionWithNewerArrived(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{})
	a := item(5, 10, 0, 100)
	put(t, p, a)
	submit(t, p, "a", 5)
	put(t, p, item(5, 10, 0, 150))
	require.NoError(t, p.Resolve([]byte("a"), 7, []ackpool.Result{refused("bad-signature")}))
	e := newest(t, p, a)
	require.Equal(t, [5]int64{150, 50, 0, 0, 100}, sums(e))
	require.Equal(t, uint64(100), e.Rejection.Signed.Bytes)
	l := check(t, p)
	require.Equal(t, int64(100), l.Total.Refused["bad-signature"].Value.Int64())
}

func TestChainPaysLessOrMoreThanTheValue(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{})
	a, b := item(5, 10, 0, 100), item(5, 10, 1, 100)
	put(t, p, a, b)
	submit(t, p, "a", 5)
	require.NoError(t, p.Resolve([]byte("a"), 7, []ackpool.Result{
		{Outcome: ackpool.OutcomeNothingDue, TotalPaid: big.NewInt(90)}, paid(170),
	}))
	require.Equal(t, [5]int64{100, 0, 0, 90, 10}, sums(newest(t, p, a)))
	require.Equal(t, ackpool.ReasonNotDue, newest(t, p, a).Refusals[0].Reason)
	require.Equal(t, [5]int64{170, 0, 0, 170, 0}, sums(newest(t, p, b)), "what was paid was acknowledged")
	check(t, p)
}

func TestAbandonGivesBack(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{})
	a := item(5, 10, 0, 100)
	put(t, p, a)
	tx := submit(t, p, "a", 5)
	require.NoError(t, p.Abandon(tx.Hash, "timeout"))
	require.NoError(t, p.Abandon(tx.Hash, "timeout"))
	require.Equal(t, [5]int64{100, 100, 0, 0, 0}, sums(newest(t, p, a)))
	require.Empty(t, p.InFlight())

	// It can be sent again, and one that was included after all is still applied, to what it carried.
	require.NoError(t, p.Submit(tx))
	require.NoError(t, p.Submit(tx))
	require.Len(t, p.InFlight(), 1)
	require.NoError(t, p.Abandon(tx.Hash, "timeout"))
	put(t, p, item(5, 10, 0, 130))
	submit(t, p, "b", 5)
	require.NoError(t, p.Resolve(tx.Hash, 9, []ackpool.Result{paid(100)}))
	require.Equal(t, [5]int64{130, 0, 30, 100, 0}, sums(newest(t, p, a)))
	require.NoError(t, p.Resolve([]byte("b"), 9, []ackpool.Result{paid(130)}))
	require.Equal(t, [5]int64{130, 0, 0, 130, 0}, sums(newest(t, p, a)))
	check(t, p)
}

func TestSubmitRefuses(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{MaxInFlight: 1})
	a, b := item(5, 10, 0, 100), item(5, 10, 1, 100)
	put(t, p, a, b)
	good := func() ackpool.Tx {
		ea, eb := newest(t, p, a), newest(t, p, b)
		return ackpool.Tx{Hash: []byte("x"), Epoch: 5, Acks: []ackpool.Submitted{ea.Submit(), eb.Submit()}}
	}
	for name, c := range map[string]struct {
		change func(*ackpool.Tx)
		err    error
	}{
		"no hash":      {func(tx *ackpool.Tx) { tx.Hash = nil }, ackpool.ErrInvalid},
		"long hash":    {func(tx *ackpool.Tx) { tx.Hash = make([]byte, 65) }, ackpool.ErrInvalid},
		"nothing":      {func(tx *ackpool.Tx) { tx.Acks = nil }, ackpool.ErrInvalid},
		"too large":    {func(tx *ackpool.Tx) { tx.Bytes = make([]byte, 1<<20+1) }, ackpool.ErrInvalid},
		"other epoch":  {func(tx *ackpool.Tx) { tx.Epoch = 6 }, ackpool.ErrInvalid},
		"order":        {func(tx *ackpool.Tx) { tx.Acks[0], tx.Acks[1] = tx.Acks[1], tx.Acks[0] }, ackpool.ErrInvalid},
		"twice":        {func(tx *ackpool.Tx) { tx.Acks[1] = tx.Acks[0] }, ackpool.ErrInvalid},
		"no value":     {func(tx *ackpool.Tx) { tx.Acks[0].Value = nil }, ackpool.ErrInvalid},
		"more than is": {func(tx *ackpool.Tx) { tx.Acks[0].Value = big.NewInt(101) }, ackpool.ErrInvalid},
		"unknown lane": {func(tx *ackpool.Tx) { tx.Acks[1].Signed.Lane = 9 }, ackpool.ErrUnknownLane},
	} {
		tx := good()
		c.change(&tx)
		require.ErrorIs(t, p.Submit(tx), c.err, name)
	}
	require.Empty(t, p.InFlight())
	tx := good()
	tx.Acks = tx.Acks[:1]
	require.NoError(t, p.Submit(tx))
	other := good()
	other.Hash = []byte("y")
	require.ErrorIs(t, p.Submit(other), ackpool.ErrFull)
	require.ErrorIs(t, p.Resolve([]byte("y"), 1, nil), ackpool.ErrUnknownTx)
	require.ErrorIs(t, p.Abandon(nil, ""), ackpool.ErrUnknownTx)
	require.ErrorIs(t, p.Resolve(tx.Hash, 1, nil), ackpool.ErrInvalid)
	require.ErrorIs(t, p.Resolve(tx.Hash, 0, []ackpool.Result{paid(1)}), ackpool.ErrInvalid)
	for name, r := range map[string]ackpool.Result{
		"no outcome": {}, "no total": {Outcome: ackpool.OutcomePaid}, "no reason": {Outcome: ackpool.OutcomeRefused},
		"negative": {Outcome: ackpool.OutcomePaid, TotalPaid: big.NewInt(-1)},
	} {
		require.ErrorIs(t, p.Resolve(tx.Hash, 1, []ackpool.Result{r}), ackpool.ErrInvalid, name)
	}
	require.NoError(t, p.Expire(6))
	require.ErrorIs(t, p.Submit(other), ackpool.ErrExpired)
}

func TestLaneInFlightIsNotCarriedTwice(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{})
	put(t, p, item(5, 10, 0, 100))
	tx := submit(t, p, "a", 5)
	put(t, p, item(5, 10, 0, 150))
	e := newest(t, p, item(5, 10, 0, 0))
	tx.Hash, tx.Acks = []byte("b"), []ackpool.Submitted{e.Submit()}
	require.ErrorIs(t, p.Submit(tx), ackpool.ErrInFlight)
}

func TestRefuse(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{})
	a := item(5, 10, 0, 100)
	put(t, p, a)
	require.NoError(t, p.Refuse(a.Signed.LaneID(), "unknown-key", big.NewInt(40)))
	require.Equal(t, [5]int64{100, 60, 0, 0, 40}, sums(newest(t, p, a)))
	for i := range 12 { // more reasons than a lane keeps apart
		require.NoError(t, p.Refuse(a.Signed.LaneID(), string(rune('a'+i)), big.NewInt(1)))
	}
	e := newest(t, p, a)
	require.Equal(t, [5]int64{100, 48, 0, 0, 52}, sums(e))
	require.LessOrEqual(t, len(e.Refusals), 8)
	require.NoError(t, p.Refuse(a.Signed.LaneID(), "unknown-key", nil))
	require.Equal(t, [5]int64{100, 0, 0, 0, 100}, sums(newest(t, p, a)))
	require.ErrorIs(t, p.Refuse(laneOf(item(5, 11, 0, 0)), "x", nil), ackpool.ErrUnknownLane)
	require.ErrorIs(t, p.Refuse(a.Signed.LaneID(), "", nil), ackpool.ErrInvalid)
	check(t, p)
}

func TestExpireKeepsTheSums(t *testing.T) {
	fs := vfs.NewMem()
	p := open(t, fs, ackpool.Options{})
	settled, open5, flying, live := item(5, 10, 0, 100), item(5, 10, 1, 30), item(5, 20, 0, 7), item(6, 10, 0, 11)
	put(t, p, settled)
	submit(t, p, "a", 5)
	require.NoError(t, p.Resolve([]byte("a"), 3, []ackpool.Result{paid(100)}))
	put(t, p, flying)
	submit(t, p, "b", 5)
	put(t, p, open5, live)
	changed := p.Changed()

	require.NoError(t, p.Expire(5))
	require.Equal(t, 4, p.Len(), "settled lanes of live epochs stay for clients that lost their state")
	require.NoError(t, p.Expire(6))
	select {
	case <-changed:
	default:
		t.Fatal("an expiry signals")
	}
	require.Equal(t, 2, p.Len(), "what is in flight stays")
	require.NoError(t, p.Resolve([]byte("b"), 4, []ackpool.Result{partial(3)}))
	require.NoError(t, p.Expire(3), "it never goes back")
	require.Equal(t, uint64(6), p.OldestLive())
	require.Equal(t, 1, p.Len())

	for range 2 {
		l := check(t, p)
		require.Equal(t, int64(148), l.Total.Acknowledged.Value.Int64())
		require.Equal(t, int64(103), l.Total.Settled.Value.Int64())
		require.Equal(t, int64(34), l.Total.Refused[ackpool.ReasonExpired].Value.Int64())
		require.Equal(t, uint64(2), l.Total.Refused[ackpool.ReasonExpired].Lanes)
		require.Equal(t, int64(11), l.Total.Pending.Value.Int64())
		require.Len(t, l.Epochs, 1)
		h, err := p.History(5)
		require.NoError(t, err)
		require.NoError(t, h.Check())
		require.Equal(t, int64(137), h.Acknowledged.Value.Int64())
		a, err := p.Account(2)
		require.NoError(t, err)
		require.Equal(t, int64(3), a.Settled.Value.Int64())
		c, err := p.Claim(1)
		require.NoError(t, err)
		require.Equal(t, int64(11), c.Unsettled.Int64())
		require.Equal(t, int64(100), c.Settled.Int64())
		c, err = p.Claim(2)
		require.NoError(t, err)
		require.Equal(t, int64(0), c.Unsettled.Int64())
		require.Equal(t, int64(3), c.Settled.Int64())
		require.ErrorIs(t, p.Abandon([]byte("a"), ""), ackpool.ErrUnknownTx, "transactions of dead epochs are forgotten")
		require.NoError(t, p.Close())
		p = open(t, fs, ackpool.Options{})
	}
}

func TestExpireInChunks(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{})
	var items []ackpool.Item
	for key := range uint64(100) {
		for lane := range uint8(16) {
			items = append(items, item(5, key+10, lane, 2))
		}
	}
	put(t, p, items...)
	require.NoError(t, p.Expire(6))
	require.Zero(t, p.Len())
	l := check(t, p)
	require.Equal(t, uint64(1600), l.Total.Refused[ackpool.ReasonExpired].Lanes)
	require.Equal(t, int64(3200), l.Total.Refused[ackpool.ReasonExpired].Value.Int64())
	require.Empty(t, l.Accounts)
}

func TestClaimCountsRefusedUntilItsEpochDies(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{})
	a := item(5, 10, 0, 100)
	put(t, p, a)
	require.NoError(t, p.Refuse(a.Signed.LaneID(), "x", nil))
	c, err := p.Claim(1)
	require.NoError(t, err)
	require.Equal(t, int64(100), c.Unsettled.Int64())
	require.NoError(t, p.Expire(6))
	c, err = p.Claim(1)
	require.NoError(t, err)
	require.Equal(t, int64(0), c.Unsettled.Int64())
}

func TestReopenKeepsEverything(t *testing.T) {
	fs := vfs.NewMem()
	p := open(t, fs, ackpool.Options{})
	a := item(5, 10, 0, 100)
	put(t, p, a, item(5, 20, 3, 44))
	require.NoError(t, p.Refuse(laneOf(item(5, 20, 3, 0)), "x", big.NewInt(4)))
	tx := submit(t, p, "a", 5)
	put(t, p, item(5, 10, 0, 150))
	want, wantLedger := newest(t, p, a), p.Ledger()
	require.NoError(t, p.Close())
	require.NoError(t, p.Close())
	require.ErrorIs(t, p.Put(context.Background(), nil), ackpool.ErrClosed)

	p = open(t, fs, ackpool.Options{})
	require.Equal(t, want, newest(t, p, a))
	require.Equal(t, wantLedger, p.Ledger())
	require.Equal(t, []ackpool.Tx{tx}, p.InFlight(), "what is in flight is followed further, with its bytes")
}

func TestExposure(t *testing.T) {
	fs := vfs.NewMem()
	p := open(t, fs, ackpool.Options{MaxExposures: 2})
	ctx := context.Background()
	require.NoError(t, p.SetExposure(ctx, 1, 5, 100))
	require.NoError(t, p.SetExposure(ctx, 1, 6, 50))
	require.ErrorIs(t, p.SetExposure(ctx, 2, 6, 1), ackpool.ErrFull)
	require.NoError(t, p.SetExposure(ctx, 1, 6, 20))
	require.NoError(t, p.Close())
	p = open(t, fs, ackpool.Options{MaxExposures: 2})
	require.Equal(t, uint64(100), p.Exposure(1, 5))
	require.Equal(t, uint64(20), p.Exposure(1, 6))
	require.NoError(t, p.SetExposure(ctx, 1, 6, 0))
	require.NoError(t, p.Expire(6))
	require.Empty(t, p.Exposures())
	require.NoError(t, p.SetExposure(ctx, 1, 5, 7), "of a dead epoch nothing counts")
	require.Empty(t, p.Exposures())
}

func TestOtherFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	p, err := ackpool.Open(dir, ackpool.Options{Logger: quiet()})
	require.NoError(t, err)
	_, err = ackpool.Open(dir, ackpool.Options{Logger: quiet()})
	require.Error(t, err, "one process at a time")
	require.NoError(t, p.Close())
	_, err = ackpool.Open(dir, ackpool.Options{Logger: quiet(), MaxLanes: -1})
	require.ErrorIs(t, err, ackpool.ErrInvalid)
}

func TestLanesOfAnAccount(t *testing.T) {
	fs := vfs.NewMem()
	p := open(t, fs, ackpool.Options{MaxLanes: 10})
	put(t, p, item(6, 11, 1, 5), item(5, 12, 0, 7), item(5, 11, 3, 9), item(5, 11, 4, 0), item(5, 21, 0, 1))
	tx := ackpool.Tx{Hash: []byte("tx"), Epoch: 5, Acks: []ackpool.Submitted{{Signed: item(5, 12, 0, 7).Signed, Value: big.NewInt(7)}}}
	require.NoError(t, p.Submit(tx))
	check := func(p *ackpool.Pool) {
		t.Helper()
		var got []uint64
		for _, e := range p.AccountPending(1) {
			got = append(got, e.Signed.Bytes)
		}
		require.Equal(t, []uint64{9, 5}, got, "what is worth nothing or in flight is not pending")
		require.Equal(t, 4, p.AccountLanes(1))
		require.Equal(t, 1, p.AccountLanes(2))
		require.Empty(t, p.AccountPending(3))
		require.Equal(t, 10, p.Capacity())
	}
	check(p)
	require.NoError(t, p.Close())
	p = open(t, fs, ackpool.Options{MaxLanes: 10})
	check(p)
	require.NoError(t, p.Abandon([]byte("tx"), "refused"))
	require.NoError(t, p.Expire(6))
	require.Equal(t, 1, p.AccountLanes(1))
	require.Zero(t, p.AccountLanes(2))
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	p := open(t, vfs.NewMem(), ackpool.Options{MaxLanes: 1, Metrics: registry})
	put(t, p, item(5, 11, 0, 1))
	require.ErrorIs(t, p.Put(context.Background(), []ackpool.Item{item(5, 11, 1, 1)}), ackpool.ErrFull)
	families, err := registry.Gather()
	require.NoError(t, err)
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			got[f.GetName()] += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
		if f.GetName() == "edge_pool_refused_writes_total" {
			require.Len(t, f.GetMetric(), 5, "every reason is there from the start")
		}
	}
	require.Equal(t, 1.0, got["edge_pool_refused_writes_total"])
	require.Equal(t, 1.0, got["edge_pool_capacity_lanes"])
	require.Positive(t, got["edge_pool_sync_seconds"])
}
