package cmd_test

import (
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/app/beaconkey"
	"github.com/edgechain/edge/x/epoch/beacon"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// registration is the message as the command line writes it.
type registration struct {
	Type     string `json:"@type"`
	Operator string
	PubKey   []byte `json:"pub_key"`
	Proof    []byte
}

// requireProven checks that a message is a registration of a key for an operator on a chain.
func requireProven(t *testing.T, m registration, key beacon.Key, chainID, operator string) {
	t.Helper()
	require.Equal(t, sdk.MsgTypeURL(&epochtypes.MsgRegisterBeaconKey{}), m.Type)
	require.Equal(t, operator, m.Operator)
	require.Equal(t, key.PubKey(), m.PubKey)
	address, err := sdk.ValAddressFromBech32(operator)
	require.NoError(t, err)
	require.NoError(t, beacon.CheckProof(m.PubKey, m.Proof, chainID, address))
}

func TestBeaconKeys(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, "config", beaconkey.FileName)
	at := func(args ...string) (int, string, string) { return run(append(args, "--home="+home)...) }
	ok := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := at(args...)
		require.Zero(t, code, stderr)
		keys, err := beaconkey.Load(path)
		require.NoError(t, err)
		for _, k := range keys {
			require.NotContains(t, stdout+stderr, hex.EncodeToString(k.Bytes()), "a private key is never printed")
		}
		return strings.TrimSpace(stdout)
	}

	code, _, stderr := at("beacon-key", "show")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, beaconkey.FileName)

	var made struct {
		BeaconPubKey string `json:"beacon_pub_key"`
	}
	require.NoError(t, json.Unmarshal([]byte(ok("init", "one", "--chain-id=edge-t-1")), &made))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	var shown struct {
		File    string
		PubKeys []string `json:"pub_keys"`
	}
	require.NoError(t, json.Unmarshal([]byte(ok("beacon-key", "show")), &shown))
	require.Equal(t, path, shown.File)
	require.Equal(t, []string{made.BeaconPubKey}, shown.PubKeys)

	// A genesis that is made anew keeps the key.
	var again struct {
		BeaconPubKey string `json:"beacon_pub_key"`
	}
	require.NoError(t, json.Unmarshal([]byte(ok("init", "one", "--chain-id=edge-t-1", "--overwrite")), &again))
	require.Equal(t, made, again)

	var added struct {
		PubKey string `json:"pub_key"`
	}
	require.NoError(t, json.Unmarshal([]byte(ok("beacon-key", "add")), &added))
	require.NoError(t, json.Unmarshal([]byte(ok("beacon-key", "show")), &shown))
	require.Equal(t, []string{made.BeaconPubKey, added.PubKey}, shown.PubKeys)

	keys, err := beaconkey.Load(path)
	require.NoError(t, err)
	ok("keys", "add", "operator", "--keyring-backend=test", "--output=json")
	operator := ok("keys", "show", "operator", "--address", "--bech=val", "--keyring-backend=test")
	var m registration
	require.NoError(t, json.Unmarshal([]byte(ok("beacon-key", "prove", operator, "--chain-id=edge-t-2")), &m))
	requireProven(t, m, keys[1], "edge-t-2", operator)
	require.NoError(t, json.Unmarshal([]byte(ok("beacon-key", "prove", operator, "--chain-id=edge-t-2", "--pub-key="+made.BeaconPubKey)), &m))
	requireProven(t, m, keys[0], "edge-t-2", operator)

	// The transaction, as far as it goes without a chain.
	register := []string{"tx", "epoch", "register-beacon-key", "--from=operator", "--keyring-backend=test", "--chain-id=edge-t-2", "--generate-only"}
	var tx struct {
		Body struct{ Messages []registration }
	}
	require.NoError(t, json.Unmarshal([]byte(ok(register...)), &tx))
	require.Len(t, tx.Body.Messages, 1)
	requireProven(t, tx.Body.Messages[0], keys[1], "edge-t-2", operator)
	elsewhere := filepath.Join(t.TempDir(), "key.json")
	other, err := beaconkey.Create(elsewhere)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal([]byte(ok(append(register, "--key-file="+elsewhere)...)), &tx))
	requireProven(t, tx.Body.Messages[0], other, "edge-t-2", operator)

	for name, args := range map[string][]string{
		"no chain id":      {"beacon-key", "prove", operator, "--chain-id="},
		"unknown pub key":  {"beacon-key", "prove", operator, "--chain-id=a", "--pub-key=00"},
		"no operator":      {"beacon-key", "prove", "someone", "--chain-id=a"},
		"missing key file": append(register, "--key-file=/nowhere"),
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := at(args...)
			require.Equal(t, 1, code)
			require.Empty(t, stdout)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		})
	}
	require.NoError(t, os.Chmod(path, 0o640))
	code, _, stderr = at("beacon-key", "show")
	require.Equal(t, 1, code, "a key that others can read is refused")
	require.Contains(t, stderr, beaconkey.FileName)
}

func TestCommandGroupKeepsGeneratedCommands(t *testing.T) {
	for _, args := range [][]string{
		{"tx", "epoch", "retry-item", "--help"},
		{"tx", "epoch", "register-beacon-key", "--help"},
		{"query", "epoch", "validator-set", "--help"},
	} {
		code, stdout, stderr := run(append(args, "--home="+t.TempDir())...)
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, args[2])
	}
}
