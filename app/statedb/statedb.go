// Package statedb opens the database of the application with options that fit a state tree of millions of records.
//
// The pebble backend of cosmos-db has a block cache of 8 MiB and no filters. In a state of a million accounts and lanes
// nearly every node and record that a block touches is then read from the file system and decompressed, at every level of
// the database: half of the time of a settlement-heavy block. The files are the same; a database written by one backend is
// read by the other.
package statedb

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/bloom"
	"github.com/cockroachdb/pebble/vfs"
	dbm "github.com/cosmos/cosmos-db"
)

// TreeNodes is how many decoded nodes of each state tree a running node keeps in memory, about 300 bytes each: the upper part of a large tree, and what
// a few blocks have written. The others are decoded again from those of NodeBytes.
const TreeNodes = 30_000

const (
	// cacheBytes is the block cache. It holds the inner nodes and the index blocks of a state of some millions of records.
	cacheBytes = 512 << 20
	// memTableBytes is the size of a write buffer: a full block of settlements writes about 10 MiB.
	memTableBytes = 64 << 20
	// filterBits per key make one read in a hundred look at a table that has not got the key.
	filterBits = 10
	// compactions that run at a time at most: each takes a core for about a second from the blocks.
	compactions = 1
	// sublevels of the newest tables are merged into the next level at a time. A block writes all over the state, so that each
	// merge writes all of that level anew: half as many merges are half of that.
	sublevels = 8
)

var (
	errKeyEmpty    = errors.New("key is empty")
	errValueNil    = errors.New("value is nil")
	errBatchClosed = errors.New("batch has been written or closed")
)

// DB is a pebble database as cosmos-db defines databases.
type DB struct {
	db    *pebble.DB
	nodes *nodeCache
	pace  *pace
}

var _ dbm.DB = (*DB)(nil)

// Open opens the database dir/name.db and makes it if it is not there. Other backends than pebble are opened as cosmos-db
// does.
func Open(name, dir string, backend dbm.BackendType) (dbm.DB, error) {
	if backend != dbm.PebbleDBBackend {
		return dbm.NewDB(name, backend, dir)
	}
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref() // the database keeps a reference of its own
	pace := newPace()
	options := &pebble.Options{
		FS:                       pacedFS{vfs.Default, pace},
		Cache:                    cache,
		MemTableSize:             memTableBytes,
		MaxConcurrentCompactions: func() int { return compactions },
		L0CompactionThreshold:    sublevels,
		L0StopWritesThreshold:    2 * hurrySublevels,
		Levels:                   make([]pebble.LevelOptions, 7),
		Logger:                   quiet{pebble.DefaultLogger},
	}
	for i := range options.Levels {
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	// What is written first is merged into the next level soon. Compressing it until then would take a core from the blocks.
	options.Levels[0].Compression = pebble.NoCompression
	db, err := pebble.Open(filepath.Join(dir, name+dbm.DBFileSuffix), options)
	if err != nil {
		return nil, err
	}
	pace.begin(db)
	return &DB{db: db, nodes: newNodeCache(db, NodeBytes), pace: pace}, nil
}

// quiet drops what pebble says about its compactions. What it cannot go on after is still logged and fatal.
type quiet struct{ pebble.Logger }

func (quiet) Infof(string, ...any) {}

// Get returns the value of a key, nil if there is none.
func (d *DB) Get(key []byte) ([]byte, error) {
	if len(key) == 0 {
		return nil, errKeyEmpty
	}
	if isNode(key) {
		return d.nodes.get(key)
	}
	return read(d.db, key)
}

func read(db *pebble.DB, key []byte) ([]byte, error) {
	value, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	own := copied(value)
	return own, closer.Close()
}

// copied returns a copy that is not nil, even of an empty value.
func copied(value []byte) []byte { return append(make([]byte, 0, len(value)), value...) }

// Has reports whether there is a key.
func (d *DB) Has(key []byte) (bool, error) {
	value, err := d.Get(key)
	return value != nil, err
}

// Set stores a value. It is on disk with the next write that waits for it.
func (d *DB) Set(key, value []byte) error { return d.set(key, value, pebble.NoSync) }

// SetSync stores a value and waits until it is on disk.
func (d *DB) SetSync(key, value []byte) error { return d.set(key, value, pebble.Sync) }

func (d *DB) set(key, value []byte, o *pebble.WriteOptions) error {
	if err := check(key, value); err != nil {
		return err
	}
	return d.write(o, func(b *batch) error { return b.Set(key, value) })
}

func (d *DB) write(o *pebble.WriteOptions, fill func(b *batch) error) error {
	b := &batch{db: d, b: d.db.NewBatch()}
	if err := fill(b); err != nil {
		return errors.Join(err, b.Close())
	}
	return b.commit(o)
}

// check returns an error for a record that no backend stores.
func check(key, value []byte) error {
	switch {
	case len(key) == 0:
		return errKeyEmpty
	case value == nil:
		return errValueNil
	}
	return nil
}

// Delete removes a key if it is there.
func (d *DB) Delete(key []byte) error { return d.remove(key, pebble.NoSync) }

// DeleteSync removes a key if it is there and waits until that is on disk.
func (d *DB) DeleteSync(key []byte) error { return d.remove(key, pebble.Sync) }

func (d *DB) remove(key []byte, o *pebble.WriteOptions) error {
	if len(key) == 0 {
		return errKeyEmpty
	}
	return d.write(o, func(b *batch) error { return b.Delete(key) })
}

// Iterator goes over the keys from start to before end, ascending; nil is no bound.
func (d *DB) Iterator(start, end []byte) (dbm.Iterator, error) {
	source, err := d.iterator(start, end)
	if err != nil {
		return nil, err
	}
	source.First()
	return &iterator{source: source, start: start, end: end}, nil
}

// ReverseIterator goes over the keys from before end to start, descending; nil is no bound.
func (d *DB) ReverseIterator(start, end []byte) (dbm.Iterator, error) {
	source, err := d.iterator(start, end)
	if err != nil {
		return nil, err
	}
	source.Last()
	return &iterator{source: source, start: start, end: end, reverse: true}, nil
}

func (d *DB) iterator(start, end []byte) (*pebble.Iterator, error) {
	if (start != nil && len(start) == 0) || (end != nil && len(end) == 0) {
		return nil, errKeyEmpty
	}
	return d.db.NewIter(&pebble.IterOptions{LowerBound: start, UpperBound: end})
}

// Close closes the database.
func (d *DB) Close() error {
	d.nodes.close()
	d.pace.end()
	return d.db.Close()
}

// NewBatch returns a batch, which is written as a whole.
func (d *DB) NewBatch() dbm.Batch { return &batch{db: d, b: d.db.NewBatch()} }

// NewBatchWithSize returns a batch with room for so many bytes.
func (d *DB) NewBatchWithSize(size int) dbm.Batch {
	return &batch{db: d, b: d.db.NewBatchWithSize(size)}
}

// Print does nothing: it is there for debugging.
func (d *DB) Print() error { return nil }

// Stats returns the figures of pebble.
func (d *DB) Stats() map[string]string {
	return map[string]string{"pebble": d.db.Metrics().String()}
}

type batch struct {
	db      *DB
	b       *pebble.Batch
	deletes bool
}

// Set implements dbm.Batch.
func (b *batch) Set(key, value []byte) error {
	if err := check(key, value); err != nil {
		return err
	}
	if b.b == nil {
		return errBatchClosed
	}
	return b.b.Set(key, value, nil)
}

// Delete implements dbm.Batch.
func (b *batch) Delete(key []byte) error {
	if len(key) == 0 {
		return errKeyEmpty
	}
	if b.b == nil {
		return errBatchClosed
	}
	b.deletes = true
	return b.b.Delete(key, nil)
}

// Write implements dbm.Batch.
func (b *batch) Write() error { return b.commit(pebble.NoSync) }

// WriteSync implements dbm.Batch.
func (b *batch) WriteSync() error { return b.commit(pebble.Sync) }

func (b *batch) commit(o *pebble.WriteOptions) error {
	if b.b == nil {
		return errBatchClosed
	}
	own := b.b
	b.b = nil
	return b.db.nodes.write(own, b.deletes, o)
}

// Close implements dbm.Batch.
func (b *batch) Close() error {
	if b.b == nil {
		return nil
	}
	err := b.b.Close()
	b.b = nil
	return err
}

// GetByteSize implements dbm.Batch.
func (b *batch) GetByteSize() (int, error) {
	if b.b == nil {
		return 0, errBatchClosed
	}
	return b.b.Len(), nil
}

type iterator struct {
	source     *pebble.Iterator
	start, end []byte
	reverse    bool
}

// Domain implements dbm.Iterator.
func (i *iterator) Domain() (start, end []byte) { return i.start, i.end }

// Valid implements dbm.Iterator.
func (i *iterator) Valid() bool { return i.source.Error() == nil && i.source.Valid() }

// Next implements dbm.Iterator.
func (i *iterator) Next() {
	i.mustBeValid()
	if i.reverse {
		i.source.Prev()
	} else {
		i.source.Next()
	}
}

// Key implements dbm.Iterator. The bytes stay as they are when the iterator moves on.
func (i *iterator) Key() []byte {
	i.mustBeValid()
	return slices.Clone(i.source.Key())
}

// Value implements dbm.Iterator. The bytes stay as they are when the iterator moves on.
func (i *iterator) Value() []byte {
	i.mustBeValid()
	return copied(i.source.Value())
}

// mustBeValid panics as every backend does: the caller has not looked at Valid.
func (i *iterator) mustBeValid() {
	if !i.Valid() {
		panic("iterator is invalid")
	}
}

// Error implements dbm.Iterator.
func (i *iterator) Error() error { return i.source.Error() }

// Close implements dbm.Iterator.
func (i *iterator) Close() error { return i.source.Close() }
