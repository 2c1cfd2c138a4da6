package statedb

import (
	"errors"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cosmos/cosmos-sdk/store/v2/cachekv"
	pruningtypes "github.com/cosmos/cosmos-sdk/store/v2/pruning/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
)

const (
	// maxChanges and maxChangeBytes bound what waits for a tree: more than a full block changes. A genesis state has more, and is
	// written in parts.
	maxChanges     = 1 << 17
	maxChangeBytes = 64 << 20
)

// errLateChange says that the SDK has broken what commitAll relies on. To go on would make another state than other nodes have.
var errLateChange = errors.New("a record is changed while the stores are being committed")

// recordStore is a store with records in front of its tree. Changes wait until something needs the tree as it is: a hash, a
// commit, an iterator, or too many of them. They are applied in the order in which they came, because the shape of a tree, and so its hash,
// depends on it. Until then reads find them here.
//
// As for every store of the SDK, one goroutine writes at a time; any number may read meanwhile.
type recordStore struct {
	records *Records
	// number tells the records of this store in the cache from those of others; seed is that of their hashes.
	number uint32
	seed   maphash.Seed

	// writing is held by whoever changes the store. It comes before all other locks.
	writing     sync.Mutex
	changes     []change
	changeBytes int
	// work is how many changes have come since the last commit.
	work atomic.Int64
	// committed is the version that commitAll has saved before the SDK asked this store for it; previous is the one before.
	committed *storetypes.CommitID
	previous  storetypes.CommitID

	// waiting are the changes by their keys, nil for a deletion. The lock of the key's shard in the cache guards each map.
	waiting [recordShards]map[string][]byte

	// treeLock guards the tree. It comes after the lock of a shard: who holds it locks no shard.
	treeLock sync.RWMutex
	tree     storetypes.CommitKVStore
}

// change is a record to be set, or to be deleted if its value is nil.
type change struct{ key, value []byte }

var _ storetypes.CommitKVStore = (*recordStore)(nil)

// GetStoreType implements storetypes.Store.
func (s *recordStore) GetStoreType() storetypes.StoreType { return s.tree.GetStoreType() }

// SetPruning implements storetypes.Committer.
func (s *recordStore) SetPruning(o pruningtypes.PruningOptions) { s.tree.SetPruning(o) }

// GetPruning implements storetypes.Committer.
func (s *recordStore) GetPruning() pruningtypes.PruningOptions { return s.tree.GetPruning() }

// CacheWrap returns a branch of the store.
func (s *recordStore) CacheWrap() storetypes.CacheWrap { return cachekv.NewStore(s) }

// Get returns the value of a key, nil if there is none. It must not be changed.
func (s *recordStore) Get(key []byte) []byte {
	hash := maphash.Bytes(s.seed, key)
	shard := s.records.cache.shard(hash)
	shard.Lock()
	defer shard.Unlock()
	if value, ok := s.waiting[hash%recordShards][string(key)]; ok {
		return value
	}
	if value, ok := shard.get(hash, s.number, key); ok {
		return value
	}
	value := s.read(key)
	if value != nil {
		shard.put(hash, s.number, key, value)
	}
	return value
}

// read looks a key up in the tree.
func (s *recordStore) read(key []byte) []byte {
	s.treeLock.RLock()
	defer s.treeLock.RUnlock()
	return s.tree.Get(key)
}

// Has reports whether there is a key.
func (s *recordStore) Has(key []byte) bool { return s.Get(key) != nil }

// Set stores a value. Neither key nor value may be changed afterwards.
func (s *recordStore) Set(key, value []byte) {
	storetypes.AssertValidKey(key)
	storetypes.AssertValidValue(value)
	s.change(key, value)
}

// Delete removes a key.
func (s *recordStore) Delete(key []byte) { s.change(key, nil) }

func (s *recordStore) change(key, value []byte) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.committed != nil {
		panic(errLateChange)
	}
	s.changes = append(s.changes, change{key, value})
	s.changeBytes += len(key) + len(value)
	s.work.Add(1)
	s.wait(key, value)
	if len(s.changes) >= maxChanges || s.changeBytes >= maxChangeBytes {
		s.apply()
	}
}

// wait lets reads find a change.
func (s *recordStore) wait(key, value []byte) {
	hash := maphash.Bytes(s.seed, key)
	shard := s.records.cache.shard(hash)
	shard.Lock()
	defer shard.Unlock()
	waiting := &s.waiting[hash%recordShards]
	if *waiting == nil {
		*waiting = make(map[string][]byte)
	}
	(*waiting)[string(key)] = value
	if value == nil {
		shard.remove(hash)
	} else {
		shard.put(hash, s.number, key, value)
	}
}

// changed reports whether changes wait.
func (s *recordStore) changed() bool {
	s.writing.Lock()
	defer s.writing.Unlock()
	return len(s.changes) > 0
}

// apply brings the tree up to date. The caller holds the lock for writing.
func (s *recordStore) apply() {
	if len(s.changes) == 0 {
		return
	}
	s.toTree()
	for i := range s.waiting {
		shard := &s.records.cache.shards[i]
		shard.Lock()
		clear(s.waiting[i])
		shard.Unlock()
	}
}

// toTree applies the changes. If the tree panics, those that are left stay, so that nobody can go on without them.
func (s *recordStore) toTree() {
	s.treeLock.Lock()
	defer s.treeLock.Unlock()
	applied := 0
	defer func() {
		s.changes, s.changeBytes = slices.Delete(s.changes, 0, applied), 0
		for _, c := range s.changes {
			s.changeBytes += len(c.key) + len(c.value)
		}
	}()
	for _, c := range s.changes {
		if c.value == nil {
			s.tree.Delete(c.key)
		} else {
			s.tree.Set(c.key, c.value)
		}
		applied++
	}
}

// Iterator goes over the records from start to before end, ascending.
func (s *recordStore) Iterator(start, end []byte) storetypes.Iterator {
	return s.iterator(func() storetypes.Iterator { return s.tree.Iterator(start, end) })
}

// ReverseIterator goes over the records from before end to start, descending.
func (s *recordStore) ReverseIterator(start, end []byte) storetypes.Iterator {
	return s.iterator(func() storetypes.Iterator { return s.tree.ReverseIterator(start, end) })
}

func (s *recordStore) iterator(open func() storetypes.Iterator) storetypes.Iterator {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.apply()
	s.treeLock.RLock()
	defer s.treeLock.RUnlock()
	return open()
}

// WorkingHash returns the hash of the tree with all changes.
func (s *recordStore) WorkingHash() []byte {
	s.records.hashAll()
	return s.hash()
}

func (s *recordStore) hash() []byte {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.apply()
	s.treeLock.Lock()
	defer s.treeLock.Unlock()
	return s.tree.WorkingHash()
}

// LastCommitID returns the version that the SDK has committed last. One that was saved ahead is not seen before the SDK asks for it.
func (s *recordStore) LastCommitID() storetypes.CommitID {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.lastCommitID()
}

func (s *recordStore) lastCommitID() storetypes.CommitID {
	if s.committed != nil {
		return s.previous
	}
	s.treeLock.Lock()
	defer s.treeLock.Unlock()
	return s.tree.LastCommitID()
}

// Commit saves a version.
func (s *recordStore) Commit() storetypes.CommitID {
	s.records.commitAll(s)
	s.writing.Lock()
	defer s.writing.Unlock()
	id := *s.committed
	s.committed = nil
	return id
}

// mayCommit reports whether the SDK will commit the store when it commits another one with this last version.
func (s *recordStore) mayCommit(last int64) bool {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.committed == nil && s.lastCommitID().Version == last
}

// commit saves a version for the SDK to ask for, unless that has been done.
func (s *recordStore) commit() {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.committed != nil {
		return
	}
	s.apply()
	previous := s.lastCommitID()
	s.treeLock.Lock()
	defer s.treeLock.Unlock()
	id := s.tree.Commit()
	s.previous, s.committed = previous, &id
	s.work.Store(0)
}
