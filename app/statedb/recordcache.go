package statedb

import (
	"bytes"
	"encoding/binary"
	"sync"
)

const (
	// recordShards are locked one by one, so that transactions that run at the same time rarely wait for each other.
	recordShards = 256
	// maxChunkBytes is the size of the pieces in which records are kept and given up.
	maxChunkBytes = 64 << 10
	// headerBytes stand before each record in a chunk: hash(8) | store(4) | length of the key(4) | length of the value(4).
	headerBytes = 20
	// indexBytes is what the index takes for a record.
	indexBytes = 40
	// usedBit in a place says that the record was read since it was put there.
	usedBit = 1 << 31
)

// recordCache keeps records of several stores in memory. It holds no pointer for a record, only for each chunk of them: what the collector
// would have to follow in millions of records took more time than the records saved.
//
// Records are appended to the newest chunk, and the oldest chunk is given up when there are too many. Those in it that were read
// since they were put there move to the newest one, so that what is used stays. Bytes in a chunk are never written
// twice: a value that somebody still holds stays what it was.
type recordCache struct{ shards [recordShards]recordShard }

func newRecordCache(bytes int) *recordCache {
	c := &recordCache{}
	for i := range c.shards {
		c.shards[i] = recordShard{most: bytes / recordShards, index: make(map[uint64]place)}
	}
	return c
}

// shard of a record by its hash.
func (c *recordCache) shard(hash uint64) *recordShard { return &c.shards[hash%recordShards] }

// recordShard is a part of the cache with its own lock, which the callers of its methods hold.
type recordShard struct {
	sync.Mutex
	most int // bytes
	held int // bytes of the chunks

	index  map[uint64]place
	chunks [][]byte // oldest first
	oldest uint32   // number of the first chunk
}

// place is the number of a chunk and where the record begins in it, with the used bit.
type place struct{ chunk, at uint32 }

// get returns the value of a key in a store, if it is there.
func (s *recordShard) get(hash uint64, store uint32, key []byte) ([]byte, bool) {
	p, ok := s.index[hash]
	if !ok {
		return nil, false
	}
	_, owner, own, value := record(s.chunks[p.chunk-s.oldest], int(p.at&^usedBit))
	if owner != store || !bytes.Equal(own, key) {
		return nil, false // another one with the same hash
	}
	if p.at&usedBit == 0 {
		s.index[hash] = place{p.chunk, p.at | usedBit}
	}
	return value, true
}

// put keeps a copy of a record in the place of what there was. One that is too large is not kept.
func (s *recordShard) put(hash uint64, store uint32, key, value []byte) {
	if headerBytes+len(key)+len(value)+indexBytes > s.most/2 {
		s.remove(hash)
		return
	}
	_, again := s.index[hash]
	s.add(hash, store, key, value, again)
	for len(s.chunks) > 1 && s.held+len(s.index)*indexBytes > s.most {
		s.dropOldest()
	}
}

// remove forgets a record.
func (s *recordShard) remove(hash uint64) { delete(s.index, hash) }

func (s *recordShard) add(hash uint64, store uint32, key, value []byte, used bool) {
	size := headerBytes + len(key) + len(value)
	if n := len(s.chunks); n == 0 || cap(s.chunks[n-1])-len(s.chunks[n-1]) < size {
		chunk := make([]byte, 0, max(size, min(maxChunkBytes, s.most/8)))
		s.chunks = append(s.chunks, chunk)
		s.held += cap(chunk)
	}
	newest := len(s.chunks) - 1
	chunk := s.chunks[newest]
	p := place{s.oldest + uint32(newest), uint32(len(chunk))}
	if used {
		p.at |= usedBit
	}
	chunk = binary.LittleEndian.AppendUint64(chunk, hash)
	chunk = binary.LittleEndian.AppendUint32(chunk, store)
	chunk = binary.LittleEndian.AppendUint32(chunk, uint32(len(key)))
	chunk = binary.LittleEndian.AppendUint32(chunk, uint32(len(value)))
	chunk = append(chunk, key...)
	s.chunks[newest] = append(chunk, value...)
	s.index[hash] = p
}

// dropOldest gives up the oldest chunk. What was used in it gets a second turn in the newest.
func (s *recordShard) dropOldest() {
	chunk, number := s.chunks[0], s.oldest
	s.chunks[0] = nil
	s.chunks = s.chunks[1:]
	s.oldest++
	s.held -= cap(chunk)
	for at := 0; at < len(chunk); {
		hash, store, key, value := record(chunk, at)
		if p, ok := s.index[hash]; ok && p.chunk == number && p.at&^usedBit == uint32(at) {
			if p.at&usedBit != 0 {
				s.add(hash, store, key, value, false)
			} else {
				delete(s.index, hash)
			}
		}
		at += headerBytes + len(key) + len(value)
	}
}

// record splits the record that begins at a place of a chunk. The value has no room behind it: nobody can append to it.
func record(chunk []byte, at int) (hash uint64, store uint32, key, value []byte) {
	b := chunk[at:]
	keyEnd := headerBytes + int(binary.LittleEndian.Uint32(b[12:]))
	valueEnd := keyEnd + int(binary.LittleEndian.Uint32(b[16:]))
	return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint32(b[8:]), b[headerBytes:keyEnd], b[keyEnd:valueEnd:valueEnd]
}
