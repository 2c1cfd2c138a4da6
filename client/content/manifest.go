package content

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of folders. A manifest within them is at most 3,980,018 bytes long.
const (
	// MaxManifestSize bounds a manifest, in bytes.
	MaxManifestSize = 4 << 20
	// MaxManifestEntries bounds the entries of a manifest.
	MaxManifestEntries = 10_000
	// MaxEntryName bounds the name of an entry, in bytes.
	MaxEntryName = 255
	// MaxMediaType bounds the media type of an entry, in bytes.
	MaxMediaType = 100
	// MaxFolderDepth bounds the manifests between a root and a file, both the root and the file's folder included.
	MaxFolderDepth = 64
)

// ManifestMagic is what a manifest begins with, and by which it is told from other content.
const ManifestMagic = "edge-folder-1\n"

// entryFixed is the length of an entry without its name and media type, in bytes.
const entryFixed = 1 + 1 + 1 + 8 + NameSize

// ErrManifest reports bytes that are not the manifest of a folder, or entries that cannot be in one.
var ErrManifest = errors.New("not a folder manifest")

// EntryKind says what an entry of a folder is.
type EntryKind byte

// Kinds of entries.
const (
	KindFile   EntryKind = 0
	KindFolder EntryKind = 1
)

// String returns file or folder.
func (k EntryKind) String() string {
	switch k {
	case KindFile:
		return "file"
	case KindFolder:
		return "folder"
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// MarshalText returns file or folder.
func (k EntryKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Entry is a file or folder within a folder.
type Entry struct {
	Name string    `json:"name"`
	Kind EntryKind `json:"kind"`
	// MediaType of a file, such as text/html; charset=utf-8. Folders have none.
	MediaType string `json:"media_type,omitempty"`
	// Size in bytes, of the file or of the folder's manifest.
	Size uint64 `json:"size"`
	// Hash names the file's bytes or the folder's manifest.
	Hash Name `json:"hash"`
}

// validate returns ErrManifest for an entry that cannot be in a manifest.
func (e *Entry) validate() error {
	if err := ValidEntryName(e.Name); err != nil {
		return err
	}
	switch {
	case e.Kind == KindFile && !validMediaType(e.MediaType):
		return fmt.Errorf("%w: media type %q of %q, want type/subtype in lower case, with ; charset=utf-8 or without", ErrManifest, e.MediaType, e.Name)
	case e.Kind == KindFolder && e.MediaType != "":
		return fmt.Errorf("%w: folder %q has a media type", ErrManifest, e.Name)
	case e.Kind == KindFolder && (e.Size < uint64(len(ManifestMagic)+4) || e.Size > MaxManifestSize):
		return fmt.Errorf("%w: manifest of folder %q has %d bytes", ErrManifest, e.Name, e.Size)
	case e.Kind > KindFolder:
		return fmt.Errorf("%w: %q is of %s", ErrManifest, e.Name, e.Kind)
	}
	return nil
}

// ValidEntryName returns ErrManifest for a name that no entry can have: it is 1 to 255 bytes of UTF-8 in normal form C, without
// slashes, backslashes and control characters, and neither . nor .. .
func ValidEntryName(name string) error {
	bad := func(why string) error { return fmt.Errorf("%w: name %q %s", ErrManifest, name, why) }
	switch {
	case name == "" || len(name) > MaxEntryName:
		return fmt.Errorf("%w: name of %d bytes, want 1 to %d", ErrManifest, len(name), MaxEntryName)
	case name == "." || name == "..":
		return bad("names no entry")
	case !utf8.ValidString(name):
		return bad("is not UTF-8")
	case strings.ContainsAny(name, `/\`):
		return bad("has a slash or backslash")
	case strings.ContainsFunc(name, unicode.IsControl):
		return bad("has a control character")
	case !norm.NFC.IsNormalString(name):
		return bad("is not in normal form C")
	}
	return nil
}

// validMediaType reports whether s is type/subtype of restricted names (RFC 6838) in lower case, with the one parameter
// that matters for text.
func validMediaType(s string) bool {
	if len(s) > MaxMediaType {
		return false
	}
	kind, sub, ok := strings.Cut(strings.TrimSuffix(s, "; charset=utf-8"), "/")
	return ok && restrictedName(kind) && restrictedName(sub)
}

func restrictedName(s string) bool {
	for i, c := range []byte(s) {
		if alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'; !alnum && (i == 0 || !strings.ContainsRune("!#$&-^_.+", rune(c))) {
			return false
		}
	}
	return s != ""
}

// IsManifest reports whether content that begins with b claims to be a manifest.
func IsManifest(b []byte) bool { return bytes.HasPrefix(b, []byte(ManifestMagic)) }

// EncodeManifest returns the manifest of a folder with entries in any order. The same entries give the same bytes. It returns
// ErrManifest for entries that a manifest cannot hold, and for two of one name.
//
//	manifest = "edge-folder-1\n" || count u32 || entry...      in the byte order of the names
//	entry    = kind u8 || name u8 bytes || media type u8 bytes || size u64 || hash 32
func EncodeManifest(entries []Entry) ([]byte, error) {
	if len(entries) > MaxManifestEntries {
		return nil, fmt.Errorf("%w: %d entries, want at most %d", ErrManifest, len(entries), MaxManifestEntries)
	}
	sorted := slices.SortedStableFunc(slices.Values(entries), func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	size := len(ManifestMagic) + 4
	for i := range sorted {
		e := &sorted[i]
		if err := e.validate(); err != nil {
			return nil, err
		}
		if i > 0 && sorted[i-1].Name == e.Name {
			return nil, fmt.Errorf("%w: %q stands twice", ErrManifest, e.Name)
		}
		size += entryFixed + len(e.Name) + len(e.MediaType)
	}
	out := append(make([]byte, 0, size), ManifestMagic...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(sorted)))
	for i := range sorted {
		e := &sorted[i]
		out = append(out, byte(e.Kind), byte(len(e.Name)))
		out = append(out, e.Name...)
		out = append(out, byte(len(e.MediaType)))
		out = append(out, e.MediaType...)
		out = binary.LittleEndian.AppendUint64(out, e.Size)
		out = append(out, e.Hash[:]...)
	}
	return out, nil
}

// DecodeManifest returns the entries of a manifest in the byte order of their names. It returns ErrManifest for everything
// that EncodeManifest does not write, so there is one manifest for a list of entries. Memory is bounded by the length of b.
func DecodeManifest(b []byte) ([]Entry, error) {
	if len(b) > MaxManifestSize {
		return nil, fmt.Errorf("%w: %d bytes, want at most %d", ErrManifest, len(b), MaxManifestSize)
	}
	if !IsManifest(b) || len(b) < len(ManifestMagic)+4 {
		return nil, fmt.Errorf("%w: it does not begin like one", ErrManifest)
	}
	count := binary.LittleEndian.Uint32(b[len(ManifestMagic):])
	// One copy that all strings lie in.
	rest := string(b[len(ManifestMagic)+4:])
	if count > MaxManifestEntries || uint64(count)*entryFixed > uint64(len(rest)) {
		return nil, fmt.Errorf("%w: %d entries in %d bytes", ErrManifest, count, len(b))
	}
	entries := make([]Entry, count)
	short := false
	take := func(n int) (s string) {
		if len(rest) < n {
			short = true
			return strings.Repeat("\x00", n)
		}
		s, rest = rest[:n], rest[n:]
		return s
	}
	for i := range entries {
		e := &entries[i]
		e.Kind = EntryKind(take(1)[0])
		e.Name = take(int(take(1)[0]))
		e.MediaType = take(int(take(1)[0]))
		e.Size = binary.LittleEndian.Uint64([]byte(take(8)))
		copy(e.Hash[:], take(NameSize))
		if short {
			return nil, fmt.Errorf("%w: it ends within entry %d", ErrManifest, i)
		}
		if err := e.validate(); err != nil {
			return nil, err
		}
		if i > 0 && entries[i-1].Name >= e.Name {
			return nil, fmt.Errorf("%w: %q is not behind %q", ErrManifest, e.Name, entries[i-1].Name)
		}
	}
	if rest != "" {
		return nil, fmt.Errorf("%w: %d bytes behind the last entry", ErrManifest, len(rest))
	}
	return entries, nil
}

// FindEntry returns the entry of a name among those of DecodeManifest, or nil.
func FindEntry(entries []Entry, name string) *Entry {
	i := sort.Search(len(entries), func(i int) bool { return entries[i].Name >= name })
	if i == len(entries) || entries[i].Name != name {
		return nil
	}
	return &entries[i]
}
