package lane

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/edgechain/edge/ack"
)

const (
	// MaxFinished bounds the requests of a lane that are kept for an epoch. A lane with more of them goes on, but no receipt
	// that lists them can be written.
	MaxFinished = 1 << 16
	// keptEpochs is for how many epochs the journals of lanes that are not used any more are kept.
	keptEpochs = 7
	// finishedSize of a record: two digests, six integers, a flag, and a checksum.
	finishedSize = 2*32 + 6*8 + 1 + crc32.Size

	journalSuffix = ".journal"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Finished is a finished request, as its receipt commits to it.
type Finished struct {
	Request, Response ack.Digest
	// Bytes of payload and Fuel of the whole request.
	Bytes, Fuel uint64
	// Earlier are those of the bytes that acknowledgements of earlier epochs cover: the request began in one of them.
	Earlier uint64
	// Content is true if the request was for a range of an object, whose name is Response.
	Content        bool
	Offset, Length uint64
}

// Receipt is what enters the receipt chain.
func (f *Finished) Receipt() ack.Digest { return ack.Receipt(f.Request, f.Response, f.Bytes, f.Fuel) }

// finished is a request that has been counted.
type finished struct {
	Finished
	receipt ack.Digest
	// signed are those of its bytes that an acknowledgement covers.
	signed uint64
	// known is false if only the receipt is.
	known bool
}

// appendRecord appends the record of a request.
func (f *finished) appendRecord(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, f.Request[:]...)
	dst = append(dst, f.Response[:]...)
	for _, v := range []uint64{f.Bytes, f.Fuel, f.Earlier, f.signed, f.Offset, f.Length} {
		dst = binary.LittleEndian.AppendUint64(dst, v)
	}
	flag := byte(0)
	if f.Content {
		flag = 1
	}
	dst = append(dst, flag)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// decodeRecord reads a record, and reports whether it is whole.
func decodeRecord(b []byte) (f finished, ok bool) {
	body, sum := b[:finishedSize-crc32.Size], b[finishedSize-crc32.Size:]
	if binary.LittleEndian.Uint32(sum) != crc32.Checksum(body, castagnoli) {
		return f, false
	}
	copy(f.Request[:], body)
	copy(f.Response[:], body[32:])
	for i, v := range []*uint64{&f.Bytes, &f.Fuel, &f.Earlier, &f.signed, &f.Offset, &f.Length} {
		*v = binary.LittleEndian.Uint64(body[64+8*i:])
	}
	f.Content = body[len(body)-1] == 1
	f.receipt, f.known = f.Finished.Receipt(), true
	return f, true
}

// journal keeps the finished requests of a lane in one epoch, in the order of the receipt chain. It is evidence for receipts
// alone: what was verified and signed stands in the state file, and a lane whose journal is damaged goes on without it.
type journal struct {
	path string
	// count of records on disk.
	count uint64
	// broken is true if the journal lacks requests.
	broken bool
}

// append writes records behind those on disk and waits until they are there.
func (j *journal) append(records []finished) (err error) {
	if j.count+uint64(len(records)) > MaxFinished {
		return j.give()
	}
	var b []byte
	for i := range records {
		if !records[i].known {
			return j.give()
		}
		b = records[i].appendRecord(b)
	}
	f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("write lane journal: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = fmt.Errorf("write lane journal: %w", err)
		}
	}()
	at := int64(j.count) * finishedSize
	// What stands behind is of a crash, or of requests that the lane has taken back.
	if err := f.Truncate(at); err != nil {
		return err
	}
	if _, err := f.WriteAt(b, at); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	j.count += uint64(len(records))
	return nil
}

// give gives the journal up.
func (j *journal) give() error {
	j.broken = true
	if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove lane journal: %w", err)
	}
	return nil
}

// readJournal returns the first n requests of a journal, false if it does not hold them or if their receipts do not lead to
// the head.
func readJournal(path string, n uint64, head [ack.HeadSize]byte) ([]finished, bool, error) {
	if n == 0 {
		return nil, head == [ack.HeadSize]byte{}, nil
	}
	if n > MaxFinished {
		return nil, false, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read lane journal: %w", err)
	}
	b := make([]byte, n*finishedSize)
	_, err = io.ReadFull(f, b)
	if err = errors.Join(err, f.Close()); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read lane journal: %w", err)
	}
	list := make([]finished, n)
	var got [ack.HeadSize]byte
	for i := range list {
		var ok bool
		if list[i], ok = decodeRecord(b[i*finishedSize : (i+1)*finishedSize]); !ok {
			return nil, false, nil
		}
		got = ack.NextHead(got, list[i].receipt)
	}
	return list, got == head, nil
}

// writeJournal brings what was counted to the disk.
func (l *Lane) writeJournal() error {
	if l.journal.broken || l.journal.count == l.total.Requests {
		return nil
	}
	fresh := l.total.Requests - l.journal.count
	if l.journal.count > l.total.Requests || fresh > uint64(len(l.unsigned)) {
		return l.journal.give()
	}
	return l.journal.append(l.unsigned[uint64(len(l.unsigned))-fresh:])
}

// journalPath of an epoch.
func (f *file) journalPath(epoch uint64) string { return journalPath(f.base, epoch) }

func journalPath(base string, epoch uint64) string {
	return base + ".epoch-" + strconv.FormatUint(epoch, 10) + journalSuffix
}

// journalEpoch is the epoch of a journal by its file name.
func journalEpoch(name string) (epoch uint64, ok bool) {
	name, ok = strings.CutSuffix(name, journalSuffix)
	if !ok {
		return 0, false
	}
	at := strings.LastIndex(name, ".epoch-")
	if at < 0 {
		return 0, false
	}
	epoch, err := strconv.ParseUint(name[at+len(".epoch-"):], 10, 64)
	return epoch, err == nil
}

// sweep removes the journals of this lane of epochs before oldest, and those of any lane of the key that are long dead.
func (f *file) sweep(oldest uint64) error {
	entries, err := os.ReadDir(filepath.Dir(f.base))
	if err != nil {
		return fmt.Errorf("sweep lane journals: %w", err)
	}
	own := filepath.Base(f.base) + ".epoch-"
	for _, e := range entries {
		epoch, ok := journalEpoch(e.Name())
		if !ok || epoch >= oldest || !strings.HasPrefix(e.Name(), own) && epoch+keptEpochs >= oldest {
			continue
		}
		// Another process may have been faster.
		if err := os.Remove(filepath.Join(filepath.Dir(f.base), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sweep lane journals: %w", err)
		}
	}
	return nil
}
