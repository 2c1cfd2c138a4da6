package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What revoke-key says is what the chain does: until the epoch is over, limit-key takes a revocation back.
func TestRevokeKeyHelp(t *testing.T) {
	code, out, errOut := edge(t, t.TempDir(), "account", "revoke-key", "--help")
	require.Zero(t, code, errOut)
	require.Contains(t, out, "Until the epoch is over edge account limit-key --last-epoch takes that back")
	require.NotContains(t, out, "for good")
}
