package chain

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	sdkmath "cosmossdk.io/math"

	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// A change of a key's limit counts from an epoch on; acknowledgements of the one before have theirs.
func TestKeyLeftIn(t *testing.T) {
	k := keyOf(dacktypes.ClientKey{
		Id: 7, AccountId: 4, SpendLimit: sdkmath.NewInt(20), LimitFrom: 13, LastEpoch: 13,
		EarlierLimits: []dacktypes.KeyLimit{{Epoch: 3, Amount: sdkmath.NewInt(1_000)}},
		Spent:         []dacktypes.KeySpend{{Epoch: 12, Amount: sdkmath.NewInt(400)}, {Epoch: 13, Amount: sdkmath.NewInt(25)}},
	}, big.NewInt(600))
	for epoch, want := range map[uint64]int64{11: 1_000, 12: 600, 13: 0, 14: 0} {
		require.Equal(t, want, k.LeftIn(epoch).Int64(), "epoch %d", epoch)
	}
	// Without the record what is known of the current epoch has to do.
	bare := Key{Left: big.NewInt(5), LastEpoch: 13}
	require.EqualValues(t, 5, bare.LeftIn(13).Int64())
	require.EqualValues(t, 0, bare.LeftIn(14).Int64())
	require.EqualValues(t, 0, (&Key{LastEpoch: 9}).LeftIn(9).Int64())
}
