package main

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/config"
	"github.com/edgechain/edge/worker/store"
)

// A worker that starts while a command has the store open waits for it, and not for ever.
func TestOpenStoreWaits(t *testing.T) {
	c := config.Default()
	cfg := storeConfig(&c, t.TempDir())
	log := slog.New(slog.DiscardHandler)
	first, err := store.Open(cfg, log)
	require.NoError(t, err)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = openStore(gone, cfg, log)
	require.ErrorIs(t, err, context.Canceled)
	closed := make(chan error, 1)
	go func() {
		time.Sleep(storeWait / 20)
		closed <- first.Close()
	}()
	second, err := openStore(t.Context(), cfg, log)
	require.NoError(t, err)
	require.NoError(t, <-closed)
	require.NoError(t, second.Close())
}
