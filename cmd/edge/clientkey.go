package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
)

const (
	clientKeyDir = "client-keys"
	// maxKeyFile bounds a key file in bytes.
	maxKeyFile = 16 << 10
)

// clientKey is a key that signs acknowledgements, as its file holds it.
type clientKey struct {
	ChainID   string `json:"chain_id"`
	KeyID     uint64 `json:"key_id"`
	AccountID uint64 `json:"account_id"`
	Owner     string `json:"owner"`
	LastEpoch uint64 `json:"last_epoch"`
	PublicKey string `json:"public_key"`
	// Seed is the private key.
	Seed string `json:"seed"`
}

func newClientKey(chainID string, accountID uint64, owner string, lastEpoch uint64) (*clientKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate client key: %w", err)
	}
	return &clientKey{
		ChainID: chainID, AccountID: accountID, Owner: owner, LastEpoch: lastEpoch,
		PublicKey: hex.EncodeToString(public), Seed: hex.EncodeToString(private.Seed()),
	}, nil
}

func (k *clientKey) private() (ed25519.PrivateKey, error) {
	seed, err := hex.DecodeString(k.Seed)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("client key %d: the seed is not %d bytes in hex", k.KeyID, ed25519.SeedSize)
	}
	private := ed25519.NewKeyFromSeed(seed)
	if hex.EncodeToString(private.Public().(ed25519.PublicKey)) != k.PublicKey {
		return nil, fmt.Errorf("client key %d: seed and public key do not match", k.KeyID)
	}
	return private, nil
}

func clientKeyFolder(home, chainID string) string {
	return filepath.Join(home, clientKeyDir, url.PathEscape(chainID))
}

// savePending stores a key before it is registered, so that no failure between the transaction and the file loses it.
func (k *clientKey) savePending(home string) (path string, err error) {
	dir := clientKeyFolder(home, k.ChainID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("create folder of client keys: %w", err)
	}
	path = filepath.Join(dir, "pending-"+k.PublicKey[:16]+".json")
	return path, k.write(path)
}

// register gives a pending key its id.
func (k *clientKey) register(home, pending string, id uint64) (string, error) {
	k.KeyID = id
	path := filepath.Join(clientKeyFolder(home, k.ChainID), strconv.FormatUint(id, 10)+".json")
	if err := k.write(path); err != nil {
		return "", err
	}
	if err := os.Remove(pending); err != nil {
		return "", fmt.Errorf("remove pending client key: %w", err)
	}
	return path, nil
}

func (k *clientKey) write(path string) error {
	b, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return fmt.Errorf("encode client key: %w", err)
	}
	return writeFile(path, append(b, '\n'), 0o600)
}

// writeFile replaces a file: write aside, fsync, rename, fsync the folder.
func writeFile(path string, b []byte, mode fs.FileMode) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), removeIfThere(tmp))
	}
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// anyClientKeys reports whether there is a client key for any chain, or for the one that is named.
func anyClientKeys(home, chainID string) bool {
	pattern := "*"
	if chainID != "" {
		pattern = url.PathEscape(chainID)
	}
	files, err := filepath.Glob(filepath.Join(home, clientKeyDir, pattern, "[0-9]*.json"))
	return err == nil && len(files) > 0
}

// keyChains returns the chains that have client keys.
func keyChains(home string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(home, clientKeyDir, "*", "[0-9]*.json"))
	if err != nil {
		return nil, fmt.Errorf("find client keys: %w", err)
	}
	var chains []string
	for _, f := range files {
		id, err := url.PathUnescape(filepath.Base(filepath.Dir(f)))
		if err == nil && !slices.Contains(chains, id) {
			chains = append(chains, id)
		}
	}
	return chains, nil
}

// clientKeys returns the registered keys of a chain, newest first.
func clientKeys(home, chainID string) ([]*clientKey, error) {
	dir := clientKeyFolder(home, chainID)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read client keys: %w", err)
	}
	var keys []*clientKey
	for _, e := range entries {
		id, err := strconv.ParseUint(strings.TrimSuffix(e.Name(), ".json"), 10, 64)
		if err != nil || !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		k, err := readClientKey(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if k.KeyID != id || k.ChainID != chainID {
			return nil, fmt.Errorf("%s holds key %d of chain %q", filepath.Join(dir, e.Name()), k.KeyID, k.ChainID)
		}
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].KeyID > keys[j].KeyID })
	return keys, nil
}

func readClientKey(path string) (*clientKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read client key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("client key %s can be read by others; make it private with chmod 600", path)
	}
	b, err := readBounded(path, maxKeyFile)
	if err != nil {
		return nil, err
	}
	k := new(clientKey)
	if err := json.Unmarshal(b, k); err != nil {
		return nil, fmt.Errorf("client key %s: %w", path, err)
	}
	return k, nil
}

// readBounded reads a file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", path, limit)
	}
	return os.ReadFile(path)
}
