package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
	"github.com/cosmos/cosmos-sdk/x/authz"

	"github.com/edgechain/edge/app"
)

// An account vests in a hundred periods and no more, by x/authz too: each unbonding of it that ends reads and writes all of them.
func TestVestingPeriodsAreFew(t *testing.T) {
	alice, bob := newKey("alice"), newKey("bob")
	c := newChain(t, alice, bob)
	from, to := addressOf(alice), addressOf(newKey("carol"))
	message := func(periods int) sdk.Msg {
		all := make([]vestingtypes.Period, periods)
		for i := range all {
			all[i] = vestingtypes.Period{Length: 1, Amount: sdk.NewCoins(stakingCoin(1))}
		}
		return vestingtypes.NewMsgCreatePeriodicVestingAccount(from, to, c.now.Unix(), all)
	}
	requireRefused(t, app.ErrManyPeriods, c.block(c.tx(alice, 5_000_000, 0, message(101)))[0])
	c.grant(alice, addressOf(bob), authz.NewGenericAuthorization(sdk.MsgTypeURL(message(1))))
	exec := authz.NewMsgExec(addressOf(bob), []sdk.Msg{message(101)})
	requireRefused(t, app.ErrManyPeriods, c.block(c.tx(bob, 5_000_000, 0, &exec))[0])
	require.Nil(t, c.app.AccountKeeper.GetAccount(c.ctx(), to))

	exec = authz.NewMsgExec(addressOf(bob), []sdk.Msg{message(100)})
	c.must(c.tx(bob, 5_000_000, 0, &exec))
	account, ok := c.app.AccountKeeper.GetAccount(c.ctx(), to).(*vestingtypes.PeriodicVestingAccount)
	require.True(t, ok)
	require.Len(t, account.VestingPeriods, 100)
}
