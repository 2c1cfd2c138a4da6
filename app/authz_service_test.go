package app_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	errorsmod "cosmossdk.io/errors"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"

	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// A grant lets the grantee do what the granter could, and nothing else: no grant of a stranger or of a former owner reaches a
// service, and what ValidateBasic refuses is refused inside of authz, where ValidateBasic is not called.
func TestServicesThroughAuthz(t *testing.T) {
	keys := append(marketKeys(2), newKey("grantee"))
	owner, heir, grantee := keys[0], keys[1], keys[2]
	c := newChain(t, keys...)
	text := func(key *secp256k1.PrivKey) string { return addressOf(key).String() }
	update := func(key *secp256k1.PrivKey, id uint64) *dacktypes.MsgUpdateService {
		return &dacktypes.MsgUpdateService{
			Owner: text(key), ServiceId: id, Name: "renamed", CodeHash: bytes.Repeat([]byte{2}, dacktypes.CodeHashSize), Replicas: 1,
			Status: dacktypes.SERVICE_STATUS_PAUSED,
		}
	}
	var published dacktypes.MsgPublishServiceResponse
	c.send(owner, 500_000, &published, &dacktypes.MsgPublishService{
		Owner: text(owner), Name: "function", CodeHash: bytes.Repeat([]byte{1}, dacktypes.CodeHashSize), Replicas: 1,
	})
	id := published.ServiceId
	refused := func(want *errorsmod.Error, msg sdk.Msg) {
		t.Helper()
		before := c.export()
		wrapped := authz.NewMsgExec(addressOf(grantee), []sdk.Msg{msg})
		res := c.block(c.tx(grantee, 1_000_000, 0, &wrapped))
		require.Equal(t, want.Codespace(), res[0].Codespace, res[0].Log)
		require.Equal(t, want.ABCICode(), res[0].Code, res[0].Log)
		require.JSONEq(t, string(before.state[dacktypes.ModuleName]), string(c.export().state[dacktypes.ModuleName]))
	}
	grant := func(granter *secp256k1.PrivKey, msgs ...sdk.Msg) {
		t.Helper()
		expires := c.now.Add(time.Hour)
		for _, msg := range msgs {
			g, err := authz.NewMsgGrant(addressOf(granter), addressOf(grantee), authz.NewGenericAuthorization(sdk.MsgTypeURL(msg)), &expires)
			require.NoError(t, err)
			c.send(granter, 300_000, nil, g)
		}
	}
	changes := func(key *secp256k1.PrivKey) []sdk.Msg {
		return []sdk.Msg{
			update(key, id),
			&dacktypes.MsgTransferService{Owner: text(key), ServiceId: id, NewOwner: text(grantee)},
			&dacktypes.MsgRemoveService{Owner: text(key), ServiceId: id},
		}
	}
	for _, msg := range changes(owner) {
		refused(authz.ErrNoAuthorizationFound, msg)
	}
	grant(heir, changes(heir)...)
	for _, msg := range changes(heir) {
		refused(dacktypes.ErrWrongOwner, msg)
	}
	grant(owner, changes(owner)...)
	bad := update(owner, id)
	bad.Status = dacktypes.SERVICE_STATUS_REMOVED
	refused(dacktypes.ErrInvalidServiceStatus, bad)
	bad = update(owner, dacktypes.ContentServiceID)
	refused(dacktypes.ErrProtocolService, bad)

	wrapped := authz.NewMsgExec(addressOf(grantee), []sdk.Msg{update(owner, id)})
	c.send(grantee, 1_000_000, nil, &wrapped)
	service, err := c.app.DackKeeper.Service(c.ctx(), id)
	require.NoError(t, err)
	require.Equal(t, "renamed", service.Name)

	c.send(owner, 500_000, nil, &dacktypes.MsgTransferService{Owner: text(owner), ServiceId: id, NewOwner: text(heir)})
	for _, msg := range changes(owner) {
		refused(dacktypes.ErrWrongOwner, msg)
	}
}
