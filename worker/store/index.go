package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/edgechain/edge/client/content"
)

const (
	indexFile = "index"
	// indexAside is the index while it is written anew.
	indexAside = "index.new"

	// indexSlack is how long the index may be beyond twice what its objects need before it is written anew, in bytes.
	indexSlack = 4 << 20
	// indexBuffer is how much of it is read or written at a time, in bytes.
	indexBuffer = 1 << 20

	frameSize = 2 + crc32.Size

	// ObjectMemory is what an object takes of memory, in bytes: its record, its place in the lists of the eviction, and its entry
	// while the index is written anew. TestMemoryOfAnObject measures it.
	ObjectMemory = 448
)

var (
	indexMagic = [8]byte{'e', 'd', 'g', 'e', 'i', 'd', 'x', '1'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// errIndex reports an index that does not end as it was written.
var errIndex = errors.New("index is damaged")

// index is the log of what the store knows of its objects: a magic, then frames of
//
//	length u16 || entry || CRC-32C of both u32
//
// of which the last of a name holds. The files are the truth: the log makes it needless to look at each of them when the
// store opens, and remembers pins, holds and the last use. Entries of the same name are appended under the commit lock of
// that name.
type index struct {
	dir  string
	disk disk

	mu   sync.Mutex
	file file
	// end is where the last whole frame ends, in bytes.
	end uint64
	// broken says why nothing can be appended until the index is written anew.
	broken error

	syncing sync.Mutex
	// synced is up to where the file is durable, in bytes; generation counts how often the file was replaced.
	synced     uint64
	generation uint64
}

func (x *index) path() string { return filepath.Join(x.dir, indexFile) }

// appendFrame appends an entry with its length and checksum to b.
func appendFrame(b, entry []byte) []byte {
	from := len(b)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(entry)))
	b = append(b, entry...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], castagnoli))
}

// readIndex calls put for each entry in order and returns where the last whole one ends. It returns errIndex behind the
// whole ones if something else follows.
func readIndex(r io.Reader, put func(content.Name, *record)) (end uint64, err error) {
	in := bufio.NewReaderSize(r, indexBuffer)
	var head [len(indexMagic)]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || head != indexMagic {
		return 0, fmt.Errorf("%w: it does not begin as one", errIndex)
	}
	end = uint64(len(indexMagic))
	var frame [frameSize + maxEntry]byte
	for {
		if _, err := io.ReadFull(in, frame[:2]); errors.Is(err, io.EOF) {
			return end, nil
		} else if err != nil {
			return end, fmt.Errorf("%w at byte %d: %w", errIndex, end, err)
		}
		n := int(binary.LittleEndian.Uint16(frame[:]))
		if n > maxEntry {
			return end, fmt.Errorf("%w at byte %d: an entry of %d bytes", errIndex, end, n)
		}
		if _, err := io.ReadFull(in, frame[2:frameSize+n]); err != nil {
			return end, fmt.Errorf("%w at byte %d: %w", errIndex, end, err)
		}
		if crc32.Checksum(frame[:2+n], castagnoli) != binary.LittleEndian.Uint32(frame[2+n:]) {
			return end, fmt.Errorf("%w at byte %d: wrong checksum", errIndex, end)
		}
		name, rec, err := parseEntry(frame[2 : 2+n])
		if err != nil {
			return end, fmt.Errorf("%w at byte %d: %w", errIndex, end, err)
		}
		put(name, rec)
		end += uint64(frameSize + n)
	}
}

// load reads the index and keeps it open for append. A damaged or missing one returns what could be read with errIndex.
func (x *index) load() (map[content.Name]*record, error) {
	records := map[content.Name]*record{}
	f, err := x.disk.OpenFile(x.path(), os.O_RDWR|os.O_APPEND)
	if errors.Is(err, fs.ErrNotExist) {
		x.broken = fmt.Errorf("%w: %w", errIndex, err)
		return records, x.broken
	}
	if err != nil {
		return nil, err
	}
	x.end, err = readIndex(f, func(name content.Name, r *record) {
		if r == nil {
			delete(records, name)
		} else {
			records[name] = r
		}
	})
	if err != nil {
		x.broken = err
		return records, errors.Join(err, f.Close())
	}
	x.file, x.synced = f, 0
	return records, nil
}

// append writes an entry and, if it must be durable, waits for the disk. What fails is taken back, and the index is written
// anew before anything else is appended to it if that fails, too.
func (x *index) append(entry []byte, durable bool) error {
	b := appendFrame(make([]byte, 0, frameSize+len(entry)), entry)
	x.mu.Lock()
	if x.broken != nil {
		defer x.mu.Unlock()
		return fmt.Errorf("index: %w", x.broken)
	}
	if _, err := x.file.Write(b); err != nil {
		if cut := x.file.Truncate(int64(x.end)); cut != nil {
			x.broken = errors.Join(err, cut)
		}
		x.mu.Unlock()
		return fmt.Errorf("index: %w", err)
	}
	x.end += uint64(len(b))
	end, generation := x.end, x.generation
	x.mu.Unlock()
	if !durable {
		return nil
	}
	return x.sync(end, generation)
}

// sync waits until the index is durable up to a place. Those who wait meanwhile share the next turn.
func (x *index) sync(end, generation uint64) error {
	x.syncing.Lock()
	defer x.syncing.Unlock()
	x.mu.Lock()
	if x.generation != generation || x.synced >= end {
		x.mu.Unlock()
		return nil // a file written anew is durable as a whole
	}
	f, now := x.file, x.end
	x.mu.Unlock()
	if err := f.Sync(); err != nil {
		// What the disk has of the file is not known from here on.
		x.mu.Lock()
		x.broken = err
		x.mu.Unlock()
		return fmt.Errorf("index: %w", err)
	}
	x.mu.Lock()
	x.synced = now
	x.mu.Unlock()
	return nil
}

// rewrite writes the index anew, with what entries appends for each object, and replaces the old one by it. Nothing is
// appended meanwhile.
func (x *index) rewrite(entries func(put func(content.Name, *record))) (err error) {
	x.syncing.Lock()
	defer x.syncing.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	// Collected first: whoever lists the objects holds a lock that must not wait for the disk.
	parts := [][]byte{indexMagic[:]}
	part, entry := make([]byte, 0, indexBuffer), []byte(nil)
	end := uint64(len(indexMagic))
	entries(func(name content.Name, r *record) {
		entry = appendPut(entry[:0], name, r)
		if len(part)+frameSize+len(entry) > cap(part) {
			parts = append(parts, part)
			part = make([]byte, 0, indexBuffer)
		}
		part = appendFrame(part, entry)
		end += uint64(frameSize + len(entry))
	})
	parts = append(parts, part)
	aside := filepath.Join(x.dir, indexAside)
	f, err := x.disk.OpenFile(aside, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	for _, part := range parts {
		if _, err := f.Write(part); err != nil {
			return errors.Join(fmt.Errorf("index: %w", err), f.Close(), x.disk.Remove(aside))
		}
	}
	if err := f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("index: %w", err), f.Close(), x.disk.Remove(aside))
	}
	if err := x.disk.Rename(aside, x.path()); err != nil {
		return errors.Join(fmt.Errorf("index: %w", err), f.Close(), x.disk.Remove(aside))
	}
	if x.file != nil {
		err = x.file.Close()
	}
	x.file, x.end, x.synced, x.broken = f, end, end, nil
	x.generation++
	if failed := x.disk.SyncDir(x.dir); failed != nil {
		x.broken = failed
		return errors.Join(fmt.Errorf("index: %w", failed), err)
	}
	return err
}

// spoil says that the file lacks an entry, so that it is written anew.
func (x *index) spoil(why error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.broken == nil {
		x.broken = why
	}
}

// state returns the length of the index in bytes, and why it cannot be appended to.
func (x *index) state() (uint64, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.end, x.broken
}

func (x *index) close() error {
	x.syncing.Lock()
	defer x.syncing.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.file == nil {
		return nil
	}
	err := errors.Join(x.file.Sync(), x.file.Close())
	x.file, x.broken = nil, ErrClosed
	return err
}
