package app_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"

	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// Services and client keys are changed by their owner, whichever way a message comes: on behalf of somebody only with a grant, and
// governance cannot touch what others own.
func TestOwnersAreAskedOnEveryWay(t *testing.T) {
	owner, grantee := marketKeys(1)[0], newKey("grantee")
	c := newGovernedChain(t, owner, grantee)
	m := newMarket(c, marketKeys(1), 1)
	from, gov := addressOf(owner).String(), authtypes.NewModuleAddress(govtypes.ModuleName).String()
	publish := func(name string) *dacktypes.MsgPublishService {
		return &dacktypes.MsgPublishService{Owner: from, Name: name, CodeHash: bytes.Repeat([]byte{1}, dacktypes.CodeHashSize), Replicas: 1}
	}
	var published dacktypes.MsgPublishServiceResponse
	c.send(owner, 500_000, &published, publish("first"))
	id := published.ServiceId
	epoch, err := c.app.EpochKeeper.CurrentNumber(c.ctx())
	require.NoError(t, err)

	messages := func(signer string) []sdk.Msg {
		msg := publish("second")
		msg.Owner = signer
		return []sdk.Msg{
			msg,
			&dacktypes.MsgUpdateService{
				Owner: signer, ServiceId: id, Name: "other", CodeHash: msg.CodeHash, Replicas: 2, Status: dacktypes.SERVICE_STATUS_PAUSED,
			},
			&dacktypes.MsgUpdateClientKey{Owner: signer, KeyId: m.clients[0].keyID, SpendLimit: math.NewInt(5), LastEpoch: epoch + 9},
			&dacktypes.MsgRevokeClientKey{Owner: signer, KeyId: m.clients[0].keyID},
			&dacktypes.MsgTransferService{Owner: signer, ServiceId: id, NewOwner: addressOf(grantee).String()},
			&dacktypes.MsgRemoveService{Owner: signer, ServiceId: id},
		}
	}
	exec := func(msg sdk.Msg) []byte {
		wrapped := authz.NewMsgExec(addressOf(grantee), []sdk.Msg{msg})
		return c.tx(grantee, 1_000_000, 0, &wrapped)
	}
	owned := func() ([]dacktypes.Service, []dacktypes.ClientKey) {
		t.Helper()
		gs, err := c.app.DackKeeper.ExportGenesis(c.ctx())
		require.NoError(t, err)
		return gs.Services, gs.Keys
	}

	services, keys := owned()
	for _, msg := range messages(from) {
		// In another's name.
		res := c.block(exec(msg))
		require.Equal(t, authz.ErrNoAuthorizationFound.ABCICode(), res[0].Code, "%T: %s", msg, res[0].Log)
		// By a proposal in the owner's name.
		params, err := c.app.GovKeeper.Params.Get(c.ctx())
		require.NoError(t, err)
		submit, err := govv1.NewMsgSubmitProposal([]sdk.Msg{msg}, params.MinDeposit, addressOf(grantee).String(), "", "title", "summary", false)
		require.NoError(t, err)
		res = c.block(c.tx(grantee, 2_000_000, 0, submit))
		require.Equal(t, govtypes.ErrInvalidSigner.ABCICode(), res[0].Code, "%T: %s", msg, res[0].Log)
	}
	for _, msg := range messages(addressOf(grantee).String())[1:] {
		// As whoever one is.
		res := c.block(c.tx(grantee, 1_000_000, 0, msg))
		require.Equal(t, dacktypes.ModuleName, res[0].Codespace, "%T: %s", msg, res[0].Log)
		require.NotZero(t, res[0].Code, "%T", msg)
	}
	for _, msg := range messages(gov)[1:] {
		// By a vote of all.
		proposal := c.govern(msg)
		require.Equal(t, govv1.StatusFailed, proposal.Status, "%T", msg)
	}
	servicesAfter, keysAfter := owned()
	require.Equal(t, services, servicesAfter)
	require.Equal(t, keys, keysAfter)

	// With a grant each of them is as if the owner had sent it.
	for _, msg := range messages(from) {
		if _, last := msg.(*dacktypes.MsgRemoveService); last {
			break // it has been transferred
		}
		expires := c.now.Add(time.Hour)
		grant, err := authz.NewMsgGrant(addressOf(owner), addressOf(grantee), authz.NewGenericAuthorization(sdk.MsgTypeURL(msg)), &expires)
		require.NoError(t, err)
		c.send(owner, 300_000, nil, grant)
		res := c.block(exec(msg))
		require.Zero(t, res[0].Code, "%T: %s", msg, res[0].Log)
	}
	res := c.block(c.tx(owner, 1_000_000, 0, messages(from)[5]))
	require.Equal(t, dacktypes.ErrWrongOwner.ABCICode(), res[0].Code, res[0].Log)
	wallet := c.app.BankKeeper.GetBalance(c.ctx(), addressOf(grantee), settlement).Amount
	c.send(grantee, 500_000, nil, messages(addressOf(grantee).String())[5])
	params, err := c.app.DackKeeper.Params(c.ctx())
	require.NoError(t, err)
	back := func() string {
		return c.app.BankKeeper.GetBalance(c.ctx(), addressOf(grantee), settlement).Amount.Sub(wallet).String()
	}
	removed := c.epoch().Number
	for c.epoch().Number < removed+2 {
		require.Equal(t, "0", back(), "records of the service can still be made")
		c.block()
	}
	c.block()
	require.Equal(t, params.ServiceDeposit.String(), back(), "the deposit has gone with the service")
}
