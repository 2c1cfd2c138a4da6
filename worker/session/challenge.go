package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/edgechain/edge/ack"
)

// challenges hands out challenges without remembering them: expiry u64 (Unix milliseconds) || 8 random bytes || the first 16
// bytes of an HMAC-SHA256 over both. Only those that have opened a session are remembered, until they expire. The secret
// is new with every process, so a challenge from before a restart opens nothing.
type challenges struct {
	secret [32]byte
	rand   io.Reader
	ttl    time.Duration
	limit  int

	mu   sync.Mutex
	used map[[ack.ChallengeSize]byte]struct{}
	// order of those that were used. One expires at most ttl before the one that was used before it.
	order []usedChallenge
	// accounts are the rates at which their keys open sessions; the longest unused is forgotten.
	accounts *lru.Cache[uint64, *rate.Limiter]
}

type usedChallenge struct {
	challenge [ack.ChallengeSize]byte
	expires   time.Time
}

const (
	// opensAtOnce is how many sessions an account can open at once, and opensPerSecond how many it can go on with: each takes a
	// place among the used challenges, which all share. A client that
	// cannot use a session again opens one for each file.
	opensAtOnce    = 16 * ack.MaxLanes
	opensPerSecond = 16
	// limitedAccounts bounds the accounts whose rates are remembered.
	limitedAccounts = 65_536
)

func newChallenges(rand io.Reader, ttl time.Duration, limit int) (*challenges, error) {
	accounts, err := lru.New[uint64, *rate.Limiter](limitedAccounts)
	if err != nil {
		return nil, err
	}
	c := &challenges{rand: rand, ttl: ttl, limit: limit, used: map[[ack.ChallengeSize]byte]struct{}{}, accounts: accounts}
	if _, err := io.ReadFull(rand, c.secret[:]); err != nil {
		return nil, fmt.Errorf("make challenge secret: %w", err)
	}
	return c, nil
}

func (c *challenges) mac(challenge *[ack.ChallengeSize]byte) []byte {
	h := hmac.New(sha256.New, c.secret[:])
	h.Write(challenge[:16])
	return h.Sum(nil)[:16]
}

func (c *challenges) make(now time.Time) (challenge [ack.ChallengeSize]byte, expires time.Time, err error) {
	expires = now.Add(c.ttl).Truncate(time.Millisecond)
	binary.BigEndian.PutUint64(challenge[:], uint64(expires.UnixMilli()))
	if _, err := io.ReadFull(c.rand, challenge[8:16]); err != nil {
		return challenge, expires, fmt.Errorf("make challenge: %w", err)
	}
	copy(challenge[16:], c.mac(&challenge))
	return challenge, expires, nil
}

// check returns ErrBadProof if the challenge is not one of ours, has expired or was used.
func (c *challenges) check(challenge *[ack.ChallengeSize]byte, now time.Time) error {
	if !hmac.Equal(challenge[16:], c.mac(challenge)) {
		return fmt.Errorf("%w: the challenge is not from this worker", ErrBadProof)
	}
	if now.UnixMilli() >= int64(binary.BigEndian.Uint64(challenge[:])) {
		return fmt.Errorf("%w: the challenge has expired", ErrBadProof)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, used := c.used[*challenge]; used {
		return fmt.Errorf("%w: the challenge has been used", ErrBadProof)
	}
	return nil
}

// use marks a challenge, after everything else about the proof has been verified, so that nobody without a key can fill
// the set. It returns ErrBadProof if it was used, ErrOverloaded if the set is full or the account opens too many sessions.
func (c *challenges) use(challenge *[ack.ChallengeSize]byte, account uint64, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, used := c.used[*challenge]; used {
		return fmt.Errorf("%w: the challenge has been used", ErrBadProof)
	}
	for len(c.order) > 0 && !now.Before(c.order[0].expires) {
		delete(c.used, c.order[0].challenge)
		c.order = c.order[1:]
	}
	if len(c.used) >= c.limit {
		return fmt.Errorf("%w: %d challenges in use", ErrOverloaded, len(c.used))
	}
	limiter, known := c.accounts.Get(account)
	if !known {
		limiter = rate.NewLimiter(opensPerSecond, opensAtOnce)
		c.accounts.Add(account, limiter)
	}
	if !limiter.AllowN(now, 1) {
		return fmt.Errorf("%w: account %d opens more than %d sessions a second", ErrOverloaded, account, opensPerSecond)
	}
	c.used[*challenge] = struct{}{}
	c.order = append(c.order, usedChallenge{*challenge, time.UnixMilli(int64(binary.BigEndian.Uint64(challenge[:])))})
	return nil
}
