package beacon_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cloudflare/circl/ecc/bls12381"
	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/x/epoch/beacon"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew, by the second implementation")

var vectorFile = filepath.Join("testdata", "vectors.json")

// vector is a published key with its proof, and one step of a beacon. Bytes are hex.
type vector struct {
	ChainID       string `json:"chain_id"`
	Operator      string `json:"operator"`
	PrivKey       string `json:"priv_key"`
	PubKey        string `json:"pub_key"`
	ProofMessage  string `json:"proof_message"`
	Proof         string `json:"proof"`
	Seed          string `json:"seed"`
	HeaderHash    string `json:"header_hash"`
	Start         string `json:"start"`
	Height        int64  `json:"height"`
	RevealMessage string `json:"reveal_message"`
	Reveal        string `json:"reveal"`
	Mix           string `json:"mix"`
	Tx            string `json:"tx"`
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	b, err := os.ReadFile(vectorFile)
	require.NoError(t, err)
	var vectors []vector
	require.NoError(t, json.Unmarshal(b, &vectors))
	require.NotEmpty(t, vectors)
	for i, v := range vectors {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			key, err := beacon.ParseKey(unhex(t, v.PrivKey))
			require.NoError(t, err)
			operator, seed := unhex(t, v.Operator), unhex(t, v.Seed)
			require.Equal(t, v.PubKey, hex.EncodeToString(key.PubKey()))
			require.Equal(t, v.Proof, hex.EncodeToString(key.Prove(v.ChainID, operator)))
			require.NoError(t, beacon.CheckProof(unhex(t, v.PubKey), unhex(t, v.Proof), v.ChainID, operator))
			require.Equal(t, v.Reveal, hex.EncodeToString(key.Reveal(v.ChainID, seed, v.Height)))
			require.NoError(t, beacon.CheckReveal(unhex(t, v.PubKey), unhex(t, v.Reveal), v.ChainID, seed, v.Height))
			start := beacon.Start(seed, unhex(t, v.HeaderHash))
			require.Equal(t, v.Start, hex.EncodeToString(start))
			require.Equal(t, v.Mix, hex.EncodeToString(beacon.Mix(start, unhex(t, v.Reveal))))
			require.Equal(t, v.Tx, hex.EncodeToString(beacon.EncodeTx(unhex(t, v.Reveal))))

			require.Equal(t, v, second(t, v), "the second implementation")
		})
	}
	require.Equal(t, vectors[0].Seed, hex.EncodeToString(beacon.FirstSeed(vectors[0].ChainID)), "the first is of a first epoch")
	require.Equal(t, vectors[0].Mix, vectors[1].Seed, "the second is of the epoch after it, with one reveal in between")
}

// second fills in the results of a vector from its input, by an implementation that shares no code with the package: another
// encoder, on another library for the curve.
func second(t *testing.T, v vector) vector {
	t.Helper()
	digest := func(b []byte) []byte { d := sha256.Sum256(b); return d[:] }
	tag := func(name string) *bytes.Buffer {
		return bytes.NewBufferString(name + string(bytes.Repeat([]byte{0}, 16-len(name))))
	}
	var secret bls12381.Scalar
	secret.SetBytes(unhex(t, v.PrivKey))
	sign := func(message []byte, suite string) string {
		var p bls12381.G2
		p.Hash(message, []byte(suite))
		p.ScalarMult(&secret, &p)
		return hex.EncodeToString(p.BytesCompressed())
	}
	var point bls12381.G1
	point.ScalarMult(&secret, bls12381.G1Generator())
	public := point.BytesCompressed()
	v.PubKey = hex.EncodeToString(public)

	proof := tag("edge/beacon-key")
	proof.Write(digest([]byte(v.ChainID)))
	proof.Write(digest(unhex(t, v.Operator)))
	proof.Write(public)
	v.ProofMessage = hex.EncodeToString(proof.Bytes())
	v.Proof = sign(proof.Bytes(), "BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_")

	reveal := tag("edge/reveal")
	reveal.Write(digest([]byte(v.ChainID)))
	reveal.Write(unhex(t, v.Seed))
	require.NoError(t, binary.Write(reveal, binary.LittleEndian, uint64(v.Height)))
	v.RevealMessage = hex.EncodeToString(reveal.Bytes())
	v.Reveal = sign(reveal.Bytes(), "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_")

	v.Start = hex.EncodeToString(digest(unhex(t, v.Seed+v.HeaderHash)))
	v.Mix = hex.EncodeToString(digest(unhex(t, v.Start+v.Reveal)))
	v.Tx = hex.EncodeToString(tag("edge/reveal-tx").Bytes()) + v.Reveal
	return v
}

func writeVectors(t *testing.T) {
	t.Helper()
	digest := func(format string, args ...any) string {
		d := sha256.Sum256(fmt.Appendf(nil, format, args...))
		return hex.EncodeToString(d[:])
	}
	private := func(n int) string { return "2a" + digest("key %d", n)[2:] } // below the order of the group
	const chain = "edge-1"
	first := second(t, vector{
		ChainID: chain, Operator: digest("operator 0")[:40], PrivKey: private(0),
		Seed: digest("%s", "edge/seed\x00\x00\x00\x00\x00\x00\x00"+chain), HeaderHash: digest("header 99"), Height: 100,
	})
	vectors := []vector{
		first,
		second(t, vector{
			ChainID: chain, Operator: digest("operator 1")[:40], PrivKey: private(1),
			Seed: first.Mix, HeaderHash: digest("header 199"), Height: 200,
		}),
		// No header hash is kept, the smallest private key, no height.
		second(t, vector{ChainID: "", Operator: "00", PrivKey: hex.EncodeToString(append(make([]byte, 31), 1)), Seed: digest("seed 2"), Height: 0}),
		second(t, vector{
			ChainID: "edge-devnet-with-a-long-name", Operator: digest("operator 3"), PrivKey: private(3),
			Seed: digest("seed 3"), HeaderHash: digest("header 3"), Height: 1<<63 - 1,
		}),
	}
	b, err := json.MarshalIndent(vectors, "", " ")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll("testdata", 0o755))
	require.NoError(t, os.WriteFile(vectorFile, append(b, '\n'), 0o600))
}
