package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
)

// sendChunk is the most that one call of the kernel sends, in bytes, so that a fast client does not keep a processor to
// itself.
const sendChunk = 1 << 20

var sectionBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// Section is a part of an object's data, read from its beginning to its end once. Written to a TCP connection, it goes
// there inside of the kernel, from the page cache and without memory of this process; the file's own position is neither
// used nor moved, so that any number of sections of an object are sent at a time from one open file.
//
// It must not be used after the object's Close, nor by two goroutines at a time.
type Section struct {
	object   *Object
	from, to uint64
	progress func(n int64)
}

// Section returns the n bytes from offset on, which must lie within the object. Unless it is nil, progress is called with the
// number of bytes whenever WriteTo has written some.
func (o *Object) Section(offset, n uint64, progress func(n int64)) *Section {
	if progress == nil {
		progress = func(int64) {}
	}
	return &Section{object: o, from: offset, to: offset + n, progress: progress}
}

// Read implements io.Reader. An object that ends early is ErrCorrupt.
func (s *Section) Read(p []byte) (int, error) {
	if s.from >= s.to {
		return 0, io.EOF
	}
	if uint64(len(p)) > s.to-s.from {
		p = p[:s.to-s.from]
	}
	n, err := s.object.held.readAt().ReadAt(p, int64(s.from))
	s.from += uint64(n)
	switch {
	case n > 0:
		return n, nil
	case errors.Is(err, io.EOF):
		return 0, s.short()
	case err != nil:
		return 0, &ReadError{fmt.Errorf("content %s: %w", s.object.Name, err)}
	}
	return 0, nil
}

// SendTo writes the section to w, which is asked first how: an http.ResponseWriter passes it on to its connection.
func (s *Section) SendTo(w io.Writer) (int64, error) {
	if to, ok := w.(io.ReaderFrom); ok {
		return to.ReadFrom(s)
	}
	return s.WriteTo(w)
}

// WriteTo implements io.WriterTo. Errors of the file are a ReadError or ErrCorrupt, all others are those of w.
func (s *Section) WriteTo(w io.Writer) (int64, error) {
	if b := s.object.held.bytes; b != nil {
		n, err := w.Write(b[s.from:s.to])
		s.advance(int64(n))
		return int64(n), err
	}
	if conn, ok := w.(syscall.Conn); ok {
		raw, err := conn.SyscallConn()
		if err == nil {
			wrote, handled, err := s.send(raw)
			if handled || err != nil {
				return wrote, err
			}
		}
	}
	return s.copy(w)
}

// send has the kernel copy the section to a connection. It is not handled, and nothing was sent, if this kind of descriptor
// or file system cannot do it.
func (s *Section) send(raw syscall.RawConn) (wrote int64, handled bool, err error) {
	for s.from < s.to {
		var n int
		var failed error
		err := raw.Write(func(fd uintptr) bool {
			for {
				at := int64(s.from)
				n, failed = syscall.Sendfile(int(fd), s.object.held.fd, &at, int(min(s.to-s.from, sendChunk)))
				if !errors.Is(failed, syscall.EINTR) {
					return !errors.Is(failed, syscall.EAGAIN)
				}
			}
		})
		switch {
		case err != nil:
			return wrote, true, err // the connection's deadline, or its end
		case wrote == 0 && (errors.Is(failed, syscall.EINVAL) || errors.Is(failed, syscall.ENOSYS) || errors.Is(failed, syscall.EOPNOTSUPP)):
			return 0, false, nil
		case errors.Is(failed, syscall.EIO):
			return wrote, true, &ReadError{fmt.Errorf("content %s: %w", s.object.Name, failed)}
		case failed != nil:
			return wrote, true, os.NewSyscallError("sendfile", failed)
		case n == 0:
			return wrote, true, s.short()
		}
		wrote += int64(n)
		s.advance(int64(n))
	}
	return wrote, true, nil
}

// copy is for writers that the kernel cannot send to: TLS, HTTP/2, HTTP/3.
func (s *Section) copy(w io.Writer) (wrote int64, err error) {
	buf := sectionBuffers.Get().(*[32 << 10]byte)
	defer sectionBuffers.Put(buf)
	for s.from < s.to {
		n, err := s.Read(buf[:])
		if err != nil {
			return wrote, err
		}
		put, err := w.Write(buf[:n])
		wrote += int64(put)
		s.progress(int64(put))
		if err != nil {
			return wrote, err
		}
	}
	return wrote, nil
}

func (s *Section) advance(n int64) {
	s.from += uint64(n)
	s.progress(n)
}

// short says that the file has fewer bytes than the object. The next Open looks at it anew, and sets it aside.
func (s *Section) short() error {
	s.object.store.hot.drop(s.object.Name)
	return fmt.Errorf("%w: %s ends at byte %d", ErrCorrupt, s.object.Name, s.from)
}

// ReadError is a failure of the disk, and not of whoever is written to.
type ReadError struct{ Err error }

// Error implements error.
func (e *ReadError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ReadError) Unwrap() error { return e.Err }
