package app_test

import (
	"crypto/ed25519"
	"fmt"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/app"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// Settlements of workers that share clients, of workers that share none, and several of one worker, all in one block with
// deposits, withdrawals and new keys of the same clients: the block gives the same state and the same results whether they run
// one after the other or in parallel, with records in memory or without. The money of a client does not suffice for all, so that the order decides who is paid.
// All clients have their purses in one page: strangers share a record of the state.
func TestExecutorsAgreeOnSettlements(t *testing.T) {
	var hashes [][][]byte
	var results [][]*abci.ExecTxResult
	for _, node := range []struct {
		executor string
		records  int
	}{{"sequential", 0}, {"block-stm", 0}, {"sequential", 256 << 10}, {"block-stm", 1 << 20}} {
		owners := marketKeys(4)
		c := newChainWith(t, map[string]any{
			"block-executor": node.executor, "block-stm-workers": 4, app.FlagRecordCacheBytes: node.records,
		}, owners...)
		m := newMarket(c, owners, 5)
		var hash [][]byte
		var result []*abci.ExecTxResult
		statuses := make(map[dacktypes.AckStatus]int)
		for round := range uint64(3) {
			c.closeEpoch()
			settle := func(worker int, offset uint64, gib uint64, clients ...int) []byte {
				return c.tx(m.workers[worker].hot, 500_000, offset, m.settlement(worker, gib<<30, clients...))
			}
			deposit := func(client int, offset uint64, amount int64) []byte {
				owner := addressOf(m.clients[client].owner).String()
				return c.tx(m.clients[client].owner, 500_000, offset, &dacktypes.MsgDeposit{
					Sender: owner, Owner: owner, Amount: sdk.NewInt64Coin(settlement, amount),
				})
			}
			withdraw := func(client int, offset uint64, amount int64) []byte {
				owner := addressOf(m.clients[client].owner).String()
				return c.tx(m.clients[client].owner, 500_000, offset, &dacktypes.MsgRequestWithdrawal{
					Owner: owner, Amount: sdk.NewInt64Coin(settlement, amount),
				})
			}
			addKey := func(client int, offset uint64) []byte {
				owner := addressOf(m.clients[client].owner).String()
				key := ed25519Key(fmt.Sprintf("client-%d-%d", client, round))
				return c.tx(m.clients[client].owner, 500_000, offset, &dacktypes.MsgAddClientKey{
					Owner: owner, PublicKey: key.Public().(ed25519.PublicKey),
					Proof:      ed25519.Sign(key, ack.AppendKeyProofSignBytes(nil, ack.HashChainID(chainID), uint64(client+1))),
					SpendLimit: math.NewInt(1), LastEpoch: 1_000,
				})
			}
			res := c.block(
				settle(0, 0, 300, 0, 1), // 3,000,000 of each
				deposit(0, 0, 1_000_000),
				settle(1, 0, 200, 0, 1), // shares both clients
				withdraw(3, 0, 10),
				settle(2, 0, 100, 2), // shares none
				addKey(1, 0),
				settle(3, 0, 400, 1, 2),
				settle(0, 1, 310+round, 0), // the same lane as the first
				addKey(2, 0),
				deposit(2, 1, 7),
				settle(4, 0, 10, 3),
				settle(4, 1, 20, 3),
				withdraw(3, 1, 20),
				settle(1, 1, 10, 3),
				deposit(3, 2, 5),
				withdraw(0, 1, 1_000_000_000_000), // more than there is
			)
			for i, r := range res {
				if i == len(res)-1 {
					require.NotZero(t, r.Code)
					continue
				}
				require.Zero(t, r.Code, "%d: %s", i, r.Log)
				var data sdk.TxMsgData
				require.NoError(t, data.Unmarshal(r.Data))
				if data.MsgResponses[0].TypeUrl != "/"+proto.MessageName(&dacktypes.MsgSettleResponse{}) {
					continue
				}
				var settled dacktypes.MsgSettleResponse
				require.NoError(t, settled.Unmarshal(data.MsgResponses[0].Value))
				for _, s := range settled.Results {
					statuses[s.Status]++
				}
			}
			hash = append(hash, c.last.AppHash)
			result = append(result, res...)
			require.NoError(t, c.app.DackKeeper.CheckInvariants(c.ctx()))
		}
		require.Greater(t, len(statuses), 1, "not all are paid in full")
		c.closeEpoch()
		hash = append(hash, c.last.AppHash)
		hashes, results = append(hashes, hash), append(results, result)
	}
	for i := range hashes {
		require.Equal(t, results[0], results[i])
		require.Equal(t, hashes[0], hashes[i])
	}
}
