package content_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"
	"lukechampine.com/blake3/bao"
	"pgregory.net/rapid"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
)

const group = content.GroupSize

// sizes are those at which trees change their shape.
var sizes = []int{0, 1, 1023, 1024, 1025, group - 1, group, group + 1, 2*group - 1, 2 * group, 2*group + 1, 3 * group, 4*group + 5, 5*group + 777, 7 * group, 8*group - 1, 9*group + 1, 33*group + 12_345}

func object(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16)}).Read(b)
	return b
}

// encoded is an object with what the reference encoder makes of it.
type encoded struct {
	data, outboard, combined []byte
	name                     content.Name
}

func encode(data []byte) encoded {
	outboard, root := bao.EncodeBuf(data, content.Group, true)
	combined, _ := bao.EncodeBuf(data, content.Group, false)
	return encoded{data: data, outboard: outboard, combined: combined, name: root}
}

func (e encoded) slice(t require.TestingT, offset, length uint64) []byte {
	r := content.NewSliceReader(bytes.NewReader(e.data), bytes.NewReader(e.outboard), uint64(len(e.data)), offset, length)
	var out []byte
	for {
		var err error
		if out, _, err = r.Append(out, 1); errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
	}
}

func TestNamesAreBLAKE3(t *testing.T) {
	for _, size := range sizes {
		e := encode(object(size))
		require.Equal(t, content.Name(blake3.Sum256(e.data)), e.name)
		require.Len(t, e.outboard, int(content.OutboardSize(uint64(size))))
	}
}

// TestWholeObject compares the slice of a whole object with the reference encoding, byte by byte, and decodes it again.
func TestWholeObject(t *testing.T) {
	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			e := encode(object(size))
			s := e.slice(t, 0, uint64(size))
			require.True(t, bytes.Equal(e.combined, s))
			require.Equal(t, uint64(len(s)), content.SliceSize(uint64(size), 0, content.ToEnd))
			for _, length := range []uint64{uint64(size), content.ToEnd} {
				var out bytes.Buffer
				got, err := content.DecodeSlice(&out, iotest.OneByteReader(bytes.NewReader(s)), e.name, 0, length, content.MaxSize)
				require.NoError(t, err)
				if size > 0 || length > 0 {
					require.Equal(t, uint64(size), got)
				}
				require.True(t, bytes.Equal(e.data, out.Bytes()))
			}
		})
	}
}

// TestRanges checks ranges of all shapes against the reference's slices and our own billing.
func TestRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.SampledFrom(sizes[1:]), rapid.IntRange(1, 20*group)).Draw(t, "size")
		e := encode(object(size))
		offset := rapid.Uint64Range(0, uint64(size)-1).Draw(t, "offset")
		length := rapid.Uint64Range(1, uint64(size)-offset).Draw(t, "length")
		s := e.slice(t, offset, length)

		want := new(bytes.Buffer)
		require.NoError(t, bao.ExtractSlice(want, bytes.NewReader(e.combined), nil, content.Group, offset, length))
		require.True(t, bytes.Equal(want.Bytes(), s), "slice differs from the reference")
		require.Equal(t, uint64(len(s)), content.SliceSize(uint64(size), offset, length))

		asked := length
		if offset+length == uint64(size) {
			asked = rapid.SampledFrom([]uint64{length, length + 1, content.ToEnd, math.MaxUint64 - offset, math.MaxUint64 - 1}).Draw(t, "asked")
		}
		d := content.NewDecoder(bytes.NewReader(s), e.name, offset, asked, uint64(size))
		var out []byte
		for {
			p, err := d.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			out = append(out, p...)
			require.Equal(t, uint64(len(out)), d.Written())
			require.Equal(t, ack.ContentBytes(uint64(size), offset, d.Written()), d.Payload(), "payload of a prefix")
		}
		require.True(t, bytes.Equal(e.data[offset:offset+length], out))
		require.Equal(t, ack.ContentBytes(uint64(size), offset, length), d.Payload())
		require.Equal(t, uint64(size), d.Claimed())
		got, proven := d.Size()
		require.Equal(t, (offset+length-1)/group == uint64(size-1)/group, proven, "the last group proves the length")
		if proven {
			require.Equal(t, uint64(size), got)
		} else {
			require.Equal(t, uint64(content.UnknownSize), got)
		}
	})
}

// TestAppendInSteps pins that a step carries whole groups, as many as were asked for, so that credit can be reserved for
// it before it is read.
func TestAppendInSteps(t *testing.T) {
	e := encode(object(33*group + 12_345))
	r := content.NewSliceReader(bytes.NewReader(e.data), bytes.NewReader(e.outboard), uint64(len(e.data)), 100, content.ToEnd)
	var out []byte
	var steps []uint64
	for {
		part, payload, err := r.Append(make([]byte, 0, 5*group), 4*group)
		out, steps = append(out, part...), append(steps, payload)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	require.Equal(t, []uint64{4 * group, 4 * group, 4 * group, 4 * group, 4 * group, 4 * group, 4 * group, 4 * group, group + 12_345}, steps)
	require.True(t, bytes.Equal(e.slice(t, 100, content.ToEnd), out))
}

func TestSliceReaderReportsShortFiles(t *testing.T) {
	e := encode(object(5 * group))
	for what, r := range map[string]*content.SliceReader{
		"data":     content.NewSliceReader(bytes.NewReader(e.data[:5*group-1]), bytes.NewReader(e.outboard), 5*group, 0, content.ToEnd),
		"outboard": content.NewSliceReader(bytes.NewReader(e.data), bytes.NewReader(e.outboard[:len(e.outboard)-1]), 5*group, 0, content.ToEnd),
	} {
		_, _, err := r.Append(nil, content.ToEnd)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, what)
		require.NotErrorIs(t, err, io.EOF, what)
	}
}

// TestEveryFlippedByte flips each byte of a slice: what was written is a prefix of whole groups, the error names the
// group behind it.
func TestEveryFlippedByte(t *testing.T) {
	e := encode(object(5*group + 777))
	size := uint64(len(e.data))
	for _, rng := range [][2]uint64{{0, content.ToEnd}, {group + 5, 2 * group}} {
		s := e.slice(t, rng[0], rng[1])
		want := e.data[rng[0]:min(size, rng[0]+min(rng[1], size))]
		for i := 0; i < len(s); i += stride(i) {
			s[i] ^= 0x40
			d := content.NewDecoder(bytes.NewReader(s), e.name, rng[0], rng[1], content.MaxSize)
			var out []byte
			var err error
			for err == nil {
				var p []byte
				p, err = d.Next()
				out = append(out, p...)
			}
			s[i] ^= 0x40
			require.True(t, bytes.HasPrefix(want, out), "byte %d", i)
			if errors.Is(err, io.EOF) {
				require.Less(t, i, content.HeaderSize, "a flipped byte behind the header goes unnoticed")
				_, proven := d.Size()
				require.False(t, proven, "byte %d: a false length is proven", i)
				require.Equal(t, want, out)
				continue
			}
			require.NotEqual(t, want, out, "byte %d", i)
			var corrupt *content.CorruptError
			if errors.As(err, &corrupt) {
				require.ErrorIs(t, err, content.ErrCorrupt)
				first := rng[0] / group
				require.Equal(t, first+d.Payload()/group, corrupt.Group, "byte %d", i)
				continue
			}
			// A false length can also be over the bound, or make the stream too short or the range fall outside.
			require.Less(t, i, content.HeaderSize)
			require.True(t, errors.Is(err, content.ErrSize) || errors.Is(err, io.ErrUnexpectedEOF), "byte %d: %v", i, err)
		}
	}
}

// stride visits every byte of header and first parents, and a sample of the rest.
func stride(i int) int {
	if i < 256 {
		return 1
	}
	return 211
}

func TestFalseLengths(t *testing.T) {
	e := encode(object(5 * group))
	whole := e.slice(t, 0, content.ToEnd)
	lie := func(s []byte, size uint64) []byte {
		return append(binary.LittleEndian.AppendUint64(nil, size), s[8:]...)
	}
	decode := func(s []byte, name content.Name, offset, length, maxSize uint64) (uint64, []byte, error) {
		var out bytes.Buffer
		size, err := content.DecodeSlice(&out, bytes.NewReader(s), name, offset, length, maxSize)
		return size, out.Bytes(), err
	}

	// A length of 0 needs no proof for the decoders that believe it.
	_, out, err := decode(lie(whole, 0), e.name, 0, content.ToEnd, content.MaxSize)
	require.ErrorIs(t, err, content.ErrCorrupt)
	require.Empty(t, out)
	size, _, err := decode(make([]byte, 8), content.EmptyName, 0, content.ToEnd, content.MaxSize)
	require.NoError(t, err)
	require.Zero(t, size)
	_, _, err = decode(make([]byte, 8), content.EmptyName, 1, content.ToEnd, content.MaxSize)
	require.ErrorIs(t, err, content.ErrSize)

	// Over the bound: nothing is read behind the header, whatever it claims.
	for _, claim := range []uint64{5*group + 1, 1 << 50, 1 << 63, math.MaxUint64} {
		r := bytes.NewReader(lie(whole, claim))
		_, err = content.DecodeSlice(io.Discard, r, e.name, 0, content.ToEnd, 5*group)
		require.ErrorIs(t, err, content.ErrSize)
		require.Equal(t, len(whole)-8, r.Len())
	}
	_, _, err = decode(lie(whole, content.MaxSize+1), e.name, 0, content.ToEnd, math.MaxUint64)
	require.ErrorIs(t, err, content.ErrSize)

	// Offset plus length overflows.
	_, _, err = decode(whole, e.name, math.MaxUint64, math.MaxUint64, content.MaxSize)
	require.ErrorIs(t, err, content.ErrSize)
	tail := e.slice(t, 4*group, content.ToEnd)
	size, out, err = decode(tail, e.name, 4*group, math.MaxUint64-1, content.MaxSize)
	require.NoError(t, err)
	require.EqualValues(t, 5*group, size)
	require.True(t, bytes.Equal(e.data[4*group:], out))

	// In the middle a false length of the same shape goes unnoticed, and is never returned as true. The bytes are right.
	middle := e.slice(t, group, group)
	for _, claim := range []uint64{5*group - 1, 5*group + 1, 6 * group, 8 * group} {
		size, out, err = decode(lie(middle, claim), e.name, group, group, content.MaxSize)
		require.NoError(t, err)
		require.Equal(t, uint64(content.UnknownSize), size)
		require.True(t, bytes.Equal(e.data[group:2*group], out))
		d := content.NewDecoder(bytes.NewReader(lie(middle, claim)), e.name, group, group, content.MaxSize)
		d.RequireSize(5 * group)
		_, err = d.Next()
		require.ErrorIs(t, err, content.ErrSize)
	}
	// At the end it does not.
	for _, claim := range []uint64{1, group, 4 * group, 5*group - 1, 5*group + 1, 6 * group, 8 * group, 9 * group} {
		for _, from := range []uint64{0, group} {
			_, out, err = decode(lie(e.slice(t, from, content.ToEnd), claim), e.name, from, content.ToEnd, content.MaxSize)
			require.Error(t, err, "claim %d", claim)
			require.True(t, bytes.HasPrefix(e.data[from:], out))
		}
	}
}

func TestCutStreams(t *testing.T) {
	e := encode(object(3*group + 5))
	s := e.slice(t, 0, content.ToEnd)
	for n := 0; n < len(s); n += stride(n) {
		var out bytes.Buffer
		_, err := content.DecodeSlice(&out, bytes.NewReader(s[:n]), e.name, 0, content.ToEnd, content.MaxSize)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.True(t, bytes.HasPrefix(e.data, out.Bytes()))
		require.Zero(t, out.Len()%group, "an incomplete group was written")
	}
}

func TestDecodeStopsBehindTheSlice(t *testing.T) {
	e := encode(object(2 * group))
	r := bytes.NewReader(append(e.slice(t, 0, content.ToEnd), "more"...))
	_, err := content.DecodeSlice(io.Discard, r, e.name, 0, content.ToEnd, content.MaxSize)
	require.NoError(t, err)
	require.Equal(t, 4, r.Len())
}

func TestErrorsStay(t *testing.T) {
	e := encode(object(2 * group))
	s := e.slice(t, 0, content.ToEnd)
	s[len(s)-1] ^= 1
	d := content.NewDecoder(bytes.NewReader(s), e.name, 0, content.ToEnd, content.MaxSize)
	_, err := d.Next()
	require.NoError(t, err)
	for range 3 {
		_, err = d.Next()
		var corrupt *content.CorruptError
		require.ErrorAs(t, err, &corrupt)
		require.EqualValues(t, 1, corrupt.Group)
	}
	_, err = content.DecodeSlice(brokenWriter{}, bytes.NewReader(s), e.name, 0, content.ToEnd, content.MaxSize)
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestClip(t *testing.T) {
	for _, c := range []struct {
		size, offset, length, first, end uint64
		ok                               bool
	}{
		{10, 0, 10, 0, 10, true},
		{10, 9, 1, 9, 10, true},
		{10, 9, math.MaxUint64, 9, 10, true},
		{10, 10, 1, 0, 0, false},
		{10, 3, 0, 0, 0, false},
		{0, 0, 1, 0, 0, false},
		{10, math.MaxUint64, math.MaxUint64, 0, 0, false},
	} {
		first, end, ok := content.Clip(c.size, c.offset, c.length)
		require.Equal(t, c.ok, ok)
		require.Equal(t, [2]uint64{c.first, c.end}, [2]uint64{first, end})
	}
}

// FuzzDecode feeds any bytes to a decoder of a known object: whatever it writes is a prefix of the range, success means
// the whole range, and a proven length is the true one.
func FuzzDecode(f *testing.F) {
	objects := []encoded{encode(nil), encode(object(1)), encode(object(group)), encode(object(3*group + 5)), encode(object(5 * group))}
	for i, e := range objects {
		f.Add(uint8(i), uint64(0), uint64(content.ToEnd), e.slice(f, 0, content.ToEnd))
		f.Add(uint8(i), uint64(group), uint64(5), e.slice(f, group, 5))
		f.Add(uint8(i), uint64(math.MaxUint64), uint64(2), make([]byte, 8))
	}
	f.Fuzz(func(t *testing.T, which uint8, offset, length uint64, stream []byte) {
		e := objects[int(which)%len(objects)]
		var out bytes.Buffer
		size, err := content.DecodeSlice(&out, bytes.NewReader(stream), e.name, offset, length, 1<<24)
		var want []byte
		if first, end, ok := content.Clip(uint64(len(e.data)), offset, length); ok {
			want = e.data[first:end]
		}
		if !bytes.HasPrefix(want, out.Bytes()) {
			t.Fatal("wrote bytes that are not the object's")
		}
		if err == nil && out.Len() != len(want) {
			t.Fatalf("success with %d of %d bytes", out.Len(), len(want))
		}
		if size != content.UnknownSize && size != uint64(len(e.data)) {
			t.Fatalf("length %d is proven, it is %d", size, len(e.data))
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	e := encode(object(4 << 20))
	s := e.slice(b, 0, content.ToEnd)
	b.SetBytes(int64(len(e.data)))
	for b.Loop() {
		if size, err := content.DecodeSlice(io.Discard, bytes.NewReader(s), e.name, 0, content.ToEnd, content.MaxSize); err != nil || size != 4<<20 {
			b.Fatal(size, err)
		}
	}
}

func BenchmarkSlice(b *testing.B) {
	e := encode(object(4 << 20))
	buf := make([]byte, 0, 300<<10)
	b.SetBytes(int64(len(e.data)))
	for b.Loop() {
		r := content.NewSliceReader(bytes.NewReader(e.data), bytes.NewReader(e.outboard), 4<<20, 0, content.ToEnd)
		total := uint64(0)
		for {
			_, n, err := r.Append(buf, 256<<10)
			total += n
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		if total != 4<<20 {
			b.Fatal("short slice")
		}
	}
}
