package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDefaultsRoundTrip(t *testing.T) {
	want := Default()
	want.Chain.ChainID = "edge-\"quoted\\1\n"
	file := want.Write()
	var got Config
	require.NoError(t, got.Read(file))
	require.Equal(t, want, got)
	for _, f := range want.Fields() {
		require.NotEmpty(t, f.Doc, f.Name())
		require.Contains(t, string(file), "# "+f.Doc+"\n"+f.Key+" = ")
	}
}

func TestEveryFieldCanBeSetFromText(t *testing.T) {
	c := Default()
	for _, f := range c.Fields() {
		before := f.String()
		require.NoError(t, f.Set(before), f.Name())
		require.Equal(t, before, f.String())
	}
	require.Equal(t, Default(), c)
}

func TestUnknownKeys(t *testing.T) {
	for _, tc := range []struct{ file, want string }{
		{"[chain]\nrcp = \"x\"\n", "line 2: unknown key chain.rcp"},
		{"[chian]\nrpc = \"x\"\n", "unknown key chian"},
		{"rpc = \"x\"\n", "line 1: unknown key rpc"},
		{"[chain\n", "line 1 is no TOML"},
		{"[chain]\nmax_lag = 30s\n", "line 2: what max_lag is set to is no TOML: everything but numbers, true and false stands in quotes"},
		{"[chain]\nrpc = \"a\"\nrpc = \"b\"\n", "key rpc is already defined"},
	} {
		c := Default()
		require.ErrorContains(t, c.Read([]byte(tc.file)), tc.want)
	}
	c := Default()
	require.ErrorContains(t, c.ReadEnv([]string{"EDGE_WORKER_CHAIN_RCP=x"}), "EDGE_WORKER_CHAIN_RCP")
	require.ErrorContains(t, c.ReadEnv([]string{"EDGE_WORKER_CREDIT_BASE=-x"}), "credit.base")
	require.NoError(t, c.ReadEnv([]string{"EDGE_WORKER_HOME=/x", "EDGE_HOME=/y", "PATH=/bin"}))
	require.ErrorContains(t, c.Read([]byte(strings.Repeat("#", maxFile+1))), "at most")
}

// A value that its key cannot have is named as the file has it, with what the key wants and without a word of Go; so are all of them.
func TestWrongValues(t *testing.T) {
	for file, want := range map[string]string{
		"[chain]\nmax_lag = \"soon\"\n":           `chain.max_lag is "soon", want a duration such as "500ms" or "1h30m"`,
		"[chain]\nmax_lag = 5\n":                  `chain.max_lag is 5, want a duration such as "500ms" or "1h30m"`,
		"[chain]\nrpc = 5\n":                      `chain.rpc is 5, want a text in quotes`,
		"[chain]\nrpc = [\"a\", \"b\"]\n":         `chain.rpc is a list, want a text in quotes`,
		"[chain]\nevents = \"yes\"\n":             `chain.events is "yes", want true or false`,
		"[chain]\nevents = 1\n":                   `chain.events is 1, want true or false`,
		"[chain]\ncache_size = \"many\"\n":        `chain.cache_size is "many", want a whole number`,
		"[chain]\ncache_size = 1.5\n":             `chain.cache_size is 1.5, want a whole number`,
		"[chain]\ncache_size = true\n":            `chain.cache_size is true, want a whole number`,
		"[store]\nmax_bytes = -1\n":               `store.max_bytes is -1, want a whole number from 0 on`,
		"[store]\nmax_bytes = \"64GiB\"\n":        `store.max_bytes is "64GiB", want a whole number from 0 on`,
		"[credit]\nbase = \"much\"\n":             `credit.base is "much", want a whole number`,
		"[gateway]\ncors_origins = [\"*\"]\n":     `gateway.cors_origins is a list, want one text in quotes, with commas between the entries`,
		"[gateway]\nlisten = { host = \"x\" }\n":  `gateway.listen is a section, want a text in quotes`,
		"[gateway]\nlisten = 1979-05-27\n":        `gateway.listen is 1979-05-27, want a text in quotes`,
		"chain = \"x\"\n":                         `chain is "x", want a section: [chain] in a line of its own, and its keys below`,
		"[[store]]\nmax_bytes = 1\n":              `store is a list, want a section: [store] in a line of its own, and its keys below`,
		"[chain]\nrpc = 5\n[log]\nlevel = true\n": "chain.rpc is 5, want a text in quotes\nlog.level is true, want a text in quotes",
	} {
		c := Default()
		require.EqualError(t, c.Read([]byte(file)), want)
		require.Equal(t, Default(), c, "nothing is set")
	}
	c := Default()
	require.NoError(t, c.Read([]byte("credit.base = 5\n[store]\nmax_bytes = 1_000\n")))
	require.EqualValues(t, 5, c.Credit.Base.Int64())
	require.EqualValues(t, 1000, c.Store.MaxBytes)
	for text, want := range map[string]string{
		"chain.cache_size=many": `chain.cache_size is "many", want a whole number`,
		"chain.events=on":       `chain.events is "on", want true or false`,
		"chain.max_lag=5":       `chain.max_lag is "5", want a duration such as "500ms" or "1h30m"`,
	} {
		key, value, _ := strings.Cut(text, "=")
		require.EqualError(t, c.SetAll(map[string]string{key: value}), want)
	}
}

func TestPrecedence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(path, []byte("[chain]\nrpc = \"file\"\nchain_id = \"file\"\nmax_lag = \"1m\"\n[credit]\nbase = \"7\"\n"), 0o600))
	c, err := Load(path,
		[]string{"EDGE_WORKER_CHAIN_RPC=env", "EDGE_WORKER_CHAIN_CHAIN_ID=env", "EDGE_WORKER_STORE_MAX_BYTES=42"},
		map[string]string{"chain.rpc": "flag", "gateway.max_connections": "3"})
	require.NoError(t, err)
	require.Equal(t, "flag", c.Chain.RPC)
	require.Equal(t, "env", c.Chain.ChainID)
	require.Equal(t, time.Minute, c.Chain.MaxLag.Std())
	require.EqualValues(t, 7, c.Credit.Base.Int64())
	require.EqualValues(t, 42, c.Store.MaxBytes)
	require.Equal(t, 3, c.Gateway.MaxConnections)
	require.Equal(t, Default().Rollup, c.Rollup)
	_, err = Load(path, nil, map[string]string{"chain.cache_size": "many"})
	require.ErrorContains(t, err, "chain.cache_size")
	_, err = Load(path+".missing", nil, nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}
