package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// When x/staking removes a validator whose stake is all gone, x/node forgets its node, and no other one.
func TestNodeGoesWithItsValidator(t *testing.T) {
	const unbonding = 5 * time.Second
	c := newCommittee(t, setup{stakes: sevenStakes(), change: func(c *chain, state app.GenesisState) {
		edit(t, c, state, stakingtypes.ModuleName, func(gs *stakingtypes.GenesisState) { gs.Params.UnbondingTime = unbonding })
	}})
	gone, stays := c.validators[5], c.validators[4]
	c.send(gone.operator, 500_000, nil, stakingtypes.NewMsgUndelegate(
		addressOf(gone.operator).String(), gone.address().String(), stakingCoin(gone.stake)))
	_, err := c.app.NodeKeeper.Node(c.ctx(), gone.address())
	require.NoError(t, err, "while the stake unbonds the validator is there")
	c.blocks(int(unbonding/blockTime) + 1)
	_, err = c.app.StakingKeeper.GetValidator(c.ctx(), gone.address())
	require.ErrorIs(t, err, stakingtypes.ErrNoValidatorFound)
	_, err = c.app.NodeKeeper.Node(c.ctx(), gone.address())
	require.ErrorIs(t, err, nodetypes.ErrNodeNotFound)
	_, err = c.app.NodeKeeper.Node(c.ctx(), stays.address())
	require.NoError(t, err)
}
