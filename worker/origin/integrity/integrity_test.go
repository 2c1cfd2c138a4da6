package integrity_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/origin/integrity"
)

func sha(text string) (s256, s384, s512 string) {
	a, b, c := sha256.Sum256([]byte(text)), sha512.Sum384([]byte(text)), sha512.Sum512([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(a[:]), "sha384-" + base64.StdEncoding.EncodeToString(b[:]), "sha512-" + base64.StdEncoding.EncodeToString(c[:])
}

func TestAttribute(t *testing.T) {
	good256, good384, good512 := sha("content")
	bad256, bad384, bad512 := sha("other")
	for attribute, ok := range map[string]bool{
		good256: true, good384: true, good512: true, bad256: false, bad384: false, bad512: false,
		good256 + " " + bad256:                true,
		bad256 + "\n\t" + good384:             true, // the strongest counts
		good256 + " " + bad512:                false,
		good512 + " " + bad512 + " " + bad256: true,
		good256 + "?option":                   true,
		strings.TrimRight(good256, "="):       true,
		strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimPrefix(good512, "sha512-")) + "": false,
	} {
		expected, err := integrity.Parse(attribute)
		if err != nil {
			require.False(t, ok, attribute)
			require.ErrorIs(t, err, integrity.ErrSyntax)
			continue
		}
		for _, r := range []io.Reader{strings.NewReader("content"), iotest.DataErrReader(strings.NewReader("content")), iotest.OneByteReader(strings.NewReader("content"))} {
			got, err := io.ReadAll(expected.Reader(r))
			require.Equal(t, "content", string(got))
			if ok {
				require.NoError(t, err, attribute)
			} else {
				require.ErrorIs(t, err, integrity.ErrMismatch, attribute)
			}
		}
	}
	url := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimPrefix(good512, "sha512-"))
	expected, err := integrity.Parse("sha512-" + url)
	require.NoError(t, err)
	_, err = io.ReadAll(expected.Reader(strings.NewReader("content")))
	require.NoError(t, err)
}

// TestNothingIsIgnored: what does not parse must not turn verification off.
func TestNothingIsIgnored(t *testing.T) {
	good, _, _ := sha("content")
	for _, attribute := range []string{
		"", " \n", "sha256", "sha256-", "md5-1B2M2Y8AsgTpgAmY7PhCfg==", good + " sha1-xxx", good[:len(good)-4], good + "AAAA", "SHA256" + good[6:],
		strings.Repeat(good+" ", 17), strings.Repeat("x", 5000), "sha384-" + strings.TrimPrefix(good, "sha256-"),
	} {
		_, err := integrity.Parse(attribute)
		require.ErrorIs(t, err, integrity.ErrSyntax, attribute)
	}
	require.False(t, integrity.Expected{}.Known())
}

func TestName(t *testing.T) {
	good, _, _ := sha("content")
	expected, err := integrity.Parse(good)
	require.NoError(t, err)
	both := expected.WithName(content.Name(blake3.Sum256([]byte("content"))))
	require.True(t, both.Known())
	_, err = io.ReadAll(both.Reader(strings.NewReader("content")))
	require.NoError(t, err)
	_, err = io.ReadAll(expected.WithName(content.EmptyName).Reader(strings.NewReader("content")))
	require.ErrorIs(t, err, integrity.ErrMismatch)
	_, err = io.ReadAll(integrity.Expected{}.WithName(content.EmptyName).Reader(strings.NewReader("")))
	require.NoError(t, err)
	// A stream that breaks is not at its end, whatever has come.
	broken := errors.New("broken")
	_, err = io.ReadAll(both.Reader(io.MultiReader(strings.NewReader("content"), iotest.ErrReader(broken))))
	require.ErrorIs(t, err, broken)
}

func FuzzParse(f *testing.F) {
	a, b, c := sha("x")
	for _, seed := range []string{a, b, c, a + " " + b + "?x", "sha256-", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, attribute string) {
		expected, err := integrity.Parse(attribute)
		if err != nil {
			require.ErrorIs(t, err, integrity.ErrSyntax)
			return
		}
		require.True(t, expected.Known())
		_, err = io.ReadAll(expected.Reader(strings.NewReader("bytes that nobody has the digest of")))
		require.ErrorIs(t, err, integrity.ErrMismatch)
	})
}
