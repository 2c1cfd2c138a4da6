package main

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/receipt"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/config"
)

// oneKey is a chain that has one client key.
type oneKey struct {
	key  chain.Key
	seen bool
}

func (c oneKey) View() (chain.View, bool) { return chain.View{ChainID: "edge-test"}, c.seen }
func (c oneKey) Stale() error             { return chain.ErrStale }

func (c oneKey) Key(_ context.Context, id uint64) (chain.Key, error) {
	if id != c.key.ID {
		return chain.Key{}, chain.ErrUnknownKey
	}
	return c.key, nil
}

func TestReceiptsOfThePool(t *testing.T) {
	settings := config.Default()
	pool, err := ackpool.Open(t.TempDir(), poolOptions(&settings, slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	defer func() { require.NoError(t, pool.Close()) }()
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	public := private.Public().(ed25519.PublicKey)
	put := func(key, epoch uint64, lane uint8, bytes uint64) {
		signed := ack.Sign(private, ack.HashChainID("edge-test"), &ack.Ack{Epoch: epoch, KeyID: key, WorkerID: 3, Lane: lane, Requests: 1, Bytes: bytes, Head: [32]byte{1}})
		require.NoError(t, pool.Put(t.Context(), []ackpool.Item{{Signed: signed, AccountID: 4, Value: new(big.Int).SetUint64(bytes)}}))
	}
	put(7, 12, 0, 100)
	put(7, 12, 0, 150) // replaces it
	put(7, 12, 1, 200)
	put(7, 13, 0, 300)
	put(8, 13, 0, 400)

	c := oneKey{key: chain.Key{ID: 7, AccountID: 4, PublicKey: public}, seen: true}
	read := func(f receiptFilter) []uint64 {
		out, err := heldReceipts(t.Context(), pool, c, f)
		require.NoError(t, err)
		b, err := out.Encode()
		require.NoError(t, err)
		out, err = receipt.Decode(b)
		require.NoError(t, err)
		var bytes []uint64
		for i := range out.Receipts {
			require.NoError(t, out.Verify(i).Err())
			require.Nil(t, out.Receipts[i].Requests)
			bytes = append(bytes, out.Receipts[i].Acknowledgement.Bytes)
		}
		return bytes
	}
	all := receiptFilter{key: 7, service: -1, lane: -1}
	require.Equal(t, []uint64{150, 200, 300}, read(all))
	require.Equal(t, []uint64{150, 200}, read(receiptFilter{key: 7, epoch: 12, service: -1, lane: -1}))
	require.Equal(t, []uint64{200}, read(receiptFilter{key: 7, service: 0, lane: 1}))
	for _, f := range []receiptFilter{{key: 7, service: 1, lane: -1}, {key: 7, epoch: 11, service: -1, lane: -1}, {key: 7, service: -1, lane: 9}} {
		_, err := heldReceipts(t.Context(), pool, c, f)
		require.ErrorContains(t, err, "no acknowledgement")
	}
	_, err = heldReceipts(t.Context(), pool, c, receiptFilter{key: 8, service: -1, lane: -1})
	require.ErrorIs(t, err, chain.ErrUnknownKey)
	_, err = heldReceipts(t.Context(), pool, oneKey{}, all)
	require.ErrorIs(t, err, chain.ErrStale)
	c.key.PublicKey = nil
	_, err = heldReceipts(t.Context(), pool, c, all)
	require.ErrorContains(t, err, "public key")

	back, err := parseFilter(all.values())
	require.NoError(t, err)
	require.Equal(t, all, back)
	// A query that does not parse is told so.
	w := &worker{token: "secret"}
	rec := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, pathReceipts+"?key=x", http.NoBody)
	req.Header.Set(tokenHeader, "secret")
	w.serveReceipts(rec, req)
	require.Equal(t, http.StatusBadRequest, rec.Code)
	require.True(t, strings.Contains(rec.Body.String(), "invalid syntax"))
}
