package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

const (
	// maxClockAhead is by how much a block's time may be ahead of this machine's clock.
	maxClockAhead = 2 * time.Minute
	// maxLiveEpochs bounds the epochs whose acknowledgements live. Prices of each are asked for.
	maxLiveEpochs = 16
	// maxGrace is for how long the chain must have been followed before what is of a dead epoch is deleted without another
	// endpoint that says that it is dead: whoever has told all that is known may have told wrong from the start.
	maxGrace = time.Hour
	// maxGasRise is by how much the gas that settlements are taken can rise in an epoch without a second endpoint that says so.
	maxGasRise = 4
)

var (
	// errImplausible reports an answer that cannot be of this chain now.
	errImplausible = errors.New("the endpoint says what cannot be")
	// errUnconfirmed reports what only one endpoint has told of.
	errUnconfirmed = errors.New("nobody else says that the epoch is dead")
	// errAwaited reports an epoch that other endpoints are about to come to. Nobody is at fault.
	errAwaited = errors.New("other endpoints have not come to the new epoch")
)

// clockwork is what a follower remembers of the epochs that it has seen, to judge what an endpoint says of them later.
type clockwork struct {
	// started is when the first view was made.
	started time.Time
	// oldest live epoch and current one of the newest view.
	oldest, current uint64
	// ends is before when epochs cannot have ended; length is for how long the current one was meant to last.
	ends   map[uint64]time.Time
	length time.Duration
	// gas is the first that was told in the current epoch, unless a second endpoint has told of more.
	gas settleGas
}

// settleGas is what the chain takes for settlements.
type settleGas struct{ base, perAck, perByte, perSignature uint64 }

func gasOf(v *View) settleGas {
	return settleGas{base: v.GasBase, perAck: v.GasPerAck, perByte: v.Limits.GasPerByte, perSignature: v.Limits.GasPerSignature}
}

// rises reports whether any part is far above what it was.
func (g settleGas) rises(from settleGas) bool {
	for _, part := range [][2]uint64{
		{from.base, g.base}, {from.perAck, g.perAck}, {from.perByte, g.perByte}, {from.perSignature, g.perSignature},
	} {
		if part[1]/maxGasRise > max(part[0], 1) {
			return true
		}
	}
	return false
}

// note takes what a view says. An epoch ends as it is told, and not before the one that came before it has ended and the time
// is over for which that was meant to last: an endpoint that tells of one short epoch after the other ends none of them.
func (c *clockwork) note(v *View, now time.Time) {
	if c.ends == nil {
		c.started, c.ends = now, map[uint64]time.Time{}
	}
	if v.Epoch != c.current {
		last, known := c.ends[c.current]
		for e := c.current + 1; known && e < v.Epoch && v.Epoch-e < maxLiveEpochs; e++ {
			c.ends[e] = last.Add(lengths(c.length, e-c.current))
		}
		end := v.EpochEnd
		if known {
			if least := last.Add(lengths(c.length, v.Epoch-c.current)); least.After(end) {
				end = least
			}
		}
		c.ends[v.Epoch], c.length, c.gas = end, v.EpochDuration, gasOf(v)
	}
	c.oldest, c.current = v.OldestLive, v.Epoch
	for e := range c.ends {
		if e+maxLiveEpochs < v.Epoch || e > v.Epoch {
			delete(c.ends, e)
		}
	}
}

// lengths is how long n epochs last, as far as that can be told.
func lengths(one time.Duration, n uint64) time.Duration {
	const most = 100 * 365 * 24 * time.Hour
	if one <= 0 {
		return 0
	}
	if n > uint64(most/one) {
		return most
	}
	return one * time.Duration(n)
}

// plausible returns errImplausible for a state of the chain that cannot follow on an earlier view. Without one there is nothing
// to hold it against but the clock: a worker may have been off for days. again is true if the earlier view is the one at fault.
func (f *Follower) plausible(ctx context.Context, status Status, epoch EpochState, old *View) (again bool, err error) {
	now := time.Now()
	switch {
	case status.Time.Sub(now) > maxClockAhead:
		return false, fmt.Errorf("%w: block %d is of %s, this machine's clock is at %s", errImplausible, status.Height,
			status.Time.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case epoch.OldestLive > epoch.Number || epoch.Number-epoch.OldestLive >= maxLiveEpochs:
		return false, fmt.Errorf("%w: in epoch %d the oldest live one is %d", errImplausible, epoch.Number, epoch.OldestLive)
	case epoch.Duration <= 0 || epoch.Duration > epochtypes.MaxDuration:
		return false, fmt.Errorf("%w: epoch %d lasts %s", errImplausible, epoch.Number, epoch.Duration)
	case epoch.End.Sub(now) > epoch.Duration+maxClockAhead:
		return false, fmt.Errorf("%w: epoch %d lasts %s and ends at %s", errImplausible, epoch.Number, epoch.Duration, epoch.End.UTC().Format(time.RFC3339))
	case old == nil:
		return false, nil
	case epoch.Number < old.Epoch:
		if nodes, several := f.source.(*Nodes); several {
			// Whoever told of the later epoch was wrong if it is told of by nobody any more.
			if v := nodes.voteEpoch(ctx, old.Epoch, old.Height); v.deny > 1 && v.deny > v.agree {
				return true, nil
			}
		}
		return false, fmt.Errorf("%w: epoch %d comes after epoch %d", errImplausible, epoch.Number, old.Epoch)
	case epoch.OldestLive < old.OldestLive:
		return false, fmt.Errorf("%w: the oldest live epoch is %d after %d", errImplausible, epoch.OldestLive, old.OldestLive)
	case epoch.Number == old.Epoch:
		return false, nil
	}
	// An epoch never ends before its time is over; it may well last longer.
	earliest := old.EpochEnd.Add(lengths(old.EpochDuration, epoch.Number-old.Epoch-1))
	early := earliest.Sub(now) > maxClockAhead
	nodes, several := f.source.(*Nodes)
	if !several || nodes.alone() {
		if early {
			return false, fmt.Errorf("%w: epoch %d comes %s too early", errImplausible, epoch.Number, earliest.Sub(now).Round(time.Second))
		}
		return false, nil
	}
	switch v := nodes.voteEpoch(ctx, epoch.Number, status.Height); {
	case v.agree > 1 && v.agree >= v.deny:
		return false, nil
	case early:
		return false, fmt.Errorf("%w: epoch %d comes %s too early", errImplausible, epoch.Number, earliest.Sub(now).Round(time.Second))
	case v.deny > max(v.agree, 1):
		return false, fmt.Errorf("%w: others know of no epoch %d", errImplausible, epoch.Number)
	case v.deny == 0 && v.behind > 0:
		return false, fmt.Errorf("%w: %d", errAwaited, epoch.Number)
	}
	return false, nil
}

// checkGas returns errImplausible if what settlements are taken has risen as it hardly ever does. The fees are the worker's.
func (f *Follower) checkGas(ctx context.Context, v *View) error {
	gas := gasOf(v)
	f.mu.Lock()
	rises := f.clock.ends != nil && f.clock.current == v.Epoch && gas.rises(f.clock.gas)
	f.mu.Unlock()
	if !rises {
		return nil
	}
	if nodes, several := f.source.(*Nodes); several && nodes.confirmGas(ctx, gas) {
		f.mu.Lock()
		f.clock.gas = gas
		f.mu.Unlock()
		return nil
	}
	return fmt.Errorf("%w: the gas of settlements rises more than %d times within epoch %d", errImplausible, maxGasRise, v.Epoch)
}

// ConfirmOldest returns nil if it is certain enough that all epochs before oldest are dead to delete what is of them, else why
// it is not: what one endpoint says can be wrong. Another endpoint has to say the same. If there is none that answers, this
// machine's clock has to have come to the end before which they cannot have died, and the chain must have been followed for a
// while.
func (f *Follower) ConfirmOldest(ctx context.Context, oldest uint64) error {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.QueryTimeout)
	defer cancel()
	if nodes, several := f.source.(*Nodes); several {
		if asked, err := nodes.confirmOldest(ctx, oldest); asked {
			return err
		}
	}
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.clock.oldest < oldest {
		return fmt.Errorf("%w: the oldest that lives is %d", errUnconfirmed, f.clock.oldest)
	}
	// An epoch dies with the end of the one after it.
	if end, known := f.clock.ends[oldest]; known {
		if left := end.Sub(now); left > maxClockAhead {
			return fmt.Errorf("%w: epoch %d was to live for another %s", errUnconfirmed, oldest-min(oldest, 1), left.Round(time.Second))
		}
	}
	if left := maxGrace - now.Sub(f.clock.started); left > 0 {
		return fmt.Errorf("%w: that of %d is believed in %s", errUnconfirmed, oldest-min(oldest, 1), left.Round(time.Second))
	}
	return nil
}

// ConfirmedEpoch returns an epoch that is certain enough to have begun to delete what ends with those before it, as
// ConfirmOldest has it, and false while there is none.
func (f *Follower) ConfirmedEpoch(ctx context.Context) (epoch uint64, known bool) {
	view, ok := f.View()
	if !ok {
		return 0, false
	}
	epoch = view.OldestLive
	if epoch > 1 {
		// That the epochs before are dead says that this one and those that live with it have begun.
		epoch = min(epoch+epochtypes.LiveEpochs-1, view.Epoch)
	}
	if epoch > f.confirmed.Load() && f.ConfirmOldest(ctx, view.OldestLive) == nil {
		f.confirmed.Store(epoch)
	}
	epoch = f.confirmed.Load()
	return epoch, epoch > 0
}
