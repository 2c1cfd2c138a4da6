package ack_test

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/edgechain/edge/ack"
)

func FuzzDecodeSigned(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	s := ack.Sign(key, ack.HashChainID("c"), &ack.Ack{Epoch: 1, KeyID: 2, WorkerID: 3, Lane: 4})
	f.Add(s.AppendEncoded(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var got ack.Signed
		if got.Decode(b) != nil {
			return
		}
		if !bytes.Equal(got.AppendEncoded(nil), b) {
			t.Fatal("decoded bytes do not encode to themselves")
		}
		if got.Check() != nil {
			t.Fatal("decoded an acknowledgement outside of its bounds")
		}
	})
}

func FuzzDecodeList(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	s := ack.Sign(key, ack.HashChainID("c"), &ack.Ack{Epoch: 1, KeyID: 2, WorkerID: 3, Lane: 4})
	f.Add(s.AppendEncoded(s.AppendEncoded(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ack.DecodeList(b, 8)
		if err != nil {
			return
		}
		if len(list) == 0 || len(list) > 8 {
			t.Fatalf("decoded %d acknowledgements", len(list))
		}
		var again []byte
		for i := range list {
			again = list[i].AppendEncoded(again)
		}
		if !bytes.Equal(again, b) {
			t.Fatal("decoded bytes do not encode to themselves")
		}
	})
}

func FuzzVerify(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	chain := ack.HashChainID("c")
	s := ack.Sign(key, chain, &ack.Ack{Epoch: 1, KeyID: 2, WorkerID: 3, Lane: 4})
	f.Add([]byte(key.Public().(ed25519.PublicKey)), s.AppendEncoded(nil))
	f.Fuzz(func(t *testing.T, pub, b []byte) {
		var got ack.Signed
		if got.Decode(b) != nil {
			return
		}
		batch := ack.NewBatch(chain, 1)
		batch.Add(pub, &got)
		if single := got.Verify(pub, chain) == nil; batch.Verify()[0] != single {
			t.Fatalf("batch and single verification differ, single says %v", single)
		}
	})
}
