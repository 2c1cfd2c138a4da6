package accounting_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/testutil/accounting"
)

// exactTokens is a run over two epochs: 640 is paid in the first, of which 128 are lost, so that 640 tokens at 0.1 can be earned and are
// minted, 3 of them set aside; in the second 10 is paid and 10 can be earned, 4 are minted, the 3 are paid and 9 burned.
func exactTokens() (accounting.Terms, []accounting.Snapshot, []accounting.TokenEpoch) {
	i := math.NewInt
	snapshot := func(height, rewards, operator, rest int64) accounting.Snapshot {
		return accounting.Snapshot{Height: height, Supply: i(rewards + operator + rest), Balances: map[string]math.Int{
			"rewards": i(rewards), "operator": i(operator), "community": i(rest),
		}}
	}
	terms := accounting.Terms{
		Guard: math.LegacyMustNewDecFromStr("0.5"), Lost: math.LegacyMustNewDecFromStr("0.2"), Price: math.LegacyMustNewDecFromStr("0.1"),
	}
	return terms,
		[]accounting.Snapshot{snapshot(10, 0, 1_000, 9_000), snapshot(70, 3, 1_600, 9_037), snapshot(130, 0, 1_605, 9_030)},
		[]accounting.TokenEpoch{
			{Number: 3, Paid: i(640), Minted: i(640), Burned: i(0), SetAside: i(3)},
			{Number: 4, Paid: i(10), Minted: i(4), Burned: i(9), SetAside: i(0)},
		}
}

func TestTokens(t *testing.T) {
	terms, snapshots, epochs := exactTokens()
	minted, checks, err := accounting.ReconcileTokens(parties, terms, snapshots, epochs)
	require.NoError(t, err)
	require.Equal(t, "644", minted.String())
	require.Equal(t, 9, checks)

	// A unit more or less is found in every number but the payment, of which more is needed than was minted by.
	for _, d := range []int64{1, -1} {
		for i := range snapshots {
			for address := range snapshots[i].Balances {
				terms, snapshots, epochs := exactTokens()
				snapshots[i].Balances[address] = snapshots[i].Balances[address].AddRaw(d)
				_, _, err := accounting.ReconcileTokens(parties, terms, snapshots, epochs)
				require.Error(t, err, "%s of snapshot %d off by %d", address, i, d)
			}
			terms, snapshots, epochs := exactTokens()
			snapshots[i].Supply = snapshots[i].Supply.AddRaw(d)
			_, _, err := accounting.ReconcileTokens(parties, terms, snapshots, epochs)
			require.Error(t, err, "supply of snapshot %d off by %d", i, d)
		}
		for i := range epochs {
			for name, plant := range map[string]func(*accounting.TokenEpoch){
				"minted":    func(e *accounting.TokenEpoch) { e.Minted = e.Minted.AddRaw(d) },
				"burned":    func(e *accounting.TokenEpoch) { e.Burned = e.Burned.AddRaw(d) },
				"set aside": func(e *accounting.TokenEpoch) { e.SetAside = e.SetAside.AddRaw(d) },
			} {
				terms, snapshots, epochs := exactTokens()
				plant(&epochs[i])
				_, _, err := accounting.ReconcileTokens(parties, terms, snapshots, epochs)
				require.Error(t, err, "%s of epoch %d off by %d", name, i, d)
			}
		}
	}
	terms, snapshots, epochs = exactTokens()
	epochs[0].Paid = epochs[0].Paid.SubRaw(1)
	_, _, err = accounting.ReconcileTokens(parties, terms, snapshots, epochs)
	require.ErrorContains(t, err, "at most 639 can be earned by 639")
	terms, snapshots, epochs = exactTokens()
	terms.Price = math.LegacyZeroDec()
	_, _, err = accounting.ReconcileTokens(parties, terms, snapshots, epochs)
	require.ErrorContains(t, err, "at most 0")
	_, _, err = accounting.ReconcileTokens(parties, terms, snapshots, nil)
	require.Error(t, err)
}

// Deposits and withdrawals are no payments: they move between their owner and the accounts, and a unit of them that goes astray is found.
func TestFlows(t *testing.T) {
	plan := func() ([]accounting.Snapshot, []uint64, accounting.Statement) {
		snapshots, epochs, st := exact()
		move := func(from int, address string, amount int64) {
			for i := from; i < len(snapshots); i++ {
				b := snapshots[i].Balances
				b["accounts"], b[address] = b["accounts"].AddRaw(amount), b[address].SubRaw(amount)
			}
		}
		move(1, "client", 300)
		move(2, "client", -120)
		move(2, "operator", 7)
		st.Flows = [][]accounting.Flow{
			{{Address: "client", Amount: math.NewInt(200)}, {Address: "client", Amount: math.NewInt(100)}},
			{{Address: "client", Amount: math.NewInt(-120)}, {Address: "operator", Amount: math.NewInt(7)}},
		}
		return snapshots, epochs, st
	}
	snapshots, epochs, st := plan()
	r, err := accounting.Reconcile(parties, share, snapshots, epochs, st)
	require.NoError(t, err)
	require.Equal(t, "650", r.Paid.String())
	for i := range 2 {
		for j := range 2 {
			for _, d := range []int64{1, -1} {
				snapshots, epochs, st := plan()
				st.Flows[i][j].Amount = st.Flows[i][j].Amount.AddRaw(d)
				_, err := accounting.Reconcile(parties, share, snapshots, epochs, st)
				require.Error(t, err, "flow %d of epoch %d off by %d", j, i, d)
			}
		}
	}
}
