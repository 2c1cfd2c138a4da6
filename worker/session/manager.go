package session

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/chain"
)

// tokenSize is the length of a session token in bytes, before it is written as base64.
const tokenSize = 32

// maxHints bounds the accounts that wait to be settled early.
const maxHints = 1_024

// Manager keeps the sessions, lanes and accounts of a worker. It is safe for concurrent use.
type Manager struct {
	cfg        Config
	chain      Chain
	pool       Pool
	log        *slog.Logger
	rand       io.Reader
	challenges *challenges
	hints      chan uint64
	// hinted is what an account had settled when its last settle hint was given, and when; the longest unused is forgotten.
	hinted *lru.Cache[uint64, hintGiven]
	// hintedKeys is the same for keys with little left to spend.
	hintedKeys *lru.Cache[uint64, hintGiven]
	// proven are keys of which somebody has proven possession; the longest unused is forgotten. lookupSlots bound the
	// queries for all others, so that those always get through.
	proven      *lru.Cache[uint64, struct{}]
	lookupSlots chan struct{}
	queue       *queue
	metrics     *metrics

	// mu guards the tables and comes before any account's lock.
	mu       sync.Mutex
	sessions map[string]*Session
	accounts map[uint64]*account
	// keys of open sessions, for acknowledgements that come while the chain cannot be asked.
	keys  map[uint64]*heldKey
	swept time.Time
	// gate orders begin and Stop; nothing is locked while it is held.
	gate    sync.Mutex
	stopped chan struct{}
	// work counts what Stop waits for.
	work sync.WaitGroup
	// receipts counts those of all accounts.
	receipts atomic.Int64
	// victims make room for sessions when there is none.
	victims victims
	// syncing is set while a sync of lowered watermarks is about to begin.
	syncing atomic.Bool
}

type heldKey struct {
	key  chain.Key
	refs int
}

// New returns a manager that goes on where the pool says that the last one ended: what was sent and not acknowledged
// before counts against the credit of its account.
func New(cfg Config, deps Deps) (*Manager, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("session config: %w", err)
	}
	deps = deps.withDefaults()
	c, err := newChallenges(deps.Rand, cfg.ChallengeTTL, cfg.MaxChallenges)
	if err != nil {
		return nil, err
	}
	hinted, err := lru.New[uint64, hintGiven](cfg.MaxAccounts)
	if err != nil {
		return nil, err
	}
	hintedKeys, err := lru.New[uint64, hintGiven](cfg.MaxAccounts)
	if err != nil {
		return nil, err
	}
	proven, err := lru.New[uint64, struct{}](cfg.MaxAccounts)
	if err != nil {
		return nil, err
	}
	m := &Manager{
		cfg: cfg, chain: deps.Chain, pool: deps.Pool, log: deps.Logger, rand: deps.Rand, challenges: c,
		hints: make(chan uint64, maxHints), hinted: hinted, hintedKeys: hintedKeys, proven: proven, lookupSlots: make(chan struct{}, cfg.MaxLookups), queue: newQueue(),
		sessions: map[string]*Session{}, accounts: map[uint64]*account{}, keys: map[uint64]*heldKey{},
		swept: time.Now(), stopped: make(chan struct{}),
	}
	m.metrics = newMetrics(deps.Metrics, m)
	for _, e := range deps.Pool.Exposures() {
		a := m.accounts[e.AccountID]
		if a == nil {
			a = newAccount(e.AccountID)
			a.total = &m.receipts
			a.restored = true
			m.accounts[e.AccountID] = a
		}
		a.bytes[e.Epoch], a.granted[e.Epoch] = e.Bytes, e.Bytes
	}
	deps.Pool.ForgiveBy(m.forgiven)
	return m, nil
}

// begin counts work that Stop waits for; false when the manager is stopped.
func (m *Manager) begin() bool {
	m.gate.Lock()
	defer m.gate.Unlock()
	select {
	case <-m.stopped:
		return false
	default:
	}
	m.work.Add(1)
	return true
}

// Stop ends all sessions and writes what each account has not acknowledged exactly. Stop the gateway first: nothing is
// granted afterwards.
func (m *Manager) Stop(ctx context.Context) error {
	m.gate.Lock()
	select {
	case <-m.stopped:
		m.gate.Unlock()
		return nil
	default:
	}
	close(m.stopped)
	m.gate.Unlock()
	m.mu.Lock()
	for _, s := range m.sessions {
		m.end(s)
	}
	accounts := make([]*account, 0, len(m.accounts))
	for _, a := range m.accounts {
		accounts = append(accounts, a)
	}
	m.mu.Unlock()

	done := make(chan struct{})
	go func() {
		m.work.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("stop session manager: %w", ctx.Err())
	}
	var errs []error
	for _, a := range accounts {
		a.mu.Lock()
		for epoch, granted := range a.granted {
			if sent := a.bytes[epoch]; sent < granted {
				errs = append(errs, m.pool.SetExposure(ctx, a.id, epoch, sent))
			}
		}
		a.mu.Unlock()
	}
	errs = append(errs, m.pool.Sync(ctx))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop session manager: %w", err)
	}
	return nil
}

// SettleHint yields accounts whose claim has passed half of their limit.
func (m *Manager) SettleHint() <-chan uint64 { return m.hints }

// Sessions returns how many sessions are open.
func (m *Manager) Sessions() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sessions)
}

// Credit returns where an account stands. It returns ErrChainStale, ErrAccountEmpty or ErrOverloaded.
func (m *Manager) Credit(ctx context.Context, accountID uint64) (Credit, error) {
	view, ok := m.chain.View()
	if !ok {
		return Credit{}, fmt.Errorf("%w: nothing seen yet", ErrChainStale)
	}
	a, err := m.acquire(accountID, &view)
	if err != nil {
		return Credit{}, err
	}
	defer m.release(a)
	if err := m.refresh(ctx, a, m.cfg.AccountTTL); err != nil {
		return Credit{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	p, err := m.position(a, &view)
	if err != nil {
		return Credit{}, err
	}
	return p.Credit, nil
}

// Challenge returns a challenge that opens one session until it expires.
func (m *Manager) Challenge() (challenge [ack.ChallengeSize]byte, expires time.Time, err error) {
	return m.challenges.make(time.Now())
}

// OpenRequest opens a session.
type OpenRequest struct {
	KeyID     uint64
	ServiceID uint64
	Lane      uint8
	Challenge [ack.ChallengeSize]byte
	Signature []byte
}

// current returns a view that new paid work can rely on.
func (m *Manager) current() (chain.View, error) {
	if err := m.chain.Stale(); err != nil {
		return chain.View{}, fmt.Errorf("%w: %w", ErrChainStale, err)
	}
	view, ok := m.chain.View()
	if !ok {
		return chain.View{}, fmt.Errorf("%w: nothing seen yet", ErrChainStale)
	}
	if _, ok := view.Prices[view.Epoch]; !ok {
		return chain.View{}, fmt.Errorf("%w: no prices of epoch %d", ErrChainStale, view.Epoch)
	}
	if !view.Active() {
		return chain.View{}, fmt.Errorf("%w: it is not registered or is being retired", ErrNotServing)
	}
	return view, nil
}

// Open opens a session on a lane for whoever holds the client key, and ends the lane's session before it. It returns
// ErrInvalid, ErrBadProof, ErrLaneClosed, ErrAccountEmpty, ErrOverloaded, ErrChainStale or ErrNotServing.
func (m *Manager) Open(ctx context.Context, r OpenRequest) (*Session, error) {
	if !m.begin() {
		return nil, ErrStopped
	}
	defer m.work.Done()
	if r.KeyID == 0 || r.Lane >= ack.MaxLanes || !m.cfg.provides(r.ServiceID) {
		return nil, fmt.Errorf("%w: key %d, service %d, lane %d", ErrInvalid, r.KeyID, r.ServiceID, r.Lane)
	}
	view, err := m.current()
	if err != nil {
		return nil, err
	}
	if err := m.challenges.check(&r.Challenge, time.Now()); err != nil {
		return nil, err
	}
	key, err := m.openingKey(ctx, r.KeyID)
	if err != nil {
		return nil, err
	}
	if err := payableBy(&key, &view); err != nil {
		return nil, err
	}
	message := ack.AppendSessionSignBytes(nil, ack.HashChainID(view.ChainID), view.Worker.Id, r.KeyID, r.Lane, r.Challenge)
	if !ack.VerifyMessage(key.PublicKey, message, r.Signature) {
		return nil, fmt.Errorf("%w: signature of key %d", ErrBadProof, key.ID)
	}
	m.proven.Add(key.ID, struct{}{})
	if err := m.challenges.use(&r.Challenge, key.AccountID, time.Now()); err != nil {
		return nil, err
	}
	// What the lane's session before it has brought is among what the client is told to be held.
	m.flush(ctx)
	token := make([]byte, tokenSize)
	if _, err := io.ReadFull(m.rand, token); err != nil {
		return nil, fmt.Errorf("make session token: %w", err)
	}
	a, err := m.acquire(key.AccountID, &view)
	if err != nil {
		return nil, err
	}
	if err := m.refresh(ctx, a, 0); err != nil {
		m.release(a)
		return nil, err
	}
	s := &Session{
		m: m, account: a, key: key, lane: laneKey{key: r.KeyID, service: r.ServiceID, lane: r.Lane},
		token: base64.RawURLEncoding.EncodeToString(token), ended: make(chan struct{}), lastUsed: time.Now(), begun: time.Now(),
		seen: key, seenAt: time.Now(),
	}
	if err := m.enter(s, &view); err != nil {
		m.release(a)
		return nil, err
	}
	return s, nil
}

// enter puts a session into the tables in the place of the lane's session before it.
func (m *Manager) enter(s *Session, view *chain.View) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if now.Sub(m.swept) > m.cfg.IdleTimeout/4 {
		m.sweep(now, view)
	} else if len(m.sessions) >= m.cfg.MaxSessions {
		m.sweepFull(now, view)
	}
	a := s.account
	a.mu.Lock()
	if a.spendable.Sign() <= 0 {
		a.mu.Unlock()
		return fmt.Errorf("%w: account %d", ErrAccountEmpty, a.id)
	}
	l, err := m.laneOf(a, s.lane, view)
	if err != nil {
		a.mu.Unlock()
		return err
	}
	former := l.session
	closed := l.epochs[view.Epoch].closed
	a.mu.Unlock()
	if closed {
		return fmt.Errorf("%w: lane %d of key %d in epoch %d", ErrLaneClosed, s.lane.lane, s.lane.key, view.Epoch)
	}
	if former == nil {
		if err := m.makeSessionRoom(a, now); err != nil {
			return err
		}
	}
	if former != nil {
		m.end(former)
	}
	a.mu.Lock()
	l.session = s
	l.sessions++
	a.open++
	a.mu.Unlock()
	m.sessions[s.token] = s
	held := m.keys[s.key.ID]
	if held == nil {
		held = &heldKey{}
		m.keys[s.key.ID] = held
	}
	held.key = s.key
	held.refs++
	return nil
}

// end takes a session out of the tables. The caller holds m.mu.
func (m *Manager) end(s *Session) {
	if m.sessions[s.token] != s {
		return
	}
	delete(m.sessions, s.token)
	if held := m.keys[s.key.ID]; held != nil {
		if held.refs--; held.refs == 0 {
			delete(m.keys, s.key.ID)
		}
	}
	s.account.mu.Lock()
	close(s.ended)
	if l := s.account.lanes[s.lane]; l != nil && l.session == s {
		l.session = nil
	}
	s.account.open--
	if view, ok := m.chain.View(); ok && s.account.open == 0 {
		m.settleWatermarks(s.account, &view)
	}
	s.account.mu.Unlock()
	s.account.refs--
}

// renew keeps what the chain has said anew of the key of an open session.
func (m *Manager) renew(key *chain.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if held := m.keys[key.ID]; held != nil {
		held.key = *key
	}
}

// Lookup returns the session of a token, and ErrSessionUnknown if there is none or it has been idle for too long.
func (m *Manager) Lookup(token string) (*Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sessions[token]
	if s == nil {
		return nil, ErrSessionUnknown
	}
	now := time.Now()
	s.account.mu.Lock()
	idle := s.idle(now)
	if !idle {
		s.lastUsed = now
	}
	s.account.mu.Unlock()
	if idle {
		m.end(s)
		return nil, ErrSessionUnknown
	}
	return s, nil
}

// sweep ends idle sessions and forgets accounts that nothing is open with. The caller holds m.mu.
func (m *Manager) sweep(now time.Time, view *chain.View) {
	m.swept = now
	for _, s := range m.sessions {
		s.account.mu.Lock()
		over := s.idle(now) || s.worthless(view)
		s.account.mu.Unlock()
		if over {
			m.end(s)
		}
	}
	crowded := m.receipts.Load() >= int64(m.cfg.MaxTotalReceipts)*3/4
	for id, a := range m.accounts {
		a.mu.Lock()
		a.expire(view.OldestLive)
		if crowded {
			a.dropReceipts()
		}
		forget := a.refs == 0 && a.forgettable()
		a.mu.Unlock()
		if forget {
			delete(m.accounts, id)
		}
	}
}

// forgettable reports whether nothing about the account would be lost. The caller holds a.mu.
func (a *account) forgettable() bool {
	if len(a.bytes) > 0 || len(a.granted) > 0 || a.moving != nil || len(a.queue) > 0 || a.running > 0 {
		return false
	}
	for _, l := range a.lanes {
		for _, e := range l.epochs {
			if e.closed {
				return false
			}
		}
		if len(l.receipts) > 0 {
			return false
		}
	}
	return true
}

// acquire returns an account and keeps it in the table until release.
func (m *Manager) acquire(id uint64, view *chain.View) (*account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.accounts[id]
	if a == nil {
		if len(m.accounts) >= m.cfg.MaxAccounts {
			m.sweepFull(time.Now(), view)
		}
		if len(m.accounts) >= m.cfg.MaxAccounts {
			return nil, fmt.Errorf("%w: %d accounts", ErrOverloaded, len(m.accounts))
		}
		a = newAccount(id)
		a.total = &m.receipts
		m.accounts[id] = a
	}
	a.refs++
	return a, nil
}

func (m *Manager) release(a *account) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a.refs--
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refs == 0 && a.forgettable() {
		delete(m.accounts, a.id)
	}
}

// laneOf returns what is known of a lane, with all live epochs of the view filled in from the pool. The caller holds
// a.mu. It returns ErrOverloaded when the account has too many lanes that are all in use.
func (m *Manager) laneOf(a *account, key laneKey, view *chain.View) (*lane, error) {
	a.tick++
	l := a.lanes[key]
	if l == nil {
		if len(a.lanes) >= m.cfg.MaxLanes && !a.evictLane() {
			return nil, fmt.Errorf("%w: %d lanes of account %d", ErrOverloaded, len(a.lanes), a.id)
		}
		l = &lane{epochs: map[uint64]*laneEpoch{}, unknown: a.restored}
		for _, epoch := range liveEpochs(view) {
			if m.fillEpoch(l, key, epoch) {
				// It is held from before: receipts may be missing.
				l.unknown = true
			}
		}
		a.lanes[key] = l
	}
	if l.epochs[view.Epoch] == nil || len(l.epochs) < len(view.Prices) {
		for _, epoch := range liveEpochs(view) {
			m.fillEpoch(l, key, epoch)
		}
	}
	l.used = a.tick
	return l, nil
}

// fillEpoch starts an epoch of a lane from what the pool holds, and reports whether it holds anything.
func (m *Manager) fillEpoch(l *lane, key laneKey, epoch uint64) bool {
	if l.epochs[epoch] != nil {
		return false
	}
	e := &laneEpoch{}
	held, ok := m.pool.Held(key.id(epoch))
	if ok {
		e.covered, e.requests, e.head = held.Bytes, held.Requests, held.Head
	}
	l.epochs[epoch] = e
	return ok
}

// evictLane forgets the lane that was not used for longest among those without a session. The caller holds a.mu.
func (a *account) evictLane() bool {
	var oldest laneKey
	found := false
	for key, l := range a.lanes {
		if l.session != nil || l.pins > 0 || (found && l.used >= a.lanes[oldest].used) {
			continue
		}
		oldest, found = key, true
	}
	if found {
		a.keptReceipts(-len(a.lanes[oldest].receipts))
	}
	delete(a.lanes, oldest)
	return found
}

// liveEpochs of a view, ascending.
func liveEpochs(view *chain.View) []uint64 {
	var epochs []uint64
	for epoch := range view.Prices {
		if epoch >= view.OldestLive && epoch <= view.Epoch {
			epochs = append(epochs, epoch)
		}
	}
	slices.Sort(epochs)
	return epochs
}
