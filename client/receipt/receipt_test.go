package receipt_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	lukechampine "lukechampine.com/blake3"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/lane"
	"github.com/edgechain/edge/client/receipt"
)

var update = flag.Bool("update", false, "write testdata/receipt.json anew")

const (
	chainID = "edge-vectors-1"
	vector  = "testdata/receipt.json"
)

// The second encoder of the vector: it shares no code with the packages ack and receipt, and hashes with another BLAKE3.
func layout(t testing.TB, fields ...any) []byte {
	t.Helper()
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

// vectorText writes the vector's file by hand: two requests for content, one of which began in the epoch before, and 100
// bytes of a third that was broken off. The second receipt is one without its requests, as a worker writes it.
func vectorText(t testing.TB) string {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{0x42}, 32))
	public := hex.EncodeToString(key.Public().(ed25519.PublicKey))
	chain := sha256.Sum256([]byte(chainID))
	name := lukechampine.Sum256([]byte("hello edge"))
	type request struct{ offset, length, bytes, earlier uint64 }
	requests := []request{{0, 10, 10, 0}, {16_390, 40_000, 49_152, 32_768}}
	var head [32]byte
	var list []string
	for _, r := range requests {
		digest := lukechampine.Sum256(layout(t, domain("edge-content-v1"), name, r.offset, r.length))
		rec := lukechampine.Sum256(layout(t, domain("edge-receipt-v1"), digest, name, r.bytes, uint64(0)))
		head = lukechampine.Sum256(layout(t, domain("edge-head-v1"), head, rec))
		earlier := ""
		if r.earlier > 0 {
			earlier = fmt.Sprintf(`"earlier_bytes":%d,`, r.earlier)
		}
		list = append(list, fmt.Sprintf(`{"request":"%x","response":"%x","bytes":%d,"fuel":0,%s"content":{"offset":%d,"length":%d}}`,
			digest, name, r.bytes, earlier, r.offset, r.length))
	}
	sign := func(epoch uint64, lane uint8, requests, bytes uint64, head [32]byte) string {
		message := layout(t, domain("edge-ack-v1"), chain, epoch, uint64(11), uint64(13), uint64(0), lane, requests, bytes, uint64(0), head)
		return fmt.Sprintf(`"acknowledgement":{"epoch":%d,"key_id":11,"worker_id":13,"service_id":0,"lane":%d,"requests":%d,"bytes":%d,"fuel":0,"head":"%x","signature":"%x"}`,
			epoch, lane, requests, bytes, head, ed25519.Sign(key, message))
	}
	proof := ed25519.Sign(key, layout(t, domain("edge-key-pop-v1"), chain, uint64(5)))
	const total = 10 + 16_384 + 100
	text := fmt.Sprintf(`{"format":"edge-receipt","version":1,"chain_id":%q,"receipts":[`+
		`{"account_id":5,"public_key":"%s","account_proof":"%x",%s,"requests":{"unfinished_bytes":100,"unfinished_fuel":0,"list":[%s]}},`+
		`{"account_id":5,"public_key":"%s",%s}]}`,
		chainID, public, proof, sign(7, 3, 2, total, head), strings.Join(list, ","), public, sign(6, 4, 9, 4_096, [32]byte{1, 2, 3}))
	var out bytes.Buffer
	require.NoError(t, json.Indent(&out, []byte(text), "", "  "))
	return out.String() + "\n"
}

// TestVector holds encoder and verifier to the published file.
func TestVector(t *testing.T) {
	want := vectorText(t)
	if *update {
		require.NoError(t, os.WriteFile(vector, []byte(want), 0o600))
	}
	published, err := os.ReadFile(vector)
	require.NoError(t, err)
	require.Equal(t, want, string(published))
	f, err := receipt.Decode(published)
	require.NoError(t, err)
	b, err := f.Encode()
	require.NoError(t, err)
	require.Equal(t, want, string(b))
	for i, outcomes := range [][]receipt.Outcome{
		{receipt.OK, receipt.OK, receipt.OK, receipt.OK, receipt.OK, receipt.OK},
		{receipt.OK, receipt.OK, receipt.NotIncluded, receipt.NotIncluded},
	} {
		checks := f.Verify(i)
		require.NoError(t, checks.Err())
		var got []receipt.Outcome
		for _, c := range checks {
			got = append(got, c.Outcome)
		}
		require.Equal(t, outcomes, got)
	}
	require.Contains(t, f.Verify(0)[5].Detail, "100 bytes and 0 fuel are of requests that were broken off or under way")
	require.Contains(t, f.Verify(1)[3].Detail, "chain not included")
}

func decoded(t testing.TB) *receipt.File {
	t.Helper()
	f, err := receipt.Decode([]byte(vectorText(t)))
	require.NoError(t, err)
	return f
}

// TestEveryFieldIsBound changes every value of the file, one after the other, in every way that a value of its kind can be
// changed by one bit, and removes every optional part: nothing passes.
func TestEveryFieldIsBound(t *testing.T) {
	visited := map[string]int{}
	// change calls try with each change of a value undone after it.
	var change func(path string, v reflect.Value, try func(path string))
	change = func(path string, v reflect.Value, try func(path string)) {
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() {
				return
			}
			old := reflect.ValueOf(v.Interface())
			v.SetZero()
			try(path + " removed")
			v.Set(old)
			change(path, v.Elem(), try)
		case reflect.Struct:
			for i := range v.NumField() {
				change(path+"."+v.Type().Field(i).Name, v.Field(i), try)
			}
		case reflect.Slice:
			for i := range v.Len() {
				change(fmt.Sprintf("%s[%d]", path, i), v.Index(i), try)
			}
		case reflect.Array:
			for i := range v.Len() {
				for bit := range 8 {
					old := v.Index(i).Uint()
					v.Index(i).SetUint(old ^ 1<<bit)
					try(fmt.Sprintf("%s byte %d bit %d", path, i, bit))
					v.Index(i).SetUint(old)
				}
			}
		case reflect.Uint8, reflect.Uint64:
			old := v.Uint()
			for bit := range v.Type().Bits() {
				v.SetUint(old ^ 1<<bit)
				try(fmt.Sprintf("%s bit %d", path, bit))
			}
			v.SetUint(old)
		case reflect.Int:
			old := v.Int()
			v.SetInt(old + 1)
			try(path)
			v.SetInt(old)
		case reflect.String:
			old := v.String()
			v.SetString(old + "x")
			try(path)
			v.SetString(old)
		default:
			require.Fail(t, "kind without a change", "%s: %s", path, v.Kind())
		}
	}
	f := decoded(t)
	for i := range f.Receipts {
		change("", reflect.ValueOf(&f.Receipts[i]).Elem(), func(path string) {
			visited[path]++
			switch {
			case strings.HasSuffix(path, "Content removed"):
				require.Contains(t, f.Verify(i)[4].Detail, "1 of 2 requests name what was asked")
			case strings.HasSuffix(path, "removed"):
				// What is left out is said not to be included, never to be in order.
				ok := 0
				for _, c := range f.Verify(i) {
					require.NotEqual(t, receipt.Failed, c.Outcome, path)
					if c.Outcome == receipt.OK {
						ok++
					}
				}
				require.Less(t, ok, 6, path)
			case strings.HasPrefix(path, ".AccountID") && f.Receipts[i].AccountProof == nil:
				// Only the chain knows.
			default:
				require.Error(t, f.Verify(i).Err(), "receipt %d%s", i, path)
			}
		})
	}
	change("", reflect.ValueOf(f).Elem(), func(path string) {
		switch path {
		case ".ChainID":
			require.Error(t, f.Verify(0).Err())
			require.Error(t, f.Verify(1).Err())
		case ".Format", ".Version":
			_, err := f.Encode()
			require.ErrorIs(t, err, receipt.ErrFormat)
		}
	})
	for _, path := range []string{
		".AccountID bit 63", ".PublicKey byte 31 bit 7", ".AccountProof byte 0 bit 0", ".Acknowledgement.Lane bit 7", ".Requests removed",
		".Requests.List[1].EarlierBytes bit 0", ".Requests.List[0].EarlierBytes bit 0", ".Requests.List[0].Content.Offset bit 0",
		".Requests.UnfinishedFuel bit 0", ".Acknowledgement.Signature byte 63 bit 0",
	} {
		require.Positive(t, visited[path], path)
	}
	require.NoError(t, f.Verify(0).Err(), "all changes are undone")
}

func TestRequestsAreBoundInOrderAndNumber(t *testing.T) {
	for name, change := range map[string]func(q *receipt.Requests){
		"exchanged": func(q *receipt.Requests) { q.List[0], q.List[1] = q.List[1], q.List[0] },
		"one fewer": func(q *receipt.Requests) { q.List = q.List[:1] },
		"none":      func(q *receipt.Requests) { q.List = q.List[:0] },
		"one twice": func(q *receipt.Requests) { q.List = append(q.List, q.List[1]) },
		"sum overflows": func(q *receipt.Requests) {
			q.List[0].Bytes, q.List[1].Bytes = 1<<63, 1<<63
			q.UnfinishedBytes = 1<<64 - 1
		},
	} {
		f := decoded(t)
		change(f.Receipts[0].Requests)
		require.Error(t, f.Verify(0).Err(), name)
	}
	// A key that anybody can sign for proves nothing, whatever verifies.
	f := decoded(t)
	identity := receipt.Digest{1}
	a := &f.Receipts[1]
	a.PublicKey = identity
	copy(a.Acknowledgement.Signature[:], identity[:])
	clear(a.Acknowledgement.Signature[32:])
	require.ErrorContains(t, f.Verify(1).Err(), receipt.CheckKey)
	// No requests have no head.
	f = decoded(t)
	f.Receipts[1].Acknowledgement.Requests = 0
	require.Equal(t, receipt.Failed, f.Verify(1)[3].Outcome)
}

func TestOf(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32))
	fin := []lane.Finished{
		{Request: ack.Digest{1}, Response: ack.Digest{2}, Bytes: 10},
		{Request: ack.ContentRequestDigest(ack.Digest{9}, 5, 6), Response: ack.Digest{9}, Bytes: 1_000, Earlier: 400, Content: true, Offset: 5, Length: 6},
	}
	var head [32]byte
	for i := range fin {
		head = ack.NextHead(head, fin[i].Receipt())
	}
	signed := ack.Sign(key, ack.HashChainID(chainID), &ack.Ack{Epoch: 2, KeyID: 1, WorkerID: 1, Requests: 2, Bytes: 700, Head: head})
	public := [32]byte(key.Public().(ed25519.PublicKey))
	f := receipt.New(chainID, []receipt.Receipt{receipt.Of(4, public, nil, &lane.Held{Signed: signed, Requests: fin, Whole: true})})
	require.NoError(t, f.Verify(0).Err())
	require.EqualValues(t, 90, f.Receipts[0].Requests.UnfinishedBytes)
	require.Equal(t, &receipt.Range{Offset: 5, Length: 6}, f.Receipts[0].Requests.List[1].Content)
	require.Equal(t, signed, f.Receipts[0].Acknowledgement.Signed())

	f = receipt.New(chainID, []receipt.Receipt{receipt.Of(4, public, nil, &lane.Held{Signed: signed})})
	require.Nil(t, f.Receipts[0].Requests)
	// Lists that do not fit into a file are left out.
	long := receipt.Of(4, public, nil, &lane.Held{Signed: signed, Requests: make([]lane.Finished, receipt.MaxRequests), Whole: true})
	short := receipt.Of(4, public, nil, &lane.Held{Signed: signed, Requests: fin, Whole: true})
	f = receipt.New(chainID, []receipt.Receipt{short, long, short})
	require.NotNil(t, f.Receipts[0].Requests)
	require.Nil(t, f.Receipts[1].Requests)
	require.NotNil(t, f.Receipts[2].Requests)
}

func TestDecodeIsStrict(t *testing.T) {
	text := vectorText(t)
	compact := func() string {
		var out bytes.Buffer
		require.NoError(t, json.Compact(&out, []byte(text)))
		return out.String()
	}()
	_, err := receipt.Decode([]byte(compact))
	require.NoError(t, err, "white space does not matter")
	beforeList, _, ok := strings.Cut(compact, `,"list":[`)
	require.True(t, ok)
	for name, b := range map[string]string{
		"empty":             "",
		"not JSON":          "receipt",
		"another format":    strings.Replace(compact, "edge-receipt", "edge-receipts", 1),
		"another version":   strings.Replace(compact, `"version":1`, `"version":2`, 1),
		"version as text":   strings.Replace(compact, `"version":1`, `"version":"1"`, 1),
		"unknown field":     strings.Replace(compact, `"version":1`, `"version":1,"x":1`, 1),
		"twice":             strings.Replace(compact, `"lane":3`, `"lane":3,"lane":3`, 1),
		"another case":      strings.Replace(compact, `"lane":3`, `"Lane":3`, 1),
		"missing":           strings.Replace(compact, `"fuel":0,`, ``, 1),
		"another order":     strings.Replace(compact, `"epoch":7,"key_id":11`, `"key_id":11,"epoch":7`, 1),
		"another number":    strings.Replace(compact, `"epoch":7`, `"epoch":7.0`, 1),
		"exponent":          strings.Replace(compact, `"lane":3`, `"lane":3e0`, 1),
		"null":              strings.Replace(compact, `"service_id":0`, `"service_id":null`, 1),
		"negative":          strings.Replace(compact, `"service_id":0`, `"service_id":-1`, 1),
		"too large":         strings.Replace(compact, `"lane":3`, `"lane":256`, 1),
		"upper-case hex":    strings.Replace(compact, `"head":"`, `"head":"A`, 1),
		"short hex":         strings.Replace(compact, `"head":"01`, `"head":"`, 1),
		"odd hex":           strings.Replace(compact, `"head":"0`, `"head":"`, 1),
		"zero named":        strings.Replace(compact, `"fuel":0,"content"`, `"fuel":0,"earlier_bytes":0,"content"`, 1),
		"escaped":           strings.Replace(compact, `edge-vectors-1`, `edge-vectors-\u0031`, 1),
		"chain id empty":    strings.Replace(compact, `edge-vectors-1`, ``, 1),
		"chain id blank":    strings.Replace(compact, `edge-vectors-1`, `edge 1`, 1),
		"chain id control":  strings.Replace(compact, `edge-vectors-1`, `edge\u001b[2J`, 1),
		"chain id too long": strings.Replace(compact, `edge-vectors-1`, strings.Repeat("x", 65), 1),
		"behind the end":    compact + "{}",
		"cut":               compact[:len(compact)-1],
		"no receipts":       `{"format":"edge-receipt","version":1,"chain_id":"x","receipts":[]}`,
		"receipts missing":  `{"format":"edge-receipt","version":1,"chain_id":"x"}`,
		"list missing":      strings.Replace(compact, `,"list":[`, `,"lists":[`, 1),
		"list null":         beforeList + `,"list":null}}]}`,
		"over the size":     text + strings.Repeat(" ", receipt.MaxFileSize),
		"millions of parts": `{"format":"edge-receipt","version":1,"chain_id":"x","receipts":[` + strings.Repeat("{},", 1<<20) + "{}]}",
	} {
		require.NotEqual(t, compact, b, name)
		_, err := receipt.Decode([]byte(b))
		require.ErrorIs(t, err, receipt.ErrFormat, name)
		_, err = receipt.Read(strings.NewReader(b))
		require.ErrorIs(t, err, receipt.ErrFormat, name)
	}
}

// TestLargestFile: the most requests in their widest form can be read back.
func TestLargestFile(t *testing.T) {
	f := decoded(t)
	wide := receipt.Request{Bytes: 1<<64 - 1, Fuel: 1<<64 - 1, EarlierBytes: 1<<64 - 1, Content: &receipt.Range{Offset: 1<<64 - 1, Length: 1<<64 - 1}}
	f.Receipts[0].Requests.List = make([]receipt.Request, receipt.MaxRequests)
	for i := range f.Receipts[0].Requests.List {
		f.Receipts[0].Requests.List[i] = wide
	}
	for len(f.Receipts) < receipt.MaxReceipts {
		f.Receipts = append(f.Receipts, f.Receipts[1])
	}
	b, err := f.Encode()
	require.NoError(t, err)
	got, err := receipt.Decode(b)
	require.NoError(t, err)
	require.Equal(t, f, got)
	require.Error(t, got.Verify(0).Err())

	f.Receipts = append(f.Receipts, f.Receipts[1])
	_, err = f.Encode()
	require.ErrorIs(t, err, receipt.ErrFormat)
	f.Receipts = f.Receipts[:1]
	f.Receipts[0].Requests.List = append(f.Receipts[0].Requests.List, wide)
	_, err = f.Encode()
	require.ErrorIs(t, err, receipt.ErrFormat)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(vectorText(f)))
	f.Add([]byte(`{"format":"edge-receipt","version":1,"chain_id":"x","receipts":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := receipt.Decode(b)
		if err != nil {
			require.ErrorIs(t, err, receipt.ErrFormat)
			return
		}
		for i := range file.Receipts {
			_ = file.Verify(i)
		}
		again, err := file.Encode()
		require.NoError(t, err)
		got, err := receipt.Decode(again)
		require.NoError(t, err)
		require.Equal(t, file, got)
	})
}
