package rollup

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/auth/signing"

	"github.com/edgechain/edge/worker/chain"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// An unordered transaction has no sequence, so that it never stands in the way of a settlement, and ends at a time.
func TestSignUnordered(t *testing.T) {
	enc, err := chain.NewEncoding()
	require.NoError(t, err)
	keys := keyring.NewInMemory(enc.Codec)
	_, _, err = keys.NewMnemonic("hot", keyring.English, sdk.FullFundraiserPath, keyring.DefaultBIP39Passphrase, hd.Secp256k1)
	require.NoError(t, err)
	price, err := sdk.ParseDecCoin("0.0025uedge")
	require.NoError(t, err)
	s, err := NewKeyringSigner(keys, "hot", enc, price)
	require.NoError(t, err)
	until := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	msg := &nodetypes.MsgReport{Sender: s.Address(), Operator: "edgevaloper1x", Epoch: 3, Height: 9, HeaderHash: make([]byte, 32)}
	raw, err := s.SignUnordered(t.Context(), msg, "edge-test", 7, 100_001, until)
	require.NoError(t, err)

	decoded, err := enc.TxConfig.TxDecoder()(raw)
	require.NoError(t, err)
	unordered := decoded.(sdk.TxWithUnordered)
	require.True(t, unordered.GetUnordered())
	require.Equal(t, until, unordered.GetTimeoutTimeStamp())
	signed := decoded.(signing.Tx)
	require.EqualValues(t, 100_001, signed.GetGas())
	require.Equal(t, "251uedge", signed.GetFee().String(), "rounded up")
	require.Zero(t, signed.GetTimeoutHeight())
	sigs, err := signed.GetSignaturesV2()
	require.NoError(t, err)
	require.Len(t, sigs, 1)
	require.Zero(t, sigs[0].Sequence)
	require.Equal(t, msg, signed.GetMsgs()[0])
}
