package statedb

import (
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/vfs"
)

const (
	// paceWork is how long a table is written at a time. It is short beside a block, and long beside what a timer is late.
	paceWork = 4 * time.Millisecond
	// pauses are how many times as long as the work before.
	pauseTimes = 3
	// longestPause bounds a pause after a step that took long for another reason, a slow disk perhaps.
	longestPause = 50 * time.Millisecond
	// paceLook is how often at most it is looked whether the database falls behind.
	paceLook = 100 * time.Millisecond
	// hurrySublevels of the newest tables end all pauses. Pebble stops writes at twice that.
	hurrySublevels = 12
	// mostBuffers, the one in use included, may wait before all pauses end. Pebble stops writes when there are more.
	mostBuffers = 2
)

// pace spreads the background work of a database. Writing out a buffer and merging tables take a core for up to a second, and a
// block that comes meanwhile has one core less. With pauses more blocks lose less each. Rate limiters of databases do that by
// bytes a second; this is by time, so that it fits every machine. There are no pauses when tables come faster than
// they are merged, and when the database is closed.
type pace struct {
	work time.Duration
	// sleep is rest, but in tests.
	sleep func(time.Duration)

	mu     sync.Mutex
	db     *pebble.DB // nil until it is open, and the work of opening it is not paced
	looked time.Time
	behind bool
	closed chan struct{}
	once   sync.Once
}

func newPace() *pace {
	p := &pace{work: paceWork, closed: make(chan struct{})}
	p.sleep = p.rest
	return p
}

// begin paces the work of a database from now on.
func (p *pace) begin(db *pebble.DB) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.db = db
}

// end lets the work that is under way go on without pauses.
func (p *pace) end() { p.once.Do(func() { close(p.closed) }) }

// hurried reports whether the database must not pause now.
func (p *pace) hurried(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.db == nil {
		return true
	}
	if now.Sub(p.looked) >= paceLook {
		p.behind, p.looked = fallsBehind(p.db.Metrics()), now
	}
	return p.behind
}

// fallsBehind reports whether so much waits to be written or merged that writes would soon have to wait for it.
func fallsBehind(m *pebble.Metrics) bool {
	return m.Levels[0].Sublevels >= hurrySublevels || m.MemTable.Count > mostBuffers
}

// pause waits after some work, if the database can wait.
func (p *pace) pause(worked time.Duration, now time.Time) {
	if !p.hurried(now) {
		p.sleep(min(pauseTimes*worked, longestPause))
	}
}

// rest waits until the time has passed or the database is closed.
func (p *pace) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.closed:
	}
}

// pacedFS is a file system on which tables are written with pauses.
type pacedFS struct {
	vfs.FS
	pace *pace
}

// Create implements vfs.FS.
func (f pacedFS) Create(name string) (vfs.File, error) {
	file, err := f.FS.Create(name)
	if err != nil || filepath.Ext(name) != ".sst" {
		return file, err
	}
	return &pacedFile{File: file, pace: f.pace, since: time.Now()}, nil
}

// pacedFile is a table that is being written.
type pacedFile struct {
	vfs.File
	pace *pace
	// since is when the last pause ended.
	since time.Time
}

// Write implements vfs.File. What is written was read, merged and compressed since the last time.
func (f *pacedFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	if now := time.Now(); err == nil && now.Sub(f.since) >= f.pace.work {
		f.pace.pause(now.Sub(f.since), now)
		f.since = time.Now()
	}
	return n, err
}
