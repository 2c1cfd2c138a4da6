package ackpool

import (
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"
)

// Bounds that are part of the format.
const (
	// maxReason bounds a refusal's reason in bytes.
	maxReason = 64
	// maxReasons bounds the different reasons on one lane; further ones are counted as ReasonOther.
	maxReasons = 8
	// maxTxAcks bounds the acknowledgements of one transaction. The chain's cap is 1,000.
	maxTxAcks = 4096
	// maxTxBytes bounds the bytes of one transaction. The chain's cap is 256 KiB.
	maxTxBytes = 1 << 20
	// maxHash bounds the hash of a transaction in bytes.
	maxHash = 64
)

// Options of a pool. The zero value of a field means its default.
type Options struct {
	// MaxLanes bounds the lanes held; one takes about 1 KB of memory. Default 100,000.
	MaxLanes int
	// MaxExposures bounds the (account, epoch) pairs with a watermark. Default 100,000.
	MaxExposures int
	// MaxInFlight bounds the transactions in flight. Default 64.
	MaxInFlight int
	// FS is the file system. Default the operating system's.
	FS vfs.FS
	// Logger takes what the store has to say. Default slog.Default.
	Logger *slog.Logger
	// Metrics takes the metrics; nil keeps them to the pool.
	Metrics prometheus.Registerer
}

func (o Options) withDefaults() (Options, error) {
	if o.MaxLanes < 0 || o.MaxExposures < 0 || o.MaxInFlight < 0 {
		return o, fmt.Errorf("%w: a bound of the pool is negative", ErrInvalid)
	}
	if o.MaxLanes == 0 {
		o.MaxLanes = 100_000
	}
	if o.MaxExposures == 0 {
		o.MaxExposures = 100_000
	}
	if o.MaxInFlight == 0 {
		o.MaxInFlight = 64
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, nil
}

// storeLogger gives the store's messages to slog.
type storeLogger struct{ log *slog.Logger }

func (l storeLogger) Infof(format string, args ...any) {
	l.log.Debug("acknowledgement store", "message", fmt.Sprintf(format, args...))
}

func (l storeLogger) Errorf(format string, args ...any) {
	l.log.Error("acknowledgement store", "message", fmt.Sprintf(format, args...))
}

// Fatalf stops the process: the store calls it when it can no longer tell what is on disk, and what was acknowledged is
// safest in files that nobody writes to.
func (l storeLogger) Fatalf(format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	l.log.Error("acknowledgement store failed", "message", message)
	panic(storeFailure("ackpool: " + message))
}

// storeFailure is why the store cannot go on.
type storeFailure string

// Error implements error.
func (f storeFailure) Error() string { return string(f) }
