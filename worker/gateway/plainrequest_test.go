package gateway

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// FuzzPlainRequest: whatever the quick path understands or lends, net/http reads as the same request with the same end.
func FuzzPlainRequest(f *testing.F) {
	const name = "/b3/af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
	for _, s := range []string{
		"GET " + name + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"HEAD " + name + " HTTP/1.1\r\nHost: [::1]:80\r\nUser-Agent: a b\r\nRange: bytes=0-1\r\nConnection: Keep-Alive\r\n\r\nGET / HTTP/1.1",
		"GET " + name + " HTTP/1.1\r\nHost: x\r\nAuthorization: Edge-Session t\r\nEdge-Ack: AAAA\r\nIf-None-Match: W/\"x\"\r\nIf-Range: \"y\"\r\n\r\n",
		"POST /v1/acks HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET",
		"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
		"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /?a=%20#x HTTP/1.1\r\nHost: x\r\nAccept: " + baoType + "\r\n\r\n",
		"GET //x/%zz HTTP/1.1\r\nHost: x\r\nX-A:\t1 \r\n\r\n", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", "GET / HTTP/1.1\nHost: x\n\n\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r plainRequest
		what, end := r.parse(data, true)
		if what == unfinished || what == strange {
			return
		}
		source := bytes.NewReader(data)
		reader := bufio.NewReaderSize(source, len(data)+16)
		req, err := http.ReadRequest(reader)
		if err != nil {
			if what == understood {
				t.Fatalf("understood what net/http does not: %v", err)
			}
			return // net/http says so and closes the connection
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			t.Fatal(err)
		}
		if read := len(data) - reader.Buffered() - source.Len(); read != end {
			t.Fatalf("the request ends at %d, want %d", end, read)
		}
		if what != understood {
			return
		}
		path := req.URL.Path
		if req.Method != r.method || !strings.EqualFold(path, contentPrefix+r.name.String()) || req.URL.RawPath != "" || req.URL.RawQuery != "" || req.URL.ForceQuery || req.URL.Fragment != "" || req.URL.Host != "" {
			t.Fatalf("%s %s is read as %s of %s", req.Method, req.URL, r.method, r.name)
		}
		if !req.ProtoAtLeast(1, 1) || req.Close || req.ContentLength != 0 || len(req.TransferEncoding) > 0 || !httpguts.ValidHostHeader(req.Host) || req.Host == "" {
			t.Fatalf("understood %+v", req)
		}
		if bao, err := wantsBao(req); bao || err != nil {
			t.Fatalf("another form is wanted: %v", err)
		}
		for name, value := range map[string][]byte{
			"Authorization": r.authorization, "Edge-Ack": r.acks, "If-Match": r.match, "If-None-Match": r.noneMatch, "If-Range": r.ifRange, "Range": r.rng,
		} {
			if list := req.Header.Values(name); len(list) > 1 || (value == nil) != (len(list) == 0) || value != nil && list[0] != string(value) {
				t.Fatalf("%s is %q, want %q", name, value, list)
			}
		}
		for name, list := range req.Header {
			for _, value := range list {
				if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
					t.Fatalf("understood %q: %q", name, value)
				}
			}
		}
		if req.Header.Get("Origin") != "" {
			t.Fatal("understood an origin")
		}
	})
}

func TestIsText(t *testing.T) {
	for size := range 20 {
		for at := range size {
			b := bytes.Repeat([]byte("~"), size)
			for c := range 256 {
				b[at] = byte(c)
				if got, want := isText(b), c == '\t' || c >= ' ' && c < 0x7f; got != want {
					t.Fatalf("%q: %t", b, got)
				}
			}
		}
	}
}

// Who ends lines without a carriage return gets his answer from net/http at once, not when his header is late.
func TestLinesWithoutCarriageReturn(t *testing.T) {
	for text, want := range map[string]parsed{
		"": unfinished, "GET / HTTP/1.1": unfinished, "GET / HTTP/1.1\r": unfinished, "GET / HTTP/1.1\r\nHost: x\r\n": unfinished,
		"GET / HTTP/1.1\n": strange, "GET / HTTP/1.1\nHost: x\n\n": strange, "\n": strange,
	} {
		var r plainRequest
		if what, _ := r.parse([]byte(text), false); what != want {
			t.Errorf("%q is %d, want %d", text, what, want)
		}
	}
}
