package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/chain"
)

// TestIdentityWithGrants makes a worker whose hot key acts for another account, and reads the commands that are printed for it. That
// they work on a chain is tested end to end.
func TestIdentityWithGrants(t *testing.T) {
	enc, err := chain.NewEncoding()
	require.NoError(t, err)
	raw := bytes.Repeat([]byte{7}, 20)
	operator, err := enc.Operators.BytesToString(raw)
	require.NoError(t, err)
	cold, err := enc.Addresses.BytesToString(bytes.Repeat([]byte{9}, 20))
	require.NoError(t, err)
	account, err := enc.Addresses.BytesToString(raw)
	require.NoError(t, err)

	c := newCLI(t)
	c.fails(exitUsage, "granter", "init", "--chain-id", "edge-test", "--rpc", deadRPC, "--keyring-backend", "test", "--granter", "cosmos1x")
	require.NoFileExists(t, filepath.Join(c.home, "config.toml"), "nothing is made")
	out := c.ok("init", "--chain-id", "edge-test", "--rpc", deadRPC, "--keyring-backend", "test", "--granter", cold)
	require.Contains(t, out, "It needs no coins")
	config, err := os.ReadFile(filepath.Join(c.home, "config.toml"))
	require.NoError(t, err)
	for _, key := range []string{"granter", "fee_granter"} {
		require.Regexp(t, `(?m)^`+key+` = "`+cold+`"$`, string(config))
	}

	identify := func(args ...string) (id identity) {
		t.Helper()
		require.NoError(t, json.Unmarshal([]byte(c.ok(append([]string{"identity", "--operator", operator, "--output", "json"}, args...)...)), &id))
		return id
	}
	before := time.Now()
	id := identify("--fee-limit", "70uedge", "--grant-days", "3")
	require.Equal(t, cold, id.Account)
	require.NotEmpty(t, id.Key)
	require.NotEqual(t, cold, id.Key)
	require.Contains(t, id.Command, " "+cold+" --from "+account+" ", "the operator registers the account that grants")
	require.Len(t, id.Grants, 3)
	for i, msg := range []string{"/edge.dack.v1.MsgSettle", "/edge.node.v1.MsgReport"} {
		require.Contains(t, id.Grants[i], "edged tx authz grant "+id.Key+" generic --msg-type "+msg+" --expiration ")
	}
	require.Contains(t, id.Grants[2], "edged tx feegrant grant "+cold+" "+id.Key+" --period 86400 --period-limit 70uedge --expiration ")
	require.Contains(t, id.Grants[2], "--allowed-messages /cosmos.authz.v1beta1.MsgExec ")
	for _, grant := range id.Grants {
		require.Contains(t, grant, " --from "+cold+" --chain-id edge-test ")
		require.NotContains(t, grant, "--spend-limit", "a limit in all would end the fees some day")
	}
	seconds, err := strconv.ParseInt(regexp.MustCompile(`--expiration (\d+)`).FindStringSubmatch(id.Grants[0])[1], 10, 64)
	require.NoError(t, err)
	text := regexp.MustCompile(`--expiration (\S+Z)`).FindStringSubmatch(id.Grants[2])[1]
	ends, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	require.Equal(t, seconds, ends.Unix(), "all end together")
	require.WithinRange(t, ends, before.Add(3*24*time.Hour-time.Second), time.Now().Add(3*24*time.Hour))

	printed := c.ok("identity", "--operator", operator)
	require.Contains(t, printed, "Let the hot key "+id.Key+" settle for that account, and nothing else:")
	require.Equal(t, 3, strings.Count(printed, "\n  edged tx authz")+strings.Count(printed, "\n  edged tx feegrant"))

	// Fees alone: the key acts for itself.
	id = identify("--keys.granter=")
	require.Equal(t, id.Key, id.Account)
	require.Len(t, id.Grants, 1)
	require.Contains(t, id.Grants[0], "--allowed-messages /edge.dack.v1.MsgSettle,/edge.node.v1.MsgReport ")
	// And without anything there is nothing to grant.
	id = identify("--keys.granter=", "--keys.fee_granter=")
	require.Empty(t, id.Grants)
	require.Empty(t, id.Key)

	c.fails(exitUsage, "--fee-limit", "identity", "--operator", operator, "--fee-limit", "0uedge")
	c.fails(exitUsage, "--fee-limit", "identity", "--operator", operator, "--fee-limit", "much")
	c.fails(exitUsage, "--grant-days", "identity", "--operator", operator, "--grant-days", "0")
}
