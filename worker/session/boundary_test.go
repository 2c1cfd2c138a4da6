package session_test

import (
	"context"
	"math/big"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/session"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// nextEpochAt opens the next epoch with another price per GiB.
func (c *fakeChain) nextEpochAt(perGiB int64) {
	c.nextEpoch()
	c.update(func(c *fakeChain) {
		c.view.Prices[c.view.Epoch-1] = prices()
		c.view.Prices[c.view.Epoch] = ack.Prices{PerGiB: big.NewInt(perGiB), PerGFuel: big.NewInt(1)}
	})
}

// An acknowledgement of the old epoch is worth the old price, and pays for nothing that was sent at the new one.
func TestOldEpochDoesNotPayForTheNew(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	ctx := context.Background()
	s, old, next := w.open(11, 0), newClient(11, 0, 5), newClient(11, 0, 6)
	w.fetch(s, meta(1, 2*mib))
	w.chain.nextEpochAt(4 * 1024)
	w.fetch(s, meta(2, 3*mib))
	require.Equal(t, int64(2+3*4), w.credit(1).Claim.Int64())

	// All of it, signed for the old epoch: stored and owed, but the bytes of the new one are still not acknowledged.
	old.Bytes = 5 * mib
	require.Equal(t, session.AckStored, w.acknowledge(old.signed())[0].Status)
	require.Equal(t, uint64(3*mib), w.credit(1).UnacknowledgedBytes)
	require.Equal(t, int64(5+3*4), w.credit(1).Claim.Int64())
	old.Bytes = 500 * mib
	require.Equal(t, session.AckStored, w.acknowledge(old.signed())[0].Status)
	require.Equal(t, uint64(3*mib), w.credit(1).UnacknowledgedBytes)
	_, err := s.Begin(ctx, meta(3, mib))
	require.ErrorIs(t, err, session.ErrCreditExhausted)

	// One of the new epoch covers what is left of the old one first.
	w.settle()
	w.fetch(s, meta(3, mib))
	next.Bytes = 4 * mib
	require.True(t, w.acknowledge(next.signed())[0].Accepted())
	require.Equal(t, uint64(0), w.credit(1).UnacknowledgedBytes)
}

// Whatever is acknowledged around the change of an epoch, what was sent and not paid for is worth one limit at most.
func TestOneLimitAcrossTheBoundary(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, nil)
		defer w.stop()
		newPrice := rapid.Int64Range(1, 16).Draw(rt, "new price of a MiB")
		clients := []*client{newClient(11, 0, 5), newClient(12, 0, 5), newClient(11, 0, 6), newClient(12, 0, 6)}
		sent := map[uint64]int64{} // MiB by epoch
		for range 40 {
			switch rapid.IntRange(0, 4).Draw(rt, "what") {
			case 0, 1:
				view, _ := w.chain.View()
				s := w.open(11+uint64(rapid.IntRange(0, 1).Draw(rt, "key")), 0)
				size := rapid.Int64Range(1, 8).Draw(rt, "size")
				r, err := s.Begin(context.Background(), meta(1, uint64(size)*mib))
				if err != nil {
					require.ErrorIs(rt, err, session.ErrCreditExhausted)
					continue
				}
				ctx, cancel := context.WithCancel(context.Background())
				cancel() // does not wait
				if r.Reserve(ctx, uint64(size)*mib) == nil {
					sent[view.Epoch] += size
				}
				r.Abort()
			case 2, 3:
				c := clients[rapid.IntRange(0, 3).Draw(rt, "client")]
				c.Bytes += uint64(rapid.IntRange(1, 10).Draw(rt, "acknowledged")) * mib
				w.acknowledge(c.signed())
			case 4:
				if view, _ := w.chain.View(); view.Epoch == 5 {
					w.chain.nextEpochAt(newPrice * 1024)
				}
			}
			// Nothing is ever settled, so all that was sent is unpaid, at the price of its epoch.
			require.LessOrEqual(rt, sent[5]+sent[6]*newPrice, int64(16))
		}
	})
}

func TestStreamsEndWithWhatCanPayForThem(t *testing.T) {
	for name, c := range map[string]struct {
		end func(*fakeChain)
		err error
	}{
		"the key expires": {func(c *fakeChain) {
			k := c.keys[11]
			k.LastEpoch = 5
			c.keys[11] = k
		}, session.ErrBadProof},
		"the worker retires": {func(c *fakeChain) {
			c.view.Worker.Status, c.view.Worker.RetiredEpoch = nodetypes.WORKER_STATUS_RETIRING, 5
		}, session.ErrNotServing},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				defer w.stop()
				ctx := context.Background()
				s := w.open(11, 0)
				if name == "the key expires" {
					w.chain.update(c.end)
				}
				r, err := s.Begin(ctx, meta(1, 64*mib))
				require.NoError(t, err)
				w.chain.update(c.end)
				require.NoError(t, r.Reserve(ctx, 16*mib), "in the last epoch the stream goes on")
				waiting := make(chan error)
				go func() { waiting <- r.Reserve(ctx, mib) }()
				synctest.Wait()
				w.chain.nextEpoch()
				require.ErrorIs(t, <-waiting, c.err)
				require.ErrorIs(t, r.Reserve(ctx, 0), c.err)
				r.Abort()

				// What was sent before can still be acknowledged, and nothing for the new epoch.
				old, next := newClient(11, 0, 5), newClient(11, 0, 6)
				old.Bytes, next.Bytes = 16*mib, mib
				out := w.acknowledge(old.signed(), next.signed())
				require.True(t, out[0].Accepted())
				require.False(t, out[1].Accepted())
				require.Contains(t, []string{session.ReasonRetired, session.ReasonKeyExpired}, out[1].Reason)
			})
		})
	}
}
