package main

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/config"
)

// A settlement has a price that it cannot exceed, whatever a node says of gas, unless the operator names another.
func TestMaxFeeFollowsGasPrice(t *testing.T) {
	for _, tc := range []struct {
		price  string
		max    int64
		expect int64
	}{
		{"0.0025uedge", 0, 30_000},
		{"0.1uedge", 0, 1_200_000},
		{"0.00000001uedge", 0, 1},
		{"0.0025uedge", 777, 777},
	} {
		c := config.Default()
		c.Rollup.GasPrice, c.Rollup.MaxFee = tc.price, big.NewInt(tc.max)
		s, err := newSettings(&c)
		require.NoError(t, err)
		require.Equal(t, tc.expect, s.rollup.MaxFee.Int64(), "%+v", tc)
	}
}
