package lane

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgechain/edge/ack"
)

// Held is the newest acknowledgement that was signed on a lane in an epoch, with the requests behind it.
type Held struct {
	Signed ack.Signed
	// Requests are the finished ones in the order of the receipt chain; nil unless Whole.
	Requests []Finished
	// Whole is true if the requests are known from the epoch's beginning on, so that their receipts lead to the head.
	Whole bool
}

// maxReads bounds how often a lane is read anew because it changed under way.
const maxReads = 8

// Read returns what a lane holds of its newest epoch and of the one before, oldest first, whether or not the lane is in use.
// It changes nothing. It returns fs.ErrNotExist if there is no such lane, and ErrState if its file is damaged.
func Read(dir string, id ID, public ed25519.PublicKey) ([]Held, error) {
	base := baseOf(dir, id)
	b, err := readState(base + stateSuffix)
	if err != nil {
		return nil, err
	}
	for range maxReads {
		list, err := readHeld(base, b, id, public)
		if err != nil {
			return nil, err
		}
		again, err := readState(base + stateSuffix)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(b, again) {
			return list, nil
		}
		// The lane is in use, and a journal may have gone between the two files.
		b = again
	}
	return nil, fmt.Errorf("%w: lane %d of key %d with worker %d changes all the time", ErrBusy, id.Lane, id.KeyID, id.WorkerID)
}

func readHeld(base string, b []byte, id ID, public ed25519.PublicKey) ([]Held, error) {
	s, err := decodeState(b, base+stateSuffix)
	if err != nil {
		return nil, err
	}
	var list []Held
	for _, e := range []struct {
		epoch uint64
		raw   []byte
	}{{s.Epoch - 1, s.Previous}, {s.Epoch, s.Last}} {
		signed, err := id.decode(e.raw, e.epoch, public)
		if err != nil {
			return nil, err
		}
		if signed == nil {
			continue
		}
		h := Held{Signed: signed.Signed}
		requests, whole, err := readJournal(journalPath(base, e.epoch), signed.Requests, signed.Head)
		if err != nil {
			return nil, err
		}
		if h.Whole = whole; whole {
			for i := range requests {
				h.Requests = append(h.Requests, requests[i].Finished)
			}
		}
		list = append(list, h)
	}
	return list, nil
}

// List returns the lanes of a key that have a state, by worker, service and number.
func List(dir, chainID string, keyID uint64) ([]ID, error) {
	entries, err := os.ReadDir(keyFolder(dir, chainID, keyID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list lanes: %w", err)
	}
	var ids []ID
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), stateSuffix)
		if !ok {
			continue
		}
		id := ID{ChainID: chainID, KeyID: keyID}
		if _, err := fmt.Sscanf(name, laneFile, &id.WorkerID, &id.ServiceID, &id.Lane); err != nil || filepath.Base(baseOf(dir, id)) != name {
			continue
		}
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b ID) int {
		return cmp.Or(cmp.Compare(a.WorkerID, b.WorkerID), cmp.Compare(a.ServiceID, b.ServiceID), cmp.Compare(a.Lane, b.Lane))
	})
	return ids, nil
}
