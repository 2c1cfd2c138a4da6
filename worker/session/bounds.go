package session

import (
	"fmt"
	"slices"
	"time"

	"github.com/edgechain/edge/worker/chain"
)

const (
	// idleTimeouts is for how many idle timeouts a session in which no request begins can be kept open by asking for it.
	idleTimeouts = 3
	// fullSweep is the least time between two sweeps because there is no room: each looks at everything under the lock.
	fullSweep = time.Second
	// victimShare is the part of all sessions that can be displaced between two looks at all of them.
	victimShare = 64
)

// victims are the sessions in which no request has begun for longest, the first to go last.
type victims struct {
	list []*Session
	at   time.Time
}

// worthless reports whether nothing more can be paid in a session, by what is known. The caller holds the account's lock.
func (s *Session) worthless(view *chain.View) bool {
	return s.running == 0 && (s.seen.LastEpoch < view.Epoch || s.account.spendable.Sign() <= 0)
}

// sweepFull is sweep for when there is no room, which whoever opens sessions can bring about at will. The caller holds m.mu.
func (m *Manager) sweepFull(now time.Time, view *chain.View) {
	if now.Sub(m.swept) >= fullSweep {
		m.sweep(now, view)
	}
}

// makeSessionRoom sees to it that one more session of an account fits: in the place of another one of the account if that has
// all that it can have, else of the one in which no request has begun for longest. Those with a request under way stay. It
// returns ErrOverloaded if there is none. The caller holds m.mu.
func (m *Manager) makeSessionRoom(a *account, now time.Time) error {
	if victim, full := m.oldestOf(a); full {
		if victim == nil {
			return fmt.Errorf("%w: %d sessions of account %d", ErrOverloaded, m.cfg.MaxSessionsPerAccount, a.id)
		}
		m.end(victim)
	}
	if len(m.sessions) < m.cfg.MaxSessions {
		return nil
	}
	if len(m.victims.list) == 0 && now.Sub(m.victims.at) >= fullSweep {
		m.findVictims(now)
	}
	for n := len(m.victims.list); n > 0; n = len(m.victims.list) {
		victim := m.victims.list[n-1]
		m.victims.list = m.victims.list[:n-1]
		victim.account.mu.Lock()
		stays := victim.running > 0 || victim.begun.After(m.victims.at) || victim.over()
		victim.account.mu.Unlock()
		if !stays {
			m.end(victim)
			return nil
		}
	}
	return fmt.Errorf("%w: %d sessions", ErrOverloaded, len(m.sessions))
}

// oldestOf returns whether an account has all sessions that it can have, and the one of them in which no request has begun for
// longest; nil if all have one under way. The caller holds m.mu.
func (m *Manager) oldestOf(a *account) (oldest *Session, full bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open < m.cfg.MaxSessionsPerAccount {
		return nil, false
	}
	for _, l := range a.lanes {
		if s := l.session; s != nil && s.running == 0 && (oldest == nil || s.begun.Before(oldest.begun)) {
			oldest = s
		}
	}
	return oldest, true
}

// findVictims looks for the sessions that go first. The caller holds m.mu.
func (m *Manager) findVictims(now time.Time) {
	type candidate struct {
		s     *Session
		begun time.Time
	}
	all := make([]candidate, 0, len(m.sessions))
	for _, s := range m.sessions {
		s.account.mu.Lock()
		if s.running == 0 {
			all = append(all, candidate{s, s.begun})
		}
		s.account.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b candidate) int { return a.begun.Compare(b.begun) })
	all = all[:min(len(all), max(1, m.cfg.MaxSessions/victimShare))]
	m.victims = victims{at: now}
	for _, c := range slices.Backward(all) {
		m.victims.list = append(m.victims.list, c.s)
	}
}

// keptReceipts counts receipts that are kept, or with a negative number dropped. The caller holds the account's lock.
func (a *account) keptReceipts(n int) {
	a.receipts += n
	a.total.Add(int64(n))
}

// dropReceipts forgets the receipts of lanes that nobody has open and that no request is under way on: their clients are gone,
// or are told of nothing that the receipts say. An acknowledgement of such a lane is taken as one of a lane from before a
// restart is. The caller holds the account's lock.
func (a *account) dropReceipts() {
	for _, l := range a.lanes {
		running := slices.ContainsFunc(l.receipts, func(r *receipt) bool { return r.state == receiptRunning })
		if len(l.receipts) == 0 || l.session != nil || l.pins > 0 || running {
			continue
		}
		a.keptReceipts(-len(l.receipts))
		l.receipts, l.unknown = nil, true
	}
}

// full reports whether no more requests can begin on a lane before an acknowledgement. The caller holds the account's lock.
func (m *Manager) full(a *account, l *lane) bool {
	return len(l.receipts) >= m.cfg.MaxReceipts || a.receipts >= m.cfg.MaxAccountReceipts
}

// receiptsFull reports whether there is no room for receipts at all.
func (m *Manager) receiptsFull() bool { return m.receipts.Load() >= int64(m.cfg.MaxTotalReceipts) }

// makeRoom forgets receipts that nobody needs.
func (m *Manager) makeRoom(view *chain.View) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweepFull(time.Now(), view)
}
