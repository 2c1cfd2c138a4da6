package ackpool_test

import (
	"math/big"
	"testing"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
)

// What was taken for nothing by a price that was wrong is worth what the chain pays for it, also after a restart and beside a
// transaction in flight.
func TestReprice(t *testing.T) {
	fs := vfs.NewMem()
	p := open(t, fs, ackpool.Options{})
	free, dear, other := item(5, 10, 0, 300), item(5, 10, 1, 200), item(6, 20, 0, 50)
	free.Value, other.Value = new(big.Int), new(big.Int)
	put(t, p, free, dear, other)
	submit(t, p, "tx", 5)
	more := item(5, 10, 1, 400)
	more.Value = big.NewInt(200)
	put(t, p, more)
	require.NoError(t, p.Close())

	p = open(t, fs, ackpool.Options{})
	real := ack.Prices{PerGiB: big.NewInt(1 << 30), PerGFuel: new(big.Int)}
	raised, err := p.Reprice(5, real, false)
	require.NoError(t, err)
	require.Equal(t, 2, raised)
	require.Equal(t, [5]int64{300, 300, 0, 0, 0}, sums(newest(t, p, free)))
	require.Equal(t, [5]int64{400, 200, 200, 0, 0}, sums(newest(t, p, dear)))
	require.Equal(t, [5]int64{0, 0, 0, 0, 0}, sums(newest(t, p, other)), "that is of another epoch")
	require.NoError(t, p.Resolve([]byte("tx"), 9, []ackpool.Result{paid(200)}))
	require.Equal(t, [5]int64{400, 200, 0, 200, 0}, sums(newest(t, p, dear)))
	check(t, p)

	// No value falls for a price that is not certain, and nothing is done twice.
	for _, prices := range []ack.Prices{real, {PerGiB: new(big.Int), PerGFuel: new(big.Int)}} {
		raised, err = p.Reprice(5, prices, false)
		require.NoError(t, err)
		require.Zero(t, raised)
	}
	require.NoError(t, p.Close())
	p = open(t, fs, ackpool.Options{})
	require.Equal(t, [5]int64{300, 300, 0, 0, 0}, sums(newest(t, p, free)))
}

// What was valued by a price that was too high is worth what the chain pays for it again, beside a transaction in flight too, and nobody
// has to answer for the difference: neither who has paid all, nor who was short when the epoch died.
func TestRepriceDown(t *testing.T) {
	const much = 1 << 20
	real := ack.Prices{PerGiB: big.NewInt(1 << 30), PerGFuel: new(big.Int)}
	owes := func(p *ackpool.Pool, account uint64) int64 {
		c, err := p.Claim(account)
		require.NoError(t, err)
		return c.Unsettled.Int64()
	}
	for _, tt := range []struct {
		name string
		// before is whether the price is told right before the verdict.
		before  bool
		outcome ackpool.Outcome
		total   int64
		want    [5]int64
		owed    int64
	}{
		{"paid, then valued", false, ackpool.OutcomePaid, 100, [5]int64{100, 0, 0, 100, 0}, 0},
		{"valued, then paid", true, ackpool.OutcomePaid, 100, [5]int64{100, 0, 0, 100, 0}, 0},
		{"short, then valued", false, ackpool.OutcomePartial, 99, [5]int64{100, 1, 0, 99, 0}, 1},
		{"valued, then short", true, ackpool.OutcomePartial, 99, [5]int64{100, 1, 0, 99, 0}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fs := vfs.NewMem()
			p := open(t, fs, ackpool.Options{})
			it := item(5, 10, 0, 100)
			it.Value = big.NewInt(100 * much)
			put(t, p, it)
			submit(t, p, "tx", 5)
			value := func() {
				changed, err := p.Reprice(5, real, true)
				require.NoError(t, err)
				require.Equal(t, 1, changed)
				check(t, p)
			}
			if tt.before {
				value()
				require.Equal(t, [5]int64{100, 0, 100, 0, 0}, sums(newest(t, p, it)))
			}
			require.NoError(t, p.Resolve([]byte("tx"), 9, []ackpool.Result{{Outcome: tt.outcome, TotalPaid: big.NewInt(tt.total)}}))
			if !tt.before {
				if tt.outcome == ackpool.OutcomePaid {
					require.Zero(t, owes(p, it.AccountID), "the chain has said that the rest is not due")
					entry := newest(t, p, it)
					require.Zero(t, entry.Unsettled().Sign())
				}
				value()
			}
			require.NoError(t, p.Close())
			p = open(t, fs, ackpool.Options{})
			require.Equal(t, tt.want, sums(newest(t, p, it)))
			require.Equal(t, tt.owed, owes(p, it.AccountID))
			require.NoError(t, p.Expire(6))
			claim, err := p.Claim(it.AccountID)
			require.NoError(t, err)
			if tt.owed == 0 {
				require.Nil(t, claim.Forfeit.Value)
			} else {
				require.Equal(t, tt.owed, claim.Forfeit.Value.Int64())
			}
			check(t, p)
		})
	}
}

// Thousands of lanes are valued in several writes.
func TestRepriceMany(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{})
	var items []ackpool.Item
	for key := range uint64(1_300) {
		it := item(5, key+10, 0, 7)
		it.Value = new(big.Int)
		items = append(items, it)
	}
	put(t, p, items...)
	raised, err := p.Reprice(5, ack.Prices{PerGiB: big.NewInt(1 << 30), PerGFuel: new(big.Int)}, false)
	require.NoError(t, err)
	require.Equal(t, 1_300, raised)
	require.EqualValues(t, 7*1_300, check(t, p).Total.Pending.Value.Int64())
}

func TestRichestAccountsPassesOver(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{})
	put(t, p, item(5, 10, 0, 300), item(5, 20, 0, 200), item(5, 30, 0, 100))
	got := p.RichestAccounts(2, func(id uint64) bool { return id == 1 })
	require.Len(t, got, 2)
	require.EqualValues(t, 2, got[0].AccountID)
	require.EqualValues(t, 3, got[1].AccountID)
}
