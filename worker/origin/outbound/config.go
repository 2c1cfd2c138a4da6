package outbound

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Config bounds the requests of a Client.
type Config struct {
	// Networks are those outside of the public Internet where a named host may be.
	Networks []netip.Prefix
	// FirstByteTimeout bounds the time from a request to the header of its answer: names, connections and redirects included.
	FirstByteTimeout time.Duration
	// IdleTimeout is the time in which a body must deliver MinBytesPerSecond times its seconds, or end. Time that the
	// reader takes does not count.
	IdleTimeout time.Duration
	// MinBytesPerSecond is the speed in bytes per second below which a body counts as stalled; at least a byte must come.
	MinBytesPerSecond int64
	// TotalTimeout bounds the whole answer.
	TotalTimeout time.Duration
	// MaxConnsPerHost bounds the connections to one host and port.
	MaxConnsPerHost int
	// Resolver looks names up; nil is that of the system.
	Resolver *net.Resolver
}

// Validate returns all faults of the configuration.
func (c Config) Validate() error {
	var errs []error
	for _, bound := range []struct {
		name  string
		value time.Duration
	}{{"first_byte_timeout", c.FirstByteTimeout}, {"idle_timeout", c.IdleTimeout}, {"total_timeout", c.TotalTimeout}} {
		if bound.value < 10*time.Millisecond {
			errs = append(errs, fmt.Errorf("%s is %s, want at least 10ms", bound.name, bound.value))
		}
	}
	if c.MinBytesPerSecond < 0 {
		errs = append(errs, fmt.Errorf("min_bytes_per_second is %d, want 0 or more", c.MinBytesPerSecond))
	}
	if c.MaxConnsPerHost < 1 {
		errs = append(errs, errors.New("the bound of connections to a host must be positive"))
	}
	for _, network := range c.Networks {
		if !network.IsValid() || network != network.Masked() {
			errs = append(errs, fmt.Errorf("network %s, want an address range such as 10.1.0.0/16", network))
		}
	}
	return errors.Join(errs...)
}
