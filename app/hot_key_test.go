package app_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	"github.com/cosmos/cosmos-sdk/x/feegrant"

	"github.com/edgechain/edge/app"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// workerGrantOverhead is what edge-worker adds for a settlement through grants (worker/rollup.grantOverhead).
const workerGrantOverhead = 60_000

// granted returns a transaction that a key signs and another account pays for.
func (c *chain) granted(key *secp256k1.PrivKey, payer sdk.AccAddress, gas uint64, msgs ...sdk.Msg) []byte {
	c.t.Helper()
	acc := c.app.AccountKeeper.GetAccount(c.ctx(), addressOf(key))
	require.NotNil(c.t, acc, "a grant makes the account")
	cfg := c.app.TxConfig()
	b := cfg.NewTxBuilder()
	require.NoError(c.t, b.SetMsgs(msgs...))
	b.SetGasLimit(gas)
	b.SetFeeAmount(sdk.NewCoins(sdk.NewInt64Coin(app.BondDenom, int64(gas/400)+1)))
	b.SetFeeGranter(payer)
	mode := signing.SignMode_SIGN_MODE_DIRECT
	sig := signing.SignatureV2{PubKey: key.PubKey(), Data: &signing.SingleSignatureData{SignMode: mode}, Sequence: acc.GetSequence()}
	require.NoError(c.t, b.SetSignatures(sig))
	bytes, err := authsigning.GetSignBytesAdapter(context.Background(), cfg.SignModeHandler(), mode, authsigning.SignerData{
		Address: addressOf(key).String(), ChainID: chainID, AccountNumber: acc.GetAccountNumber(), Sequence: acc.GetSequence(), PubKey: key.PubKey(),
	}, b.GetTx())
	require.NoError(c.t, err)
	signature, err := key.Sign(bytes)
	require.NoError(c.t, err)
	sig.Data = &signing.SingleSignatureData{SignMode: mode, Signature: signature}
	require.NoError(c.t, b.SetSignatures(sig))
	out, err := cfg.TxEncoder()(b.GetTx())
	require.NoError(c.t, err)
	return out
}

// A hot key settles for the worker's account by a grant and with its fees, has no coins of its own, and can do nothing else
// with either grant. What the way through the grants takes is the same for every settlement, and less than edge-worker allows.
func TestHotKeyCanOnlySettle(t *testing.T) {
	m := newGasMarket(t)
	c := m.c
	epoch := c.epoch().Number
	cold, hot := m.workers[0].hot, newKey("can only settle")
	expires := c.now.Add(time.Hour)
	grant, err := authz.NewMsgGrant(addressOf(cold), addressOf(hot), authz.NewGenericAuthorization(sdk.MsgTypeURL(&dacktypes.MsgSettle{})), &expires)
	require.NoError(t, err)
	spend := sdk.NewCoins(sdk.NewInt64Coin(app.BondDenom, 150_000))
	inner, err := codectypes.NewAnyWithValue(&feegrant.PeriodicAllowance{
		Basic: feegrant.BasicAllowance{Expiration: &expires}, Period: time.Hour, PeriodReset: expires, PeriodSpendLimit: spend, PeriodCanSpend: spend,
	})
	require.NoError(t, err)
	allowance := &feegrant.AllowedMsgAllowance{Allowance: inner, AllowedMessages: []string{sdk.MsgTypeURL(&authz.MsgExec{})}}
	fees, err := feegrant.NewMsgGrantAllowance(allowance, addressOf(cold), addressOf(hot))
	require.NoError(t, err)
	c.send(cold, 500_000, nil, grant, fees)
	require.True(t, c.app.BankKeeper.GetAllBalances(c.ctx(), addressOf(hot)).IsZero())

	exec := func(msgs ...sdk.Msg) sdk.Msg {
		wrapped := authz.NewMsgExec(addressOf(hot), msgs)
		return &wrapped
	}
	params, auth := dacktypes.DefaultParams(), authtypes.DefaultParams()
	mix := m.gasMix(epoch)
	over := map[uint64]bool{}
	highest := uint64(0)
	for _, n := range []int{1, 1, 10, 1_000} {
		tx := c.granted(hot, addressOf(cold), 13_000_000, exec(m.gasMessage(epoch, mix[:n])))
		res := c.block(tx)[0]
		require.Zero(t, res.Code, res.Log)
		var data sdk.TxMsgData
		require.NoError(t, data.Unmarshal(res.Data))
		var executed authz.MsgExecResponse
		require.NoError(t, executed.Unmarshal(data.MsgResponses[0].Value))
		var settled dacktypes.MsgSettleResponse
		require.NoError(t, settled.Unmarshal(executed.Results[0]))
		require.Len(t, settled.Results, n, "a verdict for each, through the grant too")
		// Adding bytes with the size of the settlement does not count: the formula has them by the size of the message.
		gas := uint64(res.GasUsed) - params.SettleGas(n) - uint64(len(tx))*auth.TxSizeCostPerByte - auth.SigVerifyCostSecp256k1
		t.Logf("%d acknowledgements: %d gas, %d of them for ante handlers and grants", n, res.GasUsed, gas)
		highest = max(highest, gas)
		over[gas/5_000] = true
		require.Less(t, len(tx)-m.gasMessage(epoch, mix[:n]).Size(), 512, "what edge-worker allows for the envelope")
	}
	require.LessOrEqual(t, len(over), 2, "it does not depend on the number of acknowledgements")
	require.Less(t, highest, uint64(workerOverhead+workerGrantOverhead)*3/4)
	require.True(t, c.app.BankKeeper.GetAllBalances(c.ctx(), addressOf(hot)).IsZero())

	// The same key, with the same grants, for anything else.
	balance := c.app.BankKeeper.GetAllBalances(c.ctx(), addressOf(cold))
	res := c.block(c.granted(hot, addressOf(cold), 200_000, exec(transfer(addressOf(cold), addressOf(hot), 1))))[0]
	require.Equal(t, authz.ErrNoAuthorizationFound.ABCICode(), res.Code, res.Log)
	require.Equal(t, authz.ErrNoAuthorizationFound.Codespace(), res.Codespace)
	fee := sdk.NewInt64Coin(app.BondDenom, 501)
	require.Equal(t, balance.Sub(fee).String(), c.app.BankKeeper.GetAllBalances(c.ctx(), addressOf(cold)).String(), "the fee, and nothing else")
	res = c.block(c.granted(hot, addressOf(cold), 200_000, transfer(addressOf(hot), addressOf(cold), 1)))[0]
	require.Equal(t, feegrant.ErrMessageNotAllowed.ABCICode(), res.Code, res.Log)
	require.Equal(t, feegrant.ErrMessageNotAllowed.Codespace(), res.Codespace)

	// What the period allows is an end to what a thief of the key can burn.
	res = c.block(c.granted(hot, addressOf(cold), 19_000_000, exec(m.gasMessage(epoch, mix[:1]))))[0]
	require.Equal(t, feegrant.ErrFeeLimitExceeded.ABCICode(), res.Code, res.Log)
	require.Equal(t, feegrant.ErrFeeLimitExceeded.Codespace(), res.Codespace)
}
