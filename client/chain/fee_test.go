package chain

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/client/grpc/node"
	sdk "github.com/cosmos/cosmos-sdk/types"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"

	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// A node names gas and its price, and the fee is taken whole: one that lies must not be able to have all that an address holds.
func TestFeesAreBounded(t *testing.T) {
	for name, tc := range map[string]struct {
		price string
		gas   uint64
		max   uint64
		want  string
	}{
		"usual":                   {price: "0.0025uedge", gas: 100_000},
		"ten times the price":     {price: "0.025uedge", gas: 100_000},
		"more":                    {price: "0.0251uedge", gas: 100_000, want: "gas price of 0.025100000000000000uedge, more than 10 times"},
		"all that is there":       {price: "7uedge", gas: 100_000, want: "--max-fee"},
		"gas beyond the message":  {price: "0.0025uedge", gas: 800_000, want: "more than the 1000000 gas"},
		"gas beyond all blocks":   {price: "0.0025uedge", gas: math.MaxUint64, want: "no block takes"},
		"allowed":                 {price: "7uedge", gas: 100_000, max: 980_000},
		"not allowed by one unit": {price: "7uedge", gas: 100_000, max: 979_999, want: "asks for a fee of 980000uedge; --max-fee allows 979999uedge"},
		"usual and not allowed":   {price: "0.0025uedge", gas: 100_000, max: 349, want: "--max-fee allows 349uedge"},
	} {
		t.Run(name, func(t *testing.T) {
			n, c, s := newFake(t)
			c.cfg.MaxFee = tc.max
			n.answers["/cosmos.base.node.v1beta1.Service/Config"] = &node.ConfigResponse{MinimumGasPrice: tc.price}
			n.answers["/cosmos.tx.v1beta1.Service/Simulate"] = &txtypes.SimulateResponse{GasInfo: &sdk.GasInfo{GasUsed: tc.gas}}
			n.response = &dacktypes.MsgDepositResponse{AccountId: 9}
			_, _, err := c.Deposit(t.Context(), s, "", sdk.NewInt64Coin("uusd", 300))
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			var fee *FeeError
			require.ErrorAs(t, err, &fee)
			require.ErrorContains(t, err, tc.want)
			require.Empty(t, n.sent)
		})
	}
}
