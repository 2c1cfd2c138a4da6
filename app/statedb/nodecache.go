package statedb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/VictoriaMetrics/fastcache"
	"github.com/cockroachdb/pebble"
)

// NodeBytes is how much memory a running node gives to encoded nodes of its state trees, of all trees together: those of a million
// accounts in pages and of the lanes that a million clients opened in an epoch.
const NodeBytes = 768 << 20

const (
	// storePrefix begins the keys of a state tree: "s/k:" name "/".
	storePrefix = "s/k:"
	// nodeKeyBytes is the length of a node's key in its tree: 's' | version(8) | number(4).
	nodeKeyBytes = 13
	// firstPlainNode is the number of the first node of a version that is not its root. Roots are left alone: one that is missing
	// says that a version was pruned.
	firstPlainNode = 2
	// aheadNodes are read together when the nodes of a version are asked for one after the other.
	aheadNodes = 64
	// queuedBatches of a commit wait to be put into the cache, about 100 KiB each.
	queuedBatches = 64
	// maxNodeBytes is the longest node that the cache takes, key included, with room for its own header.
	maxNodeBytes = 63 << 10
)

// nodeCache keeps encoded nodes of state trees in memory that the garbage collector never looks at. IAVL has a cache of decoded
// nodes of its own, but one that holds the nodes of a state of millions is millions of small objects: to mark them took more time than to
// decode those nodes again that are needed, and made single blocks last for seconds.
//
// A node never changes under its key. Only a rollback to an older version writes other nodes under keys that were there; what is
// deleted or written is therefore replaced here too, under a lock that keeps out whoever has read the database before.
//
// A commit of the trees writes new nodes only, which nobody asks for before the next block: they are put into the cache while that one begins.
//
// A block numbers the nodes that it writes in the order of the tree. Whoever goes through records that were written together, as pruning
// does, asks for them in that order, and is given those that come next with the same read.
type nodeCache struct {
	nodes *fastcache.Cache
	db    *pebble.DB
	// writing is held for a write that deletes, and for reading by whoever puts something into the cache. A node that is written
	// over another one is written after that one was deleted, so that writes need not wait for each other.
	writing sync.RWMutex

	// commits of trees are under way. What they write waits in the queue to be put into the cache.
	commits atomic.Int32
	queue   chan written
	waiting sync.WaitGroup // for what is in the queue
	filler  sync.WaitGroup

	seed    maphash.Seed
	missing sync.Mutex
	// missed are the nodes that were read last from the database, by their tree and version.
	missed [256]miss
}

// miss is a node that was not in the cache.
type miss struct {
	version uint64 // hash of the tree and version
	number  uint32
}

// written are the records of a batch that the database has.
type written struct {
	records pebble.BatchReader
	batch   *pebble.Batch
}

func newNodeCache(db *pebble.DB, bytes int) *nodeCache {
	c := &nodeCache{nodes: fastcache.New(bytes), db: db, seed: maphash.MakeSeed(), queue: make(chan written, queuedBatches)}
	c.filler.Go(func() {
		for w := range c.queue {
			if err := errors.Join(c.fill(w.records), w.batch.Close()); err != nil {
				c.nodes.Reset() // the database has what the cache may lack or have wrong
			}
			c.waiting.Done()
		}
	})
	return c
}

// isNode reports whether a key is that of a node of a state tree other than a root.
func isNode(key []byte) bool {
	rest, ok := bytes.CutPrefix(key, []byte(storePrefix))
	if !ok || len(rest) < nodeKeyBytes+1 {
		return false
	}
	name, own := rest[:len(rest)-nodeKeyBytes], rest[len(rest)-nodeKeyBytes:]
	return bytes.IndexByte(name, '/') == len(name)-1 && own[0] == 's' && binary.BigEndian.Uint32(own[nodeKeyBytes-4:]) >= firstPlainNode
}

// get returns a copy of the node of a key, from the database if it is not in memory, nil if there is none.
func (c *nodeCache) get(key []byte) ([]byte, error) {
	if value, ok := c.nodes.HasGet(nil, key); ok {
		if value == nil {
			value = []byte{} // empty is not missing
		}
		return value, nil
	}
	c.writing.RLock()
	defer c.writing.RUnlock()
	if c.follows(key) {
		return c.readAhead(key)
	}
	value, err := read(c.db, key)
	if err == nil && value != nil {
		c.set(key, value)
	}
	return value, err
}

// follows reports whether a node comes soon after the one that was missed before it in the same version of its tree.
func (c *nodeCache) follows(key []byte) bool {
	version, number := key[:len(key)-4], binary.BigEndian.Uint32(key[len(key)-4:])
	now := miss{maphash.Bytes(c.seed, version), number}
	c.missing.Lock()
	defer c.missing.Unlock()
	place := &c.missed[now.version%uint64(len(c.missed))]
	before := *place
	*place = now
	return before.version == now.version && before.number < number && number-before.number <= 2*aheadNodes
}

// readAhead returns the node of a key and puts it into the cache with those that come behind it.
func (c *nodeCache) readAhead(key []byte) (value []byte, err error) {
	end := slices.Clone(key)
	number := end[len(end)-4:]
	binary.BigEndian.PutUint32(number, min(binary.BigEndian.Uint32(number), math.MaxUint32-aheadNodes)+aheadNodes)
	iter, err := c.db.NewIter(&pebble.IterOptions{LowerBound: key, UpperBound: end})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for iter.First(); iter.Valid(); iter.Next() {
		c.set(iter.Key(), iter.Value())
		if value == nil && bytes.Equal(iter.Key(), key) {
			value = copied(iter.Value())
		}
	}
	return value, iter.Error()
}

// write writes a batch to the database, has the cache know its records, and closes it. If that fails nobody can say what the database
// has, and the cache begins anew.
func (c *nodeCache) write(b *pebble.Batch, deletes bool, o *pebble.WriteOptions) (err error) {
	if deletes {
		c.writing.Lock()
		defer c.writing.Unlock()
		c.waiting.Wait()
	} else {
		c.writing.RLock()
		defer c.writing.RUnlock()
	}
	records := b.Reader() // a large batch gives them away when it is committed
	later := !deletes && c.commits.Load() > 0
	if !later {
		err = c.fill(records)
	}
	if err = errors.Join(err, b.Commit(o)); err != nil {
		c.nodes.Reset()
		return errors.Join(err, b.Close())
	}
	if later {
		c.waiting.Add(1)
		c.queue <- written{records, b}
		return nil
	}
	return b.Close()
}

// fill puts the nodes among records into the cache, and takes those out that are deleted.
func (c *nodeCache) fill(records pebble.BatchReader) error {
	for {
		kind, key, value, ok, err := records.Next()
		switch {
		case err != nil || !ok:
			return err
		case !isNode(key):
		case kind == pebble.InternalKeyKindSet:
			c.set(key, value)
		default:
			c.nodes.Del(key)
		}
	}
}

func (c *nodeCache) set(key, value []byte) {
	if len(key)+len(value) > maxNodeBytes {
		c.nodes.Del(key)
		return
	}
	c.nodes.Set(key, value)
}

// close ends the goroutine that fills the cache and gives the memory back. Nothing may be written any more.
func (c *nodeCache) close() {
	close(c.queue)
	c.filler.Wait()
	c.nodes.Reset()
}
