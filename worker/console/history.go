package console

import (
	"math"
	"slices"
	"sync"
	"time"
)

// Series names a line of the picture and its unit.
type Series struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
}

// seriesList are the lines, in the order of Sample.
var seriesList = []Series{
	{"requests", "per second"},
	{"bytes", "bytes per second"},
	{"sessions", "sessions"},
	{"connections", "connections"},
	{"lanes", "lanes"},
	{"unsettled", "units of the settlement coin"},
	{"settled", "units of the settlement coin"},
	{"store", "bytes"},
	{"memory", "bytes"},
	{"lag", "seconds"},
}

// Indices of seriesList.
const (
	atRequests = iota
	atBytes
	atSessions
	atConnections
	atLanes
	atUnsettled
	atSettled
	atStore
	atMemory
	atLag
	seriesCount
)

// Sample is a value of each series; NaN where there is none.
type Sample [seriesCount]float64

// point stands for a step of time: the mean of the samples in it, and the highest.
type point struct {
	// at is the begin of the step in seconds since 1970.
	at      int64
	samples uint32
	mean    Sample
	max     Sample
}

// span is how far back a tier looks.
type span struct {
	name string
	step time.Duration
	// points that are kept.
	points int
}

// spans bound the history: 1,368 points of 176 bytes, a quarter of a megabyte.
var spans = []span{
	{"1h", 10 * time.Second, 360},
	{"24h", 5 * time.Minute, 288},
	{"30d", time.Hour, 720},
}

// tier is a ring of points, ascending in time. There can be steps without a point: the worker did not run.
type tier struct {
	span
	ring []point
	// next is where the next point goes once the ring is full.
	next int
}

// last returns the newest point, nil if there is none.
func (t *tier) last() *point {
	if len(t.ring) == 0 {
		return nil
	}
	return &t.ring[(t.next+len(t.ring)-1)%len(t.ring)]
}

// ordered returns the points by time.
func (t *tier) ordered() []point {
	return slices.Concat(t.ring[t.next:], t.ring[:t.next])
}

// push appends a point, in place of the oldest if the ring is full.
func (t *tier) push(p point) {
	if len(t.ring) < t.points {
		t.ring = append(t.ring, p)
		return
	}
	t.ring[t.next] = p
	t.next = (t.next + 1) % len(t.ring)
}

// add takes a sample into its step. A clock that was set back begins the tier anew if it went far; small steps back are left out.
func (t *tier) add(now int64, s *Sample) {
	step := int64(t.step / time.Second)
	at := now - now%step
	last := t.last()
	if last != nil && at < last.at {
		if last.at-at <= step {
			return
		}
		t.ring, t.next, last = t.ring[:0], 0, nil
	}
	if last == nil || at > last.at {
		t.push(point{at: at, samples: 1, mean: *s, max: *s})
		return
	}
	last.samples++
	for i, v := range s {
		switch {
		case math.IsNaN(v):
		case math.IsNaN(last.mean[i]):
			last.mean[i], last.max[i] = v, v
		default:
			last.mean[i] += (v - last.mean[i]) / float64(last.samples)
			last.max[i] = max(last.max[i], v)
		}
	}
}

// History remembers samples: ten seconds apart for an hour, five minutes for a day, an hour for thirty days. It is safe for
// concurrent use.
type History struct {
	mu    sync.Mutex
	tiers []tier
}

// NewHistory returns an empty one.
func NewHistory() *History {
	h := &History{}
	for _, s := range spans {
		h.tiers = append(h.tiers, tier{span: s})
	}
	return h
}

// Add takes a sample. Values that are not finite count as missing.
func (h *History) Add(now time.Time, s Sample) {
	for i, v := range s {
		if math.IsInf(v, 0) {
			s[i] = math.NaN()
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.tiers {
		h.tiers[i].add(now.Unix(), &s)
	}
}

// Picture is the history of a range, a value for each step of it.
type Picture struct {
	Schema int    `json:"schema"`
	Range  string `json:"range"`
	// Step between two values in seconds, Start the time of the first one in seconds since 1970.
	Step   int64  `json:"step_seconds"`
	Start  int64  `json:"start"`
	Series []Line `json:"series"`
}

// Line is a series in a picture. Null is a step without a value: the worker did not run, or the value was not known.
type Line struct {
	Series
	Mean []*float64 `json:"mean"`
	// Max is missing where every step has one sample.
	Max []*float64 `json:"max,omitempty"`
}

// Picture returns a range that ends now. ok is false if there is none of that name.
func (h *History) Picture(name string, now time.Time) (p Picture, ok bool) {
	i := slices.IndexFunc(spans, func(s span) bool { return s.name == name })
	if i < 0 {
		return p, false
	}
	h.mu.Lock()
	points := h.tiers[i].ordered()
	h.mu.Unlock()
	step := int64(spans[i].step / time.Second)
	end := now.Unix() - now.Unix()%step
	p = Picture{Schema: Schema, Range: name, Step: step, Start: end - int64(spans[i].points-1)*step}
	for n, series := range seriesList {
		line := Line{Series: series, Mean: make([]*float64, spans[i].points)}
		if i > 0 {
			line.Max = make([]*float64, spans[i].points)
		}
		for _, pt := range points {
			if pt.at < p.Start || pt.at > end || math.IsNaN(pt.mean[n]) {
				continue
			}
			at := (pt.at - p.Start) / step
			mean, highest := pt.mean[n], pt.max[n]
			line.Mean[at] = &mean
			if line.Max != nil {
				line.Max[at] = &highest
			}
		}
		p.Series = append(p.Series, line)
	}
	return p, true
}

// Last is the newest sample, NaN in all if there is none within a minute.
func (h *History) Last(now time.Time) Sample {
	h.mu.Lock()
	defer h.mu.Unlock()
	if last := h.tiers[0].last(); last != nil && now.Unix()-last.at < 60 {
		return last.mean
	}
	return missing()
}

func missing() (s Sample) {
	for i := range s {
		s[i] = math.NaN()
	}
	return s
}
