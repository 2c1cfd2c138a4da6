package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// lanesPerMessage is how many lanes a settlement carries, each of a client of its own.
const lanesPerMessage = 1_000

// benchBytes counts what a settled request leaves on the chain: its part of the transaction in the block and of the lane's
// record in the state.
func benchBytes(ctx context.Context) (_ []result, err error) {
	dir, err := os.MkdirTemp("", "edge-bench-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	perLane := []uint64{1, 100, 10_000}
	c, err := newBenchChain(dir, 1+len(perLane)*lanesPerMessage)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()

	next := 0
	cost := func(clients int, requests uint64) (float64, error) {
		var fresh []*benchClient
		for range clients {
			fresh = append(fresh, &c.clients[next])
			next++
		}
		before := c.laneBytes()
		s, err := c.settle(ctx, fresh, requests)
		if err != nil {
			return 0, err
		}
		res, err := c.block([][]byte{s.tx})
		if err != nil {
			return 0, err
		}
		if err := paid([]settlement{s}, res); err != nil {
			return 0, err
		}
		grown := c.laneBytes() - before
		if grown <= 0 {
			return 0, errors.New("the state has no new lane")
		}
		return float64(len(s.tx)+grown) / float64(requests*uint64(clients)), nil
	}

	single, err := cost(1, 1)
	if err != nil {
		return nil, err
	}
	var results []result
	for _, requests := range perLane {
		bytes, err := cost(lanesPerMessage, requests)
		if err != nil {
			return nil, err
		}
		results = append(results, less(fmt.Sprintf("bytes_per_request/lane=%d", requests), bytes, "bytes/request", single))
	}
	return results, nil
}

// laneBytes adds up keys and values of the records of lanes.
func (c *benchChain) laneBytes() int {
	from := dacktypes.LanesPrefix.Bytes()
	to := append(append([]byte{}, from[:len(from)-1]...), from[len(from)-1]+1)
	it := c.app.CommitMultiStore().GetKVStore(c.app.StoreKey(dacktypes.StoreKey)).Iterator(from, to)
	defer it.Close()
	sum := 0
	for ; it.Valid(); it.Next() {
		sum += len(it.Key()) + len(it.Value())
	}
	return sum
}
