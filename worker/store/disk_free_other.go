//go:build !(linux || darwin || freebsd)

package store

import "math"

// Free implements disk. There is no portable way to ask: the budget alone bounds the store.
func (osDisk) Free(string) (uint64, error) { return math.MaxInt64, nil }
