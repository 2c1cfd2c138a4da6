package keeper_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/stretchr/testify/require"
)

// The priorities by which CometBFT has its validators take turns are part of the state: a version of it that reckons them
// otherwise breaks the state machine, and needs an upgrade that all validators make at one height.
func TestTurnsAreThoseOfTheStateMachine(t *testing.T) {
	var members []*cmttypes.Validator
	for i := range int64(7) {
		members = append(members, cmttypes.NewValidator(cmted25519.GenPrivKeyFromSecret([]byte{byte(i)}).PubKey(), 10+3*i))
	}
	set := cmttypes.NewValidatorSet(members)
	for range 100 {
		set.IncrementProposerPriority(1)
	}
	require.NoError(t, set.UpdateWithChangeSet([]*cmttypes.Validator{
		cmttypes.NewValidator(members[0].PubKey, 0), cmttypes.NewValidator(members[1].PubKey, 40),
		cmttypes.NewValidator(cmted25519.GenPrivKeyFromSecret([]byte("new")).PubKey(), 5),
	}))
	for range 100 {
		set.IncrementProposerPriority(1)
	}
	raw, err := set.ToProto()
	require.NoError(t, err)
	bytes, err := raw.Marshal()
	require.NoError(t, err)
	digest := sha256.Sum256(bytes)
	require.Equal(t, "d9699327112d62ef2357fa31fea10c987543c3018e1a57bf3cfec587be8ee1dc", hex.EncodeToString(digest[:]))
}
