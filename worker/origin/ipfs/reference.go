// Package ipfs reads UnixFS files and folders from IPFS gateways that it does not trust: it asks for a CAR, or for single
// blocks, verifies every block against its CID, and puts the files together itself. A file is handed on while it arrives.
package ipfs

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"github.com/zeebo/blake3"
)

const (
	// Scheme stands before a reference.
	Scheme = "ipfs://"

	// maxReference bounds a reference in bytes, maxSegments its path.
	maxReference = 4096
	maxSegments  = 64
	// maxIdentity bounds a block that stands in its CID, in bytes.
	maxIdentity = 128
)

var (
	// ErrReference reports text that names no content of IPFS.
	ErrReference = errors.New("no IPFS reference")
	// ErrCID reports a CID of a kind that cannot be verified or read.
	ErrCID = errors.New("CID of an unknown kind")
	// ErrBlock reports a block that is not the one of its CID.
	ErrBlock = errors.New("block does not match its CID")
	// ErrMissing reports a block that no gateway has delivered.
	ErrMissing = errors.New("no gateway delivers the block")
	// ErrFormat reports verified blocks that are no proper UnixFS.
	ErrFormat = errors.New("not a UnixFS file or folder")
	// ErrLimit reports content over a bound.
	ErrLimit = errors.New("content is over a bound")
	// ErrNotFound reports a path that a folder does not have.
	ErrNotFound = errors.New("no such path")
)

// Reference names a file or folder: a root, and a path from there.
type Reference struct {
	Root cid.Cid
	Path []string
}

// ParseReference reads ipfs://CID/path, whose path is percent-encoded. It returns ErrReference or ErrCID.
func ParseReference(text string) (Reference, error) {
	rest, ok := strings.CutPrefix(text, Scheme)
	if !ok || len(text) > maxReference {
		return Reference{}, fmt.Errorf("%w: want %sCID/path of at most %d bytes", ErrReference, Scheme, maxReference)
	}
	if strings.ContainsAny(rest, "?#") {
		return Reference{}, fmt.Errorf("%w: a query or fragment means nothing here", ErrReference)
	}
	root, path, _ := strings.Cut(rest, "/")
	id, err := cid.Decode(root)
	if err != nil {
		return Reference{}, fmt.Errorf("%w: %w", ErrReference, err)
	}
	if err := known(id); err != nil {
		return Reference{}, err
	}
	r := Reference{Root: id}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" {
			continue
		}
		name, err := url.PathUnescape(segment)
		if err != nil {
			return Reference{}, fmt.Errorf("%w: %q does not parse", ErrReference, segment)
		}
		if err := checkName(name); err != nil {
			return Reference{}, fmt.Errorf("%w: %w", ErrReference, err)
		}
		r.Path = append(r.Path, name)
	}
	if len(r.Path) > maxSegments {
		return Reference{}, fmt.Errorf("%w: %d segments, want at most %d", ErrReference, len(r.Path), maxSegments)
	}
	return r, nil
}

// String returns ipfs://CID/path.
func (r Reference) String() string { return Scheme + r.urlPath() }

// urlPath is what a gateway has behind /ipfs/.
func (r Reference) urlPath() string {
	var text strings.Builder
	text.WriteString(r.Root.String())
	for _, segment := range r.Path {
		text.WriteString("/" + url.PathEscape(segment))
	}
	return text.String()
}

// known returns why a CID cannot be verified or read.
func known(id cid.Cid) error {
	p := id.Prefix()
	if p.Codec != cid.Raw && p.Codec != cid.DagProtobuf {
		return fmt.Errorf("%w: codec 0x%x, want raw or dag-pb", ErrCID, p.Codec)
	}
	switch {
	case p.MhType == multihash.SHA2_256 && p.MhLength == sha256.Size, p.MhType == multihash.BLAKE3 && p.MhLength == 32:
		return nil
	case p.MhType == multihash.IDENTITY && p.MhLength <= maxIdentity:
		return nil
	}
	return fmt.Errorf("%w: multihash 0x%x of %d bytes, want sha2-256 or blake3 of 32", ErrCID, p.MhType, p.MhLength)
}

// verify compares a block with its CID, which must be known.
func verify(id cid.Cid, block []byte) error {
	digest, err := digestOf(id)
	if err != nil {
		return err
	}
	var got []byte
	switch id.Prefix().MhType {
	case multihash.SHA2_256:
		sum := sha256.Sum256(block)
		got = sum[:]
	case multihash.BLAKE3:
		sum := blake3.Sum256(block)
		got = sum[:]
	default:
		got = block
	}
	if !bytes.Equal(got, digest) {
		return fmt.Errorf("%w: %s", ErrBlock, id)
	}
	return nil
}

// digestOf returns the digest in a CID that is known, which is the block itself for the identity.
func digestOf(id cid.Cid) ([]byte, error) {
	if err := known(id); err != nil {
		return nil, err
	}
	h, err := multihash.Decode(id.Hash())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCID, err)
	}
	return h.Digest, nil
}
