package ackpool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble"
)

// SetExposure sets the watermark of an account in an epoch: an upper bound, in bytes, of what was delivered to it and no
// acknowledgement covers. A higher one is on disk when it returns. A lower one gets there with the next write, because a
// crash that brings the higher one back errs on the safe side; 0 removes it. For a dead epoch it does nothing. Calls for
// one account and epoch must not overlap. It returns ErrFull when too many accounts have one.
func (p *Pool) SetExposure(ctx context.Context, account, epoch, bytes uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	wait, err := p.setExposure(exposureKey{account, epoch}, bytes)
	if err != nil {
		return fmt.Errorf("set watermark of account %d in epoch %d: %w", account, epoch, err)
	}
	return wait()
}

func (p *Pool) setExposure(key exposureKey, bytes uint64) (wait func() error, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	nothing := func() error { return nil }
	if err := p.usable(); err != nil {
		return nil, err
	}
	held, ok := p.exposures[key]
	if key.epoch < p.oldestLive || held == bytes {
		return nothing, nil
	}
	if !ok && len(p.exposures) >= p.opts.MaxExposures {
		return nil, fmt.Errorf("%w: %d watermarks", ErrFull, len(p.exposures))
	}
	k := keyExposure(key.account, key.epoch)
	if bytes < held {
		if bytes == 0 {
			err = p.db.Delete(k, pebble.NoSync)
		} else {
			err = p.db.Set(k, binary.BigEndian.AppendUint64(nil, bytes), pebble.NoSync)
		}
		if err != nil {
			return nil, p.breakWith(err)
		}
		p.keepExposure(key, bytes)
		return nothing, nil
	}
	batch := p.db.NewBatch()
	if err := batch.Set(k, binary.BigEndian.AppendUint64(nil, bytes), nil); err != nil {
		return nil, errors.Join(err, batch.Close())
	}
	return p.write(batch, func() error {
		p.keepExposure(key, bytes)
		return nil
	})
}

func (p *Pool) keepExposure(key exposureKey, bytes uint64) {
	if bytes == 0 {
		delete(p.exposures, key)
		return
	}
	p.exposures[key] = bytes
}

// Exposure returns the watermark of an account in an epoch, in bytes.
func (p *Pool) Exposure(account, epoch uint64) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exposures[exposureKey{account, epoch}]
}

// Exposures returns all watermarks, in no particular order.
func (p *Pool) Exposures() []Exposure {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Exposure, 0, len(p.exposures))
	for k, bytes := range p.exposures {
		out = append(out, Exposure{AccountID: k.account, Epoch: k.epoch, Bytes: bytes})
	}
	return out
}
