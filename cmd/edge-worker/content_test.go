package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// addText adds a file with a text and returns its name.
func (c *cli) addText(text string, flags ...string) string {
	c.t.Helper()
	file := filepath.Join(c.t.TempDir(), "file")
	require.NoError(c.t, os.WriteFile(file, []byte(text), fileMode))
	var doc addedDoc
	require.NoError(c.t, json.Unmarshal([]byte(c.ok(append([]string{"add", file, "--output", "json"}, flags...)...)), &doc))
	return doc.Name
}

// state returns the state of each object by name.
func (c *cli) states(flags ...string) map[string]string {
	c.t.Helper()
	states := map[string]string{}
	for line := range strings.Lines(c.ok(append([]string{"content", "ls", "--output", "json"}, flags...)...)) {
		var doc contentDoc
		require.NoError(c.t, json.Unmarshal([]byte(line), &doc))
		states[doc.Name] = doc.State
	}
	return states
}

// checkContent runs the commands for content.
func checkContent(t *testing.T, c *cli) {
	t.Helper()
	kept, cached := c.addText("kept"), c.addText("cached", "--unpinned")
	require.Equal(t, map[string]string{kept: statePinned, cached: stateEvictable}, c.states())
	require.Equal(t, map[string]string{cached: stateEvictable}, c.states("--state", "evictable"))
	require.Regexp(t, "^"+kept+"  evictable  4  20[0-9-]+T[0-9:]+Z\n$", c.ok("unpin", kept))
	require.Equal(t, 2, strings.Count(c.ok("pin", kept, cached), "  pinned  "))
	require.Equal(t, map[string]string{kept: statePinned, cached: statePinned}, c.states())
	require.Contains(t, c.ok("content", "rm", kept), kept+"  removed")
	require.Equal(t, map[string]string{cached: statePinned}, c.states())

	missing := strings.Repeat("ab", 32)
	c.fails(exitFailure, "no such content", "pin", missing)
	c.fails(exitFailure, "no such content", "content", "rm", kept)
	code, out, errOut := c.run("unpin", missing, cached)
	require.Equal(t, exitFailure, code)
	require.Contains(t, out, cached+"  evictable", "one that fails does not keep the others from it")
	require.Contains(t, errOut, missing)
	c.fails(exitUsage, "name", "pin", "xyz")
	c.fails(exitUsage, "", "pin")
	c.fails(exitUsage, "--state", "content", "ls", "--state", "lost")
	c.ok("content", "rm", cached)
	require.Empty(t, c.ok("content", "ls"))
}

func TestContentOfAStoppedWorker(t *testing.T) {
	c := newCLI(t)
	c.init()
	checkContent(t, c)
}

func TestContentOfARunningWorker(t *testing.T) {
	c := newCLI(t)
	c.init()
	_, admin, stop := c.start()
	c.env = []string{"EDGE_WORKER_GATEWAY_ADMIN_LISTEN=" + admin}
	checkContent(t, c)
	for _, path := range []string{pathContent, pathContent + "?after=x"} {
		status, _ := get(t, "http://"+admin+path)
		require.Equal(t, http.StatusForbidden, status)
	}
	client := &adminClient{base: "http://" + admin, http: http.DefaultClient}
	var err error
	client.token, err = home(c.home).readToken()
	require.NoError(t, err)
	var into any
	require.ErrorContains(t, client.get(t.Context(), pathContent+"?after=x", &into), "name")
	require.ErrorContains(t, client.post(t.Context(), pathContent+"/"+strings.Repeat("ab", 32)+"/burn", http.NoBody, &into), "no change of content")
	require.ErrorContains(t, client.post(t.Context(), pathContent+"/xyz/pin", http.NoBody, &into), "name")
	require.ErrorContains(t, client.post(t.Context(), pathObjects+"?pinned=maybe", http.NoBody, &into), "pinned")
	exit, said := stop()
	require.Zero(t, exit, said)
}
