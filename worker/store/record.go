package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/edgechain/edge/client/content"
)

// The mode of a file says, too, whether its object stays, so that pins outlive a lost index. What releases without an index
// have stored stays: operators have added it. The folders are closed to everybody else either way.
const (
	stayMode  fs.FileMode = 0o600
	cacheMode fs.FileMode = 0o640
	// cacheBit is the difference.
	cacheBit = cacheMode &^ stayMode
)

// maxHolds is how many accounts can keep one object.
const maxHolds = 256

// Hold says that an account has an object kept until the end of an epoch.
type Hold struct {
	// Owner is the id of the account.
	Owner uint64
	// Until is the last epoch of it.
	Until uint64
}

// record is what is known of a stored object. Store.mu guards it.
type record struct {
	size uint64
	// added is in nanoseconds since 1970.
	added int64
	// used is the last use in seconds since 1970, saved what the index has of it.
	used, saved uint32
	pinned      bool
	// again says that the object was used again after it was added.
	again bool
	// seen says that its file was found.
	seen bool
	// holds are in ascending order of their owners. They are replaced as a whole, never changed.
	holds []Hold
}

// stays reports whether the object may not be evicted.
func (r *record) stays() bool { return r.pinned || len(r.holds) > 0 }

// mode returns the mode of its file.
func (r *record) mode() fs.FileMode {
	if r.stays() {
		return stayMode
	}
	return cacheMode
}

// hold returns the place of an owner's hold, and whether there is one.
func (r *record) hold(owner uint64) (int, bool) {
	return slices.BinarySearchFunc(r.holds, owner, func(h Hold, owner uint64) int {
		switch {
		case h.Owner < owner:
			return -1
		case h.Owner > owner:
			return 1
		}
		return 0
	})
}

// keep adds or prolongs a hold.
func (r *record) keep(h Hold) error {
	at, ok := r.hold(h.Owner)
	if ok {
		if r.holds[at].Until < h.Until {
			r.holds = slices.Clone(r.holds)
			r.holds[at].Until = h.Until
		}
		return nil
	}
	if len(r.holds) >= maxHolds {
		return fmt.Errorf("%w: %d accounts keep this object already", ErrQuota, len(r.holds))
	}
	r.holds = slices.Insert(slices.Clone(r.holds), at, h)
	return nil
}

// drop removes holds.
func (r *record) drop(which func(Hold) bool) {
	r.holds = slices.DeleteFunc(slices.Clone(r.holds), which)
}

// Kinds of entries of the index.
const (
	kindPut    = 1
	kindDelete = 2
)

const (
	flagPinned = 1 << 0
	flagAgain  = 1 << 1

	deleteSize = 1 + content.NameSize
	putSize    = deleteSize + 1 + 8 + 8 + 4 + 2
	holdSize   = 16
	// maxEntry bounds an entry of the index in bytes.
	maxEntry = putSize + maxHolds*holdSize
)

var errEntry = errors.New("entry of the index does not parse")

// appendPut appends the entry of an object to b. All integers are little-endian:
//
//	1 u8 || name[32] || flags u8 || size u64 || added u64 || used u32 || holds u16 || holds * (owner u64 || until u64)
func appendPut(b []byte, name content.Name, r *record) []byte {
	flags := byte(0)
	if r.pinned {
		flags |= flagPinned
	}
	if r.again {
		flags |= flagAgain
	}
	b = append(b, kindPut)
	b = append(b, name[:]...)
	b = append(b, flags)
	b = binary.LittleEndian.AppendUint64(b, r.size)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.added))
	b = binary.LittleEndian.AppendUint32(b, r.used)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(r.holds)))
	for _, h := range r.holds {
		b = binary.LittleEndian.AppendUint64(b, h.Owner)
		b = binary.LittleEndian.AppendUint64(b, h.Until)
	}
	return b
}

// appendDelete appends the entry of an object that is gone: 2 u8 || name[32].
func appendDelete(b []byte, name content.Name) []byte {
	return append(append(b, kindDelete), name[:]...)
}

// parseEntry reads an entry. The record is nil if the object is gone.
func parseEntry(b []byte) (name content.Name, r *record, err error) {
	if len(b) < deleteSize {
		return name, nil, fmt.Errorf("%w: %d bytes", errEntry, len(b))
	}
	copy(name[:], b[1:])
	switch {
	case b[0] == kindDelete && len(b) == deleteSize:
		return name, nil, nil
	case b[0] != kindPut || len(b) < putSize:
		return name, nil, fmt.Errorf("%w: kind %d with %d bytes", errEntry, b[0], len(b))
	}
	flags, rest := b[deleteSize], b[deleteSize+1:]
	r = &record{
		size: binary.LittleEndian.Uint64(rest), added: int64(binary.LittleEndian.Uint64(rest[8:])),
		used: binary.LittleEndian.Uint32(rest[16:]), pinned: flags&flagPinned != 0, again: flags&flagAgain != 0,
	}
	r.saved = r.used
	n := int(binary.LittleEndian.Uint16(rest[20:]))
	if flags&^(flagPinned|flagAgain) != 0 || r.size > content.MaxSize || n > maxHolds || len(b) != putSize+n*holdSize {
		return name, nil, fmt.Errorf("%w: flags %x, size %d, %d holds in %d bytes", errEntry, flags, r.size, n, len(b))
	}
	if n == 0 {
		return name, r, nil
	}
	r.holds = make([]Hold, n)
	for i := range r.holds {
		at := b[putSize+i*holdSize:]
		r.holds[i] = Hold{Owner: binary.LittleEndian.Uint64(at), Until: binary.LittleEndian.Uint64(at[8:])}
		if i > 0 && r.holds[i-1].Owner >= r.holds[i].Owner {
			return name, nil, fmt.Errorf("%w: holds are not in order", errEntry)
		}
	}
	return name, r, nil
}
