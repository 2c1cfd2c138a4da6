package ackpool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/vfs"
	"github.com/tidwall/btree"

	"github.com/edgechain/edge/ack"
)

// Pool is the durable pool of newest acknowledgements. It is safe for concurrent use.
type Pool struct {
	db      *pebble.DB
	opts    Options
	metrics *metrics

	// mu orders the writes: what is applied under it reaches the log in that order, and memory follows. The wait for the
	// disk happens outside of it, so that many writers share one fsync.
	mu     sync.Mutex
	broken error
	closed bool
	// writers are those between applying and the disk; Close waits for them.
	writers sync.WaitGroup

	lanes map[ack.LaneID]*lane
	// byKey counts the lanes held of a key in an epoch.
	byKey map[epochKey]map[ack.LaneID]struct{}
	// byAccount are the lanes held of an account.
	byAccount map[uint64]map[ack.LaneID]struct{}
	// pending are the lanes with something to collect that no transaction carries, in the order of a settlement.
	pending  *btree.BTreeG[ack.LaneID]
	txs      map[string]*Tx
	total    *group
	epochs   map[uint64]*group
	accounts map[uint64]*group

	// version counts the changes of lanes.
	version    atomic.Uint64
	exposures  map[exposureKey]uint64
	oldestLive uint64
	changed    chan struct{}
	// forgiven is set by ForgiveBy.
	forgiven func(claim Claim, epoch uint64) bool
}

type epochKey struct{ epoch, key uint64 }

type exposureKey struct{ account, epoch uint64 }

// Open opens the pool in a folder and makes it if it is not there. A record that a crash left half written at the end of
// the log was never acknowledged and is dropped. One process at a time can have a pool open.
func Open(dir string, opts Options) (*Pool, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := makeDir(opts.FS, dir); err != nil {
		return nil, fmt.Errorf("make folder of acknowledgement pool %s: %w", dir, err)
	}
	db, err := openStore(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("open acknowledgement pool %s: %w", dir, err)
	}
	p := &Pool{
		db: db, opts: opts,
		lanes:     map[ack.LaneID]*lane{},
		byKey:     map[epochKey]map[ack.LaneID]struct{}{},
		byAccount: map[uint64]map[ack.LaneID]struct{}{},
		pending:   btree.NewBTreeGOptions(func(a, b ack.LaneID) bool { return compareLanes(a, b) < 0 }, btree.Options{NoLocks: true}),
		txs:       map[string]*Tx{},
		total:     newGroup(),
		epochs:    map[uint64]*group{},
		accounts:  map[uint64]*group{},
		exposures: map[exposureKey]uint64{},
		changed:   make(chan struct{}),
	}
	p.metrics = newMetrics(opts.Metrics, p)
	if err := p.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("load acknowledgement pool %s: %w", dir, err), db.Close())
	}
	return p, nil
}

// openStore opens the store. Nothing was written yet that somebody relies on, so what stops a process that has it open, such as a
// full disk, is an error here.
func openStore(dir string, opts Options) (_ *pebble.DB, err error) {
	defer func() {
		p := recover()
		if failure, ok := p.(storeFailure); ok {
			err = failure
		} else if p != nil {
			panic(p)
		}
	}()
	return pebble.Open(dir, &pebble.Options{
		FS:                 opts.FS,
		Logger:             storeLogger{opts.Logger},
		FormatMajorVersion: pebble.FormatNewest,
	})
}

// makeDir makes the folder and syncs the one around it: without that a crash can lose the folder with all that is in it.
func makeDir(fs vfs.FS, dir string) error {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	parent, err := fs.OpenDir(fs.PathDir(dir))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// Close waits for writers and closes the store. The pool must not be used afterwards.
func (p *Pool) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	p.mu.Unlock()
	p.writers.Wait()
	if err := p.db.Close(); err != nil {
		return fmt.Errorf("close acknowledgement pool: %w", err)
	}
	return nil
}

func (p *Pool) load() error {
	version, err := p.get([]byte{prefixVersion})
	if err != nil {
		return err
	}
	switch {
	case version == nil:
		if err := p.db.Set([]byte{prefixVersion}, []byte{formatVersion}, pebble.Sync); err != nil {
			return err
		}
	case len(version) != 1 || version[0] != formatVersion:
		return fmt.Errorf("format %x, want %d: made by another release", version, formatVersion)
	}
	if b, err := p.get([]byte{prefixOldestLive}); err != nil {
		return err
	} else if len(b) == 8 {
		p.oldestLive = binary.BigEndian.Uint64(b)
	}
	if b, err := p.get([]byte{prefixTotal}); err != nil {
		return err
	} else if b != nil {
		if p.total.archive, err = decodeTotals(b); err != nil {
			return fmt.Errorf("archived totals: %w", err)
		}
	}
	if err := p.each(prefixTx, func(_, v []byte) error {
		t, err := decodeTx(v)
		if err != nil {
			return fmt.Errorf("transaction: %w", err)
		}
		if t.state == txInFlight {
			p.txs[string(t.tx.Hash)] = &t.tx
		}
		return nil
	}); err != nil {
		return err
	}
	flights := map[ack.LaneID]*Tx{}
	values := map[ack.LaneID]*big.Int{}
	for _, tx := range p.txs {
		for i := range tx.Acks {
			id := tx.Acks[i].Signed.LaneID()
			flights[id], values[id] = tx, tx.Acks[i].Value
		}
	}
	if err := p.each(prefixLane, func(_, v []byte) error {
		l, err := decodeLane(v)
		if err != nil {
			return fmt.Errorf("lane: %w", err)
		}
		if tx := flights[l.signed.LaneID()]; tx != nil {
			l.flight, l.flightValue = tx.Hash, values[l.signed.LaneID()]
		}
		return p.replace(nil, l)
	}); err != nil {
		return err
	}
	return p.each(prefixExposure, func(k, v []byte) error {
		if len(k) != 17 || len(v) != 8 {
			return fmt.Errorf("watermark: %w", errRecord)
		}
		key := exposureKey{account: binary.BigEndian.Uint64(k[1:]), epoch: binary.BigEndian.Uint64(k[9:])}
		p.exposures[key] = binary.BigEndian.Uint64(v)
		return nil
	})
}

// get returns a copy of the value of a key, nil if there is none.
func (p *Pool) get(key []byte) ([]byte, error) {
	v, closer, err := p.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := append([]byte{}, v...)
	return out, closer.Close()
}

func (p *Pool) each(prefix byte, f func(k, v []byte) error) error {
	return p.scan([]byte{prefix}, []byte{prefix + 1}, f)
}

// scan calls f for each record in [from, to) until it fails.
func (p *Pool) scan(from, to []byte, f func(k, v []byte) error) (err error) {
	it, err := p.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := f(it.Key(), v); err != nil {
			return err
		}
	}
	return it.Error()
}

// usable returns why the pool takes no work. The caller holds mu.
func (p *Pool) usable() error {
	switch {
	case p.closed:
		return ErrClosed
	case p.broken != nil:
		return p.broken
	}
	return nil
}

// write applies a batch under mu, lets memory follow, and returns the wait for the disk, which the caller calls after it
// has released mu. With nothing in the batch the wait is for everything that was applied before.
func (p *Pool) write(batch *pebble.Batch, follow func() error) (wait func() error, err error) {
	if batch.Empty() {
		if err := batch.LogData(nil, nil); err != nil {
			return nil, p.breakWith(err)
		}
	}
	if err := p.db.ApplyNoSyncWait(batch, pebble.Sync); err != nil {
		return nil, p.breakWith(err)
	}
	p.writers.Add(1)
	if follow != nil {
		if err := follow(); err != nil {
			p.broken = p.breakWith(err)
		}
	}
	return func() error {
		defer p.writers.Done()
		start := time.Now()
		err := errors.Join(batch.SyncWait(), batch.Close())
		p.metrics.sync.Observe(time.Since(start).Seconds())
		if err == nil {
			return nil
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.breakWith(err)
	}, nil
}

// breakWith makes the pool refuse all further work. The caller holds mu.
func (p *Pool) breakWith(err error) error {
	if p.broken == nil {
		p.broken = fmt.Errorf("%w: %w", ErrBroken, err)
		p.opts.Logger.Error("acknowledgement pool is broken", "error", err)
		p.signal()
	}
	return p.broken
}

// signal wakes all who wait for Changed. The caller holds mu.
func (p *Pool) signal() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Changed returns a channel that is closed when a verdict, an expiry or a fault has changed what accounts owe.
func (p *Pool) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// Err returns nil while the pool works, else ErrBroken with the cause or ErrClosed.
func (p *Pool) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.usable()
}

// replace puts next in the place of prev; either may be nil. The sums and the index of pending lanes follow. The caller
// holds mu or is the only user.
func (p *Pool) replace(prev, next *lane) error {
	p.version.Add(1)
	l := next
	if l == nil {
		l = prev
	}
	id := l.signed.LaneID()
	account, err := p.accountGroup(l.account)
	if err != nil {
		return err
	}
	epoch, err := p.epochGroup(id.Epoch)
	if err != nil {
		return err
	}
	groups := [3]*group{p.total, epoch, account}
	if prev != nil {
		t := prev.totals()
		for _, g := range groups {
			g.held.sub(t)
			g.lanes--
		}
		if t.Pending.Lanes == 1 {
			p.pending.Delete(id)
		}
	}
	key := epochKey{id.Epoch, id.KeyID}
	if next == nil {
		delete(p.lanes, id)
		delete(p.byKey[key], id)
		if len(p.byKey[key]) == 0 {
			delete(p.byKey, key)
		}
		delete(p.byAccount[l.account], id)
		if len(p.byAccount[l.account]) == 0 {
			delete(p.byAccount, l.account)
		}
		if account.lanes == 0 {
			delete(p.accounts, l.account)
		}
		if epoch.lanes == 0 {
			delete(p.epochs, id.Epoch)
		}
		return nil
	}
	t := next.totals()
	for _, g := range groups {
		g.held.add(t)
		g.lanes++
	}
	if t.Pending.Lanes == 1 {
		p.pending.Set(id)
	}
	p.lanes[id] = next
	if p.byKey[key] == nil {
		p.byKey[key] = map[ack.LaneID]struct{}{}
	}
	p.byKey[key][id] = struct{}{}
	if p.byAccount[l.account] == nil {
		p.byAccount[l.account] = map[ack.LaneID]struct{}{}
	}
	p.byAccount[l.account][id] = struct{}{}
	return nil
}

func (p *Pool) accountGroup(id uint64) (*group, error) {
	return p.loadGroup(p.accounts, prefixAccount, id)
}

func (p *Pool) epochGroup(epoch uint64) (*group, error) {
	return p.loadGroup(p.epochs, prefixEpoch, epoch)
}

func (p *Pool) loadGroup(groups map[uint64]*group, prefix byte, id uint64) (*group, error) {
	if g := groups[id]; g != nil {
		return g, nil
	}
	g, err := p.readGroup(prefix, id)
	if err != nil {
		return nil, err
	}
	groups[id] = g
	return g, nil
}

// readGroup returns a group that has nothing but an archive.
func (p *Pool) readGroup(prefix byte, id uint64) (*group, error) {
	g := newGroup()
	b, err := p.get(keyU64(prefix, id))
	if err != nil {
		return nil, err
	}
	if b != nil {
		if g.archive, g.forfeit, err = decodeArchive(b); err != nil {
			return nil, fmt.Errorf("archived totals %d: %w", id, err)
		}
	}
	return g, nil
}

// Put stores acknowledgements, all or none, and returns when they are on disk. An acknowledgement that a stored one
// supersedes changes nothing, and nil still means that one at least as high is on disk. It returns ErrFull if new lanes
// do not fit, ErrExpired for a dead epoch, ErrForeignAccount or ErrInvalid.
func (p *Pool) Put(ctx context.Context, items []Item) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer func() { p.metrics.refusal(err) }()
	for i := range items {
		if err := items[i].check(); err != nil {
			return fmt.Errorf("acknowledgement %d: %w", i, err)
		}
	}
	wait, err := p.put(items)
	if err != nil {
		return err
	}
	return wait()
}

func (it *Item) check() error {
	if err := it.Signed.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if it.AccountID == 0 || it.Value == nil || it.Value.Sign() < 0 {
		return fmt.Errorf("%w: account %d, value %v", ErrInvalid, it.AccountID, it.Value)
	}
	return nil
}

func (p *Pool) put(items []Item) (wait func() error, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.usable(); err != nil {
		return nil, err
	}
	type change struct{ prev, next *lane }
	var changes []change
	latest := map[ack.LaneID]*lane{}
	fresh := 0
	for i := range items {
		it := &items[i]
		id := it.Signed.LaneID()
		if id.Epoch < p.oldestLive {
			return nil, fmt.Errorf("%w: acknowledgement of epoch %d, oldest live is %d", ErrExpired, id.Epoch, p.oldestLive)
		}
		prev := latest[id]
		if prev == nil {
			prev = p.lanes[id]
		}
		if prev != nil && prev.account != it.AccountID {
			return nil, fmt.Errorf("%w: key %d is of account %d, not %d", ErrForeignAccount, id.KeyID, prev.account, it.AccountID)
		}
		if prev != nil && !prev.replacedBy(it) {
			continue
		}
		next := &lane{signed: it.Signed, account: it.AccountID, value: new(big.Int).Set(it.Value), settled: new(big.Int)}
		if prev == nil {
			fresh++
		} else {
			*next = *prev
			next.signed = it.Signed
			// A value below what was settled can only be another price than the chain's: what was paid stays the truth.
			next.value = new(big.Int).Set(maxInt(it.Value, prev.value))
		}
		latest[id] = next
		changes = append(changes, change{prev, next})
	}
	if len(p.lanes)+fresh > p.opts.MaxLanes {
		return nil, fmt.Errorf("%w: %d lanes and %d new ones, limit %d", ErrFull, len(p.lanes), fresh, p.opts.MaxLanes)
	}
	// Sums are read before anything is written, so that a failing read stores nothing.
	for i := range items {
		if _, err := p.accountGroup(items[i].AccountID); err != nil {
			return nil, fmt.Errorf("read totals of account %d: %w", items[i].AccountID, err)
		}
		if _, err := p.epochGroup(items[i].Signed.Epoch); err != nil {
			return nil, fmt.Errorf("read totals of epoch %d: %w", items[i].Signed.Epoch, err)
		}
	}
	batch := p.db.NewBatch()
	for id, l := range latest {
		if err := batch.Set(keyLane(id), l.encode(), nil); err != nil {
			return nil, errors.Join(err, batch.Close())
		}
	}
	return p.write(batch, func() error {
		for _, c := range changes {
			if err := p.replace(c.prev, c.next); err != nil {
				return err
			}
		}
		return nil
	})
}

// replacedBy reports whether an acknowledgement takes the lane's place: one that supersedes it, or of two that are not
// comparable the one with the higher value. On a tie the first stays.
func (l *lane) replacedBy(it *Item) bool {
	switch {
	case l.signed.Supersedes(&it.Signed.Ack):
		return false
	case it.Signed.Supersedes(&l.signed.Ack):
		return true
	}
	return it.Value.Cmp(l.value) > 0
}

func maxInt(a, b *big.Int) *big.Int {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}

// Sync returns when everything that was stored before the call is on disk.
func (p *Pool) Sync(ctx context.Context) error { return p.Put(ctx, nil) }

// Newest returns what is held of a lane.
func (p *Pool) Newest(id ack.LaneID) (Entry, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lanes[id]
	if l == nil {
		return Entry{}, false
	}
	return l.entry(), true
}

// Version changes with every lane, so that what was computed from claims before is known to be old.
func (p *Pool) Version() uint64 { return p.version.Load() }

// Held returns the newest acknowledgement that is held of a lane, without what became of it.
func (p *Pool) Held(id ack.LaneID) (ack.Signed, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lanes[id]
	if l == nil {
		return ack.Signed{}, false
	}
	return l.signed, true
}

// Lanes returns how many lanes are held of a key in an epoch, over all services.
func (p *Pool) Lanes(epoch, keyID uint64) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byKey[epochKey{epoch, keyID}])
}

// AccountLanes returns how many lanes are held of an account, over all keys, services and epochs.
func (p *Pool) AccountLanes(account uint64) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byAccount[account])
}

// AccountPending returns the lanes of an account that have something to collect and that no transaction carries, in the
// order of a settlement.
func (p *Pool) AccountPending(account uint64) []Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Entry
	for id := range p.byAccount[account] {
		if _, ok := p.pending.Get(id); ok {
			out = append(out, p.lanes[id].entry())
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return compareLanes(a.Signed.LaneID(), b.Signed.LaneID()) })
	return out
}

// LaneEntries returns what is held of a key in an epoch, in the order of a settlement.
func (p *Pool) LaneEntries(epoch, keyID uint64) []Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := btree.NewBTreeG(func(a, b ack.LaneID) bool { return compareLanes(a, b) < 0 })
	for id := range p.byKey[epochKey{epoch, keyID}] {
		ids.Set(id)
	}
	out := make([]Entry, 0, ids.Len())
	ids.Scan(func(id ack.LaneID) bool {
		out = append(out, p.lanes[id].entry())
		return true
	})
	return out
}

// Capacity returns how many lanes can be held.
func (p *Pool) Capacity() int { return p.opts.MaxLanes }

// Room returns how many more lanes fit.
func (p *Pool) Room() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, p.opts.MaxLanes-len(p.lanes))
}

// Len returns how many lanes are held.
func (p *Pool) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.lanes)
}

// Pending returns at most limit lanes of an epoch that have something to collect and that no transaction carries, in
// the order of a settlement: ascending by (key, service, lane).
func (p *Pool) Pending(epoch uint64, limit int) []Entry {
	return p.PendingFunc(epoch, limit, nil)
}

// PendingFunc is Pending for those lanes that take accepts; nil accepts all. take must not call the pool. A caller that
// waits for an account to be topped up passes over its lanes with it, so that they do not keep others from being settled.
func (p *Pool) PendingFunc(epoch uint64, limit int, take func(*Entry) bool) []Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Entry
	p.pending.Ascend(ack.LaneID{Epoch: epoch}, func(id ack.LaneID) bool {
		if id.Epoch != epoch || len(out) >= limit {
			return false
		}
		if e := p.lanes[id].entry(); take == nil || take(&e) {
			out = append(out, e)
		}
		return true
	})
	return out
}

// PendingEpochs returns the epochs that have something pending, ascending.
func (p *Pool) PendingEpochs() []uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []uint64
	for from := uint64(0); ; {
		next, found := from, false
		p.pending.Ascend(ack.LaneID{Epoch: from}, func(id ack.LaneID) bool {
			next, found = id.Epoch, true
			return false
		})
		if !found {
			return out
		}
		out = append(out, next)
		from = next + 1
	}
}

// Claim returns what the account owes by its acknowledgements and what it has settled so far.
func (p *Pool) Claim(accountID uint64) (Claim, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.usable(); err != nil {
		return Claim{}, err
	}
	g := p.accounts[accountID]
	if g == nil {
		var err error
		if g, err = p.readGroup(prefixAccount, accountID); err != nil {
			return Claim{}, err
		}
	}
	return g.claim(), nil
}

// Ledger returns the sums: in total, and by epoch and account as far as lanes of them are held.
func (p *Pool) Ledger() Ledger {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := Ledger{Total: p.total.sum(), Epochs: []EpochTotals{}, Accounts: []AccountTotals{}}
	for _, epoch := range sortedKeys(p.epochs) {
		l.Epochs = append(l.Epochs, EpochTotals{Epoch: epoch, Totals: p.epochs[epoch].sum()})
	}
	for _, id := range sortedKeys(p.accounts) {
		l.Accounts = append(l.Accounts, AccountTotals{AccountID: id, Totals: p.accounts[id].sum()})
	}
	return l
}

// Epoch returns the sums of an epoch of which the pool holds lanes, else sums of nothing.
func (p *Pool) Epoch(epoch uint64) Totals {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.epochs[epoch]; g != nil {
		return g.sum()
	}
	return newTotals()
}

// History returns the sums of any epoch, those included whose evidence is deleted.
func (p *Pool) History(epoch uint64) (Totals, error) { return p.sums(p.epochs, prefixEpoch, epoch) }

// Account returns the sums of an account over all epochs.
func (p *Pool) Account(id uint64) (Totals, error) { return p.sums(p.accounts, prefixAccount, id) }

func (p *Pool) sums(groups map[uint64]*group, prefix byte, id uint64) (Totals, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.usable(); err != nil {
		return Totals{}, err
	}
	g := groups[id]
	if g == nil {
		var err error
		if g, err = p.readGroup(prefix, id); err != nil {
			return Totals{}, err
		}
	}
	return g.sum(), nil
}
