package app_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// sevenStakes are unequal, and small enough that some of their owners are not drawn.
func sevenStakes() []int64 {
	return []int64{900_000_000, 800_000_000, 700_000_000, 650_000_000, 600_000_000, 500_000_001, 333_333_333}
}

// CometBFT's set follows the drawn committees over twenty epochs, through every step of every hand-over, as a second
// implementation works them out.
func TestCommitteeFollowsTheDraw(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes()})
	m := newModel(c)
	committees := make(map[string]bool)
	steps := make(map[uint32]int)
	for c.epoch().Number <= 20 {
		c.block()
		height := c.app.LastBlockHeight()
		require.Equal(t, m.powers(), c.powers(height+2), "set sent in block %d", height)
		h, err := c.app.EpochKeeper.HandOver(c.ctx())
		require.NoError(t, err)
		steps[h.Steps]++
		if h.Steps == 4 {
			committees[fmt.Sprint(c.powers(height+2))] = true
		}
	}
	require.GreaterOrEqual(t, len(committees), 10)
	for step := uint32(1); step <= 4; step++ {
		require.GreaterOrEqual(t, steps[step], 20, "step %d", step)
	}
	for epoch := uint64(2); epoch <= 20; epoch++ {
		e := c.election(epoch)
		require.Equal(t, epochtypes.FALLBACK_NONE, e.Fallback, "epoch %d", epoch)
		require.Equal(t, e.ClosingHeight-e.FreezeHeight, int64(e.Reveals), "epoch %d: everybody revealed", epoch)
		require.Equal(t, m.seed(epoch), e.Seed)
		require.Empty(t, c.committee(epoch).Leavings)
	}
}
