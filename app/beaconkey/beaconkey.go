// Package beaconkey keeps a validator's keys for the randomness beacon in a file of its own, config/beacon_key.json. A key
// that is lost or leaked costs seats in elections, never stake, so the file lies beside the node in the clear, for its
// owner's eyes alone.
//
// A new key counts from the freeze after its registration on, and until then the old one is still asked for. So the file
// holds several, and a node signs with whichever stands in the record of the election.
package beaconkey

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/edgechain/edge/x/epoch/beacon"
)

// FileName is the name of the file in the node's folder "config".
const FileName = "beacon_key.json"

const (
	// mode of the file.
	mode fs.FileMode = 0o600
	// maxSize bounds the file in bytes. A key takes less than 300.
	maxSize = 64 << 10
	// MaxKeys bounds the keys in the file: a node needs two at a time, and maxSize has room for more than these.
	MaxKeys = 100
)

var (
	// ErrMode says that others than the owner can read or write the file.
	ErrMode = errors.New("beacon key file is open to others")
	// ErrDamaged says that the file does not hold what this package wrote.
	ErrDamaged = errors.New("beacon key file is damaged")
	// ErrFull says that the file holds MaxKeys keys.
	ErrFull = errors.New("beacon key file is full")
)

// Load reads the keys of a file, at least one, the newest last. The error wraps fs.ErrNotExist if there is no file, ErrMode if
// others can read or write it, ErrDamaged if it does not parse; no error shows what the file holds.
func Load(path string) ([]beacon.Key, error) {
	b, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("load beacon keys: %w", err)
	}
	keys, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("load beacon keys: %s: %w", path, err)
	}
	return keys, nil
}

// Create writes a file with a new key. The error wraps fs.ErrExist if there is a file already, which stays as it is.
func Create(path string) (beacon.Key, error) {
	key, err := locked(path, func() ([]beacon.Key, error) {
		if _, err := os.Lstat(path); err == nil {
			return nil, &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, nil
	})
	if err != nil {
		return beacon.Key{}, fmt.Errorf("create beacon key: %w", err)
	}
	return key, nil
}

// Add writes a new key behind those of a file. The errors are those of Load, and ErrFull.
func Add(path string) (beacon.Key, error) {
	key, err := locked(path, func() ([]beacon.Key, error) { return Load(path) })
	if err != nil {
		return beacon.Key{}, fmt.Errorf("add beacon key: %w", err)
	}
	return key, nil
}

// locked puts a new key behind those that the function returns. The lock keeps two commands from losing each other's key.
func locked(path string, present func() ([]beacon.Key, error)) (_ beacon.Key, err error) {
	lock := flock.New(path+".lock", flock.SetPermissions(mode))
	if err := lock.Lock(); err != nil {
		return beacon.Key{}, fmt.Errorf("lock: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	keys, err := present()
	if err != nil {
		return beacon.Key{}, err
	}
	if len(keys) >= MaxKeys {
		return beacon.Key{}, fmt.Errorf("%w: %s holds %d keys", ErrFull, path, len(keys))
	}
	key, err := beacon.GenerateKey(rand.Reader)
	if err != nil {
		return beacon.Key{}, err
	}
	b, err := encode(append(keys, key))
	if err != nil {
		return beacon.Key{}, err
	}
	return key, write(path, b)
}

// write replaces the file: write aside, fsync, rename, fsync the folder. After a crash the file is the old one or the new
// one. What was left aside is taken away first, because its mode could be another.
func write(path string, b []byte) error {
	aside := path + ".tmp"
	if err := os.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	if err := os.Rename(aside, path); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
