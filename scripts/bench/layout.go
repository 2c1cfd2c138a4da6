package main

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/store/v2"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"

	"github.com/edgechain/edge/app/statedb"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

const (
	// layoutRecords are accounts, keys and lanes each.
	layoutRecords = 1_000_000
	// layoutBlocks are measured, after as many that warm up.
	layoutBlocks = 40
	// Sizes in bytes of what is stored: a purse with one key and two live epochs, a lane set of one lane, and the rest of an
	// account and of a key.
	purseBytes, laneBytes, accountBytes, keyBytes = 60, 75, 55, 65
	// Prefixes of the store.
	layoutAccounts, layoutKeys, layoutLanes, layoutPages = 1, 2, 3, 4
	// layoutChunk is how many accounts, keys and lanes are written between two commits.
	layoutChunk = 125_000
)

// layoutStore are state trees on pebbledb that hold what settlements read and write, and nothing else.
type layoutStore struct {
	paged  bool
	dir    string
	db     dbm.DB
	cms    storetypes.CommitMultiStore
	keys   map[string]*storetypes.KVStoreKey
	random *rand.Rand
}

// benchLayout measures the part of the state tree alone, without transactions and signatures: the same clients and lanes in our
// layout, in which keys are only read, the purses of neighbouring accounts share a leaf, and these leaves are spread over several
// trees, and in one with a leaf for each lane, account and key, all three of them written. Both have the same caches.
func benchLayout(ctx context.Context) (_ []result, err error) {
	rates := make([][]float64, 2)
	stores := make([]*layoutStore, 2)
	for i := range stores {
		s, err := newLayoutStore(i == 0)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, s.close()) }()
		stores[i] = s
	}
	for round := range 2 * layoutBlocks {
		for i, s := range stores {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			took := s.block(uint64(round))
			if round >= layoutBlocks {
				rates[i] = append(rates[i], scaleMsgs*scalePerMsg/took.Seconds())
			}
		}
	}
	return []result{more("settle/vs_plain_layout", median(rates[0]), "acks/s", median(rates[1]))}, nil
}

func newLayoutStore(paged bool) (*layoutStore, error) {
	dir, err := os.MkdirTemp("", "edge-bench-*")
	if err != nil {
		return nil, err
	}
	db, err := statedb.Open("application", dir, dbm.PebbleDBBackend)
	if err != nil {
		return nil, err
	}
	names := []string{dacktypes.StoreKey}
	if paged {
		names = append(names, dacktypes.PurseStoreKeys()...)
	}
	s := &layoutStore{
		paged: paged, dir: dir, db: db, cms: store.NewCommitMultiStore(db, log.NewNopLogger()),
		keys: storetypes.NewKVStoreKeys(names...), random: rand.New(rand.NewPCG(1, 2)),
	}
	s.cms.SetIAVLCacheSize(statedb.TreeNodes)
	s.cms.SetIAVLDisableFastNode(true)
	s.cms.SetInterBlockCache(statedb.NewRecords(db, statedb.RecordBytes, names...))
	for _, name := range names {
		s.cms.MountStoreWithDB(s.keys[name], storetypes.StoreTypeIAVL, nil)
	}
	if err := s.cms.LoadLatestVersion(); err != nil {
		return nil, err
	}
	kv := s.cms.GetKVStore(s.keys[dacktypes.StoreKey])
	for id := range uint64(layoutRecords) {
		if paged {
			kv.Set(layoutKey(layoutAccounts, id), s.bytes(accountBytes))
			kv.Set(layoutKey(layoutKeys, id), s.bytes(keyBytes))
			if id%dacktypes.PursesPerPage == 0 {
				page := dacktypes.PageOf(id)
				s.cms.GetKVStore(s.pageStore(page)).Set(layoutKey(layoutPages, page), s.bytes(purseBytes*dacktypes.PursesPerPage))
			}
		} else {
			kv.Set(layoutKey(layoutAccounts, id), s.bytes(accountBytes+purseBytes/2))
			kv.Set(layoutKey(layoutKeys, id), s.bytes(keyBytes+purseBytes/2))
		}
		kv.Set(layoutLane(id), s.bytes(laneBytes))
		if (id+1)%layoutChunk == 0 {
			s.cms.Commit()
		}
	}
	s.cms.Commit()
	return s, nil
}

func (s *layoutStore) pageStore(page uint64) *storetypes.KVStoreKey {
	return s.keys[dacktypes.PurseStoreKey(dacktypes.PurseStoreOf(page))]
}

func (s *layoutStore) close() error { return errors.Join(s.db.Close(), os.RemoveAll(s.dir)) }

func layoutKey(prefix byte, ids ...uint64) []byte {
	key := []byte{prefix}
	for _, id := range ids {
		key = binary.BigEndian.AppendUint64(key, id)
	}
	return key
}

// layoutLane is the place of the i-th lane: those of a worker are neighbours, of every hundredth key.
func layoutLane(i uint64) []byte {
	const perWorker = layoutRecords / scaleWorkers
	return layoutKey(layoutLanes, 1, i/perWorker, i%perWorker*scaleWorkers)
}

func (s *layoutStore) bytes(n int) []byte {
	value := make([]byte, n)
	for i := 0; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(value[i:], s.random.Uint64())
	}
	return value
}

// block reads and writes what a block full of settlements does, and commits it.
func (s *layoutStore) block(round uint64) time.Duration {
	type record struct{ key, value []byte }
	var lanes, keys, accounts []record
	pages := make(map[uint64][]byte)
	for m := range uint64(scaleMsgs) {
		turn := round*scaleMsgs + m
		first := turn%scaleWorkers*(layoutRecords/scaleWorkers) + turn/scaleWorkers*scalePerMsg%(layoutRecords/scaleWorkers-scalePerMsg)
		for i := first; i < first+scalePerMsg; i++ {
			lanes = append(lanes, record{layoutLane(i), s.bytes(laneBytes)})
			client := scatter(i, layoutRecords)
			keys = append(keys, record{layoutKey(layoutKeys, client), s.bytes(keyBytes + purseBytes/2)})
			account := scatter(client, layoutRecords)
			accounts = append(accounts, record{layoutKey(layoutAccounts, account), s.bytes(accountBytes + purseBytes/2)})
			pages[dacktypes.PageOf(account)] = s.bytes(purseBytes * dacktypes.PursesPerPage)
		}
	}
	order := make([]uint64, 0, len(pages))
	for page := range pages {
		order = append(order, page)
	}
	slices.Sort(order)

	began := time.Now()
	block := s.cms.CacheMultiStore()
	kv := block.GetKVStore(s.keys[dacktypes.StoreKey])
	write := func(records []record) {
		for _, r := range records {
			kv.Get(r.key)
			kv.Set(r.key, r.value)
		}
	}
	write(lanes)
	if s.paged {
		for _, r := range keys {
			kv.Get(r.key)
		}
		for _, page := range order {
			key, kv := layoutKey(layoutPages, page), block.GetKVStore(s.pageStore(page))
			kv.Get(key)
			kv.Set(key, pages[page])
		}
	} else {
		write(keys)
		write(accounts)
	}
	block.Write()
	s.cms.WorkingHash()
	s.cms.Commit()
	return time.Since(began)
}
