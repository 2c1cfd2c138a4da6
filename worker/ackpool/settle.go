package ackpool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/cockroachdb/pebble"

	"github.com/edgechain/edge/ack"
)

// expireChunk bounds the lanes that one write of Expire deletes, so that Put never waits long for it.
const expireChunk = 512

func sortedKeys[V any](m map[uint64]V) []uint64 { return slices.Sorted(maps.Keys(m)) }

// Submit records durably that a transaction carries acknowledgements; call it before the transaction is broadcast. A
// newer acknowledgement of a lane may arrive meanwhile or may have arrived already: only the difference stays pending.
// Submitting a transaction again that is in flight or was abandoned is allowed. It returns ErrUnknownLane, ErrInFlight if
// another transaction carries a lane, ErrResolved, ErrExpired, ErrFull or ErrInvalid, and then records nothing.
func (p *Pool) Submit(tx Tx) error {
	if err := tx.check(); err != nil {
		return err
	}
	wait, err := p.submit(tx.clone())
	if err != nil {
		return fmt.Errorf("submit transaction %x: %w", tx.Hash, err)
	}
	return wait()
}

func (tx *Tx) check() error {
	switch {
	case len(tx.Hash) == 0 || len(tx.Hash) > maxHash:
		return fmt.Errorf("%w: hash of %d bytes", ErrInvalid, len(tx.Hash))
	case len(tx.Bytes) > maxTxBytes:
		return fmt.Errorf("%w: transaction of %d bytes, limit %d", ErrInvalid, len(tx.Bytes), maxTxBytes)
	case len(tx.Acks) == 0 || len(tx.Acks) > maxTxAcks:
		return fmt.Errorf("%w: transaction of %d acknowledgements, limit %d", ErrInvalid, len(tx.Acks), maxTxAcks)
	}
	for i := range tx.Acks {
		s := &tx.Acks[i]
		if s.Signed.Epoch != tx.Epoch || s.Value == nil || s.Value.Sign() < 0 {
			return fmt.Errorf("%w: acknowledgement %d of epoch %d with value %v in a transaction of epoch %d",
				ErrInvalid, i, s.Signed.Epoch, s.Value, tx.Epoch)
		}
		if i > 0 && compareLanes(tx.Acks[i-1].Signed.LaneID(), s.Signed.LaneID()) >= 0 {
			return fmt.Errorf("%w: acknowledgement %d is not above the one before it", ErrInvalid, i)
		}
	}
	return nil
}

func (tx *Tx) clone() Tx {
	c := *tx
	c.Hash, c.Bytes, c.Acks = bytes.Clone(tx.Hash), bytes.Clone(tx.Bytes), slices.Clone(tx.Acks)
	for i := range c.Acks {
		c.Acks[i].Value = new(big.Int).Set(c.Acks[i].Value)
	}
	return c
}

func (p *Pool) submit(tx Tx) (wait func() error, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.usable(); err != nil {
		return nil, err
	}
	switch known, err := p.readTx(tx.Hash); {
	case errors.Is(err, ErrUnknownTx):
	case err != nil:
		return nil, err
	case known.state == txResolved:
		return nil, ErrResolved
	case known.state == txInFlight:
		return p.write(p.db.NewBatch(), nil)
	}
	if tx.Epoch < p.oldestLive {
		return nil, fmt.Errorf("%w: epoch %d, oldest live is %d", ErrExpired, tx.Epoch, p.oldestLive)
	}
	if len(p.txs) >= p.opts.MaxInFlight {
		return nil, fmt.Errorf("%w: %d transactions in flight", ErrFull, len(p.txs))
	}
	for i := range tx.Acks {
		s := &tx.Acks[i]
		id := s.Signed.LaneID()
		l := p.lanes[id]
		switch {
		case l == nil:
			return nil, fmt.Errorf("%w: %+v", ErrUnknownLane, id)
		case l.flight != nil:
			return nil, fmt.Errorf("%w: %+v in transaction %x", ErrInFlight, id, l.flight)
		case s.Value.Cmp(l.value) > 0:
			return nil, fmt.Errorf("%w: lane %+v carries %s, its value is %s", ErrInvalid, id, s.Value, l.value)
		}
	}
	batch := p.db.NewBatch()
	record := &txRecord{state: txInFlight, tx: tx}
	if err := errors.Join(
		batch.Set(keyTx(tx.Epoch, tx.Hash), record.encode(), nil),
		batch.Set(keyTxEpoch(tx.Hash), binary.BigEndian.AppendUint64(nil, tx.Epoch), nil),
	); err != nil {
		return nil, errors.Join(err, batch.Close())
	}
	return p.write(batch, func() error {
		p.txs[string(tx.Hash)] = &tx
		for i := range tx.Acks {
			prev := p.lanes[tx.Acks[i].Signed.LaneID()]
			next := *prev
			next.flight, next.flightValue = tx.Hash, tx.Acks[i].Value
			if err := p.replace(prev, &next); err != nil {
				return err
			}
		}
		return nil
	})
}

// readTx returns the record of a transaction, ErrUnknownTx if there is none.
func (p *Pool) readTx(hash []byte) (*txRecord, error) {
	if len(hash) == 0 || len(hash) > maxHash {
		return nil, ErrUnknownTx
	}
	epoch, err := p.get(keyTxEpoch(hash))
	if err != nil {
		return nil, err
	}
	if len(epoch) != 8 {
		return nil, ErrUnknownTx
	}
	b, err := p.get(keyTx(binary.BigEndian.Uint64(epoch), hash))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, ErrUnknownTx
	}
	return decodeTx(b)
}

// InFlight returns the transactions in flight, ascending by hash. After a restart they are to be followed further.
func (p *Pool) InFlight() []Tx {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Tx, 0, len(p.txs))
	for _, hash := range slices.Sorted(maps.Keys(p.txs)) {
		out = append(out, p.txs[hash].clone())
	}
	return out
}

// Resolve applies the verdicts of a transaction that a block at a committed height holds, one for each acknowledgement in
// the order of the transaction. They apply to what the transaction carried, not to what has arrived since. A transaction
// that is resolved already changes nothing. One that was abandoned can still be resolved while its epoch lives. It returns
// ErrUnknownTx or ErrInvalid.
func (p *Pool) Resolve(hash []byte, height int64, results []Result) error {
	if height <= 0 {
		return fmt.Errorf("resolve transaction %x: %w: height %d", hash, ErrInvalid, height)
	}
	for i, r := range results {
		if err := r.check(); err != nil {
			return fmt.Errorf("resolve transaction %x: result %d: %w", hash, i, err)
		}
	}
	wait, err := p.resolve(hash, height, results)
	if err != nil {
		return fmt.Errorf("resolve transaction %x: %w", hash, err)
	}
	return wait()
}

func (r *Result) check() error {
	switch r.Outcome {
	case OutcomePaid, OutcomePartial, OutcomeNothingDue:
		if r.TotalPaid == nil {
			return fmt.Errorf("%w: no total paid", ErrInvalid)
		}
	case OutcomeRefused:
		if r.Reason == "" || len(r.Reason) > maxReason {
			return fmt.Errorf("%w: reason of %d bytes", ErrInvalid, len(r.Reason))
		}
	default:
		return fmt.Errorf("%w: outcome %d", ErrInvalid, r.Outcome)
	}
	if r.TotalPaid != nil && r.TotalPaid.Sign() < 0 {
		return fmt.Errorf("%w: total paid %s", ErrInvalid, r.TotalPaid)
	}
	return nil
}

func (p *Pool) resolve(hash []byte, height int64, results []Result) (wait func() error, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.usable(); err != nil {
		return nil, err
	}
	record, err := p.readTx(hash)
	if err != nil {
		return nil, err
	}
	if record.state == txResolved {
		return p.write(p.db.NewBatch(), nil)
	}
	if len(results) != len(record.tx.Acks) {
		return nil, fmt.Errorf("%w: %d results for %d acknowledgements", ErrInvalid, len(results), len(record.tx.Acks))
	}
	batch := p.db.NewBatch()
	next := make([]*lane, 0, len(results))
	for i := range results {
		s := record.tx.Acks[i]
		l := p.lanes[s.Signed.LaneID()]
		if l == nil {
			// The store lost a lane that a transaction carries, which no path here does.
			return nil, errors.Join(fmt.Errorf("%w: %+v", ErrUnknownLane, s.Signed.LaneID()), batch.Close())
		}
		n := l.withResult(s, results[i], height)
		if bytes.Equal(n.flight, hash) {
			n.flight, n.flightValue = nil, nil
		}
		if err := batch.Set(keyLane(s.Signed.LaneID()), n.encode(), nil); err != nil {
			return nil, errors.Join(err, batch.Close())
		}
		next = append(next, n)
	}
	epoch := record.tx.Epoch
	stub := &txRecord{state: txResolved, tx: Tx{Hash: record.tx.Hash, Epoch: epoch, TimeoutHeight: height}}
	if err := batch.Set(keyTx(epoch, hash), stub.encode(), nil); err != nil {
		return nil, errors.Join(err, batch.Close())
	}
	return p.write(batch, func() error {
		delete(p.txs, string(hash))
		for _, n := range next {
			if err := p.replace(p.lanes[n.signed.LaneID()], n); err != nil {
				return err
			}
		}
		p.signal()
		return nil
	})
}

// Abandon gives the acknowledgements of a transaction back to pending: it was not included by its timeout height, it
// failed as a whole, or it was never accepted. Call it only when no block can hold the transaction. One that is abandoned
// already changes nothing. It returns ErrUnknownTx or ErrResolved.
func (p *Pool) Abandon(hash []byte, reason string) error {
	wait, err := p.abandon(hash, reason)
	if err != nil {
		return fmt.Errorf("abandon transaction %x: %w", hash, err)
	}
	return wait()
}

func (p *Pool) abandon(hash []byte, reason string) (wait func() error, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.usable(); err != nil {
		return nil, err
	}
	record, err := p.readTx(hash)
	if err != nil {
		return nil, err
	}
	switch record.state {
	case txResolved:
		return nil, ErrResolved
	case txAbandoned:
		return p.write(p.db.NewBatch(), nil)
	}
	record.state, record.reason, record.tx.Bytes = txAbandoned, reason[:min(len(reason), 1024)], nil
	batch := p.db.NewBatch()
	if err := batch.Set(keyTx(record.tx.Epoch, hash), record.encode(), nil); err != nil {
		return nil, errors.Join(err, batch.Close())
	}
	return p.write(batch, func() error {
		delete(p.txs, string(hash))
		for i := range record.tx.Acks {
			prev := p.lanes[record.tx.Acks[i].Signed.LaneID()]
			next := *prev
			next.flight, next.flightValue = nil, nil
			if err := p.replace(prev, &next); err != nil {
				return err
			}
		}
		p.signal()
		return nil
	})
}

// Refuse takes a lane's pending amount, or the part of it that amount names, out of what is to be collected: the worker
// knows that the chain would not pay it. nil means all of it. It returns ErrUnknownLane or ErrInvalid.
func (p *Pool) Refuse(id ack.LaneID, reason string, amount *big.Int) error {
	if reason == "" || len(reason) > maxReason || (amount != nil && amount.Sign() < 0) {
		return fmt.Errorf("refuse lane %+v: %w: reason of %d bytes, amount %v", id, ErrInvalid, len(reason), amount)
	}
	wait, err := p.refuse(id, reason, amount)
	if err != nil {
		return fmt.Errorf("refuse lane %+v: %w", id, err)
	}
	return wait()
}

func (p *Pool) refuse(id ack.LaneID, reason string, amount *big.Int) (wait func() error, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.usable(); err != nil {
		return nil, err
	}
	prev := p.lanes[id]
	if prev == nil {
		return nil, ErrUnknownLane
	}
	next := *prev
	pending, _ := prev.split()
	if amount != nil {
		pending = minInt(pending, amount)
	}
	next.refusals = refuse(prev.refusals, reason, pending)
	next.rejection = &Rejection{Signed: prev.signed, Reason: reason}
	batch := p.db.NewBatch()
	if err := batch.Set(keyLane(id), next.encode(), nil); err != nil {
		return nil, errors.Join(err, batch.Close())
	}
	return p.write(batch, func() error {
		p.signal()
		return p.replace(prev, &next)
	})
}

// OldestLive returns the oldest epoch that the pool takes acknowledgements of.
func (p *Pool) OldestLive() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.oldestLive
}

// Expire tells the pool that the chain settles nothing of epochs before oldestLive any more. What is pending of them is
// refused as expired; then their lanes, watermarks and transactions are deleted, and their sums go into the archive, with what
// their accounts have forfeited. Lanes that a transaction in flight carries stay until it is resolved or abandoned and Expire is called again. It never goes
// back.
func (p *Pool) Expire(oldestLive uint64) error {
	for {
		wait, done, err := p.expireSome(oldestLive)
		if err != nil {
			return fmt.Errorf("expire epochs before %d: %w", oldestLive, err)
		}
		if err := wait(); err != nil {
			return fmt.Errorf("expire epochs before %d: %w", oldestLive, err)
		}
		if done {
			return nil
		}
	}
}

func (p *Pool) expireSome(oldestLive uint64) (wait func() error, done bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.usable(); err != nil {
		return nil, false, err
	}
	oldestLive = max(oldestLive, p.oldestLive)
	batch := p.db.NewBatch()
	fail := func(err error) (func() error, bool, error) { return nil, false, errors.Join(err, batch.Close()) }
	if oldestLive > p.oldestLive {
		if err := batch.Set([]byte{prefixOldestLive}, binary.BigEndian.AppendUint64(nil, oldestLive), nil); err != nil {
			return fail(err)
		}
	}
	var dead []*lane
	forfeits := map[uint64]Forfeit{}
	done = true
	for id, l := range p.lanes {
		if id.Epoch >= oldestLive || l.flight != nil {
			continue
		}
		if len(dead) == expireChunk {
			done = false
			break
		}
		dead = append(dead, l)
	}
	total, epochs, accounts := newTotals(), map[uint64]*Totals{}, map[uint64]*Totals{}
	into := func(m map[uint64]*Totals, id uint64, t Totals) {
		if m[id] == nil {
			n := newTotals()
			m[id] = &n
		}
		m[id].add(t)
	}
	for _, l := range dead {
		last := *l
		pending, _ := l.split()
		last.refusals = refuse(l.refusals, ReasonExpired, pending)
		if l.short && pending.Sign() > 0 {
			forfeits[l.account] = forfeits[l.account].plus(Forfeit{Value: pending, Since: l.signed.Epoch})
		}
		t := last.totals()
		total.add(t)
		into(epochs, l.signed.Epoch, t)
		into(accounts, l.account, t)
		if err := batch.Delete(keyLane(l.signed.LaneID()), nil); err != nil {
			return fail(err)
		}
	}
	var exposures []exposureKey
	if done {
		for key, bytes := range p.exposures {
			if key.epoch >= oldestLive {
				continue
			}
			if len(exposures) == expireChunk {
				done = false
				break
			}
			exposures = append(exposures, key)
			forfeits[key.account] = forfeits[key.account].plus(Forfeit{Bytes: bytes, Since: key.epoch})
			if err := batch.Delete(keyExposure(key.account, key.epoch), nil); err != nil {
				return fail(err)
			}
		}
	}
	if done {
		if err := p.deleteTxs(batch, oldestLive); err != nil {
			return fail(err)
		}
	}
	updates, lost := map[*group]*Totals{}, map[*group]Forfeit{}
	write := func(key []byte, g *group, t *Totals, f Forfeit) error {
		f = p.forfeit(g, f)
		updates[g], lost[g] = t, f
		sum := newTotals()
		sum.add(g.archive)
		sum.add(*t)
		return batch.Set(key, f.append(sum.encode()), nil)
	}
	if len(dead) > 0 {
		if err := write([]byte{prefixTotal}, p.total, &total, Forfeit{}); err != nil {
			return fail(err)
		}
	}
	for _, epoch := range sortedKeys(epochs) {
		g, err := p.epochGroup(epoch)
		if err == nil {
			err = write(keyU64(prefixEpoch, epoch), g, epochs[epoch], Forfeit{})
		}
		if err != nil {
			return fail(err)
		}
	}
	for id := range forfeits {
		into(accounts, id, Totals{})
	}
	for _, id := range sortedKeys(accounts) {
		g := p.accounts[id]
		if g == nil {
			// It has no lanes, only watermarks, and stays out of memory.
			if g, err = p.readGroup(prefixAccount, id); err != nil {
				return fail(err)
			}
		}
		if err := write(keyU64(prefixAccount, id), g, accounts[id], forfeits[id]); err != nil {
			return fail(err)
		}
	}
	wait, err = p.write(batch, func() error {
		p.oldestLive = oldestLive
		for g, t := range updates {
			g.archive.add(*t)
			g.forfeit = lost[g]
		}
		for _, l := range dead {
			if err := p.replace(l, nil); err != nil {
				return err
			}
		}
		for _, key := range exposures {
			delete(p.exposures, key)
		}
		if len(dead) > 0 || len(exposures) > 0 {
			p.version.Add(1)
			p.signal()
		}
		return nil
	})
	return wait, done, err
}

// deleteTxs deletes the transactions of dead epochs that are not in flight.
func (p *Pool) deleteTxs(batch *pebble.Batch, oldestLive uint64) error {
	return p.scan([]byte{prefixTx}, keyU64(prefixTx, oldestLive), func(k, _ []byte) error {
		hash := k[9:]
		if p.txs[string(hash)] != nil {
			return nil
		}
		return errors.Join(batch.Delete(k, nil), batch.Delete(keyTxEpoch(hash), nil))
	})
}
