package gateway

import (
	"context"
	"net"
	"sync"
)

// spareConnections are accepted beyond twice the limit, so that a client of a small worker learns that it is overloaded
// rather than waiting.
const spareConnections = 16

// connections counts the open connections of a listener. Up to limit of them are served; the next ones are accepted only
// to be told 429; beyond those, connections wait in the kernel's queue, which bounds descriptors and memory.
type connections struct {
	net.Listener
	limit int
	slots chan struct{}

	mu     sync.Mutex
	open   int
	closed chan struct{}
	once   sync.Once
}

func limitConnections(l net.Listener, limit int) *connections {
	return &connections{Listener: l, limit: limit, slots: make(chan struct{}, 2*limit+spareConnections), closed: make(chan struct{})}
}

// Accept implements net.Listener. It returns the listener's own connections, because a wrapper around them would keep
// files from being sent by the kernel; http.Server says when they end.
func (c *connections) Accept() (net.Conn, error) {
	select {
	case c.slots <- struct{}{}:
	case <-c.closed:
		return nil, net.ErrClosed
	}
	conn, err := c.Listener.Accept()
	if err != nil {
		<-c.slots
		return nil, err
	}
	return conn, nil
}

// Close implements net.Listener.
func (c *connections) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Listener.Close()
}

type refusedKey struct{}

// begin counts a new connection and marks its context if it is one too many.
func (c *connections) begin(ctx context.Context) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open++
	if c.open > c.limit {
		return context.WithValue(ctx, refusedKey{}, true)
	}
	return ctx
}

// end gives the connection's place back.
func (c *connections) end() {
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

// refused reports whether the request came by a connection beyond the limit.
func refused(ctx context.Context) bool {
	is, _ := ctx.Value(refusedKey{}).(bool)
	return is
}
