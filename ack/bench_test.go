package ack_test

import (
	"crypto/ed25519"
	"encoding/binary"
	"testing"

	"github.com/edgechain/edge/ack"
)

const benchAcks = 1024

func benchSet(b *testing.B) (keys [][]byte, acks []ack.Signed, chain ack.ChainHash) {
	b.Helper()
	chain = ack.HashChainID("edge-bench-1")
	for i := range benchAcks {
		seed := make([]byte, 32)
		binary.LittleEndian.PutUint64(seed, uint64(i))
		key := ed25519.NewKeyFromSeed(seed)
		acks = append(acks, ack.Sign(key, chain, &ack.Ack{Epoch: 1, KeyID: uint64(i + 1), WorkerID: 1, Bytes: 1 << 20}))
		keys = append(keys, key.Public().(ed25519.PublicKey))
	}
	return keys, acks, chain
}

func BenchmarkBatchVerify1024(b *testing.B) {
	keys, acks, chain := benchSet(b)
	for b.Loop() {
		batch := ack.NewBatch(chain, benchAcks)
		for i := range acks {
			batch.Add(keys[i], &acks[i])
		}
		for i, ok := range batch.Verify() {
			if !ok {
				b.Fatalf("acknowledgement %d does not verify", i)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchAcks, "ns/ack")
}

// BenchmarkStandardVerify1024 is the baseline: crypto/ed25519, one by one.
func BenchmarkStandardVerify1024(b *testing.B) {
	keys, acks, chain := benchSet(b)
	var buf []byte
	for b.Loop() {
		for i := range acks {
			buf = acks[i].AppendSignBytes(buf[:0], chain)
			if !ed25519.Verify(keys[i], buf, acks[i].Signature[:]) {
				b.Fatalf("acknowledgement %d does not verify", i)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchAcks, "ns/ack")
}

func BenchmarkSign(b *testing.B) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	chain := ack.HashChainID("edge-bench-1")
	a := ack.Ack{Epoch: 1, KeyID: 1, WorkerID: 1}
	b.ReportAllocs()
	for b.Loop() {
		a.Bytes++
		if s := ack.Sign(key, chain, &a); s.Bytes != a.Bytes {
			b.Fatal("signed another acknowledgement")
		}
	}
}

func BenchmarkEncodeDecode(b *testing.B) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	s := ack.Sign(key, ack.HashChainID("edge-bench-1"), &ack.Ack{Epoch: 1, KeyID: 1, WorkerID: 1})
	buf := make([]byte, 0, ack.SignedSize)
	var d ack.Signed
	b.ReportAllocs()
	for b.Loop() {
		buf = s.AppendEncoded(buf[:0])
		if err := d.Decode(buf); err != nil {
			b.Fatal(err)
		}
	}
}
