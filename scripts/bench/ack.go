package main

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/edgechain/edge/ack"
)

const (
	batchSize = 1024
	// rounds of batch and baseline are taken in turn, and the median counts, so that a noisy neighbour hits both.
	rounds = 15
	// wantBatchRatio is how many times faster than one by one a batch has to be.
	wantBatchRatio = 3.0
)

func benchAck(ctx context.Context) ([]result, error) {
	chain := ack.HashChainID("edge-bench-1")
	keys := make([][]byte, batchSize)
	acks := make([]ack.Signed, batchSize)
	messages := make([][]byte, batchSize)
	for i := range acks {
		seed := make([]byte, ed25519.SeedSize)
		binary.LittleEndian.PutUint64(seed, uint64(i))
		key := ed25519.NewKeyFromSeed(seed)
		public, ok := key.Public().(ed25519.PublicKey)
		if !ok {
			return nil, errors.New("no ed25519 key")
		}
		keys[i] = public
		acks[i] = ack.Sign(key, chain, &ack.Ack{Epoch: 1, KeyID: uint64(i + 1), WorkerID: 1, Requests: 1, Bytes: 1 << 20})
		messages[i] = acks[i].AppendSignBytes(nil, chain)
	}

	batched, single, err := inTurn(ctx, rounds, batchSize,
		func() error {
			batch := ack.NewBatch(chain, batchSize)
			for i := range acks {
				batch.Add(keys[i], &acks[i])
			}
			if verdicts := batch.Verify(); len(verdicts) != batchSize || slices.Contains(verdicts, false) {
				return errors.New("the batch did not verify")
			}
			return nil
		},
		func() error {
			for i := range acks {
				if !ed25519.Verify(keys[i], messages[i], acks[i].Signature[:]) {
					return fmt.Errorf("acknowledgement %d does not verify one by one", i)
				}
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	results := []result{less("ack/batch_verify_1024", batched, "ns/ack", single)}
	if results[0].Ratio < wantBatchRatio {
		return nil, fmt.Errorf("a batch is %.2f times faster than crypto/ed25519, want at least %.0f", results[0].Ratio, wantBatchRatio)
	}

	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("no ed25519 key")
	}
	a := ack.Ack{Epoch: 1, KeyID: 1, WorkerID: 1}
	plain := make([]byte, ack.SignBytesSize)
	encoded := acks[0].AppendEncoded(make([]byte, 0, ack.SignedSize))
	copied := make([]byte, ack.SignedSize)
	var signed, decoded ack.Signed
	var signature []byte
	for _, m := range []struct {
		name         string
		times        int
		do, baseline func()
		check        func() error
	}{
		{
			"ack/sign", 200,
			func() { a.Bytes++; signed = ack.Sign(key, chain, &a) },
			func() { signature = ed25519.Sign(key, plain) },
			func() error {
				if !ed25519.Verify(public, plain, signature) {
					return errors.New("the baseline does not verify")
				}
				return signed.Verify(public, chain)
			},
		},
		{
			"ack/encode", 100_000,
			func() { encoded = acks[0].AppendEncoded(encoded[:0]) },
			func() { copy(copied, encoded) },
			func() error { return nil }, // decoding shows it
		},
		{
			"ack/decode", 100_000,
			func() { decodeInto(&decoded, encoded) },
			func() { copy(copied, encoded) },
			func() error {
				if decoded != acks[0] {
					return errors.New("decoding gave another acknowledgement")
				}
				return nil
			},
		},
	} {
		repeat := func(f func()) func() error {
			return func() error {
				for range m.times {
					f()
				}
				return nil
			}
		}
		value, baseline, err := inTurn(ctx, rounds, m.times, repeat(m.do), repeat(m.baseline))
		if err != nil {
			return nil, err
		}
		if err := m.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		// crypto/ed25519 can allocate the signature that it returns; nothing may come on top of it.
		allocs, limit := testing.AllocsPerRun(100, m.do), 0.0
		if m.name == "ack/sign" {
			limit = testing.AllocsPerRun(100, func() { signature = ed25519.Sign(key, plain) })
		}
		if allocs > limit {
			return nil, fmt.Errorf("%s allocates %v times, want at most %v", m.name, allocs, limit)
		}
		results = append(results, less(m.name, value, "ns/ack", baseline))
	}
	return results, nil
}

// decodeInto leaves a zero acknowledgement where decoding fails, which the check sees.
func decodeInto(s *ack.Signed, b []byte) {
	if err := s.Decode(b); err != nil {
		*s = ack.Signed{}
	}
}

// inTurn runs two functions in turn and returns the median time of each in nanoseconds for one of times operations.
func inTurn(ctx context.Context, rounds, times int, a, b func() error) (medianA, medianB float64, err error) {
	var tookA, tookB []float64
	for range rounds {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		for _, m := range []struct {
			f    func() error
			took *[]float64
		}{{a, &tookA}, {b, &tookB}} {
			began := time.Now()
			if err := m.f(); err != nil {
				return 0, 0, err
			}
			*m.took = append(*m.took, float64(time.Since(began).Nanoseconds())/float64(times))
		}
	}
	return median(tookA), median(tookB), nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
