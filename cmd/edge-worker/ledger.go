package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/config"
)

func (a *app) ledgerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "ledger", Short: "Show what was acknowledged and what became of it", Args: args(cobra.NoArgs),
		Long: `ledger shows what clients have acknowledged since the worker was set up, in units of the settlement coin:

  acknowledged = pending + submitted + settled + refused (by reason)

in total and for each live epoch, next to what the chain says it has paid. It exits with 1 if the sums do not add up or the
chain disagrees. It works while the worker runs and while it does not.`,
		Example: "  edge-worker ledger\n  edge-worker ledger --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			var doc ledgerDoc
			err = a.adminClient(&c).get(cmd.Context(), pathLedger, &doc)
			if errors.Is(err, errNotRunning) {
				doc, err = a.ledgerOffline(cmd.Context(), &c)
			}
			if err != nil {
				return err
			}
			if a.output == "json" {
				err = writeJSON(cmd.OutOrStdout(), doc)
			} else {
				err = writeLedger(cmd.OutOrStdout(), &doc)
			}
			return errors.Join(err, checkLedger(&doc))
		},
	}
}

// checkLedger returns what does not add up.
func checkLedger(doc *ledgerDoc) error {
	if err := doc.Total.Check(); err != nil {
		return err
	}
	for _, e := range doc.Epochs {
		if err := e.Check(); err != nil {
			return fmt.Errorf("epoch %d: %w", e.Epoch, err)
		}
	}
	for _, e := range doc.Chain {
		if !e.Agrees {
			return fmt.Errorf("epoch %d: the ledger has %s as settled, the chain has paid %s", e.Epoch, e.Settled, e.Paid)
		}
	}
	return nil
}

// ledgerOffline reads the pool of a worker that does not run, and asks the chain as far as it answers.
func (a *app) ledgerOffline(ctx context.Context, c *config.Config) (doc ledgerDoc, err error) {
	if _, err := os.Stat(a.home.pool()); errors.Is(err, fs.ErrNotExist) {
		return doc, fmt.Errorf("there is no pool in %s", a.home.pool())
	}
	pool, err := ackpool.Open(a.home.pool(), poolOptions(c, slog.New(slog.DiscardHandler)))
	if err != nil {
		return doc, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	follower, err := a.observe(ctx, c)
	if err != nil {
		return newLedgerDoc(ctx, chain.View{}, false, err, nil, pool.Ledger), nil
	}
	view, ok := follower.View()
	doc = newLedgerDoc(ctx, view, ok, follower.Stale(), follower, pool.Ledger)
	return doc, follower.Stop(ctx)
}

// observe follows the chain for as long as it takes to see it once.
func (a *app) observe(ctx context.Context, c *config.Config) (*chain.Follower, error) {
	s, err := newSettings(c)
	if err != nil {
		return nil, err
	}
	peerKey, err := a.home.readPeerKey()
	if err != nil {
		return nil, err
	}
	s.chain.PeerKey = publicOf(peerKey)
	s.chain.Events = false // it looks once
	enc, err := chain.NewEncoding()
	if err != nil {
		return nil, err
	}
	node, err := newNodes(c, &s, enc, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return nil, err
	}
	node.Probe(ctx)
	follower, err := chain.New(s.chain, node, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		return nil, err
	}
	changed := follower.Changed()
	if err := follower.Start(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Chain.QueryTimeout.Std())
	defer cancel()
	select {
	case <-changed:
	case <-ctx.Done():
	}
	return follower, nil
}

// writeLedger writes the table.
func writeLedger(out io.Writer, doc *ledgerDoc) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	paid := map[uint64]string{}
	for _, e := range doc.Chain {
		paid[e.Epoch] = e.Paid
	}
	fmt.Fprintln(t, "epoch\tacknowledged\tpending\tsubmitted\tsettled\trefused\tpaid by the chain\t")
	row := func(name string, totals ackpool.Totals, chainPaid string) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", name, totals.Acknowledged.Value, totals.Pending.Value,
			totals.Submitted.Value, totals.Settled.Value, totals.RefusedTotal().Value, chainPaid)
	}
	for _, e := range doc.Epochs {
		chainPaid, ok := paid[e.Epoch]
		if !ok {
			chainPaid = "-"
		}
		row(fmt.Sprint(e.Epoch), e.Totals, chainPaid)
	}
	row("all", doc.Total, "")
	if err := t.Flush(); err != nil {
		return err
	}
	var notes []string
	for _, reason := range slices.Sorted(maps.Keys(doc.Total.Refused)) {
		amount := doc.Total.Refused[reason]
		notes = append(notes, fmt.Sprintf("refused as %s: %s in %d lanes", reason, amount.Value, amount.Lanes))
	}
	if doc.Denom != "" {
		notes = append(notes, "amounts are in "+doc.Denom)
	}
	if doc.ChainError != "" {
		notes = append(notes, "the chain does not answer: "+strings.Join(strings.Fields(doc.ChainError), " "))
	}
	for _, note := range notes {
		if _, err := fmt.Fprintln(out, note); err != nil {
			return err
		}
	}
	return nil
}
