package statedb

import (
	"cmp"
	"hash/maphash"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	dbm "github.com/cosmos/cosmos-db"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
)

// RecordBytes is how much memory a running node gives to the records that settlements touch: two million lanes and keys and the
// purses of a million accounts.
const RecordBytes = 1 << 30

// Records keep records of state trees in memory from block to block, and let the trees work at the same time. What they answer is
// always what the trees would answer, in every version and with every hash, so a node's results do not depend on their size, and
// nodes with other sizes, or without any, agree.
//
// A lookup in a tree of millions visits 22 nodes, which was half of the time of a block of settlements. The cache between
// blocks of the SDK cannot be used for this: a read that misses there puts what it found into the cache after it has read the
// tree, without a lock. If a simulation reads a record while a block writes it, the old value can stay in the cache, and the
// node computes another state than the rest. Here both are read and written under one lock for each record.
//
// What a block writes waits in the order in which it came until somebody needs the tree: see recordStore. The SDK asks one store after the other for
// its hash and has one after the other save its version. They are trees of their own under prefixes of their own, so the
// first question is answered for all of them at once, on goroutines that end before the answer is given.
type Records struct {
	names []string
	cache *recordCache
	db    *DB // may be nil

	mu     sync.Mutex
	stores map[string]*recordStore
	opened uint32
}

var _ storetypes.MultiStorePersistentCache = (*Records)(nil)

// NewRecords keeps the most recently used records of some stores of a database within a number of bytes for all of them. Other stores
// are left alone.
func NewRecords(db dbm.DB, bytes int, names ...string) *Records {
	own, _ := db.(*DB)
	return &Records{names: names, cache: newRecordCache(bytes), db: own, stores: make(map[string]*recordStore)}
}

// GetStoreCache returns the store with records in front of it. A store that is loaded anew, as after a state sync, begins
// with none.
func (r *Records) GetStoreCache(key storetypes.StoreKey, store storetypes.CommitKVStore) storetypes.CommitKVStore {
	if !slices.Contains(r.names, key.Name()) {
		return store
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opened++
	s := &recordStore{records: r, tree: store, number: r.opened, seed: maphash.MakeSeed()}
	r.stores[key.Name()] = s
	return s
}

// Unwrap returns the store behind the records, or nil if there are none for it. The SDK asks for it to read saved versions, and
// to change a store as a whole before it is loaded anew: neither needs what waits.
func (r *Records) Unwrap(key storetypes.StoreKey) storetypes.CommitKVStore {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.stores[key.Name()]; s != nil {
		return s.tree
	}
	return nil
}

// Reset forgets all records.
func (r *Records) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.stores)
}

// all returns the stores in the order in which they were opened.
func (r *Records) all() []*recordStore {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.stores), func(a, b *recordStore) int { return cmp.Compare(a.number, b.number) })
}

// hashAll brings all trees up to date and hashes them.
func (r *Records) hashAll() {
	together(slices.DeleteFunc(r.all(), func(s *recordStore) bool { return !s.changed() }), func(s *recordStore) { s.hash() })
}

// commitAll saves the next version of a store, and those of all other stores that have the same last version: the SDK commits them
// with it. A store that has another one is new, or was saved before the node was killed, and the SDK decides what is to be done with it.
func (r *Records) commitAll(first *recordStore) {
	last := first.LastCommitID().Version
	group := []*recordStore{first}
	for _, s := range r.all() {
		if s != first && last > 0 && s.mayCommit(last) {
			group = append(group, s)
		}
	}
	if r.db != nil {
		r.db.nodes.commits.Add(1)
		defer r.db.nodes.commits.Add(-1)
	}
	together(group, (*recordStore).commit)
}

// together calls f with all stores, on as many cores as there are, and waits until it has returned for each. Those with the most work come
// first: one of them alone would keep a core busy when the others are done. If f panics for one, as IAVL does when it cannot
// read or write the disk, the others are still served, and then it panics here.
func together(stores []*recordStore, f func(*recordStore)) {
	slices.SortStableFunc(stores, func(a, b *recordStore) int { return cmp.Compare(b.work.Load(), a.work.Load()) })
	faults := make([]any, len(stores))
	var next atomic.Int64
	serve := func() {
		for i := next.Add(1) - 1; i < int64(len(stores)); i = next.Add(1) - 1 {
			func() {
				defer func() { faults[i] = recover() }()
				f(stores[i])
			}()
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(stores)) - 1 {
		others.Go(serve)
	}
	serve()
	others.Wait()
	for _, fault := range faults {
		if fault != nil {
			panic(fault)
		}
	}
}
