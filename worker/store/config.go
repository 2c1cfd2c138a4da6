package store

import (
	"context"
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
	// DefaultMaxObjects is the default bound of the number of objects, ObjectMemory of memory each.
	DefaultMaxObjects = 1_000_000
	// DefaultMinFreeBytes is what is left free of the disk by default, for the pool of acknowledgements on the same disk:
	// 1 GiB.
	DefaultMinFreeBytes = 1 << 30
	// DefaultUploadBytesPerAccount is the default bound of what an account can have kept, once uploads are on: 1 GiB.
	DefaultUploadBytesPerAccount = 1 << 30
	// DefaultHotBytes is how much memory small objects take by default: 256 MiB.
	DefaultHotBytes = 256 << 20
	// DefaultHotObjectBytes is up to which size an object counts as small by default: 64 KiB.
	DefaultHotObjectBytes = 64 << 10
	// DefaultHotFiles is how many files of larger objects are kept open by default.
	DefaultHotFiles = 512
	// DefaultHotRecheck is how long the file of an object in memory is not looked at by default.
	DefaultHotRecheck = time.Second
	// DefaultVerifiedFor is for how long a verified object needs no verification by default.
	DefaultVerifiedFor = time.Hour
	// DefaultScrubBytesPerSecond is the default speed of verification in the background: 16 MiB/s, an hour for 56 GiB.
	DefaultScrubBytesPerSecond = 16 << 20
)

// maxBound bounds what is configured in bytes: 4 EiB.
const maxBound = 1 << 62

// Config says where content lies and how much of it.
type Config struct {
	// Dir is the folder of the store. It is created if it does not exist, and belongs to one process at a time.
	Dir string
	// MaxBytes is the budget on disk in bytes: objects, their hash trees, adds under way and quarantined files.
	MaxBytes uint64
	// MaxObjectBytes bounds one object, in bytes.
	MaxObjectBytes uint64
	// MaxObjects bounds how many there are.
	MaxObjects int
	// Evict says that what is neither pinned nor held makes room for what is added. Without it adds that do not fit are refused.
	Evict bool
	// MinFreeBytes is how much of the disk's free space is not used, in bytes. 0 uses all of it.
	MinFreeBytes uint64
	// UploadBytes bounds what clients can have kept on disk, within MaxBytes. 0 takes no uploads.
	UploadBytes uint64
	// UploadBytesPerAccount bounds it for each account. 0 is no bound but UploadBytes.
	UploadBytesPerAccount uint64
	// Epoch returns an epoch that has begun for certain, in which holds that ended before it are over, and whether there is one.
	// What a hold kept is gone soon after it, so that this must be no single endpoint's word. Without it they end by Expire alone.
	Epoch func(context.Context) (epoch uint64, known bool)
	// HotBytes bounds the memory for small objects that are asked for often, in bytes, HotObjectBytes their size. 0 keeps none.
	HotBytes, HotObjectBytes uint64
	// HotFiles bounds the files of larger ones that are kept open. 0 keeps none.
	HotFiles int
	// HotRecheck is for how long neither is compared with the file under its name. 0 keeps none.
	HotRecheck time.Duration
	// VerifiedFor is for how long an object that was verified as a whole, and whose file looks the same since, needs no
	// verification. 0 verifies whatever is read.
	VerifiedFor time.Duration
	// ScrubBytesPerSecond bounds how fast Start reads. 0 leaves it out.
	ScrubBytesPerSecond uint64
}

// DefaultConfig returns the defaults for a folder.
func DefaultConfig(dir string) Config {
	return Config{
		Dir: dir, MaxBytes: DefaultMaxBytes, MaxObjectBytes: DefaultMaxObjectBytes, MaxObjects: DefaultMaxObjects, Evict: true,
		MinFreeBytes: DefaultMinFreeBytes, UploadBytesPerAccount: DefaultUploadBytesPerAccount,
		HotBytes: DefaultHotBytes, HotObjectBytes: DefaultHotObjectBytes, HotFiles: DefaultHotFiles, HotRecheck: DefaultHotRecheck,
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
	// Sums of two of these must not overflow.
	for _, bound := range []struct {
		name  string
		value uint64
	}{{"max_bytes", c.MaxBytes}, {"min_free_bytes", c.MinFreeBytes}} {
		if bound.value > maxBound {
			errs = append(errs, fmt.Errorf("%s is %d, want at most %d", bound.name, bound.value, uint64(maxBound)))
		}
	}
	if c.MaxObjects <= 0 {
		errs = append(errs, fmt.Errorf("max_objects is %d, want 1 or more", c.MaxObjects))
	}
	if c.UploadBytes > c.MaxBytes {
		errs = append(errs, fmt.Errorf("upload_bytes is %d, more than the %d of max_bytes", c.UploadBytes, c.MaxBytes))
	}
	if c.HotBytes > maxBound {
		errs = append(errs, fmt.Errorf("hot_bytes is %d, want at most %d", c.HotBytes, uint64(maxBound)))
	}
	if c.HotObjectBytes > 16<<20 {
		errs = append(errs, fmt.Errorf("hot_object_bytes is %d, want at most 16 MiB", c.HotObjectBytes))
	}
	if c.HotFiles < 0 {
		errs = append(errs, fmt.Errorf("hot_files is %d, want 0 or more", c.HotFiles))
	}
	if c.HotRecheck < 0 {
		errs = append(errs, fmt.Errorf("hot_recheck is %s, want 0 or more", c.HotRecheck))
	}
	if c.VerifiedFor < 0 {
		errs = append(errs, fmt.Errorf("verified_for is %s, want 0 or more", c.VerifiedFor))
	}
	return errors.Join(errs...)
}
