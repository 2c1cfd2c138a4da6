package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/testutil/devnet"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

func TestTable(t *testing.T) {
	stake := math.NewInt(200_000_000_000)
	s := devnet.Sittings{
		Election: epochtypes.Election{Epoch: 3, Seats: 4, Candidates: 2, Validators: 4, Reveals: 2, Fallback: epochtypes.FALLBACK_HEALTH},
		Height:   40, Steps: 2,
		Rows: []devnet.Sitting{
			{Name: "node0", Tokens: stake, Elected: 3, Held: 3, Power: 2},
			{Name: "node1", Tokens: stake, Elected: 1, Power: 1, WhyNot: "left at height 38: unbonded"},
			{Name: "node2", Tokens: stake},
			{Name: "node3", Tokens: stake, WhyNot: "no beacon key"},
		},
	}
	out := table(s)
	require.Contains(t, out, "epoch 3: 4 seats drawn among 2 of 4 validators, 2 reveals, fallback draw: health\nheight 40, 2 of 4 steps")
	for _, row := range []string{
		`node0 +200000 +3 +2 *\n`,
		`node1 +200000 +1 +1 +left at height 38: unbonded\n`,
		`node2 +200000 +0 +0 +not drawn\n`,
		`node3 +200000 +0 +0 +no beacon key\n`,
	} {
		require.Regexp(t, row, out)
	}
	s.Election.Fallback = epochtypes.FALLBACK_NONE
	require.NotContains(t, table(s), "fallback")
}
