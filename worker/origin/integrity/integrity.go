// Package integrity verifies bytes against what they are expected to be: the integrity attribute of Subresource Integrity
// (W3C), and names of content.
package integrity

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/client/content"
)

const (
	// maxText bounds an attribute in bytes.
	maxText = 4096
	// maxDigests bounds how many digests an attribute has.
	maxDigests = 16
)

var (
	// ErrSyntax reports an attribute that names no digest that can be verified.
	ErrSyntax = errors.New("no integrity attribute")
	// ErrMismatch reports bytes that are not the expected ones.
	ErrMismatch = errors.New("bytes are not the expected ones")
)

// algorithm of an attribute. A stronger one stands behind.
type algorithm struct {
	name string
	size int
	new  func() hash.Hash
}

var algorithms = []algorithm{
	{"sha256", sha256.Size, sha256.New},
	{"sha384", sha512.Size384, sha512.New384},
	{"sha512", sha512.Size, sha512.New},
}

// Expected is what bytes must be. The zero value expects nothing; Known tells.
type Expected struct {
	algorithm algorithm
	digests   [][]byte
	name      *content.Name
}

// Parse reads an integrity attribute: digests such as sha384-... in base64, separated by white space. Of several algorithms
// the strongest counts, and bytes that match any of its digests are the expected ones. Unlike a browser it refuses what it
// does not understand, because a spelling mistake must not turn verification off.
func Parse(attribute string) (Expected, error) {
	if len(attribute) > maxText {
		return Expected{}, fmt.Errorf("%w: %d bytes, want at most %d", ErrSyntax, len(attribute), maxText)
	}
	best := -1
	var e Expected
	fields := strings.Fields(attribute)
	if len(fields) > maxDigests {
		return Expected{}, fmt.Errorf("%w: %d digests, want at most %d", ErrSyntax, len(fields), maxDigests)
	}
	for _, field := range fields {
		rank, digest, err := parseDigest(field)
		if err != nil {
			return Expected{}, err
		}
		switch {
		case rank > best:
			best = rank
			e.algorithm, e.digests = algorithms[rank], [][]byte{digest}
		case rank == best:
			e.digests = append(e.digests, digest)
		}
	}
	if best < 0 {
		return Expected{}, fmt.Errorf("%w: it is empty", ErrSyntax)
	}
	return e, nil
}

// parseDigest reads algorithm-base64?options.
func parseDigest(field string) (rank int, digest []byte, err error) {
	name, rest, ok := strings.Cut(field, "-")
	if !ok {
		return 0, nil, fmt.Errorf("%w: %q, want a digest such as sha384-DIGEST", ErrSyntax, field)
	}
	text, _, _ := strings.Cut(rest, "?")
	for i, a := range algorithms {
		if a.name != name {
			continue
		}
		text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
		digest, err := base64.RawStdEncoding.Strict().DecodeString(text)
		if err != nil || len(digest) != a.size {
			return 0, nil, fmt.Errorf("%w: %q, want the %d bytes of a %s in base64", ErrSyntax, field, a.size, name)
		}
		return i, digest, nil
	}
	return 0, nil, fmt.Errorf("%w: algorithm %q, want sha256, sha384 or sha512", ErrSyntax, name)
}

// WithName returns e with a name that the bytes must hash to as well.
func (e Expected) WithName(name content.Name) Expected {
	e.name = &name
	return e
}

// Known reports whether anything is expected.
func (e Expected) Known() bool { return len(e.digests) > 0 || e.name != nil }

// Reader returns a reader of r that hashes what passes, and returns ErrMismatch in place of io.EOF if it is not what was
// expected. Whoever keeps nothing before io.EOF keeps verified bytes only.
func (e Expected) Reader(r io.Reader) io.Reader {
	v := &verifier{expected: e, r: r}
	if len(e.digests) > 0 {
		v.attribute = e.algorithm.new()
	}
	if e.name != nil {
		v.name = blake3.New()
	}
	return v
}

type verifier struct {
	expected  Expected
	r         io.Reader
	attribute hash.Hash
	name      *blake3.Hasher
	err       error
}

// Read implements io.Reader.
func (v *verifier) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.r.Read(p)
	if v.attribute != nil {
		_, _ = v.attribute.Write(p[:n]) // a hash.Hash returns no error
	}
	if v.name != nil {
		_, _ = v.name.Write(p[:n])
	}
	if err == io.EOF { //nolint:errorlint // a wrapped io.EOF is a failure of the reader, not its end
		err = v.verdict()
	}
	v.err = err
	return n, err
}

// verdict returns io.EOF for the expected bytes.
func (v *verifier) verdict() error {
	if v.name != nil {
		var got content.Name
		v.name.Sum(got[:0])
		if got != *v.expected.name {
			return fmt.Errorf("%w: they hash to %s, not to %s", ErrMismatch, got, v.expected.name)
		}
	}
	if v.attribute == nil {
		return io.EOF
	}
	got := v.attribute.Sum(nil)
	for _, want := range v.expected.digests {
		if bytes.Equal(got, want) {
			return io.EOF
		}
	}
	return fmt.Errorf("%w: their digest is %s-%s", ErrMismatch, v.expected.algorithm.name, base64.StdEncoding.EncodeToString(got))
}
