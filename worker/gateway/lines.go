package gateway

import (
	"net/http"
	"strconv"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/session"
	"github.com/edgechain/edge/worker/store"
)

// Values of header lines that are the same in all answers, under the canonical names of the lines. They are shared and must
// not be changed: a header is given another slice, or http.Header.Add copies this one.
var (
	rangesBytes  = []string{"bytes"}
	typeBao      = []string{baoType}
	typePlain    = []string{plainType}
	sandboxed    = []string{"default-src 'none'; sandbox"}
	cachePublic  = []string{immutable}
	cachePrivate = []string{immutablePrivate}
	varyPlain    = []string{"Accept"}
	varyBao      = []string{"Accept, Range"}
	nosniff      = []string{"nosniff"}
)

// vary adds what an answer depends on to what stands there already, such as the origin that asks.
func vary(h http.Header, line []string) {
	if len(h["Vary"]) > 0 {
		line = append(append([]string(nil), h["Vary"]...), line...)
	}
	h["Vary"] = line
}

// lines are those of an object that are the same in all of its answers. They are made once for an object that is asked for
// often.
type lines struct {
	plainTag, baoTag []string
	size             uint64
	length           []string
	// whole is what a request for all of it is about.
	whole session.Meta
}

func linesOf(o *store.Object) *lines {
	return o.Attached(func(info store.Info) any {
		whole := metaOf(info.Name, span{length: info.Size}, ack.ContentBytes(info.Size, 0, info.Size))
		whole.Receipt = ack.Receipt(whole.RequestDigest, whole.ResponseDigest, whole.Bytes, 0)
		return &lines{
			whole:    whole,
			plainTag: []string{validator(info.Name, false)}, baoTag: []string{validator(info.Name, true)},
			size: info.Size, length: []string{strconv.FormatUint(info.Size, 10)},
		}
	}).(*lines)
}

// number writes a number of bytes, which mostly is the object's size.
func (l *lines) number(n uint64) []string {
	if n == l.size {
		return l.length
	}
	return []string{strconv.FormatUint(n, 10)}
}

// about says what a request for a range is about.
func (l *lines) about(rng span, payload uint64) session.Meta {
	if rng.offset == 0 && rng.length == l.size {
		return l.whole
	}
	return metaOf(content.Name(l.whole.ResponseDigest), rng, payload)
}

// date is the Date line of a second, which net/http would write anew for every answer.
type date struct {
	second int64
	line   []string
}

// dateLine returns the Date line of now.
func (s *Server) dateLine(now time.Time) []string {
	if d := s.date.Load(); d != nil && d.second == now.Unix() {
		return d.line
	}
	d := &date{now.Unix(), []string{now.UTC().Format(http.TimeFormat)}}
	s.date.Store(d)
	return d.line
}
