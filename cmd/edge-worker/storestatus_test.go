package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/console"
	"github.com/edgechain/edge/worker/store"
)

func TestStoreStatus(t *testing.T) {
	stats := store.Stats{Objects: 5, Used: 40 << 20, Max: 1 << 30, Pinned: 10 << 20, Held: 3 << 20, Evictable: 27 << 20, Quarantined: 2}
	text := func() string {
		var out strings.Builder
		require.NoError(t, writeStatus(&out, &console.Status{Ready: true, Store: storeStatus(&stats)}, time.Now()))
		return out.String()
	}
	got := text()
	for _, want := range []string{"5 objects, 40.0 MiB of 1.00 GiB", "10.0 MiB pinned, 3.00 MiB for clients; 27.0 MiB can be evicted", "2 files are kept aside"} {
		require.Contains(t, got, want)
	}
	require.NotContains(t, got, "takes no writes")
	stats.Fault = errors.New("no space left on device")
	require.Contains(t, text(), "takes no writes: no space left on device")
}
