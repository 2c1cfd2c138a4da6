package gateway

import (
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// quota gives every address a bounded payload per window without a session. The address is that of the connection:
// headers about it are the client's word. An IPv6 client has a whole /64 to choose from, so that counts as one address; who
// has a /56 or a /48 has many of these, so that those have bounds of their own. All of them together have another.
type quota struct {
	bytes, total uint64
	window       time.Duration

	mu        sync.Mutex
	addresses *simplelru.LRU[netip.Prefix, *allowance]
	all       allowance

	// aside bounds what is read and fetched for an address and billed to nobody: what origins deliver without a session, and
	// manifests within one. fills and accountFills have the fetches from origins of an address and of an account wait for each
	// other, reads the manifests that are decoded for an address.
	aside        *quota
	fills, reads *turns[netip.Prefix]
	accountFills *turns[uint64]
}

const (
	// asideTimes is how many free quotas an address, and all of them together, have aside, and at least asideBytes and asideTotal.
	asideTimes = 16
	asideBytes = 256 << 20
	asideTotal = 64 << 30
	// askCost is what asking origins for a name costs of that, whatever comes of it, in bytes.
	askCost = 16 << 10
	// leaveCost is what it costs to leave while origins are asked, in bytes: the fetch goes on for a while, and its place is
	// nobody's meanwhile.
	leaveCost = 4 << 20
	// maxFills bounds the fetches from origins that one address or account has under way; its others wait.
	maxFills = 16
)

// wider are the networks that an IPv6 address is also counted under, with their bound in quotas of an address.
var wider = []struct {
	bits  int
	times uint64
}{{56, 4}, {48, 16}}

// allowance is what an address has used of a window.
type allowance struct {
	used uint64
	ends time.Time
}

func newQuota(cfg Config) (*quota, error) {
	q, err := quotaOf(cfg, cfg.FreeQuotaBytes, cfg.FreeQuotaTotalBytes)
	if err != nil {
		return nil, err
	}
	times := func(n, least uint64) uint64 {
		if n > math.MaxUint64/asideTimes {
			return math.MaxUint64
		}
		return max(n*asideTimes, least)
	}
	q.aside, err = quotaOf(cfg, times(cfg.FreeQuotaBytes, asideBytes), times(cfg.FreeQuotaTotalBytes, asideTotal))
	q.fills, q.reads, q.accountFills = newTurns[netip.Prefix](maxFills), newTurns[netip.Prefix](1), newTurns[uint64](maxFills)
	return q, err
}

func quotaOf(cfg Config, bytes, total uint64) (*quota, error) {
	addresses, err := simplelru.NewLRU[netip.Prefix, *allowance](cfg.FreeQuotaAddresses, nil)
	if err != nil {
		return nil, err
	}
	return &quota{bytes: bytes, total: total, window: cfg.FreeQuotaWindow, addresses: addresses}, nil
}

// take uses n bytes of an address' quota. If they are not left, to it or to any of the networks that it lies in, it takes
// nothing and returns how long the window still is; more than the whole quota is never left, and then no waiting helps: the
// time is the window.
func (q *quota) take(from netip.Prefix, n uint64, now time.Time) (wait time.Duration, ok bool) {
	if n == 0 {
		return 0, true
	}
	if n > min(q.bytes, q.total) {
		return q.window, false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !now.Before(q.all.ends) {
		q.all = allowance{ends: now.Add(q.window)}
	}
	if n > q.total-q.all.used {
		return q.all.ends.Sub(now), false
	}
	var parts []*allowance
	for _, p := range q.within(from) {
		a, known := q.addresses.Get(p.Prefix)
		if !known || !now.Before(a.ends) {
			a = &allowance{ends: now.Add(q.window)}
			q.addresses.Add(p.Prefix, a)
		}
		if a.used > p.bytes || n > p.bytes-a.used {
			return a.ends.Sub(now), false
		}
		parts = append(parts, a)
	}
	q.all.used += n
	for _, a := range parts {
		a.used += n
	}
	return 0, true
}

// spend counts what an address has used already. If that is more than it had left, it has nothing left.
func (q *quota) spend(from netip.Prefix, n uint64, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !now.Before(q.all.ends) {
		q.all = allowance{ends: now.Add(q.window)}
	}
	q.all.used += min(n, q.total-q.all.used)
	for _, p := range q.within(from) {
		a, known := q.addresses.Get(p.Prefix)
		if !known || !now.Before(a.ends) {
			a = &allowance{ends: now.Add(q.window)}
			q.addresses.Add(p.Prefix, a)
		}
		a.used += min(n, p.bytes-min(p.bytes, a.used))
	}
}

// bounded is a network and what it gets.
type bounded struct {
	netip.Prefix
	bytes uint64
}

// within returns the address and the networks that it is counted under.
func (q *quota) within(from netip.Prefix) []bounded {
	list := []bounded{{from, q.bytes}}
	if !from.Addr().Is6() {
		return list
	}
	for _, w := range wider {
		limit := q.bytes * w.times
		if limit/w.times != q.bytes {
			limit = math.MaxUint64
		}
		list = append(list, bounded{netip.PrefixFrom(from.Addr(), w.bits).Masked(), limit})
	}
	return list
}

// refund gives back what was taken and not sent. The part of an allowance that has ended or was forgotten is lost.
func (q *quota) refund(from netip.Prefix, n uint64, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now.Before(q.all.ends) {
		q.all.used -= min(q.all.used, n)
	}
	for _, p := range q.within(from) {
		if a, known := q.addresses.Peek(p.Prefix); known && now.Before(a.ends) {
			a.used -= min(a.used, n)
		}
	}
}

// count returns how many addresses and networks are remembered.
func (q *quota) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.addresses.Len()
}
