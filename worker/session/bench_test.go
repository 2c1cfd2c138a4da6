package session_test

import (
	"context"
	"crypto/ed25519"
	"io"
	"log/slog"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/session"
)

// BenchmarkRequest is what a paid request of 1 KiB costs beside its content, with an acknowledgement of the one before: 32
// lanes of two keys in turn, the pool on a disk. The client signs in time that does not count. slow are those that BeginNow has
// left to Begin.
func BenchmarkRequest(b *testing.B) {
	const size = 1 << 10
	prices := ack.Prices{PerGiB: big.NewInt(10_000), PerGFuel: big.NewInt(1)}
	c := newChain()
	c.view.Prices = map[uint64]ack.Prices{4: prices, 5: prices}
	c.accounts[1] = chain.Account{ID: 1, Spendable: big.NewInt(1e15)}
	for key := uint64(11); key <= 12; key++ {
		c.keys[key] = chain.Key{
			ID: key, AccountID: 1, PublicKey: secret(key).Public().(ed25519.PublicKey),
			SpendLimit: big.NewInt(1e15), Left: big.NewInt(1e15), LastEpoch: 100,
		}
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	pool, err := ackpool.Open(b.TempDir(), ackpool.Options{Logger: log})
	require.NoError(b, err)
	cfg := session.DefaultConfig()
	cfg.Base = big.NewInt(1_000_000)
	m, err := session.New(cfg, session.Deps{Chain: c, Pool: pool, Logger: log})
	require.NoError(b, err)
	var sessions []*session.Session
	var clients []*client
	for key := uint64(11); key <= 12; key++ {
		for lane := range uint8(ack.MaxLanes) {
			challenge, _, err := m.Challenge()
			require.NoError(b, err)
			message := ack.AppendSessionSignBytes(nil, ack.HashChainID(chainID), 1, key, lane, challenge)
			s, err := m.Open(context.Background(), session.OpenRequest{
				KeyID: key, Lane: lane, Challenge: challenge, Signature: ed25519.Sign(secret(key), message),
			})
			require.NoError(b, err)
			sessions, clients = append(sessions, s), append(clients, newClient(key, lane, 5))
		}
	}
	ctx := context.Background()
	about := meta(1, size)
	b.ReportAllocs()
	b.ResetTimer()
	signed, slow := make([][]ack.Signed, len(sessions)), 0
	for i := range b.N {
		at := i % len(sessions)
		s, k := sessions[at], clients[at]
		if at == 0 {
			b.StopTimer()
			for j, c := range clients {
				signed[j] = []ack.Signed{c.signed()}
			}
			b.StartTimer()
		}
		found, err := m.Lookup(s.Token())
		if err != nil {
			b.Fatal(err)
		}
		acks := signed[at]
		if k.Requests == 0 {
			acks = nil
		}
		r, ok := found.BeginNow(acks, about)
		if !ok {
			slow++
			if len(acks) > 0 {
				out, err := s.Take(ctx, acks)
				if err != nil || out[0].Status == session.AckRefused {
					b.Fatal(out, err)
				}
			}
			if r, err = found.Begin(ctx, about); err != nil {
				b.Fatal(err)
			}
			if err := r.Reserve(ctx, size); err != nil {
				b.Fatal(err)
			}
		}
		r.Finish()
		k.finish(about)
	}
	b.StopTimer()
	b.ReportMetric(float64(slow)/float64(b.N), "slow/op")
	require.NoError(b, m.Stop(ctx))
	require.NoError(b, pool.Close())
}
