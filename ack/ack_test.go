package ack_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	lukechampine "lukechampine.com/blake3"
	"pgregory.net/rapid"

	"github.com/edgechain/edge/ack"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

// The second encoder: it shares no code with the package, writes through encoding/binary's reflection and hashes with
// another BLAKE3.
type layoutAck struct {
	Domain    [16]byte
	Chain     [32]byte
	Epoch     uint64
	KeyID     uint64
	WorkerID  uint64
	ServiceID uint64
	Lane      uint8
	Requests  uint64
	Bytes     uint64
	Fuel      uint64
	Head      [32]byte
}

func layout(t require.TestingT, fields ...any) []byte {
	var buf bytes.Buffer
	for _, f := range fields {
		require.NoError(t, binary.Write(&buf, binary.LittleEndian, f))
	}
	return buf.Bytes()
}

func domain(name string) (d [16]byte) {
	copy(d[:], name)
	return d
}

func independentSignBytes(t require.TestingT, chainID string, a ack.Ack) []byte {
	return layout(t, layoutAck{
		domain("edge-ack-v1"), sha256.Sum256([]byte(chainID)), a.Epoch, a.KeyID, a.WorkerID, a.ServiceID, a.Lane,
		a.Requests, a.Bytes, a.Fuel, a.Head,
	})
}

func genAck(t *rapid.T) ack.Ack {
	a := ack.Ack{
		Epoch:     rapid.Uint64Min(1).Draw(t, "epoch"),
		KeyID:     rapid.Uint64Min(1).Draw(t, "key"),
		WorkerID:  rapid.Uint64Min(1).Draw(t, "worker"),
		ServiceID: rapid.Uint64().Draw(t, "service"),
		Lane:      rapid.Uint8Max(ack.MaxLanes-1).Draw(t, "lane"),
		Requests:  rapid.Uint64Max(ack.MaxRequests).Draw(t, "requests"),
		Bytes:     rapid.Uint64Max(ack.MaxBytes).Draw(t, "bytes"),
		Fuel:      rapid.Uint64Max(ack.MaxFuel).Draw(t, "fuel"),
	}
	copy(a.Head[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "head"))
	return a
}

func TestSignBytesAgreeWithIndependentEncoder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genAck(t)
		chainID := rapid.String().Draw(t, "chain")
		require.Equal(t, independentSignBytes(t, chainID, a), a.AppendSignBytes(nil, ack.HashChainID(chainID)))
	})
}

func TestEncodeDecodeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := ack.Signed{Ack: genAck(t)}
		copy(s.Signature[:], rapid.SliceOfN(rapid.Byte(), 64, 64).Draw(t, "sig"))
		b := s.AppendEncoded(nil)
		require.Len(t, b, ack.SignedSize)
		var got ack.Signed
		require.NoError(t, got.Decode(b))
		require.Equal(t, s, got)
	})
}

func TestCheckBounds(t *testing.T) {
	valid := ack.Ack{Epoch: 1, KeyID: 1, WorkerID: 1}
	for _, tc := range []struct {
		name   string
		change func(*ack.Ack)
		ok     bool
	}{
		{"valid", func(*ack.Ack) {}, true},
		{"epoch 0", func(a *ack.Ack) { a.Epoch = 0 }, false},
		{"key 0", func(a *ack.Ack) { a.KeyID = 0 }, false},
		{"worker 0", func(a *ack.Ack) { a.WorkerID = 0 }, false},
		{"last lane", func(a *ack.Ack) { a.Lane = ack.MaxLanes - 1 }, true},
		{"lane too high", func(a *ack.Ack) { a.Lane = ack.MaxLanes }, false},
		{"most bytes", func(a *ack.Ack) { a.Bytes = ack.MaxBytes }, true},
		{"too many bytes", func(a *ack.Ack) { a.Bytes = ack.MaxBytes + 1 }, false},
		{"most fuel", func(a *ack.Ack) { a.Fuel = ack.MaxFuel }, true},
		{"too much fuel", func(a *ack.Ack) { a.Fuel = ack.MaxFuel + 1 }, false},
		{"most requests", func(a *ack.Ack) { a.Requests = ack.MaxRequests }, true},
		{"too many requests", func(a *ack.Ack) { a.Requests = ack.MaxRequests + 1 }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := valid
			tc.change(&a)
			var decoded ack.Ack
			if tc.ok {
				require.NoError(t, a.Check())
				require.NoError(t, decoded.Decode(a.AppendEncoded(nil)))
			} else {
				require.ErrorIs(t, a.Check(), ack.ErrRange)
				require.ErrorIs(t, decoded.Decode(a.AppendEncoded(nil)), ack.ErrRange)
			}
		})
	}
}

func TestDecodeListBounds(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	s := ack.Sign(key, ack.HashChainID("c"), &ack.Ack{Epoch: 1, KeyID: 1, WorkerID: 1})
	one := s.AppendEncoded(nil)
	two := s.AppendEncoded(bytes.Clone(one))
	list, err := ack.DecodeList(two, 2)
	require.NoError(t, err)
	require.Equal(t, []ack.Signed{s, s}, list)
	for name, b := range map[string][]byte{"empty": nil, "cut": two[:len(two)-1], "too many": two} {
		_, err := ack.DecodeList(b, 1)
		require.ErrorIs(t, err, ack.ErrSize, name)
	}
	two[ack.SignedSize+32] = 99
	_, err = ack.DecodeList(two, 2)
	require.ErrorIs(t, err, ack.ErrRange)
}

func TestVerifyRefusesEveryChangedBit(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	chain := ack.HashChainID("edge-1")
	a := ack.Ack{Epoch: 3, KeyID: 4, WorkerID: 5, ServiceID: 0, Lane: 6, Requests: 7, Bytes: 8, Fuel: 9}
	s := ack.Sign(key, chain, &a)
	pub := []byte(key.Public().(ed25519.PublicKey))
	require.NoError(t, s.Verify(pub, chain))
	require.ErrorIs(t, s.Verify(pub, ack.HashChainID("edge-2")), ack.ErrSignature)
	require.ErrorIs(t, s.Verify(pub[:31], chain), ack.ErrSignature)
	enc := s.AppendEncoded(nil)
	for bit := range len(enc) * 8 {
		b := bytes.Clone(enc)
		b[bit/8] ^= 1 << (bit % 8)
		var c ack.Signed
		if c.Decode(b) != nil {
			continue
		}
		require.Error(t, c.Verify(pub, chain), "bit %d", bit)
	}
}

func TestBatchAgreesWithSingle(t *testing.T) {
	chain := ack.HashChainID("edge-1")
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 80).Draw(t, "n")
		bad := rapid.SliceOfN(rapid.SampledFrom([]string{"", "", "", "signature", "key", "short key", "field"}), n, n).Draw(t, "bad")
		batch := ack.NewBatch(chain, n)
		var want []bool
		for i := range n {
			key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i % 5)}, 32))
			pub := []byte(key.Public().(ed25519.PublicKey))
			s := ack.Sign(key, chain, &ack.Ack{Epoch: 1, KeyID: uint64(i + 1), WorkerID: 1, Bytes: uint64(i)})
			switch bad[i] {
			case "signature":
				s.Signature[i%64] ^= 0x40
			case "key":
				pub[3] ^= 1
			case "short key":
				pub = pub[:5]
			case "field":
				s.Bytes++
			}
			batch.Add(pub, &s)
			want = append(want, s.Verify(pub, chain) == nil)
			require.Equal(t, bad[i] == "", want[i])
		}
		require.Equal(t, n, batch.Len())
		require.Equal(t, want, batch.Verify())
	})
}

// A large batch is verified in parts, as many as there are cores, and the verdicts are the same for any number of them.
func TestBatchInParts(t *testing.T) {
	const n = 700
	chain := ack.HashChainID("edge-1")
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	bad := map[int]bool{0: true, 349: true, 350: true, 466: true, n - 1: true}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, cores := range []int{1, 2, 3, 64} {
		runtime.GOMAXPROCS(cores)
		batch := ack.NewBatch(chain, n)
		for i := range n {
			s := ack.Sign(key, chain, &ack.Ack{Epoch: 1, KeyID: 1, WorkerID: 1, Bytes: uint64(i)})
			if bad[i] {
				s.Bytes++
			}
			batch.Add([]byte(key.Public().(ed25519.PublicKey)), &s)
		}
		verdicts := batch.Verify()
		require.Len(t, verdicts, n)
		for i, ok := range verdicts {
			require.Equal(t, !bad[i], ok, "%d of %d cores", i, cores)
		}
	}
}

// The points of small order in all encodings, https://eprint.iacr.org/2020/1244, table 6b.
var smallOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
}

func TestCheckPublicKey(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	require.NoError(t, ack.CheckPublicKey(key))
	require.ErrorIs(t, ack.CheckPublicKey(key[:31]), ack.ErrPublicKey)
	require.ErrorIs(t, ack.CheckPublicKey(nil), ack.ErrPublicKey)
	for _, enc := range smallOrder {
		b, err := hex.DecodeString(enc)
		require.NoError(t, err)
		require.ErrorIs(t, ack.CheckPublicKey(b), ack.ErrPublicKey, enc)
	}
	notAPoint, err := hex.DecodeString("0200000000000000000000000000000000000000000000000000000000000000")
	require.NoError(t, err)
	require.ErrorIs(t, ack.CheckPublicKey(notAPoint), ack.ErrPublicKey)
}

func TestSmallOrderKeyWouldAcceptForgery(t *testing.T) {
	// Shows why CheckPublicKey exists: R = A = identity, S = 0 verifies for any message under ZIP-215.
	identity := append([]byte{1}, make([]byte, 31)...)
	var s ack.Signed
	s.Ack = ack.Ack{Epoch: 1, KeyID: 1, WorkerID: 1, Bytes: 1 << 40}
	copy(s.Signature[:], identity)
	require.NoError(t, s.Verify(identity, ack.HashChainID("any")))
	require.ErrorIs(t, ack.CheckPublicKey(identity), ack.ErrPublicKey)
}

func TestContentBytes(t *testing.T) {
	for _, tc := range []struct{ size, offset, length, want uint64 }{
		{0, 0, 0, 0},
		{0, 0, 5, 0},
		{10, 0, 10, 10},
		{10, 3, 1, 10},
		{10, 10, 1, 0},
		{10, 0, 1 << 63, 10},
		{40_000, 16_384, 1, 16_384},
		{40_000, 16_383, 2, 32_768},
		{40_000, 39_999, 1, 7_232},
		{40_000, 0, 40_000, 40_000},
		{32_768, 0, 32_768, 32_768},
		{1<<64 - 1, 1<<64 - 2, 5, (1<<64 - 1) % 16_384},
	} {
		require.Equal(t, tc.want, ack.ContentBytes(tc.size, tc.offset, tc.length), "%+v", tc)
	}
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Uint64Max(1<<20).Draw(t, "size")
		offset := rapid.Uint64Max(1<<20).Draw(t, "offset")
		length := rapid.Uint64Max(1<<20).Draw(t, "length")
		var want uint64
		for g := uint64(0); g < size; g += ack.GroupSize {
			end := min(g+ack.GroupSize, size)
			if length > 0 && offset < end && offset+length > g {
				want += end - g
			}
		}
		require.Equal(t, want, ack.ContentBytes(size, offset, length))
	})
}

func TestPrice(t *testing.T) {
	p := ack.Prices{PerGiB: big.NewInt(1_000_000), PerGFuel: big.NewInt(3)}
	require.Equal(t, "45", p.Price(49_152, 0).String())
	require.Equal(t, "1000000", p.Price(1<<30, 0).String())
	require.Equal(t, "46", p.Price(49_152, 400_000_000).String())
	require.Equal(t, "0", p.Price(0, 0).String())
	rapid.Check(t, func(t *rapid.T) {
		p := ack.Prices{
			PerGiB:   new(big.Int).SetUint64(rapid.Uint64().Draw(t, "gib")),
			PerGFuel: new(big.Int).SetUint64(rapid.Uint64().Draw(t, "gfuel")),
		}
		b, f := rapid.Uint64Max(ack.MaxBytes).Draw(t, "b"), rapid.Uint64Max(ack.MaxFuel).Draw(t, "f")
		b2, f2 := rapid.Uint64Range(b, ack.MaxBytes).Draw(t, "b2"), rapid.Uint64Range(f, ack.MaxFuel).Draw(t, "f2")
		require.LessOrEqual(t, p.Price(b, f).Cmp(p.Price(b2, f2)), 0)
		exact := new(big.Rat).Add(
			new(big.Rat).Mul(new(big.Rat).SetInt(p.PerGiB), big.NewRat(int64(b), 1<<30)),
			new(big.Rat).Mul(new(big.Rat).SetInt(p.PerGFuel), big.NewRat(int64(f), 1e9)))
		diff := new(big.Rat).Sub(exact, new(big.Rat).SetInt(p.Price(b, f)))
		require.GreaterOrEqual(t, diff.Sign(), 0)
		require.Negative(t, diff.Cmp(big.NewRat(2, 1)))
	})
}

type vectors struct {
	ChainID         string   `json:"chain_id"`
	Seed            string   `json:"private_key_seed"`
	PublicKey       string   `json:"public_key"`
	Name            string   `json:"content_name"`
	Offset          uint64   `json:"offset"`
	Length          uint64   `json:"length"`
	RequestDigest   string   `json:"request_digest"`
	Receipt         string   `json:"receipt"`
	Heads           []string `json:"heads"`
	SignBytes       string   `json:"sign_bytes"`
	Signed          string   `json:"signed_acknowledgement"`
	SessionBytes    string   `json:"session_sign_bytes"`
	KeyProofBytes   string   `json:"key_proof_sign_bytes"`
	PeerProofBytes  string   `json:"peer_proof_sign_bytes"`
	OperatorAddress string   `json:"operator_address"`
}

// TestVectors builds the vectors with the second encoder and the second BLAKE3 and holds the package to them.
func TestVectors(t *testing.T) {
	seed := bytes.Repeat([]byte{0x42}, 32)
	key := ed25519.NewKeyFromSeed(seed)
	chainID := "edge-vectors-1"
	chain := ack.HashChainID(chainID)
	name := lukechampine.Sum256([]byte("hello edge"))
	const offset, length, size = uint64(0), uint64(10), uint64(10)

	request := lukechampine.Sum256(layout(t, domain("edge-content-v1"), name, offset, length))
	receipt := lukechampine.Sum256(layout(t, domain("edge-receipt-v1"), request, name, size, uint64(0)))
	head1 := lukechampine.Sum256(layout(t, domain("edge-head-v1"), [32]byte{}, receipt))
	head2 := lukechampine.Sum256(layout(t, domain("edge-head-v1"), head1, receipt))
	require.Equal(t, ack.Digest(request), ack.ContentRequestDigest(name, offset, length))
	require.Equal(t, ack.Digest(receipt), ack.Receipt(request, name, size, 0))
	require.Equal(t, head1, ack.NextHead([32]byte{}, receipt))
	require.Equal(t, head2, ack.NextHead(head1, receipt))

	a := ack.Ack{Epoch: 7, KeyID: 11, WorkerID: 13, ServiceID: 0, Lane: 3, Requests: 2, Bytes: 20, Fuel: 0, Head: head2}
	signBytes := independentSignBytes(t, chainID, a)
	signature := ed25519.Sign(key, signBytes)
	s := ack.Sign(key, chain, &a)
	require.Equal(t, signature, s.Signature[:])

	challenge := [32]byte{1, 2, 3}
	session := layout(t, domain("edge-session-v1"), sha256.Sum256([]byte(chainID)), uint64(13), uint64(11), uint8(3), challenge)
	require.Equal(t, session, ack.AppendSessionSignBytes(nil, chain, 13, 11, 3, challenge))
	keyProof := layout(t, domain("edge-key-pop-v1"), sha256.Sum256([]byte(chainID)), uint64(17))
	require.Equal(t, keyProof, ack.AppendKeyProofSignBytes(nil, chain, 17))
	operator := bytes.Repeat([]byte{9}, 20)
	peerProof := layout(t, domain("edge-peer-pop-v1"), sha256.Sum256([]byte(chainID)), sha256.Sum256(operator))
	require.Equal(t, peerProof, ack.AppendPeerProofSignBytes(nil, chain, operator))

	got := vectors{
		ChainID: chainID, Seed: hex.EncodeToString(seed), PublicKey: hex.EncodeToString(key.Public().(ed25519.PublicKey)),
		Name: hex.EncodeToString(name[:]), Offset: offset, Length: length,
		RequestDigest: hex.EncodeToString(request[:]), Receipt: hex.EncodeToString(receipt[:]),
		Heads:     []string{hex.EncodeToString(head1[:]), hex.EncodeToString(head2[:])},
		SignBytes: hex.EncodeToString(signBytes), Signed: hex.EncodeToString(s.AppendEncoded(nil)),
		SessionBytes: hex.EncodeToString(session), KeyProofBytes: hex.EncodeToString(keyProof),
		PeerProofBytes: hex.EncodeToString(peerProof), OperatorAddress: hex.EncodeToString(operator),
	}
	path := filepath.Join("testdata", "vectors.json")
	if *update {
		out, err := json.MarshalIndent(got, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, append(out, '\n'), 0o644))
	}
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var want vectors
	require.NoError(t, json.Unmarshal(b, &want))
	require.Equal(t, want, got)
}

func TestNoAllocation(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	chain := ack.HashChainID("edge-1")
	a := ack.Ack{Epoch: 1, KeyID: 1, WorkerID: 1}
	buf := make([]byte, 0, ack.SignedSize)
	var s ack.Signed
	require.Zero(t, testing.AllocsPerRun(100, func() { s = ack.Sign(key, chain, &a) }), "sign")
	require.Zero(t, testing.AllocsPerRun(100, func() { buf = s.AppendEncoded(buf[:0]) }), "encode")
	var d ack.Signed
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = d.Decode(buf) }), "decode")
	require.Equal(t, s, d)
}
