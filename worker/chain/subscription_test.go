package chain

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cometbft/cometbft/libs/log"
	rpcserver "github.com/cometbft/cometbft/rpc/jsonrpc/server"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/stretchr/testify/require"
)

// websocket serves /websocket as a node does, and gives each subscription to the function.
func websocket(t *testing.T, subscribed func(ctx *rpctypes.Context, query string) error) *Node {
	t.Helper()
	manager := rpcserver.NewWebsocketManager(map[string]*rpcserver.RPCFunc{
		"subscribe": rpcserver.NewWSRPCFunc(func(ctx *rpctypes.Context, query string) (struct{}, error) {
			return struct{}{}, subscribed(ctx, query)
		}, "query"),
	})
	manager.SetLogger(log.NewNopLogger())
	mux := http.NewServeMux()
	mux.HandleFunc("/websocket", manager.WebsocketHandler)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	enc, err := NewEncoding()
	require.NoError(t, err)
	n, err := NewNode(server.URL+"/", enc)
	require.NoError(t, err)
	return n
}

// send writes an event as a node does: another answer to the request.
func send(t *testing.T, ctx *rpctypes.Context, result any) {
	t.Helper()
	b, err := json.Marshal(result)
	require.NoError(t, err)
	require.NoError(t, ctx.WSConn.WriteRPCResponse(context.Background(), rpctypes.RPCResponse{JSONRPC: "2.0", ID: ctx.JSONReq.ID, Result: b}))
}

func TestBlocks(t *testing.T) {
	const query = "tm.event = 'NewBlockHeader'"
	n := websocket(t, func(ctx *rpctypes.Context, got string) error {
		if got != query {
			t.Errorf("subscription to %q", got)
		}
		go func() {
			for range 3 {
				send(t, ctx, map[string]any{"query": query, "data": map[string]any{}})
			}
		}()
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var seen atomic.Int32
	err := n.Blocks(ctx, func() {
		if seen.Add(1) == 3 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.EqualValues(t, 3, seen.Load())
}

func TestBlocksEnd(t *testing.T) {
	ends := func(t *testing.T, n *Node, want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		require.ErrorContains(t, n.Blocks(ctx, func() {}), want)
		require.NoError(t, ctx.Err(), "it ends by itself")
	}
	t.Run("refused", func(t *testing.T) {
		ends(t, websocket(t, func(*rpctypes.Context, string) error {
			return rpctypes.RPCError{Code: -1, Message: "too many subscriptions"}
		}), "too many subscriptions")
	})
	t.Run("closed by the node", func(t *testing.T) {
		ends(t, websocket(t, func(ctx *rpctypes.Context, _ string) error {
			go func() {
				if s, ok := ctx.WSConn.(interface{ Stop() error }); ok {
					_ = s.Stop()
				}
			}()
			return nil
		}), "broke")
	})
	t.Run("too long", func(t *testing.T) {
		ends(t, websocket(t, func(ctx *rpctypes.Context, _ string) error {
			go send(t, ctx, map[string]any{"query": strings.Repeat("x", 2*maxEvent)})
			return nil
		}), "broke")
	})
	t.Run("no event", func(t *testing.T) {
		ends(t, websocket(t, func(ctx *rpctypes.Context, _ string) error {
			go send(t, ctx, "nonsense")
			return nil
		}), "event of a new block")
	})
	t.Run("nobody listens", func(t *testing.T) {
		enc, err := NewEncoding()
		require.NoError(t, err)
		n, err := NewNode("http://127.0.0.1:1", enc)
		require.NoError(t, err)
		ends(t, n, "refused")
	})
	t.Run("no websocket", func(t *testing.T) {
		n, _ := testNode(t)
		ends(t, n, "no websocket")
	})
	t.Run("one that does not answer", func(t *testing.T) {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		enc, err := NewEncoding()
		require.NoError(t, err)
		n, err := NewNode("http://"+l.Addr().String(), enc)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		require.Error(t, n.Blocks(ctx, func() {}))
		require.Error(t, ctx.Err())
	})
}
