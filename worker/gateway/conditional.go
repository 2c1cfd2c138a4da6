package gateway

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/edgechain/edge/client/content"
)

// validator returns the strong ETag of a representation. The forms have different bytes, and so different tags.
func validator(name content.Name, bao bool) string {
	if bao {
		return `"` + name.String() + `.bao"`
	}
	return `"` + name.String() + `"`
}

// matches reports whether a list of entity tags, or "*", names tag. If weak, W/"x" is as good as "x" (RFC 9110, section
// 8.8.3.2). A list that does not parse matches as far as it does.
func matches(list, tag string, weak bool) bool {
	list = strings.Trim(list, " \t")
	if list == "*" {
		return true
	}
	for list != "" {
		if rest, ok := strings.CutPrefix(list, ","); ok {
			list = strings.TrimLeft(rest, " \t")
			continue
		}
		opaque, isWeak := strings.CutPrefix(list, "W/")
		if !strings.HasPrefix(opaque, `"`) {
			return false
		}
		end := strings.IndexByte(opaque[1:], '"')
		if end < 0 {
			return false
		}
		if opaque[:end+2] == tag && (weak || !isWeak) {
			return true
		}
		list = strings.TrimLeft(opaque[end+2:], " \t")
	}
	return false
}

// heldBack returns the status with which the lines of If-Match and If-None-Match keep an answer with a tag back: 412, 304, or 0
// if they let it through.
func heldBack(match, noneMatch []string, tag string) int {
	switch {
	case len(match) > 0 && !matches(strings.Join(match, ","), tag, false):
		return http.StatusPreconditionFailed
	case len(noneMatch) > 0 && matches(strings.Join(noneMatch, ","), tag, true):
		return http.StatusNotModified
	}
	return 0
}

// span is the range of an answer.
type span struct {
	offset, length uint64
	// partial says that it was asked for.
	partial bool
}

// spanOf returns the range that a request for an object of a size asks for (RFC 9110, section 14): a single one, clipped to
// the object. Range counts for GET only, is ignored in other units, with several ranges, and if If-Range names another
// representation than tag; then the answer is the whole object. The problem is range-not-satisfiable, also for a range that
// does not parse.
func spanOf(r *http.Request, size uint64, tag string) (span, *problem) {
	return spanFor(r.Method, r.Header.Get("Range"), r.Header.Get("If-Range"), size, tag)
}

// spanFor is spanOf for a method and the values of the headers Range and If-Range.
func spanFor(method, header, condition string, size uint64, tag string) (span, *problem) {
	whole := span{length: size}
	if header == "" || method != http.MethodGet {
		return whole, nil
	}
	if condition != "" && condition != tag {
		return whole, nil // a date never matches: content has none
	}
	unit, set, ok := strings.Cut(header, "=")
	if ok && !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return whole, nil
	}
	if strings.Contains(set, ",") {
		return whole, nil
	}
	first, last, isRange := strings.Cut(strings.Trim(set, " \t"), "-")
	if !ok || !isRange {
		return span{}, unsatisfiable(size, "range %q does not parse", header)
	}
	if first == "" {
		n, ok := parsePosition(last)
		if !ok {
			return span{}, unsatisfiable(size, "range %q does not parse", header)
		}
		if n == 0 || size == 0 {
			return span{}, unsatisfiable(size, "range %q of %d bytes is empty", header, size)
		}
		n = min(n, size)
		return span{offset: size - n, length: n, partial: true}, nil
	}
	from, ok := parsePosition(first)
	if !ok {
		return span{}, unsatisfiable(size, "range %q does not parse", header)
	}
	length := uint64(content.ToEnd)
	if last != "" {
		to, ok := parsePosition(last)
		if !ok || to < from {
			return span{}, unsatisfiable(size, "range %q does not parse", header)
		}
		if to-from < content.ToEnd {
			length = to - from + 1
		}
	}
	begin, end, ok := content.Clip(size, from, length)
	if !ok {
		return span{}, unsatisfiable(size, "range %q begins behind the object's %d bytes", header, size)
	}
	return span{offset: begin, length: end - begin, partial: true}, nil
}

// parsePosition reads decimal digits. Numbers beyond 64 bits are as far behind any object as the largest one.
func parsePosition(s string) (uint64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		n = content.ToEnd
	}
	return n, true
}

func unsatisfiable(size uint64, format string, args ...any) *problem {
	return newProblem(rangeUnsatisfiable, format, args...).set("Content-Range", "bytes */"+strconv.FormatUint(size, 10))
}

// contentRange writes the range of an answer as "bytes a-b/size".
func (s span) contentRange(size uint64) string {
	b := append(make([]byte, 0, 64), "bytes "...)
	b = strconv.AppendUint(b, s.offset, 10)
	b = append(b, '-')
	b = strconv.AppendUint(b, s.offset+s.length-1, 10)
	b = append(b, '/')
	return string(strconv.AppendUint(b, size, 10))
}
