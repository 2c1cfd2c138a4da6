package types_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/edgechain/edge/x/node/types"
)

// in makes the record of a node that takes part since the epoch from which its last word counts.
func in(from, first, reported uint64) types.Node {
	return types.Node{OptedIn: true, FromEpoch: from, FirstEpoch: first, SinceEpoch: from, LastReportEpoch: reported}
}

// since makes the record one whose present participation counts from another epoch.
func since(n types.Node, epoch uint64) types.Node {
	n.SinceEpoch = epoch
	return n
}

func TestStanding(t *testing.T) {
	down := func(n types.Node, epochs uint32) types.Node {
		n.DownEpochs = epochs
		return n
	}
	for name, tt := range map[string]struct {
		node        types.Node
		epoch       uint64
		eligibility uint32
		want        types.Standing
	}{
		"opted in, before it counts":           {in(5, 5, 0), 4, 0, types.StandingNotOptedIn},
		"opted in, first epoch, no wait":       {in(5, 5, 0), 5, 0, types.StandingOK},
		"opted in, first epoch":                {in(5, 5, 0), 5, 2, types.StandingWaiting},
		"opted in, last epoch of the wait":     {in(5, 5, 5), 6, 2, types.StandingWaiting},
		"opted in, wait is over":               {in(5, 5, 5), 7, 2, types.StandingOK},
		"a longer wait":                        {in(5, 5, 103), 104, 100, types.StandingWaiting},
		"the longest wait is over":             {in(5, 5, 104), 105, 100, types.StandingOK},
		"second participation waits no more":   {in(9, 5, 5), 9, 2, types.StandingOK},
		"one epoch without a report":           {in(5, 5, 0), 6, 0, types.StandingOK},
		"two epochs without a report":          {in(5, 5, 0), 7, 0, types.StandingLapsed},
		"lapsed goes before waiting":           {in(5, 5, 0), 7, 100, types.StandingLapsed},
		"report, then one without":             {in(5, 5, 8), 10, 0, types.StandingOK},
		"report, then two without":             {in(5, 5, 8), 11, 0, types.StandingLapsed},
		"long lapsed":                          {in(5, 5, 8), 1 << 40, 0, types.StandingLapsed},
		"opting in again renews":               {in(20, 5, 8), 21, 0, types.StandingOK},
		"opting in again, two without":         {in(20, 5, 8), 22, 0, types.StandingLapsed},
		"genesis node, first election":         {in(0, 0, 0), 2, 2, types.StandingOK},
		"genesis node, epoch 1 with a wait":    {in(0, 0, 0), 1, 2, types.StandingWaiting},
		"genesis node, two without":            {in(0, 0, 0), 3, 2, types.StandingLapsed},
		"genesis node, reported in 1":          {in(0, 0, 1), 3, 2, types.StandingOK},
		"down once":                            {down(in(5, 5, 9), 1), 10, 2, types.StandingOK},
		"down twice":                           {down(in(5, 5, 9), 2), 10, 2, types.StandingUnhealthy},
		"waiting goes before unhealthy":        {down(in(5, 5, 5), 2), 6, 2, types.StandingWaiting},
		"opted out":                            {since(types.Node{FromEpoch: 9, FirstEpoch: 5, OptedInBefore: true, LastReportEpoch: 8}, 5), 9, 0, types.StandingNotOptedIn},
		"opted out, before it counts":          {since(types.Node{FromEpoch: 9, FirstEpoch: 5, OptedInBefore: true, LastReportEpoch: 8}, 5), 8, 0, types.StandingOK},
		"opted out, never reported, new":       {since(types.Node{FromEpoch: 6, FirstEpoch: 5, OptedInBefore: true}, 5), 5, 0, types.StandingOK},
		"opted out twice":                      {types.Node{FromEpoch: 9, FirstEpoch: 5, LastReportEpoch: 8}, 8, 0, types.StandingNotOptedIn},
		"opted out and in again, before it is": {since(types.Node{OptedIn: true, FromEpoch: 9, FirstEpoch: 5, OptedInBefore: true, LastReportEpoch: 7}, 5), 8, 0, types.StandingOK},
		"opted out and in again, as it counts": {since(types.Node{OptedIn: true, FromEpoch: 9, FirstEpoch: 5, OptedInBefore: true, LastReportEpoch: 7}, 5), 9, 0, types.StandingOK},
		"opted out and in again, two without":  {since(types.Node{OptedIn: true, FromEpoch: 9, FirstEpoch: 5, OptedInBefore: true, LastReportEpoch: 7}, 5), 10, 0, types.StandingLapsed},
		"opted out and in again, never a word": {since(types.Node{OptedIn: true, FromEpoch: 7, FirstEpoch: 5, OptedInBefore: true}, 5), 7, 0, types.StandingLapsed},
		"second participation, out and in":     {since(types.Node{OptedIn: true, FromEpoch: 10, FirstEpoch: 2, OptedInBefore: true, LastReportEpoch: 4}, 9), 10, 0, types.StandingOK},
		"lapsed, in again, before it counts":   {since(types.Node{OptedIn: true, FromEpoch: 21, FirstEpoch: 5, OptedInBefore: true, LastReportEpoch: 7}, 21), 20, 0, types.StandingLapsed},
		"lapsed, in again, as soon as it does": {since(types.Node{OptedIn: true, FromEpoch: 21, FirstEpoch: 5, OptedInBefore: true, LastReportEpoch: 7}, 21), 21, 0, types.StandingOK},
		"nobody":                               {types.Node{}, 5, 0, types.StandingNotOptedIn},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, tt.node.StandingFor(tt.epoch, tt.eligibility))
		})
	}
}

func TestReportDueAndEpochsLeft(t *testing.T) {
	for name, tt := range map[string]struct {
		node     types.Node
		current  uint64
		due, may bool
		left     uint64
	}{
		"opted in from the next epoch on":     {in(6, 6, 0), 5, false, true, 2},
		"first epoch":                         {in(6, 6, 0), 6, true, true, 2},
		"second epoch":                        {in(6, 6, 0), 7, true, true, 1},
		"lapsed":                              {in(6, 6, 0), 8, false, false, 0},
		"reported now":                        {in(6, 6, 9), 9, false, true, 2},
		"reported in the epoch before":        {in(6, 6, 9), 10, true, true, 2},
		"reported two epochs ago":             {in(6, 6, 9), 11, true, true, 1},
		"reported three epochs ago":           {in(6, 6, 9), 12, false, false, 0},
		"opted out from now on":               {since(types.Node{FromEpoch: 9, FirstEpoch: 5, OptedInBefore: true, LastReportEpoch: 8}, 5), 9, false, false, 0},
		"opted out from the next epoch on":    {since(types.Node{FromEpoch: 9, FirstEpoch: 5, OptedInBefore: true, LastReportEpoch: 7}, 5), 8, true, true, 2},
		"lapsed and in again":                 {since(types.Node{OptedIn: true, FromEpoch: 21, FirstEpoch: 5, OptedInBefore: true, LastReportEpoch: 7}, 21), 20, false, true, 2},
		"in the last moment, out and in":      {since(types.Node{OptedIn: true, FromEpoch: 10, FirstEpoch: 5, OptedInBefore: true, LastReportEpoch: 7}, 5), 9, true, true, 1},
		"out and in with time to spare":       {since(types.Node{OptedIn: true, FromEpoch: 10, FirstEpoch: 5, OptedInBefore: true, LastReportEpoch: 8}, 5), 9, true, true, 2},
		"genesis node before the first epoch": {in(0, 0, 0), 0, false, true, 2},
		"genesis node in epoch 1":             {in(0, 0, 0), 1, true, true, 2},
		"genesis node in epoch 2":             {in(0, 0, 0), 2, true, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.due, tt.node.ReportDue(tt.current), "due")
			require.Equal(t, tt.may, tt.node.MayReport(tt.current), "may report")
			require.Equal(t, tt.left, tt.node.EpochsLeft(tt.current), "epochs left")
		})
	}
}

func TestTurns(t *testing.T) {
	n := types.NewNode("x", 4)
	require.Equal(t, types.Node{Operator: "x", OptedIn: true, FromEpoch: 5, FirstEpoch: 5, SinceEpoch: 5, Score: types.StartScore}, n)
	require.EqualValues(t, 7, n.EligibleFrom(2))
	require.EqualValues(t, 5, n.EligibleFrom(0))

	// Whatever is said within one epoch, the last word counts from the next one, and the word of before until then.
	n = n.OptOut(4)
	require.False(t, n.OptedInFor(4))
	require.False(t, n.OptedInFor(5))
	n = n.OptIn(7)
	require.False(t, n.OptedInFor(7))
	require.True(t, n.OptedInFor(8))
	require.EqualValues(t, 8, n.EligibleFrom(2))
	n = n.OptOut(8)
	require.True(t, n.OptedInFor(8))
	require.False(t, n.OptedInFor(9))
	n = n.OptIn(8)
	require.True(t, n.OptedInFor(8))
	require.True(t, n.OptedInFor(9))
	require.EqualValues(t, 5, n.FirstEpoch)
	require.EqualValues(t, 8, n.SinceEpoch, "an opting out that never counted begins nothing anew")
}

// Whatever an operator says, two epochs without a report keep its node out of an election: neither taking an opting out back nor
// opting in again before it has lapsed puts the first report off.
func TestNobodyTakesPartForEverWithoutAReport(t *testing.T) {
	for name, speak := range map[string]func(types.Node, uint64) types.Node{
		"silent":     func(n types.Node, _ uint64) types.Node { return n },
		"out and in": func(n types.Node, epoch uint64) types.Node { return n.OptOut(epoch).OptIn(epoch) },
		"in again": func(n types.Node, epoch uint64) types.Node {
			if n.MayOptIn(epoch) {
				n = n.OptIn(epoch)
			}
			return n
		},
		"twice out and in": func(n types.Node, epoch uint64) types.Node {
			return n.OptOut(epoch).OptIn(epoch).OptOut(epoch).OptIn(epoch)
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := types.NewNode("x", 4) // takes part since 5
			for epoch := uint64(5); epoch < 7; epoch++ {
				require.Equal(t, types.StandingOK, n.StandingFor(epoch, 0))
				n = speak(n, epoch)
			}
			require.Equal(t, types.StandingLapsed, n.StandingFor(7, 0))
			n = speak(n, 7) // it has lapsed by now, and whoever asks for it begins anew
			require.Equal(t, name == "silent", n.LapsedFor(8))
		})
	}
}

// A second implementation that remembers everything, by epoch: the word that counts, since when, and whether there was a report.
func TestParticipationAgainstHistory(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		const last = 30
		var opted, reported, gone [last + 2]bool
		var since [last + 2]uint64
		// A lapsed node cannot report, so it stays lapsed until it opts in anew.
		lapsed := func(epoch uint64) bool {
			for m := since[epoch]; m+2 <= epoch; m++ {
				if !reported[m] && !reported[m+1] {
					return true
				}
			}
			return false
		}
		n, known := types.Node{}, false
		for epoch := uint64(1); epoch <= last; epoch++ {
			opted[epoch+1], since[epoch+1] = opted[epoch], since[epoch]
			for range rapid.IntRange(0, 3).Draw(r, "acts") {
				switch rapid.IntRange(0, 3).Draw(r, "act") {
				case 0:
					// Of use to those who are out, and to those who have lapsed and did not say so in this epoch yet.
					out := !opted[epoch+1]
					renews := opted[epoch] && gone[epoch] && since[epoch+1] <= epoch
					require.Equal(r, out || renews, n.MayOptIn(epoch), "epoch %d: %v", epoch, n)
					if !out && !renews {
						continue
					}
					if known {
						n = n.OptIn(epoch)
					} else {
						n, known = types.NewNode("x", epoch), true
					}
					// Whoever takes part at the moment only takes the opting out back.
					if !opted[epoch] || gone[epoch] {
						since[epoch+1] = epoch + 1
					}
					opted[epoch+1] = true
				case 1:
					if n.OptedInFor(epoch + 1) {
						n = n.OptOut(epoch)
						opted[epoch+1] = false
					}
				default:
					if n.ReportDue(epoch) {
						n.LastReportEpoch, reported[epoch] = epoch, true
					}
				}
			}
			require.Equal(r, opted[epoch+1], n.OptedInFor(epoch+1), "epoch %d", epoch)
			gone[epoch+1] = opted[epoch+1] && lapsed(epoch+1)
			require.Equal(r, gone[epoch+1], n.LapsedFor(epoch+1), "epoch %d: %v", epoch, n)
			if opted[epoch+1] {
				require.Equal(r, since[epoch+1], n.SinceEpoch, "epoch %d", epoch)
			}
		}
	})
}
