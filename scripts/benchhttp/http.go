package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// connections of the load generator.
const connections = 32

// httpSizes are the sizes of the objects. Small ones are counted in requests, large ones in bytes.
var httpSizes = []struct {
	label string
	size  int64
	small bool
}{
	{"1KiB", 1 << 10, true}, {"16KiB", 16 << 10, true}, {"256KiB", 256 << 10, false}, {"1MiB", 1 << 20, false}, {"64MiB", 64 << 20, false},
}

// measured are the rounds of one server.
type measured struct {
	speed, cpu []float64
	p99        []float64
}

// benchHTTP compares the worker with nginx for plain content. Besides the speed, which can be the load generator's, it
// compares the time that the servers spent on their core.
func benchHTTP(ctx context.Context, s *stage) ([]result, error) {
	pid, err := readPID(s.workerPID())
	if err != nil {
		return nil, err
	}
	var results []result
	for _, c := range httpSizes {
		if len(s.sizes) > 0 && !slices.Contains(s.sizes, c.label) {
			continue
		}
		o, err := s.add(ctx, c.label, c.size)
		if err != nil {
			return nil, err
		}
		var ours, theirs measured
		for round := range s.rounds {
			pairs := []struct {
				m   *measured
				url string
				pid int
			}{{&theirs, o.nginx, s.nginx.pid}, {&ours, o.worker, pid}}
			if round%2 == 1 {
				slices.Reverse(pairs)
			}
			for _, p := range pairs {
				if err := s.round(ctx, p.m, p.url, p.pid, o.size, c.small); err != nil {
					return nil, err
				}
			}
		}
		unit, per := "MB/s", "us/MB"
		if c.small {
			unit, per = "requests/s", "us/request"
		}
		results = append(results,
			more("http/"+c.label, median(ours.speed), unit, median(theirs.speed)),
			less("http/"+c.label+"/cpu", median(ours.cpu), per, median(theirs.cpu)))
		if c.small { // few large answers come to their end in a round
			results = append(results, less("http/"+c.label+"/p99", median(ours.p99), "us", median(theirs.p99)))
		}
		if s.profiles != "" {
			if err := s.profile(ctx, c.label, func(ctx context.Context) error {
				_, err := s.generate(ctx, o.worker, connections, s.duration+time.Second, "")
				return err
			}); err != nil {
				return nil, err
			}
		}
	}
	return results, nil
}

// round measures a server once.
func (s *stage) round(ctx context.Context, m *measured, url string, pid int, size int64, small bool) error {
	before, err := processTime(pid)
	if err != nil {
		return err
	}
	l, err := s.generate(ctx, url, connections, s.duration, "")
	if err != nil {
		return err
	}
	after, err := processTime(pid)
	if err != nil {
		return err
	}
	if l.Bytes < l.Requests*uint64(size) {
		return fmt.Errorf("%s: %d bytes in %d answers of %d", url, l.Bytes, l.Requests, size)
	}
	used := float64((after - before).Microseconds())
	m.p99 = append(m.p99, float64(l.P99))
	if small {
		m.speed, m.cpu = append(m.speed, l.perSecond()), append(m.cpu, used/float64(l.Requests))
	} else {
		m.speed, m.cpu = append(m.speed, l.mbPerSecond()), append(m.cpu, used*1e6/float64(l.Bytes))
	}
	return nil
}

// profile writes where the worker spends its time under a load.
func (s *stage) profile(ctx context.Context, label string, load func(context.Context) error) (err error) {
	if err := os.MkdirAll(s.profiles, 0o755); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(s.profiles, label+".prof"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, s.duration+time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- load(ctx) }()
	url := fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/profile?seconds=%s", s.net.Ports.WorkerAdmin, strconv.Itoa(int(s.duration.Seconds())))
	err = func() (err error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, res.Body.Close()) }()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("profile: %s", res.Status)
		}
		_, err = io.Copy(file, res.Body)
		return err
	}()
	return errors.Join(err, <-done)
}
