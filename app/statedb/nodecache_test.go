package statedb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// nodeKey is the key of a node as IAVL and the SDK make it.
func nodeKey(store string, version uint64, number uint32) []byte {
	key := append([]byte(storePrefix+store+"/"), 's')
	key = binary.BigEndian.AppendUint64(key, version)
	return binary.BigEndian.AppendUint32(key, number)
}

func openPebble(t *testing.T) *DB {
	db, err := Open("application", t.TempDir(), dbm.PebbleDBBackend)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	pebbles, ok := db.(*DB)
	require.True(t, ok)
	return pebbles
}

// cached reports whether a node is in memory.
func (d *DB) cached(key []byte) bool { return d.nodes.nodes.Has(key) }

func TestIsNode(t *testing.T) {
	node := nodeKey("dack", 7, 2)
	for name, key := range map[string][]byte{
		"a root":               nodeKey("dack", 7, 1),
		"a root that was kept": nodeKey("dack", 7, 0),
		"a fast node":          bytes.Replace(node, []byte("/s"), []byte("/f"), 1),
		"shorter":              node[:len(node)-1],
		"longer":               append(bytes.Clone(node), 0),
		"no name":              append([]byte(storePrefix), node[len(node)-nodeKeyBytes:]...),
		"another slash":        nodeKey("da/ck", 7, 2),
		"commit info":          []byte("s/7"),
		"latest version":       []byte("s/latest"),
		"nothing":              nil,
	} {
		require.False(t, isNode(key), name)
	}
	require.True(t, isNode(node))
	require.True(t, isNode(nodeKey("a", 1<<63, 1<<31)))
}

// TestNodesAreKept: what was written or read is in memory, what was deleted or is missing is not, and roots never are.
func TestNodesAreKept(t *testing.T) {
	db := openPebble(t)
	node, root, other := nodeKey("dack", 7, 2), nodeKey("dack", 7, 1), nodeKey("dack", 7, 3)
	for _, key := range [][]byte{node, root} {
		require.NoError(t, db.Set(key, []byte("value")))
	}
	require.True(t, db.cached(node))
	require.False(t, db.cached(root))

	db.nodes.nodes.Reset()
	value, err := db.Get(node)
	require.NoError(t, err)
	require.Equal(t, []byte("value"), value)
	require.True(t, db.cached(node))
	value[0] = 'V' // what is given out is the caller's
	value, err = db.Get(node)
	require.NoError(t, err)
	require.Equal(t, []byte("value"), value)

	value, err = db.Get(other)
	require.NoError(t, err)
	require.Nil(t, value)
	require.False(t, db.cached(other))
	require.NoError(t, db.Delete(node))
	require.False(t, db.cached(node))
	value, err = db.Get(node)
	require.NoError(t, err)
	require.Nil(t, value)

	// Too large for the cache: the database has it.
	large := bytes.Repeat([]byte("x"), maxNodeBytes)
	require.NoError(t, db.Set(node, []byte("small")))
	require.NoError(t, db.Set(node, large))
	require.False(t, db.cached(node))
	value, err = db.Get(node)
	require.NoError(t, err)
	require.Equal(t, large, value)
	require.NoError(t, db.Set(node, []byte{}))
	value, err = db.Get(node)
	require.NoError(t, err)
	require.NotNil(t, value, "empty is not missing")
}

// TestReadAhead: whoever reads the nodes of a version in their order is given those that come next. Another version and another
// tree are not read.
func TestReadAhead(t *testing.T) {
	db := openPebble(t)
	batch := db.NewBatch()
	for number := uint32(firstPlainNode); number < 500; number++ {
		for _, version := range []uint64{7, 8} {
			require.NoError(t, batch.Set(nodeKey("dack", version, number), fmt.Append(nil, version, number)))
		}
	}
	require.NoError(t, batch.Write())
	db.nodes.nodes.Reset()
	get := func(number uint32) {
		value, err := db.Get(nodeKey("dack", 7, number))
		require.NoError(t, err)
		require.Equal(t, fmt.Append(nil, 7, number), value)
	}
	get(300)
	require.False(t, db.cached(nodeKey("dack", 7, 301)), "one node says nothing")
	get(2)
	require.False(t, db.cached(nodeKey("dack", 7, 3)), "this was a step back")
	get(5)
	for number := uint32(5); number < 5+aheadNodes; number++ {
		require.True(t, db.cached(nodeKey("dack", 7, number)), "%d", number)
		require.False(t, db.cached(nodeKey("dack", 8, number)), "%d", number)
	}
	require.False(t, db.cached(nodeKey("dack", 7, 5+aheadNodes)))
	get(5 + aheadNodes + 3)
	require.True(t, db.cached(nodeKey("dack", 7, 5+aheadNodes+4)))
	get(499)
	missing, err := db.Get(nodeKey("dack", 7, 500))
	require.NoError(t, err)
	require.Nil(t, missing)
	missing, err = db.Get(nodeKey("dack", 7, ^uint32(0)))
	require.NoError(t, err)
	require.Nil(t, missing)
}

// TestNodesAgreeWithTheDatabase: whatever is written, deleted and read in whatever batches, reads say what a map says.
func TestNodesAgreeWithTheDatabase(t *testing.T) {
	db := openPebble(t)
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++ // each in trees of its own
		want, newest := make(map[string]string), uint64(2)
		key := func() []byte {
			store := fmt.Sprint(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "store"), runs)
			return nodeKey(store, rapid.Uint64Range(1, newest).Draw(t, "version"), rapid.Uint32Range(0, 20).Draw(t, "number"))
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				batch := db.NewBatch()
				for range rapid.IntRange(1, 10).Draw(t, "changes") {
					if k := key(); rapid.Bool().Draw(t, "delete") {
						require.NoError(t, batch.Delete(k))
						delete(want, string(k))
					} else {
						value := rapid.StringN(0, 5, -1).Draw(t, "value")
						require.NoError(t, batch.Set(k, []byte(value)))
						want[string(k)] = value
					}
				}
				require.NoError(t, batch.WriteSync())
			},
			"commit": func(t *rapid.T) { // new nodes, which are put into the cache later
				db.nodes.commits.Add(1)
				defer db.nodes.commits.Add(-1)
				newest++
				for store := range 2 {
					batch := db.NewBatch()
					for number := range rapid.Uint32Range(0, 20).Draw(t, "nodes") {
						k := nodeKey(fmt.Sprint([]string{"a", "b"}[store], runs), newest, number)
						require.NoError(t, batch.Set(k, fmt.Append(nil, number)))
						want[string(k)] = fmt.Sprint(number)
					}
					require.NoError(t, batch.Write())
				}
			},
			"forget": func(*rapid.T) { db.nodes.nodes.Reset() },
			"drop a batch": func(t *rapid.T) {
				batch := db.NewBatch()
				require.NoError(t, batch.Set(key(), []byte("never")))
				require.NoError(t, batch.Close())
			},
			"": func(t *rapid.T) {
				k := key()
				value, err := db.Get(k)
				require.NoError(t, err)
				expected, ok := want[string(k)]
				require.Equal(t, ok, value != nil)
				require.Equal(t, expected, string(value))
			},
		})
	})
}

// TestCommitsFillTheCache: what is written while trees are committed is in memory soon, and before anything is deleted.
func TestCommitsFillTheCache(t *testing.T) {
	db := openPebble(t)
	db.nodes.commits.Add(1)
	var keys [][]byte
	for round := range uint32(3 * queuedBatches) {
		batch := db.NewBatch()
		for i := range uint32(10) {
			key := nodeKey("dack", 7, firstPlainNode+10*round+i)
			keys = append(keys, key)
			require.NoError(t, batch.Set(key, []byte("value")))
		}
		require.NoError(t, batch.Write())
		require.NoError(t, batch.Close(), "closing it again does nothing")
	}
	db.nodes.commits.Add(-1)
	require.NoError(t, db.Delete(keys[len(keys)-1]))
	for _, key := range keys[:len(keys)-1] {
		require.True(t, db.cached(key))
	}
	require.False(t, db.cached(keys[len(keys)-1]))
}

// TestDeletedNodesStayAway: a reader that has fetched a node before it was deleted cannot put it back.
func TestDeletedNodesStayAway(t *testing.T) {
	db := openPebble(t)
	key := nodeKey("dack", 7, 2)
	for round := range 200 {
		require.NoError(t, db.Set(key, fmt.Append(nil, round)))
		db.nodes.nodes.Reset()
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				_, err := db.Get(key)
				if err != nil {
					t.Error(err)
				}
			})
		}
		require.NoError(t, db.Delete(key))
		readers.Wait()
		value, err := db.Get(key)
		require.NoError(t, err)
		require.Nil(t, value)
	}
}
