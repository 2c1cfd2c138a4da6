package gateway

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// maxUnsent is how much of an answer waits in the kernel before it is sent, in bytes, besides what is on its way. What waits there
// is memory, and it is sent when acknowledgements come in, by whichever core takes them; the worker's own has nothing to do meanwhile.
const maxUnsent = 128 << 10

// limitUnsent bounds what waits in a connection. It cannot be set once for the listener: Go's have Multipath TCP, and what they accept
// inherits nothing. A kernel without it serves as well, only slower.
func limitUnsent(conn *net.TCPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return // it is closed already
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
	})
}

// writeMore writes what more follows at once: the kernel sends both in the same segment.
func writeMore(conn *net.TCPConn, b []byte) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	wrote := 0
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for wrote < len(b) {
			n, err := unix.SendmsgN(int(fd), b[wrote:], nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
			switch {
			case errors.Is(err, unix.EINTR):
			case errors.Is(err, unix.EAGAIN):
				return false
			case err != nil:
				failed = os.NewSyscallError("sendmsg", err)
				return true
			default:
				wrote += n
			}
		}
		return true
	})
	return wrote, errors.Join(err, failed)
}
