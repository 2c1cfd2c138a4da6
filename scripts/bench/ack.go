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

	var batches, singles []float64
	for range rounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		began := time.Now()
		batch := ack.NewBatch(chain, batchSize)
		for i := range acks {
			batch.Add(keys[i], &acks[i])
		}
		verdicts := batch.Verify()
		batches = append(batches, float64(time.Since(began).Nanoseconds())/batchSize)
		if len(verdicts) != batchSize || slices.Contains(verdicts, false) {
			return nil, errors.New("the batch did not verify")
		}

		began = time.Now()
		for i := range acks {
			if !ed25519.Verify(keys[i], messages[i], acks[i].Signature[:]) {
				return nil, fmt.Errorf("acknowledgement %d does not verify one by one", i)
			}
		}
		singles = append(singles, float64(time.Since(began).Nanoseconds())/batchSize)
	}
	verify := less("ack/batch_verify_1024", median(batches), "ns/ack", median(singles))
	if verify.Ratio < wantBatchRatio {
		return nil, fmt.Errorf("a batch is %.2f times faster than crypto/ed25519, want at least %.0f", verify.Ratio, wantBatchRatio)
	}

	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	a := ack.Ack{Epoch: 1, KeyID: 1, WorkerID: 1}
	plain := make([]byte, ack.SignBytesSize)
	signBaseline := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			ed25519.Sign(key, plain)
		}
	})
	sign := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			a.Bytes++
			if s := ack.Sign(key, chain, &a); s.Bytes != a.Bytes {
				b.Fatal("signed another acknowledgement")
			}
		}
	})
	encoded := make([]byte, 0, ack.SignedSize)
	encode := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			encoded = acks[0].AppendEncoded(encoded[:0])
		}
	})
	copied := make([]byte, ack.SignedSize)
	copyBaseline := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			copy(copied, encoded)
		}
	})
	var decoded ack.Signed
	decode := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if err := decoded.Decode(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
	if decoded != acks[0] {
		return nil, errors.New("decoding gave another acknowledgement")
	}
	results := []result{verify}
	for _, m := range []struct {
		name           string
		got, reference testing.BenchmarkResult
	}{
		{"ack/sign", sign, signBaseline},
		{"ack/encode", encode, copyBaseline},
		{"ack/decode", decode, copyBaseline},
	} {
		allocs := testing.AllocsPerRun(100, map[string]func(){
			"ack/sign":   func() { ack.Sign(key, chain, &a) },
			"ack/encode": func() { encoded = acks[0].AppendEncoded(encoded[:0]) },
			"ack/decode": func() { _ = decoded.Decode(encoded) }, //nolint:errcheck // checked above on the same bytes
		}[m.name])
		// crypto/ed25519 itself allocates the signature that it returns; nothing may come on top of it.
		limit := 0.0
		if m.name == "ack/sign" {
			limit = testing.AllocsPerRun(100, func() { ed25519.Sign(key, plain) })
		}
		if allocs > limit {
			return nil, fmt.Errorf("%s allocates %v times, want at most %v", m.name, allocs, limit)
		}
		results = append(results, less(m.name, nsPerOp(m.got), "ns/ack", nsPerOp(m.reference)))
	}
	return results, nil
}

// nsPerOp keeps the fraction that testing.BenchmarkResult.NsPerOp cuts off.
func nsPerOp(r testing.BenchmarkResult) float64 { return float64(r.T.Nanoseconds()) / float64(r.N) }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
