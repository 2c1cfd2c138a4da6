package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/edgechain/edge/client/content"
)

// Defaults of Config.
const (
	// DefaultMaxBytes is the default budget on disk: 64 GiB.
	DefaultMaxBytes = 64 << 30
	// DefaultMaxObjectBytes is the default bound of one object: 16 GiB. It keeps one upload from taking the whole budget.
	DefaultMaxObjectBytes = 16 << 30
	// DefaultVerifiedFor is for how long a verified object needs no verification by default.
	DefaultVerifiedFor = time.Hour
	// DefaultScrubBytesPerSecond is the default speed of verification in the background: 16 MiB/s, an hour for 56 GiB.
	DefaultScrubBytesPerSecond = 16 << 20
)

// Config says where content lies and how much of it.
type Config struct {
	// Dir is the folder of the store. It is created if it does not exist, and belongs to one process at a time.
	Dir string
	// MaxBytes is the budget on disk in bytes: objects, their hash trees, adds under way and quarantined files.
	MaxBytes uint64
	// MaxObjectBytes bounds one object, in bytes.
	MaxObjectBytes uint64
	// VerifiedFor is for how long an object that was verified as a whole, and whose file looks the same since, needs no
	// verification. 0 verifies whatever is read.
	VerifiedFor time.Duration
	// ScrubBytesPerSecond bounds how fast Start reads. 0 leaves it out.
	ScrubBytesPerSecond uint64
}

// DefaultConfig returns the defaults for a folder.
func DefaultConfig(dir string) Config {
	return Config{
		Dir: dir, MaxBytes: DefaultMaxBytes, MaxObjectBytes: DefaultMaxObjectBytes,
		VerifiedFor: DefaultVerifiedFor, ScrubBytesPerSecond: DefaultScrubBytesPerSecond,
	}
}

// Validate returns all faults of the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("dir is empty"))
	}
	if c.MaxBytes == 0 {
		errs = append(errs, errors.New("max_bytes is 0"))
	}
	if c.MaxObjectBytes == 0 || c.MaxObjectBytes > content.MaxSize {
		errs = append(errs, fmt.Errorf("max_object_bytes is %d, want 1 to %d", c.MaxObjectBytes, uint64(content.MaxSize)))
	}
	if c.VerifiedFor < 0 {
		errs = append(errs, fmt.Errorf("verified_for is %s, want 0 or more", c.VerifiedFor))
	}
	return errors.Join(errs...)
}
