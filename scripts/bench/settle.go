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

// benchSettle measures acknowledgements per second of FinalizeBlock and Commit. Each acknowledgement stands for
// requestsPerLane requests, except in the baseline, where each request is settled by a transaction of its own.
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

	baseline, err := c.rate(ctx, 1)
	if err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	var results []result
	for _, perMsg := range []int{1, 100, 1_000} {
		rate, err := c.rate(ctx, perMsg)
		if err != nil {
			return nil, fmt.Errorf("per_msg=%d: %w", perMsg, err)
		}
		results = append(results, more(fmt.Sprintf("settle/per_msg=%d", perMsg), rate, "acks/s", baseline))
	}
	return results, nil
}

// rate fills blocks with settlements of perMsg acknowledgements each and returns how many acknowledgements are executed and
// committed in a second, the median over the blocks.
func (c *benchChain) rate(ctx context.Context, perMsg int) (float64, error) {
	var rates []float64
	for b := range settleBlocks + 1 {
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
		if b > 0 { // the first block warms caches up and opens the lanes
			rates = append(rates, float64(acks)/took.Seconds())
		}
	}
	return median(rates), nil
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
