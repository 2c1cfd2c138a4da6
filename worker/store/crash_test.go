package store

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/client/content"
)

// envCrash has the folder of the store of a process that is killed, and how.
const envCrash = "EDGE_STORE_TEST_CRASH"

// TestMain runs the process that the crash tests kill.
func TestMain(m *testing.M) {
	if how := os.Getenv(envCrash); how != "" {
		dir, at, _ := strings.Cut(how, "|")
		if err := victim(dir, at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func crashConfig(dir string) Config { return testConfig(dir, 3*diskSize(40_000)) }

// victim works on a store and says what it was told. With a number it kills itself before that change of the disk, else it
// goes on until it is killed.
func victim(dir, at string) error {
	d := &testDisk{}
	var out sync.Mutex
	say := func(format string, args ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	switch at {
	case "":
		return endlessVictim(dir, say)
	case "upload":
		return uploadVictim(dir, say)
	}
	last, err := strconv.Atoi(at)
	if err != nil {
		return err
	}
	d.before = func(_ string, n int) error {
		if n == last {
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		return nil
	}
	s, err := openOn(crashConfig(dir), quiet(), d)
	if err != nil {
		return err
	}
	ctx := context.Background()
	pinned, err := s.AddPinned(ctx, bytes.NewReader(some(1, 30_000)))
	if err != nil {
		return err
	}
	say("pinned %s", pinned.Name)
	for i := range 4 { // the third makes the first go
		if _, err := s.Add(ctx, bytes.NewReader(some(10+i, 40_000))); err != nil {
			return err
		}
	}
	say("unpinning %s", pinned.Name)
	if err := s.Unpin(pinned.Name); err != nil {
		return err
	}
	if err := s.Pin(pinned.Name); err != nil {
		return err
	}
	say("pinned %s", pinned.Name)
	up, err := s.AddUpload(ctx, Upload{Size: 9_000, Hold: Hold{4, 8}}, bytes.NewReader(some(2, 9_000)))
	if err != nil {
		return err
	}
	say("held %s", up.Name)
	say("deleting %s", up.Name)
	if err := s.Delete(up.Name); err != nil {
		return err
	}
	say("deleted %s", up.Name)
	s.rewriteIndex()
	if err := s.Close(); err != nil {
		return err
	}
	say("done")
	return nil
}

// endlessVictim adds, evicts, pins and deletes in parallel for ever, on the real disk.
func endlessVictim(dir string, say func(string, ...any)) error {
	s, err := openOn(crashConfig(dir), quiet(), osDisk{})
	if err != nil {
		return err
	}
	var tasks sync.WaitGroup
	for task := range 3 {
		tasks.Go(func() {
			for i := 0; ; i++ {
				a, err := s.Add(context.Background(), bytes.NewReader(some(task*1000+i%20, 20_000)))
				if err != nil {
					continue // the others have everything pinned
				}
				if i%5 == 0 && s.Pin(a.Name) == nil {
					say("pinned %s", a.Name)
					say("unpinning %s", a.Name)
					_ = s.Unpin(a.Name)
				}
				say("added %s", a.Name)
			}
		})
	}
	tasks.Wait()
	return nil
}

// run runs a victim until it ends, or has said so many lines, and returns what it said.
func runVictim(t *testing.T, dir, at string, lines int) (said []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envCrash+"="+dir+"|"+at)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	in := bufio.NewScanner(out)
	for in.Scan() {
		said = append(said, in.Text())
		if len(said) == lines {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait() // it was killed
	require.Empty(t, stderr.String())
	return said
}

// requirePromises opens the store that a killed process left, and checks what it had said.
func requirePromises(t *testing.T, dir string, said []string) {
	t.Helper()
	s := mustOpen(t, crashConfig(dir), &testDisk{})
	requireSound(t, s)
	last := map[string]string{}
	for _, line := range said {
		if what, name, ok := strings.Cut(line, " "); ok {
			last[name] = what
		}
	}
	for text, what := range last {
		name, err := content.ParseName(text)
		require.NoError(t, err)
		e, err := s.Lookup(name)
		switch what {
		case "pinned":
			require.NoError(t, err, said)
			require.True(t, e.Pinned, said)
		case "held":
			require.NoError(t, err, said)
			require.Equal(t, []Hold{{4, 8}}, e.Holds, said)
		case "deleted":
			require.ErrorIs(t, err, ErrNotFound, said)
		}
	}
	// It goes on as if nothing had been.
	_, err := s.Add(t.Context(), bytes.NewReader(some(5000, 40_000)))
	require.NoError(t, err)
	requireSound(t, s)
	require.NoError(t, s.Close())
}

// TestKilledAtEveryStep kills a process before each change that it makes of the disk. (A testDisk does not wait for the disk,
// which a killed process does not need: what it wrote is in the hands of the kernel.)
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts many processes")
	}
	for at := 0; ; at++ {
		dir := t.TempDir()
		said := runVictim(t, dir, strconv.Itoa(at), 0)
		requirePromises(t, dir, said)
		if len(said) > 0 && said[len(said)-1] == "done" {
			require.Greater(t, at, 50, "the process changes the disk more often")
			break
		}
	}
}

// TestKilledInTheMiddle kills a process that adds, evicts and pins in parallel, again and again on the same store.
func TestKilledInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	for round := range 5 {
		said := runVictim(t, dir, "", 20+13*round)
		require.NotEmpty(t, said)
		requirePromises(t, dir, said)
	}
}
