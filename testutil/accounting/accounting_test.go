package accounting_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/testutil/accounting"
)

var (
	parties = accounting.Parties{Accounts: "accounts", Rewards: "rewards", Operator: "operator", Community: "community"}
	share   = math.LegacyMustNewDecFromStr("0.8")
)

func balances(accounts, rewards, operator, community, client int64) map[string]math.Int {
	return map[string]math.Int{
		"accounts": math.NewInt(accounts), "rewards": math.NewInt(rewards), "operator": math.NewInt(operator),
		"community": math.NewInt(community), "client": math.NewInt(client),
	}
}

// exact is a run over two epochs: 640 is paid in the first (512 to the operator, 128 to the community), 10 in the second
// (8 and 2).
func exact() ([]accounting.Snapshot, []uint64, accounting.Statement) {
	supply := math.NewInt(1_001_000)
	snapshots := []accounting.Snapshot{
		{Height: 10, Supply: supply, Balances: balances(1_000_000, 0, 0, 0, 1_000)},
		{Height: 70, Supply: supply, Balances: balances(1_000_000-640, 0, 512, 128, 1_000)},
		{Height: 130, Supply: supply, Balances: balances(1_000_000-650, 0, 520, 130, 1_000)},
	}
	st := accounting.Statement{
		Delivered: 69_000_000, AcknowledgedBytes: 69_000_000, Price: math.NewInt(650),
		Acknowledged: math.NewInt(650), Settled: math.NewInt(650),
		Pending: math.ZeroInt(), Submitted: math.ZeroInt(), Refused: math.ZeroInt(),
	}
	return snapshots, []uint64{3, 4}, st
}

func TestExact(t *testing.T) {
	snapshots, epochs, st := exact()
	r, err := accounting.Reconcile(parties, share, snapshots, epochs, st)
	require.NoError(t, err)
	require.Equal(t, "650", r.Paid.String())
	require.Equal(t, "520", r.Operator.String())
	require.Equal(t, "130", r.Community.String())
	require.Len(t, r.Epochs, 2)
	require.Equal(t, "640", r.Epochs[0].Paid.String())
	require.Greater(t, r.Checks, 15)
}

// TestOffByOne plants a unit more and a unit less in every position there is. None may pass.
func TestOffByOne(t *testing.T) {
	for _, d := range []int64{1, -1} {
		delta := math.NewInt(d)
		for i := range 3 {
			for _, address := range []string{"accounts", "rewards", "operator", "community", "client", "stranger"} {
				snapshots, epochs, st := exact()
				b, ok := snapshots[i].Balances[address]
				if !ok {
					b = math.ZeroInt()
				}
				snapshots[i].Balances[address] = b.Add(delta)
				_, err := accounting.Reconcile(parties, share, snapshots, epochs, st)
				require.Error(t, err, "%s of snapshot %d off by %d", address, i, d)
				// The same again with a supply that agrees: the fault must be seen in the movement too.
				if i > 0 {
					snapshots[i].Supply = snapshots[i].Supply.Add(delta)
					_, err = accounting.Reconcile(parties, share, snapshots, epochs, st)
					require.Error(t, err, "%s and supply of snapshot %d off by %d", address, i, d)
				}
			}
			snapshots, epochs, st := exact()
			snapshots[i].Supply = snapshots[i].Supply.Add(delta)
			_, err := accounting.Reconcile(parties, share, snapshots, epochs, st)
			require.Error(t, err, "supply of snapshot %d off by %d", i, d)
		}
		for name, plant := range map[string]func(*accounting.Statement){
			"price":              func(st *accounting.Statement) { st.Price = st.Price.Add(delta) },
			"acknowledged":       func(st *accounting.Statement) { st.Acknowledged = st.Acknowledged.Add(delta) },
			"settled":            func(st *accounting.Statement) { st.Settled = st.Settled.Add(delta) },
			"pending":            func(st *accounting.Statement) { st.Pending = st.Pending.Add(delta) },
			"submitted":          func(st *accounting.Statement) { st.Submitted = st.Submitted.Add(delta) },
			"refused":            func(st *accounting.Statement) { st.Refused = st.Refused.Add(delta) },
			"acknowledged bytes": func(st *accounting.Statement) { st.AcknowledgedBytes += uint64(d) },
			"delivered bytes":    func(st *accounting.Statement) { st.Delivered += uint64(d) },
		} {
			snapshots, epochs, st := exact()
			plant(&st)
			_, err := accounting.Reconcile(parties, share, snapshots, epochs, st)
			require.Error(t, err, "%s off by %d", name, d)
		}
	}
}

// TestUnitMovedBetweenParties moves one unit from each party to each other one: sums and supply still agree.
func TestUnitMovedBetweenParties(t *testing.T) {
	names := []string{"accounts", "rewards", "operator", "community", "client"}
	for i := range 3 {
		for _, from := range names {
			for _, to := range names {
				if from == to {
					continue
				}
				snapshots, epochs, st := exact()
				b := maps.Clone(snapshots[i].Balances)
				b[from], b[to] = b[from].SubRaw(1), b[to].AddRaw(1)
				snapshots[i].Balances = b
				_, err := accounting.Reconcile(parties, share, snapshots, epochs, st)
				require.Error(t, err, "snapshot %d: a unit from %s to %s", i, from, to)
			}
		}
	}
}

func TestSnapshotsMustMatchEpochs(t *testing.T) {
	snapshots, epochs, st := exact()
	_, err := accounting.Reconcile(parties, share, snapshots[:2], epochs, st)
	require.ErrorContains(t, err, "2 snapshots for 2 epochs")
	_, err = accounting.Reconcile(parties, share, snapshots[:1], nil, st)
	require.Error(t, err)
}
