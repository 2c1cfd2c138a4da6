// Package receipt holds receipts that anyone can check: signed acknowledgements with the requests behind them, in a file
// that client, node and third parties read alike. Nothing but the file is needed to verify them. docs/protocol.md,
// section 12, specifies the format.
package receipt

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/lane"
)

// Bounds of a file.
const (
	// Format and Version stand first in every file.
	Format  = "edge-receipt"
	Version = 1
	// MaxFileSize bounds a file in bytes. MaxRequests in the widest form fit into it.
	MaxFileSize = 32 << 20
	// MaxReceipts bounds the receipts in a file.
	MaxReceipts = 64
	// MaxRequests bounds the requests in a file, over all receipts.
	MaxRequests = lane.MaxFinished
	// maxChainID bounds a chain id in characters.
	maxChainID = 64
)

// ErrFormat reports bytes that are no file of receipts.
var ErrFormat = errors.New("no file of receipts")

// File is a file of receipts.
type File struct {
	Format   string    `json:"format"`
	Version  int       `json:"version"`
	ChainID  string    `json:"chain_id"`
	Receipts []Receipt `json:"receipts"`
}

// Receipt is what was acknowledged on a lane in an epoch.
type Receipt struct {
	// AccountID is the account that pays for PublicKey, which signed.
	AccountID uint64 `json:"account_id"`
	PublicKey Digest `json:"public_key"`
	// AccountProof is the key's signature over chain and account, by which it was registered; nil if it is not at hand.
	AccountProof    *Signature      `json:"account_proof,omitempty"`
	Acknowledgement Acknowledgement `json:"acknowledgement"`
	// Requests are what the head commits to; nil if they are not included.
	Requests *Requests `json:"requests,omitempty"`
}

// Acknowledgement is a signed acknowledgement. ack.Ack says what the fields mean.
type Acknowledgement struct {
	Epoch     uint64    `json:"epoch"`
	KeyID     uint64    `json:"key_id"`
	WorkerID  uint64    `json:"worker_id"`
	ServiceID uint64    `json:"service_id"`
	Lane      uint8     `json:"lane"`
	Requests  uint64    `json:"requests"`
	Bytes     uint64    `json:"bytes"`
	Fuel      uint64    `json:"fuel"`
	Head      Digest    `json:"head"`
	Signature Signature `json:"signature"`
}

// Requests are the finished requests of an acknowledgement.
type Requests struct {
	// UnfinishedBytes and UnfinishedFuel were acknowledged and belong to no finished request: what arrived of requests that
	// were broken off, or that were under way.
	UnfinishedBytes uint64 `json:"unfinished_bytes"`
	UnfinishedFuel  uint64 `json:"unfinished_fuel"`
	// List is in the order of the receipt chain.
	List []Request `json:"list"`
}

// Request is a finished request.
type Request struct {
	// Request and Response are the digests that its receipt commits to; for content the response is the name.
	Request  Digest `json:"request"`
	Response Digest `json:"response"`
	Bytes    uint64 `json:"bytes"`
	Fuel     uint64 `json:"fuel"`
	// EarlierBytes are those of the bytes that acknowledgements of earlier epochs cover.
	EarlierBytes uint64 `json:"earlier_bytes,omitempty"`
	// Content is what was asked of an object; nil if it is not known, or for other services.
	Content *Range `json:"content,omitempty"`
}

// Range of an object in bytes.
type Range struct {
	Offset uint64 `json:"offset"`
	Length uint64 `json:"length"`
}

// Digest is 32 bytes that JSON writes as 64 lower-case hex digits.
type Digest [32]byte

// Signature is 64 bytes that JSON writes as 128 lower-case hex digits.
type Signature [64]byte

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error { return unhex(d[:], text) }

// String returns hex digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements encoding.TextMarshaler.
func (s Signature) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Signature) UnmarshalText(text []byte) error { return unhex(s[:], text) }

func unhex(dst, text []byte) error {
	if hex.DecodedLen(len(text)) != len(dst) || len(text)%2 != 0 {
		return fmt.Errorf("%d characters, want %d hex digits", len(text), hex.EncodedLen(len(dst)))
	}
	_, err := hex.Decode(dst, text)
	return err
}

// NewAcknowledgement returns the form that a file holds.
func NewAcknowledgement(s *ack.Signed) Acknowledgement {
	return Acknowledgement{
		Epoch: s.Epoch, KeyID: s.KeyID, WorkerID: s.WorkerID, ServiceID: s.ServiceID, Lane: s.Lane,
		Requests: s.Requests, Bytes: s.Bytes, Fuel: s.Fuel, Head: s.Head, Signature: s.Signature,
	}
}

// Signed returns the acknowledgement as it was signed.
func (a *Acknowledgement) Signed() ack.Signed {
	return ack.Signed{
		Ack: ack.Ack{
			Epoch: a.Epoch, KeyID: a.KeyID, WorkerID: a.WorkerID, ServiceID: a.ServiceID, Lane: a.Lane,
			Requests: a.Requests, Bytes: a.Bytes, Fuel: a.Fuel, Head: a.Head,
		},
		Signature: a.Signature,
	}
}

// Of returns the receipt of what a client holds of a lane.
func Of(accountID uint64, public [32]byte, proof *Signature, h *lane.Held) Receipt {
	r := Receipt{AccountID: accountID, PublicKey: public, AccountProof: proof, Acknowledgement: NewAcknowledgement(&h.Signed)}
	if !h.Whole {
		return r
	}
	r.Requests = &Requests{UnfinishedBytes: h.Signed.Bytes, UnfinishedFuel: h.Signed.Fuel, List: make([]Request, len(h.Requests))}
	for i := range h.Requests {
		f := &h.Requests[i]
		q := Request{Request: Digest(f.Request), Response: Digest(f.Response), Bytes: f.Bytes, Fuel: f.Fuel, EarlierBytes: f.Earlier}
		if f.Content {
			q.Content = &Range{Offset: f.Offset, Length: f.Length}
		}
		r.Requests.List[i] = q
		r.Requests.UnfinishedBytes -= f.Bytes - f.Earlier
		r.Requests.UnfinishedFuel -= f.Fuel
	}
	return r
}

// New returns a file of receipts of a chain. Requests beyond MaxRequests are left out.
func New(chainID string, receipts []Receipt) *File {
	left := MaxRequests
	for i := range receipts {
		q := receipts[i].Requests
		if q == nil {
			continue
		}
		if len(q.List) > left {
			receipts[i].Requests = nil
			continue
		}
		left -= len(q.List)
	}
	return &File{Format: Format, Version: Version, ChainID: chainID, Receipts: receipts}
}

// check returns ErrFormat with what is outside of the bounds of a file. It verifies nothing.
func (f *File) check() error {
	switch {
	case f.Format != Format:
		return fmt.Errorf("%w: the format is %q, want %q", ErrFormat, Printable(f.Format), Format)
	case f.Version != Version:
		return fmt.Errorf("%w: version %d, this program reads version %d", ErrFormat, f.Version, Version)
	case f.ChainID == "" || len(f.ChainID) > maxChainID || f.ChainID != Printable(f.ChainID):
		return fmt.Errorf("%w: the chain id is not 1 to %d characters of ASCII without quotes and backslashes", ErrFormat, maxChainID)
	case len(f.Receipts) == 0 || len(f.Receipts) > MaxReceipts:
		return fmt.Errorf("%w: %d receipts, want 1 to %d", ErrFormat, len(f.Receipts), MaxReceipts)
	}
	requests := 0
	for i := range f.Receipts {
		if q := f.Receipts[i].Requests; q != nil {
			if q.List == nil {
				return fmt.Errorf("%w: receipt %d has requests without a list", ErrFormat, i)
			}
			requests += len(q.List)
		}
	}
	if requests > MaxRequests {
		return fmt.Errorf("%w: %d requests, want at most %d", ErrFormat, requests, MaxRequests)
	}
	return nil
}

// Printable returns the first characters of a text that can stand in a chain id, and be shown.
func Printable(s string) string {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' || i == maxChainID {
			return s[:i]
		}
	}
	return s
}

// Encode returns the bytes of a file.
func (f *File) Encode() ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	return f.marshal("  ")
}

func (f *File) marshal(indent string) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(f); err != nil {
		return nil, fmt.Errorf("encode receipts: %w", err)
	}
	return out.Bytes(), nil
}

// Read reads a file. It returns ErrFormat with the reason for anything that Encode cannot have written: apart from white
// space between its parts there is one way only to write a file.
func Read(r io.Reader) (*File, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxFileSize+1))
	if err != nil {
		return nil, err
	}
	return Decode(b)
}

// Decode reads the bytes of a file, as Read does.
func Decode(b []byte) (*File, error) {
	if len(b) > MaxFileSize {
		return nil, fmt.Errorf("%w: over %d bytes", ErrFormat, MaxFileSize)
	}
	// Every object begins with a brace. Without this bound a few million empty ones would take gigabytes of memory.
	if n := bytes.Count(b, []byte{'{'}); n > 2*MaxRequests+4*MaxReceipts+maxChainID {
		return nil, fmt.Errorf("%w: too many parts", ErrFormat)
	}
	f := new(File)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	// Names that occur twice or are missing, other spellings of a value, what stands behind the end: whatever a decoder
	// could read in two ways is not what an encoder writes.
	var given bytes.Buffer
	if err := json.Compact(&given, b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	want, err := f.marshal("")
	if err != nil {
		return nil, err
	}
	want = bytes.TrimSuffix(want, []byte{'\n'})
	if !bytes.Equal(given.Bytes(), want) {
		return nil, fmt.Errorf("%w: from byte %d on, white space left out, it is not written as a file of receipts is", ErrFormat, common(given.Bytes(), want))
	}
	return f, nil
}

// common is the length of the longest common prefix.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
