package rollup

import (
	"errors"
	"fmt"
	"math/big"
	"time"
)

// hurryShare is the part of an interval that lies between two early settlements that are worth an interval's.
const hurryShare = 20

// Config of a Rollup.
type Config struct {
	// Interval is the longest that an acknowledgement waits for a settlement. Each interval is placed by jitter.
	Interval time.Duration
	// MinValue is what must be pending in an epoch for an interval to settle it, in units of the settlement coin. It does
	// not hold back what a drain settles.
	MinValue *big.Int
	// MaxValue settles at once what is pending when it reaches it; 0 never does.
	MaxValue *big.Int
	// HurryValue is what an account that asks for a settlement early must have pending in an epoch and be able to pay, in
	// units of the settlement coin; what is less waits for MinValue, but for accounts that can hardly owe as much. It should
	// be below half of the base credit: a stream at its limit waits for it. nil is MinValue.
	HurryValue *big.Int
	// HurrySpacing is the least time between settlements outside of an interval that bring less than MinValue, so that
	// nobody can make the worker spend its fees faster than they come in; at most an interval counts. It should be well below
	// the stall timeout of streams. 0 is half of the interval. What brings MinValue waits a twentieth of the interval.
	HurrySpacing time.Duration
	// Drain is for how long before the end of an epoch everything that can be settled is, whatever MinValue says. A worker
	// begins within the first half of it, at a point that follows from its id, so that not all send in one block.
	Drain time.Duration
	// Alarm is how long before acknowledgements die unsettled ones are an alarm.
	Alarm time.Duration
	// TimeoutBlocks is for how many blocks a transaction is valid. One that is not in a block by then can never be.
	TimeoutBlocks int64
	// Rebroadcast is how long a transaction may stay out of a block before it is sent once more. Placed by jitter.
	Rebroadcast time.Duration
	// FirstBackoff and LastBackoff bound the wait after a failure, which doubles in between.
	FirstBackoff, LastBackoff time.Duration
	// PartialBackoff and LastPartialBackoff bound the wait before a lane is tried again whose account could not pay. An
	// account that can pay more than before ends the wait.
	PartialBackoff, LastPartialBackoff time.Duration
	// MaxFee is the most that a settlement may cost, in units of the fee coin; nil or 0 is no cap. A settlement is cut to it.
	MaxFee *big.Int
	// MaxFeeShare is the most of a settlement's value that its fee may be, 0 to 1, with FeeValue, what a unit of the fee coin is
	// worth in units of the settlement coin. If either is nil or 0, fees are not compared with values. What is not worth its
	// fee waits for more; when it is about to die, a fee may be as much as the value, and never more.
	MaxFeeShare, FeeValue *big.Rat
	// RiskShare is the part of what an account, or a key, can still pay that its unsettled amount may reach before it is
	// settled early, 0 to 1; nil or 0 does not look.
	RiskShare *big.Rat
	// FeeGranted says that another account pays the fees.
	FeeGranted bool
	// CallTimeout bounds every call of the node.
	CallTimeout time.Duration
}

// DefaultConfig returns the values for epochs of a day.
func DefaultConfig() Config {
	return Config{
		Interval:           time.Minute,
		MinValue:           big.NewInt(500),
		HurryValue:         big.NewInt(250),
		HurrySpacing:       5 * time.Second,
		MaxValue:           big.NewInt(0),
		Drain:              10 * time.Minute,
		Alarm:              time.Hour,
		TimeoutBlocks:      20,
		Rebroadcast:        10 * time.Second,
		FirstBackoff:       time.Second,
		LastBackoff:        time.Minute,
		PartialBackoff:     10 * time.Second,
		LastPartialBackoff: 30 * time.Minute,
		RiskShare:          big.NewRat(1, 2),
		CallTimeout:        10 * time.Second,
	}
}

// withDefaults fills in what follows from other fields.
func (c Config) withDefaults() Config {
	if c.HurryValue == nil {
		c.HurryValue = c.MinValue
	}
	if c.HurrySpacing == 0 {
		c.HurrySpacing = c.Interval / 2
	}
	c.HurrySpacing = min(c.HurrySpacing, c.Interval)
	return c
}

// leastSpacing is the time between early settlements that bring what an interval would settle.
func (c Config) leastSpacing() time.Duration { return min(c.Interval/hurryShare, c.HurrySpacing) }

// Validate returns an error that names the field at fault.
func (c Config) Validate() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"interval", c.Interval},
		{"drain", c.Drain},
		{"rebroadcast", c.Rebroadcast},
		{"first_backoff", c.FirstBackoff},
		{"partial_backoff", c.PartialBackoff},
		{"call_timeout", c.CallTimeout},
	} {
		if d.value < 10*time.Millisecond {
			return fmt.Errorf("%s %s, want at least 10ms", d.name, d.value)
		}
	}
	switch {
	case c.MinValue == nil || c.MinValue.Sign() < 0:
		return errors.New("min_value is missing or negative")
	case c.MaxValue == nil || c.MaxValue.Sign() < 0:
		return errors.New("max_value is missing or negative")
	case c.HurryValue != nil && c.HurryValue.Sign() < 0:
		return errors.New("hurry_value is negative")
	case c.MaxFee != nil && c.MaxFee.Sign() < 0:
		return errors.New("max_fee is negative")
	case c.FeeValue != nil && c.FeeValue.Sign() < 0:
		return errors.New("fee_value is negative")
	case !isShare(c.MaxFeeShare):
		return errors.New("max_fee_share is not between 0 and 1")
	case !isShare(c.RiskShare):
		return errors.New("risk_share is not between 0 and 1")
	case c.HurrySpacing < 0 || c.HurrySpacing > time.Hour:
		return fmt.Errorf("hurry_spacing %s, want 0 to 1h", c.HurrySpacing)
	case c.TimeoutBlocks < 2 || c.TimeoutBlocks > 1_000:
		return fmt.Errorf("timeout_blocks %d, want 2 to 1000", c.TimeoutBlocks)
	case c.LastBackoff < c.FirstBackoff:
		return errors.New("last_backoff is below first_backoff")
	case c.LastPartialBackoff < c.PartialBackoff:
		return errors.New("last_partial_backoff is below partial_backoff")
	case c.Alarm < 0:
		return errors.New("alarm is negative")
	}
	return nil
}

// isShare reports whether a number is missing or between 0 and 1.
func isShare(v *big.Rat) bool {
	return v == nil || v.Sign() >= 0 && v.Cmp(big.NewRat(1, 1)) <= 0
}
