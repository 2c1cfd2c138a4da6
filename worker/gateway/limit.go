package gateway

import (
	"context"
	"math"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

const (
	// spareConnections are accepted beyond twice a limit, so that acknowledgements get into a small worker that is full, and
	// its other clients learn that it is overloaded rather than waiting.
	spareConnections = 16
	// spareStreams of a connection are for acknowledgements: a client whose streams are all paused brings them on the same one.
	spareStreams = 8
	// unprovenPerSecond bounds the QUIC handshakes with addresses that nobody has proven to be at. Others take a round trip more.
	unprovenPerSecond = 100
	// subnetRates is how many times as many new connections a second a subnet may open as an address.
	subnetRates = 4
)

// peer is the other end of a connection.
type peer struct {
	from source
	// refused is the bound that the connection exceeds, if it does: only acknowledgements get in.
	refused *bound
	// running counts its requests under way, but for those that bring acknowledgements.
	running atomic.Int32
}

type peerKey struct{}

// peerOf returns the peer of a request's connection, nil if the server's own listeners did not accept it, as in tests.
func peerOf(ctx context.Context) *peer {
	p, _ := ctx.Value(peerKey{}).(*peer)
	return p
}

// bound is a limit that a client has met, with the text that says what it is of.
type bound struct {
	limit int
	of    string
}

// source is what a request is counted under: an IPv4 address or an IPv6 /64, and the IPv4 /24 or IPv6 /48 around it.
// Those that are no IP addresses share one.
type source struct {
	address, subnet netip.Prefix
	// trusted proxies answer for the addresses behind them. They have no bounds of their own.
	trusted bool
}

func sourceOf(addr netip.Addr) source {
	addr = addr.Unmap().WithZone("")
	bits, around := 32, 24
	if addr.Is6() {
		bits, around = 64, 48
	}
	// An address that is none has the zero prefix, without an error that would say more.
	address, _ := addr.Prefix(bits)
	subnet, _ := addr.Prefix(around)
	return source{address: address, subnet: subnet}
}

// addressOf returns the address that a connection's peer is counted under.
func addressOf(remote string) netip.Prefix { return sourceOf(parseRemote(remote)).address }

// parseRemote reads host:port, with the zero address for what is no IP address.
func parseRemote(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(host)
	return addr
}

// connections counts the open connections of all public listeners: all of them, by address and by subnet. Up to a limit
// of each are served; as many again and a few are accepted only to bring acknowledgements or to be told 429. Beyond that,
// connections of one address or subnet are closed, and others wait in the kernel's queue (TCP) or are refused (QUIC),
// which bounds descriptors and memory.
type connections struct {
	net.Listener
	limit, quicLimit int
	slots            chan struct{}
	proxies          proxies
	places           *occupancy
	rates            *rates
	// trusting lets handshakes begin with addresses that may be lies.
	trusting *rate.Limiter
	// wrap, unless it is nil, makes what Accept returns of the listener's connections.
	wrap func(net.Conn) net.Conn

	mu         sync.Mutex
	open, quic int
	closed     chan struct{}
	once       sync.Once
	// hurried says that the connection that was accepted last came too soon. Only the goroutine that accepts has it.
	hurried bool
}

func limitConnections(l net.Listener, cfg Config, trusted proxies) (*connections, error) {
	r, err := newRates(cfg)
	if err != nil {
		return nil, err
	}
	return &connections{
		Listener: l, limit: cfg.MaxConnections, quicLimit: cfg.MaxHTTP3Connections,
		slots: make(chan struct{}, 2*cfg.MaxConnections+spareConnections), closed: make(chan struct{}),
		places: newOccupancy(cfg.MaxConnectionsPerAddress, cfg.MaxConnectionsPerSubnet), proxies: trusted, rates: r,
		trusting: rate.NewLimiter(unprovenPerSecond, unprovenPerSecond),
	}, nil
}

// Accept implements net.Listener. It returns the listener's own connections, or what wraps them and passes on how the kernel
// sends files; http.Server says when they end.
func (c *connections) Accept() (net.Conn, error) {
	select {
	case c.slots <- struct{}{}:
	case <-c.closed:
		return nil, net.ErrClosed
	}
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			<-c.slots
			return nil, err
		}
		from := c.source(conn.RemoteAddr())
		if c.places.crowded(from) {
			_ = conn.Close() // nothing was exchanged
			continue
		}
		speed := c.rates.take(from, time.Now())
		if speed == muchTooFast {
			_ = conn.Close()
			continue
		}
		// The server calls begin before it accepts the next one.
		c.hurried = speed == tooFast
		if tcp, ok := conn.(*net.TCPConn); ok {
			limitUnsent(tcp)
		}
		if c.wrap != nil {
			conn = c.wrap(conn)
		}
		return conn, nil
	}
}

// Close implements net.Listener.
func (c *connections) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Listener.Close()
}

// begin counts a new TCP connection and puts its peer into its context. It is a ConnContext of http.Server.
func (c *connections) begin(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, c.enter(c.source(conn.RemoteAddr()), c.hurried))
}

// end gives the connection's place back.
func (c *connections) end(conn net.Conn) {
	c.leave(c.source(conn.RemoteAddr()))
}

// beginQUIC counts a new QUIC connection, which must have a slot at once, and ends with its context.
func (c *connections) beginQUIC(ctx context.Context, addr net.Addr) (context.Context, bool) {
	from := c.source(addr)
	c.mu.Lock()
	full := c.quic >= c.quicLimit
	c.mu.Unlock()
	if full || c.places.crowded(from) {
		return ctx, false
	}
	speed := c.rates.take(from, time.Now())
	if speed == muchTooFast {
		return ctx, false
	}
	select {
	case c.slots <- struct{}{}:
	default:
		return ctx, false
	}
	c.mu.Lock()
	c.quic++
	c.mu.Unlock()
	p := c.enter(from, speed == tooFast)
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		c.quic--
		c.mu.Unlock()
		c.leave(from)
	})
	return context.WithValue(ctx, peerKey{}, p), true
}

// unproven reports whether the peer of a new QUIC connection must prove its address first, at the cost of a round trip: the
// places of an address that is a lie are another's, and so is its rate, which a handshake takes of even if it is closed at once.
// Half of both is left to whoever is there. All handshakes that are believed are bounded together, so that lies cannot make
// the worker forget what it knows of others.
func (c *connections) unproven(addr net.Addr) bool {
	c.mu.Lock()
	busy := c.quic >= c.quicLimit/4
	c.mu.Unlock()
	from := c.source(addr)
	return busy || c.places.busy(from) || c.rates.low(from, time.Now()) || !c.trusting.Allow()
}

func (c *connections) source(addr net.Addr) source {
	var ip netip.Addr
	switch a := addr.(type) {
	case *net.TCPAddr:
		ip = a.AddrPort().Addr()
	case *net.UDPAddr:
		ip = a.AddrPort().Addr()
	}
	from := sourceOf(ip)
	from.trusted = c.proxies.trusts(ip)
	return from
}

func (c *connections) enter(from source, hurried bool) *peer {
	p := &peer{from: from}
	over := c.places.add(from)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open++
	switch {
	case c.open > c.limit:
		p.refused = &bound{c.limit, "connections are open"}
	case over != nil:
		p.refused = &bound{over.limit, "connections are open from " + over.of}
	case hurried:
		p.refused = &bound{c.rates.perSecond, "connections a second come from one address or its subnet"}
	}
	return p
}

func (c *connections) leave(from source) {
	c.places.done(from)
	c.mu.Lock()
	c.open--
	c.mu.Unlock()
	<-c.slots
}

// count returns how many connections are open, and how many of them are QUIC's.
func (c *connections) count() (all, quic int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open, c.quic
}

const (
	oneAddress = "one address"
	oneSubnet  = "one subnet (an IPv4 /24 or IPv6 /48)"
)

// occupancy counts something by the address and the subnet that it comes from.
type occupancy struct {
	// perAddress and perSubnet are what each may have of it; 0 is no bound.
	perAddress, perSubnet int

	mu                 sync.Mutex
	addresses, subnets tally[netip.Prefix]
}

func newOccupancy(perAddress, perSubnet int) *occupancy {
	return &occupancy{perAddress: perAddress, perSubnet: perSubnet, addresses: newTally[netip.Prefix](), subnets: newTally[netip.Prefix]()}
}

// add counts one more, whatever the limits, and returns the one that it exceeds.
func (o *occupancy) add(from source) *bound {
	if from.trusted {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.count(from)
}

// take counts one more if the limits allow it, else it returns the one that does not.
func (o *occupancy) take(from source) *bound {
	if from.trusted {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	over := o.count(from)
	if over != nil {
		o.uncount(from)
	}
	return over
}

// done counts one less.
func (o *occupancy) done(from source) {
	if from.trusted {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.uncount(from)
}

// count is add for a caller that holds mu.
func (o *occupancy) count(from source) *bound {
	of, around := o.addresses.add(from.address), o.subnets.add(from.subnet)
	switch {
	case o.perAddress > 0 && of > o.perAddress:
		return &bound{o.perAddress, oneAddress}
	case o.perSubnet > 0 && around > o.perSubnet:
		return &bound{o.perSubnet, oneSubnet}
	}
	return nil
}

// uncount is done for a caller that holds mu.
func (o *occupancy) uncount(from source) {
	o.addresses.done(from.address)
	o.subnets.done(from.subnet)
}

// crowded reports whether there is so much of an address or its subnet that not even a refusal has room.
func (o *occupancy) crowded(from source) bool {
	if from.trusted {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.perAddress > 0 && o.addresses.count(from.address) >= 2*o.perAddress+spareConnections ||
		o.perSubnet > 0 && o.subnets.count(from.subnet) >= 2*o.perSubnet+spareConnections
}

// busy reports whether an address or its subnet has used up half of its places.
func (o *occupancy) busy(from source) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.perAddress > 0 && 2*o.addresses.count(from.address) >= o.perAddress ||
		o.perSubnet > 0 && 2*o.subnets.count(from.subnet) >= o.perSubnet
}

// perKey counts something by who it is of.
type perKey[K comparable] struct {
	// limit is what each may have of it; 0 is no bound.
	limit int

	mu  sync.Mutex
	has tally[K]
}

func newPerKey[K comparable](limit int) *perKey[K] {
	return &perKey[K]{limit: limit, has: newTally[K]()}
}

// take counts one more if the limit allows it.
func (p *perKey[K]) take(of K) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.has.add(of); p.limit > 0 && n > p.limit {
		p.has.done(of)
		return false
	}
	return true
}

// done counts one less.
func (p *perKey[K]) done(of K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.has.done(of)
}

// turns lets at most limit of each work on something at a time; the others wait. It holds an entry only while somebody works
// or waits.
type turns[K comparable] struct {
	limit int

	mu sync.Mutex
	of map[K]*turn
}

type turn struct {
	places chan struct{}
	users  int
}

func newTurns[K comparable](limit int) *turns[K] {
	return &turns[K]{limit: limit, of: map[K]*turn{}}
}

// take waits for a place, which the function that it returns gives back, or for the end of the context.
func (t *turns[K]) take(ctx context.Context, of K) (done func(), err error) {
	t.mu.Lock()
	at := t.of[of]
	if at == nil {
		at = &turn{places: make(chan struct{}, t.limit)}
		t.of[of] = at
	}
	at.users++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if at.users--; at.users == 0 {
			delete(t.of, of)
		}
	}
	select {
	case at.places <- struct{}{}:
		return func() { <-at.places; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}

// speed is how fast an address opens connections.
type speed int

const (
	fine speed = iota
	// tooFast is answered with 429, muchTooFast with a closed connection.
	tooFast
	muchTooFast
)

// rates bounds how fast an address, and the subnet around it, opens connections. Each has a bucket that fills at its rate;
// its size is the number of connections that it may have open, so that one who comes back with all of them gets in.
type rates struct {
	perSecond int
	burst     float64

	mu      sync.Mutex
	buckets *simplelru.LRU[netip.Prefix, *bucket]
}

// bucket holds tokens as of a time. Down to minus its size those who come too soon are told.
type bucket struct {
	tokens float64
	at     time.Time
}

func newRates(cfg Config) (*rates, error) {
	buckets, err := simplelru.NewLRU[netip.Prefix, *bucket](cfg.FreeQuotaAddresses, nil)
	if err != nil {
		return nil, err
	}
	return &rates{perSecond: cfg.NewConnectionsPerSecond, burst: float64(max(cfg.NewConnectionsPerSecond, cfg.MaxConnectionsPerAddress)), buckets: buckets}, nil
}

// take uses a token of an address and of its subnet.
func (r *rates) take(from source, now time.Time) speed {
	if r.perSecond == 0 || from.trusted {
		return fine
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(r.takeOf(from.address, 1, now), r.takeOf(from.subnet, subnetRates, now))
}

// low reports whether an address or its subnet has used up half of its tokens. It uses none.
func (r *rates) low(from source, now time.Time) bool {
	if r.perSecond == 0 || from.trusted {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	low := func(of netip.Prefix, times float64) bool {
		b, known := r.buckets.Peek(of)
		return known && 2*(b.tokens+now.Sub(b.at).Seconds()*float64(r.perSecond)*times) < r.burst*times
	}
	return low(from.address, 1) || low(from.subnet, subnetRates)
}

func (r *rates) takeOf(of netip.Prefix, times float64, now time.Time) speed {
	size := r.burst * times
	b, known := r.buckets.Get(of)
	if !known {
		b = &bucket{tokens: size, at: now}
		r.buckets.Add(of, b)
	}
	b.tokens = math.Min(size, b.tokens+now.Sub(b.at).Seconds()*float64(r.perSecond)*times)
	b.at = now
	switch {
	case b.tokens >= 1:
		b.tokens--
		return fine
	case b.tokens > -size:
		b.tokens--
		return tooFast
	}
	return muchTooFast
}

// place is what a request holds while it is worked on.
type place struct {
	s      *Server
	peer   *peer
	from   source
	counts bool
}

// leave gives it back, once.
func (p *place) leave() {
	if !p.counts {
		return
	}
	p.counts = false
	<-p.s.requests
	p.s.requestsBy.done(p.from)
	if p.peer != nil {
		p.peer.running.Add(-1)
	}
}

// admit gives a request a place among those that are worked on, or says which bound it exceeds. Requests with
// acknowledgements have places of their own (enterAcks), and light ones need none.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, rt route) (place, error) {
	p := peerOf(r.Context())
	if p != nil && p.refused != nil {
		w.Header().Set("Connection", "close")
	}
	if rt.light || rt.acks {
		return place{}, nil
	}
	if p != nil && p.refused != nil {
		return place{}, s.refuse("connection", "more than %d %s", p.refused.limit, p.refused.of)
	}
	at, full := s.seat(p, s.originOf(r, p))
	if full != nil {
		return place{}, s.refuse(full.by, "more than %d requests are under way%s", full.limit, full.of)
	}
	return at, nil
}

// fullness is a bound that keeps a request out, and the label that its refusals are counted under.
type fullness struct {
	bound
	by string
}

// seat takes a place for a request if no bound keeps it out.
func (s *Server) seat(p *peer, from source) (place, *fullness) {
	at := place{s: s, peer: p, from: from, counts: true}
	if p != nil && int(p.running.Add(1)) > s.cfg.MaxStreams {
		p.running.Add(-1)
		return place{}, &fullness{bound{s.cfg.MaxStreams, " on one connection"}, "streams"}
	}
	if over := s.requestsBy.take(at.from); over != nil {
		if p != nil {
			p.running.Add(-1)
		}
		return place{}, &fullness{bound{over.limit, " from " + over.of}, "address"}
	}
	select {
	case s.requests <- struct{}{}:
		return at, nil
	default:
		if p != nil {
			p.running.Add(-1)
		}
		s.requestsBy.done(at.from)
		return place{}, &fullness{bound{s.cfg.MaxRequests, ""}, "requests"}
	}
}

// originOf returns what a request is counted under: the address of its connection, or what a trusted proxy says.
func (s *Server) originOf(r *http.Request, p *peer) source {
	if p != nil && !p.from.trusted {
		return p.from
	}
	return sourceOf(parseRemote(r.RemoteAddr))
}

// refuse counts a refusal by the kind of bound that was met.
func (s *Server) refuse(by, format string, args ...any) *problem {
	s.metrics.refused.WithLabelValues(by).Inc()
	return newProblem(overloaded, format, args...)
}
