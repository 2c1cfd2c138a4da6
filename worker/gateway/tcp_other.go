//go:build !linux

package gateway

import "net"

// limitUnsent does nothing: there is no portable way.
func limitUnsent(*net.TCPConn) {}

// writeMore writes what more follows at once.
func writeMore(conn *net.TCPConn, b []byte) (int, error) { return conn.Write(b) }
