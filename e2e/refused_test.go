package e2e_test

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/testutil/devnet"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// TestRefusedAlone sends lists in which bad acknowledgements stand among good ones, first to the worker and then, as a
// worker that checks nothing would, to the chain. The bad ones are refused alone and the others are paid.
func TestRefusedAlone(t *testing.T) {
	t.Parallel()
	n := shared.short.get(t)
	ctx := bounded(t, 5*time.Minute)
	alice := newClient(ctx, t, n, 10_000_000)
	require.NoError(t, alice.AddKey(ctx)) // both keys of alice stand before that of bob in a message
	bob := newClient(ctx, t, n, 10_000_000)
	aliceKey, bobKey := privateKey(t, alice, 0), privateKey(t, bob, 0)
	o, _ := object(ctx, t, n, 4<<20, 51)
	require.NoError(t, n.WaitEpoch(ctx, 3)) // so that epoch 1 is dead

	chain, other := ack.HashChainID(n.ChainID()), ack.HashChainID("edge-other-1")
	sign := func(key ed25519.PrivateKey, chain ack.ChainHash, a ack.Ack) ack.Signed {
		a.WorkerID = n.WorkerID
		return ack.Sign(key, chain, &a)
	}

	t.Run("by the worker", func(t *testing.T) {
		aliceBefore, bobBefore := balance(ctx, t, alice), balance(ctx, t, bob)
		good := fetchAll(ctx, t, n, alice.KeyIDs[0], aliceKey, o)
		goodBob := fetchAll(ctx, t, n, bob.KeyIDs[0], bobKey, o)
		epoch, bytes := good.Epoch, good.Bytes
		lower := good.Ack
		lower.Bytes -= ack.GroupSize
		forged := sign(aliceKey, chain, ack.Ack{Epoch: epoch, KeyID: alice.KeyIDs[0], Lane: 1, Bytes: bytes})
		forged.Signature[3] ^= 1
		list := []ack.Signed{
			0: forged,
			1: sign(aliceKey, chain, ack.Ack{Epoch: epoch, KeyID: 1 << 40, Bytes: bytes}),
			2: sign(bobKey, chain, ack.Ack{Epoch: epoch, KeyID: alice.KeyIDs[1], Bytes: bytes}),
			3: sign(aliceKey, chain, ack.Ack{Epoch: 1, KeyID: alice.KeyIDs[0], Lane: 2, Bytes: bytes}),
			4: sign(aliceKey, other, ack.Ack{Epoch: epoch, KeyID: alice.KeyIDs[0], Lane: 3, Bytes: bytes}),
			5: good,
			6: sign(aliceKey, chain, lower),
			7: goodBob,
		}
		w := newWire(t, n, "127.0.0.21")
		a, err := w.acks(ctx, list...)
		require.NoError(t, err)
		p := a.problem(t, http.StatusUnprocessableEntity, "bad-acknowledgement")
		var refused []int
		for _, r := range p.Results {
			refused = append(refused, r.Index)
			require.NotEmpty(t, r.Reason)
		}
		require.Equal(t, []int{0, 1, 2, 3, 4}, refused, "%s", a.body)

		price, err := devnet.Signed{good.LaneID(): good}.Price(ctx, n.Chain)
		require.NoError(t, err)
		require.True(t, price.IsPositive())
		requireDebit(ctx, t, n, alice, aliceBefore, price)
		requireDebit(ctx, t, n, bob, bobBefore, price)
	})

	t.Run("by the chain", func(t *testing.T) {
		// The worker's account settles by hand, so the worker must not.
		require.NoError(t, n.StopWorker(ctx))
		aliceBefore, bobBefore := balance(ctx, t, alice), balance(ctx, t, bob)
		const bytes = 64 << 20
		open, err := n.Chain.Epoch(ctx)
		require.NoError(t, err)
		epoch := open.Epoch.Number
		forged := sign(aliceKey, chain, ack.Ack{Epoch: epoch, KeyID: alice.KeyIDs[0], Lane: 10, Bytes: bytes})
		forged.Signature[3] ^= 1
		list := []ack.Signed{
			forged,
			sign(aliceKey, other, ack.Ack{Epoch: epoch, KeyID: alice.KeyIDs[0], Lane: 11, Bytes: bytes}),
			// Signed for another epoch than the message says, as one of a dead epoch would have to be.
			relabel(sign(aliceKey, chain, ack.Ack{Epoch: 1, KeyID: alice.KeyIDs[0], Lane: 12, Bytes: bytes}), epoch),
			sign(aliceKey, chain, ack.Ack{Epoch: epoch, KeyID: alice.KeyIDs[0], Lane: 13, Bytes: bytes}),
			sign(bobKey, chain, ack.Ack{Epoch: epoch, KeyID: alice.KeyIDs[1], Lane: 10, Bytes: bytes}),
			sign(bobKey, chain, ack.Ack{Epoch: epoch, KeyID: bob.KeyIDs[0], Lane: 10, Bytes: bytes}),
			sign(aliceKey, chain, ack.Ack{Epoch: epoch, KeyID: 1 << 40, Bytes: bytes}),
		}
		res := settle(ctx, t, n, epoch, list)
		require.Equal(t, []dacktypes.AckStatus{
			dacktypes.ACK_STATUS_BAD_SIGNATURE, dacktypes.ACK_STATUS_BAD_SIGNATURE, dacktypes.ACK_STATUS_BAD_SIGNATURE,
			dacktypes.ACK_STATUS_PAID, dacktypes.ACK_STATUS_BAD_SIGNATURE, dacktypes.ACK_STATUS_PAID, dacktypes.ACK_STATUS_UNKNOWN_KEY,
		}, statuses(res))
		price := res[3].Paid
		require.True(t, price.IsPositive())

		// The same again, and lower counters, are paid nothing.
		lower := sign(bobKey, chain, ack.Ack{Epoch: epoch, KeyID: bob.KeyIDs[0], Lane: 10, Bytes: bytes / 2})
		require.Equal(t, []dacktypes.AckStatus{dacktypes.ACK_STATUS_NOTHING_DUE, dacktypes.ACK_STATUS_NOTHING_DUE},
			statuses(settle(ctx, t, n, epoch, []ack.Signed{list[3], lower})))
		require.Equal(t, price.String(), aliceBefore.Sub(balance(ctx, t, alice)).String())
		require.Equal(t, price.String(), bobBefore.Sub(balance(ctx, t, bob)).String())

		// A whole message for a dead epoch is refused.
		_, err = settleErr(ctx, t, n, 1, []ack.Signed{sign(aliceKey, chain, ack.Ack{Epoch: 1, KeyID: alice.KeyIDs[0], Bytes: bytes})})
		require.ErrorContains(t, err, "epoch")
		require.NoError(t, n.StartWorker(ctx))
	})
}

func privateKey(t *testing.T, c *devnet.Client, i int) ed25519.PrivateKey {
	t.Helper()
	key, err := c.PrivateKey(c.KeyIDs[i])
	require.NoError(t, err)
	return key
}

func balance(ctx context.Context, t *testing.T, c *devnet.Client) math.Int {
	t.Helper()
	b, err := c.Balance(ctx)
	require.NoError(t, err)
	return b
}

// relabel says another epoch than the one that was signed.
func relabel(s ack.Signed, epoch uint64) ack.Signed {
	s.Epoch = epoch
	return s
}

// fetchAll fetches an object on lane 0 and returns the acknowledgement of it, which is not sent.
func fetchAll(ctx context.Context, t *testing.T, n *devnet.Network, keyID uint64, key ed25519.PrivateKey, o devnet.Object) ack.Signed {
	t.Helper()
	w := newWire(t, n, "127.0.0.20")
	s, a, err := w.open(ctx, n, keyID, key, 0)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, a.status, "%s", a.body)
	a = w.get(ctx, t, "/b3/"+o.Name, s.header())
	require.Equal(t, http.StatusOK, a.status)
	require.Len(t, a.body, int(o.Size))
	require.Equal(t, "1", a.header.Get("Edge-Sequence"))
	epoch, err := strconv.ParseUint(a.header.Get("Edge-Epoch"), 10, 64)
	require.NoError(t, err)
	name, err := contentDigest(o.Name)
	require.NoError(t, err)
	size := uint64(o.Size)
	receipt := ack.Receipt(ack.ContentRequestDigest(name, 0, size), name, size, 0)
	return ack.Sign(key, ack.HashChainID(n.ChainID()), &ack.Ack{
		Epoch: epoch, KeyID: keyID, WorkerID: n.WorkerID, Requests: 1, Bytes: size, Head: ack.NextHead([ack.HeadSize]byte{}, receipt),
	})
}

func statuses(results []dacktypes.AckResult) []dacktypes.AckStatus {
	out := make([]dacktypes.AckStatus, len(results))
	for i, r := range results {
		out[i] = r.Status
	}
	return out
}

// settle sends a settlement with the worker's hot account and returns the verdicts.
func settle(ctx context.Context, t *testing.T, n *devnet.Network, epoch uint64, acks []ack.Signed) []dacktypes.AckResult {
	t.Helper()
	results, err := settleErr(ctx, t, n, epoch, acks)
	require.NoError(t, err)
	return results
}

func settleErr(ctx context.Context, t *testing.T, n *devnet.Network, epoch uint64, acks []ack.Signed) ([]dacktypes.AckResult, error) {
	t.Helper()
	sorted := slices.IsSortedFunc(acks, func(a, b ack.Signed) int {
		return cmp.Or(cmp.Compare(a.KeyID, b.KeyID), cmp.Compare(a.Lane, b.Lane))
	})
	require.True(t, sorted, "the message must ascend by key and lane")
	list := make([]map[string]any, len(acks))
	for i, a := range acks {
		list[i] = map[string]any{
			"key_id": strconv.FormatUint(a.KeyID, 10), "service_id": "0", "lane": a.Lane,
			"requests": strconv.FormatUint(a.Requests, 10), "bytes": strconv.FormatUint(a.Bytes, 10), "fuel": "0",
			"head": base64.StdEncoding.EncodeToString(a.Head[:]), "signature": base64.StdEncoding.EncodeToString(a.Signature[:]),
		}
	}
	tx := map[string]any{
		"body": map[string]any{
			"messages": []any{map[string]any{
				"@type": "/edge.dack.v1.MsgSettle", "account": n.Settler, "worker_id": strconv.FormatUint(n.WorkerID, 10),
				"epoch": strconv.FormatUint(epoch, 10), "acks": list,
			}},
			"memo": "", "timeout_height": "0", "extension_options": []any{}, "non_critical_extension_options": []any{},
		},
		"auth_info": map[string]any{
			"signer_infos": []any{},
			"fee":          map[string]any{"amount": []any{map[string]string{"denom": devnet.StakeDenom, "amount": "2500"}}, "gas_limit": "1000000", "payer": "", "granter": ""},
		},
		"signatures": []any{},
	}
	b, err := json.Marshal(tx)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "tx.json")
	require.NoError(t, os.WriteFile(file, b, 0o600))
	signed := filepath.Join(t.TempDir(), "signed.json")
	_, err = n.Edged(ctx, "tx", "sign", file, "--from", "settler", "--keyring-dir", filepath.Join(n.Dir(), "edge-worker"),
		"--keyring-backend", "test", "--chain-id", n.ChainID(), "--output-document", signed)
	require.NoError(t, err)
	out, err := n.Edged(ctx, "tx", "broadcast", signed, "--output", "json")
	require.NoError(t, err)
	data, err := n.TxData(ctx, out)
	if err != nil {
		return nil, err
	}
	var msg sdk.TxMsgData
	require.NoError(t, msg.Unmarshal(data))
	require.Len(t, msg.MsgResponses, 1)
	var res dacktypes.MsgSettleResponse
	require.NoError(t, res.Unmarshal(msg.MsgResponses[0].Value))
	return res.Results, nil
}

// contentDigest reads a name of 64 hex digits.
func contentDigest(name string) (ack.Digest, error) {
	var d ack.Digest
	_, err := hex.Decode(d[:], []byte(name))
	return d, err
}
