package session_test

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/session"
)

func (w *world) hints() (n int) {
	for {
		select {
		case <-w.m.SettleHint():
			n++
		default:
			return n
		}
	}
}

// Acknowledgements without a session ask for one settlement at most, however many they are: not for an account that has
// nothing, and not again for one that is forgotten between the calls.
func TestHintsWithoutASession(t *testing.T) {
	w := newWorld(t, func(c *session.Config) { c.AccountTTL = 1 })
	defer func() { w.stop() }()
	clients := map[uint64]*client{1: newClient(11, 0, 5), 2: newClient(21, 0, 5)}
	for account, c := range clients {
		w.fetch(w.open(account*10+1, 0), meta(1, mib))
		c.finish(meta(1, mib))
		require.True(t, w.acknowledge(c.signed())[0].Accepted())
	}
	w.restart()
	w.chain.update(func(c *fakeChain) { c.accounts[2] = chain.Account{ID: 2, Spendable: new(big.Int)} })
	require.Zero(t, w.hints())
	for account, c := range clients {
		n := 0
		for range 50 {
			c.Bytes += 20 * mib
			require.True(t, w.acknowledge(c.signed())[0].Accepted())
			n += w.hints()
			w.credit(account) // as the answer of the call says it
			n += w.hints()
		}
		require.Equal(t, map[uint64]int{1: 1, 2: 0}[account], n, "account %d", account)
	}

	// A settlement that was not enough is followed by one more hint.
	w.settle()
	clients[1].Bytes += 5_000 * mib
	w.acknowledge(clients[1].signed())
	w.credit(1)
	require.Equal(t, 1, w.hints())
}
