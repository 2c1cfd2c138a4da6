package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
)

// Evidence comes from CometBFT alone: a message with one is refused, and not by a panic.
func TestEvidenceByMessageIsRefused(t *testing.T) {
	alice := newKey("alice")
	c := newChain(t, alice)
	msg, err := evidencetypes.NewMsgSubmitEvidence(addressOf(alice), &evidencetypes.Equivocation{
		Height: 1, Time: c.now, Power: 1, ConsensusAddress: c.validators[0].consAddress().String(),
	})
	require.NoError(t, err)
	res := c.block(c.tx(alice, 200_000, 0, msg))
	require.Equal(t, evidencetypes.ErrNoEvidenceHandlerExists.Codespace(), res[0].Codespace, res[0].Log)
	require.Equal(t, evidencetypes.ErrNoEvidenceHandlerExists.ABCICode(), res[0].Code, res[0].Log)
}
