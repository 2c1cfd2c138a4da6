package gateway

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxHops bounds how many addresses of X-Forwarded-For are looked at.
const maxHops = 32

// proxies are the networks whose word about the address of a client counts.
type proxies []netip.Prefix

func parseProxies(list []string) (proxies, error) {
	var p proxies
	for _, text := range list {
		network, err := netip.ParsePrefix(text)
		if addr, single := netip.ParseAddr(text); err != nil && single == nil {
			network, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("trusted_proxies: %q is no address and no network such as 192.0.2.0/24", text)
		}
		p = append(p, network.Masked())
	}
	return p, nil
}

// trusts reports whether an address is in one of the networks.
func (p proxies) trusts(addr netip.Addr) bool {
	if len(p) == 0 {
		return false
	}
	addr = addr.Unmap().WithZone("")
	for _, network := range p {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// client returns the address of the client behind a trusted proxy: the last one of X-Forwarded-For that is no trusted
// proxy itself. What stands before it is the client's word. Without one it is the proxy.
func (p proxies) client(r *http.Request) (netip.Addr, bool) {
	lines := r.Header.Values("X-Forwarded-For")
	hops := 0
	for _, v := range slices.Backward(lines) {
		rest := v
		for rest != "" && hops < maxHops {
			cut := strings.LastIndexByte(rest, ',')
			text := strings.TrimSpace(rest[cut+1:])
			rest = rest[:max(cut, 0)]
			hops++
			addr, ok := parseHop(text)
			if !ok {
				return netip.Addr{}, false
			}
			if !p.trusts(addr) {
				return addr, true
			}
		}
	}
	return netip.Addr{}, false
}

// parseHop reads an address with or without a port.
func parseHop(text string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

// unproxy gives a request that came over a trusted proxy the address of its client.
func (s *Server) unproxy(r *http.Request) {
	if p := peerOf(r.Context()); p == nil || !p.from.trusted {
		return
	}
	if addr, ok := s.proxies.client(r); ok {
		r.RemoteAddr = net.JoinHostPort(addr.String(), "0")
	}
}
