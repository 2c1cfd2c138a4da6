package statedb

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/vfs"
	"github.com/stretchr/testify/require"
)

// openPaced opens a database whose pauses are sent to a channel, and end when something is received from the other.
func openPaced(t *testing.T) (db *pebble.DB, p *pace, pauses chan time.Duration, ends chan struct{}) {
	t.Helper()
	p = newPace()
	pauses, ends = make(chan time.Duration), make(chan struct{})
	p.work = 0
	p.sleep = func(d time.Duration) { pauses <- d; <-ends }
	db, err := pebble.Open("db", &pebble.Options{FS: pacedFS{vfs.NewMem(), p}, Logger: quiet{pebble.DefaultLogger}})
	require.NoError(t, err)
	return db, p, pauses, ends
}

func fill(t *testing.T, db *pebble.DB, values int) []byte {
	t.Helper()
	value := make([]byte, 1<<10)
	for i := range values {
		_, err := rand.Read(value)
		require.NoError(t, err)
		require.NoError(t, db.Set(fmt.Appendf(nil, "key %04d", i), value, pebble.NoSync))
	}
	return value
}

// A table is written with pauses between its pieces, none of them long, and everything is in it.
func TestTablesAreWrittenWithPauses(t *testing.T) {
	db, p, pauses, ends := openPaced(t)
	p.begin(db)
	p.looked = time.Now().Add(time.Hour) // the first write buffers are small: it would seem to fall behind
	last := fill(t, db, 1_000)
	flushed, err := db.AsyncFlush()
	require.NoError(t, err)
	n := 0
	for done := false; !done; {
		select {
		case d := <-pauses:
			require.LessOrEqual(t, d, longestPause)
			n++
			ends <- struct{}{}
		case <-flushed:
			done = true
		}
	}
	require.Greater(t, n, 3, "a megabyte in pieces")
	got, closer, err := db.Get([]byte("key 0999"))
	require.NoError(t, err)
	require.Equal(t, last, got)
	require.NoError(t, closer.Close())
	require.NoError(t, db.Close())
}

// A database that is being opened, and one that falls behind, is written to without pauses: nobody receives any here.
func TestNoPausesInAHurry(t *testing.T) {
	for _, c := range []struct {
		name  string
		hurry func(p *pace, db *pebble.DB)
	}{
		{"not open yet", func(*pace, *pebble.DB) {}},
		{"behind", func(p *pace, db *pebble.DB) {
			p.begin(db)
			p.behind, p.looked = true, time.Now().Add(time.Hour)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, p, _, _ := openPaced(t)
			c.hurry(p, db)
			fill(t, db, 1_000)
			require.NoError(t, db.Flush())
			require.NoError(t, db.Close())
		})
	}
}

// The end of the pace ends the pause that is under way, and those that would follow.
func TestNoPausesAtTheEnd(t *testing.T) {
	p := newPace()
	rested := make(chan struct{})
	go func() {
		p.rest(time.Hour)
		close(rested)
	}()
	p.end()
	p.end()
	<-rested
	p.rest(time.Hour)
}

func TestFallsBehind(t *testing.T) {
	for _, c := range []struct {
		sublevels int32
		buffers   int64
		behind    bool
	}{
		{0, 1, false},
		{hurrySublevels - 1, mostBuffers, false},
		{hurrySublevels, 1, true},
		{0, mostBuffers + 1, true},
	} {
		m := &pebble.Metrics{}
		m.Levels[0].Sublevels, m.MemTable.Count = c.sublevels, c.buffers
		require.Equal(t, c.behind, fallsBehind(m), "%+v", c)
	}
}

// A node's database is opened with the pace, which its closing ends.
func TestOpenPaces(t *testing.T) {
	opened, err := Open("application", t.TempDir(), "pebbledb")
	require.NoError(t, err)
	db := opened.(*DB)
	require.Same(t, db.db, db.pace.db)
	require.NoError(t, db.Close())
	<-db.pace.closed
}
