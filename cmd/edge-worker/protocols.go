package main

import (
	"path/filepath"

	"github.com/edgechain/edge/worker/config"
	"github.com/edgechain/edge/worker/gateway"
)

// setProtocols sets what the file says about protocols and admission.
func setProtocols(to *gateway.Config, g *config.Gateway) {
	to.TLSCertFile, to.TLSKeyFile, to.HSTSMaxAge = g.TLSCertFile, g.TLSKeyFile, g.HSTSMaxAge.Std()
	to.ACMEDomains, to.ACMEEmail, to.ACMEDirectory = g.ACMEDomains, g.ACMEEmail, g.ACMEDirectory
	to.ACMECache, to.ACMEListen = g.ACMECache, g.ACMEListen
	to.HTTP3, to.HTTP3Port, to.H2C, to.MaxStreams = g.HTTP3, g.HTTP3Port, g.H2C, g.MaxStreams
	to.CORSOrigins, to.CORSMaxAge, to.TrustedProxies = g.CORSOrigins, g.CORSMaxAge.Std(), g.TrustedProxies
	to.MaxConnectionsPerSubnet, to.MaxHTTP3Connections, to.NewConnectionsPerSecond = g.MaxConnectionsPerSubnet, g.MaxHTTP3Connections, g.NewConnectionsPerSecond
	to.MaxRequestsPerSubnet, to.MaxRequestsPerAccount, to.FirstByteTimeout = g.MaxRequestsPerSubnet, g.MaxRequestsPerAccount, g.FirstByteTimeout.Std()
}

// resolve makes the paths of files that belong to the gateway absolute.
func (h home) resolve(g *gateway.Config) {
	for _, path := range []*string{&g.TLSCertFile, &g.TLSKeyFile, &g.ACMECache} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(string(h), *path)
		}
	}
}
