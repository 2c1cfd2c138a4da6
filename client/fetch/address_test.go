package fetch

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPublic(t *testing.T) {
	for _, s := range []string{"1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101", "2002:101:101::1", "::ffff:1.1.1.1", "172.15.0.1", "100.128.0.1"} {
		require.True(t, public(netip.MustParseAddr(s)), s)
	}
	for _, s := range []string{
		"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "::ffff:10.0.0.1",
		"fd00::1", "fc00::1", "fe80::1", "fe80::1%eth0", "169.254.169.254", "224.0.0.1", "239.1.1.1", "ff02::1", "ff0e::1", "0.0.0.0", "::",
		"0.1.2.3", "100.64.0.1", "192.0.0.8", "198.18.0.1", "255.255.255.255", "240.0.0.1", "fec0::1",
		"64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:c0a8:101::1", "::127.0.0.1",
	} {
		require.False(t, public(netip.MustParseAddr(s)), s)
	}
	require.False(t, public(netip.Addr{}))
	require.ErrorIs(t, onlyPublic("tcp4", "127.0.0.1:80", nil), ErrAddress)
	require.ErrorIs(t, onlyPublic("tcp4", "localhost:80", nil), ErrAddress)
	require.NoError(t, onlyPublic("tcp6", "[2606:4700::1111]:443", nil))
}
