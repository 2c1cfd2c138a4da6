package session_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/session"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const chainID = "edge-test-1"

// fakeChain is a chain that tests write to.
type fakeChain struct {
	mu       sync.Mutex
	view     chain.View
	stale    error
	keyErr   error
	keys     map[uint64]chain.Key
	accounts map[uint64]chain.Account
	changed  chan struct{}
	lookups  int
}

func newChain() *fakeChain {
	return &fakeChain{
		view: chain.View{
			ChainID: chainID, Height: 10, Epoch: 5, OldestLive: 4,
			Worker: nodetypes.Worker{Id: 1, Status: nodetypes.WORKER_STATUS_ACTIVE},
			Prices: map[uint64]ack.Prices{4: prices(), 5: prices()},
		},
		keys: map[uint64]chain.Key{}, accounts: map[uint64]chain.Account{}, changed: make(chan struct{}),
	}
}

// prices of 1 unit a MiB.
func prices() ack.Prices { return ack.Prices{PerGiB: big.NewInt(1024), PerGFuel: big.NewInt(1)} }

const mib = 1 << 20

func (c *fakeChain) View() (chain.View, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.view, c.view.Epoch > 0
}

func (c *fakeChain) Stale() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stale
}

func (c *fakeChain) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *fakeChain) Key(_ context.Context, id uint64) (chain.Key, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lookups++
	if c.keyErr != nil {
		return chain.Key{}, c.keyErr
	}
	k, ok := c.keys[id]
	if !ok {
		return k, chain.ErrUnknownKey
	}
	return k, nil
}

func (c *fakeChain) Account(_ context.Context, id uint64) (chain.Account, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.accounts[id]
	if !ok {
		return a, chain.ErrUnknownAccount
	}
	return a, nil
}

// update changes the chain and wakes who waits for it.
func (c *fakeChain) update(f func(*fakeChain)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c)
	close(c.changed)
	c.changed = make(chan struct{})
}

// nextEpoch opens the next epoch.
func (c *fakeChain) nextEpoch() {
	c.update(func(c *fakeChain) {
		c.view.Epoch++
		c.view.OldestLive = c.view.Epoch - 1
		c.view.Prices = map[uint64]ack.Prices{c.view.Epoch - 1: prices(), c.view.Epoch: prices()}
	})
}

func secret(keyID uint64) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(keyID)}, ed25519.SeedSize))
}

// world is a worker's session manager with a pool that outlives it.
type world struct {
	t     *testing.T
	cfg   session.Config
	fs    *vfs.MemFS
	chain *fakeChain
	pool  *ackpool.Pool
	m     *session.Manager
	txs   int
}

// newWorld has accounts 1 and 2 with 1,000,000 spendable and keys 11..14 and 21..24. The base credit is 16 MiB.
func newWorld(t *testing.T, change func(*session.Config)) *world {
	w := &world{t: t, cfg: session.DefaultConfig(), fs: vfs.NewStrictMem(), chain: newChain()}
	w.cfg.Base = big.NewInt(16)
	if change != nil {
		change(&w.cfg)
	}
	for account := uint64(1); account <= 2; account++ {
		w.chain.accounts[account] = chain.Account{ID: account, Spendable: big.NewInt(1_000_000), Payable: big.NewInt(1_000_000)}
		for key := account*10 + 1; key <= account*10+4; key++ {
			w.chain.keys[key] = chain.Key{
				ID: key, AccountID: account, PublicKey: secret(key).Public().(ed25519.PublicKey),
				SpendLimit: big.NewInt(1_000_000), Left: big.NewInt(1_000_000), LastEpoch: 100,
			}
		}
	}
	w.start()
	return w
}

func (w *world) start() {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	w.pool, err = ackpool.Open("pool", ackpool.Options{FS: w.fs, Logger: log})
	require.NoError(w.t, err)
	w.m, err = session.New(w.cfg, session.Deps{Chain: w.chain, Pool: w.pool, Logger: log})
	require.NoError(w.t, err)
}

func (w *world) stop() {
	require.NoError(w.t, w.m.Stop(context.Background()))
	require.NoError(w.t, w.pool.Close())
}

func (w *world) restart() {
	w.stop()
	w.start()
}

// crash loses what is not on disk, without Stop.
func (w *world) crash() {
	w.fs.SetIgnoreSyncs(true)
	_ = w.m.Stop(context.Background()) // ends its goroutines; nothing it writes stays
	require.NoError(w.t, w.pool.Close())
	w.fs.ResetToSyncedState()
	w.fs.SetIgnoreSyncs(false)
	w.start()
}

func (w *world) request(keyID uint64, lane uint8) session.OpenRequest {
	challenge, _, err := w.m.Challenge()
	require.NoError(w.t, err)
	message := ack.AppendSessionSignBytes(nil, ack.HashChainID(chainID), 1, keyID, lane, challenge)
	return session.OpenRequest{KeyID: keyID, Lane: lane, Challenge: challenge, Signature: ed25519.Sign(secret(keyID), message)}
}

func (w *world) open(keyID uint64, lane uint8) *session.Session {
	w.t.Helper()
	s, err := w.m.Open(context.Background(), w.request(keyID, lane))
	require.NoError(w.t, err)
	return s
}

// client signs what it has received on one lane.
type client struct {
	ack.Ack
}

func newClient(keyID uint64, lane uint8, epoch uint64) *client {
	return &client{ack.Ack{Epoch: epoch, KeyID: keyID, WorkerID: 1, Lane: lane}}
}

func meta(n byte, size uint64) session.Meta {
	return session.Meta{RequestDigest: ack.Digest{n}, ResponseDigest: ack.Digest{n, n}, Bytes: size}
}

// finish counts a request as finished, receive its bytes only.
func (c *client) finish(m session.Meta) {
	c.Bytes += m.Bytes
	c.Requests++
	c.Head = ack.NextHead(c.Head, ack.Receipt(m.RequestDigest, m.ResponseDigest, m.Bytes, 0))
}

func (c *client) signed() ack.Signed {
	return ack.Sign(secret(c.KeyID), ack.HashChainID(chainID), &c.Ack)
}

// fetch serves a whole request.
func (w *world) fetch(s *session.Session, m session.Meta) {
	w.t.Helper()
	r, err := s.Begin(context.Background(), m)
	require.NoError(w.t, err)
	require.NoError(w.t, r.Reserve(context.Background(), m.Bytes))
	r.Finish()
}

func (w *world) acknowledge(acks ...ack.Signed) []session.AckOutcome {
	w.t.Helper()
	out, err := w.m.Acknowledge(context.Background(), acks)
	require.NoError(w.t, err)
	return out
}

// settle pays everything that is pending.
func (w *world) settle() {
	w.t.Helper()
	for _, epoch := range w.pool.PendingEpochs() {
		w.txs++
		tx := ackpool.Tx{Hash: fmt.Appendf(nil, "tx-%d", w.txs), Epoch: epoch}
		var results []ackpool.Result
		for _, e := range w.pool.Pending(epoch, 1000) {
			tx.Acks = append(tx.Acks, e.Submit())
			results = append(results, ackpool.Result{Outcome: ackpool.OutcomePaid, TotalPaid: e.Value})
		}
		require.NoError(w.t, w.pool.Submit(tx))
		require.NoError(w.t, w.pool.Resolve(tx.Hash, 11, results))
	}
}

func (w *world) credit(account uint64) session.Credit {
	w.t.Helper()
	c, err := w.m.Credit(context.Background(), account)
	require.NoError(w.t, err)
	return c
}

func TestOpen(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	ctx := context.Background()

	s := w.open(11, 3)
	info, err := s.Info()
	require.NoError(t, err)
	require.Equal(t, uint64(11), info.KeyID)
	require.Equal(t, uint64(1), info.AccountID)
	require.Equal(t, uint8(3), info.Lane)
	require.Equal(t, uint64(5), info.Epoch)
	require.Equal(t, uint64(1), info.NextSequence)
	require.Equal(t, int64(16), info.Credit.Limit.Int64())
	require.Equal(t, int64(0), info.Credit.Claim.Int64())
	require.Empty(t, info.Acknowledgements)
	got, err := w.m.Lookup(s.Token())
	require.NoError(t, err)
	require.Same(t, s, got)

	for name, c := range map[string]struct {
		change func(*session.OpenRequest)
		err    error
	}{
		"lane":              {func(r *session.OpenRequest) { r.Lane = 16 }, session.ErrInvalid},
		"other lane":        {func(r *session.OpenRequest) { r.Lane = 4 }, session.ErrBadProof},
		"no key":            {func(r *session.OpenRequest) { r.KeyID = 0 }, session.ErrInvalid},
		"unknown key":       {func(r *session.OpenRequest) { r.KeyID = 99 }, session.ErrBadProof},
		"other key":         {func(r *session.OpenRequest) { r.KeyID = 12 }, session.ErrBadProof},
		"service":           {func(r *session.OpenRequest) { r.ServiceID = 1 }, session.ErrInvalid},
		"foreign challenge": {func(r *session.OpenRequest) { r.Challenge[20] ^= 1 }, session.ErrBadProof},
		"longer challenge":  {func(r *session.OpenRequest) { r.Challenge[0]++ }, session.ErrBadProof},
		"signature":         {func(r *session.OpenRequest) { r.Signature[0] ^= 1 }, session.ErrBadProof},
		"short signature":   {func(r *session.OpenRequest) { r.Signature = r.Signature[:10] }, session.ErrBadProof},
	} {
		r := w.request(11, 3)
		c.change(&r)
		_, err := w.m.Open(ctx, r)
		require.ErrorIs(t, err, c.err, name)
	}
	require.Equal(t, 1, w.m.Sessions())

	r := w.request(11, 3)
	again, err := w.m.Open(ctx, r)
	require.NoError(t, err)
	_, err = w.m.Open(ctx, r)
	require.ErrorIs(t, err, session.ErrBadProof, "a challenge opens one session")
	_, err = w.m.Lookup(s.Token())
	require.ErrorIs(t, err, session.ErrSessionUnknown, "opening ends the lane's session before it")
	_, err = s.Begin(ctx, meta(1, 1))
	require.ErrorIs(t, err, session.ErrSessionUnknown)
	_, err = w.m.Lookup(again.Token())
	require.NoError(t, err)
	require.Equal(t, 1, w.m.Sessions())

	w.restart()
	r.Challenge, _, _ = w.m.Challenge()
	_, err = w.m.Lookup(again.Token())
	require.ErrorIs(t, err, session.ErrSessionUnknown)
	_, err = w.m.Open(ctx, r)
	require.ErrorIs(t, err, session.ErrBadProof, "a challenge of another process opens nothing")
}

func TestOpenNeedsChainKeyAndMoney(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	ctx := context.Background()
	s := w.open(11, 0)
	try := func(err error) {
		t.Helper()
		_, got := w.m.Open(ctx, w.request(11, 0))
		require.ErrorIs(t, got, err)
		_, got = s.Begin(ctx, meta(1, 1))
		require.ErrorIs(t, got, err)
	}
	good := newChain()
	w.chain.update(func(c *fakeChain) { c.stale = errors.New("node is down") })
	try(session.ErrChainStale)
	w.chain.update(func(c *fakeChain) { c.stale, c.view.Worker.Status = nil, nodetypes.WORKER_STATUS_RETIRING })
	try(session.ErrNotServing)
	w.chain.update(func(c *fakeChain) { c.view = good.view; c.keyErr = chain.ErrBusy })
	try(session.ErrOverloaded)
	w.chain.update(func(c *fakeChain) { c.keyErr = errors.New("timeout") })
	try(session.ErrChainStale)
	w.chain.update(func(c *fakeChain) {
		c.keyErr = nil
		k := c.keys[11]
		k.LastEpoch = 4
		c.keys[11] = k
	})
	try(session.ErrBadProof)
	w.chain.update(func(c *fakeChain) {
		k := c.keys[11]
		k.LastEpoch, k.Left = 5, new(big.Int)
		c.keys[11] = k
	})
	_, err := s.Begin(ctx, meta(1, 1))
	require.ErrorIs(t, err, session.ErrAccountEmpty)
	w.chain.update(func(c *fakeChain) { c.accounts[1] = chain.Account{ID: 1, Spendable: new(big.Int)} })
	_, err = w.m.Open(ctx, w.request(11, 0))
	require.ErrorIs(t, err, session.ErrAccountEmpty)
	delete(w.chain.accounts, 1)
	_, err = w.m.Open(ctx, w.request(11, 0))
	require.ErrorIs(t, err, session.ErrAccountEmpty)
}

func TestBounds(t *testing.T) {
	w := newWorld(t, func(c *session.Config) {
		c.MaxSessions, c.MaxAccounts, c.MaxChallenges, c.MaxReceipts, c.MaxAcks = 2, 1, 4, 2, 2
	})
	defer w.stop()
	ctx := context.Background()
	s := w.open(11, 0)
	var running []*session.Request
	for _, one := range []*session.Session{s, w.open(11, 1)} {
		r, err := one.Begin(ctx, meta(9, 1))
		require.NoError(t, err)
		running = append(running, r)
	}
	_, err := w.m.Open(ctx, w.request(11, 2))
	require.ErrorIs(t, err, session.ErrOverloaded, "sessions")
	for _, r := range running {
		r.Abort()
	}
	_, err = w.m.Open(ctx, w.request(21, 0))
	require.ErrorIs(t, err, session.ErrOverloaded, "accounts")
	_, err = w.m.Open(ctx, w.request(11, 0))
	require.ErrorIs(t, err, session.ErrOverloaded, "challenges")
	w.fetch(s, meta(1, 0))
	w.fetch(s, meta(2, 0))
	_, err = s.Begin(ctx, meta(3, 0))
	require.ErrorIs(t, err, session.ErrCreditExhausted, "receipts")
	_, err = w.m.Acknowledge(ctx, make([]ack.Signed, 3))
	require.ErrorIs(t, err, session.ErrInvalid, "acknowledgements")
	require.Error(t, (&session.Config{}).Validate())
}

func TestLanesOfAnAccountAreBounded(t *testing.T) {
	w := newWorld(t, func(c *session.Config) { c.MaxLanes = 1 })
	defer w.stop()
	w.open(11, 0)
	_, err := w.m.Open(context.Background(), w.request(11, 1))
	require.ErrorIs(t, err, session.ErrOverloaded)
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *session.Config) { c.MaxSessions, c.MaxChallenges = 2, 2 })
		defer w.stop()
		ctx := context.Background()
		late := w.request(11, 0)
		time.Sleep(w.cfg.ChallengeTTL)
		_, err := w.m.Open(ctx, late)
		require.ErrorIs(t, err, session.ErrBadProof)

		idle, busy := w.open(11, 0), w.open(11, 1)
		r, err := busy.Begin(ctx, meta(1, mib))
		require.NoError(t, err)
		time.Sleep(w.cfg.IdleTimeout - time.Second)
		_, err = w.m.Lookup(idle.Token())
		require.NoError(t, err, "use keeps a session open")
		time.Sleep(w.cfg.IdleTimeout)
		_, err = w.m.Lookup(busy.Token())
		require.NoError(t, err, "a session with a request is not idle")
		_, err = w.m.Lookup(idle.Token())
		require.ErrorIs(t, err, session.ErrSessionUnknown)
		idle = w.open(11, 2) // the used challenges have expired and make room
		r.Abort()
		time.Sleep(w.cfg.IdleTimeout)
		w.open(11, 3) // idle sessions make room
		require.Equal(t, 1, w.m.Sessions())
		_, err = idle.Begin(ctx, meta(1, 1))
		require.ErrorIs(t, err, session.ErrSessionUnknown)
	})
}

func TestCreditAndSettlement(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	ctx := context.Background()
	s := w.open(11, 0)
	c := newClient(11, 0, 5)
	w.fetch(s, meta(1, 10*mib))
	require.Equal(t, session.Credit{Limit: big.NewInt(16), Claim: big.NewInt(10), UnacknowledgedBytes: 10 * mib}, w.credit(1))
	c.finish(meta(1, 10*mib))
	out := w.acknowledge(c.signed())
	require.Equal(t, []session.AckOutcome{{Status: session.AckStored, AccountID: 1}}, out)
	require.Equal(t, session.Credit{Limit: big.NewInt(16), Claim: big.NewInt(10)}, w.credit(1), "acknowledged is still claimed")
	require.Equal(t, uint64(1), <-w.m.SettleHint(), "at half of the limit a settlement is asked for")

	w.fetch(s, meta(2, 6*mib))
	_, err := s.Begin(ctx, meta(3, 1))
	var credit *session.CreditError
	require.ErrorAs(t, err, &credit)
	require.ErrorIs(t, err, session.ErrCreditExhausted)
	require.Equal(t, int64(16), credit.Credit.Claim.Int64())
	require.Equal(t, w.cfg.RetryAfter, credit.RetryAfter)
	_, err = w.open(12, 7).Begin(ctx, meta(3, 1))
	require.ErrorIs(t, err, session.ErrCreditExhausted, "all keys of the account share it")
	w.fetch(w.open(21, 0), meta(3, mib))

	w.settle()
	require.Equal(t, session.Credit{Limit: big.NewInt(17), Claim: big.NewInt(6), UnacknowledgedBytes: 6 * mib}, w.credit(1),
		"a settlement lowers the claim and raises the limit")
	w.fetch(s, meta(3, mib))

	w.chain.update(func(c *fakeChain) { c.accounts[1] = chain.Account{ID: 1, Spendable: big.NewInt(64 * 8)} })
	w.open(13, 0) // looks at the balance anew
	require.Equal(t, int64(8), w.credit(1).Limit.Int64(), "a 64th of what is spendable")
	w.chain.update(func(c *fakeChain) { c.accounts[1] = chain.Account{ID: 1, Spendable: big.NewInt(63)} })
	_, err = w.open(13, 0).Begin(ctx, meta(3, 1))
	require.ErrorIs(t, err, session.ErrAccountEmpty)
}

func TestHintIsRepeatedAfterASettlementThatWasNotEnough(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	s, c := w.open(11, 0), newClient(11, 0, 5)
	hints := func() (n int) {
		for {
			select {
			case <-w.m.SettleHint():
				n++
			default:
				return n
			}
		}
	}
	w.fetch(s, meta(1, 7*mib))
	c.finish(meta(1, 7*mib))
	w.acknowledge(c.signed())
	require.Zero(t, hints())
	w.fetch(s, meta(2, 8*mib))
	require.Equal(t, 1, hints())
	w.settle()
	c.Bytes += mib
	w.acknowledge(c.signed())
	require.Equal(t, 1, hints(), "8 of 16 is half")
	c.Bytes += mib
	w.acknowledge(c.signed())
	require.Zero(t, hints())
}

func TestOverAcknowledgingIsTheClientsMoney(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	s, c := w.open(11, 0), newClient(11, 0, 5)
	w.fetch(s, meta(1, mib))
	c.Bytes = 5 * mib
	require.True(t, w.acknowledge(c.signed())[0].Accepted())
	require.Equal(t, session.Credit{Limit: big.NewInt(16), Claim: big.NewInt(5)}, w.credit(1))
	w.fetch(s, meta(2, mib))
	require.Equal(t, uint64(mib), w.credit(1).UnacknowledgedBytes, "what was too much is no credit for later")
}

func TestReserveWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.stop()
		ctx := context.Background()
		s, c := w.open(11, 0), newClient(11, 0, 5)
		other := w.open(12, 0)
		r, err := s.Begin(ctx, meta(1, 100*mib))
		require.NoError(t, err)
		r2, err := other.Begin(ctx, meta(2, 100*mib))
		require.NoError(t, err)
		require.NoError(t, r.Reserve(ctx, 16*mib))

		start := time.Now()
		require.ErrorIs(t, r.Reserve(ctx, 1), session.ErrStalled)
		require.Equal(t, w.cfg.StallTimeout, time.Since(start))
		canceled, cancel := context.WithCancel(ctx)
		done := make(chan error)
		go func() { done <- r.Reserve(canceled, 1) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)

		// Two wait; an acknowledgement of 3 MiB serves them in their order and the settlement of it the third.
		var order []int
		var mu sync.Mutex
		var wg sync.WaitGroup
		reserve := func(i int, r *session.Request, n uint64) {
			wg.Go(func() {
				if err := r.Reserve(ctx, n); err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
			})
			synctest.Wait()
		}
		reserve(1, r2, 3*mib)
		reserve(2, r, mib)
		c.Bytes = 3 * mib
		w.acknowledge(c.signed())
		synctest.Wait()
		require.Empty(t, order, "acknowledged is still claimed")
		w.settle()
		synctest.Wait()
		require.Equal(t, []int{1}, order, "the first in the queue is served first, though the second would fit too")
		c.Bytes += mib
		w.acknowledge(c.signed())
		w.settle()
		synctest.Wait()
		require.Equal(t, []int{1, 2}, order)

		// A deposit of the account makes room too.
		w.chain.update(func(c *fakeChain) { c.accounts[1] = chain.Account{ID: 1, Spendable: big.NewInt(10)} })
		time.Sleep(w.cfg.AccountTTL)
		reserve(3, r, 1)
		w.chain.update(func(c *fakeChain) { c.accounts[1] = chain.Account{ID: 1, Spendable: big.NewInt(1_000_000)} })
		time.Sleep(w.cfg.AccountTTL)
		c.Bytes += mib
		w.acknowledge(c.signed())
		w.settle()
		wg.Wait()
		require.Equal(t, []int{1, 2, 3}, order)
		require.ErrorIs(t, r.Reserve(ctx, 1<<51), session.ErrInvalid)

		// The end of the session ends the wait, and so does Stop.
		go func() { done <- r.Reserve(ctx, 16*mib) }()
		synctest.Wait()
		w.open(11, 0)
		require.ErrorIs(t, <-done, session.ErrSessionUnknown)
		go func() { done <- r2.Reserve(ctx, 16*mib) }()
		synctest.Wait()
		require.NoError(t, w.m.Stop(ctx))
		require.Error(t, <-done)
		require.ErrorIs(t, r2.Reserve(ctx, 1), session.ErrStopped)
	})
}

func TestManyWaitersLeaveNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.stop()
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		c := newClient(11, 0, 5)
		served := make(chan struct{}, 64)
		var requests []*session.Request
		for lane := range uint8(16) {
			s := w.open(11, lane)
			for range 4 {
				r, err := s.Begin(ctx, meta(1, mib))
				require.NoError(t, err)
				requests = append(requests, r)
			}
		}
		for _, r := range requests {
			wg.Go(func() {
				switch err := r.Reserve(ctx, mib); {
				case err == nil:
					served <- struct{}{}
					r.Finish()
				case errors.Is(err, context.Canceled):
					r.Abort()
				default:
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		require.Len(t, served, 16)
		for range 8 {
			c.Bytes += 2 * mib
			w.acknowledge(c.signed())
			w.settle()
			synctest.Wait()
		}
		require.GreaterOrEqual(t, len(served), 32)
		cancel()
		wg.Wait()
	})
}

func TestReleaseGivesBack(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	r, err := w.open(11, 0).Begin(context.Background(), meta(1, 16*mib))
	require.NoError(t, err)
	require.NoError(t, r.Reserve(context.Background(), 16*mib))
	r.Release(6 * mib)
	require.Equal(t, uint64(10*mib), w.credit(1).UnacknowledgedBytes)
	r.Abort()
	r.Release(6 * mib)
	r.Finish()
	require.Equal(t, uint64(10*mib), w.credit(1).UnacknowledgedBytes)
}

func TestEpochChange(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	ctx := context.Background()
	s, c := w.open(11, 0), newClient(11, 0, 5)
	w.fetch(s, meta(1, 2*mib))
	running, err := s.Begin(ctx, meta(2, 4*mib))
	require.NoError(t, err)
	require.Equal(t, uint64(5), running.Epoch())
	require.NoError(t, running.Reserve(ctx, 2*mib))
	w.chain.nextEpoch()
	require.NoError(t, running.Reserve(ctx, 2*mib))
	running.Finish()
	require.Equal(t, uint64(6*mib), w.credit(1).UnacknowledgedBytes)

	// The last one of the old epoch travels in front of the first one of the new.
	c.finish(meta(1, 2*mib))
	c.Bytes += mib
	next := newClient(11, 0, 6)
	next.Bytes = 3 * mib
	next.Requests, next.Head = 1, ack.NextHead(ack.Ack{}.Head, ack.Receipt(ack.Digest{2}, ack.Digest{2, 2}, 4*mib, 0))
	out := w.acknowledge(c.signed(), next.signed())
	for _, o := range out {
		require.Equal(t, session.AckOutcome{Status: session.AckStored, AccountID: 1}, o)
	}
	require.Equal(t, uint64(0), w.credit(1).UnacknowledgedBytes)
	info, err := w.open(11, 0).Info()
	require.NoError(t, err)
	require.Equal(t, []ack.Signed{c.signed(), next.signed()}, info.Acknowledgements, "oldest first")
}

func TestUnacknowledgedBytesDieWithTheirEpoch(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	w.fetch(w.open(11, 0), meta(1, 10*mib))
	w.chain.nextEpoch()
	w.fetch(w.open(11, 0), meta(1, 6*mib))
	require.Equal(t, uint64(16*mib), w.credit(1).UnacknowledgedBytes)
	w.crash()
	require.GreaterOrEqual(t, w.credit(1).UnacknowledgedBytes, uint64(16*mib))
	w.chain.nextEpoch()
	require.Equal(t, uint64(6*mib), w.credit(1).UnacknowledgedBytes)
	w.chain.nextEpoch()
	require.Equal(t, uint64(0), w.credit(1).UnacknowledgedBytes)
	require.NoError(t, w.pool.Expire(7))
	require.Empty(t, w.pool.Exposures())
}

func TestWatermarks(t *testing.T) {
	synctest.Test(t, testWatermarks)
}

func testWatermarks(t *testing.T) {
	w := newWorld(t, func(c *session.Config) { c.Base = big.NewInt(1024) })
	defer func() { w.stop() }()
	ctx := context.Background()
	r, err := w.open(11, 0).Begin(ctx, meta(1, 100*mib))
	require.NoError(t, err)
	for range 64 {
		require.NoError(t, r.Reserve(ctx, mib))
		require.GreaterOrEqual(t, w.pool.Exposure(1, 5), w.credit(1).UnacknowledgedBytes)
	}
	c := newClient(11, 0, 5)
	c.Bytes = 60 * mib
	w.acknowledge(c.signed())
	synctest.Wait()
	require.LessOrEqual(t, w.pool.Exposure(1, 5), uint64(4*mib+2*8*mib))
	w.crash()
	after := w.credit(1).UnacknowledgedBytes
	require.GreaterOrEqual(t, after, uint64(4*mib))
	require.LessOrEqual(t, after, uint64(4*mib+2*8*mib), "a crash costs at most two steps")
	w.restart()
	require.Equal(t, after, w.credit(1).UnacknowledgedBytes, "a graceful stop is exact")
	c.Bytes += after
	w.acknowledge(c.signed())
	require.Equal(t, uint64(0), w.credit(1).UnacknowledgedBytes, "acknowledging what was sent before the restart counts")
	require.Empty(t, w.pool.Exposures())
}

// TestOneLimitWhateverTheClientDoes is the promise of credit: 100 sessions, 4 keys, all lanes, reconnects, crashes and a
// restart on an account that never acknowledges get one limit's worth of bytes and not one more.
func TestOneLimitWhateverTheClientDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer func() { w.stop() }()
		var mu sync.Mutex
		var served uint64
		// round opens sessions and asks for much with several streams each, until all stand still.
		round := func(sessions int, chunk uint64) {
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			for i := range sessions {
				s, err := w.m.Open(ctx, w.request(uint64(11+i%4), uint8(i/4%16)))
				require.NoError(t, err)
				for range 2 {
					r, err := s.Begin(ctx, meta(byte(i), 64*mib))
					if err != nil {
						require.ErrorIs(t, err, session.ErrCreditExhausted)
						continue
					}
					wg.Go(func() {
						defer r.Abort()
						for {
							if err := r.Reserve(ctx, chunk); err != nil {
								return
							}
							mu.Lock()
							served += chunk
							mu.Unlock()
						}
					})
				}
			}
			synctest.Wait()
			cancel()
			wg.Wait()
		}
		limit := uint64(16 * mib)
		round(3, 100_000)
		require.LessOrEqual(t, served, limit)
		w.restart()
		round(20, 16<<10)
		w.crash()
		round(100, 16<<10)
		w.restart()
		round(100, 1_000)
		require.LessOrEqual(t, served, limit)
		require.Greater(t, served, limit-limit/8, "the limit is there to be used")
		w.chain.nextEpoch()
		round(100, 1_000)
		require.LessOrEqual(t, served, limit, "a new epoch brings no new credit while the old one lives")
	})
}

func TestRoomInThePool(t *testing.T) {
	w := newWorld(t, nil)
	require.NoError(t, w.pool.Close())
	var err error
	w.pool, err = ackpool.Open("pool", ackpool.Options{FS: w.fs, MaxLanes: 8, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	require.NoError(t, err)
	w.m, err = session.New(w.cfg, session.Deps{Chain: w.chain, Pool: w.pool})
	require.NoError(t, err)
	defer w.stop()
	var sessions []*session.Session
	for lane := range uint8(4) {
		sessions = append(sessions, w.open(11, lane))
	}
	for _, s := range sessions {
		w.fetch(s, meta(1, mib))
	}
	s := sessions[0]
	for lane := range uint8(5) { // others have taken the room meanwhile
		other := ackpool.Item{Signed: newClient(21, lane, 5).signed(), AccountID: 2, Value: new(big.Int)}
		require.NoError(t, w.pool.Put(context.Background(), []ackpool.Item{other}))
	}
	_, err = s.Begin(context.Background(), meta(2, mib))
	require.ErrorIs(t, err, session.ErrOverloaded, "service is refused before an acknowledgement is")
	var acks []ack.Signed
	for lane := range uint8(4) {
		c := newClient(11, lane, 5)
		c.Bytes = mib
		acks = append(acks, c.signed())
	}
	out := w.acknowledge(acks...)
	require.Equal(t, session.AckRefused, out[3].Status)
	require.Equal(t, session.ReasonOverloaded, out[3].Reason)
	for _, o := range out[:3] {
		require.Equal(t, session.AckStored, o.Status, "what fits is stored")
	}
	_, err = s.Begin(context.Background(), meta(2, mib))
	require.NoError(t, err, "a lane that is held needs no room")
}
