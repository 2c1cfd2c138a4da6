package origin

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// missing remembers what Fill has said no to, about 200 bytes of memory for each name. The one longest unseen is forgotten
// first.
type missing struct {
	ttl time.Duration

	mu   sync.Mutex
	seen *simplelru.LRU[key, verdict]
}

type verdict struct {
	until time.Time
	err   error
}

func newMissing(ttl time.Duration, size int) *missing {
	seen, _ := simplelru.NewLRU[key, verdict](size, nil) // fails for a size of 0 only
	return &missing{ttl: ttl, seen: seen}
}

func (m *missing) get(k key, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.seen.Get(k)
	if !ok {
		return nil
	}
	if !now.Before(v.until) {
		m.seen.Remove(k)
		return nil
	}
	return v.err
}

func (m *missing) add(k key, err error, now time.Time) {
	if m.ttl <= 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen.Add(k, verdict{now.Add(m.ttl), err})
}

func (m *missing) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen.Len()
}
