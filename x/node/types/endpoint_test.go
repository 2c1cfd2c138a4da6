package types_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/x/node/types"
)

func TestValidateEndpoint(t *testing.T) {
	for _, valid := range []string{
		"/ip4/192.0.2.1/tcp/4001",
		"/ip6/2001:db8::1/udp/4001/quic-v1",
		"/dns4/worker.example/tcp/443/tls/ws",
		"/unix/x",
		"http://127.0.0.1:8080",
		"https://worker.example",
		"https://worker.example:8443/",
		"https://worker.example/base/path-1.0_~",
		"https://[2001:db8::1]:8443",
		"http://[::1]",
		"http://localhost:1",
		"http://localhost:65535",
		"https://xn--bcher-kva.example",
		"https://h/" + strings.Repeat("a", types.MaxEndpointSize-len("https://h/")),
	} {
		require.NoError(t, types.ValidateEndpoint(valid), valid)
	}
	for _, invalid := range []string{
		"",
		"/",
		"/ip4",
		"/ip4/",
		"//ip4/1",
		"/ip4//tcp",
		"worker.example",
		"ftp://worker.example",
		"HTTPS://worker.example",
		"https://",
		"https:///path",
		"https://:8443",
		"https://user@worker.example",
		"https://user:pass@worker.example",
		"https://worker.example:",
		"https://worker.example:0",
		"https://worker.example:65536",
		"https://worker.example:80a",
		"https://worker.example:-1",
		"https://worker..example",
		"https://-worker.example",
		"https://worker-.example",
		"https://worker_1.example",
		"https://" + strings.Repeat("a", 64) + ".example",
		"https://[2001:db8::1",
		"https://[worker.example]",
		"https://[::1]8443",
		"https://[fe80::1%25eth0]",
		"https://worker.example?query",
		"https://worker.example/#fragment",
		"https://worker.example/a b",
		"https://worker.example/%2e",
		"https://worker.example/\n",
		"https://wörker.example",
		"/ip4/\x7f",
		"https://h/" + strings.Repeat("a", types.MaxEndpointSize+1-len("https://h/")),
	} {
		require.ErrorIs(t, types.ValidateEndpoint(invalid), types.ErrEndpoint, invalid)
	}
}

// What is accepted means the same to everyone who parses URLs.
func FuzzValidateEndpoint(f *testing.F) {
	for _, seed := range []string{"/ip4/192.0.2.1/tcp/1", "https://a.b:1/c", "http://[::1]:8080", "https://u@h", "http://h:99999", "https://h/%41"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, e string) {
		if types.ValidateEndpoint(e) != nil {
			return
		}
		if len(e) == 0 || len(e) > types.MaxEndpointSize {
			t.Fatalf("accepted %d bytes", len(e))
		}
		for _, r := range e {
			if r <= ' ' || r > '~' {
				t.Fatalf("accepted %q", e)
			}
		}
		if e[0] == '/' {
			return
		}
		u, err := url.Parse(e)
		// An IPv6 address with the right characters can still be none: such an endpoint is useless, not harmful.
		if err != nil && strings.Contains(e, "[") {
			return
		}
		if err != nil {
			t.Fatalf("accepted %q: %v", e, err)
		}
		if u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" || (u.Scheme != "http" && u.Scheme != "https") {
			t.Fatalf("accepted %q as %+v", e, u)
		}
	})
}

func TestValidateRegion(t *testing.T) {
	for _, valid := range []string{"", "eu-central-1", "0", strings.Repeat("z", types.MaxRegionSize)} {
		require.NoError(t, types.ValidateRegion(valid), valid)
	}
	for _, invalid := range []string{"EU", "eu_1", "eu central", "é", strings.Repeat("z", types.MaxRegionSize+1)} {
		require.ErrorIs(t, types.ValidateRegion(invalid), types.ErrRegion, invalid)
	}
}

func TestRetirementDue(t *testing.T) {
	require.EqualValues(t, 3, types.RetirementDue(0))
	require.EqualValues(t, 10, types.RetirementDue(7))
	require.EqualValues(t, ^uint64(0), types.RetirementDue(^uint64(0)-1))
}

func TestMaySettle(t *testing.T) {
	require.False(t, types.Worker{}.MaySettle(1))
	require.True(t, types.Worker{Status: types.WORKER_STATUS_ACTIVE}.MaySettle(^uint64(0)))
	retiring := types.Worker{Status: types.WORKER_STATUS_RETIRING, RetiredEpoch: 4}
	require.True(t, retiring.MaySettle(3))
	require.True(t, retiring.MaySettle(4))
	require.False(t, retiring.MaySettle(5))
}
