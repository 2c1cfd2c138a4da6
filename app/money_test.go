package app_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/app"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// money is a client with an account and a key, and a worker of the validator.
type money struct {
	c       *chain
	client  *secp256k1.PrivKey
	hot     *secp256k1.PrivKey
	key     ed25519.PrivateKey
	worker  uint64
	keyID   uint64
	account uint64
	// claimed is what the lane's newest acknowledgement claims, in its epoch.
	claimed uint64
	epoch   uint64
}

const deposit = 10_000_000

func newMoney(c *chain, client *secp256k1.PrivKey) *money {
	c.t.Helper()
	m := &money{c: c, client: client, hot: newKey("hot"), key: ed25519Key("client")}
	chain := ack.HashChainID(chainID)
	operator := sdk.ValAddress(addressOf(c.validator))

	c.send(c.validator, 300_000, nil, transfer(addressOf(c.validator), addressOf(m.hot), 1_000_000_000))
	peer := ed25519Key("worker")
	var registered nodetypes.MsgRegisterWorkerResponse
	c.send(c.validator, 400_000, &registered, &nodetypes.MsgRegisterWorker{
		Operator: operator.String(), PeerKey: peer.Public().(ed25519.PublicKey),
		PeerProof: ed25519.Sign(peer, ack.AppendPeerProofSignBytes(nil, chain, operator)),
		Account:   addressOf(m.hot).String(), Endpoints: []string{"http://127.0.0.1:8080"},
	})
	m.worker = registered.WorkerId

	owner := addressOf(client).String()
	var opened dacktypes.MsgDepositResponse
	c.send(client, 400_000, &opened, &dacktypes.MsgDeposit{Sender: owner, Owner: owner, Amount: sdk.NewInt64Coin(settlement, deposit)})
	m.account = opened.AccountId
	var added dacktypes.MsgAddClientKeyResponse
	c.send(client, 400_000, &added, &dacktypes.MsgAddClientKey{
		Owner: owner, PublicKey: m.key.Public().(ed25519.PublicKey),
		Proof:      ed25519.Sign(m.key, ack.AppendKeyProofSignBytes(nil, chain, m.account)),
		SpendLimit: math.NewInt(deposit), LastEpoch: 1_000,
	})
	m.keyID = added.KeyId
	return m
}

// settle acknowledges that many bytes more in the current epoch and settles them. It returns what was paid.
func (m *money) settle(bytes uint64) int64 {
	c := m.c
	c.t.Helper()
	epoch, err := c.app.EpochKeeper.CurrentNumber(c.ctx())
	require.NoError(c.t, err)
	if epoch != m.epoch {
		m.epoch, m.claimed = epoch, 0
	}
	m.claimed += bytes
	signed := ack.Sign(m.key, ack.HashChainID(chainID), &ack.Ack{
		Epoch: epoch, KeyID: m.keyID, WorkerID: m.worker, Requests: 1, Bytes: m.claimed, Head: [32]byte{1},
	})
	var res dacktypes.MsgSettleResponse
	c.send(m.hot, 500_000, &res, &dacktypes.MsgSettle{
		Account: addressOf(m.hot).String(), WorkerId: m.worker, Epoch: epoch,
		Acks: []dacktypes.Acknowledgement{{
			KeyId: signed.KeyID, Requests: signed.Requests, Bytes: signed.Bytes, Head: signed.Head[:], Signature: signed.Signature[:],
		}},
	})
	paid := res.Results[0].Paid.Int64()
	if paid == 0 {
		require.Equal(c.t, dacktypes.ACK_STATUS_NOTHING_DUE, res.Results[0].Status)
	} else {
		require.Equal(c.t, dacktypes.ACK_STATUS_PAID, res.Results[0].Status)
	}
	return paid
}

// closeEpoch makes blocks until the closing of the epoch that is open now is done.
func (c *chain) closeEpoch() uint64 {
	c.t.Helper()
	epoch, err := c.app.EpochKeeper.CurrentNumber(c.ctx())
	require.NoError(c.t, err)
	for range 3 * int(epochTime/blockTime) {
		c.block()
		if s, err := c.app.RewardsKeeper.Summary(c.ctx(), epoch); err == nil && s.Done {
			return epoch
		}
	}
	c.t.Fatalf("epoch %d was not closed", epoch)
	return 0
}

// The whole path of the money, by balances alone: what the client lost is what node and community pool got.
func TestMoneyPath(t *testing.T) {
	alice := newKey("alice")
	c := newChain(t, alice)
	m := newMoney(c, alice)
	c.closeEpoch() // what follows lies in one epoch
	operator := addressOf(c.validator)
	dack := authtypes.NewModuleAddress(dacktypes.ModuleName)
	pool := authtypes.NewModuleAddress(distrtypes.ModuleName)
	require.EqualValues(t, deposit, c.balance(dack, settlement))
	require.EqualValues(t, wealth-deposit, c.balance(addressOf(alice), settlement))
	operatorBefore, poolBefore := c.balance(operator, settlement), c.balance(pool, settlement)

	// 10,000 a GiB: sizes whose prices and shares do not divide evenly.
	paid := m.settle(1<<30+12345) + m.settle(7) + m.settle(3<<30+99_999_999)
	want := int64((uint64(4<<30+12345+7+99_999_999) * 10_000) >> 30)
	require.Equal(t, want, paid)
	require.EqualValues(t, deposit, c.balance(dack, settlement), "no coins move in a settlement")

	epoch := c.closeEpoch()
	node := paid * 80 / 100
	require.Equal(t, operatorBefore+node, c.balance(operator, settlement))
	require.Equal(t, poolBefore+paid-node, c.balance(pool, settlement))
	require.EqualValues(t, deposit-paid, c.balance(dack, settlement))

	summary, err := c.app.RewardsKeeper.Summary(c.ctx(), epoch)
	require.NoError(t, err)
	require.Equal(t, paid, summary.Debited.Int64())
	require.Equal(t, node, summary.Nodes.Int64())
	require.Equal(t, paid-node, summary.Community.Int64())
	require.True(t, summary.SetAside.IsZero())

	// What is left goes back to its owner.
	c.send(alice, 400_000, nil, &dacktypes.MsgRequestWithdrawal{
		Owner: addressOf(alice).String(), Amount: sdk.NewInt64Coin(settlement, deposit-paid),
	})
	for range 3 {
		c.closeEpoch()
	}
	require.Zero(t, c.balance(dack, settlement))
	require.Equal(t, wealth-paid, c.balance(addressOf(alice), settlement))

	// The worker is removed and its deposit returned.
	held := c.balance(authtypes.NewModuleAddress(nodetypes.ModuleName), app.BondDenom)
	require.EqualValues(t, nodetypes.DefaultWorkerDeposit, held)
	c.send(c.validator, 300_000, nil, &nodetypes.MsgRemoveWorker{Operator: sdk.ValAddress(operator).String(), WorkerId: m.worker})
	for range 3 {
		c.closeEpoch()
	}
	require.Zero(t, c.balance(authtypes.NewModuleAddress(nodetypes.ModuleName), app.BondDenom))
}
