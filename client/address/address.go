// Package address says which addresses are of the public Internet. Clients and workers dial names that others have chosen;
// neither may be made to send a request into the network that it stands in.
package address

import "net/netip"

// special are the ranges of IPv4 that no public host has, besides those that netip knows.
var special = prefixes(
	"0.0.0.0/8",        // this network
	"100.64.0.0/10",    // carriers' address translation, and the metadata service of Alibaba Cloud
	"168.63.129.16/32", // the host agent of Azure
	"192.0.0.0/24",     // protocol assignments, and the metadata service of Oracle Cloud
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // relays of 6to4
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"240.0.0.0/4",      // reserved, and broadcast
)

// special6 are those of IPv6 within the global unicast space.
var special6 = prefixes(
	"2001:2::/48",   // benchmarks
	"2001:10::/28",  // hashes
	"2001:20::/28",  // hashes
	"2001:db8::/32", // documentation
	"3fff::/20",     // documentation
)

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	translated    = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour     = netip.MustParsePrefix("2002::/16")
	teredo        = netip.MustParsePrefix("2001::/32")
)

// Public reports whether an address is one of the public Internet. An address of IPv6 that leads to one of IPv4 is if both
// are.
func Public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return false
	}
	if a.Is4() {
		return !a.IsUnspecified() && !a.IsLoopback() && !a.IsPrivate() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && !within(a, special)
	}
	b := a.As16()
	switch {
	case translated.Contains(a):
		return embedded(b[12:], 0)
	case !globalUnicast.Contains(a), within(a, special6):
		return false
	case sixToFour.Contains(a):
		return embedded(b[2:], 0)
	case teredo.Contains(a):
		// The server's address, and the client's with each bit turned.
		return embedded(b[4:], 0) && embedded(b[12:], 0xff)
	case b[8]&0xfc == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe:
		return embedded(b[12:], 0) // ISATAP, in any network
	}
	return true
}

// embedded reports whether the first four bytes, each turned by mask, are a public address of IPv4.
func embedded(b []byte, mask byte) bool {
	return Public(netip.AddrFrom4([4]byte{b[0] ^ mask, b[1] ^ mask, b[2] ^ mask, b[3] ^ mask}))
}

func within(a netip.Addr, list []netip.Prefix) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}
