package report

import (
	"fmt"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/worker/chain"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// rest sleeps until everybody else has done what was to do by then.
func rest(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// turn is when the worker of the double reports.
func turn(c *testChain) time.Duration { return offset(operator, c.worker.Id, c.length) }

func TestReportsOnceInEachEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestChain()
		r, reg := start(t, c)
		rest(turn(c) - 2*time.Second)
		require.Equal(t, StateWaiting, r.Status().State)
		require.Zero(t, c.broadcasts)
		require.EqualValues(t, 1, value(t, reg, "edge_report_due", ""))
		rest(5 * time.Second)
		require.Equal(t, StateReported, r.Status().State)
		require.Equal(t, 1, c.broadcasts)
		require.Zero(t, value(t, reg, "edge_report_due", ""))

		rest(9 * c.length)
		for epoch := uint64(1); epoch < 10; epoch++ {
			require.Equal(t, 1, c.reported[epoch], "epoch %d", epoch)
		}
		require.Equal(t, 10, c.broadcasts)
		require.EqualValues(t, 10, value(t, reg, "edge_report_epochs_total", outcomeReported))
		require.Zero(t, value(t, reg, "edge_report_failures_total", ""))
		for _, tx := range c.sent {
			require.EqualValues(t, 8, tx.Number)
			require.EqualValues(t, simulated*13/10, tx.Gas, "the gas is what the simulation says, with a margin")
			require.Equal(t, account, tx.Msg.Sender)
			require.Equal(t, operator, tx.Msg.Operator)
		}
		require.Less(t, c.asked, 10*10, "the chain is not asked with every block")
		require.Equal(t, c.sent[9].Msg.Epoch, r.Status().LastEpoch)
		require.NotEmpty(t, r.Status().LastHash)
	})
}

// Somebody else reported: nothing is sent.
func TestNothingIsSentWhenNothingIsDue(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(c *testChain)
		state  string
	}{
		"reported before the epoch's first look": {func(c *testChain) { c.reported[1] = 1 }, StateReported},
		"never opted in":                         {func(c *testChain) { c.takes = false }, StateExempt},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newTestChain()
				tt.change(c)
				r, _ := start(t, c)
				rest(c.length - 2*time.Second)
				require.Equal(t, tt.state, r.Status().State)
				require.Zero(t, c.broadcasts)
				require.Equal(t, 1, c.asked)
				require.False(t, r.Status().Late)
			})
		})
	}
	t.Run("reported while this worker waits for its turn", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newTestChain()
			r, _ := start(t, c)
			rest(turn(c) / 2)
			c.change(func() { c.reported[1] = 1 })
			rest(turn(c))
			require.Equal(t, StateReported, r.Status().State)
			require.Zero(t, c.broadcasts)
		})
	})
}

// A worker that must not report, or cannot, asks and sends nothing.
func TestWorkerThatMayNotReport(t *testing.T) {
	for name, tt := range map[string]struct {
		change  func(c *testChain)
		problem string
	}{
		"not registered":  {func(c *testChain) { c.worker = nodetypes.Worker{} }, ""},
		"retiring":        {func(c *testChain) { c.worker.Status = nodetypes.WORKER_STATUS_RETIRING }, ""},
		"another account": {func(c *testChain) { c.worker.Account = "edge1other" }, ErrWrongAccount.Error()},
		"chain is stale":  {func(c *testChain) { c.stale = true }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newTestChain()
				tt.change(c)
				r, _ := start(t, c)
				rest(c.length - 2*time.Second)
				require.Zero(t, c.asked)
				require.Zero(t, c.broadcasts)
				require.Contains(t, r.Status().Problem, tt.problem)
			})
		})
	}
}

// What settlements need is not spent on reports; a top-up ends the wait.
func TestFeesAreKeptForSettlements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestChain()
		c.balance = big.NewInt(simulatedGas/100*(1+reserveReports) - 1)
		r, reg := start(t, c)
		rest(c.length - c.length/lateShare - 2*time.Second)
		require.Zero(t, c.broadcasts)
		require.Contains(t, r.Status().Problem, ErrNoFees.Error())
		require.Equal(t, StateDue, r.Status().State)
		require.False(t, r.Status().Late)
		rest(5 * time.Second)
		require.True(t, r.Status().Late)
		require.EqualValues(t, 1, value(t, reg, "edge_report_late", ""))

		rest(c.length / lateShare)
		require.EqualValues(t, 1, value(t, reg, "edge_report_epochs_total", outcomeMissed))
		require.False(t, r.Status().Late, "another epoch")
		c.change(func() { c.balance = big.NewInt(1_000_000) })
		rest(c.length - 10*time.Second)
		require.Equal(t, 1, c.reported[2])
		require.Empty(t, r.Status().Problem)
	})
}

func TestTriesAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		fault  func(c *testChain)
		mended func(c *testChain)
		// broadcasts before it was mended: at least one, or none.
		sent    bool
		problem string
	}{
		"the node is down": {
			func(c *testChain) { c.down = true }, func(c *testChain) { c.down = false }, false, errDown.Error(),
		},
		"the simulation fails": {
			func(c *testChain) { c.simulation = refusal(nodetypes.ErrReportHash) }, func(c *testChain) { c.simulation = nil }, false, "simulation",
		},
		"the mempool refuses": {
			func(c *testChain) { c.refuse = refusal(sdkerrors.ErrMempoolIsFull) }, func(c *testChain) { c.refuse = nil }, true, "broadcast",
		},
		"the mempool loses it": {
			func(c *testChain) { c.drop = true }, func(c *testChain) { c.drop = false }, true, ErrNotIncluded.Error(),
		},
		"it fails in a block": {
			func(c *testChain) { c.fail = refusal(sdkerrors.ErrOutOfGas) }, func(c *testChain) { c.fail = nil }, true, "failed at height",
		},
		"a panic": {
			func(c *testChain) { c.panics = true }, func(*testChain) {}, false, "",
		},
		"the answers are of the epoch before": {
			func(c *testChain) { c.lag = 1 }, func(c *testChain) { c.lag = 0 }, false, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newTestChain()
				c.length = 10_000 * time.Second
				rest(turn(c)) // the worker starts late in its turn
				c.start = time.Now().Add(-turn(c))
				tt.fault(c)
				r, _ := start(t, c)
				rest(10 * time.Minute)
				require.Contains(t, r.Status().Problem, tt.problem)
				require.Less(t, c.broadcasts, 12, "the wait doubles")
				if tt.sent {
					require.Positive(t, c.broadcasts)
				}
				c.change(func() { tt.mended(c) })
				rest(30 * time.Minute)
				require.Equal(t, 1, c.reported[1])
				require.Empty(t, r.Status().Problem)
				seen := map[string]bool{}
				for _, tx := range c.sent {
					key := fmt.Sprint(tx.Until)
					require.False(t, seen[key], "no two have the same time")
					seen[key] = true
				}
			})
		})
	}
}

// Without an answer of the mempool the report may be on its way: it is looked for, and not sent twice.
func TestBroadcastWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestChain()
		c.lost = true
		r, reg := start(t, c)
		rest(turn(c) + 10*time.Second)
		require.Equal(t, StateReported, r.Status().State)
		require.Equal(t, 1, c.broadcasts)
		require.EqualValues(t, 1, value(t, reg, "edge_report_broadcasts_total", resultUnknown))
	})
}

// A report names a block of its own epoch, which has none behind it in its first block.
func TestWaitsForABlockOfTheEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestChain()
		c.first = 14
		c.start = time.Now().Add(-turn(c))
		start(t, c)
		rest(4500 * time.Millisecond) // height 14
		require.Zero(t, c.broadcasts)
		rest(2 * time.Second)
		require.Equal(t, 1, c.reported[1])
		require.EqualValues(t, 14, c.sent[0].Msg.Height)
	})
}

// A report that is on its way when its epoch ends is not followed any more.
func TestEpochEndsWithAReportInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestChain()
		c.drop = true
		c.length = 40 * time.Second
		r, reg := start(t, c)
		rest(c.length + 2*time.Second)
		require.Positive(t, c.broadcasts)
		require.EqualValues(t, 1, value(t, reg, "edge_report_epochs_total", outcomeMissed))
		c.change(func() { c.drop = false })
		rest(c.length - 4*time.Second)
		require.Equal(t, 1, c.reported[2])
		require.Equal(t, StateReported, r.Status().State)
	})
}

func TestStartAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestChain()
		r, _ := start(t, c)
		require.ErrorContains(t, r.Start(t.Context()), "started before")
		require.NoError(t, r.Stop(t.Context()))
		require.NoError(t, r.Stop(t.Context()))
		rest(c.length)
		require.Zero(t, c.broadcasts)
	})
	var never Reporter
	require.NoError(t, never.Stop(t.Context()))
}

func TestOffset(t *testing.T) {
	const day = 24 * time.Hour
	require.Zero(t, offset("x", 1, 0))
	require.Zero(t, offset("x", 1, -1))
	require.Zero(t, offset("x", 1, 1))
	require.Equal(t, offset("x", 1, day), offset("x", 1, day))
	// The workers of a node keep together, the nodes do not; all keep to the first five eighths of the epoch.
	hours := map[time.Duration]bool{}
	for i := range 300 {
		name := fmt.Sprint("edgevaloper1", i)
		first, least, most := offset(name, 1, day), day, time.Duration(0)
		for id := range uint64(16) {
			at := offset(name, id, day)
			require.GreaterOrEqual(t, at, time.Duration(0))
			require.Less(t, at, day*5/8)
			least, most = min(least, at), max(most, at)
		}
		require.Less(t, most-least, day/8)
		hours[first/time.Hour] = true
	}
	require.GreaterOrEqual(t, len(hours), 12)
}

func TestBackoffAndValidity(t *testing.T) {
	require.Equal(t, time.Second, backoff(1, time.Second, time.Minute, 0))
	require.Equal(t, 12*time.Second, backoff(4, time.Second, time.Minute, 1))
	require.Equal(t, time.Minute, backoff(1_000_000, time.Second, time.Minute, 0))

	c := DefaultConfig()
	require.Equal(t, time.Minute, c.validity(24*time.Hour))
	require.Equal(t, time.Minute, c.validity(0))
	require.Equal(t, 10*time.Second, c.validity(80*time.Second))
	require.Equal(t, leastValidity, c.validity(time.Second))
}

func TestConfigValidate(t *testing.T) {
	require.NoError(t, DefaultConfig().Validate())
	for name, change := range map[string]func(*Config){
		"validity":      func(c *Config) { c.Validity = 10 * time.Minute },
		"first_backoff": func(c *Config) { c.FirstBackoff = 0 },
		"last_backoff":  func(c *Config) { c.LastBackoff = c.FirstBackoff - 1 },
		"call_timeout":  func(c *Config) { c.CallTimeout = 0 },
	} {
		c := DefaultConfig()
		change(&c)
		require.ErrorContains(t, c.Validate(), name)
		_, err := New(c, Deps{})
		require.ErrorContains(t, err, name)
	}
	c := DefaultConfig()
	c.Validity = leastValidity - 1
	require.ErrorContains(t, c.Validate(), "validity")
}

var _ Node = (*chain.Node)(nil)
