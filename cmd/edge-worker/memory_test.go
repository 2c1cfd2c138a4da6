package main

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/config"
	"github.com/edgechain/edge/worker/gateway"
)

// TestMemoryOfTheConfiguration: what the bounds allow together must fit into the limit, whichever of them is raised.
func TestMemoryOfTheConfiguration(t *testing.T) {
	c := config.Default()
	require.NoError(t, checkMemory(&c))
	c.Gateway.TLSCertFile, c.Gateway.TLSKeyFile = "cert.pem", "key.pem"
	require.NoError(t, checkMemory(&c), "the defaults fit with TLS and HTTP/3, too")
	c.Store.UploadBytes, c.Origin.HTTP, c.Origin.Folders = 1<<30, config.List{"https://a.example/{name}"}, config.List{"/srv"}
	require.NoError(t, checkMemory(&c), "and with uploads and origins")
	uploads := memoryOf(&c)
	c.Store.UploadBytes = 0
	require.EqualValues(t, gateway.UploadMemory, uploads-memoryOf(&c))
	for what, change := range map[string]func(*config.Config){
		"limit":       func(c *config.Config) { c.Worker.MemoryLimit = 256 << 20 },
		"hot objects": func(c *config.Config) { c.Store.HotBytes = 1 << 30 },
		"all":         func(c *config.Config) { c.Store.HotBytes = math.MaxUint64 },
		"connections": func(c *config.Config) { c.Gateway.MaxConnections = 1 << 20 },
		"requests":    func(c *config.Config) { c.Gateway.MaxRequests = 1 << 14 },
		"steps":       func(c *config.Config) { c.Gateway.StepBytes = 16 << 20 },
		"lanes":       func(c *config.Config) { c.Pool.MaxLanes = 10_000_000 },
		"objects":     func(c *config.Config) { c.Store.MaxObjects = 10_000_000 },
		"fetches": func(c *config.Config) {
			c.Origin.HTTP, c.Origin.MaxFetches = config.List{"https://a.example/{name}"}, 2_000
		},
		"missing": func(c *config.Config) {
			c.Origin.HTTP, c.Origin.MaxMissing = config.List{"https://a.example/{name}"}, 10_000_000
		},
		"files":    func(c *config.Config) { c.Origin.Folders, c.Origin.MaxFiles = config.List{"/srv"}, 10_000_000 },
		"accounts": func(c *config.Config) { c.Credit.MaxAccounts = math.MaxInt },
	} {
		c := config.Default()
		change(&c)
		require.ErrorContains(t, checkMemory(&c), "memory_limit", what)
		require.ErrorContains(t, validate(&c), "memory_limit", what)
	}
}

// TestProtocolsOfTheFile pins that the keys of the file reach the gateway.
func TestProtocolsOfTheFile(t *testing.T) {
	c := config.Default()
	require.NoError(t, c.SetAll(map[string]string{
		"chain.chain_id": "edge-1", "gateway.tls_cert_file": "cert.pem", "gateway.tls_key_file": "/etc/key.pem", "gateway.cors_origins": "https://a.example, https://b.example",
		"gateway.trusted_proxies": "10.0.0.0/8", "gateway.max_streams": "7", "gateway.new_connections_per_second": "9", "gateway.first_byte_timeout": "3s",
		"gateway.http3": "false", "gateway.max_requests_per_account": "11",
	}))
	require.NoError(t, validate(&c))
	s, err := newSettings(&c)
	require.NoError(t, err)
	home("/home").resolve(&s.gateway)
	require.Equal(t, "/home/cert.pem", s.gateway.TLSCertFile)
	require.Equal(t, "/etc/key.pem", s.gateway.TLSKeyFile)
	require.Equal(t, "/home/acme", s.gateway.ACMECache)
	require.Equal(t, []string{"https://a.example", "https://b.example"}, s.gateway.CORSOrigins)
	require.Equal(t, []string{"10.0.0.0/8"}, s.gateway.TrustedProxies)
	require.Equal(t, []int{7, 9, 11}, []int{s.gateway.MaxStreams, s.gateway.NewConnectionsPerSecond, s.gateway.MaxRequestsPerAccount})
	require.Equal(t, "3s", s.gateway.FirstByteTimeout.String())
	require.False(t, s.gateway.HTTP3)
	require.NoError(t, c.SetAll(map[string]string{"gateway.h2c": "true"}))
	require.ErrorContains(t, validate(&c), "h2c")
}
