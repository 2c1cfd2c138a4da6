package report

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"time"
)

// offset is how long after the beginning of an epoch a worker reports. The operator places it in the first half, so that not
// all nodes report at once, and the worker adds up to an eighth, so that the workers of a node do not: whoever comes later
// finds that nothing is due any more. It is a pure function of both, and leaves three eighths of the epoch to try again.
func offset(operator string, workerID uint64, duration time.Duration) time.Duration {
	if duration <= 0 {
		return 0
	}
	var id [8]byte
	binary.LittleEndian.PutUint64(id[:], workerID)
	return share([]byte("operator/"+operator), duration/2) + share(append([]byte("worker/"), id[:]...), duration/8)
}

// share returns a part of a duration, at least 0 and below it, that follows from the text.
func share(text []byte, of time.Duration) time.Duration {
	digest := sha256.Sum256(text)
	part, _ := bits.Mul64(binary.BigEndian.Uint64(digest[:8]), uint64(max(of, 0)))
	return time.Duration(part)
}

// backoff is how long to wait before the n-th try again, n from 1: it doubles from first up to last, and jitter in [0, 1)
// places it between one and one and a half of that.
func backoff(n int, first, last time.Duration, jitter float64) time.Duration {
	wait := first
	for i := 1; i < n && wait < last; i++ {
		wait *= 2
	}
	wait = min(wait, last)
	return wait + time.Duration(jitter*float64(wait)/2)
}
