package gateway

import (
	"io"
	"net/http"
)

// response remembers what was written of an answer. It passes io.ReaderFrom through, so that files can go to the connection
// without being copied, and unwraps for http.ResponseController.
type response struct {
	http.ResponseWriter
	status int
	bytes  int64
	// onStart is called once, before the first byte. It may be nil.
	onStart func()
}

// started reports whether the header has been handed over, so that no other answer can be given.
func (w *response) started() bool { return w.status != 0 }

// Unwrap returns the server's writer.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	w.start(status)
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *response) Write(p []byte) (int, error) {
	w.implicit()
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// ReadFrom implements io.ReaderFrom. The server's writer is asked before the reader how they get together: it alone knows
// whether the body can go to the connection past it.
func (w *response) ReadFrom(r io.Reader) (n int64, err error) {
	w.implicit()
	if to, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		n, err = to.ReadFrom(r)
	} else {
		n, err = io.Copy(w.ResponseWriter, r)
	}
	w.bytes += n
	return n, err
}

func (w *response) implicit() { w.start(http.StatusOK) }

func (w *response) start(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	if w.onStart != nil {
		w.onStart()
	}
}
