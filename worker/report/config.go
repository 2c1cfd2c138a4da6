package report

import (
	"errors"
	"fmt"
	"time"
)

const (
	// idle is for how long nothing is looked at when nothing is to be done and no block comes.
	idle = time.Minute
	// reserveReports is how many times the fee of a report must be left over for settlements, which come first.
	reserveReports = 10
	// simulatedGas is the limit that is signed for a simulation, which is not bound by it.
	simulatedGas = 200_000
	// gasMarginPercent is added to the simulated gas, because state moves between simulation and execution.
	gasMarginPercent = 30
	// validityShare is the part of an epoch for which a report is valid at most.
	validityShare = 8
	// leastValidity leaves time for a few blocks, however short the epochs are.
	leastValidity = 5 * time.Second
	// maxValidity is the chain's bound for unordered transactions, less what the clocks of blocks may jump.
	maxValidity = 110 * time.Second
)

// Config of a Reporter.
type Config struct {
	// Validity is for how long in block time a report is valid. One that is not in a block by then is sent anew, with the
	// hash of a newer block. In short epochs it is an eighth of an epoch.
	Validity time.Duration
	// FirstBackoff and LastBackoff bound the wait after a failure, which doubles in between.
	FirstBackoff, LastBackoff time.Duration
	// CallTimeout bounds every call of the node.
	CallTimeout time.Duration
}

// DefaultConfig returns the values for epochs of a day.
func DefaultConfig() Config {
	return Config{Validity: time.Minute, FirstBackoff: time.Second, LastBackoff: 10 * time.Minute, CallTimeout: 10 * time.Second}
}

// Validate returns an error that names the field at fault.
func (c Config) Validate() error {
	switch {
	case c.Validity < leastValidity || c.Validity > maxValidity:
		return fmt.Errorf("validity %s, want %s to %s", c.Validity, leastValidity, maxValidity)
	case c.FirstBackoff < 10*time.Millisecond:
		return fmt.Errorf("first_backoff %s, want at least 10ms", c.FirstBackoff)
	case c.LastBackoff < c.FirstBackoff:
		return errors.New("last_backoff is below first_backoff")
	case c.CallTimeout < 10*time.Millisecond:
		return fmt.Errorf("call_timeout %s, want at least 10ms", c.CallTimeout)
	}
	return nil
}

// validity is for how long a report is valid in epochs of a duration, which is 0 if that is not known.
func (c Config) validity(epoch time.Duration) time.Duration {
	if epoch <= 0 {
		return c.Validity
	}
	return max(min(c.Validity, epoch/validityShare), leastValidity)
}
