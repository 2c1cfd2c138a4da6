package statedb

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/cosmos/cosmos-sdk/store/v2/cachekv"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
)

const (
	// RecordBytes is how much memory a running node gives to the records that settlements touch: two million lanes and keys and
	// the purses of a million accounts.
	RecordBytes = 1 << 30

	// recordShards are locked one by one, so that transactions that run at the same time rarely wait for each other.
	recordShards = 256
	// recordOverhead is what a record takes in memory besides its key and its value: the entries of map and list, and the headers
	// of the allocations.
	recordOverhead = 256
	// maxRecords bounds the number of records of a shard. Their bytes bound it first.
	maxRecords = 1 << 24
)

// Records keep records of state trees in memory from block to block: a lookup in a tree of millions visits 22 nodes, which was
// half of the time of a block of settlements. What they answer is always what the tree would answer, so a node's results do
// not depend on their size, and nodes with other sizes agree.
//
// The cache between blocks of the SDK cannot be used for this. A read that misses there puts what it found into the cache
// after it has read the tree, without a lock: if a simulation reads a record while a block writes it, the old value can
// stay in the cache, and the node computes another state than the rest. Here tree and cache are read and written
// under one lock for each record.
type Records struct {
	bytes  int
	names  []string
	stores map[string]*recordStore
}

var _ storetypes.MultiStorePersistentCache = (*Records)(nil)

// NewRecords keeps the most recently used records of some stores, each within a number of bytes. Other stores are left alone.
func NewRecords(bytes int, names ...string) *Records {
	return &Records{bytes: bytes, names: names, stores: make(map[string]*recordStore)}
}

// GetStoreCache returns the store with records in front of it. A store that is loaded anew, as after a state sync, begins
// with none.
func (r *Records) GetStoreCache(key storetypes.StoreKey, store storetypes.CommitKVStore) storetypes.CommitKVStore {
	if !slices.Contains(r.names, key.Name()) {
		return store
	}
	s := newRecordStore(store, r.bytes/recordShards)
	r.stores[key.Name()] = s
	return s
}

// Unwrap returns the store behind the records, or nil if there are none for it.
func (r *Records) Unwrap(key storetypes.StoreKey) storetypes.CommitKVStore {
	if s := r.stores[key.Name()]; s != nil {
		return s.CommitKVStore
	}
	return nil
}

// Reset forgets all records.
func (r *Records) Reset() { clear(r.stores) }

// recordStore is a store with records in front of it. Iterators and commits go to the store.
type recordStore struct {
	storetypes.CommitKVStore
	seed   maphash.Seed
	shards [recordShards]recordShard
}

type recordShard struct {
	sync.Mutex
	records *simplelru.LRU[string, []byte]
	bytes   int
	most    int
}

func newRecordStore(store storetypes.CommitKVStore, shardBytes int) *recordStore {
	s := &recordStore{CommitKVStore: store, seed: maphash.MakeSeed()}
	for i := range s.shards {
		shard := &s.shards[i]
		shard.most = shardBytes
		records, err := simplelru.NewLRU(maxRecords, func(key string, value []byte) { shard.bytes -= recordSize(key, value) })
		if err != nil {
			panic(err) // the number of records is not positive
		}
		shard.records = records
	}
	return s
}

func recordSize(key string, value []byte) int { return len(key) + len(value) + recordOverhead }

// shard of a key. Where a record lies changes with each start, and nothing depends on it.
func (s *recordStore) shard(key []byte) *recordShard {
	return &s.shards[maphash.Bytes(s.seed, key)%recordShards]
}

// put keeps a record and gives up those that were not used for longest. The caller holds the lock.
func (s *recordShard) put(key string, value []byte) {
	s.records.Remove(key)
	s.records.Add(key, value)
	s.bytes += recordSize(key, value)
	for s.bytes > s.most {
		s.records.RemoveOldest()
	}
}

// CacheWrap returns a branch of the store.
func (s *recordStore) CacheWrap() storetypes.CacheWrap { return cachekv.NewStore(s) }

// Get returns the value of a key, nil if there is none. It must not be changed.
func (s *recordStore) Get(key []byte) []byte {
	shard := s.shard(key)
	shard.Lock()
	defer shard.Unlock()
	if value, ok := shard.records.Get(string(key)); ok {
		return value
	}
	value := s.CommitKVStore.Get(key)
	if value != nil {
		shard.put(string(key), value)
	}
	return value
}

// Has reports whether there is a key.
func (s *recordStore) Has(key []byte) bool { return s.Get(key) != nil }

// Set stores a value in the tree and keeps it.
func (s *recordStore) Set(key, value []byte) {
	shard := s.shard(key)
	shard.Lock()
	defer shard.Unlock()
	s.CommitKVStore.Set(key, value)
	shard.put(string(key), value)
}

// Delete removes a key from the tree and from what is kept.
func (s *recordStore) Delete(key []byte) {
	shard := s.shard(key)
	shard.Lock()
	defer shard.Unlock()
	s.CommitKVStore.Delete(key)
	shard.records.Remove(string(key))
}
