package app_test

import (
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// CheckTx looks at no signature of an acknowledgement: a settlement whose acknowledgements are all forged gets into the
// mempool, pays its fee, and is refused item by item when it is executed. Simulations and checks leave no trace in the purses.
func TestCheckTxVerifiesNoAcknowledgement(t *testing.T) {
	owners := marketKeys(2)
	c := newChain(t, owners...)
	m := newMarket(c, owners, 1)
	msg := m.settlement(0, 1<<30, 0, 1)
	good := c.tx(m.workers[0].hot, 500_000, 0, msg)
	forged := m.settlement(0, 1<<30, 0, 1)
	for i := range forged.Acks {
		forged.Acks[i].Signature = make([]byte, len(forged.Acks[i].Signature))
	}
	bad := c.tx(m.workers[0].hot, 500_000, 0, forged)

	check := func(tx []byte) {
		t.Helper()
		res, err := c.app.CheckTx(&abci.RequestCheckTx{Tx: tx, Type: abci.CheckTxType_Recheck})
		require.NoError(t, err)
		require.Zero(t, res.Code, res.Log)
	}
	balance := func(want int64) {
		t.Helper()
		a, err := c.app.DackKeeper.Account(c.ctx(), 1)
		require.NoError(t, err)
		require.Equal(t, want, a.Balance.Int64())
		require.Equal(t, want, c.queryAccount(0, 1).Account.Balance.Int64())
		require.NoError(t, c.app.DackKeeper.CheckInvariants(c.ctx()))
	}
	for range 2 {
		_, res, err := c.app.Simulate(good)
		require.NoError(t, err)
		var settled dacktypes.MsgSettleResponse
		require.NoError(t, settled.Unmarshal(res.MsgResponses[0].Value))
		require.Equal(t, dacktypes.ACK_STATUS_PAID, settled.Results[0].Status, "a simulation pays nothing that lasts")
	}
	check(bad)
	balance(deposit)

	statuses := func(tx []byte) (statuses []dacktypes.AckStatus) {
		t.Helper()
		res := c.block(tx)[0]
		require.Zero(t, res.Code, res.Log)
		var data sdk.TxMsgData
		require.NoError(t, data.Unmarshal(res.Data))
		var settled dacktypes.MsgSettleResponse
		require.NoError(t, settled.Unmarshal(data.MsgResponses[0].Value))
		for _, r := range settled.Results {
			statuses = append(statuses, r.Status)
		}
		return statuses
	}
	require.Equal(t, []dacktypes.AckStatus{dacktypes.ACK_STATUS_BAD_SIGNATURE, dacktypes.ACK_STATUS_BAD_SIGNATURE}, statuses(bad))
	before := c.height() - 1
	require.Equal(t, []dacktypes.AckStatus{dacktypes.ACK_STATUS_PAID, dacktypes.ACK_STATUS_PAID}, statuses(c.tx(m.workers[0].hot, 500_000, 0, msg)))
	balance(deposit - 10_000)
	require.EqualValues(t, deposit, c.queryAccount(before, 1).Account.Balance.Int64(), "an older height has its own purses")
}

// queryAccount asks for a client account as a node's clients do, at a height or at the last one.
func (c *chain) queryAccount(height int64, id uint64) dacktypes.QueryAccountResponse {
	c.t.Helper()
	req := dacktypes.QueryAccountRequest{Id: id}
	data, err := req.Marshal()
	require.NoError(c.t, err)
	res, err := c.app.Query(c.t.Context(), &abci.RequestQuery{Path: "/edge.dack.v1.Query/Account", Data: data, Height: height})
	require.NoError(c.t, err)
	require.Zero(c.t, res.Code, res.Log)
	var account dacktypes.QueryAccountResponse
	require.NoError(c.t, account.Unmarshal(res.Value))
	return account
}
