package main

import (
	"github.com/edgechain/edge/worker/config"
	"github.com/edgechain/edge/worker/store"
)

// storeConfig is the configuration of the store, for the worker and for the commands that open it while the worker does not
// run.
func storeConfig(c *config.Config, dir string) store.Config {
	s := &c.Store
	return store.Config{
		Dir: dir, MaxBytes: s.MaxBytes, MaxObjectBytes: s.MaxObjectBytes, MaxObjects: s.MaxObjects, Evict: s.Evict,
		MinFreeBytes: s.MinFreeBytes, UploadBytes: s.UploadBytes, UploadBytesPerAccount: s.UploadBytesPerAccount,
		HotBytes: s.HotBytes, HotObjectBytes: s.HotObjectBytes, HotFiles: s.HotFiles, HotRecheck: s.HotRecheck.Std(),
		VerifiedFor: s.VerifiedFor.Std(), ScrubBytesPerSecond: s.ScrubBytesPerSecond,
	}
}
