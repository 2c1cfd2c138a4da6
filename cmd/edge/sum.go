package main

import (
	"slices"
	"sync"

	"github.com/edgechain/edge/client/fetch"
)

// sum adds up what the transfers of a command came to. It is safe for concurrent use.
type sum struct {
	mu    sync.Mutex
	total fetch.Report
}

// add takes a transfer in, but for what was paid.
func (s *sum) add(r fetch.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.total
	t.Bytes += r.Bytes
	t.Payload += r.Payload
	t.Paid = t.Paid || r.Paid
	if r.WorkerURL != "" {
		t.WorkerID, t.WorkerURL = r.WorkerID, r.WorkerURL
	}
	if r.KeyID != 0 {
		t.KeyID = r.KeyID
	}
}

// pay sets what was paid for all transfers.
func (s *sum) pay(p fetch.Payment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total.Payment = p
}

// acknowledged returns a report of all transfers.
func (s *sum) acknowledged() *fetch.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.total
	r.Acknowledged = slices.Clone(r.Acknowledged)
	return &r
}

// with returns the report of the last transfer, with what all of them have acknowledged and cost.
func (s *sum) with(last fetch.Report) fetch.Report {
	last.Payment = s.acknowledged().Payment
	return last
}
