package statedb_test

import (
	"fmt"
	"testing"

	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/app/statedb"
)

func open(t *testing.T, dir string) dbm.DB {
	t.Helper()
	db, err := statedb.Open("application", dir, dbm.PebbleDBBackend)
	require.NoError(t, err)
	return db
}

// What one backend writes the other reads, whichever comes first.
func TestSameFilesAsCosmosDB(t *testing.T) {
	dir := t.TempDir()
	ours := open(t, dir)
	for i := range 1_000 {
		require.NoError(t, ours.Set(fmt.Appendf(nil, "key %04d", i), fmt.Appendf(nil, "value %d", i)))
	}
	require.NoError(t, ours.SetSync([]byte("empty"), []byte{}))
	require.NoError(t, ours.Close())
	theirs, err := dbm.NewDB("application", dbm.PebbleDBBackend, dir)
	require.NoError(t, err)
	value, err := theirs.Get([]byte("key 0999"))
	require.NoError(t, err)
	require.Equal(t, "value 999", string(value))
	require.NoError(t, theirs.SetSync([]byte("theirs"), []byte("too")))
	require.NoError(t, theirs.Close())
	ours = open(t, dir)
	defer func() { require.NoError(t, ours.Close()) }()
	value, err = ours.Get([]byte("theirs"))
	require.NoError(t, err)
	require.Equal(t, "too", string(value))
	value, err = ours.Get([]byte("empty"))
	require.NoError(t, err)
	require.NotNil(t, value)
	require.Empty(t, value)
}

// The database does what cosmos-db says of databases, as its own backends do it.
func TestBehavesLikeCosmosDB(t *testing.T) {
	ours := open(t, t.TempDir())
	theirs, err := dbm.NewDB("application", dbm.PebbleDBBackend, t.TempDir())
	require.NoError(t, err)
	var answers [2][]string
	for i, db := range []dbm.DB{ours, theirs} {
		say := func(what string, args ...any) { answers[i] = append(answers[i], fmt.Sprintf(what, args...)) }
		refused := func(what string, err error) { say("%s refused: %t", what, err != nil) }
		for n := range 20 {
			require.NoError(t, db.Set([]byte{byte(n), 1}, []byte{byte(n)}))
		}
		require.NoError(t, db.Delete([]byte{3, 1}))
		require.NoError(t, db.DeleteSync([]byte{4, 1}))
		require.NoError(t, db.Delete([]byte("unknown")))
		refused("empty key", db.Set(nil, []byte{1}))
		refused("nil value", db.Set([]byte{1}, nil))
		refused("deleting nothing", db.DeleteSync(nil))
		_, err := db.Get(nil)
		refused("getting nothing", err)
		_, err = db.Iterator([]byte{}, nil)
		refused("empty bound", err)
		has, err := db.Has([]byte{5, 1})
		require.NoError(t, err)
		say("has %t", has)
		value, err := db.Get([]byte{3, 1})
		require.NoError(t, err)
		say("deleted is nil: %t", value == nil)

		batch := db.NewBatchWithSize(100)
		refused("empty key in a batch", batch.Set(nil, []byte{1}))
		refused("nil value in a batch", batch.Set([]byte{1}, nil))
		refused("deleting nothing in a batch", batch.Delete(nil))
		require.NoError(t, batch.Set([]byte{30, 1}, []byte{30}))
		require.NoError(t, batch.Delete([]byte{6, 1}))
		size, err := batch.GetByteSize()
		require.NoError(t, err)
		say("size %d", size)
		require.NoError(t, batch.WriteSync())
		refused("writing twice", batch.Write())
		refused("setting when written", batch.Set([]byte{1}, []byte{1}))
		_, err = batch.GetByteSize()
		refused("size when written", err)
		require.NoError(t, batch.Close())

		for _, bounds := range [][2][]byte{{nil, nil}, {{2}, {9}}, {{9}, nil}, {nil, {2}}, {{5}, {5}}} {
			for _, reverse := range []bool{false, true} {
				iterate := db.Iterator
				if reverse {
					iterate = db.ReverseIterator
				}
				it, err := iterate(bounds[0], bounds[1])
				require.NoError(t, err)
				start, end := it.Domain()
				say("from %x to %x", start, end)
				for ; it.Valid(); it.Next() {
					say("%x %x", it.Key(), it.Value())
				}
				require.NoError(t, it.Error())
				require.Panics(t, it.Next)
				require.NoError(t, it.Close())
			}
		}
		require.NoError(t, db.Close())
	}
	require.Equal(t, answers[1], answers[0])
}

// Another backend is cosmos-db's own.
func TestOtherBackends(t *testing.T) {
	db, err := statedb.Open("application", t.TempDir(), dbm.GoLevelDBBackend)
	require.NoError(t, err)
	require.NoError(t, db.Set([]byte{1}, []byte{2}))
	require.NoError(t, db.Close())
	_, err = statedb.Open("application", "/dev/null", dbm.PebbleDBBackend)
	require.Error(t, err)
}
