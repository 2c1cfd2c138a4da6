package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
)

const (
	// paidKeys client keys with 16 lanes each are the lanes of the load.
	paidKeys = 2
	// ackLag is how many requests of a lane an acknowledgement is behind: answers that are under way are not acknowledged.
	ackLag = 4
	// settleIn is how long the worker is given to work off what a round left, before the next.
	settleIn = 500 * time.Millisecond
)

// paidSizes are the sizes of paid objects, with more requests a second than any worker answers on a lane.
var paidSizes = []struct {
	label   string
	size    int64
	perLane int
}{
	{"1KiB", 1 << 10, 5_000}, {"256KiB", 256 << 10, 1_000}, {"1MiB", 1 << 20, 300},
}

// replay has wrk send requests that are written already, one after the other, the lanes in turn.
const replay = `
local list, at = {}, 0
function init(args)
  local f = assert(io.open(args[1], "rb"))
  while true do
    local n = f:read("*l")
    if not n then break end
    list[#list + 1] = f:read(tonumber(n))
  end
  f:close()
end
function request()
  at = at + 1
  if at > #list then at = 1; wrap = true end
  return list[at]
end
`

// lane is one of the client's, with what it has signed for last.
type lane struct {
	key   ed25519.PrivateKey
	token string
	last  ack.Ack
}

// benchPaid compares content within sessions, an acknowledgement with each request, with the plain content of the same worker.
// The same generator sends requests that were written before, so that making and signing them takes no time of either.
func benchPaid(ctx context.Context, s *stage) (_ []result, err error) {
	for len(s.net.Client.KeyIDs) < paidKeys {
		if err := s.net.Client.AddKey(ctx); err != nil {
			return nil, err
		}
	}
	pid, err := readPID(s.workerPID())
	if err != nil {
		return nil, err
	}
	// On the worker's disk, what is written of some hundred MB would have to get there before the worker's next acknowledgement.
	dir, err := os.MkdirTemp(tmpfs, "edge-bench-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	list := filepath.Join(dir, "requests")
	var results []result
	for _, c := range paidSizes {
		if len(s.sizes) > 0 && !slices.Contains(s.sizes, c.label) {
			continue
		}
		o, err := s.add(ctx, "paid-"+c.label, c.size)
		if err != nil {
			return nil, err
		}
		requests := c.perLane * int(s.duration.Seconds())
		var plain, paid measured
		writePaid := func() error {
			lanes, err := s.openLanes(ctx)
			if err != nil {
				return err
			}
			return s.writeRequests(list, o, lanes, requests)
		}
		for range s.rounds {
			if err := s.writeRequests(list, o, nil, requests); err != nil {
				return nil, err
			}
			if err := s.replayRound(ctx, &plain, o, pid, list, c.size); err != nil {
				return nil, err
			}
			if err := writePaid(); err != nil {
				return nil, err
			}
			if err := s.replayRound(ctx, &paid, o, pid, list, c.size); err != nil {
				return nil, err
			}
			time.Sleep(settleIn)
		}
		if s.profiles != "" {
			if err := writePaid(); err != nil {
				return nil, err
			}
			if err := s.profile(ctx, "paid-"+c.label, func(ctx context.Context) error {
				_, err := s.generate(ctx, o.worker, connections, s.duration, replay, list)
				return err
			}); err != nil {
				return nil, err
			}
			time.Sleep(settleIn)
		}
		unit, per := "MB/s", "us/MB"
		if c.size < 256<<10 {
			unit, per = "requests/s", "us/request"
		}
		results = append(results,
			more("paid/"+c.label, median(paid.speed), unit, median(plain.speed)),
			less("paid/"+c.label+"/cpu", median(paid.cpu), per, median(plain.cpu)))
	}
	return results, s.checkPaid(ctx)
}

// replayRound measures the worker once.
func (s *stage) replayRound(ctx context.Context, m *measured, o object, pid int, list string, size int64) error {
	before, err := processTime(pid)
	if err != nil {
		return err
	}
	l, err := s.generate(ctx, o.worker, connections, s.duration, replay, list)
	if err != nil {
		return err
	}
	after, err := processTime(pid)
	if err != nil {
		return err
	}
	if l.Bytes < l.Requests*uint64(size) {
		return fmt.Errorf("%d bytes in %d answers of %d", l.Bytes, l.Requests, size)
	}
	used := float64((after - before).Microseconds())
	if size < 256<<10 {
		m.speed, m.cpu = append(m.speed, l.perSecond()), append(m.cpu, used/float64(l.Requests))
	} else {
		m.speed, m.cpu = append(m.speed, l.mbPerSecond()), append(m.cpu, used*1e6/float64(l.Bytes))
	}
	return nil
}

// openLanes opens a session on each lane and takes up what the worker holds of it.
func (s *stage) openLanes(ctx context.Context) ([]*lane, error) {
	var info struct {
		WorkerID uint64 `json:"worker_id"`
	}
	if err := s.ask(ctx, http.MethodGet, "/v1/worker", nil, &info); err != nil {
		return nil, err
	}
	chain := ack.HashChainID(s.net.ChainID())
	var lanes []*lane
	for n := range uint8(ack.MaxLanes) {
		for _, id := range s.net.Client.KeyIDs[:paidKeys] {
			key, err := s.net.Client.PrivateKey(id)
			if err != nil {
				return nil, err
			}
			var c struct {
				Challenge string `json:"challenge"`
			}
			if err := s.ask(ctx, http.MethodPost, "/v1/challenges", nil, &c); err != nil {
				return nil, err
			}
			challenge, err := hex.DecodeString(c.Challenge)
			if err != nil || len(challenge) != ack.ChallengeSize {
				return nil, fmt.Errorf("challenge %q", c.Challenge)
			}
			message := ack.AppendSessionSignBytes(nil, chain, info.WorkerID, id, n, [ack.ChallengeSize]byte(challenge))
			body, err := json.Marshal(map[string]any{
				"key_id": id, "service_id": 0, "lane": n, "challenge": c.Challenge, "signature": hex.EncodeToString(ed25519.Sign(key, message)),
			})
			if err != nil {
				return nil, err
			}
			var opened struct {
				Token            string   `json:"token"`
				Epoch            uint64   `json:"epoch"`
				Acknowledgements []string `json:"acknowledgements"`
			}
			if err := s.ask(ctx, http.MethodPost, "/v1/sessions", body, &opened); err != nil {
				return nil, err
			}
			l := &lane{key: key, token: opened.Token, last: ack.Ack{Epoch: opened.Epoch, KeyID: id, WorkerID: info.WorkerID, Lane: n}}
			for _, text := range opened.Acknowledgements {
				raw, err := hex.DecodeString(text)
				if err != nil {
					return nil, err
				}
				var held ack.Signed
				if err := held.Decode(raw); err != nil {
					return nil, err
				}
				if held.Epoch == opened.Epoch {
					l.last = held.Ack
				}
			}
			lanes = append(lanes, l)
		}
	}
	return lanes, nil
}

// ask makes a call to the worker.
func (s *stage) ask(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.net.WorkerURL()+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, b)
	}
	return json.Unmarshal(b, out)
}

// writeRequests writes n requests for each lane, the lanes in turn, each with the acknowledgement of those before it; plain
// requests, as many, if there are no lanes.
func (s *stage) writeRequests(path string, o object, lanes []*lane, n int) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	host := strings.TrimPrefix(s.net.WorkerURL(), "http://")
	write := func(more string) {
		text := "GET /b3/" + o.name + " HTTP/1.1\r\nHost: " + host + "\r\n" + more + "\r\n"
		fmt.Fprintf(w, "%d\n%s", len(text), text)
	}
	if lanes == nil {
		// As many, so that the generator touches as much memory: it may share caches with the worker.
		for range n * paidKeys * ack.MaxLanes {
			write("")
		}
		return w.Flush()
	}
	name, err := content.ParseName(o.name)
	if err != nil {
		return err
	}
	size := uint64(o.size)
	receipt := ack.Receipt(ack.ContentRequestDigest(name.Digest(), 0, size), name.Digest(), size, 0)
	chain := ack.HashChainID(s.net.ChainID())
	for i := range n {
		for _, l := range lanes {
			more := "Authorization: Edge-Session " + l.token + "\r\n"
			if i >= ackLag {
				l.last.Requests++
				l.last.Bytes += size
				l.last.Head = ack.NextHead(l.last.Head, receipt)
				signed := ack.Sign(l.key, chain, &l.last)
				more += "Edge-Ack: " + base64.StdEncoding.EncodeToString(signed.AppendEncoded(nil)) + "\r\n"
			}
			write(more)
		}
	}
	return w.Flush()
}

// checkPaid checks that what was acknowledged is held and that no lane was closed for it.
func (s *stage) checkPaid(ctx context.Context) error {
	lanes, err := s.openLanes(ctx)
	if err != nil {
		return err
	}
	for _, l := range lanes {
		if l.last.Requests == 0 || l.last.Bytes == 0 {
			return fmt.Errorf("nothing is acknowledged on lane %d of key %d", l.last.Lane, l.last.KeyID)
		}
	}
	return nil
}
