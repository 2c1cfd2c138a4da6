package gateway

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// quota gives every address a bounded payload per window without a session. The address is that of the connection:
// headers about it are the client's word. An IPv6 client has a whole /64 to choose from, so that counts as one address.
type quota struct {
	bytes  uint64
	window time.Duration

	mu        sync.Mutex
	addresses *simplelru.LRU[netip.Prefix, *allowance]
}

// allowance is what an address has used of a window.
type allowance struct {
	used uint64
	ends time.Time
}

func newQuota(cfg Config) (*quota, error) {
	addresses, err := simplelru.NewLRU[netip.Prefix, *allowance](cfg.FreeQuotaAddresses, nil)
	if err != nil {
		return nil, err
	}
	return &quota{bytes: cfg.FreeQuotaBytes, window: cfg.FreeQuotaWindow, addresses: addresses}, nil
}

// take uses n bytes of an address' quota. If they are not left it takes nothing and returns how long the window still is;
// more than the whole quota is never left, and then no waiting helps: the time is the window.
func (q *quota) take(from netip.Prefix, n uint64, now time.Time) (wait time.Duration, ok bool) {
	if n == 0 {
		return 0, true
	}
	if n > q.bytes {
		return q.window, false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	a, known := q.addresses.Get(from)
	if !known || !now.Before(a.ends) {
		a = &allowance{ends: now.Add(q.window)}
		q.addresses.Add(from, a)
	}
	if n > q.bytes-a.used {
		return a.ends.Sub(now), false
	}
	a.used += n
	return 0, true
}

// refund gives back what was taken and not sent. The part of an allowance that has ended or was forgotten is lost.
func (q *quota) refund(from netip.Prefix, n uint64, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if a, known := q.addresses.Peek(from); known && now.Before(a.ends) {
		a.used -= min(a.used, n)
	}
}

// count returns how many addresses are remembered.
func (q *quota) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.addresses.Len()
}

// addressOf returns the address that a connection's peer is counted under. Those that are no IP addresses share one.
func addressOf(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(addr, bits).Masked()
}
