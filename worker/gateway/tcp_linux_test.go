package gateway_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/edgechain/edge/worker/gateway"
)

// TestUnsentIsLimited: what is accepted by a listener like the worker's has a bound of what waits in the kernel.
func TestUnsentIsLimited(t *testing.T) {
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	limited, err := gateway.LimitConnections(listener, gateway.DefaultConfig())
	require.NoError(t, err)
	defer limited.Close()
	client, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	accepted, err := limited.Accept()
	require.NoError(t, err)
	defer accepted.Close()
	raw, err := accepted.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	limit, failed := 0, error(nil)
	require.NoError(t, raw.Control(func(fd uintptr) {
		limit, failed = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT)
	}))
	require.NoError(t, failed)
	require.Equal(t, 128<<10, limit)
}
