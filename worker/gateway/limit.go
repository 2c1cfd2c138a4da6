package gateway

import (
	"context"
	"net"
	"net/netip"
	"sync"
)

// spareConnections are accepted beyond twice a limit, so that acknowledgements get into a small worker that is full, and
// its other clients learn that it is overloaded rather than waiting.
const spareConnections = 16

// connections counts the open connections of a listener, all of them and by address. Up to limit of them, and perAddress
// of one address, are served; as many again and a few are accepted only to bring acknowledgements or to be told 429.
// Beyond that, connections of one address are closed, and others wait in the kernel's queue, which bounds descriptors and
// memory.
type connections struct {
	net.Listener
	limit int
	slots chan struct{}

	mu        sync.Mutex
	open      int
	addresses *perAddress
	closed    chan struct{}
	once      sync.Once
}

func limitConnections(l net.Listener, limit, perAddress int) *connections {
	return &connections{
		Listener: l, limit: limit, slots: make(chan struct{}, 2*limit+spareConnections), closed: make(chan struct{}),
		addresses: newPerAddress(perAddress),
	}
}

// Accept implements net.Listener. It returns the listener's own connections, because a wrapper around them would keep
// files from being sent by the kernel; http.Server says when they end.
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
		// The server calls begin before it accepts the next one.
		if most := c.addresses.limit; most == 0 || c.addresses.count(addressOf(conn.RemoteAddr().String())) < 2*most+spareConnections {
			return conn, nil
		}
		_ = conn.Close() // nothing was exchanged
	}
}

// Close implements net.Listener.
func (c *connections) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Listener.Close()
}

type refusedKey struct{}

// begin counts a new connection and marks its context if it is one too many, with the bound that it exceeds.
func (c *connections) begin(ctx context.Context, conn net.Conn) context.Context {
	of := c.addresses.add(addressOf(conn.RemoteAddr().String()))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open++
	switch {
	case c.open > c.limit:
		return context.WithValue(ctx, refusedKey{}, bound{c.limit, ""})
	case c.addresses.limit > 0 && of > c.addresses.limit:
		return context.WithValue(ctx, refusedKey{}, bound{c.addresses.limit, " from one address"})
	}
	return ctx
}

// end gives the connection's place back.
func (c *connections) end(conn net.Conn) {
	c.addresses.done(addressOf(conn.RemoteAddr().String()))
	c.mu.Lock()
	c.open--
	c.mu.Unlock()
	<-c.slots
}

// count returns how many connections are open.
func (c *connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// bound is a limit that a client has met, with the text that says whose it is.
type bound struct {
	limit int
	of    string
}

// refused returns the bound that the request's connection exceeds, if it does.
func refused(ctx context.Context) (bound, bool) {
	b, is := ctx.Value(refusedKey{}).(bound)
	return b, is
}

// perAddress counts something by the address that it comes from. It holds an entry only while there is something to
// count, so what bounds that bounds its memory.
type perAddress struct {
	// limit is what an address may have of it; 0 is no bound.
	limit int

	mu  sync.Mutex
	has map[netip.Prefix]int
}

func newPerAddress(limit int) *perAddress {
	return &perAddress{limit: limit, has: map[netip.Prefix]int{}}
}

// add counts one more, whatever the limit, and returns how many there are now.
func (p *perAddress) add(from netip.Prefix) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.has[from]++
	return p.has[from]
}

// take counts one more if the limit allows it.
func (p *perAddress) take(from netip.Prefix) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limit > 0 && p.has[from] >= p.limit {
		return false
	}
	p.has[from]++
	return true
}

// done counts one less.
func (p *perAddress) done(from netip.Prefix) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.has[from]--; p.has[from] <= 0 {
		delete(p.has, from)
	}
}

func (p *perAddress) count(from netip.Prefix) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.has[from]
}
