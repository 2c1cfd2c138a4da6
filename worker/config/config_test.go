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
		{"[chain]\nmax_lag = \"soon\"\n", `line 2: toml: "soon" is no duration`},
		{"[chain]\nmax_lag = 5\n", "line 2"},
		{"[credit]\nbase = \"much\"\n", "line 2"},
		{"[chain\n", "line 1"},
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
