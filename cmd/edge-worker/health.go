package main

import (
	"context"
	"fmt"
	"math/big"
	"strings"
	"time"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/console"
	"github.com/edgechain/edge/worker/rollup"
)

const (
	// leastRoom is the part of the store's budget, as its divisor, that should be there for more content.
	leastRoom = 100
	// lowFees is how many small settlements the hot account should have fees for.
	lowFees = 200
	// smallSettlement is the gas of one beside what the message takes itself: bytes, signature, ante handlers.
	smallSettlement = 120_000
	// aloneText is what a worker with one endpoint of the chain has to be told: nothing else can catch a lie that fits together.
	aloneText = "chain.rpc names one node: if it says of a settlement that it was paid, or of an epoch that it is over, nobody can contradict it"
)

// status says how the worker is.
func (w *worker) status(ctx context.Context) console.Status {
	doc := console.Status{
		Schema: console.Schema, Version: versionText(), At: time.Now().UTC(), Started: w.started.UTC(),
		Uptime: time.Since(w.started).Round(time.Second).String(), PeerKey: hexText(w.peerKey),
		Ready: true, Reasons: map[string]string{}, Listen: w.gateway.Addr(), Sessions: w.manager.Sessions(),
	}
	for _, check := range w.checks() {
		reason := ""
		if err := check.Func(ctx); err != nil {
			reason = err.Error()
			doc.Ready, doc.Reasons[check.Name] = false, reason
		}
		doc.Health = append(doc.Health, console.NewPart(check.Name, console.StateFault, reason))
	}
	if view, ok := w.follower.View(); ok {
		doc.Chain.ChainID, doc.Chain.Height, doc.Chain.Epoch, doc.Chain.OldestLive = view.ChainID, view.Height, view.Epoch, view.OldestLive
		doc.Chain.EpochEnd = view.EpochEnd.UTC().Format(time.RFC3339)
		if view.EpochDuration > 0 {
			doc.Chain.EpochStart = view.EpochEnd.Add(-view.EpochDuration).UTC().Format(time.RFC3339)
		}
		doc.Worker.ID, doc.Worker.Operator, doc.Worker.Account = view.Worker.Id, view.Worker.Operator, view.Worker.Account
		doc.Worker.Status = strings.ToLower(strings.TrimPrefix(view.Worker.Status.String(), "WORKER_STATUS_"))
		doc.Settling.FeeBalance = view.FeeBalance.String() + w.settings.gasPrice.Denom
		doc.Money.Denom = view.Denom
	}
	doc.Chain.LagSeconds = max(-1, w.follower.Lag().Seconds())
	for _, e := range w.nodes.Endpoints() {
		problem := e.Problem
		// One that is asked for everything is as good as what the follower sees.
		if stale := w.follower.Stale(); e.Used && problem == "" && stale != nil {
			problem = stale.Error()
		}
		doc.Chain.Endpoints = append(doc.Chain.Endpoints, console.Endpoint{
			Address: e.Name, Used: e.Used, Height: e.Height, OK: problem == "", Problem: problem,
		})
	}
	doc.Settling.Status = w.rollup.Status()
	if problem := w.rollup.Problem(); problem != nil {
		doc.Settling.Problem = problem.Error()
	}
	if w.reporter != nil {
		status := w.reporter.Status()
		doc.Report = &status
	}
	stats := w.store.Stats()
	doc.Store = storeStatus(&stats)
	if room, err := w.store.Room(); err == nil {
		doc.Store.Room = &room
	}
	doc.Lanes.BaseCredit, doc.Lanes.MaxUnsettled = w.settings.session.Base.String(), w.settings.session.MaxUnsettled.String()
	doc.Money.Totals = w.pool.Ledger().Total
	w.console.Fill(&doc)
	doc.Health = append(doc.Health, warnings(&doc)...)
	doc.Health = append(doc.Health, feeValue(&w.settings.rollup))
	if view, ok := w.follower.View(); ok {
		doc.Health = append(doc.Health, w.fees(view))
	}
	console.SortHealth(doc.Health)
	return doc
}

// warnings are the parts that can want somebody without keeping the worker from serving.
func warnings(doc *console.Status) []console.Part {
	part := func(name string, bad bool, format string, values ...any) console.Part {
		if !bad {
			return console.NewPart(name, console.StateWarning, "")
		}
		return console.NewPart(name, console.StateWarning, fmt.Sprintf(format, values...))
	}
	endangered, ok := new(big.Int).SetString(doc.Money.Endangered, 10)
	parts := []console.Part{
		part("settling", doc.Settling.Problem != "" && doc.Reasons["signer"] == "", "%s", doc.Settling.Problem),
		part("deadline", ok && endangered.Sign() > 0, "%s %s are not settled and soon cannot be any more", doc.Money.Endangered, doc.Money.Denom),
		part("endpoints", len(doc.Chain.Endpoints) == 1, "%s", aloneText),
		part("content", doc.Store.Quarantined > 0, "%d damaged files are kept aside", doc.Store.Quarantined),
	}
	if room := doc.Store.Room; room != nil {
		parts = append(parts, part("room", *room < doc.Store.MaxBytes/leastRoom, "%s more can be stored of the %s of store.max_bytes: the rest is pinned or kept for clients, or the disk has no more than store.min_free_bytes left",
			bytesText(*room), bytesText(doc.Store.MaxBytes)))
	}
	if limit := doc.Process.MemoryLimit; limit > 0 {
		parts = append(parts, part("memory", doc.Process.MemoryBytes > limit, "%d bytes are used, the limit is %d", doc.Process.MemoryBytes, limit))
	}
	if r := doc.Report; r != nil {
		parts = append(parts, part("report", r.Late, "the report of epoch %d is missing and the epoch is about to end; %d further epochs without one and the node counts as opted out. %s",
			r.Epoch, r.EpochsLeft, r.Problem))
	}
	return parts
}

// feeValue warns while settlements can cost more than they bring.
func feeValue(c *rollup.Config) console.Part {
	reason := ""
	if !c.ComparesFees() {
		reason = "the fees of settlements are not compared with what they settle: one can cost more than it brings"
	}
	return console.NewPart("fee_value", console.StateWarning, reason)
}

// fees warns before the hot account has none left.
func (w *worker) fees(view chain.View) console.Part {
	gas := math.NewIntFromUint64(view.GasBase).Add(math.NewIntFromUint64(view.GasPerAck)).AddRaw(smallSettlement)
	fee := w.settings.gasPrice.Amount.MulInt(gas).Ceil().TruncateInt()
	balance := math.NewIntFromBigInt(view.FeeBalance)
	if balance.GTE(fee.MulRaw(lowFees)) {
		return console.NewPart("fees", console.StateWarning, "")
	}
	return console.NewPart("fees", console.StateWarning,
		fmt.Sprintf("the hot account holds %s%s, which pays for about %s small settlements", balance, w.settings.gasPrice.Denom, balance.Quo(fee)))
}
