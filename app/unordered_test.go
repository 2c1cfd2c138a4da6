package app_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"

	"github.com/edgechain/edge/app"
)

// unordered returns a signed transaction that takes no part in its signer's sequence and is valid until a time.
func (c *chain) unordered(key *secp256k1.PrivKey, until time.Time, msgs ...sdk.Msg) []byte {
	c.t.Helper()
	cfg := c.app.TxConfig()
	b := cfg.NewTxBuilder()
	require.NoError(c.t, b.SetMsgs(msgs...))
	b.SetGasLimit(200_000)
	b.SetFeeAmount(sdk.NewCoins(sdk.NewInt64Coin(app.BondDenom, 501)))
	b.SetUnordered(true)
	b.SetTimeoutTimestamp(until)
	mode := signing.SignMode_SIGN_MODE_DIRECT
	sig := signing.SignatureV2{PubKey: key.PubKey(), Data: &signing.SingleSignatureData{SignMode: mode}}
	require.NoError(c.t, b.SetSignatures(sig))
	signed, err := authsigning.GetSignBytesAdapter(context.Background(), cfg.SignModeHandler(), mode, authsigning.SignerData{
		Address: addressOf(key).String(), ChainID: chainID, PubKey: key.PubKey(),
		AccountNumber: c.app.AccountKeeper.GetAccount(c.ctx(), addressOf(key)).GetAccountNumber(),
	}, b.GetTx())
	require.NoError(c.t, err)
	raw, err := key.Sign(signed)
	require.NoError(c.t, err)
	sig.Data = &signing.SingleSignatureData{SignMode: mode, Signature: raw}
	require.NoError(c.t, b.SetSignatures(sig))
	out, err := cfg.TxEncoder()(b.GetTx())
	require.NoError(c.t, err)
	return out
}

// What the chain has to remember of unordered transactions, and forgets all at once in the worst case, is what fits into the blocks
// of two minutes.
func TestUnorderedTransactionsAreShort(t *testing.T) {
	alice := newKey("alice")
	c := newChain(t, alice)
	message := transfer(addressOf(alice), addressOf(alice), 1)
	next := c.now.Add(blockTime)
	res := c.block(
		c.unordered(alice, next.Add(2*time.Minute), message),
		c.unordered(alice, next.Add(2*time.Minute+1), message),
	)
	require.Zero(t, res[0].Code, res[0].Log)
	require.Equal(t, sdkerrors.ErrInvalidRequest.ABCICode(), res[1].Code, res[1].Log)
	require.Contains(t, res[1].Log, "unordered tx ttl exceeds 2m0s")
}
