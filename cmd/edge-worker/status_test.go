package main

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/config"
	"github.com/edgechain/edge/worker/console"
	"github.com/edgechain/edge/worker/report"
)

// A report that is missing late is a hint, with what to do; the worker is ready all the same.
func TestStatusOfTheReport(t *testing.T) {
	for name, tt := range map[string]struct {
		status *report.Status
		want   []string
	}{
		"off":      {nil, []string{"left to others"}},
		"reported": {&report.Status{Epoch: 7, State: report.StateReported}, []string{"epoch 7: reported"}},
		"late": {
			&report.Status{Epoch: 7, State: report.StateDue, Late: true, EpochsLeft: 1, Problem: "no fees"},
			[]string{"epoch 7: due", "after 1 further epochs", "edged tx node report", "no fees"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			require.NoError(t, writeStatus(&out, &console.Status{Ready: true, Report: tt.status}, time.Now()))
			require.Contains(t, out.String(), "ready")
			for _, want := range tt.want {
				require.Contains(t, out.String(), want)
			}
			require.Equal(t, tt.status != nil && tt.status.Late, strings.Contains(out.String(), "late"))
		})
	}
}

// What the worker says reaches the terminal whole, through JSON.
func TestStatusText(t *testing.T) {
	amount := func(v int64) ackpool.Amount { return ackpool.Amount{Value: big.NewInt(v), Lanes: 1} }
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	doc := console.Status{
		Schema: console.Schema, Version: "v1", Reasons: map[string]string{"chain": "height stands still"},
		Health: []console.Part{console.NewPart("chain", console.StateFault, "height stands still"), console.NewPart("store", console.StateFault, "")},
		Chain:  console.Chain{ChainID: "edge-9", Height: 77, Epoch: 5, EpochEnd: "2026-03-01T13:30:00Z", Endpoints: []console.Endpoint{{Address: "http://n1", OK: true}, {Address: "http://n2", Problem: "behind"}}},
		Served: console.Served{Requests: 12, OK: 9, Refused: 2, Failed: 1, Bytes: 3 << 20},
		Money: console.Money{Denom: "uusd", Totals: ackpool.Totals{
			Acknowledged: ackpool.Amount{Value: big.NewInt(100), Lanes: 3}, Pending: amount(10), Submitted: amount(20), Settled: amount(63),
			Refused: map[string]ackpool.Amount{"insufficient": {Value: big.NewInt(7)}},
		}},
		Earned: console.Earned{Denom: "uusd", TokenDenom: "uedge", Epochs: []console.EarnedEpoch{
			{Epoch: 5, State: console.EarnedOpen, Revenue: "63", Node: "44", Tokens: "0"},
			{Epoch: 4, State: console.EarnedSetAside, Revenue: "50", Node: "35", Tokens: "3", Cause: "blocked address"},
		}},
	}
	b, err := json.Marshal(doc)
	require.NoError(t, err)
	var back console.Status
	require.NoError(t, json.Unmarshal(b, &back))
	var out strings.Builder
	require.NoError(t, writeStatus(&out, &back, now))
	text := out.String()
	for _, want := range []string{
		"HEALTH", "NO", "height stands still", "chain.rpc", "in order", "SERVED", "12 requests: 9 answered, 2 refused, 1 failed", "3.00 MiB",
		"MONEY IN uusd", "7 as insufficient", "EARNED PER EPOCH IN uusd", "about 44", "blocked address", "CHAIN", "edge-9, height 77",
		"(1h30m0s left)", "http://n2 behind", "STORE", "LANES AND CREDIT",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "WRONG", "lanes: %s", text)
}

func TestBytesText(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", 10 << 10: "10.0 KiB", 999 << 10: "999 KiB", 1<<20 - 1: "1.00 MiB", 64 << 30: "64.0 GiB", 1<<64 - 1: "16.0 EiB",
	} {
		require.Equal(t, want, bytesText(n), n)
	}
}

// Whoever does not say what fees are worth is told, and what is settled early follows the credit that is given.
func TestFeesAreWorthSomething(t *testing.T) {
	c := config.Default()
	require.Positive(t, c.Rollup.MinValue.Cmp(big.NewInt(100)), "a settlement costs 400 uedge")
	s, err := newSettings(&c)
	require.NoError(t, err)
	require.Equal(t, "250", s.rollup.HurryValue.String())
	require.Equal(t, 5*time.Second, s.rollup.HurrySpacing)
	require.Equal(t, console.StateWarning, feeValue(&s.rollup).State)
	require.Contains(t, feeValue(&s.rollup).Advice, "rollup.fee_value")
	c.Credit.Base, c.Rollup.FeeValue = big.NewInt(2), "1.5"
	s, err = newSettings(&c)
	require.NoError(t, err)
	require.Equal(t, "1", s.rollup.HurryValue.String())
	require.Equal(t, console.StateOK, feeValue(&s.rollup).State)
	c.Rollup.HurryValue, c.Rollup.MaxFeeShare = big.NewInt(70), "0"
	s, err = newSettings(&c)
	require.NoError(t, err)
	require.Equal(t, "70", s.rollup.HurryValue.String())
	require.Equal(t, console.StateWarning, feeValue(&s.rollup).State)
}

// A lie of the only node that is asked cannot be caught, so its operator is told; with a second one there is nothing to tell.
func TestOneEndpointIsNotEnough(t *testing.T) {
	for n, want := range map[int]console.State{1: console.StateWarning, 2: console.StateOK} {
		doc := console.Status{Chain: console.Chain{Endpoints: make([]console.Endpoint, n)}}
		parts := warnings(&doc)
		i := slices.IndexFunc(parts, func(p console.Part) bool { return p.Name == "endpoints" })
		require.GreaterOrEqual(t, i, 0)
		require.Equal(t, want, parts[i].State, n)
		if want == console.StateWarning {
			require.Contains(t, parts[i].Reason, "chain.rpc")
			require.Contains(t, parts[i].Advice, "chain.rpc")
		}
	}
}

// A store that can take hardly anything more refuses what origins and clients bring, long before its disk fails.
func TestNoRoomInTheStore(t *testing.T) {
	for room, want := range map[uint64]console.State{0: console.StateWarning, 9 << 20: console.StateWarning, 11 << 20: console.StateOK} {
		doc := console.Status{Ready: true, Store: console.Store{MaxBytes: 1 << 30, Room: &room}}
		doc.Health = warnings(&doc)
		i := slices.IndexFunc(doc.Health, func(p console.Part) bool { return p.Name == "room" })
		require.GreaterOrEqual(t, i, 0)
		require.Equal(t, want, doc.Health[i].State, room)
		var out strings.Builder
		require.NoError(t, writeStatus(&out, &doc, time.Now()))
		require.Contains(t, out.String(), bytesText(room)+" for more")
		require.Equal(t, want == console.StateWarning, strings.Contains(out.String(), "store.min_free_bytes"))
	}
}
