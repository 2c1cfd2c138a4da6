package types

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"
)

// drawPurse returns a purse of an account with whatever a purse can hold.
func drawPurse(t *rapid.T, account uint64) Purse {
	p := NewPurse(account)
	p.Balance = math.NewInt(rapid.Int64Range(0, 1<<60).Draw(t, "balance"))
	for e := range rapid.IntRange(0, MaxPendingWithdrawals).Draw(t, "withdrawals") {
		p.Withdrawals = append(p.Withdrawals, Withdrawal{Epoch: uint64(e + 1), Amount: math.NewInt(rapid.Int64Range(1, 1<<60).Draw(t, "withdrawal"))})
	}
	for range rapid.IntRange(0, 5).Draw(t, "spends") {
		p.Spend(rapid.Uint64Range(1, 3).Draw(t, "key"), rapid.Uint64Range(7, 8).Draw(t, "epoch"), 0, math.NewInt(rapid.Int64Range(1, 1000).Draw(t, "amount")))
	}
	return p
}

// Whatever purses are replaced in whatever order, each is found as it was last stored, the page is the canonical encoding of
// its purses, and not a byte of a neighbour changes.
func TestPagesKeepNeighbours(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const first = 3 * PursesPerPage
		var page []byte
		stored := map[uint64]Purse{}
		for range rapid.IntRange(1, 12).Draw(t, "writes") {
			var purses []Purse
			for account := uint64(first); account < first+PursesPerPage; account++ {
				if rapid.IntRange(0, 3).Draw(t, "chosen") == 0 {
					purses = append(purses, drawPurse(t, account))
				}
			}
			before := bytes.Clone(page)
			next, err := ReplacePurses(page, purses)
			require.NoError(t, err)
			require.Equal(t, before, page, "the old page is not touched: others may hold it")
			for _, p := range purses {
				stored[p.AccountId] = p
			}
			page = next

			var want PursePage
			for account := uint64(first - 1); account <= first+PursesPerPage; account++ {
				got, ok, err := FindPurse(page, account)
				require.NoError(t, err)
				p, is := stored[account]
				require.Equal(t, is, ok)
				if is {
					require.Equal(t, p.String(), got.String())
					want.Purses = append(want.Purses, p)
				}
			}
			encoded, err := want.Marshal()
			require.NoError(t, err)
			require.Equal(t, encoded, append([]byte{}, page...), "one state has one encoding")
		}
	})
}

// A page that is damaged is an error, and never a panic or somebody else's purse.
func FuzzFindPurse(f *testing.F) {
	page, err := ReplacePurses(nil, []Purse{NewPurse(16), NewPurse(17)})
	require.NoError(f, err)
	f.Add(page, uint64(17))
	f.Add(page[:len(page)-1], uint64(16))
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f}, uint64(1))
	f.Fuzz(func(t *testing.T, page []byte, account uint64) {
		p, ok, err := FindPurse(page, account)
		if err != nil {
			require.ErrorIs(t, err, ErrInvariant)
			return
		}
		if ok {
			require.Equal(t, account, p.AccountId)
		}
		_, err = ReplacePurses(page, []Purse{NewPurse(account)})
		require.NoError(t, err)
	})
}

func TestDamagedPages(t *testing.T) {
	page, err := ReplacePurses(nil, []Purse{NewPurse(16), NewPurse(17)})
	require.NoError(t, err)
	half := len(page) / 2
	for name, damaged := range map[string][]byte{
		"cut":            page[:len(page)-1],
		"another field":  append([]byte{0x12}, page[1:]...),
		"twice":          append(bytes.Clone(page), page[half:]...),
		"descending":     append(bytes.Clone(page[half:]), page[:half]...),
		"no account":     {0x0a, 0x00},
		"endless length": {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
	} {
		_, _, err := FindPurse(damaged, 16)
		require.ErrorIs(t, err, ErrInvariant, name)
		_, err = ReplacePurses(damaged, []Purse{NewPurse(18)})
		require.ErrorIs(t, err, ErrInvariant, name)
	}
}

// What a clone does is not seen by the purse that it was made of.
func TestPurseClone(t *testing.T) {
	original := NewPurse(1)
	original.Balance = math.NewInt(5)
	original.Withdrawals = append(make([]Withdrawal, 0, 8), Withdrawal{Epoch: 1, Amount: math.NewInt(10)}, Withdrawal{Epoch: 2, Amount: math.NewInt(10)})
	original.Spent = append(make([]PurseSpend, 0, 8), PurseSpend{KeyId: 2, Epoch: 7, Amount: math.NewInt(1)})
	before := original.String()
	clone := original.Clone()
	require.Equal(t, before, clone.String())
	require.NoError(t, clone.Draw(math.NewInt(18)))
	clone.Spend(2, 7, 7, math.NewInt(3))
	clone.Spend(1, 8, 7, math.NewInt(3))
	clone.SetSpent(9, []KeySpend{{Epoch: 7, Amount: math.NewInt(1)}})
	require.Equal(t, before, original.String())
}

// A purse spends, for each of its keys, as a key by itself would; it forgets dead epochs of all of them.
func TestPurseSpend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := NewPurse(1)
		model := map[[2]uint64]int64{}
		oldest := uint64(1)
		for range rapid.IntRange(1, 40).Draw(t, "spends") {
			oldest += rapid.Uint64Range(0, 1).Draw(t, "epochs")
			key, epoch := rapid.Uint64Range(1, 3).Draw(t, "key"), oldest+rapid.Uint64Range(0, 1).Draw(t, "epoch")
			amount := rapid.Int64Range(1, 100).Draw(t, "amount")
			p.Spend(key, epoch, oldest, math.NewInt(amount))
			model[[2]uint64{key, epoch}] += amount
			for k := range model {
				if k[1] < oldest {
					delete(model, k)
				}
			}
			require.Len(t, p.Spent, len(model))
			for k, want := range model {
				require.Equal(t, want, p.SpentIn(k[0], k[1]).Int64())
			}
			require.LessOrEqual(t, len(p.Spent), 2*3)
			for key := range uint64(4) {
				spent := p.SpentBy(key)
				before := p.String()
				p.SetSpent(key, spent)
				require.Equal(t, before, p.String())
			}
		}
		p.SetSpent(2, nil)
		require.Empty(t, p.SpentBy(2))
	})
}

func TestTotals(t *testing.T) {
	require.True(t, NewTotals().IsZero())
	a := Totals{Balances: math.NewInt(5), Pending: math.NewInt(3), OpenRevenue: math.NewInt(2), ServiceDeposits: math.NewInt(1)}
	require.NoError(t, a.Validate())
	require.Equal(t, "11", a.Sum().String())
	change := NewTotals()
	change.Pending = math.NewInt(-4)
	require.ErrorIs(t, a.Add(change).Validate(), ErrInvariant)
	require.False(t, a.Add(change).Equal(a))
	require.True(t, a.Add(NewTotals()).Equal(a))
	require.ErrorIs(t, Totals{}.Validate(), ErrInvariant)
}
