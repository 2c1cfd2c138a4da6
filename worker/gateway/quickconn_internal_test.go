package gateway

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestQuickRestIsNotLost: what was read behind a request comes out whole, into however small a buffer net/http reads.
func TestQuickRestIsNotLost(t *testing.T) {
	rest := bytes.Repeat([]byte("0123456789"), 300)
	for _, size := range []int{16, quickBuffer, len(rest) - 1} {
		c := &quickConn{rest: rest}
		var got []byte
		for p := make([]byte, size); len(got) < len(rest); {
			n, err := c.Read(p)
			require.NoError(t, err)
			require.NotZero(t, n)
			got = append(got, p[:n]...)
		}
		require.Equal(t, rest, got)
		require.True(t, c.is(quickOver))
	}
}
