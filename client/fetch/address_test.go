package fetch

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyPublic(t *testing.T) {
	require.ErrorIs(t, onlyPublic("tcp4", "127.0.0.1:80", nil), ErrAddress)
	require.ErrorIs(t, onlyPublic("tcp4", "[::ffff:10.0.0.1]:80", nil), ErrAddress)
	require.ErrorIs(t, onlyPublic("tcp4", "localhost:80", nil), ErrAddress)
	require.NoError(t, onlyPublic("tcp6", "[2606:4700::1111]:443", nil))
}
