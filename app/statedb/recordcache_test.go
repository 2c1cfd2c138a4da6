package statedb

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A cache answers with what was put there last or not at all, whatever is given up for it, with hashes that meet and with keys of
// several stores; it never holds more than it may, and a value that was handed out never changes.
func TestRecordCache(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type id struct {
			store uint32
			key   string
		}
		const most = 4_000
		cache := newRecordCache(most * recordShards)
		model := make(map[id][]byte)
		var held, copies [][]byte
		hashes := rapid.Uint64Range(1, 40).Draw(t, "hashes")
		// The hash of a key is the same for all stores, so that they meet.
		hash := func(i id) uint64 { return uint64(i.key[0]) % hashes * recordShards }
		shard := cache.shard(0)
		draw := func(t *rapid.T) id {
			return id{rapid.Uint32Range(1, 2).Draw(t, "store"), string(rapid.ByteRange(1, 50).Draw(t, "key"))}
		}
		owner := make(map[uint64]id) // of a hash: what was put there last
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				i, value := draw(t), rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(t, "value")
				shard.put(hash(i), i.store, []byte(i.key), value)
				model[i], owner[hash(i)] = value, i
			},
			"large": func(t *rapid.T) {
				i := draw(t)
				shard.put(hash(i), i.store, []byte(i.key), make([]byte, most/2))
				delete(owner, hash(i))
			},
			"remove": func(t *rapid.T) {
				i := draw(t)
				shard.remove(hash(i))
				delete(owner, hash(i))
			},
			"get": func(t *rapid.T) {
				i := draw(t)
				value, ok := shard.get(hash(i), i.store, []byte(i.key))
				if !ok {
					return
				}
				require.Equal(t, i, owner[hash(i)])
				require.True(t, bytes.Equal(model[i], value))
				require.NotNil(t, value)
				require.Equal(t, len(value), cap(value))
				held, copies = append(held, value), append(copies, bytes.Clone(value))
			},
			"": func(t *rapid.T) {
				requireWithin(t, cache, most)
				for i := range held {
					require.True(t, bytes.Equal(copies[i], held[i]))
				}
			},
		})
	})
}

// What is read again and again stays, however much passes through.
func TestRecordCacheKeepsWhatIsUsed(t *testing.T) {
	cache := newRecordCache(64 << 10 * recordShards)
	shard := cache.shard(0)
	value := make([]byte, 100)
	shard.put(0, 1, []byte("used"), value)
	for i := range uint64(10_000) {
		_, ok := shard.get(0, 1, []byte("used"))
		require.True(t, ok, "%d", i)
		shard.put((i+1)*recordShards, 1, fmt.Appendf(nil, "%d", i), value)
	}
	_, ok := shard.get(recordShards, 1, []byte("0"))
	require.False(t, ok)
	require.Less(t, len(shard.index), 1_000)
}
