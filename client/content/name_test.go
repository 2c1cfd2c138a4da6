package content_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multibase"
	"github.com/multiformats/go-multihash"
	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/client/content"
)

// fooHex is the BLAKE3 hash of "foo", as go-multihash publishes it in its test vectors.
const fooHex = "04e0bb39f30b1a3feb89f536c93be15055482df748674b00d26e5a75777702e9"

func TestParseName(t *testing.T) {
	name := content.Name(blake3.Sum256([]byte("foo")))
	require.Equal(t, fooHex, name.String())

	mh, err := multihash.Encode(name[:], multihash.BLAKE3)
	require.NoError(t, err)
	raw := cid.NewCidV1(cid.Raw, mh)
	require.Equal(t, raw.String(), name.CID())
	good := []string{fooHex, strings.ToUpper(fooHex), name.CID()}
	for _, base := range []multibase.Encoding{multibase.Base2, multibase.Base16, multibase.Base32, multibase.Base32Upper, multibase.Base36, multibase.Base58BTC, multibase.Base64url} {
		s, err := raw.StringOfBase(base)
		require.NoError(t, err)
		good = append(good, s)
	}
	for _, s := range good {
		got, err := content.ParseName(s)
		require.NoError(t, err, s)
		require.Equal(t, name, got, s)
	}

	sha, err := multihash.Encode(name[:], multihash.SHA2_256)
	require.NoError(t, err)
	short, err := multihash.Encode(name[:16], multihash.BLAKE3)
	require.NoError(t, err)
	long, err := multihash.Encode(append(name[:], 1), multihash.BLAKE3)
	require.NoError(t, err)
	for what, s := range map[string]string{
		"empty":            "",
		"63 digits":        fooHex[1:],
		"not hex":          "x" + fooHex[1:],
		"not a CID":        "b" + strings.Repeat("1", 20),
		"dag-pb":           cid.NewCidV1(cid.DagProtobuf, mh).String(),
		"sha2-256":         cid.NewCidV1(cid.Raw, sha).String(),
		"CIDv0":            cid.NewCidV0(sha).String(),
		"16 bytes":         cid.NewCidV1(cid.Raw, short).String(),
		"33 bytes":         cid.NewCidV1(cid.Raw, long).String(),
		"trailing bytes":   fooHex + "00",
		"path":             "/ipfs/" + name.CID(),
		"traversal":        "../../etc/passwd",
		"much too long":    strings.Repeat("b", 1<<20),
		"spaces around it": " " + name.CID(),
	} {
		_, err := content.ParseName(s)
		require.ErrorIs(t, err, content.ErrName, what)
	}
}

func TestNameText(t *testing.T) {
	in := map[string]content.Name{"name": content.EmptyName}
	b, err := json.Marshal(in)
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"}`, string(b))
	var out map[string]content.Name
	require.NoError(t, json.Unmarshal(b, &out))
	require.Equal(t, in, out)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"name":"x"}`), &out), content.ErrName)
}

func FuzzParseName(f *testing.F) {
	f.Add(fooHex)
	f.Add(content.EmptyName.CID())
	f.Add("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG")
	f.Fuzz(func(t *testing.T, s string) {
		name, err := content.ParseName(s)
		if err != nil {
			return
		}
		for _, again := range []string{name.String(), name.CID()} {
			if got, err := content.ParseName(again); err != nil || got != name {
				t.Fatalf("%q parses as %v, %q as %v (%v)", s, name, again, got, err)
			}
		}
	})
}
