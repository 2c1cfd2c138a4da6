//go:build !linux

package gateway

import (
	"net"
	"syscall"
)

// limitUnsent does nothing: there is no portable way.
func limitUnsent(string, string, syscall.RawConn) error { return nil }

// writeMore writes what more follows at once.
func writeMore(conn *net.TCPConn, b []byte) (int, error) { return conn.Write(b) }
