package store

import (
	"encoding/binary"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/client/content"
)

// TestMemoryOfAnObject measures what the index keeps in memory of an object, whatever the number of them: maps have more
// room than they need just after they have grown.
func TestMemoryOfAnObject(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for what, holds := range map[string][]Hold{"evictable": nil, "held": {{Owner: 1, Until: 1}}} {
		s := &Store{
			policy: newPolicy(), records: map[content.Name]*record{}, stale: map[content.Name]struct{}{}, held: map[content.Name]struct{}{},
			uploads: newUploads(Config{}),
		}
		before, most := heap(), 0.0
		for n := 1; n <= 120_000; n++ {
			var name content.Name
			binary.LittleEndian.PutUint64(name[:], uint64(n)*0x9e3779b97f4a7c15)
			r := &record{size: uint64(n), again: n%2 == 0, holds: slices.Clone(holds)}
			s.records[name] = r
			s.enter(name, r)
			if n >= 40_000 && n%4000 == 0 {
				most = max(most, float64(heap()-before)/float64(n))
			}
		}
		// While the index is written anew, its entries are in memory, too.
		entry := len(appendFrame(nil, appendPut(nil, content.Name{}, &record{holds: holds})))
		t.Logf("%s: at most %.0f bytes an object, and %d of the index", what, most, entry)
		require.LessOrEqual(t, most+float64(entry), float64(ObjectMemory))
		runtime.KeepAlive(s)
	}
}
