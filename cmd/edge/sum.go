package main

import (
	"math/big"
	"slices"
	"sync"

	"github.com/edgechain/edge/client/fetch"
)

// sum adds up what the transfers of a command came to. It is safe for concurrent use.
type sum struct {
	mu    sync.Mutex
	total fetch.Report
	price big.Int
	// unpriced is true once the chain did not tell the price of a transfer.
	unpriced bool
}

// add takes a transfer in.
func (s *sum) add(r fetch.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.total
	t.Bytes += r.Bytes
	t.Payload += r.Payload
	t.AcknowledgedBytes += r.AcknowledgedBytes
	t.Unacknowledged += r.Unacknowledged
	if r.AckError != "" {
		t.AckError = r.AckError
	}
	t.Paid = t.Paid || r.Paid
	if r.WorkerURL != "" {
		t.WorkerID, t.WorkerURL = r.WorkerID, r.WorkerURL
	}
	if r.KeyID != 0 {
		t.KeyID = r.KeyID
	}
	for _, a := range r.Acknowledged {
		i := slices.IndexFunc(t.Acknowledged, func(b fetch.Acknowledged) bool {
			return a.WorkerID == b.WorkerID && a.Epoch == b.Epoch && a.Lane == b.Lane
		})
		if i < 0 {
			t.Acknowledged = append(t.Acknowledged, a)
			continue
		}
		// The totals of a lane only rise; transfers on it come one after the other, but may be added in any order.
		b := &t.Acknowledged[i]
		b.New += a.New
		if a.Bytes > b.Bytes || a.Requests > b.Requests {
			b.Requests, b.Bytes, b.Head = a.Requests, a.Bytes, a.Head
		}
	}
	if !r.Paid {
		return
	}
	price, ok := new(big.Int).SetString(r.Price, 10)
	if !ok {
		s.unpriced = true
		return
	}
	s.price.Add(&s.price, price)
}

// acknowledged returns a report of all transfers.
func (s *sum) acknowledged() *fetch.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.total
	r.Acknowledged = slices.Clone(r.Acknowledged)
	if r.Paid && !s.unpriced {
		r.Price = s.price.String()
	}
	return &r
}

// with returns the report of the last transfer, with what all of them have acknowledged and cost.
func (s *sum) with(last fetch.Report) fetch.Report {
	all := s.acknowledged()
	last.AcknowledgedBytes, last.Acknowledged, last.Price = all.AcknowledgedBytes, all.Acknowledged, all.Price
	last.Unacknowledged, last.AckError = all.Unacknowledged, all.AckError
	return last
}
