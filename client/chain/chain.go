// Package chain is the chain as a client sees it: queries of epochs, workers, accounts, keys and prices, and the
// transactions that a client sends, over the RPC of a CometBFT node. It uses none of the SDK's keepers and none of its
// global configuration: addresses are written and read with codecs of the chain's own prefix.
package chain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	gogogrpc "github.com/cosmos/gogoproto/grpc"
	"github.com/cosmos/gogoproto/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/core/address"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	addresscodec "github.com/cosmos/cosmos-sdk/codec/address"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/std"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/tx/signing"

	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// Facts of the chain that clients have to know.
const (
	// Prefix of account addresses.
	Prefix = "edge"
	// FeeDenom is the coin that fees are paid in.
	FeeDenom = "uedge"
	// ContentService is the id of the built-in content service.
	ContentService = 0
)

var (
	// ErrUnavailable reports a node that does not answer.
	ErrUnavailable = errors.New("chain does not answer")
	// ErrNotFound reports that the chain has no such record.
	ErrNotFound = errors.New("not found on the chain")
	// ErrChainID reports a node of another chain than the configured one.
	ErrChainID = errors.New("node is of another chain")
	// ErrBehind reports a node that has not caught up with its chain.
	ErrBehind = errors.New("node is behind its chain")
)

// Config of a Client.
type Config struct {
	// RPC is the URL of a CometBFT node's RPC, such as http://localhost:26657 or tcp://localhost:26657.
	RPC string
	// ChainID that the node must be of. Empty takes what the node says.
	ChainID string
	// Timeout of one call. Default 10 s.
	Timeout time.Duration
	// GasAdjustment multiplies simulated gas. Default 1.4.
	GasAdjustment float64
	// GasPrice in FeeDenom for a node that does not say its own. Default 0.0025.
	GasPrice string
	// MaxFee is the most that a transaction may cost, in FeeDenom. 0 takes a node's word for a gas price of up to ten times
	// GasPrice, and for the gas that such a message can use.
	MaxFee uint64
	// InclusionBlocks is for how many blocks a transaction stays valid, and how long its inclusion is waited for.
	// Default 30.
	InclusionBlocks uint64
	// PollInterval between looks for a transaction. Default 300 ms.
	PollInterval time.Duration
}

func (c Config) withDefaults() Config {
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.GasAdjustment < 1 {
		c.GasAdjustment = 1.4
	}
	if c.GasPrice == "" {
		c.GasPrice = "0.0025"
	}
	if c.InclusionBlocks == 0 {
		c.InclusionBlocks = 30
	}
	if c.PollInterval <= 0 {
		c.PollInterval = 300 * time.Millisecond
	}
	return c
}

// Client talks to one node. It is safe for concurrent use.
type Client struct {
	cfg       Config
	rpc       client.CometRPC
	registry  codectypes.InterfaceRegistry
	cdc       *codec.ProtoCodec
	addresses address.Codec
}

// maxRPCHeader bounds the header of an answer of the node in bytes.
const maxRPCHeader = 64 << 10

// maxRPCBody bounds the body of an answer in bytes: a page of workers is the largest one, with at most about 2.5 KiB each,
// and base64 around it.
const maxRPCBody = 4 << 20

// bounded makes bodies of answers end with an error behind maxRPCBody bytes.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > maxRPCBody {
		return nil, errors.Join(errTooLong, resp.Body.Close())
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxRPCBody}
	return resp, nil
}

type boundedBody struct {
	io.ReadCloser
	left int
}

var errTooLong = fmt.Errorf("the answer is over %d bytes", maxRPCBody)

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	// One more than is left, to tell an end from a cut.
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if n > b.left {
		return b.left, errTooLong
	}
	b.left -= n
	return n, err
}

// New returns a client of the node. It makes no connection.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.RPC)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("node address %q is not a URL with a host, such as http://localhost:26657", cfg.RPC)
	}
	switch u.Scheme {
	case "http", "https", "tcp":
	default:
		return nil, fmt.Errorf("node address %q: scheme %q, want http, https or tcp", cfg.RPC, u.Scheme)
	}
	cfg = cfg.withDefaults()
	httpClient := &http.Client{
		Transport: bounded{&http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: cfg.Timeout}).DialContext,
			TLSHandshakeTimeout:    cfg.Timeout,
			ResponseHeaderTimeout:  cfg.Timeout,
			IdleConnTimeout:        time.Minute,
			MaxIdleConnsPerHost:    4,
			MaxResponseHeaderBytes: maxRPCHeader,
			DisableCompression:     true,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	rpc, err := rpchttp.NewWithClient(cfg.RPC, "/websocket", httpClient)
	if err != nil {
		return nil, fmt.Errorf("node address %q: %w", cfg.RPC, err)
	}
	return newClient(cfg, rpc)
}

func newClient(cfg Config, rpc client.CometRPC) (*Client, error) {
	registry, err := NewInterfaceRegistry()
	if err != nil {
		return nil, err
	}
	return &Client{
		cfg: cfg.withDefaults(), rpc: rpc, registry: registry, cdc: codec.NewProtoCodec(registry),
		addresses: addresscodec.NewBech32Codec(Prefix),
	}, nil
}

// NewInterfaceRegistry returns a registry with all that a client sends and receives, and with address codecs of Prefix.
func NewInterfaceRegistry() (codectypes.InterfaceRegistry, error) {
	registry, err := codectypes.NewInterfaceRegistryWithOptions(codectypes.InterfaceRegistryOptions{
		ProtoFiles: proto.HybridResolver,
		SigningOptions: signing.Options{
			AddressCodec:          addresscodec.NewBech32Codec(Prefix),
			ValidatorAddressCodec: addresscodec.NewBech32Codec(Prefix + "valoper"),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("build the interface registry: %w", err)
	}
	std.RegisterInterfaces(registry)
	authtypes.RegisterInterfaces(registry)
	dacktypes.RegisterInterfaces(registry)
	return registry, nil
}

// Codec returns the codec of the chain's types, as a keyring needs it.
func (c *Client) Codec() codec.Codec { return c.cdc }

// Addresses returns the codec of account addresses.
func (c *Client) Addresses() address.Codec { return c.addresses }

// RPC returns the address of the node.
func (c *Client) RPC() string { return c.cfg.RPC }

// conn makes queries of the SDK's generated clients go over the node's RPC, under the caller's context.
func (c *Client) conn(ctx context.Context) gogogrpc.ClientConn {
	return client.Context{}.WithClient(c.rpc).WithCodec(c.cdc).WithInterfaceRegistry(c.registry).WithCmdContext(ctx)
}

// call runs one query with a timeout and types its error.
func call[T any](ctx context.Context, c *Client, what string, f func(context.Context, gogogrpc.ClientConn) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	v, err := f(ctx, c.conn(ctx))
	if err != nil {
		var zero T
		return zero, c.queryError(what, err)
	}
	return v, nil
}

func (c *Client) queryError(what string, err error) error {
	if s, ok := status.FromError(err); ok {
		if s.Code() == codes.NotFound {
			return fmt.Errorf("%w: %s", ErrNotFound, what)
		}
		return fmt.Errorf("query %s: %s", what, oneLine(s.Message()))
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("query %s: %w", what, err)
	}
	return fmt.Errorf("%w: node %s, query %s: %s", ErrUnavailable, c.cfg.RPC, what, oneLine(err.Error()))
}

// maxErrorText bounds what is shown of an error of the node, in characters.
const maxErrorText = 400

// sourcePlace is how the SDK names the place in its source where an error arose.
var sourcePlace = regexp.MustCompile(` \[[^\] ]*\.go:\d+\]`)

// oneLine makes an error of the node fit on one line: its first line, without the places in the node's source.
func oneLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	s = sourcePlace.ReplaceAllString(s, "")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > maxErrorText {
		s = string(r[:maxErrorText]) + "..."
	}
	return strings.TrimSpace(s)
}
