package cmd_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/cmd/edged/cmd"
)

func run(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = cmd.Main(args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestErrorsAreOneLine(t *testing.T) {
	const home = "HOME"
	for name, tt := range map[string]struct {
		args []string
		code int
	}{
		"unknown command":              {[]string{"frobnicate", home}, 2},
		"unknown command of a group":   {[]string{"query", "frobnicate", home}, 2},
		"unknown flag":                 {[]string{"init", "x", "--frobnicate", home}, 2},
		"missing argument":             {[]string{"init", home}, 2},
		"no chain id":                  {[]string{"init", "x", home}, 1},
		"staking coin as settlement":   {[]string{"init", "x", "--chain-id=a-1", "--settlement-denom=uedge", home}, 1},
		"bad settlement coin":          {[]string{"init", "x", "--chain-id=a-1", "--settlement-denom=?", home}, 1},
		"short epoch in production":    {[]string{"init", "x", "--chain-id=a-1", "--epoch-duration=60s", home}, 1},
		"unknown key":                  {[]string{"keys", "show", "nobody", "--keyring-backend=test", home}, 1},
		"height of the first block":    {[]string{"init", "x", "--chain-id=a-1", "--initial-height=0", home}, 1},
		"duration that does not parse": {[]string{"init", "x", "--epoch-duration=1", home}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			tt.args[len(tt.args)-1] = "--home=" + t.TempDir()
			code, stdout, stderr := run(tt.args...)
			require.Equal(t, tt.code, code, stderr)
			require.Empty(t, stdout)
			require.True(t, strings.HasPrefix(stderr, "edged: "), stderr)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		})
	}
}

func TestInit(t *testing.T) {
	home := t.TempDir()
	args := []string{"init", "one", "--chain-id=edge-local-1", "--settlement-denom=utest", "--development", "--epoch-duration=60s", "--home=" + home}
	code, stdout, stderr := run(args...)
	require.Zero(t, code, stderr)
	var info struct {
		ChainID string `json:"chain_id"`
		NodeID  string `json:"node_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &info))
	require.Equal(t, "edge-local-1", info.ChainID)
	require.Len(t, info.NodeID, 40)

	file := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(home, "config", name))
		require.NoError(t, err)
		return string(raw)
	}
	for _, want := range []string{`"settlement_denom": "utest"`, `"development": true`, `"duration": "60s"`, `"max_gas": "40000000"`, `"max_bytes": "4194304"`, `"bond_denom": "uedge"`} {
		require.Contains(t, file("genesis.json"), want)
	}
	for _, want := range []string{
		`minimum-gas-prices = "0.0025uedge"`, `query-gas-limit = "50000000"`, `app-db-backend = "pebbledb"`, "enabled-unsafe-cors = false",
		"inter-block-cache = false", "iavl-disable-fastnode = true", "record-cache-bytes = 1073741824",
	} {
		require.Contains(t, file("app.toml"), want)
	}
	for _, want := range []string{`timeout_commit = "900ms"`, "cors_allowed_origins = []", `pprof_laddr = "localhost:6060"`, `laddr = "tcp://127.0.0.1:26657"`} {
		require.Contains(t, file("config.toml"), want)
	}

	code, _, stderr = run("genesis", "validate", "--home="+home)
	require.Zero(t, code, stderr)
	code, _, stderr = run(args...)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "--overwrite")
}

func TestKeys(t *testing.T) {
	flags := []string{"--keyring-backend=test", "--home=" + t.TempDir()}
	keys := func(args ...string) (int, string, string) {
		return run(append(append([]string{"keys"}, args...), flags...)...)
	}
	code, stdout, stderr := keys("add", "op", "--output=json")
	require.Zero(t, code, stderr)
	var key struct{ Name, Address, Mnemonic string }
	require.NoError(t, json.Unmarshal([]byte(stdout), &key))
	require.True(t, strings.HasPrefix(key.Address, "edge1"))
	require.Len(t, strings.Fields(key.Mnemonic), 24)

	code, stdout, _ = keys("show", "op", "--address")
	require.Zero(t, code)
	require.Equal(t, key.Address+"\n", stdout)
	code, stdout, _ = keys("show", "op", "-a", "--bech=val")
	require.Zero(t, code)
	require.True(t, strings.HasPrefix(stdout, "edgevaloper1"))
	code, _, _ = keys("show", "op", "-a", "--bech=nothing")
	require.Equal(t, 1, code)

	code, _, _ = keys("add", "op")
	require.Equal(t, 1, code, "a key is not replaced")
	code, stdout, _ = keys("list", "--output=json")
	require.Zero(t, code)
	require.NotContains(t, stdout, "mnemonic")
	code, _, stderr = keys("delete", "op", "--yes")
	require.Zero(t, code, stderr)
	code, _, _ = keys("show", "op")
	require.Equal(t, 1, code)
}
