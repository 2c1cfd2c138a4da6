package lane

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gofrs/flock"

	"github.com/edgechain/edge/ack"
)

const (
	stateVersion = 1
	// maxStateSize bounds a state file in bytes: unsigned receipts are its only part that grows.
	maxStateSize = 1 << 20
)

// state is what a lane's file holds.
type state struct {
	Version  int      `json:"version"`
	Epoch    uint64   `json:"epoch"`
	Closed   uint64   `json:"closed_epoch,omitempty"`
	Requests uint64   `json:"requests"`
	Bytes    uint64   `json:"bytes"`
	Head     hexBytes `json:"head"`
	// Unsigned are receipts, 32 bytes each.
	Unsigned []hexBytes `json:"unsigned,omitempty"`
	Last     hexBytes   `json:"last,omitempty"`
	Previous hexBytes   `json:"previous,omitempty"`
}

// Open opens the lane's state below dir and locks it, creating it if there is none. It returns ErrBusy if somebody else
// has it. A state file that is damaged is set aside, because the worker's newest acknowledgement can replace it.
func Open(dir string, id ID, key ed25519.PrivateKey, view View) (*Lane, error) {
	switch {
	case len(key) != ed25519.PrivateKeySize:
		return nil, fmt.Errorf("%w: private key of %d bytes", ErrState, len(key))
	case id.KeyID == 0 || id.WorkerID == 0 || id.ChainID == "" || id.Lane >= ack.MaxLanes:
		return nil, fmt.Errorf("%w: no such lane: %+v", ErrState, id)
	}
	f, err := openFile(dir, id)
	if err != nil {
		return nil, err
	}
	l := &Lane{id: id, chain: ack.HashChainID(id.ChainID), key: key, view: view, file: f, firstSequence: 1}
	if err := l.load(); err != nil {
		if !errors.Is(err, ErrState) {
			return nil, errors.Join(err, f.close())
		}
		if err := os.Rename(f.path, f.path+".damaged"); err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %w", ErrState, err), f.close())
		}
		l.epoch, l.total, l.unsigned, l.last, l.prev, l.closed, l.journal = 0, Counters{}, nil, nil, nil, 0, journal{}
	}
	return l, nil
}

// OpenAny opens the first lane that is neither busy nor closed in the current epoch, from number first on.
// It returns ErrBusy if there is none.
func OpenAny(dir string, id ID, first uint8, key ed25519.PrivateKey, view View) (*Lane, error) {
	for n := first; n < ack.MaxLanes; n++ {
		id.Lane = n
		l, err := Open(dir, id, key, view)
		if errors.Is(err, ErrBusy) {
			continue
		}
		if err != nil {
			return nil, err
		}
		err = l.Usable()
		if err == nil {
			return l, nil
		}
		if err := errors.Join(err, l.Close()); !errors.Is(err, ErrClosed) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: key %d has no free lane with worker %d", ErrBusy, id.KeyID, id.WorkerID)
}

func (l *Lane) load() error {
	b, err := l.file.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s, err := decodeState(b, l.file.path)
	if err != nil {
		return err
	}
	public := l.key.Public().(ed25519.PublicKey)
	if l.last, err = l.id.decode(s.Last, s.Epoch, public); err != nil {
		return err
	}
	if l.prev, err = l.id.decode(s.Previous, s.Epoch-1, public); err != nil {
		return err
	}
	if len(s.Head) != ack.HeadSize {
		return fmt.Errorf("%w: head of %d bytes", ErrState, len(s.Head))
	}
	l.epoch, l.closed, l.total = s.Epoch, s.Closed, Counters{Requests: s.Requests, Bytes: s.Bytes, Head: [ack.HeadSize]byte(s.Head)}
	var from Counters
	if l.last != nil {
		from = countersOf(&l.last.Ack)
	}
	if l.total.Bytes < from.Bytes {
		return fmt.Errorf("%w: counts %d bytes, signed for %d", ErrState, l.total.Bytes, from.Bytes)
	}
	for _, u := range s.Unsigned {
		if len(u) != len(ack.Digest{}) {
			return fmt.Errorf("%w: receipt of %d bytes", ErrState, len(u))
		}
		l.unsigned = append(l.unsigned, finished{receipt: ack.Digest(u)})
		from.extend(ack.Digest(u))
	}
	if from.Bytes = l.total.Bytes; from != l.total {
		return fmt.Errorf("%w: receipts and head do not match", ErrState)
	}
	return l.loadJournal()
}

// loadJournal takes up the journal of the epoch, if it holds all that the state counts.
func (l *Lane) loadJournal() error {
	if l.epoch == 0 {
		return nil
	}
	l.journal = journal{path: l.file.journalPath(l.epoch), count: l.total.Requests}
	list, whole, err := readJournal(l.journal.path, l.total.Requests, l.total.Head)
	if err != nil {
		return err
	}
	if !whole {
		l.journal.broken = true
		return nil
	}
	copy(l.unsigned, list[len(list)-len(l.unsigned):])
	return nil
}

// decodeState reads a state file.
func decodeState(b []byte, path string) (*state, error) {
	s := new(state)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(s); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrState, path, err)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("%w: %s has version %d, want %d", ErrState, path, s.Version, stateVersion)
	}
	return s, nil
}

// decode reads an acknowledgement from the state file. It must be of this lane and carry the key's signature, so that a
// damaged file can never make the client resend something else.
func (id ID) decode(b []byte, epoch uint64, public ed25519.PublicKey) (*signed, error) {
	if len(b) == 0 {
		return nil, nil
	}
	s := new(signed)
	if err := s.Decode(b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	if err := s.Verify(public, ack.HashChainID(id.ChainID)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	want := ack.Ack{Epoch: epoch, KeyID: id.KeyID, WorkerID: id.WorkerID, ServiceID: id.ServiceID, Lane: id.Lane}
	if s.LaneID() != want.LaneID() || s.WorkerID != want.WorkerID {
		return nil, fmt.Errorf("%w: acknowledgement of another lane", ErrState)
	}
	return s, nil
}

func (l *Lane) snapshot() *state {
	s := &state{
		Version: stateVersion, Epoch: l.epoch, Closed: l.closed,
		Requests: l.total.Requests, Bytes: l.total.Bytes, Head: l.total.Head[:],
	}
	for i := range l.unsigned {
		s.Unsigned = append(s.Unsigned, l.unsigned[i].receipt[:])
	}
	if l.last != nil {
		s.Last = l.last.AppendEncoded(nil)
	}
	if l.prev != nil {
		s.Previous = l.prev.AppendEncoded(nil)
	}
	return s
}

// file is a lane's state file with its lock. The lock is a file of its own, because the state file is replaced.
type file struct {
	// base is the path without its ending.
	base, path string
	lock       *flock.Flock
}

// keyFolder holds the lanes of a key.
func keyFolder(dir, chainID string, keyID uint64) string {
	return filepath.Join(dir, url.PathEscape(chainID), "key-"+strconv.FormatUint(keyID, 10))
}

// baseOf is the path of a lane's files without their endings.
func baseOf(dir string, id ID) string {
	return filepath.Join(keyFolder(dir, id.ChainID, id.KeyID), fmt.Sprintf(laneFile, id.WorkerID, id.ServiceID, id.Lane))
}

// laneFile is the name of a lane's files without their endings: worker, service, lane number.
const laneFile = "worker-%d-service-%d-lane-%d"

func openFile(dir string, id ID) (*file, error) {
	if err := os.MkdirAll(keyFolder(dir, id.ChainID, id.KeyID), 0o700); err != nil {
		return nil, fmt.Errorf("create lane folder: %w", err)
	}
	base := baseOf(dir, id)
	lock := flock.New(base+".lock", flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock lane: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("%w: lane %d of key %d with worker %d", ErrBusy, id.Lane, id.KeyID, id.WorkerID)
	}
	return &file{base: base, path: base + stateSuffix, lock: lock}, nil
}

const stateSuffix = ".json"

func (f *file) read() ([]byte, error) { return readState(f.path) }

func readState(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxStateSize {
		return nil, fmt.Errorf("%w: %s is no file of at most %d bytes", ErrState, path, maxStateSize)
	}
	return os.ReadFile(path)
}

// write replaces the state: write aside, fsync, rename, fsync the folder.
func (f *file) write(s *state) (err error) {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode lane state: %w", err)
	}
	tmp := f.path + ".tmp"
	w, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write lane state: %w", err)
	}
	_, err = w.Write(b)
	if err == nil {
		err = w.Sync()
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("write lane state: %w", err)
	}
	if err := os.Rename(tmp, f.path); err != nil {
		return fmt.Errorf("write lane state: %w", err)
	}
	d, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return fmt.Errorf("write lane state: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("write lane state: %w", err)
	}
	return nil
}

func (f *file) close() error { return f.lock.Unlock() }

// hexBytes are bytes that JSON writes as lower-case hex.
type hexBytes []byte

// MarshalText implements encoding.TextMarshaler.
func (h hexBytes) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%x", []byte(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *hexBytes) UnmarshalText(text []byte) error {
	b := make([]byte, len(text)/2)
	if _, err := hex.Decode(b, text); err != nil {
		return err
	}
	*h = b
	return nil
}
