package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
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

	// FreeQuotaBytes is the payload that an address (an IPv4 address, an IPv6 /64) gets without a session in each
	// FreeQuotaWindow, in bytes. 0 serves nothing without a session.
	FreeQuotaBytes  uint64
	FreeQuotaWindow time.Duration
	// FreeQuotaTotalBytes is what all addresses get together in each window, in bytes. Of it, an IPv6 /56 gets at most 4
	// times and a /48 at most 16 times FreeQuotaBytes.
	FreeQuotaTotalBytes uint64
	// FreeQuotaAddresses is how many addresses are remembered. The one that was longest unseen is forgotten first.
	FreeQuotaAddresses int

	// MaxConnections is how many connections are served. Those beyond it, at most as many again and 16, are reserved for
	// acknowledgements, and their other requests are answered with 429; further ones wait to be accepted.
	MaxConnections int
	// MaxConnectionsPerAddress is the same for one address (an IPv4 address, an IPv6 /64), but for further ones, which are
	// closed. 0 is no bound, as behind a proxy.
	MaxConnectionsPerAddress int
	// MaxRequests is how many requests are worked on at a time, but for those of POST /v1/acks.
	MaxRequests int
	// MaxRequestsPerAddress is how many of them may be of one address. 0 is no bound.
	MaxRequestsPerAddress int
	// MaxAckRequests is how many requests of POST /v1/acks are worked on at a time, and how many of one address may wait.
	MaxAckRequests int
	// RetryAfter is what 402 credit-exhausted and 429 tell the client to wait.
	RetryAfter time.Duration

	// HeaderTimeout bounds the arrival of a request's header, BodyTimeout that of its body, IdleTimeout the silence between
	// two requests of a connection.
	HeaderTimeout, BodyTimeout, IdleTimeout time.Duration
	// WriteTimeout bounds the time in which a client takes StepBytes of an answer. Waiting for credit is not part of it.
	WriteTimeout time.Duration
	// DrainGrace is for how long after the last answer a stop waits for acknowledgements.
	DrainGrace time.Duration
	// CheckTimeout bounds each check of readiness.
	CheckTimeout time.Duration
	// MaxHeaderBytes and MaxBodyBytes bound header and body of a request, in bytes.
	MaxHeaderBytes, MaxBodyBytes int
	// StepBytes is how much payload is reserved, read and written at a time, a multiple of 16 KiB. Accounts of
	// little credit get smaller steps.
	StepBytes int
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Listen:                   "0.0.0.0:8080",
		AdminListen:              "127.0.0.1:8081",
		FreeQuotaBytes:           16 << 20,
		FreeQuotaTotalBytes:      4 << 30,
		FreeQuotaWindow:          time.Hour,
		FreeQuotaAddresses:       1 << 16,
		MaxConnections:           4096,
		MaxConnectionsPerAddress: 512,
		MaxRequests:              4096,
		MaxRequestsPerAddress:    512,
		MaxAckRequests:           64,
		RetryAfter:               time.Second,
		HeaderTimeout:            10 * time.Second,
		BodyTimeout:              10 * time.Second,
		IdleTimeout:              2 * time.Minute,
		WriteTimeout:             30 * time.Second,
		DrainGrace:               time.Second,
		CheckTimeout:             2 * time.Second,
		MaxHeaderBytes:           16 << 10,
		MaxBodyBytes:             64 << 10,
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
	for name, d := range map[string]time.Duration{
		"retry_after": c.RetryAfter, "header_timeout": c.HeaderTimeout, "body_timeout": c.BodyTimeout, "idle_timeout": c.IdleTimeout,
		"write_timeout": c.WriteTimeout, "check_timeout": c.CheckTimeout, "drain_grace": c.DrainGrace,
	} {
		fault(d <= 0, "%s is %s, want more than 0", name, d)
	}
	fault(c.MaxHeaderBytes < 1<<10, "max_header_bytes is %d, want at least 1024", c.MaxHeaderBytes)
	fault(c.MaxBodyBytes < maxAckBody, "max_body_bytes is %d, want at least %d, the largest list of acknowledgements", c.MaxBodyBytes, maxAckBody)
	fault(c.StepBytes <= 0 || c.StepBytes > 16<<20 || c.StepBytes%content.GroupSize != 0, "step_bytes is %d, want a multiple of 16 KiB up to 16 MiB", c.StepBytes)
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
