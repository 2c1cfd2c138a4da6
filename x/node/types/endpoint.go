package types

import (
	"slices"
	"strconv"
	"strings"

	errorsmod "cosmossdk.io/errors"
)

const (
	// MaxEndpoints bounds the endpoints of a worker: a few addresses of a few transports.
	MaxEndpoints = 8
	// MaxEndpointSize bounds an endpoint in bytes.
	MaxEndpointSize = 256
	// MaxRegionSize bounds a region in bytes.
	MaxRegionSize = 32
)

// ValidateEndpoints returns ErrEndpoint unless there are 1 to MaxEndpoints different endpoints, each valid.
func ValidateEndpoints(endpoints []string) error {
	if len(endpoints) < 1 || len(endpoints) > MaxEndpoints {
		return errorsmod.Wrapf(ErrEndpoint, "%d endpoints, want 1 to %d", len(endpoints), MaxEndpoints)
	}
	for i, e := range endpoints {
		if err := ValidateEndpoint(e); err != nil {
			return errorsmod.Wrapf(err, "endpoint %d", i)
		}
		if slices.Contains(endpoints[:i], e) {
			return errorsmod.Wrapf(ErrEndpoint, "endpoint %d stands twice", i)
		}
	}
	return nil
}

// ValidateEndpoint returns ErrEndpoint unless e is at most MaxEndpointSize bytes of printable ASCII without spaces and
// either looks like a multiaddr (/ip4/192.0.2.1/tcp/4001) or is an http(s) URL with a host, without user and fragment.
//
// URLs are parsed here and not by net/url, whose verdicts change from one release of Go to the next: nodes that were
// built with different releases must agree.
func ValidateEndpoint(e string) error {
	if len(e) > MaxEndpointSize {
		return errorsmod.Wrapf(ErrEndpoint, "%d bytes, want at most %d", len(e), MaxEndpointSize)
	}
	for i := range len(e) {
		if e[i] <= ' ' || e[i] > '~' {
			return errorsmod.Wrapf(ErrEndpoint, "byte %d is not printable ASCII", i)
		}
	}
	if strings.HasPrefix(e, "/") {
		return validateMultiaddr(e)
	}
	rest, ok := strings.CutPrefix(e, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(e, "http://"); !ok {
			return errorsmod.Wrap(ErrEndpoint, "want a multiaddr or an http(s) URL")
		}
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if err := validateURLPath(path); err != nil {
		return err
	}
	return validateAuthority(authority)
}

// validateMultiaddr takes /name/value/name/value...: at least two parts and no empty one. The protocols are not looked
// at, so that new ones need no upgrade of the chain.
func validateMultiaddr(e string) error {
	parts := strings.Split(e[1:], "/")
	if len(parts) < 2 {
		return errorsmod.Wrap(ErrEndpoint, "a multiaddr has at least two parts")
	}
	if slices.Contains(parts, "") {
		return errorsmod.Wrap(ErrEndpoint, "a multiaddr has no empty part")
	}
	return nil
}

// validateURLPath takes nothing, or a path of unreserved characters, which mean the same to everyone without escapes.
func validateURLPath(path string) error {
	for i := range len(path) {
		c := path[i]
		if !isAlphanumeric(c) && !strings.ContainsRune("/-._~", rune(c)) {
			return errorsmod.Wrapf(ErrEndpoint, "character %q in the path of a URL", c)
		}
	}
	return nil
}

// validateAuthority takes host, host:port, [ipv6] and [ipv6]:port.
func validateAuthority(authority string) error {
	host, port := authority, ""
	if strings.HasPrefix(authority, "[") {
		end := strings.IndexByte(authority, ']')
		if end < 0 {
			return errorsmod.Wrap(ErrEndpoint, "missing ] in the host of a URL")
		}
		host, port = authority[1:end], authority[end+1:]
		if !strings.Contains(host, ":") || strings.Trim(host, "0123456789abcdefABCDEF:.") != "" {
			return errorsmod.Wrap(ErrEndpoint, "the host of a URL is not an IPv6 address")
		}
	} else {
		if i := strings.IndexByte(authority, ':'); i >= 0 {
			host, port = authority[:i], authority[i:]
		}
		if err := validateHostname(host); err != nil {
			return err
		}
	}
	if port == "" {
		return nil
	}
	digits, ok := strings.CutPrefix(port, ":")
	if n, err := strconv.ParseUint(digits, 10, 16); !ok || err != nil || n == 0 {
		return errorsmod.Wrapf(ErrEndpoint, "port %q of a URL", port)
	}
	return nil
}

func validateHostname(host string) error {
	if host == "" {
		return errorsmod.Wrap(ErrEndpoint, "a URL needs a host")
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return errorsmod.Wrapf(ErrEndpoint, "host %q of a URL", host)
		}
		for i := range len(label) {
			if !isAlphanumeric(label[i]) && label[i] != '-' {
				return errorsmod.Wrapf(ErrEndpoint, "host %q of a URL", host)
			}
		}
	}
	return nil
}

// ValidateRegion returns ErrRegion unless region is at most MaxRegionSize of [a-z0-9-]; empty is unknown.
func ValidateRegion(region string) error {
	if len(region) > MaxRegionSize {
		return errorsmod.Wrapf(ErrRegion, "%d bytes, want at most %d", len(region), MaxRegionSize)
	}
	for i := range len(region) {
		c := region[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return errorsmod.Wrapf(ErrRegion, "character %q, want a-z, 0-9 or -", c)
		}
	}
	return nil
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
