package gateway

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/http"

	"github.com/edgechain/edge/client/content"
)

// plainRequest is a request for an object that the quick path understands whole: GET or HEAD of /b3/{64 hex digits} in HTTP/1.1,
// without a query or a body, with headers that it knows, each at most once if it has a meaning here. It points into the bytes
// that it was parsed from.
type plainRequest struct {
	method string
	name   content.Name
	// The values of the headers with a meaning; nil if there is none.
	authorization, acks, match, noneMatch, rng, ifRange []byte
}

// parsed says what the first bytes of a connection are.
type parsed int

const (
	// unfinished: the header has not ended yet.
	unfinished parsed = iota
	// understood is a plainRequest.
	understood
	// single is another request whose end is sure: GET, HEAD or POST, without a body or with one that is here.
	single
	// strange is anything else. Where it ends is not for the quick path to say.
	strange
)

// Lines of a header that say nothing about the plain answer with an object. Those that the answer depends on are in parse;
// a request with any other is not understood.
var ignored = map[string]struct{}{
	"user-agent": {}, "accept-encoding": {}, "accept-language": {}, "accept-charset": {}, "referer": {}, "cache-control": {}, "pragma": {},
	"cookie": {}, "dnt": {}, "priority": {}, "upgrade-insecure-requests": {}, "sec-ch-ua": {}, "sec-ch-ua-mobile": {}, "sec-ch-ua-platform": {},
	"sec-fetch-dest": {}, "sec-fetch-mode": {}, "sec-fetch-site": {}, "sec-fetch-user": {}, "sec-gpc": {}, "if-modified-since": {}, "if-unmodified-since": {},
}

// beyond are the headers with which a request is more than its header, but for one whose length is known, or its connection
// becomes another one.
var beyond = map[string]struct{}{
	"transfer-encoding": {}, "expect": {}, "upgrade": {}, "trailer": {}, "te": {}, "http2-settings": {}, "proxy-connection": {}, "keep-alive": {},
}

// maxLowerName bounds the names of headers that are looked at.
const maxLowerName = 32

// parse reads the first request in b, which ends at end if it is neither strange nor unfinished. It is stricter
// than RFC 9112: whatever two parsers could read in two ways is strange, such as a line without CR, a folded line, space before
// a colon, bytes outside of ASCII, or a second Host.
func (r *plainRequest) parse(b []byte, origins bool) (what parsed, end int) {
	end = bytes.Index(b, []byte("\r\n\r\n"))
	if len(b) > 0 && b[0] == tlsHandshake {
		return strange, 0
	}
	if end < 0 {
		if i := bytes.IndexByte(b, '\n'); i == 0 || i > 0 && b[i-1] != '\r' {
			return strange, 0 // its lines end without a carriage return, and so may its header
		}
		return unfinished, 0
	}
	end += 4
	*r = plainRequest{}
	rest := b[:end-2]
	line, rest := cutLine(rest)
	what = r.requestLine(line)
	if what == strange {
		return strange, 0
	}
	host, length := false, -1
	for len(rest) > 0 {
		line, rest = cutLine(rest)
		name, value, ok := cutField(line)
		if !ok {
			return strange, 0
		}
		var lower [maxLowerName]byte
		if len(name) > len(lower) {
			what = single
			continue
		}
		known := lower[:len(name)]
		for i, c := range name {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			known[i] = c
		}
		switch string(known) {
		case "host":
			if host || !isHost(value) {
				return strange, 0
			}
			host = true
		case "connection":
			switch {
			case equalFold(value, "keep-alive"):
			case equalFold(value, "close"):
				what = single
			default:
				return strange, 0
			}
		case "content-length":
			if length >= 0 {
				return strange, 0
			}
			if length = shortLength(value); length < 0 {
				return strange, 0
			}
			what = single
		case "accept":
			if bytes.Contains(value, []byte(baoType)) {
				what = single
			}
		case "origin":
			if origins {
				what = single
			}
		case "authorization":
			what = once(&r.authorization, value, what)
		case "edge-ack":
			what = once(&r.acks, value, what)
		case "if-match":
			what = once(&r.match, value, what)
		case "if-none-match":
			what = once(&r.noneMatch, value, what)
		case "if-range":
			what = once(&r.ifRange, value, what)
		case "range":
			what = once(&r.rng, value, what)
		default:
			if _, ok := beyond[string(known)]; ok {
				return strange, 0
			}
			if _, ok := ignored[string(known)]; !ok {
				what = single
			}
		}
	}
	if end += max(0, length); !host || end > len(b) {
		return strange, 0
	}
	return what, end
}

// shortLength reads the length of a body that may stand behind its header, -1 if it cannot.
func shortLength(value []byte) int {
	if len(value) == 0 || len(value) > 4 {
		return -1
	}
	n := 0
	for _, c := range value {
		if c < '0' || c > '9' {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// once keeps the value of a header. A second line of it, or one without a value, is left to others.
func once(field *[]byte, value []byte, what parsed) parsed {
	if *field != nil || len(value) == 0 {
		return single
	}
	*field = value
	return what
}

// requestLine reads the first line.
func (r *plainRequest) requestLine(line []byte) parsed {
	target, ok := bytes.CutSuffix(line, []byte(" HTTP/1.1"))
	if !ok {
		return strange
	}
	switch {
	case bytes.HasPrefix(target, []byte("GET /")):
		r.method, target = http.MethodGet, target[len("GET "):]
	case bytes.HasPrefix(target, []byte("HEAD /")):
		r.method, target = http.MethodHead, target[len("HEAD "):]
	case bytes.HasPrefix(target, []byte("POST /")):
		target = target[len("POST "):]
	default:
		return strange
	}
	if !isText(target) || bytes.IndexByte(target, ' ') >= 0 || bytes.IndexByte(target, '\t') >= 0 {
		return strange
	}
	if r.method == "" {
		return single
	}
	name, ok := bytes.CutPrefix(target, []byte(contentPrefix))
	if !ok || len(name) != 2*content.NameSize {
		return single
	}
	if _, err := hex.Decode(r.name[:], name); err != nil {
		return single
	}
	return understood
}

// cutLine returns the first line of b, without its end, and what follows it. b ends with a line.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\r\n"))
	return line, rest
}

// cutField splits a line of a header. A name is a token, a value of visible ASCII, spaces and tabs.
func cutField(line []byte) (name, value []byte, ok bool) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return nil, nil, false
	}
	for _, c := range line[:colon] {
		if !isToken[c] {
			return nil, nil, false
		}
	}
	value = bytes.Trim(line[colon+1:], " \t")
	return line[:colon], value, isText(value)
}

// isText reports whether b is visible ASCII, spaces and tabs. Eight bytes are looked at together, as an acknowledgement is long:
// (x - n*ones) &^ x has no high bit if no byte of x is less than n ("Determine if a word has a byte less than n" in Anderson's
// Bit Twiddling Hacks). If one may be, each is looked at.
func isText(b []byte) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b)
		if del := x ^ 0x7f*ones; (x|(x-' '*ones)&^x|(del-ones)&^del)&high != 0 && !isTextByByte(b[:8]) {
			return false
		}
		b = b[8:]
	}
	return isTextByByte(b)
}

func isTextByByte(b []byte) bool {
	for _, c := range b {
		if (c < ' ' && c != '\t') || c >= 0x7f {
			return false
		}
	}
	return true
}

// isToken has the bytes of a token (RFC 9110, section 5.6.2).
var isToken = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()

// isHost reports whether a value looks like a host, with or without a port.
func isHost(value []byte) bool {
	for _, c := range value {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != ':' && c != '[' && c != ']' && c != '_' {
			return false
		}
	}
	return len(value) > 0
}

// equalFold reports whether a value is a lower-case word, whatever its case.
func equalFold(value []byte, word string) bool {
	if len(value) != len(word) {
		return false
	}
	for i, c := range value {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
