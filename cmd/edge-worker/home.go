package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cosmos/cosmos-sdk/crypto/keyring"

	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/config"
)

const (
	dirMode  = 0o700
	fileMode = 0o600
	// maxSmallFile bounds the files with keys, in bytes.
	maxSmallFile = 4 << 10
)

// home is the worker's folder.
type home string

func (h home) config() string  { return filepath.Join(string(h), "config.toml") }
func (h home) peerKey() string { return filepath.Join(string(h), "peer_key.json") }
func (h home) token() string   { return filepath.Join(string(h), "admin_token") }
func (h home) store() string   { return filepath.Join(string(h), "data", "store") }
func (h home) origins() string { return filepath.Join(string(h), "data", "origin.index") }
func (h home) pool() string    { return filepath.Join(string(h), "data", "ackpool") }
func (h home) history() string { return filepath.Join(string(h), "data", "console.history") }

// peerKeyFile is the form of the peer key on disk.
type peerKeyFile struct {
	Type string `json:"type"`
	// PrivateKey is the ed25519 seed, 32 bytes in hex.
	PrivateKey string `json:"private_key"`
	PublicKey  string `json:"public_key"`
}

const peerKeyType = "ed25519"

func (h home) makePeerKey(random io.Reader) (ed25519.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(random)
	if err != nil {
		return nil, fmt.Errorf("make peer key: %w", err)
	}
	b, err := json.MarshalIndent(peerKeyFile{
		Type: peerKeyType, PrivateKey: hex.EncodeToString(private.Seed()), PublicKey: hex.EncodeToString(public),
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	return public, writeNew(h.peerKey(), append(b, '\n'))
}

func (h home) readPeerKey() (ed25519.PrivateKey, error) {
	b, err := readSmall(h.peerKey())
	if err != nil {
		return nil, fmt.Errorf("peer key: %w", err)
	}
	var file peerKeyFile
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("peer key %s: %w", h.peerKey(), err)
	}
	seed, err := hex.DecodeString(file.PrivateKey)
	if err != nil || len(seed) != ed25519.SeedSize || file.Type != peerKeyType {
		return nil, fmt.Errorf("peer key %s is damaged", h.peerKey())
	}
	private := ed25519.NewKeyFromSeed(seed)
	if hex.EncodeToString(private.Public().(ed25519.PublicKey)) != file.PublicKey {
		return nil, fmt.Errorf("peer key %s is damaged: private and public key do not belong together", h.peerKey())
	}
	return private, nil
}

// makeToken writes the secret by which commands prove to the running worker that they may read its home folder.
func (h home) makeToken(random io.Reader) error {
	var secret [32]byte
	if _, err := io.ReadFull(random, secret[:]); err != nil {
		return fmt.Errorf("make admin token: %w", err)
	}
	return writeNew(h.token(), []byte(hex.EncodeToString(secret[:])+"\n"))
}

func (h home) readToken() (string, error) {
	b, err := readSmall(h.token())
	if err != nil {
		return "", fmt.Errorf("admin token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if len(token) != 64 {
		return "", fmt.Errorf("admin token %s is damaged", h.token())
	}
	return token, nil
}

func sameToken(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// keyring opens the keyring with the hot account.
func (h home) keyring(c config.Keys, enc chain.Encoding, in io.Reader) (keyring.Keyring, error) {
	keys, err := keyring.New("edge-worker", c.Backend, string(h), in, enc.Codec)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return keys, nil
}

// writeNew writes a file that must not exist yet, durably.
func writeNew(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), f.Close(), os.Remove(path))
	}
	if err := f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), f.Close(), os.Remove(path))
	}
	return errors.Join(f.Close(), syncDir(filepath.Dir(path)))
}

// syncDir makes what was made in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSmallFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(b) > maxSmallFile {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxSmallFile)
	}
	return b, nil
}

var random = rand.Reader
