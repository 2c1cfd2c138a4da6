package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	jsonrpcclient "github.com/cometbft/cometbft/rpc/jsonrpc/client"
	cmttypes "github.com/cometbft/cometbft/types"
)

const (
	// connectTimeout bounds connecting, the handshakes included.
	connectTimeout = 10 * time.Second
	// pingEvery finds out about a peer that is gone, and writeTimeout bounds a write to it.
	pingEvery    = 15 * time.Second
	writeTimeout = 5 * time.Second
	// maxEvent bounds what comes in between two events, in bytes. The header of a block takes about 1 KB.
	maxEvent = 1 << 20
)

var errSubscriptionBroke = errors.New("the connection of the subscription broke")

// Blocks subscribes to the headers of new blocks over the websocket of the RPC endpoint, because the blocks themselves are
// large and not needed. It makes one connection; when that breaks, it returns.
func (n *Node) Blocks(ctx context.Context, seen func()) error {
	if n.address == "" {
		return errors.New("the node has no websocket")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	line := &subscriptionLine{broken: make(chan struct{})}
	// The client's own attempts to connect again cannot be stopped or bounded: it gets one connection, and no other.
	ws, err := jsonrpcclient.NewWS(n.address, "/websocket",
		jsonrpcclient.MaxReconnectAttempts(0), jsonrpcclient.PingPeriod(pingEvery), jsonrpcclient.WriteWait(writeTimeout))
	if err != nil {
		return fmt.Errorf("websocket of the node: %w", err)
	}
	ws.Dialer = func(network, address string) (net.Conn, error) { return line.dial(ctx, network, address) }
	if err := ws.Start(); err != nil {
		return fmt.Errorf("connect to the websocket of the node: %w", err)
	}
	defer func() {
		// With the connection closed nothing of the client can hang. It may have stopped by itself before.
		cancel()
		line.hangUp()
		_ = ws.Stop()
	}()
	subscribing, done := context.WithTimeout(ctx, connectTimeout)
	err = ws.Subscribe(subscribing, cmttypes.EventQueryNewBlockHeader.String())
	done()
	if err != nil {
		return fmt.Errorf("subscribe to new blocks: %w", err)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-line.broken:
			return errSubscriptionBroke
		case res, ok := <-ws.ResponsesCh:
			switch {
			case !ok:
				return errSubscriptionBroke
			case res.Error != nil:
				return fmt.Errorf("subscription to new blocks: %w", res.Error)
			}
			line.received.Store(0)
			// The answer to the request itself is empty.
			var event struct {
				Query string `json:"query"`
			}
			if err := json.Unmarshal(res.Result, &event); err != nil {
				return fmt.Errorf("event of a new block: %w", err)
			}
			if event.Query != "" {
				seen()
			}
		}
	}
}

// subscriptionLine hands out one connection and tells when it is closed.
type subscriptionLine struct {
	broken   chan struct{}
	received atomic.Int64

	mu   sync.Mutex
	conn *subscriptionConn
}

// dial connects for as long as ctx lives. A second call fails.
func (l *subscriptionLine) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		return nil, errSubscriptionBroke
	}
	raw, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	// The websocket client lifts the deadline after its handshake.
	if err := raw.SetDeadline(time.Now().Add(connectTimeout)); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	l.conn = &subscriptionConn{Conn: raw, line: l}
	context.AfterFunc(ctx, l.hangUp)
	return l.conn, nil
}

func (l *subscriptionLine) hangUp() {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
}

// subscriptionConn tells when it is closed, because the websocket client keeps errors of the network to itself, and breaks
// when a message is too long, because that client has no bound for it.
type subscriptionConn struct {
	net.Conn

	line *subscriptionLine
	once sync.Once
	err  error
}

func (c *subscriptionConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.line.received.Add(int64(n)) > maxEvent {
		return 0, fmt.Errorf("a message of more than %d bytes", maxEvent)
	}
	return n, err
}

func (c *subscriptionConn) Close() error {
	c.once.Do(func() {
		c.err = c.Conn.Close()
		close(c.line.broken)
	})
	return c.err
}
