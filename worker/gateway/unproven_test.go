package gateway

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLiesOfQUIC: whoever begins handshakes in the name of others, and closes them at once, takes neither their rate nor their
// places, and does not make the worker forget anybody.
func TestLiesOfQUIC(t *testing.T) {
	at := func(n uint32) net.Addr {
		return &net.UDPAddr{IP: net.IPv4(byte(n>>24), byte(n>>16), byte(n>>8), byte(n)), Port: 1}
	}
	for name, hold := range map[string]bool{"closed at once": false, "left alone": true} {
		for who, next := range map[string]func(i uint32) net.Addr{
			"an address":     func(uint32) net.Addr { return at(10 << 24) },
			"a subnet":       func(i uint32) net.Addr { return at(10<<24 | i%200) },
			"many addresses": func(i uint32) net.Addr { return at(10<<24 + i<<8) },
		} {
			t.Run(name+" "+who, func(t *testing.T) {
				cfg := DefaultConfig()
				cfg.MaxConnectionsPerAddress, cfg.MaxConnectionsPerSubnet, cfg.NewConnectionsPerSecond = 20, 40, 10
				c, err := limitConnections(nil, cfg, nil)
				require.NoError(t, err)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				begun, believed := time.Now(), 0
				for i := range uint32(20_000) {
					from := next(i)
					if c.unproven(from) {
						continue
					}
					believed++
					conn, end := context.WithCancel(ctx)
					_, ok := c.beginQUIC(conn, from)
					require.True(t, ok)
					if !hold {
						end()
					}
					defer end()
				}
				// Who is really there comes in, and is not told that it is too fast.
				victim := c.source(next(0))
				for range 5 {
					require.Equal(t, fine, c.rates.take(victim, time.Now()))
				}
				require.False(t, c.places.crowded(victim))
				require.Nil(t, c.places.take(victim))
				require.LessOrEqual(t, float64(believed), unprovenPerSecond*(1+time.Since(begun).Seconds())+1)
			})
		}
	}
}
