package console

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// errDamaged reports a history that is not what was written.
var errDamaged = errors.New("history is damaged")

const (
	magic = "edgehst1"
	// maxHistoryFile bounds the file, in bytes: four times what is ever written.
	maxHistoryFile = 1 << 20
	// maxSeries bounds the series that a file of another version may have.
	maxSeries   = 64
	historyMode = 0o600
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode returns the form on disk, little-endian:
//
//	magic(8) | series(1) | { length(1) | name } | tiers(1) | { step(4) | points(4) | { at(8) | samples(4) | { mean(8) | max(8) } } } | crc32c(4)
//
// Series have their names, so that a version with others reads what it knows.
func (h *History) Encode() []byte {
	b := append([]byte(magic), byte(seriesCount))
	for _, s := range seriesList {
		b = append(append(b, byte(len(s.Name))), s.Name...)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	b = append(b, byte(len(h.tiers)))
	le := binary.LittleEndian
	for i := range h.tiers {
		points := h.tiers[i].ordered()
		b = le.AppendUint32(b, uint32(h.tiers[i].step/time.Second))
		b = le.AppendUint32(b, uint32(len(points)))
		for _, p := range points {
			b = le.AppendUint64(b, uint64(p.at))
			b = le.AppendUint32(b, p.samples)
			for n := range seriesCount {
				b = le.AppendUint64(b, math.Float64bits(p.mean[n]))
				b = le.AppendUint64(b, math.Float64bits(p.max[n]))
			}
		}
	}
	return le.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// Decode replaces the history by one on disk. It takes the tiers and series that it knows and leaves the others; it returns
// errDamaged, with nothing replaced, if the bytes are not what Encode wrote.
func (h *History) Decode(b []byte) error {
	if len(b) > maxHistoryFile || len(b) < len(magic)+4 || string(b[:len(magic)]) != magic {
		return fmt.Errorf("%w: no history of this form", errDamaged)
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return fmt.Errorf("%w: checksum", errDamaged)
	}
	r := &reader{rest: body[len(magic):]}
	// column[i] is where the file's series i goes; -1 is nowhere.
	var column []int
	for count := int(r.byte()); len(column) < count && r.err == nil; {
		name := string(r.take(int(r.byte())))
		column = append(column, slices.IndexFunc(seriesList, func(s Series) bool { return s.Name == name }))
	}
	if len(column) > maxSeries {
		return fmt.Errorf("%w: %d series", errDamaged, len(column))
	}
	fresh := NewHistory()
	for range int(r.byte()) {
		step, count := r.uint32(), r.uint32()
		var into *tier
		for i := range fresh.tiers {
			if uint32(fresh.tiers[i].step/time.Second) == step {
				into = &fresh.tiers[i]
			}
		}
		for range count {
			p := r.point(column)
			if r.err != nil {
				return r.err
			}
			if into == nil {
				continue
			}
			if last := into.last(); p.samples == 0 || p.at < 0 || p.at%int64(step) != 0 || last != nil && p.at <= last.at {
				return fmt.Errorf("%w: point at %d", errDamaged, p.at)
			}
			into.push(p)
		}
	}
	if r.err != nil {
		return r.err
	}
	if len(r.rest) != 0 {
		return fmt.Errorf("%w: %d bytes too many", errDamaged, len(r.rest))
	}
	h.mu.Lock()
	h.tiers = fresh.tiers
	h.mu.Unlock()
	return nil
}

// reader takes values off bytes; after the first that is missing it gives zeros.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || len(r.rest) < n {
		r.err = fmt.Errorf("%w: cut off", errDamaged)
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte     { return r.take(1)[0] }
func (r *reader) uint32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) uint64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

// value returns a finite number or NaN.
func (r *reader) value() float64 {
	v := math.Float64frombits(r.uint64())
	if math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

func (r *reader) point(column []int) point {
	p := point{at: int64(r.uint64()), samples: r.uint32(), mean: missing(), max: missing()}
	for _, c := range column {
		mean, highest := r.value(), r.value()
		if c >= 0 {
			p.mean[c], p.max[c] = mean, highest
		}
	}
	return p
}

// Load reads a file. One that does not exist leaves the history empty. A damaged one is set aside under the name with .damaged
// behind it, in place of an earlier one, and the error says so: the history begins anew.
func (h *History) Load(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxHistoryFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := h.Decode(b); err != nil {
		return errors.Join(fmt.Errorf("%s is set aside: %w", path, err), os.Rename(path, path+".damaged"))
	}
	return nil
}

// Save writes the file aside, and renames it when it is on disk. Only one may save to a path at a time.
func (h *History) Save(path string) error {
	aside := path + ".tmp"
	if err := writeSynced(aside, h.Encode()); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	if err := os.Rename(aside, path); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, historyMode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
