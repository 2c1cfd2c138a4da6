package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/edgechain/edge/client/content"
)

const (
	baoSize = 64 << 20
	// wantBao is what one core has to serve or verify, in MB/s.
	wantBao = 1_000
)

// benchBao measures the verified stream: what the worker serves from its core, and what this process verifies of it on one.
func benchBao(ctx context.Context, s *stage) ([]result, error) {
	o, err := s.add(ctx, "bao-64MiB", baoSize)
	if err != nil {
		return nil, err
	}
	name, err := content.ParseName(o.name)
	if err != nil {
		return nil, err
	}
	slice, err := s.download(ctx, o.worker+"?format=bao")
	if err != nil {
		return nil, err
	}
	if want := content.SliceSize(baoSize, 0, content.ToEnd); uint64(len(slice)) != want {
		return nil, fmt.Errorf("a slice of %d bytes, want %d", len(slice), want)
	}
	pid, err := readPID(s.workerPID())
	if err != nil {
		return nil, err
	}
	var served measured
	var verified []float64
	for range s.rounds {
		if err := s.round(ctx, &served, o.worker+"?format=bao", pid, baoSize, false); err != nil {
			return nil, err
		}
		began := time.Now()
		size, err := content.DecodeSlice(io.Discard, bytes.NewReader(slice), name, 0, content.ToEnd, content.MaxSize)
		took := time.Since(began)
		if err != nil || size != baoSize {
			return nil, errors.Join(fmt.Errorf("decoded %d bytes", size), err)
		}
		verified = append(verified, baoSize/1e6/took.Seconds())
	}
	return []result{
		more("bao/serve", median(served.speed), "MB/s", wantBao),
		less("bao/serve/cpu", median(served.cpu), "us/MB", 1e6/wantBao),
		more("bao/verify", median(verified), "MB/s", wantBao),
	}, nil
}

// download returns an answer.
func (s *stage) download(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, res.Status)
	}
	return io.ReadAll(res.Body)
}
