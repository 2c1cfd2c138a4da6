package session_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/session"
)

// settleOn settles what is pending as the chain does: as far as the account can pay and the key has left. It returns what
// was paid.
func (w *world) settleOn() *big.Int {
	w.t.Helper()
	sum := new(big.Int)
	for _, epoch := range w.pool.PendingEpochs() {
		w.txs++
		tx := ackpool.Tx{Hash: fmt.Appendf(nil, "tx-%d", w.txs), Epoch: epoch}
		var results []ackpool.Result
		w.chain.update(func(c *fakeChain) {
			for _, e := range w.pool.Pending(epoch, 1000) {
				key, account := c.keys[e.Signed.KeyID], c.accounts[e.AccountID]
				pay := new(big.Int).Set(e.Pending)
				outcome := ackpool.OutcomePaid
				for _, bound := range []*big.Int{key.Left, account.Payable} {
					if pay.Cmp(bound) > 0 {
						pay.Set(bound)
						outcome = ackpool.OutcomePartial
					}
				}
				key.Left = new(big.Int).Sub(key.Left, pay)
				account.Payable = new(big.Int).Sub(account.Payable, pay)
				account.Spendable = new(big.Int).Set(account.Payable)
				c.keys[e.Signed.KeyID], c.accounts[e.AccountID] = key, account
				sum.Add(sum, pay)
				tx.Acks = append(tx.Acks, e.Submit())
				results = append(results, ackpool.Result{Outcome: outcome, TotalPaid: new(big.Int).Add(e.Settled, pay)})
			}
		})
		require.NoError(w.t, w.pool.Submit(tx))
		require.NoError(w.t, w.pool.Resolve(tx.Hash, 11, results))
	}
	return sum
}

// TestSeveralWorkersDrainOneClient lets two workers serve one client as much as either gives, and settle now and then. What
// they see of the chain tells them in time: together they lose at most what each gives as credit at the start, however little
// the client has, or lets its key spend.
func TestSeveralWorkersDrainOneClient(t *testing.T) {
	for _, tc := range []struct {
		name            string
		spendable, left int64
		// credit of one worker at the start.
		credit int64
	}{
		{"account", 3_200, 1_000_000, 50},
		{"key", 1_000_000, 3_200, 50},
		{"both", 3_200, 1_600, 25},
		{"almost nothing", 130, 1_000_000, 2},
		{"nothing", 63, 1_000_000, 0},
		{"key with nothing", 1_000_000, 63, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := func(c *session.Config) {
				c.Base, c.MaxUnsettled, c.AccountTTL = big.NewInt(1_000_000), big.NewInt(1_000_000), time.Nanosecond
			}
			workers := []*world{newWorld(t, config), newWorld(t, config)}
			defer workers[0].stop()
			defer workers[1].stop()
			// Both look at one chain.
			workers[1].stop()
			workers[1].chain = workers[0].chain
			workers[1].start()
			workers[0].chain.update(func(c *fakeChain) {
				c.accounts[1] = chain.Account{ID: 1, Spendable: big.NewInt(tc.spendable), Payable: big.NewInt(tc.spendable)}
				key := c.keys[11]
				key.Left = big.NewInt(tc.left)
				c.keys[11] = key
			})
			random := rand.New(rand.NewPCG(7, uint64(tc.spendable)))
			delivered, paid := int64(0), int64(0)
			clients := []*client{newClient(11, 0, 5), newClient(11, 0, 5)}
			var sessions []*session.Session
			for _, w := range workers {
				sessions = append(sessions, w.open(11, 0))
			}
			ended := [2]bool{}
			for round := 0; round < 10_000 && (!ended[0] || !ended[1]); round++ {
				i := random.IntN(2)
				w := workers[i]
				switch random.IntN(12) {
				case 0, 1:
					// Some of it is settled late, when the other worker has been faster.
					if clients[i].Bytes > 0 {
						w.acknowledge(clients[i].signed())
					}
					continue
				}
				m := meta(byte(round), mib)
				r, err := sessions[i].Begin(context.Background(), m)
				if err != nil {
					require.True(t, errors.Is(err, session.ErrCreditExhausted) || errors.Is(err, session.ErrAccountEmpty), err)
					ended[i] = errors.Is(err, session.ErrAccountEmpty)
					if !ended[i] && random.IntN(3) == 0 && clients[i].Bytes > 0 {
						w.acknowledge(clients[i].signed())
						paid += w.settleOn().Int64()
					}
					continue
				}
				require.NoError(t, r.Reserve(context.Background(), mib))
				r.Finish()
				clients[i].finish(m)
				delivered++
				require.LessOrEqual(t, delivered-paid, 2*tc.credit)
			}
			require.True(t, ended[0] && ended[1], "both have stopped serving")
			for i, w := range workers {
				if clients[i].Bytes > 0 {
					w.acknowledge(clients[i].signed())
				}
				paid += w.settleOn().Int64()
			}
			t.Logf("delivered %d, paid %d", delivered, paid)
			have := min(tc.spendable, tc.left)
			require.LessOrEqual(t, paid, have)
			require.LessOrEqual(t, delivered-paid, 2*tc.credit)
			require.GreaterOrEqual(t, delivered, have-64-2*tc.credit, "nearly all that there is gets spent")
		})
	}
}

// TestKeyLimitsAreBoundsOfTheirOwn: what one key owes counts against what it has left, and leaves other keys alone.
func TestKeyLimitsAreBoundsOfTheirOwn(t *testing.T) {
	w := newWorld(t, func(c *session.Config) {
		c.Base, c.AccountTTL, c.StallTimeout = big.NewInt(1_000), time.Nanosecond, 20*time.Millisecond
	})
	defer w.stop()
	ctx := context.Background()
	left := func(key uint64, amount int64) {
		w.chain.update(func(c *fakeChain) {
			k := c.keys[key]
			k.Left = big.NewInt(amount)
			c.keys[key] = k
		})
	}
	left(11, 200) // 3 units of credit
	small, large := w.open(11, 0), w.open(12, 0)
	info, err := small.Info()
	require.NoError(t, err)
	require.Equal(t, "3", info.Credit.Limit.String(), "the client is told the bound that counts")
	for range 100 {
		w.fetch(large, meta(1, mib))
	}
	c := newClient(11, 0, 5)
	for range 3 {
		m := meta(2, mib)
		w.fetch(small, m)
		c.finish(m)
	}
	_, err = small.Begin(ctx, meta(3, mib))
	var credit *session.CreditError
	require.ErrorAs(t, err, &credit)
	require.ErrorIs(t, err, session.ErrCreditExhausted)
	require.Equal(t, []string{"3", "3"}, []string{credit.Credit.Limit.String(), credit.Credit.Claim.String()})
	w.fetch(large, meta(4, mib))

	// Acknowledged is not settled.
	w.acknowledge(c.signed())
	_, err = small.Begin(ctx, meta(3, mib))
	require.ErrorIs(t, err, session.ErrCreditExhausted)
	require.Len(t, w.m.SettleHint(), 1, "it asks for a settlement")
	require.EqualValues(t, 3, w.settleOn().Int64())
	w.fetch(small, meta(5, mib))

	// A stream that is under way pauses when another worker has taken what was left, and goes on when there is more.
	r, err := small.Begin(ctx, meta(6, 2*mib))
	require.NoError(t, err)
	require.NoError(t, r.Reserve(ctx, mib))
	left(11, 64)
	err = r.Reserve(ctx, mib)
	require.ErrorIs(t, err, session.ErrStalled)
	require.ErrorAs(t, err, &credit)
	require.Equal(t, "1", credit.Credit.Limit.String())
	left(11, 6_400)
	require.NoError(t, r.Reserve(ctx, mib))
	r.Release(mib)
	r.Abort()
	left(11, 63)
	_, err = small.Begin(ctx, meta(7, mib))
	require.ErrorIs(t, err, session.ErrAccountEmpty)

	// A new epoch brings a new limit; what it owes of the old one counts until then.
	w.chain.nextEpoch()
	left(11, 640)
	w.fetch(small, meta(8, mib))
	// A revoked key ends with its epoch, also for a stream that is under way.
	r, err = small.Begin(ctx, meta(9, mib))
	require.NoError(t, err)
	w.chain.update(func(c *fakeChain) {
		k := c.keys[11]
		k.LastEpoch = 6
		c.keys[11] = k
	})
	require.NoError(t, r.Reserve(ctx, mib), "in its last epoch")
	w.chain.nextEpoch()
	require.ErrorIs(t, r.Reserve(ctx, mib), session.ErrBadProof)
	r.Abort()
	_, err = small.Begin(ctx, meta(10, mib))
	require.ErrorIs(t, err, session.ErrBadProof)
	w.fetch(large, meta(11, mib))
}
