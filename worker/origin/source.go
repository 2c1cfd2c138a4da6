package origin

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/origin/folder"
	"github.com/edgechain/edge/worker/origin/outbound"
	"github.com/edgechain/edge/worker/store"
)

// Kinds of origins, as metrics label them.
const (
	kindFolder = "folder"
	kindWorker = "worker"
	kindHTTP   = "http"
)

// source is an origin.
type source struct {
	kind string
	// label names it in the log.
	label string
	// open begins to read what it has under a name. It returns errNotFound, store.ErrTooLarge or another error.
	open func(ctx context.Context, name content.Name) (io.ReadCloser, error)
	// wrong is told of a name that did not verify.
	wrong   func(content.Name)
	breaker breaker
}

// folderSource reads files of local folders.
func folderSource(x *folder.Index, maxBytes uint64) *source {
	return &source{kind: kindFolder, label: "folders", wrong: x.Forget, open: func(_ context.Context, name content.Name) (io.ReadCloser, error) {
		f, size, err := x.Open(name)
		if errors.Is(err, folder.ErrNotFound) {
			return nil, errNotFound
		}
		if err == nil && uint64(size) > maxBytes {
			return nil, errors.Join(store.ErrTooLarge, f.Close())
		}
		return f, err
	}}
}

// httpSource asks a server for the URL that a template makes of a name.
func httpSource(client *outbound.Client, template string, maxBytes uint64) *source {
	return &source{kind: kindHTTP, label: template, open: func(ctx context.Context, name content.Name) (io.ReadCloser, error) {
		answer, err := client.Get(ctx, expand(template, name), http.Header{LoopHeader: {loopID}})
		if err != nil {
			return nil, err
		}
		if err := usable(answer, maxBytes); err != nil {
			return nil, errors.Join(err, answer.Body.Close())
		}
		return answer.Body, nil
	}}
}

// workerSource asks another worker for the verified stream, within the free quota that it gives to strangers.
func workerSource(client *outbound.Client, base string, maxBytes uint64) *source {
	return &source{kind: kindWorker, label: base, open: func(ctx context.Context, name content.Name) (io.ReadCloser, error) {
		header := http.Header{LoopHeader: {loopID}, "Accept": {"application/vnd.edge.bao"}}
		answer, err := client.Get(ctx, strings.TrimRight(base, "/")+"/b3/"+name.String()+"?format=bao", header)
		if err != nil {
			return nil, err
		}
		if err := usable(answer, content.SliceSize(maxBytes, 0, content.ToEnd)); err != nil {
			return nil, errors.Join(err, answer.Body.Close())
		}
		return &baoReader{body: answer.Body, decoder: content.NewDecoder(answer.Body, name, 0, content.ToEnd, maxBytes)}, nil
	}}
}

// usable returns why an answer carries no content.
func usable(a *outbound.Answer, maxBytes uint64) error {
	switch a.Status {
	case http.StatusOK:
		if a.Length > 0 && uint64(a.Length) > maxBytes {
			return fmt.Errorf("%w: %d bytes, want at most %d", store.ErrTooLarge, a.Length, maxBytes)
		}
		return nil
	// Object stores answer 403 for what does not exist to those who may not list it.
	case http.StatusNotFound, http.StatusGone, http.StatusForbidden:
		return errNotFound
	case http.StatusPaymentRequired:
		return &refusal{err: errQuota, wait: retryAfter(a.Header)}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return &refusal{err: fmt.Errorf("status %d", a.Status), wait: retryAfter(a.Header)}
	}
	return fmt.Errorf("status %d", a.Status)
}

// refusal is an answer of an origin that wants to be left alone.
type refusal struct {
	err  error
	wait time.Duration
}

// Error implements error.
func (r *refusal) Error() string { return r.err.Error() }

// Unwrap returns why.
func (r *refusal) Unwrap() error { return r.err }

// retryAfter reads how long an origin wants to be left alone, 0 if it does not say.
func retryAfter(h http.Header) time.Duration {
	after, err := strconv.ParseUint(h.Get("Retry-After"), 10, 20)
	if err != nil {
		return 0
	}
	return time.Duration(after) * time.Second
}

// baoReader reads what a verified stream carries, each group after it has verified.
type baoReader struct {
	body    io.Closer
	decoder *content.Decoder
	rest    []byte
}

// Read implements io.Reader.
func (b *baoReader) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		group, err := b.decoder.Next()
		if err != nil {
			return 0, err
		}
		b.rest = group
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (b *baoReader) Close() error { return b.body.Close() }

// spread orders workers by the hash of their address and the name (rendezvous hashing), so that each is asked first for its
// share of the names, and the same names.
func spread(workers []*source, name content.Name) []*source {
	if len(workers) < 2 {
		return workers
	}
	weight := make(map[*source]uint64, len(workers))
	for _, w := range workers {
		weight[w] = rank(w.label, name)
	}
	out := slices.Clone(workers)
	slices.SortStableFunc(out, func(a, b *source) int {
		switch {
		case weight[a] > weight[b]:
			return -1
		case weight[a] < weight[b]:
			return 1
		}
		return 0
	})
	return out
}

func rank(label string, name content.Name) uint64 {
	h := blake3.Sum256(append([]byte(label), name[:]...))
	return binary.LittleEndian.Uint64(h[:])
}
