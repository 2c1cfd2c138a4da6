package chain

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// maxClockAhead is by how much a block's time may be ahead of this machine's clock.
	maxClockAhead = 2 * time.Minute
	// maxLiveEpochs bounds the epochs whose acknowledgements live. Prices of each are asked for.
	maxLiveEpochs = 16
	// graceShare is the part of an epoch, and maxGrace the longest, for which an epoch must have been dead before what is its
	// is deleted when neither another endpoint nor the clock can say that it is.
	graceShare = 8
	maxGrace   = time.Hour
)

var (
	// errImplausible reports an answer that cannot be of this chain now.
	errImplausible = errors.New("the endpoint says what cannot be")
	// errUnconfirmed reports a death of epochs that only one endpoint has told of.
	errUnconfirmed = errors.New("nobody else says that the epoch is dead")
)

// clockwork is what a follower remembers of the epochs that it has seen, to judge what an endpoint says of them later.
type clockwork struct {
	// seen is when the newest view was made.
	seen time.Time
	// oldest live epoch of the newest view, and since when it is.
	oldest uint64
	since  time.Time
	// ends is when live epochs end, as it was first told; epoch is the longest that one was meant to last.
	ends  map[uint64]time.Time
	epoch time.Duration
}

// note takes what a view says.
func (c *clockwork) note(v *View, now time.Time) {
	c.seen = now
	if v.OldestLive != c.oldest || c.since.IsZero() {
		c.oldest, c.since = v.OldestLive, now
	}
	c.epoch = max(c.epoch, v.EpochDuration)
	if c.ends == nil {
		c.ends = map[uint64]time.Time{}
	}
	for e := range c.ends {
		if e+maxLiveEpochs < v.Epoch || e > v.Epoch {
			delete(c.ends, e)
		}
	}
	if _, told := c.ends[v.Epoch]; !told {
		c.ends[v.Epoch] = v.EpochEnd
	}
}

// plausible returns errImplausible for a state of the chain that cannot follow on an earlier view. Without one there is nothing
// to hold it against but the clock: a worker may have been off for days.
func (f *Follower) plausible(ctx context.Context, status Status, epoch EpochState, old *View) error {
	now := time.Now()
	switch {
	case status.Time.Sub(now) > maxClockAhead:
		return fmt.Errorf("%w: block %d is of %s, this machine's clock is at %s", errImplausible, status.Height,
			status.Time.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case epoch.OldestLive > epoch.Number || epoch.Number-epoch.OldestLive >= maxLiveEpochs:
		return fmt.Errorf("%w: in epoch %d the oldest live one is %d", errImplausible, epoch.Number, epoch.OldestLive)
	case old == nil:
		return nil
	case epoch.Number < old.Epoch || epoch.OldestLive < old.OldestLive:
		return fmt.Errorf("%w: epoch %d comes after epoch %d", errImplausible, epoch.Number, old.Epoch)
	case epoch.Number-old.Epoch <= 1:
		return nil
	}
	duration := epoch.Duration
	if old.EpochDuration > 0 && old.EpochDuration < duration {
		duration = old.EpochDuration
	}
	f.mu.Lock()
	since := now.Sub(f.clock.seen)
	f.mu.Unlock()
	if duration <= 0 || epoch.Number-old.Epoch-1 <= uint64(max(since, 0)/duration) {
		return nil
	}
	if nodes, several := f.source.(*Nodes); several {
		if _, err := nodes.confirmOldest(ctx, epoch.OldestLive); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: epoch %d comes %s after epoch %d", errImplausible, epoch.Number, since.Round(time.Second), old.Epoch)
}

// ConfirmOldest returns nil if it is certain enough that all epochs before oldest are dead to delete what is of them, else why
// it is not: what one endpoint says can be wrong. Another endpoint has to say the same, or if there is none that answers, this
// machine's clock has to have come to the end that was told before; and without that, it has to have been said for a while.
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
	if end, told := f.clock.ends[oldest]; told && oldest < f.clock.current() {
		if left := end.Sub(now); left > maxClockAhead {
			return fmt.Errorf("%w: epoch %d was to live for another %s", errUnconfirmed, oldest-min(oldest, 1), left.Round(time.Second))
		}
		return nil
	}
	if left := min(f.clock.epoch/graceShare, maxGrace) - now.Sub(f.clock.since); left > 0 {
		return fmt.Errorf("%w: that of %d is believed in %s", errUnconfirmed, oldest-min(oldest, 1), left.Round(time.Second))
	}
	return nil
}

// current is the newest epoch that was told of.
func (c *clockwork) current() (epoch uint64) {
	for e := range c.ends {
		epoch = max(epoch, e)
	}
	return epoch
}
