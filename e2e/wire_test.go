package e2e_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/testutil/devnet"
)

// wire speaks the protocol as docs/protocol.md has it, without the client's packages, so that tests can break its rules.
type wire struct {
	base string
	http *http.Client
}

// newWire returns a wire to a worker from a loopback address of its own; free quotas count by address.
func newWire(t *testing.T, n *devnet.Network, from string) *wire {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 4}
	t.Cleanup(transport.CloseIdleConnections)
	return &wire{base: n.WorkerURL(), http: &http.Client{Transport: transport}}
}

// answer is an answer that was read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// problem is an RFC 9457 document.
type problem struct {
	Type, Title, Detail string
	Status              int
	PricePerGib         string  `json:"price_per_gib"`
	SettlementDenom     string  `json:"settlement_denom"`
	How                 string  `json:"how"`
	RetryAfter          float64 `json:"retry_after_seconds"`
	Results             []struct {
		Index  int
		Reason string
	}
}

func (w *wire) do(ctx context.Context, method, path string, header http.Header, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, w.base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	maps.Copy(req.Header, header)
	res, err := w.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{status: res.StatusCode, header: res.Header, body: b}, err
}

// get fetches and fails the test if there is no answer.
func (w *wire) get(ctx context.Context, t *testing.T, path string, header http.Header) answer {
	t.Helper()
	a, err := w.do(ctx, http.MethodGet, path, header, nil)
	require.NoError(t, err)
	return a
}

// problem decodes an error answer and checks what all of them have.
func (a answer) problem(t *testing.T, status int, kind string) problem {
	t.Helper()
	require.Equal(t, status, a.status, "%s", a.body)
	require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
	require.Contains(t, a.header.Get("Cache-Control"), "no-store")
	var p problem
	require.NoError(t, json.Unmarshal(a.body, &p), "%s", a.body)
	require.Equal(t, "https://edge.network/problems/"+kind, p.Type)
	require.Equal(t, status, p.Status)
	require.NotEmpty(t, p.Title)
	return p
}

// session is an open session.
type session struct {
	Token        string
	Epoch        uint64
	NextSequence uint64 `json:"next_sequence"`
	Credit       struct {
		Limit, Claim        string
		UnacknowledgedBytes uint64 `json:"unacknowledged_bytes"`
	}
	Acknowledgements []string
}

func (s session) header() http.Header {
	return http.Header{"Authorization": {"Edge-Session " + s.Token}}
}

// open opens a session on a lane.
func (w *wire) open(ctx context.Context, n *devnet.Network, keyID uint64, key ed25519.PrivateKey, lane uint8) (session, answer, error) {
	a, err := w.do(ctx, http.MethodPost, "/v1/challenges", nil, nil)
	if err != nil {
		return session{}, a, err
	}
	var challenge struct{ Challenge string }
	if err := json.Unmarshal(a.body, &challenge); err != nil {
		return session{}, a, fmt.Errorf("challenge: status %d: %s", a.status, a.body)
	}
	var raw [ack.ChallengeSize]byte
	if _, err := hex.Decode(raw[:], []byte(challenge.Challenge)); err != nil {
		return session{}, a, err
	}
	message := ack.AppendSessionSignBytes(nil, ack.HashChainID(n.ChainID()), n.WorkerID, keyID, lane, raw)
	body, err := json.Marshal(map[string]any{
		"key_id": keyID, "service_id": 0, "lane": lane, "challenge": challenge.Challenge,
		"signature": hex.EncodeToString(ed25519.Sign(key, message)),
	})
	if err != nil {
		return session{}, a, err
	}
	if a, err = w.do(ctx, http.MethodPost, "/v1/sessions", http.Header{"Content-Type": {"application/json"}}, body); err != nil {
		return session{}, a, err
	}
	var s session
	if a.status == http.StatusCreated {
		err = json.Unmarshal(a.body, &s)
	}
	return s, a, err
}

// acks sends signed acknowledgements.
func (w *wire) acks(ctx context.Context, list ...ack.Signed) (answer, error) {
	var body []byte
	for i := range list {
		body = list[i].AppendEncoded(body)
	}
	return w.do(ctx, http.MethodPost, "/v1/acks", http.Header{"Content-Type": {"application/vnd.edge.ack"}}, body)
}
