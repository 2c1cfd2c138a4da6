package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/edgechain/edge/client/content"
)

// uploads counts what clients have had kept, in bytes on disk. Store.mu guards it.
type uploads struct {
	// total and each bound all of it and that of one account.
	total, each uint64
	taken       uint64
	of          map[uint64]uint64
	// most bounds the objects that are kept, mostEach those of an account: small ones take next to nothing of the bytes, but a
	// place of Config.MaxObjects each. holds counts them by account.
	most, mostEach int
	holds          map[uint64]int
}

const (
	// heldShare and accountShare are the parts of Config.MaxObjects that clients may have kept, and one account, as divisors;
	// small stores are not that strict.
	heldShare    = 2
	accountShare = 16
	leastHeld    = 1024
)

func newUploads(cfg Config) uploads {
	return uploads{
		total: cfg.UploadBytes, each: cfg.UploadBytesPerAccount, of: map[uint64]uint64{}, holds: map[uint64]int{},
		most: max(cfg.MaxObjects/heldShare, leastHeld), mostEach: max(cfg.MaxObjects/accountShare, leastHeld),
	}
}

func (u *uploads) hold(owner uint64) { u.holds[owner]++ }

func (u *uploads) drop(owner uint64) {
	if u.holds[owner]--; u.holds[owner] <= 0 {
		delete(u.holds, owner)
	}
}

// takes returns ErrQuota if an account can have no further object kept. held is how many all have.
func (u *uploads) takes(owner uint64, held int) error {
	switch {
	case held >= u.most:
		return fmt.Errorf("%w: %d objects are kept", ErrQuota, held)
	case u.holds[owner] >= u.mostEach:
		return fmt.Errorf("%w: account %d has %d objects kept", ErrAccountQuota, owner, u.holds[owner])
	}
	return nil
}

func (u *uploads) add(owner, n uint64) {
	u.taken += n
	u.of[owner] += n
}

func (u *uploads) sub(owner, n uint64) {
	u.taken -= n
	if u.of[owner] -= n; u.of[owner] == 0 {
		delete(u.of, owner)
	}
}

// fits returns ErrQuota if an account cannot have n bytes more kept. What is kept may exceed a bound that was lowered.
func (u *uploads) fits(owner, n uint64) error {
	if u.taken > u.total || n > u.total-u.taken {
		return fmt.Errorf("%w: %d of %d bytes are taken, %d more are needed", ErrQuota, u.taken, u.total, n)
	}
	if has := u.of[owner]; u.each > 0 && (has > u.each || n > u.each-has) {
		return fmt.Errorf("%w: account %d has %d of %d bytes, %d more are needed", ErrAccountQuota, owner, has, u.each, n)
	}
	return nil
}

// charge takes n bytes of the space for uploads. It returns ErrQuota.
func (s *Store) charge(owner, n uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.uploads.fits(owner, n); err != nil {
		return err
	}
	s.uploads.add(owner, n)
	return nil
}

// Pin keeps an object from being evicted until Unpin or Delete. It is durable when it returns. It returns ErrNotFound.
func (s *Store) Pin(name content.Name) error {
	return s.changeStored(name, func(r *record) error {
		r.pinned = true
		return nil
	})
}

// Unpin takes back Pin. An object that no account keeps may be evicted from then on. It returns ErrNotFound.
func (s *Store) Unpin(name content.Name) error {
	return s.changeStored(name, func(r *record) error {
		r.pinned = false
		return nil
	})
}

// Keep has an object kept for an account until the end of an epoch, or for longer than it is already. It is durable when it
// returns. It returns ErrNotFound and ErrQuota.
func (s *Store) Keep(name content.Name, hold Hold) error {
	return s.changeStored(name, func(r *record) error { return r.keep(hold) })
}

// Release ends what an account has kept of an object. It returns ErrNotFound if the account keeps no such object.
func (s *Store) Release(name content.Name, owner uint64) error {
	return s.changeStored(name, func(r *record) error {
		if _, ok := r.hold(owner); !ok {
			return fmt.Errorf("%w: account %d does not keep %s", ErrNotFound, owner, name)
		}
		r.drop(func(h Hold) bool { return h.Owner == owner })
		return nil
	})
}

// Expire ends all holds that ended before an epoch.
func (s *Store) Expire(epoch uint64) error {
	s.mu.Lock()
	var over []content.Name
	for name := range s.held {
		for _, h := range s.records[name].holds {
			if h.Until < epoch {
				over = append(over, name)
				break
			}
		}
	}
	s.mu.Unlock()
	for _, name := range over {
		err := s.changeStored(name, func(r *record) error {
			r.drop(func(h Hold) bool { return h.Until < epoch })
			return nil
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// changeStored is change for an object of which nothing is held.
func (s *Store) changeStored(name content.Name, change func(*record) error) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.adds.Done()
	commit := s.commitOf(name)
	commit.Lock()
	defer commit.Unlock()
	if _, err := os.Lstat(s.path(name)); errors.Is(err, fs.ErrNotExist) {
		s.forget(name)
		return fmt.Errorf("%w: %s", ErrNotFound, name)
	} else if err != nil {
		return fmt.Errorf("content %s: %w", name, err)
	}
	if err := s.change(name, change); err != nil {
		return fmt.Errorf("content %s: %w", name, err)
	}
	return nil
}

// change changes the record of an object, on disk first: what a caller is told stays, stays after a crash. The caller holds
// the commit lock of the name.
func (s *Store) change(name content.Name, change func(*record) error) error {
	s.mu.Lock()
	r := s.records[name]
	if r == nil {
		s.mu.Unlock()
		return fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	next := *r
	if err := change(&next); err != nil {
		s.mu.Unlock()
		return err
	}
	// What the new holds take is taken before, so that nobody else gets it while the disk is waited for.
	var fresh []Hold
	for _, h := range next.holds {
		if _, had := r.hold(h.Owner); had {
			continue
		}
		err := s.uploads.fits(h.Owner, diskSize(r.size))
		if err == nil {
			err = s.uploads.takes(h.Owner, len(s.held))
		}
		if err != nil {
			s.mu.Unlock()
			return err
		}
		s.uploads.add(h.Owner, diskSize(r.size))
		fresh = append(fresh, h)
	}
	wasMode := r.mode()
	was := appendPut(nil, name, r)
	s.mu.Unlock()
	// The mode is what is left if the index is lost: a crash in between must not make it say less than the index.
	chmod := func() error { return s.disk.Chmod(s.path(name), next.mode()) }
	var err error
	if next.stays() && next.mode() != wasMode {
		err = chmod()
	}
	if err == nil {
		err = s.index.append(appendPut(nil, name, &next), true)
	}
	if err == nil && !next.stays() && next.mode() != wasMode {
		if err = chmod(); err != nil {
			s.note(was)
		}
	}
	s.mu.Lock()
	for _, h := range fresh { // enter takes it anew
		s.uploads.sub(h.Owner, diskSize(r.size))
	}
	if err == nil {
		s.leave(name, r)
		r.pinned, r.holds = next.pinned, next.holds
		s.enter(name, r)
	}
	s.mu.Unlock()
	return s.failed(err)
}
