package fetch

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/lane"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const (
	// maxToken bounds a session token in bytes.
	maxToken = 1 << 10
	// maxStallTimeout bounds what a worker's stall timeout adds to the wait for a group.
	maxStallTimeout = 2 * time.Minute
	// maxAmountDigits bounds an amount of money in an answer.
	maxAmountDigits = 40
	// contentService is the service id of content.
	contentService = 0
	// lookAgain is the pause between looks for something that a worker or the chain is about to learn.
	lookAgain = 300 * time.Millisecond
)

// Credit is where an account stands with a worker.
type Credit struct {
	// Limit and Claim are in units of the settlement coin.
	Limit               string `json:"limit"`
	Claim               string `json:"claim"`
	UnacknowledgedBytes uint64 `json:"unacknowledged_bytes"`
}

func amount(s string) (*big.Int, bool) {
	if s == "" || len(s) > maxAmountDigits {
		return nil, false
	}
	n, ok := new(big.Int).SetString(s, 10)
	return n, ok && n.Sign() >= 0
}

// workerInfo is the answer to GET /v1/worker, as far as it matters here.
type workerInfo struct {
	ChainID             string  `json:"chain_id"`
	WorkerID            uint64  `json:"worker_id"`
	PeerKey             string  `json:"peer_key"`
	Epoch               uint64  `json:"epoch"`
	StallTimeoutSeconds float64 `json:"stall_timeout_seconds"`
}

type sessionAnswer struct {
	Token            string   `json:"token"`
	WorkerID         uint64   `json:"worker_id"`
	KeyID            uint64   `json:"key_id"`
	ServiceID        uint64   `json:"service_id"`
	Lane             uint8    `json:"lane"`
	Epoch            uint64   `json:"epoch"`
	Acknowledgements []string `json:"acknowledgements"`
	NextSequence     uint64   `json:"next_sequence"`
	Credit           Credit   `json:"credit"`
}

// source is one worker in one transfer.
type source struct {
	*transfer
	*link
	pace *pace
	// owed is what broken tries of an upload sent to this worker and did not acknowledge, in bytes. It is paid only to go on,
	// and never to another worker.
	owed uint64
	// sent is what this worker was sent of an upload over all tries, in bytes.
	sent uint64
}

// ackEvery is after how many bytes one of so many streams has to acknowledge: together at a quarter of the credit limit at the
// price, each at most at most and at least at one group.
func ackEvery(limit, perGiB *big.Int, most uint64, streams int) uint64 {
	if perGiB == nil || perGiB.Sign() <= 0 {
		return most
	}
	quarter := new(big.Int).Lsh(limit, 30-2)
	quarter.Quo(quarter, new(big.Int).Mul(perGiB, big.NewInt(int64(streams))))
	if !quarter.IsUint64() || quarter.Uint64() > most {
		return most
	}
	return max(quarter.Uint64(), ack.GroupSize)
}

// open opens a session on a lane, and takes up the acknowledgements that the worker holds of it. A lane about which
// worker and client disagree is closed, and the next one is taken.
func (s *link) open(ctx context.Context) error {
	s.setToken("")
	if err := s.identify(ctx); err != nil {
		return err
	}
	if s.acker == nil {
		s.batch.mu.Lock()
		s.acker = startAcker(ctx, s)
		s.batch.mu.Unlock()
	}
	next := uint8(0)
	for {
		if s.lane == nil {
			l, err := lane.OpenAny(s.client.payer.LaneDir, lane.ID{
				ChainID: s.client.payer.ChainID, KeyID: s.client.payer.KeyID, WorkerID: s.worker.ID, ServiceID: contentService,
			}, next, s.client.payer.Key, s.client.payer.View)
			if err != nil {
				return err
			}
			s.lane = l
			s.acker.add(l)
		}
		next = s.lane.ID().Lane + 1
		err := s.openOn(ctx, s.lane)
		if err == nil {
			return nil
		}
		if !errors.Is(err, lane.ErrClosed) {
			return err
		}
		if err := s.leaveLane(); err != nil {
			return err
		}
	}
}

// leaveLane closes the lane for the epoch. What is verified on it is still acknowledged.
func (s *link) leaveLane() error {
	l := s.lane
	s.lane = nil
	s.setToken("")
	return l.MarkClosed()
}

// identify asks the worker who it is, and holds that against the chain.
func (s *link) identify(ctx context.Context) error {
	var info workerInfo
	if err := s.call(ctx, http.MethodGet, "/v1/worker", "", nil, http.StatusOK, &info); err != nil {
		return classify(err)
	}
	switch {
	case info.ChainID != s.client.payer.ChainID:
		return fmt.Errorf("%w: it serves chain %q, want %q", ErrIdentity, clean(info.ChainID), s.client.payer.ChainID)
	case info.WorkerID == 0:
		return fmt.Errorf("%w: it is not registered yet", ErrIdentity)
	case s.worker.ID != 0 && info.WorkerID != s.worker.ID:
		return fmt.Errorf("%w: it says that it is worker %d, the registry has worker %d at this address", ErrIdentity, info.WorkerID, s.worker.ID)
	}
	registered, err := s.client.payer.Chain.Worker(ctx, info.WorkerID)
	if err != nil {
		return fmt.Errorf("%w: it says that it is worker %d: %w", ErrIdentity, info.WorkerID, err)
	}
	peer, err := hex.DecodeString(info.PeerKey)
	switch {
	case err != nil || len(peer) != ed25519.PublicKeySize:
		return fmt.Errorf("%w: its peer key is no key", ErrIdentity)
	case registered.Id != info.WorkerID || !bytes.Equal(peer, registered.PeerKey):
		return fmt.Errorf("%w: its peer key is not that of worker %d", ErrIdentity, info.WorkerID)
	case registered.Status != nodetypes.WORKER_STATUS_ACTIVE:
		return fmt.Errorf("%w: worker %d is retiring", ErrIdentity, info.WorkerID)
	}
	if s.worker.ID == 0 {
		// Once only: the acknowledging goroutine reads it.
		s.worker.ID = info.WorkerID
	}
	s.stall = seconds(info.StallTimeoutSeconds, maxStallTimeout)
	if err := s.reach(ctx, info.Epoch); err != nil {
		return err
	}
	epoch, err := s.client.payer.View.Epoch()
	if err != nil {
		return err
	}
	prices, err := s.batch.pricesOf(ctx, epoch)
	if err != nil {
		return err
	}
	s.sessionMu.Lock()
	s.perGiB = prices.PerGiB
	s.sessionMu.Unlock()
	return nil
}

// introduce asks a worker for its id before a free transfer, so that errors can name it. Nothing rests on the answer.
func (s *link) introduce(ctx context.Context) {
	if s.introduced || s.worker.ID != 0 {
		return
	}
	s.introduced = true
	var info workerInfo
	if s.call(ctx, http.MethodGet, "/v1/worker", "", nil, http.StatusOK, &info) == nil {
		s.worker.ID = info.WorkerID
	}
}

// reach waits a little until the client's own view of the chain has reached an epoch that a worker names. Chains are not
// seen by all at the same moment, but only the client's own view counts.
func (s *link) reach(ctx context.Context, claimed uint64) error {
	deadline := time.Now().Add(s.client.cfg.EpochPatience)
	for refreshed := false; ; refreshed = true {
		epoch, err := s.client.payer.View.Epoch()
		if err != nil {
			return err
		}
		if claimed <= epoch {
			return nil
		}
		if refreshed && (claimed > epoch+1 || time.Now().After(deadline)) {
			return fmt.Errorf("%w: epoch %d, the chain is in epoch %d", ErrFutureEpoch, claimed, epoch)
		}
		if refreshed {
			if err := sleep(ctx, lookAgain); err != nil {
				return err
			}
		}
		if err := s.client.payer.View.Refresh(ctx); err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// openOn opens a session on a lane. It returns lane.ErrClosed if the lane cannot be used.
func (s *link) openOn(ctx context.Context, l *lane.Lane) error {
	deadline := time.Now().Add(s.client.cfg.EpochPatience)
	for {
		answer, err := s.prove(ctx, l)
		var p *Problem
		if errors.As(err, &p) {
			switch p.Type {
			case "lane-closed":
				return fmt.Errorf("%w: %s", lane.ErrClosed, p.Detail)
			case "bad-proof", "account-empty":
				// The worker may not have seen a new key or deposit yet.
				if time.Now().Before(deadline) {
					if err := sleep(ctx, lookAgain); err != nil {
						return err
					}
					continue
				}
				return err
			}
			return classify(err)
		}
		if err != nil {
			return err
		}
		return s.begin(ctx, l, answer)
	}
}

// prove asks for a challenge and answers it.
func (s *link) prove(ctx context.Context, l *lane.Lane) (*sessionAnswer, error) {
	var c struct {
		Challenge string `json:"challenge"`
	}
	if err := s.call(ctx, http.MethodPost, "/v1/challenges", "", nil, http.StatusOK, &c); err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(c.Challenge)
	if err != nil || len(raw) != ack.ChallengeSize {
		return nil, fmt.Errorf("%w: the challenge is not %d bytes in hex", ErrProtocol, ack.ChallengeSize)
	}
	id := l.ID()
	signBytes := ack.AppendSessionSignBytes(nil, ack.HashChainID(id.ChainID), id.WorkerID, id.KeyID, id.Lane, [ack.ChallengeSize]byte(raw))
	body, err := json.Marshal(map[string]any{
		"key_id": id.KeyID, "service_id": id.ServiceID, "lane": id.Lane,
		"challenge": c.Challenge, "signature": hex.EncodeToString(ed25519.Sign(s.client.payer.Key, signBytes)),
	})
	if err != nil {
		return nil, fmt.Errorf("encode session request: %w", err)
	}
	var answer sessionAnswer
	if err := s.call(ctx, http.MethodPost, "/v1/sessions", "application/json", body, http.StatusCreated, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

// begin checks a session's parameters and takes it up.
func (s *link) begin(ctx context.Context, l *lane.Lane, a *sessionAnswer) error {
	id := l.ID()
	switch {
	case a.WorkerID != id.WorkerID || a.KeyID != id.KeyID || a.ServiceID != id.ServiceID || a.Lane != id.Lane:
		return fmt.Errorf("%w: asked for a session of key %d on lane %d with worker %d, got one of key %d, service %d, lane %d, worker %d",
			ErrProtocol, id.KeyID, id.Lane, id.WorkerID, a.KeyID, a.ServiceID, a.Lane, a.WorkerID)
	case !usableToken(a.Token):
		return fmt.Errorf("%w: unusable session token", ErrProtocol)
	case len(a.Acknowledgements) > 2:
		return fmt.Errorf("%w: %d acknowledgements of one lane, want at most 2", ErrProtocol, len(a.Acknowledgements))
	}
	if err := s.reach(ctx, a.Epoch); err != nil {
		return err
	}
	held := make([]ack.Signed, len(a.Acknowledgements))
	for i, text := range a.Acknowledgements {
		raw, err := hex.DecodeString(text)
		if err == nil {
			err = held[i].Decode(raw)
		}
		if err != nil {
			return fmt.Errorf("%w: acknowledgement %d of the session: %w", lane.ErrForeign, i, err)
		}
	}
	// An acknowledgement can be of a later epoch than the worker's own word.
	for i := range held {
		if err := s.reach(ctx, held[i].Epoch); err != nil {
			return err
		}
	}
	s.batch.mu.Lock()
	s.batch.ledger.base(held, id, s)
	s.batch.mu.Unlock()
	if err := l.Resume(held, a.NextSequence); err != nil {
		return err
	}
	s.setToken(a.Token)
	s.setCredit(a.Credit)
	// The worker may lack what this client has signed before.
	s.acker.changed()
	return nil
}

// usableToken reports whether a token can stand in a header.
func usableToken(t string) bool {
	if t == "" || len(t) > maxToken {
		return false
	}
	for i := range len(t) {
		if t[i] <= ' ' || t[i] >= 0x7f {
			return false
		}
	}
	return true
}

// classify turns a problem into what to do about it.
func classify(err error) error {
	var p *Problem
	if !errors.As(err, &p) {
		return err
	}
	switch {
	case p.Type == "credit-exhausted", p.Type == "overloaded", p.Type == "chain-stale",
		p.Status == http.StatusTooManyRequests, p.Status == http.StatusServiceUnavailable:
		return &waitError{wait: p.RetryAfter, cause: p}
	case p.Status == http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("%w: %w", ErrRange, p)
	}
	return err
}

// wait pauses the transfer; the acknowledging goes on, for all transfers of the batch.
func (s *source) wait(ctx context.Context, d time.Duration) error {
	s.batch.poke()
	return sleep(ctx, d)
}
