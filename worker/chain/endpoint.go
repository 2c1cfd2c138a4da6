package chain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
)

// pathDigestSize is how much of the digest of its path an endpoint's name has, in bytes: enough to tell a few apart.
const pathDigestSize = 4

// maxEndpoints bounds the endpoints of a Nodes, and with them the values of a metric's label.
const maxEndpoints = 8

// Endpoint is one node of the chain. Node is the one over CometBFT RPC.
type Endpoint interface {
	Source
	Sender(ctx context.Context, address string) (number, sequence uint64, err error)
	Broadcast(ctx context.Context, tx []byte) error
	FindTx(ctx context.Context, hash []byte) (Included, error)
	ScanTx(ctx context.Context, hash []byte, height int64) (Included, error)
	Simulate(ctx context.Context, tx []byte) (uint64, error)
	Participation(ctx context.Context, operator string) (Participation, error)
	HeaderHash(ctx context.Context, height int64) ([]byte, error)
}

// NamedEndpoint is an endpoint and the name under which metrics and logs have it.
type NamedEndpoint struct {
	Name     string
	Endpoint Endpoint
}

// endpoint is what a Nodes knows of an endpoint. Its state is guarded by the mutex of the Nodes.
type endpoint struct {
	NamedEndpoint

	// status as it was last answered, at.
	status Status
	at     time.Time
	// top is the greatest height that it has said and can have come to, at topAt; topTime is the time of that block.
	top     int64
	topAt   time.Time
	topTime time.Time
	// problem of the last answer, nil if it was good.
	problem error
	// fitSince is since when it can be relied on, zero while it cannot.
	fitSince time.Time
}

// SplitEndpoints returns the addresses of a list that is separated by commas. It returns an error if one stands there twice
// or is empty, or if there are too many.
func SplitEndpoints(list string) ([]string, error) {
	addresses := strings.Split(list, ",")
	if len(addresses) > maxEndpoints {
		return nil, fmt.Errorf("%d rpc addresses, want at most %d", len(addresses), maxEndpoints)
	}
	names := map[string]bool{}
	for i, address := range addresses {
		addresses[i] = strings.TrimSpace(address)
		name, err := endpointName(addresses[i])
		if err != nil {
			return nil, err
		}
		if names[name] {
			return nil, fmt.Errorf("rpc address %s stands in the list twice", name)
		}
		names[name] = true
	}
	return addresses, nil
}

// endpointName names an address where others may read it, such as in a metric's label: by its host, and by a digest of the path if
// it has one, since providers put keys there as well as into the user's part.
func endpointName(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("rpc address %q is not a URL such as http://127.0.0.1:26657", address)
	}
	switch u.Scheme {
	case "http", "https", "tcp":
	default:
		return "", fmt.Errorf("rpc address at %s has the scheme %q, want http or https", u.Host, u.Scheme)
	}
	path := strings.TrimRight(u.Path, "/")
	if path == "" {
		return u.Host, nil
	}
	digest := sha256.Sum256([]byte(path))
	return u.Host + "/~" + hex.EncodeToString(digest[:pathDigestSize]), nil
}

// Dial returns the endpoints of a list of addresses that is separated by commas. It does not connect.
func Dial(list string, enc Encoding) ([]NamedEndpoint, error) {
	addresses, err := SplitEndpoints(list)
	if err != nil {
		return nil, err
	}
	endpoints := make([]NamedEndpoint, len(addresses))
	for i, address := range addresses {
		node, err := NewNode(address, enc)
		if err != nil {
			return nil, err
		}
		name, err := endpointName(address)
		if err != nil {
			return nil, err
		}
		endpoints[i] = NamedEndpoint{Name: name, Endpoint: node}
	}
	return endpoints, nil
}

// answered reports whether an error is what a node that works has to say, so that the node is not at fault. Everything else
// says that it was not reached, or did not understand.
func answered(err error) bool {
	if err == nil {
		return true
	}
	var refused *Refusal
	if errors.As(err, &refused) {
		return true
	}
	for _, known := range []error{ErrNotRegistered, ErrUnknownKey, ErrUnknownAccount, ErrTxNotFound, ErrNotTakingPart, sdkerrors.ErrTxInMempoolCache} {
		if errors.Is(err, known) {
			return true
		}
	}
	if rejected(err) {
		return true
	}
	said, ok := status.FromError(err)
	switch said.Code() {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Internal:
		return false
	default:
		return ok
	}
}

// rejected reports whether an error is one of the RPC itself: a node that works, and cannot answer this. One that has
// pruned a block, has not come to it, or has no index answers so.
func rejected(err error) bool {
	var byValue rpctypes.RPCError
	var byPointer *rpctypes.RPCError
	return errors.As(err, &byValue) || errors.As(err, &byPointer)
}
