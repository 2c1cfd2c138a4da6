package statedb

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/store/v2/iavl"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
)

var (
	recordsKey = storetypes.NewKVStoreKey("records")
	otherKey   = storetypes.NewKVStoreKey("other")
)

func newTree(t require.TestingT) storetypes.CommitKVStore {
	tree, err := iavl.LoadStore(dbm.NewMemDB(), log.NewNopLogger(), recordsKey, storetypes.CommitID{}, 100, true)
	require.NoError(t, err)
	return tree
}

// Whatever is read, written and committed, and however few records fit, the store answers what the tree alone answers.
func TestRecordsAnswerAsTheTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{1, recordShards * 300, recordShards * 1_000, 1 << 20}).Draw(t, "bytes")
		records := NewRecords(nil, size, recordsKey.Name())
		store, plain := records.GetStoreCache(recordsKey, newTree(t)), newTree(t)
		key := rapid.Map(rapid.IntRange(0, 40), func(i int) []byte { return fmt.Appendf(nil, "key-%d", i) })
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				k, v := key.Draw(t, "key"), rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(t, "value")
				store.Set(k, slices.Clone(v))
				plain.Set(k, v)
			},
			"delete": func(t *rapid.T) {
				k := key.Draw(t, "key")
				store.Delete(k)
				plain.Delete(k)
			},
			"get": func(t *rapid.T) {
				k := key.Draw(t, "key")
				require.Equal(t, plain.Get(k), store.Get(k))
				require.Equal(t, plain.Has(k), store.Has(k))
			},
			"branch": func(t *rapid.T) {
				k := key.Draw(t, "key")
				branch, ok := store.CacheWrap().(storetypes.CacheKVStore)
				require.True(t, ok)
				require.Equal(t, plain.Get(k), branch.Get(k))
				branch.Set(k, []byte("branch"))
				branch.Write()
				plain.Set(k, []byte("branch"))
			},
			"commit":  func(t *rapid.T) { require.Equal(t, plain.Commit().Hash, store.Commit().Hash) },
			"iterate": func(t *rapid.T) { require.Equal(t, contents(t, plain), contents(t, store)) },
			"hash":    func(t *rapid.T) { require.Equal(t, plain.WorkingHash(), store.WorkingHash()) },
			"":        func(t *rapid.T) { requireWithin(t, records.cache, size) },
		})
	})
}

// slowTree lets a write in between the read of a record and what is done with it.
type slowTree struct {
	storetypes.CommitKVStore
	read, written chan struct{}
	once          sync.Once
}

func (s *slowTree) Get(key []byte) []byte {
	value := s.CommitKVStore.Get(key)
	s.once.Do(func() {
		close(s.read)
		select {
		case <-s.written: // a cache that does not lock would keep the old value now
		case <-neverWritten(s):
		}
	})
	return value
}

// neverWritten ends the wait when the writer is seen to be waiting for the lock: it can then not write before the read is over.
func neverWritten(s *slowTree) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		<-s.read
		for range 1_000 {
			select {
			case <-s.written:
				return
			default:
			}
		}
		close(done)
	}()
	return done
}

// A simulation that reads a record while a block writes it does not leave the old value behind.
func TestRecordsAreNotSpoiltByAReadDuringAWrite(t *testing.T) {
	for range 200 {
		tree := &slowTree{CommitKVStore: newTree(t), read: make(chan struct{}), written: make(chan struct{})}
		tree.Set([]byte("key"), []byte("old"))
		store := NewRecords(nil, 1<<20, recordsKey.Name()).GetStoreCache(recordsKey, tree)
		var wg sync.WaitGroup
		wg.Go(func() { store.Get([]byte("key")) })
		<-tree.read
		store.Set([]byte("key"), []byte("new"))
		close(tree.written)
		wg.Wait()
		require.Equal(t, "new", string(store.Get([]byte("key"))))
	}
}

// contents are all records of a store in both directions.
func contents(t require.TestingT, store storetypes.KVStore) (all []string) {
	for _, iter := range []storetypes.Iterator{store.Iterator(nil, nil), store.ReverseIterator([]byte("key-2"), nil)} {
		for ; iter.Valid(); iter.Next() {
			all = append(all, fmt.Sprintf("%s=%x", iter.Key(), iter.Value()))
		}
		require.NoError(t, iter.Close())
	}
	return all
}

// requireWithin adds up what a cache holds and requires that its own count is right and within its bound.
func requireWithin(t require.TestingT, cache *recordCache, most int) {
	all := 0
	for i := range cache.shards {
		shard := &cache.shards[i]
		held := 0
		for _, chunk := range shard.chunks {
			held += cap(chunk)
		}
		require.Equal(t, held, shard.held)
		for hash, p := range shard.index {
			own, _, _, _ := record(shard.chunks[p.chunk-shard.oldest], int(p.at&^usedBit))
			require.Equal(t, hash, own)
		}
		all += held + len(shard.index)*indexBytes
	}
	require.LessOrEqual(t, all, most)
}

func TestRecordsOfAStoreThatIsLoadedAnew(t *testing.T) {
	records := NewRecords(nil, 1<<20, recordsKey.Name())
	first, second := newTree(t), newTree(t)
	records.GetStoreCache(recordsKey, first).Set([]byte("key"), []byte("first"))
	again := records.GetStoreCache(recordsKey, second)
	require.Nil(t, again.Get([]byte("key")))
	require.Same(t, second, records.Unwrap(recordsKey))

	require.Same(t, first, records.GetStoreCache(otherKey, first), "a store that is not named has none")
	require.Nil(t, records.Unwrap(otherKey))
	records.Reset()
	require.Nil(t, records.Unwrap(recordsKey))
}
