package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	sdkmath "cosmossdk.io/math"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/lane"
	"github.com/edgechain/edge/client/receipt"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const receiptVector = "../../client/receipt/testdata/receipt.json"

// nowhere is a home that does not exist: on the machine of a third party there is none.
func nowhere(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "nowhere")
}

func TestReceiptVerifyOffline(t *testing.T) {
	home := nowhere(t)
	code, out, errOut := edge(t, home, "receipt", "verify", receiptVector)
	require.Zero(t, code, errOut)
	require.Contains(t, out, "signature: key 11 acknowledges 16494 bytes")
	require.Contains(t, out, "chain not included")
	require.NoDirExists(t, home)

	b, err := os.ReadFile(receiptVector)
	require.NoError(t, err)
	var stdout, stderr bytes.Buffer
	code = runContext(t.Context(), []string{"receipt", "verify", "-", "--output", "json", "--home", home}, bytes.NewReader(b), &stdout, &stderr)
	require.Zero(t, code, stderr.String())
	var doc verifyOutput
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &doc))
	require.True(t, doc.Valid)
	require.Len(t, doc.Receipts, 2)
	require.Nil(t, doc.Receipts[0].Chain)

	tampered := filepath.Join(t.TempDir(), "tampered.json")
	require.NoError(t, os.WriteFile(tampered, bytes.Replace(b, []byte(`"bytes": 16494`), []byte(`"bytes": 16495`), 1), 0o600))
	code, out, errOut = edge(t, home, "receipt", "verify", tampered, "--output", "json")
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "receipt 1 of 2 is not valid: signature")
	require.NoError(t, json.Unmarshal([]byte(out), &doc))
	require.False(t, doc.Valid)
	require.False(t, doc.Receipts[0].Valid)
	require.True(t, doc.Receipts[1].Valid)

	code, _, errOut = edge(t, home, "receipt", "verify", filepath.Join(t.TempDir(), "none"))
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "no such file")
	require.NoError(t, os.WriteFile(tampered, []byte("{}"), 0o600))
	code, _, errOut = edge(t, home, "receipt", "show", tampered)
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "no file of receipts")
}

func TestReceiptShow(t *testing.T) {
	code, out, errOut := edge(t, nowhere(t), "receipt", "show", receiptVector)
	require.Zero(t, code, errOut)
	require.Contains(t, out, "nothing is checked")
	require.Contains(t, out, "40000 bytes from 16390 on; took 49152 bytes and 0 fuel, 32768 bytes of it in earlier epochs")
	require.Contains(t, out, "unfinished requests took 100 bytes")
	code, out, _ = edge(t, nowhere(t), "receipt", "show", receiptVector, "--output", "json")
	require.Zero(t, code)
	_, err := receipt.Decode([]byte(out))
	require.NoError(t, err, "shown as JSON it is the file")
}

// ownKeyFile stores a client key in a home.
func ownKeyFile(t *testing.T, home string, keyID, accountID uint64) (*clientKey, ed25519.PrivateKey) {
	t.Helper()
	k, err := newClientKey("edge-test-1", accountID, "edge1x", 100)
	require.NoError(t, err)
	pending, err := k.savePending(home)
	require.NoError(t, err)
	_, err = k.register(home, pending, keyID)
	require.NoError(t, err)
	private, err := k.private()
	require.NoError(t, err)
	return k, private
}

type fixedEpoch uint64

func (e fixedEpoch) Epoch() (uint64, error) { return uint64(e), nil }

// laneWith acknowledges a request for content of some bytes on a lane.
func laneWith(t *testing.T, home string, key ed25519.PrivateKey, id lane.ID, epoch, bytes uint64) {
	t.Helper()
	l, err := lane.Open(filepath.Join(home, "lanes"), id, key, fixedEpoch(epoch))
	require.NoError(t, err)
	require.NoError(t, l.Resume(nil, 1))
	r := l.Begin()
	require.NoError(t, r.Accepted(1))
	r.Verified(bytes)
	r.FinishContent(ack.Digest{5}, 0, bytes)
	list, err := l.Sign()
	require.NoError(t, err)
	require.NotEmpty(t, list)
	require.NoError(t, l.Close())
}

func TestReceiptExport(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(t.TempDir(), "receipts.json")
	code, _, errOut := edge(t, home, "receipt", "export", "-o", file)
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "no client keys")
	_, key := ownKeyFile(t, home, 7, 4)
	code, _, errOut = edge(t, home, "receipt", "export", "-o", file)
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "acknowledged nothing")

	id := lane.ID{ChainID: "edge-test-1", KeyID: 7, WorkerID: 3}
	laneWith(t, home, key, id, 12, 100)
	laneWith(t, home, key, id, 13, 200)
	id.WorkerID, id.Lane = 5, 1
	laneWith(t, home, key, id, 13, 300)
	code, _, errOut = edge(t, home, "receipt", "export", "-o", file)
	require.Zero(t, code, errOut)
	code, out, errOut := edge(t, nowhere(t), "receipt", "verify", file)
	require.Zero(t, code, errOut)
	require.Equal(t, 3, strings.Count(out, "receipt-chain: 1 requests lead to head"))
	require.Equal(t, 3, strings.Count(out, "the key has signed for account 4"))

	code, out, _ = edge(t, home, "receipt", "export", "--worker-id", "3", "--epoch", "13", "--key", "7")
	require.Zero(t, code)
	f, err := receipt.Decode([]byte(out))
	require.NoError(t, err)
	require.Len(t, f.Receipts, 1)
	require.EqualValues(t, 200, f.Receipts[0].Acknowledgement.Bytes)
	code, _, _ = edge(t, home, "receipt", "export", "--key", "8")
	require.Equal(t, exitFailure, code)

	// Keys of two chains: somebody has to say which.
	other, err := newClientKey("edge-test-2", 4, "edge1x", 100)
	require.NoError(t, err)
	pending, err := other.savePending(home)
	require.NoError(t, err)
	_, err = other.register(home, pending, 1)
	require.NoError(t, err)
	code, _, _ = edge(t, home, "receipt", "export")
	require.Equal(t, exitUsage, code)
	code, _, _ = edge(t, home, "receipt", "export", "--chain-id", "edge-test-1")
	require.Zero(t, code)
}

func TestReceiptVerifyAsksTheChain(t *testing.T) {
	home := t.TempDir()
	k, key := ownKeyFile(t, home, 7, 4)
	laneWith(t, home, key, lane.ID{ChainID: "edge-test-1", KeyID: 7, WorkerID: 3}, 3, 1<<20)
	file := filepath.Join(t.TempDir(), "receipts.json")
	code, _, errOut := edge(t, home, "receipt", "export", "-o", file)
	require.Zero(t, code, errOut)

	n := newFakeNode(t, "http://127.0.0.1:1")
	public := key.Public().(ed25519.PublicKey)
	n.answers["/edge.epoch.v1.Query/Current"] = &epochtypes.QueryCurrentResponse{Epoch: epochtypes.Epoch{Number: 3}, OldestLive: 2}
	n.answers["/edge.epoch.v1.Query/Epoch"] = &epochtypes.QueryEpochResponse{Epoch: epochtypes.Epoch{Number: 3, Phase: epochtypes.PHASE_OPEN}}
	n.answers["/edge.node.v1.Query/Worker"] = &nodetypes.QueryWorkerResponse{Worker: nodetypes.Worker{Id: 3, Operator: "edgevaloper1x", Deposit: n.coin()}}
	clientKey := func(account uint64) *dacktypes.QueryClientKeyResponse {
		return &dacktypes.QueryClientKeyResponse{
			Key:  dacktypes.ClientKey{Id: 7, AccountId: account, PublicKey: public, SpendLimit: sdkmath.NewInt(9), LastEpoch: 100},
			Left: sdkmath.ZeroInt(), Account: dacktypes.Account{Balance: sdkmath.ZeroInt()},
		}
	}
	n.answers["/edge.dack.v1.Query/ClientKey"] = clientKey(k.AccountID)
	n.answers["/edge.dack.v1.Query/Lanes"] = &dacktypes.QueryLanesResponse{}

	code, out, errOut := edge(t, nowhere(t), "receipt", "verify", file, "--node", n.URL)
	require.Zero(t, code, errOut)
	require.Contains(t, out, "nothing of the lane is settled")
	require.Contains(t, out, "this acknowledgement costs 12uusd, of which 12uusd are owed")
	require.Contains(t, out, "worker 3 is operated by edgevaloper1x")
	require.Contains(t, out, "epoch 3 of 3: it is open, and its acknowledgements can be settled")

	// A node that is configured is asked as well, unless the chain is to be left out.
	t.Setenv("EDGE_NODE", n.URL)
	n.answers["/edge.dack.v1.Query/ClientKey"] = clientKey(5)
	code, _, errOut = edge(t, nowhere(t), "receipt", "verify", file)
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "key 7 is of account 5, the receipt says 4")
	code, _, errOut = edge(t, nowhere(t), "receipt", "verify", file, "--offline")
	require.Zero(t, code, errOut)
	code, _, errOut = edge(t, nowhere(t), "receipt", "verify", receiptVector)
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "another chain")
	n.Close()
	code, _, errOut = edge(t, nowhere(t), "receipt", "verify", file)
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "does not answer")
}

func TestReceiptOfAFreeFetch(t *testing.T) {
	w := newFreeWorker(t)
	_, name := w.add(groupSize)
	file := filepath.Join(t.TempDir(), "f")
	code, _, errOut := edge(t, t.TempDir(), "get", name.String(), "--worker", w.URL, "-o", file, "--receipt", file+".receipt")
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "no client key")
	require.NoFileExists(t, file, "found out before anything is fetched")
}

func TestAccountShowsWhatKeysCanSpend(t *testing.T) {
	n := newFakeNode(t, "http://127.0.0.1:1")
	n.answers["/edge.epoch.v1.Query/Current"] = &epochtypes.QueryCurrentResponse{Epoch: epochtypes.Epoch{Number: 12}, OldestLive: 11}
	n.answers["/edge.dack.v1.Query/Account"] = &dacktypes.QueryAccountResponse{
		Account: dacktypes.Account{
			Id: 4, Owner: "edge1x", Balance: sdkmath.NewInt(50), Keys: 2, Withdrawals: []dacktypes.Withdrawal{{Epoch: 11, Amount: sdkmath.NewInt(6)}},
		},
		Spendable: sdkmath.NewInt(50), Payable: sdkmath.NewInt(56),
	}
	n.answers["/edge.dack.v1.Query/ClientKeys"] = &dacktypes.QueryClientKeysResponse{Keys: []dacktypes.ClientKey{
		{
			Id: 7, AccountId: 4, PublicKey: []byte{1}, SpendLimit: sdkmath.NewInt(20), LimitFrom: 13, LastEpoch: 100,
			EarlierLimits: []dacktypes.KeyLimit{{Epoch: 1, Amount: sdkmath.NewInt(1_000)}},
			Spent:         []dacktypes.KeySpend{{Epoch: 12, Amount: sdkmath.NewInt(400)}},
		},
		{Id: 8, AccountId: 4, PublicKey: []byte{2}, SpendLimit: sdkmath.NewInt(20), LastEpoch: 11},
	}}
	n.answers["/cosmos.bank.v1beta1.Query/Balance"] = n.balance(3)
	code, out, errOut := edge(t, t.TempDir(), "account", "balance", "--account", "4", "--node", n.URL)
	require.Zero(t, code, errOut)
	for _, want := range []string{
		"spendable 50uusd", "payable   56uusd", "withdrawal of 6uusd, asked for in epoch 11, is paid when epoch 13 opens",
		"key 7  01  600 of 1000 left in epoch 12, 20 per epoch from epoch 13 on, until epoch 100", "key 8  02  ended with epoch 11",
	} {
		require.Contains(t, out, want)
	}
	code, out, errOut = edge(t, t.TempDir(), "account", "balance", "--account", "4", "--node", n.URL, "--output", "json")
	require.Zero(t, code, errOut)
	var doc struct {
		Epoch      uint64
		Spendable  string
		ClientKeys []struct {
			ID          uint64
			Left, Limit string
			PublicKey   string `json:"public_key"`
			SpendLimit  string `json:"spend_limit"`
			LastEpoch   uint64 `json:"last_epoch"`
			Ended       bool
		} `json:"client_keys"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &doc))
	require.EqualValues(t, 12, doc.Epoch)
	require.Equal(t, "600", doc.ClientKeys[0].Left)
	require.Equal(t, "1000", doc.ClientKeys[0].Limit)
	require.Equal(t, "20", doc.ClientKeys[0].SpendLimit)
	require.Equal(t, "01", doc.ClientKeys[0].PublicKey)
	require.True(t, doc.ClientKeys[1].Ended)

	code, out, errOut = edge(t, t.TempDir(), "account", "keys", "--account", "4", "--node", n.URL)
	require.Zero(t, code, errOut)
	require.Contains(t, out, "until epoch 100, not on this machine")
}
