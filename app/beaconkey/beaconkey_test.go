package beaconkey_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/app/beaconkey"
	"github.com/edgechain/edge/x/epoch/beacon"
)

func pathIn(dir string) string { return filepath.Join(dir, beaconkey.FileName) }

func requireMode(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
}

func TestCreateLoadAdd(t *testing.T) {
	path := pathIn(t.TempDir())
	_, err := beaconkey.Load(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = beaconkey.Add(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoFileExists(t, path)

	first, err := beaconkey.Create(path)
	require.NoError(t, err)
	requireMode(t, path)
	keys, err := beaconkey.Load(path)
	require.NoError(t, err)
	require.Equal(t, []beacon.Key{first}, keys)

	_, err = beaconkey.Create(path)
	require.ErrorIs(t, err, fs.ErrExist)

	second, err := beaconkey.Add(path)
	require.NoError(t, err)
	requireMode(t, path)
	keys, err = beaconkey.Load(path)
	require.NoError(t, err)
	require.Equal(t, []beacon.Key{first, second}, keys, "the newest is the last")
	require.NotEqual(t, first.PubKey(), second.PubKey())
	require.NoFileExists(t, path+".tmp")
}

func TestFormat(t *testing.T) {
	path := pathIn(t.TempDir())
	key, err := beaconkey.Create(path)
	require.NoError(t, err)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.JSONEq(t, fmt.Sprintf(`{"keys":[{"pub_key":"%x","priv_key":"%x"}]}`, key.PubKey(), key.Bytes()), string(b))
}

// TestCreateWithoutFolder does not make folders: a wrong --home is to be noticed.
func TestCreateWithoutFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "absent")
	_, err := beaconkey.Create(pathIn(dir))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoDirExists(t, dir)
}

// TestCreateKeepsWhatIsThere refuses also what is no key file, and a link that leads nowhere.
func TestCreateKeepsWhatIsThere(t *testing.T) {
	path := pathIn(t.TempDir())
	require.NoError(t, os.WriteFile(path, []byte("precious"), 0o600))
	_, err := beaconkey.Create(path)
	require.ErrorIs(t, err, fs.ErrExist)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "precious", string(b))

	dir := t.TempDir()
	require.NoError(t, os.Symlink(filepath.Join(dir, "absent"), pathIn(dir)))
	_, err = beaconkey.Create(pathIn(dir))
	require.ErrorIs(t, err, fs.ErrExist)
}

func TestModes(t *testing.T) {
	path := pathIn(t.TempDir())
	_, err := beaconkey.Create(path)
	require.NoError(t, err)
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o610, 0o601} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := beaconkey.Load(path)
		require.ErrorIs(t, err, beaconkey.ErrMode, "%o", mode)
		require.ErrorContains(t, err, "chmod 600 "+path)
		_, err = beaconkey.Add(path)
		require.ErrorIs(t, err, beaconkey.ErrMode, "%o", mode)
	}
	for _, mode := range []fs.FileMode{0o400, 0o600, 0o700} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := beaconkey.Load(path)
		require.NoError(t, err, "%o", mode)
	}
}

// TestCutAnywhere cuts a file with two keys at every byte. Only the last byte, the line's end, can be missing.
func TestCutAnywhere(t *testing.T) {
	path := pathIn(t.TempDir())
	_, err := beaconkey.Create(path)
	require.NoError(t, err)
	_, err = beaconkey.Add(path)
	require.NoError(t, err)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for n := range len(whole) - 1 {
		require.NoError(t, os.WriteFile(path, whole[:n], 0o600))
		_, err := beaconkey.Load(path)
		require.ErrorIs(t, err, beaconkey.ErrDamaged, "cut at %d", n)
		require.ErrorContains(t, err, path)
	}
}

func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	key := func(name string) (pub, priv string) {
		k, err := beaconkey.Create(filepath.Join(dir, name))
		require.NoError(t, err)
		return hex.EncodeToString(k.PubKey()), hex.EncodeToString(k.Bytes())
	}
	pubA, privA := key("a")
	pubB, privB := key("b")
	pair := func(pub, priv string) string { return fmt.Sprintf(`{"pub_key":%q,"priv_key":%q}`, pub, priv) }
	// The order of the group: no private key reaches it.
	const order = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001"
	many := strings.TrimSuffix(strings.Repeat(pair(pubA, privA)+",", beaconkey.MaxKeys+1), ",")

	path := pathIn(dir)
	for name, content := range map[string]string{
		"empty":          "",
		"no json":        "garbage",
		"null":           "null",
		"no keys":        `{"keys":[]}`,
		"unknown field":  `{"keys":[` + pair(pubA, privA) + `],"key":1}`,
		"in a list":      `[` + pair(pubA, privA) + `]`,
		"something more": `{"keys":[` + pair(pubA, privA) + `]}{}`,
		"no hex":         `{"keys":[` + pair(pubA, "zz"+privA[2:]) + `]}`,
		"short":          `{"keys":[` + pair(pubA, privA[2:]) + `]}`,
		"zero":           `{"keys":[` + pair(pubA, strings.Repeat("0", 64)) + `]}`,
		"too large":      `{"keys":[` + pair(pubA, order) + `]}`,
		"another's":      `{"keys":[` + pair(pubB, privA) + `]}`,
		"no public key":  `{"keys":[` + pair("", privA) + `]}`,
		"twice":          `{"keys":[` + pair(pubA, privA) + `,` + pair(pubB, privB) + `,` + pair(pubA, privA) + `]}`,
		"too many":       `{"keys":[` + many + `]}`,
		"huge":           `{"keys":[` + pair(pubA, privA) + `]}` + strings.Repeat(" ", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			_, err := beaconkey.Load(path)
			require.ErrorIs(t, err, beaconkey.ErrDamaged)
			require.NotContains(t, err.Error(), privA[2:], "an error shows no private key")
			_, err = beaconkey.Add(path)
			require.ErrorIs(t, err, beaconkey.ErrDamaged)
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, content, string(after), "a file that cannot be read is not written either")
		})
	}

	folder := filepath.Join(dir, "folder")
	require.NoError(t, os.Mkdir(folder, 0o700))
	_, err := beaconkey.Load(folder)
	require.ErrorIs(t, err, beaconkey.ErrDamaged)
}

// TestLeftAside shows what a crash before the rename leaves: the old file, and half of the new one that is in nobody's way.
func TestLeftAside(t *testing.T) {
	path := pathIn(t.TempDir())
	for _, n := range []int{1, 2} {
		require.NoError(t, os.WriteFile(path+".tmp", []byte(`{"keys":[{"pub`), 0o600))
		require.NoError(t, os.Chmod(path+".tmp", 0o644))
		if n == 1 {
			_, err := beaconkey.Load(path)
			require.ErrorIs(t, err, fs.ErrNotExist)
			_, err = beaconkey.Create(path)
			require.NoError(t, err)
		} else {
			_, err := beaconkey.Add(path)
			require.NoError(t, err)
		}
		keys, err := beaconkey.Load(path)
		require.NoError(t, err)
		require.Len(t, keys, n)
		requireMode(t, path)
		require.NoFileExists(t, path+".tmp")
	}
}

// TestFailedWrite keeps the keys that there were.
func TestFailedWrite(t *testing.T) {
	path := pathIn(t.TempDir())
	key, err := beaconkey.Create(path)
	require.NoError(t, err)
	// What cannot be removed stands where the new file is to be written.
	require.NoError(t, os.MkdirAll(filepath.Join(path+".tmp", "full"), 0o700))
	_, err = beaconkey.Add(path)
	require.Error(t, err)
	keys, err := beaconkey.Load(path)
	require.NoError(t, err)
	require.Equal(t, []beacon.Key{key}, keys)
}

// TestConcurrent loses no key and creates one file only.
func TestConcurrent(t *testing.T) {
	path := pathIn(t.TempDir())
	const n = 8
	var wg sync.WaitGroup
	created := make([]error, n)
	for i := range n {
		wg.Go(func() { _, created[i] = beaconkey.Create(path) })
	}
	wg.Wait()
	successes := 0
	for _, err := range created {
		if err == nil {
			successes++
		} else {
			require.ErrorIs(t, err, fs.ErrExist)
		}
	}
	require.Equal(t, 1, successes)

	added := make([]error, n)
	for i := range n {
		wg.Go(func() { _, added[i] = beaconkey.Add(path) })
	}
	wg.Wait()
	for _, err := range added {
		require.NoError(t, err)
	}
	keys, err := beaconkey.Load(path)
	require.NoError(t, err)
	require.Len(t, keys, n+1)
}

func TestFull(t *testing.T) {
	path := pathIn(t.TempDir())
	var entries []map[string]string
	for i := range beaconkey.MaxKeys {
		key, err := beacon.ParseKey(append(make([]byte, beacon.KeySize-1), byte(i+1)))
		require.NoError(t, err)
		entries = append(entries, map[string]string{
			"pub_key": hex.EncodeToString(key.PubKey()), "priv_key": hex.EncodeToString(key.Bytes()),
		})
	}
	b, err := json.MarshalIndent(map[string]any{"keys": entries}, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, b, 0o600))
	keys, err := beaconkey.Load(path)
	require.NoError(t, err)
	require.Len(t, keys, beaconkey.MaxKeys)
	_, err = beaconkey.Add(path)
	require.ErrorIs(t, err, beaconkey.ErrFull)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, b, after)
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"keys":[]}`))
	f.Add([]byte(`{"keys":[{"pub_key":"00","priv_key":"00"}]}`))
	path := pathIn(f.TempDir())
	key, err := beaconkey.Create(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(fmt.Appendf(nil, `{"keys":[{"pub_key":"%x","priv_key":"%x"}]}`, key.PubKey(), key.Bytes()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		keys, err := beaconkey.Load(path)
		if err != nil {
			require.ErrorIs(t, err, beaconkey.ErrDamaged)
			return
		}
		require.NotEmpty(t, keys)
		for _, k := range keys {
			require.NoError(t, beacon.CheckPubKey(k.PubKey()))
		}
	})
}
