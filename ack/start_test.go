package ack_test

import (
	"crypto/ed25519"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
)

// TestStartedBatch: a batch that was started has the verdicts of one that is verified at once, on one core and on many, and has them
// however often they are asked for.
func TestStartedBatch(t *testing.T) {
	cores := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(cores) })
	chain := ack.HashChainID("chain")
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public := key.Public().(ed25519.PublicKey)
	for _, n := range []int{0, 1, 127, 128, 257, 600} {
		for _, procs := range []int{1, 2, 5} {
			runtime.GOMAXPROCS(procs)
			batch := ack.NewBatch(chain, n)
			want := make([]bool, n)
			for i := range n {
				signed := ack.Sign(key, chain, &ack.Ack{Epoch: 1, KeyID: 1, WorkerID: 1, Requests: uint64(i + 1)})
				if want[i] = i%100 != 7; !want[i] {
					signed.Signature[0] ^= 1
				}
				batch.Add(public, &signed)
			}
			started := batch.Start()
			for range 2 {
				require.Equal(t, want, append([]bool{}, started.Wait()...), "%d on %d cores", n, procs)
			}
		}
	}
}
