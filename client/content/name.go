// Package content holds what worker and client share about content: the names of objects, and the encoding and
// verification of Bao slices. It does no I/O of its own. docs/protocol.md, section 3, specifies both.
package content

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/ack"
)

// NameSize is the length of a name in bytes.
const NameSize = 32

// maxNameText bounds the text of a name before it is decoded. The longest CIDv1 of a 32-byte hash is the one in base 2
// with 289 digits, and its multibase prefix.
const maxNameText = 290

// ErrName reports text that is not the name of an object.
var ErrName = errors.New("not a content name")

// Name is the BLAKE3 hash of an object's bytes.
type Name [NameSize]byte

// EmptyName is the name of the object without bytes.
var EmptyName = Name(blake3.Sum256(nil))

// ParseName reads a name written as 64 hex digits or as a CIDv1 (codec raw, multihash blake3 of 32 bytes, any
// multibase). It returns ErrName.
func ParseName(s string) (Name, error) {
	var n Name
	if len(s) == 2*NameSize {
		if _, err := hex.Decode(n[:], []byte(s)); err == nil {
			return n, nil
		}
	}
	if len(s) > maxNameText {
		return Name{}, fmt.Errorf("%w: %d characters, want at most %d", ErrName, len(s), maxNameText)
	}
	c, err := cid.Decode(s)
	if err != nil {
		return Name{}, fmt.Errorf("%w: neither 64 hex digits nor a CID: %w", ErrName, err)
	}
	p := c.Prefix()
	switch {
	case p.Version != 1:
		return Name{}, fmt.Errorf("%w: CIDv%d, want CIDv1", ErrName, p.Version)
	case p.Codec != cid.Raw:
		return Name{}, fmt.Errorf("%w: codec 0x%x, want raw", ErrName, p.Codec)
	case p.MhType != multihash.BLAKE3 || p.MhLength != NameSize:
		return Name{}, fmt.Errorf("%w: multihash 0x%x of %d bytes, want blake3 of %d", ErrName, p.MhType, p.MhLength, NameSize)
	}
	h, err := multihash.Decode(c.Hash())
	if err != nil {
		return Name{}, fmt.Errorf("%w: %w", ErrName, err)
	}
	copy(n[:], h.Digest)
	return n, nil
}

// String returns the 64 hex digits of the name.
func (n Name) String() string { return hex.EncodeToString(n[:]) }

// CID returns the name as a CIDv1 in base 32.
func (n Name) CID() string {
	// Encode fails on codes that it does not know only.
	mh, err := multihash.Encode(n[:], multihash.BLAKE3)
	if err != nil {
		panic(fmt.Sprintf("content: encode multihash: %v", err))
	}
	return cid.NewCidV1(cid.Raw, mh).String()
}

// Digest returns the name as the digest that receipts hold.
func (n Name) Digest() ack.Digest { return ack.Digest(n) }

// MarshalText returns the 64 hex digits of the name.
func (n Name) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, n[:]), nil }

// UnmarshalText reads what ParseName reads.
func (n *Name) UnmarshalText(b []byte) (err error) {
	*n, err = ParseName(string(b))
	return err
}
