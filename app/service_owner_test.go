package app_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"

	"github.com/edgechain/edge/ack"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// The owner share of what is debited in an epoch goes to whom the service belonged to in it, whoever owns it when the epoch is
// paid, also if it is gone by then.
func TestOwnerShareOfTheEpochOfTheDebit(t *testing.T) {
	keys := marketKeys(3)
	client, seller, buyer := keys[0], keys[1], keys[2]
	c := newChain(t, keys...)
	m := newMarket(c, keys[:1], 1)
	require.Equal(t, client, m.clients[0].owner)
	text := func(key *secp256k1.PrivKey) string { return addressOf(key).String() }
	var published dacktypes.MsgPublishServiceResponse
	c.send(seller, 500_000, &published, &dacktypes.MsgPublishService{
		Owner: text(seller), Name: "function", CodeHash: bytes.Repeat([]byte{1}, dacktypes.CodeHashSize), Replicas: 1,
	})
	current := func() uint64 {
		epoch, err := c.app.EpochKeeper.CurrentNumber(c.ctx())
		require.NoError(t, err)
		return epoch
	}
	// At the default prices a GiB costs 10,000.
	settle := func(epoch, gib uint64) {
		t.Helper()
		signed := ack.Sign(m.clients[0].key, ack.HashChainID(chainID), &ack.Ack{
			Epoch: epoch, KeyID: m.clients[0].keyID, WorkerID: m.workers[0].id, ServiceID: published.ServiceId, Requests: 1, Bytes: gib << 30, Head: [32]byte{1},
		})
		var res dacktypes.MsgSettleResponse
		c.send(m.workers[0].hot, 500_000, &res, &dacktypes.MsgSettle{
			Account: text(m.workers[0].hot), WorkerId: m.workers[0].id, Epoch: epoch, Acks: []dacktypes.Acknowledgement{dacktypes.NewAcknowledgement(&signed)},
		})
		require.Equal(t, dacktypes.ACK_STATUS_PAID, res.Results[0].Status)
	}
	c.closeEpoch()
	e := current()
	sold, bought := c.balance(addressOf(seller), settlement), c.balance(addressOf(buyer), settlement)
	settle(e, 1)
	c.send(seller, 500_000, nil, &dacktypes.MsgTransferService{Owner: text(seller), ServiceId: published.ServiceId, NewOwner: text(buyer)})
	settle(e, 3) // after the transfer, in its epoch
	require.Equal(t, e, c.closeEpoch())
	require.Equal(t, sold+4_500, c.balance(addressOf(seller), settlement), "15 % of 30,000")
	require.Equal(t, bought, c.balance(addressOf(buyer), settlement))

	require.Equal(t, e+1, current())
	settle(e, 4) // delivered before, debited now
	settle(e+1, 2)
	c.send(buyer, 500_000, nil, &dacktypes.MsgRemoveService{Owner: text(buyer), ServiceId: published.ServiceId})
	require.Equal(t, bought, c.balance(addressOf(buyer), settlement), "the deposit stays as long as the record")
	require.Equal(t, e+1, c.closeEpoch())
	require.Equal(t, sold+4_500, c.balance(addressOf(seller), settlement))
	require.Equal(t, bought+4_500, c.balance(addressOf(buyer), settlement), "15 % of 30,000, of a service that is removed")
	require.NoError(t, c.app.DackKeeper.CheckInvariants(c.ctx()))
	require.Equal(t, e+2, c.closeEpoch())
	require.Equal(t, bought+4_500+dacktypes.DefaultServiceDeposit, c.balance(addressOf(buyer), settlement))
	require.NoError(t, c.app.DackKeeper.CheckInvariants(c.ctx()))
}
