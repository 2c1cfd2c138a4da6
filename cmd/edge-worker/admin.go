package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/console"
)

// Paths of the administration on the loopback listener.
const (
	pathLedger   = "/v1/admin/ledger"
	pathStatus   = console.PathStatus
	pathObjects  = "/v1/admin/objects"
	pathReceipts = "/v1/admin/receipts"
)

// tokenHeader carries the secret of the home folder. Whoever can read that folder may add content and read what clients have
// signed; others on this machine may look at the rest.
const tokenHeader = "Edge-Admin-Token"

// adminHandler answers what the commands and the console's page ask the running worker. Whoever reaches loopback may read sums; what
// changes something, or shows what clients have signed, wants the token.
func (w *worker) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathLedger, func(rw http.ResponseWriter, r *http.Request) {
		answer(rw, http.StatusOK, w.ledger(r.Context()))
	})
	mux.HandleFunc("GET "+pathReceipts, w.serveReceipts)
	w.handleContent(mux)
	mux.Handle("/", w.console.Handler(w.status))
	return mux
}

type adminError struct {
	Error string `json:"error"`
}

func answer(rw http.ResponseWriter, status int, doc any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-store")
	rw.WriteHeader(status)
	// A client that went away is no fault of the worker.
	_ = json.NewEncoder(rw).Encode(doc)
}

// ledgerDoc is the ledger with what the chain says beside it.
type ledgerDoc struct {
	ackpool.Ledger
	// Denom of all amounts; empty if the chain is not in sight.
	Denom string `json:"denom,omitempty"`
	// Chain has the live epochs.
	Chain []chainEpoch `json:"chain"`
	// ChainError says why the chain does not answer.
	ChainError string `json:"chain_error,omitempty"`
}

// chainEpoch is what the chain has paid the worker for the acknowledgements of an epoch. It can be ahead of what the ledger
// has as settled, by what is in flight, and is never behind it.
type chainEpoch struct {
	Epoch   uint64 `json:"epoch"`
	Paid    string `json:"paid"`
	Settled string `json:"settled"`
	// Agrees is true if the chain has paid what is settled, or more by at most what is in flight.
	Agrees bool `json:"agrees"`
}

// payer answers what the chain has paid a worker for an epoch of acknowledgements.
type payer interface {
	PaidTo(ctx context.Context, epoch, workerID uint64) (*big.Int, error)
}

// newLedgerDoc asks the chain first: what is settled is read afterwards, so that a settlement in between cannot look like
// one that the chain does not know.
func newLedgerDoc(ctx context.Context, view chain.View, known bool, chainErr error, p payer, read func() ackpool.Ledger) ledgerDoc {
	doc := ledgerDoc{Chain: []chainEpoch{}}
	switch {
	case !known:
		doc.Ledger, doc.ChainError = read(), fmt.Sprint(chainErr)
		return doc
	case !view.Registered():
		doc.Ledger, doc.ChainError = read(), chain.ErrNotRegistered.Error()
		return doc
	}
	doc.Denom = view.Denom
	before := read()
	paid := map[uint64]*big.Int{}
	for epoch := view.OldestLive; epoch <= view.Epoch; epoch++ {
		amount, err := p.PaidTo(ctx, epoch, view.Worker.Id)
		if err != nil {
			doc.ChainError = err.Error()
			break
		}
		paid[epoch] = amount
	}
	doc.Ledger = read()
	for epoch := view.OldestLive; epoch <= view.Epoch; epoch++ {
		if paid[epoch] == nil {
			continue
		}
		// The chain was asked between two readings of the ledger: it must lie between what was settled before and what is
		// settled or in flight after.
		least, most := totalsOf(&before, epoch).Settled.Value, new(big.Int)
		after := totalsOf(&doc.Ledger, epoch)
		most.Add(after.Settled.Value, after.Submitted.Value)
		doc.Chain = append(doc.Chain, chainEpoch{
			Epoch: epoch, Paid: paid[epoch].String(), Settled: after.Settled.Value.String(),
			Agrees: paid[epoch].Cmp(least) >= 0 && paid[epoch].Cmp(most) <= 0,
		})
	}
	return doc
}

// totalsOf are the sums of an epoch, zero if the ledger has none.
func totalsOf(l *ackpool.Ledger, epoch uint64) ackpool.Totals {
	for _, e := range l.Epochs {
		if e.Epoch == epoch {
			return e.Totals
		}
	}
	zero := ackpool.Amount{Value: new(big.Int)}
	return ackpool.Totals{Acknowledged: zero, Pending: zero, Submitted: zero, Settled: zero}
}

func (w *worker) ledger(ctx context.Context) ledgerDoc {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	view, ok := w.follower.View()
	return newLedgerDoc(ctx, view, ok, w.follower.Stale(), w.follower, w.pool.Ledger)
}
