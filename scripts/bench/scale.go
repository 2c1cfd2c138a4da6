package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

const (
	// scaleBlocks are measured after those that warm up, so that each worker has its turn.
	scaleBlocks = 60
	scaleWarmUp = 120
	// scaleGoal is how many acknowledgements a second there should be with a million lanes and accounts.
	scaleGoal = 8_000
)

// withScaleChain runs f on a chain in a folder of its own.
func withScaleChain(options scaleOptions, f func(c *scaleChain) error) (err error) {
	dir, err := os.MkdirTemp("", "edge-bench-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	began := time.Now()
	c, err := newScaleChain(dir, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if options.clients > 0 {
		fmt.Fprintf(os.Stderr, "%d clients in %s\n", options.clients, time.Since(began).Round(time.Second))
	}
	return f(c)
}

// benchScale measures full blocks of settlements by the number of live lanes and funded accounts. The baseline of the first is
// the goal for a million, that of the others the smallest state.
func benchScale(ctx context.Context, sizes []int, states string) ([]result, error) {
	var results []result
	for _, lanes := range sizes {
		var rates []float64
		if err := withScaleChain(scaleOptions{clients: lanes, states: states}, func(c *scaleChain) error {
			for i := range scaleWarmUp + scaleBlocks {
				acks, took, err := c.fullBlock(ctx)
				if err != nil {
					return err
				}
				if i >= scaleWarmUp {
					rates = append(rates, float64(acks)/took.Seconds())
				}
			}
			return nil
		}); err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "%.0f acks/s\n", median(rates))
		baseline := float64(scaleGoal)
		if len(results) > 0 {
			baseline = results[0].Value
		}
		results = append(results, more(fmt.Sprintf("settle/lanes=%d", lanes), median(rates), "acks/s", baseline))
	}
	return results, nil
}

// benchParallel measures the same blocks with Block-STM and two workers against one transaction after the other. Both must
// end in the same state.
func benchParallel(ctx context.Context, states string) ([]result, error) {
	const clients, blocks = 100_000, 40
	var sequential, parallel []float64
	if err := withScaleChain(scaleOptions{clients: clients, executor: "sequential", states: states}, func(one *scaleChain) error {
		return withScaleChain(scaleOptions{clients: clients, executor: "block-stm", states: states}, func(two *scaleChain) error {
			for i := range 2 * blocks {
				acks, took, err := one.fullBlock(ctx)
				if err != nil {
					return err
				}
				parallelAcks, parallelTook, err := two.fullBlock(ctx)
				if err != nil {
					return err
				}
				if acks != parallelAcks || !bytes.Equal(one.app.LastCommitID().Hash, two.app.LastCommitID().Hash) {
					return fmt.Errorf("block %d: the executors do not agree", i)
				}
				if i >= blocks {
					sequential = append(sequential, float64(acks)/took.Seconds())
					parallel = append(parallel, float64(acks)/parallelTook.Seconds())
				}
			}
			return nil
		})
	}); err != nil {
		return nil, err
	}
	one, two := median(sequential), median(parallel)
	return []result{
		more("blockstm/ratio", two/one, "ratio", 1),
		more("blockstm/acks", two, "acks/s", one),
	}, nil
}

// benchClose measures the longest block at the boundary of an epoch and behind it, while 10,000 workers are paid and a million
// lanes are pruned, against the median of full blocks before it. The load is the same in all: settlements that open a lane
// with each acknowledgement.
func benchClose(ctx context.Context, states string) ([]result, error) {
	const clients, paidWorkers = 1_000_000, 10_000
	const before, warmUp, most = 60, 120, 1_000
	var ordinary, boundary []time.Duration
	if err := withScaleChain(scaleOptions{clients: clients, dead: true, paid: paidWorkers, states: states}, func(c *scaleChain) error {
		full := func() (time.Duration, error) {
			_, took, err := c.fullBlock(ctx)
			return took, err
		}
		// Epoch 2, in which the paid workers have earned.
		if err := c.endEpoch(); err != nil {
			return err
		}
		for i := range warmUp + before {
			took, err := full()
			if err != nil {
				return err
			}
			if i >= warmUp {
				ordinary = append(ordinary, took)
			}
		}
		// The rest of epoch 2 is over at once; its settlements go on as those of the epoch before.
		c.now = c.now.Add(scaleEpoch)
		for range most {
			took, err := full()
			if err != nil {
				return err
			}
			boundary = append(boundary, took)
			closed, err := c.closedAndPruned()
			if err != nil {
				return err
			}
			if closed {
				return nil
			}
		}
		return fmt.Errorf("the epoch is not closed and pruned after %d blocks", most)
	}); err != nil {
		return nil, err
	}
	slices.Sort(ordinary)
	longest, middle := slices.Max(boundary), ordinary[len(ordinary)/2]
	for i, took := range boundary {
		if took > 2*middle {
			fmt.Fprintf(os.Stderr, "block %d of the boundary took %s, the median is %s\n", i, took.Round(time.Millisecond), middle.Round(time.Millisecond))
		}
	}
	return []result{
		less("epoch_close/max_over_median", longest.Seconds()/middle.Seconds(), "ratio", 2),
		less("epoch_close/median_block", float64(middle.Milliseconds()), "ms", 1_000),
		less("epoch_close/longest_block", float64(longest.Milliseconds()), "ms", 1_000),
		less("epoch_close/blocks", float64(len(boundary)), "blocks", most),
		// What the machine does by itself: the longest of the blocks without a boundary.
		less("epoch_close/max_over_median_before", ordinary[len(ordinary)-1].Seconds()/middle.Seconds(), "ratio", 2),
	}, nil
}

// benchBytesPerAck counts the whole transaction on chain for each acknowledgement of a large settlement, and for each request
// that an acknowledgement stands for.
func benchBytesPerAck(ctx context.Context) ([]result, error) {
	const goal = 130
	var perAck float64
	if err := withScaleChain(scaleOptions{clients: scalePerMsg}, func(c *scaleChain) error {
		s, err := c.settleLanes(ctx, &c.workers[0], 0)
		if err != nil {
			return err
		}
		res, err := c.block([][]byte{s.tx})
		if err != nil {
			return err
		}
		perAck = float64(len(s.tx)) / float64(s.acks)
		return paid([]settlement{s}, res)
	}); err != nil {
		return nil, err
	}
	if perAck > goal {
		return nil, fmt.Errorf("%.1f bytes per acknowledgement, want at most %d", perAck, goal)
	}
	results := []result{less("bytes_per_ack", perAck, "bytes", goal)}
	for _, requests := range []float64{1, 100, 10_000} {
		results = append(results, less(fmt.Sprintf("bytes_per_ack/requests=%.0f", requests), perAck/requests, "bytes/request", goal))
	}
	return results, nil
}
