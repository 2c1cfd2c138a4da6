package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/edgechain/edge/client/content"
)

// Config of the gateway. Every bound keeps one kind of memory or time that a stranger can make the worker spend.
type Config struct {
	// Listen is the public address, host:port.
	Listen string
	// AdminListen is the address of metrics, pprof and administration. It must be a loopback address.
	AdminListen string

	// TLSCertFile and TLSKeyFile are PEM files of the certificate chain and its key. TLS is on if they are set, and follows
	// them when they change.
	TLSCertFile, TLSKeyFile string
	// ACMEDomains are names that a certificate is got for from ACMEDirectory, instead of from files. Account key and
	// certificates are kept in the folder ACMECache. ACMEListen is the address of HTTP-01; without it TLS-ALPN-01 proves the
	// domains.
	ACMEDomains                                     []string
	ACMEEmail, ACMEDirectory, ACMECache, ACMEListen string
	// HTTP3 serves HTTP/3 on the UDP port of Listen while TLS is on. HTTP3Port is what clients are told, in the place of the
	// port that is listened on, if it is not 0.
	HTTP3     bool
	HTTP3Port int
	// H2C serves HTTP/2 without TLS, for a proxy in front. It is not used while TLS is on.
	H2C bool
	// HSTSMaxAge is for how long browsers are told to use TLS alone. 0 does not tell them.
	HSTSMaxAge time.Duration
	// CORSOrigins are the origins whose pages may use the worker: any for "*", none if it is empty. CORSMaxAge is for how
	// long a browser need not ask again.
	CORSOrigins []string
	CORSMaxAge  time.Duration
	// TrustedProxies are addresses and networks whose X-Forwarded-For names the client, and whose connections are not bounded
	// by address.
	TrustedProxies []string

	// FreeQuotaBytes is the payload that an address (an IPv4 address, an IPv6 /64) gets without a session in each
	// FreeQuotaWindow, in bytes. 0 serves nothing without a session.
	FreeQuotaBytes  uint64
	FreeQuotaWindow time.Duration
	// FreeQuotaTotalBytes is what all addresses get together in each window, in bytes. Of it, an IPv6 /56 gets at most 4
	// times and a /48 at most 16 times FreeQuotaBytes.
	FreeQuotaTotalBytes uint64
	// FreeQuotaAddresses is how many addresses are remembered, for the free quota and for the rate of new connections each.
	// The one that was longest unseen is forgotten first.
	FreeQuotaAddresses int

	// MaxConnections is how many connections are served. Those beyond it, at most as many again and 16, are reserved for
	// acknowledgements, and their other requests are answered with 429; further ones wait to be accepted.
	MaxConnections int
	// MaxConnectionsPerAddress is the same for one address (an IPv4 address, an IPv6 /64), but for further ones, which are
	// closed. 0 is no bound, as behind a proxy.
	MaxConnectionsPerAddress int
	// MaxConnectionsPerSubnet is the same for an IPv4 /24 or an IPv6 /48.
	MaxConnectionsPerSubnet int
	// MaxHTTP3Connections is how many of the connections may be of HTTP/3, which take more memory. Further ones are refused.
	MaxHTTP3Connections int
	// NewConnectionsPerSecond is how many connections an address may open, and a quarter of what its subnet may. As many as
	// MaxConnectionsPerAddress are open to it at once. 0 is no bound.
	NewConnectionsPerSecond int
	// MaxStreams is how many requests of one connection are worked on at a time (HTTP/2 and 3). A few streams more are open
	// for acknowledgements.
	MaxStreams int
	// MaxRequests is how many requests are worked on at a time, but for those of POST /v1/acks.
	MaxRequests int
	// MaxRequestsPerAddress is how many of them may be of one address. 0 is no bound.
	MaxRequestsPerAddress int
	// MaxRequestsPerSubnet is the same for an IPv4 /24 or an IPv6 /48.
	MaxRequestsPerSubnet int
	// MaxRequestsPerAccount is how many requests are worked on at a time for one account, over all of its sessions. 0 is no
	// bound.
	MaxRequestsPerAccount int
	// MaxAckRequests is how many requests of POST /v1/acks are worked on at a time, and how many of one address may wait.
	MaxAckRequests int
	// RetryAfter is what 402 credit-exhausted and 429 tell the client to wait.
	RetryAfter time.Duration

	// HeaderTimeout bounds the arrival of a request's header, BodyTimeout that of its body, IdleTimeout the silence between
	// two requests of a connection.
	HeaderTimeout, BodyTimeout, IdleTimeout time.Duration
	// FirstByteTimeout bounds the time from the header of a request to the first byte of its answer, wherever it goes: the
	// disk, an origin, the chain, the wait for credit.
	FirstByteTimeout time.Duration
	// WriteTimeout bounds the time in which a client takes StepBytes of an answer. Waiting for credit is not part of it.
	WriteTimeout time.Duration
	// DrainGrace is for how long after the last answer a stop waits for acknowledgements.
	DrainGrace time.Duration
	// CheckTimeout bounds each check of readiness.
	CheckTimeout time.Duration
	// MaxHeaderBytes and MaxBodyBytes bound header and body of a request, in bytes.
	MaxHeaderBytes, MaxBodyBytes int
	// MinUploadBytesPerSecond is the least average speed of the body of an upload, after WriteTimeout and without the waits for
	// credit. With them it may take 8 times as long.
	MinUploadBytesPerSecond int
	// StepBytes is how much payload is reserved, read and written at a time, a multiple of 16 KiB. Accounts of
	// little credit get smaller steps.
	StepBytes int
}

// LetsEncrypt is the directory of the authority that is asked by default.
const LetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Listen:                   "0.0.0.0:8080",
		AdminListen:              "127.0.0.1:8081",
		FreeQuotaBytes:           16 << 20,
		FreeQuotaTotalBytes:      4 << 30,
		FreeQuotaWindow:          time.Hour,
		FreeQuotaAddresses:       1 << 16,
		ACMEDirectory:            LetsEncrypt,
		HTTP3:                    true,
		CORSOrigins:              []string{"*"},
		CORSMaxAge:               2 * time.Hour,
		MaxConnections:           4096,
		MaxConnectionsPerAddress: 512,
		MaxConnectionsPerSubnet:  1024,
		MaxHTTP3Connections:      1024,
		NewConnectionsPerSecond:  100,
		MaxStreams:               100,
		MaxRequests:              1024,
		MaxRequestsPerAddress:    512,
		MaxRequestsPerSubnet:     768,
		MaxRequestsPerAccount:    512,
		MaxAckRequests:           64,
		RetryAfter:               time.Second,
		HeaderTimeout:            10 * time.Second,
		BodyTimeout:              10 * time.Second,
		IdleTimeout:              2 * time.Minute,
		FirstByteTimeout:         time.Minute,
		WriteTimeout:             30 * time.Second,
		DrainGrace:               time.Second,
		CheckTimeout:             2 * time.Second,
		MaxHeaderBytes:           16 << 10,
		MaxBodyBytes:             64 << 10,
		MinUploadBytesPerSecond:  32 << 10,
		StepBytes:                256 << 10,
	}
}

// Validate returns all faults of the configuration.
func (c Config) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	_, _, err := net.SplitHostPort(c.Listen)
	fault(err != nil, "listen is %q, want host:port", c.Listen)
	host, _, err := net.SplitHostPort(c.AdminListen)
	fault(err != nil || !isLoopback(host), "admin_listen is %q, want host:port on a loopback address", c.AdminListen)
	fault(c.FreeQuotaWindow <= 0, "free_quota_window is %s, want more than 0", c.FreeQuotaWindow)
	fault(c.FreeQuotaAddresses <= 0, "free_quota_addresses is %d, want at least 1", c.FreeQuotaAddresses)
	fault(c.MaxConnections <= 0, "max_connections is %d, want at least 1", c.MaxConnections)
	fault(c.MaxConnectionsPerAddress < 0, "max_connections_per_address is %d, want 0 or more", c.MaxConnectionsPerAddress)
	fault(c.MaxRequests <= 0, "max_requests is %d, want at least 1", c.MaxRequests)
	fault(c.MaxRequestsPerAddress < 0, "max_requests_per_address is %d, want 0 or more", c.MaxRequestsPerAddress)
	fault(c.MaxAckRequests <= 0, "max_ack_requests is %d, want at least 1", c.MaxAckRequests)
	for name, n := range map[string]int{
		"max_connections_per_subnet": c.MaxConnectionsPerSubnet, "max_requests_per_subnet": c.MaxRequestsPerSubnet,
		"max_requests_per_account": c.MaxRequestsPerAccount, "new_connections_per_second": c.NewConnectionsPerSecond,
	} {
		fault(n < 0, "%s is %d, want 0 or more", name, n)
	}
	fault(c.MaxStreams <= 0 || c.MaxStreams > maxStreams, "max_streams is %d, want 1 to %d", c.MaxStreams, maxStreams)
	errs = append(errs, c.validateTLS())
	_, err = newCORS(c.CORSOrigins, c.CORSMaxAge)
	errs = append(errs, err)
	fault(c.CORSMaxAge < 0, "cors_max_age is %s, want 0 or more", c.CORSMaxAge)
	_, err = parseProxies(c.TrustedProxies)
	errs = append(errs, err)
	for name, d := range map[string]time.Duration{
		"first_byte_timeout": c.FirstByteTimeout,
		"retry_after":        c.RetryAfter, "header_timeout": c.HeaderTimeout, "body_timeout": c.BodyTimeout, "idle_timeout": c.IdleTimeout,
		"write_timeout": c.WriteTimeout, "check_timeout": c.CheckTimeout, "drain_grace": c.DrainGrace,
	} {
		fault(d <= 0, "%s is %s, want more than 0", name, d)
	}
	fault(c.MaxHeaderBytes < 1<<10, "max_header_bytes is %d, want at least 1024", c.MaxHeaderBytes)
	fault(c.MaxBodyBytes < maxAckBody, "max_body_bytes is %d, want at least %d, the largest list of acknowledgements", c.MaxBodyBytes, maxAckBody)
	fault(c.MinUploadBytesPerSecond < 1<<10, "min_upload_bytes_per_second is %d, want at least 1024", c.MinUploadBytesPerSecond)
	fault(c.StepBytes <= 0 || c.StepBytes > 16<<20 || c.StepBytes%content.GroupSize != 0, "step_bytes is %d, want a multiple of 16 KiB up to 16 MiB", c.StepBytes)
	return errors.Join(errs...)
}

// maxStreams bounds what can be configured: the protocols' libraries keep state for each.
const maxStreams = 1000

// tls reports whether the public listener speaks TLS.
func (c Config) tls() bool { return c.TLSCertFile != "" || len(c.ACMEDomains) > 0 }

func (c Config) validateTLS() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault((c.TLSCertFile == "") != (c.TLSKeyFile == ""), "tls_cert_file and tls_key_file belong together")
	fault(c.HSTSMaxAge < 0, "hsts_max_age is %s, want 0 or more", c.HSTSMaxAge)
	fault(c.HTTP3Port < 0 || c.HTTP3Port > 65535, "http3_port is %d, want 0 to 65535", c.HTTP3Port)
	fault(c.HTTP3 && c.MaxHTTP3Connections <= 0, "max_http3_connections is %d, want at least 1", c.MaxHTTP3Connections)
	fault(c.H2C && c.tls(), "h2c is for listeners without TLS")
	if len(c.ACMEDomains) == 0 {
		return errors.Join(errs...)
	}
	fault(c.TLSCertFile != "", "acme_domains and tls_cert_file exclude each other")
	for _, domain := range c.ACMEDomains {
		_, addr := netip.ParseAddr(domain)
		fault(addr == nil || !strings.Contains(domain, ".") || strings.Trim(domain, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || domain != strings.Trim(domain, ".-"),
			"acme_domains: %q is no domain in lower case (others as xn--...)", domain)
	}
	directory, err := url.Parse(c.ACMEDirectory)
	fault(err != nil || directory.Host == "" || directory.Scheme != "https" && (directory.Scheme != "http" || !isLoopback(directory.Hostname())),
		"acme_directory is %q, want an https address", c.ACMEDirectory)
	fault(c.ACMECache == "", "acme_cache is empty, want a folder")
	if c.ACMEListen != "" {
		_, _, err := net.SplitHostPort(c.ACMEListen)
		fault(err != nil, "acme_listen is %q, want host:port", c.ACMEListen)
	}
	return errors.Join(errs...)
}

// isLoopback reports whether a host names this machine only.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil && addr.Unmap().IsLoopback()
}
