package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/client/chain"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/fetch"
	"github.com/edgechain/edge/client/put"
)

func TestPutRefusesHowManyAtATime(t *testing.T) {
	for _, n := range []string{"0", "5", "-1"} {
		code, _, errOut := edge(t, t.TempDir(), "put", t.TempDir(), "--parallel", n)
		require.Equal(t, 2, code)
		require.Contains(t, errOut, "want 1 to 4")
	}
}

// stuckWorker has nothing. It names another chain, so nobody opens a session, and lets all wait who look for what is not in fails.
type stuckWorker struct {
	*httptest.Server
	fails          content.Name
	waiting, ended atomic.Int32
	asked          sync.Map
}

func newStuckWorker(t *testing.T) *stuckWorker {
	t.Helper()
	w := new(stuckWorker)
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			_, _ = rw.Write([]byte(`{"chain_id": "another-chain-1", "worker_id": 1}`))
			return
		}
		name := strings.TrimPrefix(r.URL.Path, "/b3/")
		w.asked.Store(name, true)
		w.waiting.Add(1)
		if name == w.fails.String() {
			for w.waiting.Load() < 3 {
				time.Sleep(time.Millisecond)
			}
			rw.WriteHeader(http.StatusNotFound)
			return
		}
		<-r.Context().Done()
		w.ended.Add(1)
	}))
	t.Cleanup(w.Close)
	return w
}

// newPutting returns an edge put to a worker, three files at a time, and what it writes to standard error.
func newPutting(t *testing.T, worker, output string) (*putting, *bytes.Buffer, *bytes.Buffer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	p := &plan{workers: []fetch.Worker{{URL: worker, AnyAddress: true}}, denom: "uusd"}
	p.payer = &fetch.Payer{ChainID: "edge-test-1", KeyID: 1, Key: key, LaneDir: t.TempDir(), Chain: new(chain.Client), View: fixedView{}}
	client, err := fetch.New(fetch.Config{}, p.payer)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	cmd, out, errOut := new(cobra.Command), new(bytes.Buffer), new(bytes.Buffer)
	cmd.SetOut(out)
	cmd.SetErr(errOut)
	return &putting{app: &app{output: output}, cmd: cmd, o: &getOptions{parallel: 3}, plan: p, batch: client.Batch()}, out, errOut
}

type fixedView struct{ fixedEpoch }

func (fixedView) Refresh(context.Context) error { return nil }

// filesToPut makes a folder of files and says in which order to upload them.
func filesToPut(t *testing.T, n int) ([]put.File, [][]*put.File) {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d", i)), fmt.Append(nil, "file ", i), 0o600))
	}
	files, err := put.Find(dir, nil)
	require.NoError(t, err)
	require.NoError(t, put.Name(t.Context(), files))
	manifests, err := put.Manifests(t.Context(), dir, files)
	require.NoError(t, err)
	return files, put.Waves(files, manifests)
}

// The first failure is told with its file, ends the uploads that run beside it, and no other begins.
func TestPutEndsWithTheFirstFailure(t *testing.T) {
	files, waves := filesToPut(t, 20)
	w := newStuckWorker(t)
	w.fails = files[1].Name
	u, out, _ := newPutting(t, w.URL, outputJSON)
	err := u.run(t.Context(), waves)
	require.ErrorIs(t, err, fetch.ErrIdentity)
	require.ErrorContains(t, err, files[1].Path+": ")
	rest, closeErr := u.batch.Close(t.Context())
	require.NoError(t, closeErr)
	require.EqualError(t, u.end(t.Context(), rest, err), err.Error(), "nothing was paid")
	require.Eventually(t, func() bool { return w.ended.Load() == 2 }, 5*time.Second, time.Millisecond)
	require.EqualValues(t, 3, w.waiting.Load(), "no other file was looked for")
	_, root := w.asked.Load(waves[len(waves)-1][0].Name.String())
	require.False(t, root)

	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var last struct{ Event, Error string }
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &last))
	require.Equal(t, "error", last.Event)
	require.Contains(t, last.Error, files[1].Path)
}

// Whoever ends the command ends all uploads, also those that wait for their turn, and is told so.
func TestPutIsInterrupted(t *testing.T) {
	_, waves := filesToPut(t, 20)
	w := newStuckWorker(t)
	u, _, _ := newPutting(t, w.URL, outputText)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the user has had enough")
	go func() {
		for w.waiting.Load() < 3 {
			time.Sleep(time.Millisecond)
		}
		cancel(why)
	}()
	require.ErrorIs(t, u.run(ctx, waves), why)
	_, err := u.batch.Close(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 3, w.waiting.Load())
	// Nothing begins any more, and that is no success.
	require.ErrorIs(t, u.run(ctx, waves), why)
}

// What uploads have cost that are not whole is told at the end: the lines about files are of those that are.
func TestPutTellsWhatWasPaidForNothing(t *testing.T) {
	u, out, errOut := newPutting(t, "http://127.0.0.1:1", outputJSON)
	u.show = newPutShow(newDisplay(u.cmd, u.output, u.o, u.plan), nil)
	u.lost.add(fetch.Payment{AcknowledgedBytes: 100, Price: "7"})
	fault := errors.New("no room")
	err := u.end(t.Context(), fetch.Payment{AcknowledgedBytes: 20, Price: "5", Unacknowledged: 3, AckError: "no answer"}, fault)
	require.ErrorIs(t, err, fault)
	require.ErrorContains(t, err, "no room; of uploads that are not whole 120 bytes acknowledged for 12uusd; 3 bytes could not be acknowledged")
	require.Contains(t, errOut.String(), "no answer")
	var last struct {
		Event, Price string
		Acknowledged uint64 `json:"acknowledged_bytes"`
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &last))
	require.Equal(t, "error", last.Event)
	require.Equal(t, "12", last.Price)
	require.EqualValues(t, 120, last.Acknowledged)

	u.lost.add(fetch.Payment{AcknowledgedBytes: 1})
	require.ErrorContains(t, u.end(t.Context(), fetch.Payment{}, fault), "an unknown amount of uusd")
	require.NoError(t, u.end(t.Context(), fetch.Payment{}, nil))
}

// What of a folder is not uploaded is told, whatever becomes of the rest.
func TestPutTellsWhatItLeavesOut(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	for i := range maxLeftOut + 2 {
		require.NoError(t, os.Symlink("file", filepath.Join(dir, fmt.Sprint("link", i))))
	}
	var errOut bytes.Buffer
	args := []string{"put", dir, "--home", t.TempDir(), "--node", "http://127.0.0.1:1"}
	require.Equal(t, exitFailure, runContext(t.Context(), args, nil, io.Discard, &errOut))
	told, _, _ := strings.Cut(errOut.String(), "\n")
	require.Contains(t, told, filepath.Join(dir, "link0")+", ")
	require.Contains(t, told, " and 2 more")
}
