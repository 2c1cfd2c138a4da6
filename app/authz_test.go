package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"

	dackkeeper "github.com/edgechain/edge/x/dack/keeper"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodekeeper "github.com/edgechain/edge/x/node/keeper"
)

// Whoever has a grant acts for the granter, in our modules as everywhere, and nobody without one does. The rules of a
// message hold on this way too, where no decorator of the ante handler sees it.
func TestMessagesThroughAuthz(t *testing.T) {
	owners := append(marketKeys(2), newKey("grantee"))
	c := newChain(t, owners...)
	m := newMarket(c, owners[:2], 1)
	grantee := owners[2]
	c.closeEpoch()
	exec := func(msg sdk.Msg) []byte {
		wrapped := authz.NewMsgExec(addressOf(grantee), []sdk.Msg{msg})
		return c.tx(grantee, 1_000_000, 0, &wrapped)
	}
	withdrawal := &dacktypes.MsgRequestWithdrawal{
		Owner: addressOf(owners[0]).String(), Amount: sdk.NewInt64Coin(settlement, 1_000),
	}
	for _, tt := range []struct {
		name    string
		granter *secp256k1.PrivKey
		message func() sdk.Msg
	}{
		{"settle", m.workers[0].hot, func() sdk.Msg { return m.settlement(0, 1<<30, 0, 1) }},
		{"register a worker", c.validator, func() sdk.Msg { return registration(c.validator, newKey("other hot"), "other peer") }},
		{"withdraw", owners[0], func() sdk.Msg { return withdrawal }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := c.export()
			res := c.block(exec(tt.message()))
			require.Equal(t, authz.ErrNoAuthorizationFound.Codespace(), res[0].Codespace, res[0].Log)
			require.Equal(t, authz.ErrNoAuthorizationFound.ABCICode(), res[0].Code, res[0].Log)
			after := c.export()
			for _, name := range []string{"dack", "node"} {
				require.JSONEq(t, string(before.state[name]), string(after.state[name]))
			}

			expires := c.now.Add(time.Hour)
			grant, err := authz.NewMsgGrant(addressOf(tt.granter), addressOf(grantee),
				authz.NewGenericAuthorization(sdk.MsgTypeURL(tt.message())), &expires)
			require.NoError(t, err)
			c.send(tt.granter, 300_000, nil, grant)
			res = c.block(exec(tt.message()))
			require.Zero(t, res[0].Code, res[0].Log)
		})
	}

	twice := m.settlement(0, 2<<30, 0, 1)
	twice.Acks[1] = twice.Acks[0]
	res := c.block(exec(twice))
	require.Equal(t, dacktypes.ModuleName, res[0].Codespace, res[0].Log)
	require.NotZero(t, res[0].Code)
}

// Both registrations of a key take the same gas before they look at it.
func TestKeyProofsCostTheSame(t *testing.T) {
	const want = 6_000
	alice := newKey("alice")
	c := newChain(t, alice)
	meter := storetypes.NewInfiniteGasMeter()
	worker := registration(c.validator, alice, "peer")
	worker.PeerKey = make([]byte, 32)
	_, err := nodekeeper.NewMsgServerImpl(c.app.NodeKeeper).RegisterWorker(c.ctx().WithGasMeter(meter), worker)
	require.Error(t, err)
	require.EqualValues(t, want, meter.GasConsumed())

	meter = storetypes.NewInfiniteGasMeter()
	_, err = dackkeeper.NewMsgServerImpl(c.app.DackKeeper).AddClientKey(c.ctx().WithGasMeter(meter), &dacktypes.MsgAddClientKey{
		Owner: addressOf(alice).String(), PublicKey: make([]byte, 32), Proof: make([]byte, 64),
		SpendLimit: math.OneInt(), LastEpoch: 1_000,
	})
	require.Error(t, err)
	require.EqualValues(t, want, meter.GasConsumed())
}
