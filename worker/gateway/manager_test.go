package gateway_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/gateway"
	"github.com/edgechain/edge/worker/session"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// oneKey is a chain that knows key 7 of account 3.
type oneKey struct{ public ed25519.PublicKey }

func (oneKey) View() (chain.View, bool) {
	prices := ack.Prices{PerGiB: big.NewInt(1 << 20), PerGFuel: new(big.Int)}
	return chain.View{
		ChainID: "edge-1", Height: 4711, Epoch: 12, OldestLive: 11, Worker: nodetypes.Worker{Id: 1, Status: nodetypes.WORKER_STATUS_ACTIVE},
		Prices: map[uint64]ack.Prices{11: prices, 12: prices},
	}, true
}
func (oneKey) Stale() error             { return nil }
func (oneKey) Changed() <-chan struct{} { return nil }

func (c oneKey) Key(_ context.Context, id uint64) (chain.Key, error) {
	if id != 7 {
		return chain.Key{}, chain.ErrUnknownKey
	}
	limit := big.NewInt(1_000_000)
	return chain.Key{ID: 7, AccountID: 3, PublicKey: c.public, SpendLimit: limit, Left: limit, LastEpoch: 100}, nil
}

func (oneKey) Account(_ context.Context, id uint64) (chain.Account, error) {
	return chain.Account{ID: id, Spendable: big.NewInt(64_000_000), Payable: big.NewInt(64_000_000)}, nil
}

// TestSessionManager goes the whole way over HTTP with the real manager and pool: challenge, proof, paid requests in both
// forms, acknowledgement, and a session that the client opens anew.
func TestSessionManager(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	pool, err := ackpool.Open(t.TempDir(), ackpool.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	m, err := session.New(session.DefaultConfig(), session.Deps{Chain: oneKey{key.Public().(ed25519.PublicKey)}, Pool: pool})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Stop(context.WithoutCancel(t.Context()))) })
	b := newBench(t, func(c *gateway.Config, d *gateway.Deps) {
		c.FreeQuotaBytes = 0
		d.Sessions = gateway.ManagedSessions(m)
	})
	data := object(3*group + 5)
	name := b.add(t, data)
	path := "/b3/" + name.String()
	hash := ack.HashChainID("edge-1")

	open := func(keyID uint64, signer ed25519.PrivateKey) *http.Response {
		var c struct{ Challenge string }
		require.NoError(t, json.Unmarshal(bodyOf(t, b.do(t, http.MethodPost, "/v1/challenges", nil)), &c))
		raw, err := hex.DecodeString(c.Challenge)
		require.NoError(t, err)
		proof := ed25519.Sign(signer, ack.AppendSessionSignBytes(nil, hash, 1, keyID, 2, [32]byte(raw)))
		return post(t, b, "/v1/sessions", "application/json",
			fmt.Appendf(nil, `{"key_id":%d,"service_id":0,"lane":2,"challenge":%q,"signature":"%x"}`, keyID, c.Challenge, proof))
	}
	type opened struct {
		Token            string
		NextSequence     uint64 `json:"next_sequence"`
		Acknowledgements []string
		Credit           struct{ Limit, Claim string }
	}
	requireProblem(t, open(8, key), 403, "bad-proof")
	requireProblem(t, open(7, ed25519.NewKeyFromSeed(make([]byte, 32))), 403, "bad-proof")
	r := open(7, key)
	require.Equal(t, 201, r.StatusCode)
	var s opened
	require.NoError(t, json.Unmarshal(bodyOf(t, r), &s))
	require.EqualValues(t, 1, s.NextSequence)
	require.Equal(t, "1000", s.Credit.Limit)
	header := "Authorization: Edge-Session " + s.Token

	r = b.get(t, path, header)
	require.Equal(t, 200, r.StatusCode)
	require.True(t, bytes.Equal(data, bodyOf(t, r)))
	require.Equal(t, "1", r.Header.Get("Edge-Sequence"))
	require.Equal(t, "12", r.Header.Get("Edge-Epoch"))
	r = b.get(t, path+"?format=bao", header, "Range: bytes=0-0")
	require.Equal(t, "2", r.Header.Get("Edge-Sequence"))

	receipt := ack.Receipt(ack.ContentRequestDigest(name.Digest(), 0, uint64(len(data))), name.Digest(), uint64(len(data)), 0)
	second := ack.Receipt(ack.ContentRequestDigest(name.Digest(), 0, 1), name.Digest(), group, 0)
	a := ack.Sign(key, hash, &ack.Ack{
		Epoch: 12, KeyID: 7, WorkerID: 1, Lane: 2, Requests: 2, Bytes: uint64(len(data)) + group,
		Head: ack.NextHead(ack.NextHead([32]byte{}, receipt), second),
	})
	forged := a
	forged.Bytes++
	r = post(t, b, "/v1/acks", "application/vnd.edge.ack", a.AppendEncoded(forged.AppendEncoded(nil)))
	doc := requireProblem(t, r, 422, "bad-acknowledgement")
	require.Equal(t, []any{map[string]any{"index": 0.0, "reason": session.ReasonBadSignature}}, doc["results"])
	require.EqualValues(t, 1, doc["accepted"])
	r = post(t, b, "/v1/acks", "application/vnd.edge.ack", a.AppendEncoded(nil))
	require.Equal(t, 200, r.StatusCode)
	var done struct {
		Accepted int
		Credit   struct {
			UnacknowledgedBytes uint64 `json:"unacknowledged_bytes"`
		}
	}
	require.NoError(t, json.Unmarshal(bodyOf(t, r), &done))
	require.Equal(t, 1, done.Accepted)
	require.Zero(t, done.Credit.UnacknowledgedBytes)

	// Whoever lost the state gets back what was acknowledged, and the old session has ended.
	r = open(7, key)
	require.Equal(t, 201, r.StatusCode)
	require.NoError(t, json.Unmarshal(bodyOf(t, r), &s))
	require.Equal(t, []string{hex.EncodeToString(a.AppendEncoded(nil))}, s.Acknowledgements)
	requireProblem(t, b.get(t, path, header), 401, "session-unknown")
}
