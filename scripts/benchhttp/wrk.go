package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// wrkReport has wrk print its sums as JSON behind a mark.
const wrkReport = `
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('@{"requests":%d,"bytes":%d,"duration":%d,"errors":%d,"p99":%d}\n',
    summary.requests, summary.bytes, summary.duration, e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(99)))
end
`

// load is what the load generator saw.
type load struct {
	// Requests that were answered, and Bytes received, headers and answers that did not end included.
	Requests, Bytes uint64
	// Duration in microseconds.
	Duration uint64
	// Errors of any kind, bad statuses included.
	Errors uint64
	// P99 is the 99th percentile of the time to the end of an answer, in microseconds.
	P99 uint64
}

func (l load) seconds() float64 { return float64(l.Duration) / 1e6 }

// perSecond returns answers per second.
func (l load) perSecond() float64 { return float64(l.Requests) / l.seconds() }

// mbPerSecond returns megabytes per second.
func (l load) mbPerSecond() float64 { return float64(l.Bytes) / 1e6 / l.seconds() }

// answers returns what an address answers, if it is not 200.
func answers(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	return errors.Join(fmt.Errorf("%s: %s: %s", url, res.Status, text), err)
}

// generate has wrk ask for an address over a number of connections from the core of the load.
func (s *stage) generate(ctx context.Context, url string, connections int, duration time.Duration, script string, args ...string) (load, error) {
	path := filepath.Join(s.dir, "load.lua")
	if err := os.WriteFile(path, []byte(script+wrkReport), 0o600); err != nil {
		return load{}, err
	}
	args = append([]string{
		"-c", strconv.Itoa(s.loadCPU), s.tools.wrk, "--threads", "1", "--connections", strconv.Itoa(connections),
		"--duration", strconv.Itoa(int(duration.Seconds())) + "s", "--timeout", "60s", "--script", path, url, "--",
	}, args...)
	out, err := exec.CommandContext(ctx, s.tools.taskset, args...).CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	_, doc, _ := bytes.Cut(out, []byte("\n@"))
	var l load
	if err := json.Unmarshal(doc, &l); err != nil {
		return l, fmt.Errorf("wrk: %w: %s", err, out)
	}
	if l.Errors > 0 || l.Bytes == 0 {
		// What is wrong mostly shows in any further answer.
		return l, errors.Join(fmt.Errorf("wrk got %d answers and %d errors from %s: %s", l.Requests, l.Errors, url, out), answers(ctx, url))
	}
	return l, nil
}
