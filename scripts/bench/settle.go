package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	// settleClients is how many clients there are, so that the state is not tiny.
	settleClients = 20_000
	// settleBlocks are measured for each size of message, after one block that warms up.
	settleBlocks = 5
	// settleAcks is how many acknowledgements a block holds at most; the block's gas may allow fewer.
	settleAcks = 9_000
)

// benchSettle measures acknowledgements per second of FinalizeBlock and Commit. Each is for one request more on a lane. The
// baseline settles each request by a transaction of its own.
func benchSettle(ctx context.Context) (_ []result, err error) {
	dir, err := os.MkdirTemp("", "edge-bench-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := newBenchChain(dir, settleClients)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()

	// The first is the baseline. All take turns, so that a noisy neighbour hits all.
	sizes := []int{1, 1, 100, 1_000}
	rates := make([][]float64, len(sizes))
	for round := range settleBlocks + 1 {
		for i, perMsg := range sizes {
			rate, err := c.fill(ctx, perMsg)
			if err != nil {
				return nil, fmt.Errorf("per_msg=%d: %w", perMsg, err)
			}
			if round > 0 { // the first block opens the lanes
				rates[i] = append(rates[i], rate)
			}
		}
	}
	var results []result
	for i, perMsg := range sizes[1:] {
		results = append(results, more(fmt.Sprintf("settle/per_msg=%d", perMsg), median(rates[i+1]), "acks/s", median(rates[0])))
	}
	return results, nil
}

// fill executes and commits a block full of settlements of perMsg acknowledgements each and returns how many
// acknowledgements that makes in a second.
func (c *benchChain) fill(ctx context.Context, perMsg int) (float64, error) {
	var settlements []settlement
	var txs [][]byte
	acks, gas := 0, uint64(0)
	for acks < settleAcks {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		s, err := c.settle(ctx, c.spread(perMsg, acks), 1)
		if err != nil {
			return 0, err
		}
		if gas+s.gas > uint64(c.maxGas) {
			c.seq-- // it does not fit any more; its clients' counters may run ahead of what is settled
			break
		}
		gas += s.gas
		acks += s.acks
		settlements, txs = append(settlements, s), append(txs, s.tx)
	}
	if len(txs) == 0 {
		return 0, errors.New("not one settlement fits into a block")
	}
	began := time.Now()
	results, err := c.block(txs)
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	if err := paid(settlements, results); err != nil {
		return 0, err
	}
	return float64(acks) / took.Seconds(), nil
}

// spread picks count clients from all over the range of ids, ascending, another set for each offset.
func (c *benchChain) spread(count, offset int) []*benchClient {
	picked := make([]*benchClient, count)
	step := len(c.clients) / count
	for i := range picked {
		picked[i] = &c.clients[(i*step+(offset*7919)%step)%len(c.clients)]
	}
	return picked
}
