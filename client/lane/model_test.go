package lane_test

import (
	"crypto/ed25519"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/lane"
)

// modelWorker keeps the newest acknowledgement of each epoch, as a worker does.
type modelWorker struct {
	public ed25519.PublicKey
	epoch  uint64
	held   map[uint64]ack.Signed
}

// take stores what is sent, unless its epoch is dead or ahead.
func (w *modelWorker) take(t *rapid.T, list []ack.Signed) (dead []ack.Signed) {
	for i := range list {
		a := &list[i]
		require.NoError(t, a.Verify(w.public, ack.HashChainID(chainID)))
		require.LessOrEqual(t, a.Epoch, w.epoch, "never an epoch that has not begun")
		if a.Epoch+1 < w.epoch {
			dead = append(dead, *a)
			continue
		}
		if old, ok := w.held[a.Epoch]; !ok || a.Supersedes(&old.Ack) {
			w.held[a.Epoch] = *a
		}
	}
	return dead
}

func (w *modelWorker) newest() (list []ack.Signed) {
	for _, e := range []uint64{w.epoch - 1, w.epoch} {
		if a, ok := w.held[e]; ok {
			list = append(list, a)
		}
	}
	return list
}

func (w *modelWorker) total() (n uint64) {
	for _, a := range w.held {
		n += a.Bytes
	}
	return n
}

// TestModel runs a client against a simulated worker: requests that finish and that break off, acknowledgements whose
// sending or whose answer is lost, new sessions, changes of the epoch, restarts of the client with and without its state.
// At the end, when all is delivered, the acknowledged bytes are the verified ones: none less, none more.
func TestModel(t *testing.T) {
	key := newKey(t)
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "lane-model")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		v := &view{epoch: 3}
		w := &modelWorker{public: key.Public().(ed25519.PublicKey), epoch: 3, held: make(map[uint64]ack.Signed)}
		l, err := lane.Open(dir, testID(0), key, v)
		require.NoError(t, err)
		defer func() { require.NoError(t, l.Close()) }()
		var (
			verified, forgotten uint64
			sequence            uint64
			open                []*lane.Request
			session             bool
			// late is set while something that was signed in the epoch before is not delivered.
			late bool
		)
		delivered := func() bool { return w.total() == verified-forgotten }
		resume := func() {
			sequence, open, session = 0, nil, true
			require.NoError(t, l.Resume(w.newest(), 1))
		}
		send := func(list []ack.Signed) {
			for _, a := range w.take(t, list) {
				l.Abandon(&a.Ack)
			}
			l.Confirm(list)
		}
		resume()
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) {
				if !session {
					t.Skip()
				}
				r := l.Begin()
				sequence++
				require.NoError(t, r.Accepted(sequence))
				open = append(open, r)
			},
			"verify": func(t *rapid.T) {
				if len(open) == 0 {
					t.Skip()
				}
				n := rapid.Uint64Range(0, 3*ack.GroupSize).Draw(t, "bytes")
				open[rapid.IntRange(0, len(open)-1).Draw(t, "which")].Verified(n)
				verified += n
			},
			"end": func(t *rapid.T) {
				if len(open) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
				if rapid.Bool().Draw(t, "whole") {
					open[i].Finish(ack.Digest{byte(i)}, ack.Digest{})
				} else {
					open[i].Abort()
				}
				open = append(open[:i], open[i+1:]...)
			},
			"acknowledge": func(t *rapid.T) {
				list, err := l.Sign()
				require.NoError(t, err)
				switch rapid.SampledFrom([]string{"arrives", "is lost", "answer is lost"}).Draw(t, "fate") {
				case "arrives":
					send(list)
				case "answer is lost":
					w.take(t, list)
				}
			},
			"new session": func(*rapid.T) { resume() },
			"epoch": func(t *rapid.T) {
				// A worker takes an acknowledgement for its epoch and the next; what is signed and not delivered until
				// then is lost to the worker, and the client must not pay for it again.
				if late || rapid.Bool().Draw(t, "delivered") {
					list, err := l.Sign()
					require.NoError(t, err)
					send(list)
				}
				v.epoch++
				w.epoch++
				late = !delivered()
			},
			"orderly restart": func(t *rapid.T) {
				require.NoError(t, l.Close())
				l, err = lane.Open(dir, testID(0), key, v)
				require.NoError(t, err)
				session = false
				resume()
			},
			"state is lost": func(t *rapid.T) {
				// What was not delivered is forgotten with the state: the client can know nothing of it.
				require.NoError(t, l.Close())
				require.NoError(t, os.RemoveAll(dir))
				l, err = lane.Open(dir, testID(0), key, v)
				require.NoError(t, err)
				forgotten = verified - w.total()
				resume()
			},
			"": func(t *rapid.T) {
				require.LessOrEqual(t, w.total(), verified-forgotten, "never more than was verified")
				for e, a := range w.held {
					require.Equal(t, e, a.Epoch)
				}
				if _, err := os.Stat(dir); err == nil {
					requireEvidence(t, dir, key)
				}
			},
		})
		resume()
		list, err := l.Sign()
		require.NoError(t, err)
		send(list)
		require.Equal(t, verified-forgotten, w.total(), "acknowledged is verified")
		require.Zero(t, l.Unacknowledged())
		list, err = l.Sign()
		require.NoError(t, err)
		require.Empty(t, list)
	})
}
