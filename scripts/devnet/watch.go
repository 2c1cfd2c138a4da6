package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/edgechain/edge/testutil/devnet"
)

// watch prints who sits in the committee, at once and then whenever an epoch has opened, until ctx ends.
func watch(ctx context.Context, n *devnet.Network) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var shown uint64
	for {
		// A node that is busy answers the next time.
		if s, err := n.Committee(ctx); err == nil && s.Election.Epoch != shown {
			shown = s.Election.Epoch
			fmt.Print(table(s))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// table shows a committee in one line for each validator.
func table(s devnet.Sittings) string {
	var b strings.Builder
	e := s.Election
	fmt.Fprintf(&b, "\nepoch %d: %d seats drawn among %d of %d validators, %d reveals", e.Epoch, e.Seats, e.Candidates, e.Validators, e.Reveals)
	if f := s.Fallback(); f != "" {
		fmt.Fprintf(&b, ", fallback draw: %s", f)
	}
	fmt.Fprintf(&b, "\nheight %d, %d of 4 steps of the hand-over sent\n", s.Height, s.Steps)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "validator\tstake (EDGE)\telected\tpower in force\twhy not\t")
	for _, r := range s.Rows {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t\n", r.Name, r.Tokens.QuoRaw(1_000_000), r.Elected, r.Power, whyNot(r))
	}
	if err := w.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "devnet: show the committee:", err)
	}
	return b.String() + "\n"
}

// whyNot says why a validator has no seat.
func whyNot(r devnet.Sitting) string {
	if r.WhyNot == "" && r.Elected == 0 && r.Held == 0 {
		return "not drawn"
	}
	return r.WhyNot
}
