package app_test

import (
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// Settlements of workers that share clients, of workers that share none, and several of one worker, all in one block: the
// block gives the same state and the same results whether they run one after the other or in parallel. The money of a client
// does not suffice for all, so that the order decides who is paid.
func TestExecutorsAgreeOnSettlements(t *testing.T) {
	var hashes [][][]byte
	var results [][]*abci.ExecTxResult
	for _, executor := range []string{"sequential", "block-stm"} {
		owners := marketKeys(4)
		c := newChainWith(t, map[string]any{"block-executor": executor, "block-stm-workers": 4}, owners...)
		m := newMarket(c, owners, 5)
		var hash [][]byte
		var result []*abci.ExecTxResult
		statuses := make(map[dacktypes.AckStatus]int)
		for round := range uint64(3) {
			c.closeEpoch()
			settle := func(worker int, offset uint64, gib uint64, clients ...int) []byte {
				return c.tx(m.workers[worker].hot, 500_000, offset, m.settlement(worker, gib<<30, clients...))
			}
			res := c.block(
				settle(0, 0, 300, 0, 1), // 3,000,000 of each
				settle(1, 0, 200, 0, 1), // shares both clients
				settle(2, 0, 100, 2),    // shares none
				settle(3, 0, 400, 1, 2),
				settle(0, 1, 310+round, 0), // the same lane as the first
				settle(4, 0, 10, 3),
				settle(4, 1, 20, 3),
				settle(1, 1, 10, 3),
			)
			for i, r := range res {
				require.Zero(t, r.Code, "%d: %s", i, r.Log)
				var data sdk.TxMsgData
				require.NoError(t, data.Unmarshal(r.Data))
				var settled dacktypes.MsgSettleResponse
				require.NoError(t, settled.Unmarshal(data.MsgResponses[0].Value))
				for _, s := range settled.Results {
					statuses[s.Status]++
				}
			}
			hash = append(hash, c.last.AppHash)
			result = append(result, res...)
		}
		require.Greater(t, len(statuses), 1, "not all are paid in full")
		c.closeEpoch()
		hash = append(hash, c.last.AppHash)
		hashes, results = append(hashes, hash), append(results, result)
	}
	require.Equal(t, results[0], results[1])
	require.Equal(t, hashes[0], hashes[1])
}
