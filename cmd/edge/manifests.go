package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/edgechain/edge/client/content"
)

// manifestSuffix is that of manifests among the parts.
const manifestSuffix = ".manifest"

// manifests are those of a folder that have been fetched, so that the command that finishes the folder does not pay them again.
// They lie among the parts, and in memory until there is a place for parts. They are safe for concurrent use.
type manifests struct {
	// dir has the parts of an earlier run, if there was one.
	dir string

	mu sync.Mutex
	// root is the folder that has the parts of this run, nil before.
	root  *os.Root
	early map[content.Name][]byte
}

// newManifests returns the manifests of what is fetched into a folder, if it is one.
func newManifests(folder string) *manifests {
	return &manifests{dir: filepath.Join(folder, partsFolder), early: make(map[content.Name][]byte)}
}

func (m *manifests) has(name content.Name) bool { return m.Load(name) != nil }

// Load implements fetch.Manifests. What it returns is not verified.
func (m *manifests) Load(name content.Name) []byte {
	m.mu.Lock()
	b := m.early[name]
	m.mu.Unlock()
	if b != nil {
		return b
	}
	// One that cannot be read is fetched.
	b, err := readBounded(filepath.Join(m.dir, name.String()+manifestSuffix), content.MaxManifestSize)
	if err != nil {
		return nil
	}
	return b
}

// Store implements fetch.Manifests.
func (m *manifests) Store(name content.Name, b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.root == nil {
		m.early[name] = b
		return nil
	}
	return m.write(name, b)
}

// write does not wait for the disk: what a crash cuts does not verify, and is fetched again.
func (m *manifests) write(name content.Name, b []byte) error {
	return m.root.WriteFile(filepath.Join(partsFolder, name.String()+manifestSuffix), b, 0o644)
}

// keepIn has manifests written to the parts of a folder from now on, with those that were fetched before.
func (m *manifests) keepIn(root *os.Root) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.root = root
	for name, b := range m.early {
		if err := m.write(name, b); err != nil {
			return err
		}
	}
	clear(m.early)
	return nil
}

// forget removes all manifests of a folder that cannot be finished.
func (m *manifests) forget() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	list, err := fs.ReadDir(m.root.FS(), partsFolder)
	for _, e := range list {
		if strings.HasSuffix(e.Name(), manifestSuffix) {
			err = errors.Join(err, m.root.Remove(filepath.Join(partsFolder, e.Name())))
		}
	}
	return err
}
