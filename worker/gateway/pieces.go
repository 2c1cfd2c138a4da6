package gateway

import "io"

// pieceBytes is how much of a body goes to HTTP/2 at a time. A stream that ends in the middle of a write reports that
// nothing of it was sent, however much the client's window took, so what a write holds may be gone when it fails.
const pieceBytes = 32 << 10

// pieces writes no more than pieceBytes at a time.
type pieces struct{ w io.Writer }

// Write implements io.Writer.
func (p pieces) Write(b []byte) (wrote int, err error) {
	for len(b) > 0 && err == nil {
		var n int
		n, err = p.w.Write(b[:min(len(b), pieceBytes)])
		wrote += n
		b = b[n:]
	}
	return wrote, err
}
