package keeper_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	"github.com/edgechain/edge/x/rewards/types"
)

// A payout that is set aside is pending, for its recipient alone, until it is made. Pages of any size find it.
func TestPendingSetAside(t *testing.T) {
	f := newFixture(t).start(100, types.DefaultParams())
	f.dack.owners[7], f.dack.owners[8] = owner(7).String(), owner(8).String()
	f.earn(1, record{1, 7, 1_003}, record{2, 7, 2_003}, record{4, 8, 3_003})
	f.bank.fail = func(sdk.AccAddress) error { return errBoom }
	f.close()
	pending := func(address string, limit uint64) (payments []types.PendingPayment) {
		page := &query.PageRequest{Limit: limit}
		for {
			res, err := f.query.Pending(f.ctx, &types.QueryPendingRequest{Address: address, Pagination: page})
			require.NoError(t, err)
			payments = append(payments, res.Payments...)
			if len(res.Pagination.NextKey) == 0 {
				return payments
			}
			page.Key = res.Pagination.NextKey
		}
	}
	want := map[string][]types.PendingPayment{
		sdk.ValAddress(operator(1)).String(): {{Kind: types.PAYOUT_KIND_NODE, Id: 1}},
		sdk.ValAddress(operator(2)).String(): {{Kind: types.PAYOUT_KIND_NODE, Id: 2}},
		sdk.ValAddress(operator(4)).String(): {{Kind: types.PAYOUT_KIND_NODE, Id: 4}},
		owner(7).String():                    {{Kind: types.PAYOUT_KIND_OWNER, Id: 7}},
		owner(8).String():                    {{Kind: types.PAYOUT_KIND_OWNER, Id: 8}},
		operator(1).String():                 nil, // who is paid as an operator asks as one
		sdk.ValAddress(owner(7)).String():    nil,
		somebody:                             nil,
	}
	check := func() {
		t.Helper()
		for address, payments := range want {
			for _, limit := range []uint64{1, 2, 3, 1_000, 0} {
				got := pending(address, limit)
				require.Len(t, got, len(payments), address)
				for i, p := range payments {
					payout := f.payoutOf(1, p.Kind, p.Id)
					require.Equal(t, types.PendingPayment{
						Epoch: 1, Kind: p.Kind, Id: p.Id, State: types.PENDING_STATE_SET_ASIDE, Amount: payout.Amount, Denom: denom,
						Reason: payout.Cause,
					}, got[i])
				}
			}
		}
	}
	check()
	f.bank.fail = nil
	_, err := f.msgs.RetryPayout(f.ctx, &types.MsgRetryPayout{Sender: somebody, Epoch: 1, Kind: types.PAYOUT_KIND_OWNER, Id: 7})
	require.NoError(t, err)
	want[owner(7).String()] = nil
	check()
}

// An epoch whose payment is set aside as a whole is pending with the reason, however long ago it was, whether the payment had begun or
// not, until it is retried.
func TestPendingOfStages(t *testing.T) {
	f := newFixture(t).start(1, types.DefaultParams())
	for epoch := uint64(1); epoch <= 4; epoch++ {
		f.earn(epoch, record{1, 7, 1_000 * int64(epoch)}, record{2, 7, 10})
	}
	f.dack.err = errBoom // epoch 1 is never begun
	f.close()
	f.dack.err = nil
	fails := errBoom
	f.dack.spoil = func(r []dacktypes.RevenueRecord) []dacktypes.RevenueRecord { // epoch 2 in the midst of its nodes
		if fails != nil && len(r) > 0 && r[0].WorkerId == 2 {
			r[0].Revenue.Amount = math.NewInt(-1)
		}
		return r
	}
	f.close()
	fails = nil
	f.close()
	f.close()
	pending := func(worker uint64) (payments []types.PendingPayment) {
		page := &query.PageRequest{Limit: 1}
		for {
			res, err := f.query.Pending(f.ctx, &types.QueryPendingRequest{Address: valoper(worker), Pagination: page})
			require.NoError(t, err)
			payments = append(payments, res.Payments...)
			if len(res.Pagination.NextKey) == 0 {
				return payments
			}
			page.Key = res.Pagination.NextKey
		}
	}
	retry := func(epoch uint64) {
		t.Helper()
		for done := false; !done; {
			resp, err := f.epoch.RetryItem(f.ctx, &epochtypes.MsgRetryItem{Sender: somebody, Epoch: epoch, Stage: epochtypes.StagePay})
			require.NoError(t, err)
			done = resp.Done
		}
	}
	require.Equal(t, []string{"1 1", "2 2"}, append(summarized(t, pending(1)), summarized(t, pending(2))[1:]...))
	retry(2)
	require.Equal(t, []string{"1 2"}, summarized(t, pending(2)))
	retry(1)
	require.Empty(t, pending(1))
	require.Empty(t, pending(2))
}

// summarized returns epoch and worker of payments that are set aside with their stage.
func summarized(t *testing.T, payments []types.PendingPayment) (out []string) {
	t.Helper()
	for _, p := range payments {
		require.Equal(t, types.PENDING_STATE_SET_ASIDE, p.State)
		require.Contains(t, p.Reason, "stage pay: ")
		out = append(out, fmt.Sprint(p.Epoch, " ", p.Id))
	}
	return out
}
