package app_test

import (
	"crypto/ed25519"
	"fmt"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/ack"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// market is several clients with an account and a key each, and several workers with a hot account each.
type market struct {
	c       *chain
	clients []marketClient
	workers []marketWorker
}

type marketClient struct {
	owner *secp256k1.PrivKey
	key   ed25519.PrivateKey
	keyID uint64
}

type marketWorker struct {
	hot *secp256k1.PrivKey
	id  uint64
}

func marketKeys(n int) (keys []*secp256k1.PrivKey) {
	for i := range n {
		keys = append(keys, newKey(fmt.Sprintf("owner-%d", i)))
	}
	return keys
}

// newMarket registers workers and opens an account for each owner, all in a few blocks.
func newMarket(c *chain, owners []*secp256k1.PrivKey, workers int) *market {
	c.t.Helper()
	m := &market{c: c}
	for i := range workers {
		w := marketWorker{hot: newKey(fmt.Sprintf("hot-%d", i))}
		var res nodetypes.MsgRegisterWorkerResponse
		c.send(c.validator, 500_000, nil, transfer(addressOf(c.validator), addressOf(w.hot), 1_000_000_000))
		c.send(c.validator, 500_000, &res, registration(c.validator, w.hot, fmt.Sprintf("peer-%d", i)))
		w.id = res.WorkerId
		m.workers = append(m.workers, w)
	}
	for i, owner := range owners {
		k := marketClient{owner: owner, key: ed25519Key(fmt.Sprintf("client-%d", i))}
		from := addressOf(owner).String()
		var opened dacktypes.MsgDepositResponse
		c.send(owner, 500_000, &opened, &dacktypes.MsgDeposit{Sender: from, Owner: from, Amount: sdk.NewInt64Coin(settlement, deposit)})
		var added dacktypes.MsgAddClientKeyResponse
		c.send(owner, 500_000, &added, &dacktypes.MsgAddClientKey{
			Owner: from, PublicKey: k.key.Public().(ed25519.PublicKey),
			Proof:      ed25519.Sign(k.key, ack.AppendKeyProofSignBytes(nil, ack.HashChainID(chainID), opened.AccountId)),
			SpendLimit: math.NewInt(deposit), LastEpoch: 1_000,
		})
		k.keyID = added.KeyId
		m.clients = append(m.clients, k)
	}
	return m
}

// registration returns a valid registration of a worker.
func registration(operator, hot *secp256k1.PrivKey, name string) *nodetypes.MsgRegisterWorker {
	addr := sdk.ValAddress(addressOf(operator))
	peer := ed25519Key(name)
	return &nodetypes.MsgRegisterWorker{
		Operator: addr.String(), PeerKey: peer.Public().(ed25519.PublicKey),
		PeerProof: ed25519.Sign(peer, ack.AppendPeerProofSignBytes(nil, ack.HashChainID(chainID), addr)),
		Account:   addressOf(hot).String(), Endpoints: []string{"http://127.0.0.1:8080"},
	}
}

// settlement returns a settlement of one worker in the current epoch: that many bytes on lane 0 of each of the clients,
// which ascend.
func (m *market) settlement(worker int, bytes uint64, clients ...int) *dacktypes.MsgSettle {
	m.c.t.Helper()
	epoch, err := m.c.app.EpochKeeper.CurrentNumber(m.c.ctx())
	require.NoError(m.c.t, err)
	w := m.workers[worker]
	msg := &dacktypes.MsgSettle{Account: addressOf(w.hot).String(), WorkerId: w.id, Epoch: epoch}
	for _, i := range clients {
		k := m.clients[i]
		signed := ack.Sign(k.key, ack.HashChainID(chainID), &ack.Ack{
			Epoch: epoch, KeyID: k.keyID, WorkerID: w.id, Requests: 1, Bytes: bytes, Head: [32]byte{1},
		})
		msg.Acks = append(msg.Acks, dacktypes.Acknowledgement{
			KeyId: signed.KeyID, Requests: signed.Requests, Bytes: signed.Bytes, Head: signed.Head[:], Signature: signed.Signature[:],
		})
	}
	return msg
}
