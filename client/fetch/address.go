package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/edgechain/edge/client/address"
)

// ErrAddress reports a worker of the registry whose address is none of the public Internet. Anyone can register an
// endpoint, and a client must not be made to send requests into the network that it stands in.
var ErrAddress = errors.New("worker of the registry is not at a public address")

// onlyPublic is a net.Dialer's Control: it sees each address after the name was resolved, so that no answer of a name
// server gets round it.
func onlyPublic(_, target string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(target)
	if err != nil || !address.Public(to.Addr()) {
		return fmt.Errorf("%w: it leads to %s; name the worker with --worker URL if you trust it", ErrAddress, target)
	}
	return nil
}

// dialer returns a dialer to workers.
func dialer(anyAddress bool) func(context.Context, string, string) (net.Conn, error) {
	d := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	if !anyAddress {
		d.Control = onlyPublic
	}
	return d.DialContext
}
