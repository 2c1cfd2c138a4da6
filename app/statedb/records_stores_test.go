package statedb

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/store/v2"
	"github.com/cosmos/cosmos-sdk/store/v2/rootmulti"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
)

// stores are those of an application: the named ones have records in front of them, if there are any.
type stores struct {
	t       require.TestingT
	db      *dbm.MemDB
	records *Records
	keys    []storetypes.StoreKey
	*rootmulti.Store
}

var (
	recordNames = []string{"a", "b", "c", "d"}
	plainNames  = []string{"0", "z"} // one is committed before those with records, one after them
)

// openStores opens stores on a database with so many bytes of records, without any if that is negative.
func openStores(t require.TestingT, db *dbm.MemDB, bytes int, upgrades *storetypes.StoreUpgrades, without ...string) *stores {
	s := &stores{t: t, db: db}
	cms, ok := store.NewCommitMultiStore(db, log.NewNopLogger()).(*rootmulti.Store)
	require.True(t, ok)
	s.Store = cms
	if bytes >= 0 {
		s.records = NewRecords(db, bytes, recordNames...)
		cms.SetInterBlockCache(s.records)
	}
	cms.SetIAVLDisableFastNode(true)
	for _, name := range append(append([]string{}, plainNames...), recordNames...) {
		if len(without) > 0 && name == without[0] {
			continue
		}
		key := storetypes.NewKVStoreKey(name)
		s.keys = append(s.keys, key)
		cms.MountStoreWithDB(key, storetypes.StoreTypeIAVL, nil)
	}
	require.NoError(t, cms.LoadLatestVersionAndUpgrade(upgrades))
	return s
}

// copyDB returns what a node would find on its disk if it was killed now.
func copyDB(t require.TestingT, db *dbm.MemDB) *dbm.MemDB {
	again := dbm.NewMemDB()
	iter, err := db.Iterator(nil, nil)
	require.NoError(t, err)
	for ; iter.Valid(); iter.Next() {
		require.NoError(t, again.Set(iter.Key(), iter.Value()))
	}
	require.NoError(t, iter.Close())
	return again
}

// write makes the changes of a block, which are the same for each n, and returns the hash of the result.
func (s *stores) write(n int) []byte {
	block := s.CacheMultiStore()
	for i, key := range s.keys {
		kv := block.GetKVStore(key)
		for j := range 20 {
			id := (n*7 + j*(i+3)) % 60
			name := fmt.Appendf(nil, "key-%d", id)
			switch old := kv.Get(name); {
			case old != nil && (id+n)%4 == 0:
				kv.Delete(name)
			default:
				kv.Set(name, fmt.Appendf(nil, "%d %d %s", n, j, old[:min(len(old), 10)]))
			}
		}
	}
	block.Write()
	return s.WorkingHash()
}

func (s *stores) commit() []byte {
	id := s.Commit()
	info, err := s.GetCommitInfo(id.Version)
	require.NoError(s.t, err)
	require.Len(s.t, info.StoreInfos, len(s.keys))
	for _, store := range info.StoreInfos {
		require.Equal(s.t, id.Version, store.CommitId.Version, store.Name)
	}
	return id.Hash
}

// Whatever is written, read, hashed, committed and loaded anew in several stores, with however many records, comes out as without
// records: every value, every hash, every saved version.
func TestRecordsOfSeveralStores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{0, recordShards * 300, 1 << 20}).Draw(t, "bytes")
		plain := openStores(t, dbm.NewMemDB(), -1, nil)
		cached := openStores(t, dbm.NewMemDB(), size, nil)
		if first := rapid.SampledFrom([]int64{0, 1, 10}).Draw(t, "initial version"); first > 0 {
			require.NoError(t, plain.SetInitialVersion(first))
			require.NoError(t, cached.SetInitialVersion(first))
		}
		same := func(t *rapid.T) {
			for i, key := range plain.keys {
				require.Equal(t, contents(t, plain.GetKVStore(key)), contents(t, cached.GetKVStore(cached.keys[i])), key.Name())
			}
		}
		blocks := 0
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				i := rapid.IntRange(0, len(plain.keys)-1).Draw(t, "store")
				a, b := plain.GetKVStore(plain.keys[i]), cached.GetKVStore(cached.keys[i])
				key, value := fmt.Appendf(nil, "key-%d", rapid.IntRange(0, 30).Draw(t, "key")), rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "value")
				require.Equal(t, a.Get(key), b.Get(key))
				if len(value) == 0 {
					a.Delete(key)
					b.Delete(key)
				} else {
					a.Set(key, value)
					b.Set(key, value)
				}
				require.Equal(t, a.Get(key), b.Get(key))
				require.Equal(t, a.Has(key), b.Has(key))
			},
			"hash": func(t *rapid.T) { require.Equal(t, plain.WorkingHash(), cached.WorkingHash()) },
			"block": func(t *rapid.T) {
				blocks++
				require.Equal(t, plain.write(blocks), cached.write(blocks))
				require.Equal(t, plain.commit(), cached.commit())
			},
			"commit": func(t *rapid.T) {
				require.Equal(t, plain.commit(), cached.commit())
				require.Equal(t, plain.LastCommitID(), cached.LastCommitID())
			},
			"contents": same,
			"load": func(t *rapid.T) { // what is not committed is lost on both
				if plain.LatestVersion() == 0 {
					return
				}
				require.NoError(t, plain.LoadLatestVersion())
				require.NoError(t, cached.LoadLatestVersion())
				same(t)
			},
			"roll back": func(t *rapid.T) {
				last := plain.LatestVersion()
				if last < 12 {
					return
				}
				require.NoError(t, plain.RollbackToVersion(last-1))
				require.NoError(t, cached.RollbackToVersion(last-1))
				same(t)
			},
			"query": func(t *rapid.T) {
				last := plain.LatestVersion()
				if last < 2 || last == 10 {
					return
				}
				a, err := plain.CacheMultiStoreWithVersion(last - 1)
				if err != nil {
					return // before the first version
				}
				b, err := cached.CacheMultiStoreWithVersion(last - 1)
				require.NoError(t, err)
				for i, key := range plain.keys {
					require.Equal(t, contents(t, a.GetKVStore(key)), contents(t, b.GetKVStore(cached.keys[i])), key.Name())
				}
			},
		})
	})
}

// commitOne saves the version of one store without records.
func commitOne(t require.TestingT, s *stores, key storetypes.StoreKey) {
	tree, ok := s.GetStore(key).(storetypes.CommitKVStore)
	require.True(t, ok)
	tree.Commit()
}

// A node that is killed when some of its stores have saved a version and others have not executes the block again after its
// restart, comes to the same hash, and goes on as if nothing had been.
func TestKilledBetweenTheCommitsOfStores(t *testing.T) {
	want := openStores(t, dbm.NewMemDB(), -1, nil)
	var hashes [][]byte
	for n := range 6 {
		want.write(n)
		hashes = append(hashes, want.commit())
	}
	const killed = 3
	before := openStores(t, dbm.NewMemDB(), 1<<20, nil)
	for n := range killed {
		before.write(n)
		require.Equal(t, hashes[n], before.commit())
	}
	for saved := range 1 << len(before.keys) {
		t.Run(fmt.Sprintf("saved=%b", saved), func(t *testing.T) {
			dying := openStores(t, copyDB(t, before.db), 1<<20, nil)
			require.Equal(t, hashes[killed], dying.write(killed))
			for i, key := range dying.keys {
				if saved>>i&1 == 0 {
					continue
				}
				if s := dying.records.stores[key.Name()]; s != nil {
					s.commit()
				} else {
					commitOne(t, dying, key)
				}
			}
			for _, bytes := range []int{-1, 0, 1 << 20} {
				again := openStores(t, copyDB(t, dying.db), bytes, nil)
				require.EqualValues(t, killed, again.LastCommitID().Version)
				for n := killed; n < len(hashes); n++ {
					require.Equal(t, hashes[n], again.write(n))
					require.Equal(t, hashes[n], again.commit())
				}
			}
		})
	}
}

// Killed in its very first commit, a node finds stores that have a version although no commit is known. What the SDK makes of
// that it must make of it with records, too.
func TestKilledInTheFirstCommit(t *testing.T) {
	for saved := range 1 << len(openStores(t, dbm.NewMemDB(), -1, nil).keys) {
		dying := openStores(t, dbm.NewMemDB(), -1, nil)
		dying.write(0)
		for i, key := range dying.keys {
			if saved>>i&1 == 1 {
				commitOne(t, dying, key)
			}
		}
		var outcomes []string
		for _, bytes := range []int{-1, 1 << 20} {
			again := openStores(t, copyDB(t, dying.db), bytes, nil)
			var outcome []string
			for n := range 3 {
				outcome = append(outcome, fmt.Sprintf("%x %x", again.write(n), again.Commit().Hash))
			}
			outcomes = append(outcomes, strings.Join(outcome, " "))
		}
		require.Equal(t, outcomes[0], outcomes[1], "saved %b", saved)
	}
}

// A store that an upgrade adds has no version when the others have many. It is not committed for them.
func TestRecordsOfAStoreThatAnUpgradeAdds(t *testing.T) {
	plain, cached := openStores(t, dbm.NewMemDB(), -1, nil, "b"), openStores(t, dbm.NewMemDB(), 1<<20, nil, "b")
	for n := range 3 {
		require.Equal(t, plain.write(n), cached.write(n))
		require.Equal(t, plain.commit(), cached.commit())
	}
	upgrades := &storetypes.StoreUpgrades{Added: []string{"b"}}
	plain, cached = openStores(t, plain.db, -1, upgrades), openStores(t, cached.db, 1<<20, upgrades)
	for n := range 3 {
		require.Equal(t, plain.write(n), cached.write(n))
		require.Equal(t, plain.commit(), cached.commit())
	}
}

var errDisk = errors.New("disk")

// faultyTree panics, as IAVL does, when it is to save a version or to delete a record.
type faultyTree struct {
	storetypes.CommitKVStore
	broken bool
}

func (f *faultyTree) Commit() storetypes.CommitID {
	if f.broken {
		panic(errDisk)
	}
	return f.CommitKVStore.Commit()
}

func (f *faultyTree) Delete(key []byte) {
	if f.broken {
		panic(errDisk)
	}
	f.CommitKVStore.Delete(key)
}

// A fault of one tree panics where the SDK asked, whichever store it asked; the other trees have ended what they did; and no change
// is lost that a later attempt would miss.
func TestAFaultOfATree(t *testing.T) {
	records := NewRecords(nil, 1<<20, recordNames...)
	trees, kvs := make([]*faultyTree, 3), make([]storetypes.CommitKVStore, 3)
	for i := range trees {
		trees[i] = &faultyTree{CommitKVStore: newTree(t)}
		kvs[i] = records.GetStoreCache(storetypes.NewKVStoreKey(recordNames[i]), trees[i])
		kvs[i].Set([]byte("key"), []byte("value"))
		kvs[i].Commit()
	}
	want := newTree(t)
	want.Set([]byte("key"), []byte("value"))
	want.Commit()

	trees[1].broken = true
	for _, kv := range kvs {
		kv.Set([]byte("first"), []byte("value"))
		kv.Delete([]byte("key"))
		kv.Set([]byte("last"), []byte("value"))
	}
	for range 2 {
		require.PanicsWithValue(t, errDisk, func() { kvs[0].WorkingHash() })
		require.Nil(t, kvs[1].Get([]byte("key")))
		require.Equal(t, "value", string(kvs[1].Get([]byte("first"))))
		require.Equal(t, "value", string(kvs[1].Get([]byte("last"))))
	}
	trees[1].broken = false
	want.Set([]byte("first"), []byte("value"))
	want.Delete([]byte("key"))
	want.Set([]byte("last"), []byte("value"))
	for _, kv := range kvs {
		require.Equal(t, want.WorkingHash(), kv.WorkingHash())
	}

	trees[2].broken = true
	last := kvs[0].LastCommitID()
	require.PanicsWithValue(t, errDisk, func() { kvs[0].Commit() })
	require.Equal(t, last, kvs[0].LastCommitID(), "nobody was told of the new version")
	trees[2].broken = false
	id := want.Commit()
	for _, kv := range kvs {
		require.Equal(t, id, kv.Commit())
		require.Equal(t, id, kv.LastCommitID())
	}
}

// Between the commits of two stores no store changes. Whoever does that in spite of it is stopped.
func TestAChangeDuringTheCommits(t *testing.T) {
	s := openStores(t, dbm.NewMemDB(), 1<<20, nil)
	s.write(0)
	s.commit()
	s.write(1)
	s.records.stores["a"].Commit()
	require.PanicsWithValue(t, errLateChange, func() { s.records.stores["b"].Set([]byte("key"), []byte("value")) })
}

// What waits is bounded: a genesis state is written in parts.
func TestWhatWaitsIsBounded(t *testing.T) {
	records := NewRecords(nil, 1<<20, recordNames...)
	cached, plain := records.GetStoreCache(storetypes.NewKVStoreKey("a"), newTree(t)), newTree(t)
	for i := range maxChanges + 10 {
		key := fmt.Appendf(nil, "%d", i%8)
		cached.Set(key, key)
		plain.Set(key, key)
	}
	require.Len(t, records.stores["a"].changes, 10)
	large := make([]byte, maxChangeBytes/2)
	for i := range 3 {
		cached.Set([]byte{byte(i), 1}, large)
		plain.Set([]byte{byte(i), 1}, large)
	}
	require.Len(t, records.stores["a"].changes, 1)
	require.Equal(t, plain.WorkingHash(), cached.WorkingHash())
	require.Empty(t, records.stores["a"].changes)
}

// Reads of other goroutines run while a block is written, hashed and committed: simulations read the newest state. They find a
// value that was there at some time, and leave nothing behind that the next block would take for newer.
func TestReadsDuringBlocks(t *testing.T) {
	const blocks = 60
	plain, cached := openStores(t, dbm.NewMemDB(), -1, nil), openStores(t, dbm.NewMemDB(), 1<<16, nil)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for reader := range 4 {
		wg.Go(func() {
			for i := reader; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				for _, key := range cached.keys[len(plainNames):] {
					cached.CacheMultiStore().GetKVStore(key).Get(fmt.Appendf(nil, "key-%d", i%60))
				}
			}
		})
	}
	for n := range blocks {
		require.Equal(t, plain.write(n), cached.write(n))
		require.Equal(t, plain.commit(), cached.commit())
	}
	close(done)
	wg.Wait()
	for i, key := range plain.keys {
		require.Equal(t, contents(t, plain.GetKVStore(key)), contents(t, cached.GetKVStore(cached.keys[i])))
	}
}
