package beaconkey

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/edgechain/edge/x/epoch/beacon"
)

// file is the layout of the file. Keys are written as lower-case hex.
type file struct {
	Keys []entry `json:"keys"`
}

type entry struct {
	PubKey  string `json:"pub_key"`
	PrivKey string `json:"priv_key"`
}

// read returns what a file holds if its owner alone can read and write it.
func read(path string) (_ []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// The mode is that of the open file, so that it cannot be another one's.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is no regular file", ErrDamaged, path)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %04o; run: chmod 600 %s", ErrMode, path, perm, path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxSize {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrDamaged, path, maxSize)
	}
	return b, nil
}

func encode(keys []beacon.Key) ([]byte, error) {
	var f file
	for _, k := range keys {
		f.Keys = append(f.Keys, entry{PubKey: hex.EncodeToString(k.PubKey()), PrivKey: hex.EncodeToString(k.Bytes())})
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// decode checks everything, so that a node finds out when it starts and not at its first reveal. Its errors name the place,
// never what stands there.
func decode(b []byte) ([]beacon.Key, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrDamaged)
	}
	var f file
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("%w: it is no JSON of the form {\"keys\":[{\"pub_key\":\"\",\"priv_key\":\"\"}]}", ErrDamaged)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the JSON", ErrDamaged)
	}
	if len(f.Keys) == 0 || len(f.Keys) > MaxKeys {
		return nil, fmt.Errorf("%w: it holds %d keys, not 1 to %d", ErrDamaged, len(f.Keys), MaxKeys)
	}
	keys := make([]beacon.Key, len(f.Keys))
	seen := make(map[string]bool, len(f.Keys))
	for i, e := range f.Keys {
		secret, err := hex.DecodeString(e.PrivKey)
		if err != nil {
			return nil, fmt.Errorf("%w: priv_key of key %d is no hex", ErrDamaged, i)
		}
		key, err := beacon.ParseKey(secret)
		if err != nil {
			return nil, fmt.Errorf("%w: priv_key of key %d is no private key", ErrDamaged, i)
		}
		pub, err := hex.DecodeString(e.PubKey)
		if err != nil || !bytes.Equal(pub, key.PubKey()) {
			return nil, fmt.Errorf("%w: pub_key and priv_key of key %d do not belong together", ErrDamaged, i)
		}
		if seen[string(pub)] {
			return nil, fmt.Errorf("%w: key %d stands there twice", ErrDamaged, i)
		}
		seen[string(pub)] = true
		keys[i] = key
	}
	return keys, nil
}
