package beacon_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	blst "github.com/supranational/blst/bindings/go"

	"github.com/edgechain/edge/x/epoch/beacon"
)

const chainID = "edge-test-1"

// keyOf returns a key that depends on n alone.
func keyOf(t testing.TB, n int) beacon.Key {
	t.Helper()
	material := sha256.Sum256(fmt.Appendf(nil, "key %d", n))
	key, err := beacon.GenerateKey(bytes.NewReader(material[:]))
	require.NoError(t, err)
	return key
}

func seedOf(n int) []byte {
	seed := sha256.Sum256(fmt.Appendf(nil, "seed %d", n))
	return seed[:]
}

var (
	// modulus of the field of the curve's coordinates, and order of the groups.
	modulus = integer("1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab")
	order   = integer("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001")
)

func integer(text string) *big.Int {
	n, ok := new(big.Int).SetString(text, 16)
	if !ok {
		panic(text)
	}
	return n
}

func TestReveal(t *testing.T) {
	key, other, seed := keyOf(t, 0), keyOf(t, 1), seedOf(0)
	const height = 4711
	reveal := key.Reveal(chainID, seed, height)
	require.Len(t, reveal, beacon.SignatureSize)
	require.NoError(t, beacon.CheckReveal(key.PubKey(), reveal, chainID, seed, height))
	require.Equal(t, reveal, key.Reveal(chainID, seed, height), "there is one reveal only")

	for name, c := range map[string]struct {
		pubKey, reveal []byte
		chainID        string
		seed           []byte
		height         int64
		want           error
	}{
		"another key":        {other.PubKey(), reveal, chainID, seed, height, beacon.ErrSignature},
		"another's reveal":   {key.PubKey(), other.Reveal(chainID, seed, height), chainID, seed, height, beacon.ErrSignature},
		"another chain":      {key.PubKey(), reveal, chainID + "0", seed, height, beacon.ErrSignature},
		"no chain":           {key.PubKey(), reveal, "", seed, height, beacon.ErrSignature},
		"another seed":       {key.PubKey(), reveal, chainID, seedOf(1), height, beacon.ErrSignature},
		"the height before":  {key.PubKey(), reveal, chainID, seed, height - 1, beacon.ErrSignature},
		"the height after":   {key.PubKey(), reveal, chainID, seed, height + 1, beacon.ErrSignature},
		"height 0":           {key.PubKey(), reveal, chainID, seed, 0, beacon.ErrSignature},
		"height below 0":     {key.PubKey(), reveal, chainID, seed, -1, beacon.ErrMessage},
		"no seed":            {key.PubKey(), reveal, chainID, nil, height, beacon.ErrMessage},
		"short seed":         {key.PubKey(), reveal, chainID, seed[1:], height, beacon.ErrMessage},
		"long seed":          {key.PubKey(), reveal, chainID, append(seed[:32:32], 0), height, beacon.ErrMessage},
		"no key":             {nil, reveal, chainID, seed, height, beacon.ErrPubKey},
		"no reveal":          {key.PubKey(), nil, chainID, seed, height, beacon.ErrSignature},
		"short reveal":       {key.PubKey(), reveal[:95], chainID, seed, height, beacon.ErrSignature},
		"long reveal":        {key.PubKey(), append(reveal[:96:96], 0), chainID, seed, height, beacon.ErrSignature},
		"signature as a key": {reveal, reveal, chainID, seed, height, beacon.ErrPubKey},
		"key as a signature": {key.PubKey(), key.PubKey(), chainID, seed, height, beacon.ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, beacon.CheckReveal(c.pubKey, c.reveal, c.chainID, c.seed, c.height), c.want)
		})
	}
	require.Nil(t, key.Reveal(chainID, seed[1:], height))
	require.Nil(t, key.Reveal(chainID, seed, -1))
}

func TestProof(t *testing.T) {
	key, other, operator := keyOf(t, 0), keyOf(t, 1), []byte("operator 0")
	proof := key.Prove(chainID, operator)
	require.Len(t, proof, beacon.SignatureSize)
	require.NoError(t, beacon.CheckProof(key.PubKey(), proof, chainID, operator))
	for name, c := range map[string]struct {
		pubKey, proof []byte
		chainID       string
		operator      []byte
		want          error
	}{
		"another key":      {other.PubKey(), proof, chainID, operator, beacon.ErrSignature},
		"another's proof":  {key.PubKey(), other.Prove(chainID, operator), chainID, operator, beacon.ErrSignature},
		"another chain":    {key.PubKey(), proof, "edge-test-2", operator, beacon.ErrSignature},
		"another operator": {key.PubKey(), proof, chainID, []byte("operator 1"), beacon.ErrSignature},
		"no operator":      {key.PubKey(), proof, chainID, nil, beacon.ErrSignature},
		"no key":           {nil, proof, chainID, operator, beacon.ErrPubKey},
		"no proof":         {key.PubKey(), nil, chainID, operator, beacon.ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, beacon.CheckProof(c.pubKey, c.proof, c.chainID, c.operator), c.want)
		})
	}
}

// TestDomains signs the right message by the wrong suite, and the other message by the right one.
func TestDomains(t *testing.T) {
	key, seed, operator := keyOf(t, 0), seedOf(0), []byte("operator")
	pub := key.PubKey()
	reveal, proof := beacon.RevealMessage(chainID, seed, 5), beacon.ProofMessage(pub, chainID, operator)
	require.NoError(t, beacon.CheckReveal(pub, key.Sign(reveal, false), chainID, seed, 5))
	require.NoError(t, beacon.CheckProof(pub, key.Sign(proof, true), chainID, operator))

	require.ErrorIs(t, beacon.CheckReveal(pub, key.Sign(reveal, true), chainID, seed, 5), beacon.ErrSignature)
	require.ErrorIs(t, beacon.CheckReveal(pub, key.Prove(chainID, operator), chainID, seed, 5), beacon.ErrSignature)
	require.ErrorIs(t, beacon.CheckReveal(pub, key.Sign(proof, false), chainID, seed, 5), beacon.ErrSignature)
	require.ErrorIs(t, beacon.CheckProof(pub, key.Sign(proof, false), chainID, operator), beacon.ErrSignature)
	require.ErrorIs(t, beacon.CheckProof(pub, key.Reveal(chainID, seed, 5), chainID, operator), beacon.ErrSignature)
	require.ErrorIs(t, beacon.CheckProof(pub, key.Sign(reveal, true), chainID, operator), beacon.ErrSignature)
}

// TestRogueKey registers what can be made of others' keys without holding them: another's key, the difference of the own key
// and another's, the sum of both.
func TestRogueKey(t *testing.T) {
	victim, attacker, operator := keyOf(t, 0), keyOf(t, 1), []byte("attacker")
	point := func(k beacon.Key) *blst.P1 {
		p := new(blst.P1)
		p.FromAffine(new(blst.P1Affine).Uncompress(k.PubKey()))
		return p
	}
	victimProof := victim.Prove(chainID, []byte("victim"))
	for name, rogue := range map[string][]byte{
		"another's key": victim.PubKey(),
		"difference":    point(attacker).Sub(point(victim)).Compress(),
		"sum":           point(attacker).Add(point(victim)).Compress(),
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, beacon.CheckPubKey(rogue), "it is a key like any other")
			proofs := map[string][]byte{
				"of the attacker":               attacker.Prove(chainID, operator),
				"of the victim":                 victimProof,
				"attacker's over the rogue key": attacker.Sign(beacon.ProofMessage(rogue, chainID, operator), true),
			}
			sum := new(blst.P2)
			sum.FromAffine(new(blst.P2Affine).Uncompress(attacker.Sign(beacon.ProofMessage(rogue, chainID, operator), true)))
			proofs["made of both"] = sum.Add(new(blst.P2Affine).Uncompress(victimProof)).Compress()
			for from, proof := range proofs {
				require.ErrorIs(t, beacon.CheckProof(rogue, proof, chainID, operator), beacon.ErrSignature, from)
			}
		})
	}
}

// outside returns points that are on the curve and outside of the subgroup, and multiples of them of low order: what is left of
// them if the order of the subgroup is taken out.
func outside(t *testing.T) (g1, torsion1, g2, torsion2 []byte) {
	t.Helper()
	r := order.Bytes()
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i] // little-endian
	}
	for n := 0; g1 == nil || g2 == nil; n++ {
		b := sha256.Sum256(fmt.Appendf(nil, "x %d", n))
		x := make([]byte, beacon.PubKeySize)
		copy(x[16:], b[:])
		x[0] |= 0x80
		if p := new(blst.P1Affine).Uncompress(x); g1 == nil && p != nil && !p.InG1() {
			whole := new(blst.P1)
			whole.FromAffine(p)
			g1, torsion1 = x, whole.Mult(r).Compress()
		}
		y := append(x[:len(x):len(x)], make([]byte, beacon.PubKeySize)...)
		if p := new(blst.P2Affine).Uncompress(y); g2 == nil && p != nil && !p.InG2() {
			whole := new(blst.P2)
			whole.FromAffine(p)
			g2, torsion2 = y, whole.Mult(r).Compress()
		}
	}
	return g1, torsion1, g2, torsion2
}

// TestPoints refuses every encoding but the canonical one of a point of the subgroup other than infinity.
func TestPoints(t *testing.T) {
	seed := seedOf(0)
	outside1, torsion1, outside2, torsion2 := outside(t)
	// The x of a key that leaves room for the modulus on top, below the three bits of the flags.
	var key beacon.Key
	room := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 381), modulus)
	x := func(b []byte) *big.Int {
		b = bytes.Clone(b[:48])
		b[0] &= 0x1f
		return new(big.Int).SetBytes(b)
	}
	for n := 0; ; n++ {
		key = keyOf(t, n)
		if x(key.PubKey()).Cmp(room) < 0 && x(key.Reveal(chainID, seed, 1)).Cmp(room) < 0 {
			break
		}
	}
	pub, reveal := key.PubKey(), key.Reveal(chainID, seed, 1)
	require.NoError(t, beacon.CheckReveal(pub, reveal, chainID, seed, 1))

	edit := func(b []byte, f func([]byte)) []byte {
		b = bytes.Clone(b)
		f(b)
		return b
	}
	plusModulus := func(coordinate []byte) {
		flags := coordinate[0] & 0xe0 // none in the second half of a signature
		b := bytes.Clone(coordinate)
		b[0] &^= flags
		new(big.Int).Add(new(big.Int).SetBytes(b), modulus).FillBytes(coordinate)
		coordinate[0] |= flags
	}
	infinity := func(size int) []byte { return edit(make([]byte, size), func(b []byte) { b[0] = 0xc0 }) }
	addTorsion1 := func() []byte {
		p := new(blst.P1)
		p.FromAffine(new(blst.P1Affine).Uncompress(pub))
		return p.Add(new(blst.P1Affine).Uncompress(torsion1)).Compress()
	}
	addTorsion2 := func() []byte {
		p := new(blst.P2)
		p.FromAffine(new(blst.P2Affine).Uncompress(reveal))
		return p.Add(new(blst.P2Affine).Uncompress(torsion2)).Compress()
	}
	offCurve := func(size int) []byte {
		for n := byte(1); ; n++ {
			b := edit(make([]byte, size), func(b []byte) { b[0], b[size-1] = 0x80, n })
			if size == beacon.PubKeySize && new(blst.P1Affine).Uncompress(b) == nil ||
				size == beacon.SignatureSize && new(blst.P2Affine).Uncompress(b) == nil {
				return b
			}
		}
	}

	for name, b := range map[string][]byte{
		"empty":                     {},
		"a byte short":              pub[:47],
		"a byte more":               append(pub[:48:48], 0),
		"all zero":                  make([]byte, 48),
		"all ones":                  bytes.Repeat([]byte{0xff}, 48),
		"infinity":                  infinity(48),
		"infinity with a sign":      edit(infinity(48), func(b []byte) { b[0] |= 0x20 }),
		"infinity with a rest":      edit(infinity(48), func(b []byte) { b[47] = 1 }),
		"not said to be compressed": edit(pub, func(b []byte) { b[0] &^= 0x80 }),
		"said to be infinity":       edit(pub, func(b []byte) { b[0] |= 0x40 }),
		"x above the modulus":       edit(pub, plusModulus),
		"x is the modulus":          edit(modulus.Bytes(), func(b []byte) { b[0] |= 0x80 }),
		"off the curve":             offCurve(48),
		"outside of the subgroup":   outside1,
		"of low order":              torsion1,
		"with a part of low order":  addTorsion1(),
		"not compressed":            new(blst.P1Affine).Uncompress(pub).Serialize(),
		"cut from not compressed":   new(blst.P1Affine).Uncompress(pub).Serialize()[:48],
	} {
		t.Run("key "+name, func(t *testing.T) {
			require.ErrorIs(t, beacon.CheckPubKey(b), beacon.ErrPubKey)
			require.ErrorIs(t, beacon.CheckReveal(b, reveal, chainID, seed, 1), beacon.ErrPubKey)
			require.ErrorIs(t, beacon.CheckProof(b, reveal, chainID, seed), beacon.ErrPubKey)
		})
	}
	for name, b := range map[string][]byte{
		"empty":                     {},
		"a byte short":              reveal[:95],
		"all zero":                  make([]byte, 96),
		"all ones":                  bytes.Repeat([]byte{0xff}, 96),
		"infinity":                  infinity(96),
		"infinity with a sign":      edit(infinity(96), func(b []byte) { b[0] |= 0x20 }),
		"infinity with a rest":      edit(infinity(96), func(b []byte) { b[95] = 1 }),
		"not said to be compressed": edit(reveal, func(b []byte) { b[0] &^= 0x80 }),
		"said to be infinity":       edit(reveal, func(b []byte) { b[0] |= 0x40 }),
		"negated":                   edit(reveal, func(b []byte) { b[0] ^= 0x20 }),
		"first half above":          edit(reveal, func(b []byte) { plusModulus(b[:48]) }),
		"second half above":         edit(reveal, func(b []byte) { plusModulus(b[48:]) }),
		"off the curve":             offCurve(96),
		"outside of the subgroup":   outside2,
		"of low order":              torsion2,
		"with a part of low order":  addTorsion2(),
		"not compressed":            new(blst.P2Affine).Uncompress(reveal).Serialize(),
		"cut from not compressed":   new(blst.P2Affine).Uncompress(reveal).Serialize()[:96],
	} {
		t.Run("signature "+name, func(t *testing.T) {
			require.ErrorIs(t, beacon.CheckReveal(pub, b, chainID, seed, 1), beacon.ErrSignature)
			require.ErrorIs(t, beacon.CheckProof(pub, b, chainID, seed), beacon.ErrSignature)
		})
	}
}

// TestUnique flips each bit of a reveal: nobody can make another valid one of it.
func TestUnique(t *testing.T) {
	key, seed := keyOf(t, 0), seedOf(0)
	pub, reveal := key.PubKey(), key.Reveal(chainID, seed, 1)
	for bit := range len(reveal) * 8 {
		reveal[bit/8] ^= 1 << (bit % 8)
		require.ErrorIs(t, beacon.CheckReveal(pub, reveal, chainID, seed, 1), beacon.ErrSignature, "bit %d", bit)
		reveal[bit/8] ^= 1 << (bit % 8)
	}
	require.NoError(t, beacon.CheckReveal(pub, reveal, chainID, seed, 1))
}

// TestCiphersuite holds the suite of the reveals against a published vector (ethereum/bls12-381-tests, sign).
func TestCiphersuite(t *testing.T) {
	key, err := beacon.ParseKey(unhex(t, "263dbd792f5b1be47ed85f8938c0f29586af0d3ac7b977f21c278fe1462040e3"))
	require.NoError(t, err)
	require.Equal(t, "b6ed936746e01f8ecf281f020953fbf1f01debd5657c4a383940b020b26507f6076334f91e2366c96e9ab279fb5158090352ea1c5b0c9274504f4f0e7053af24802e51e4568d164fe986834f41e55c8e850ce1f98458c0cfc9ab380b55285a55",
		hex.EncodeToString(key.Sign(make([]byte, 32), false)))
}

func TestSeeds(t *testing.T) {
	digest := sha256.Sum256([]byte("edge/seed\x00\x00\x00\x00\x00\x00\x00edge-1"))
	require.Equal(t, digest[:], beacon.FirstSeed("edge-1"))
	require.NotEqual(t, beacon.FirstSeed("edge-1"), beacon.FirstSeed("edge-2"))

	seed, header := seedOf(0), seedOf(1)
	digest = sha256.Sum256(append(append([]byte(nil), seed...), header...))
	require.Equal(t, digest[:], beacon.Start(seed, header))
	digest = sha256.Sum256(seed)
	require.Equal(t, digest[:], beacon.Start(seed, nil), "the hash of the header can be missing")
	require.Len(t, beacon.Mix(seed, []byte{1}), beacon.SeedSize)
}

func TestTx(t *testing.T) {
	reveal := keyOf(t, 0).Reveal(chainID, seedOf(0), 1)
	tx := beacon.EncodeTx(reveal)
	require.Len(t, tx, 16+beacon.SignatureSize)
	got, injected := beacon.DecodeTx(tx)
	require.True(t, injected)
	require.Equal(t, reveal, got)

	// What begins with the prefix is injected, whatever follows.
	for _, rest := range [][]byte{{}, {1}, make([]byte, 1000)} {
		got, injected := beacon.DecodeTx(beacon.EncodeTx(rest))
		require.True(t, injected)
		require.Equal(t, rest, got)
	}
	for _, other := range [][]byte{nil, {}, tx[:15], tx[1:], []byte("edge/reveal-tX\x00\x00"), bytes.ToUpper(tx)} {
		_, injected := beacon.DecodeTx(other)
		require.False(t, injected, "%x", other)
	}
	// The result of one call is not part of the next one.
	a, b := beacon.EncodeTx([]byte{1}), beacon.EncodeTx([]byte{2})
	require.NotEqual(t, a, b)
}

func TestKeys(t *testing.T) {
	key := keyOf(t, 0)
	again, err := beacon.ParseKey(key.Bytes())
	require.NoError(t, err)
	require.Equal(t, key, again)
	require.Equal(t, key.PubKey(), again.PubKey())
	require.NoError(t, beacon.CheckPubKey(key.PubKey()))
	require.NotEqual(t, key.PubKey(), keyOf(t, 1).PubKey())

	got := key.Bytes()
	clear(got)
	require.Equal(t, again.Bytes(), key.Bytes(), "what Bytes returned is a copy")

	orderBytes := order.Bytes()
	for name, b := range map[string][]byte{
		"none": nil, "short": again.Bytes()[1:], "long": append(again.Bytes(), 0), "zero": make([]byte, 32),
		"the order": orderBytes, "above the order": new(big.Int).Add(order, big.NewInt(1)).Bytes(), "all ones": bytes.Repeat([]byte{0xff}, 32),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := beacon.ParseKey(b)
			require.ErrorIs(t, err, beacon.ErrKey)
		})
	}
	largest, err := beacon.ParseKey(new(big.Int).Sub(order, big.NewInt(1)).Bytes())
	require.NoError(t, err)
	require.NoError(t, beacon.CheckProof(largest.PubKey(), largest.Prove(chainID, nil), chainID, nil))

	_, err = beacon.GenerateKey(bytes.NewReader(make([]byte, 31)))
	require.Error(t, err)
	_, err = beacon.GenerateKey(failing{})
	require.ErrorIs(t, err, errNoRandomness)

	var none beacon.Key
	require.Nil(t, none.Bytes())
	require.Nil(t, none.PubKey())
	require.Nil(t, none.Prove(chainID, nil))
	require.Nil(t, none.Reveal(chainID, seedOf(0), 1))
}

var errNoRandomness = errors.New("no randomness")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errNoRandomness }

// TestPrinting shows the private key nowhere, also not where a key is part of something else that is printed.
func TestPrinting(t *testing.T) {
	key := keyOf(t, 0)
	secret, bytesOf := hex.EncodeToString(key.Bytes()), fmt.Sprintf("%v", key.Bytes())
	inside := struct{ k beacon.Key }{key}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		values := []any{key, &key, []beacon.Key{key}}
		if strings.HasSuffix(verb, "v") { // vet refuses the other ones for a struct
			values = append(values, inside)
		}
		for _, v := range values {
			text := fmt.Sprintf(verb, v)
			require.NotContains(t, strings.ToLower(text), secret)
			require.NotContains(t, text, bytesOf)
			require.NotContains(t, text, strings.Trim(bytesOf, "[]"))
		}
	}
	require.Equal(t, "beacon key "+hex.EncodeToString(key.PubKey()), fmt.Sprint(key))
}

// TestConcurrent uses one key from several goroutines.
func TestConcurrent(t *testing.T) {
	key, seed := keyOf(t, 0), seedOf(0)
	var wg sync.WaitGroup
	failed := make([]error, 8)
	for i := range failed {
		wg.Go(func() {
			height := int64(i)
			failed[i] = errors.Join(
				beacon.CheckReveal(key.PubKey(), key.Reveal(chainID, seed, height), chainID, seed, height),
				beacon.CheckProof(key.PubKey(), key.Prove(chainID, seed), chainID, seed),
			)
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(failed...))
}

func BenchmarkCheckReveal(b *testing.B) {
	key, seed := keyOf(b, 0), seedOf(0)
	pub, reveal := key.PubKey(), key.Reveal(chainID, seed, 1)
	for b.Loop() {
		require.NoError(b, beacon.CheckReveal(pub, reveal, chainID, seed, 1))
	}
}

func FuzzCheckPubKey(f *testing.F) {
	f.Add(keyOf(f, 0).PubKey())
	f.Add(append([]byte{0xc0}, make([]byte, 47)...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if beacon.CheckPubKey(b) != nil {
			return
		}
		p := new(blst.P1Affine).Uncompress(b)
		require.NotNil(t, p)
		require.True(t, p.InG1())
		require.Equal(t, b, p.Compress(), "a key has one encoding")
	})
}

func FuzzCheckReveal(f *testing.F) {
	key, seed := keyOf(f, 0), seedOf(0)
	pub, reveal := key.PubKey(), key.Reveal(chainID, seed, 1)
	f.Add(reveal)
	f.Add(keyOf(f, 1).Reveal(chainID, seed, 1))
	f.Add(append([]byte{0xc0}, make([]byte, 95)...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		err := beacon.CheckReveal(pub, b, chainID, seed, 1)
		if bytes.Equal(b, reveal) {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, beacon.ErrSignature)
		}
		require.ErrorIs(t, beacon.CheckProof(pub, b, chainID, nil), beacon.ErrSignature)
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add(keyOf(f, 0).Bytes())
	f.Add(make([]byte, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := beacon.ParseKey(b)
		if err != nil {
			require.ErrorIs(t, err, beacon.ErrKey)
			return
		}
		require.Equal(t, b, key.Bytes())
		require.NoError(t, beacon.CheckPubKey(key.PubKey()))
	})
}

func FuzzDecodeTx(f *testing.F) {
	f.Add(beacon.EncodeTx(nil))
	f.Add(beacon.EncodeTx(make([]byte, 96)))
	f.Add([]byte("edge/reveal-tx"))
	f.Fuzz(func(t *testing.T, tx []byte) {
		reveal, injected := beacon.DecodeTx(tx)
		require.Equal(t, bytes.HasPrefix(tx, beacon.EncodeTx(nil)), injected)
		if injected {
			require.Equal(t, tx, beacon.EncodeTx(reveal))
		}
	})
}
