package main

import (
	"github.com/edgechain/edge/worker/console"
	"github.com/edgechain/edge/worker/store"
)

// storeStatus is what the status says of the store.
func storeStatus(s *store.Stats) console.Store {
	doc := console.Store{
		Objects: s.Objects, Used: s.Used, MaxBytes: s.Max, Quarantined: s.Quarantined, Pinned: s.Pinned, Held: s.Held, Evictable: s.Evictable,
	}
	if s.Fault != nil {
		doc.Fault = s.Fault.Error()
	}
	return doc
}
