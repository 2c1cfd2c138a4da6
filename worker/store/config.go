package store

import (
	"errors"
	"fmt"

	"github.com/edgechain/edge/client/content"
)

// Defaults of Config.
const (
	// DefaultMaxBytes is the default budget on disk: 64 GiB.
	DefaultMaxBytes = 64 << 30
	// DefaultMaxObjectBytes is the default bound of one object: 16 GiB. It keeps one upload from taking the whole budget.
	DefaultMaxObjectBytes = 16 << 30
)

// Config says where content lies and how much of it.
type Config struct {
	// Dir is the folder of the store. It is created if it does not exist, and belongs to one process at a time.
	Dir string
	// MaxBytes is the budget on disk in bytes: objects, their hash trees, adds under way and quarantined files.
	MaxBytes uint64
	// MaxObjectBytes bounds one object, in bytes.
	MaxObjectBytes uint64
}

// DefaultConfig returns the defaults for a folder.
func DefaultConfig(dir string) Config {
	return Config{Dir: dir, MaxBytes: DefaultMaxBytes, MaxObjectBytes: DefaultMaxObjectBytes}
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
	return errors.Join(errs...)
}
