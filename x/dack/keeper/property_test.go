package keeper_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/dack/types"
)

// TestSettleProperty: whatever the order, repetition, splitting into messages and epochs of debit, however the account is
// topped up, emptied by withdrawals and paid in parts, the same acknowledgements end in the same balances: each key has
// spent the price of its newest acknowledgements, at most its limit, and nothing is ever paid twice.
func TestSettleProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(rt)
		const e = firstEpoch
		owners := []string{"a", "b"}
		deposited := map[string]int64{}
		var keys []clientKey
		limits := map[uint64]int64{}
		for i, owner := range owners {
			amount := rapid.Int64Range(100, 400).Draw(rt, "deposit")
			account := f.deposit(owner, amount)
			deposited[owner] += amount
			for n := range rapid.IntRange(1, 2).Draw(rt, "keys") {
				limit := rapid.SampledFrom([]int64{1, 150, limitOfKey}).Draw(rt, "limit")
				k := f.addKey(owner, account, uint64(10*i+n+1), limit)
				keys = append(keys, k)
				limits[k.id] = limit
			}
		}
		// Cumulative acknowledgements of each key's lanes, in two live epochs.
		type signed struct {
			epoch uint64
			ack   types.Acknowledgement
		}
		var all, newest []signed
		due := map[uint64]map[uint64]int64{} // key -> epoch -> price of the newest acknowledgements
		for _, k := range keys {
			due[k.id] = map[uint64]int64{}
			for _, epoch := range []uint64{e, e + 1} {
				for lane := range rapid.IntRange(0, 2).Draw(rt, "lanes") {
					var bytes, fuel, requests uint64
					for range rapid.IntRange(1, 3).Draw(rt, "acks") {
						bytes += rapid.Uint64Range(0, 60).Draw(rt, "bytes")
						fuel += rapid.Uint64Range(0, 20).Draw(rt, "fuel")
						requests++
						s := signed{epoch, k.sign(ack.Ack{Epoch: epoch, Lane: uint8(lane), Bytes: bytes, Fuel: fuel, Requests: requests})}
						all = append(all, s)
					}
					newest = append(newest, all[len(all)-1])
					due[k.id][epoch] += int64(bytes + fuel)
				}
			}
		}
		settle := func(epoch uint64, batch []signed) {
			slices.SortStableFunc(batch, func(a, b signed) int {
				if a.ack.KeyId != b.ack.KeyId {
					return int(a.ack.KeyId) - int(b.ack.KeyId)
				}
				return int(a.ack.Lane) - int(b.ack.Lane)
			})
			var acks []types.Acknowledgement
			for _, s := range batch {
				n := len(acks)
				if s.epoch != epoch || (n > 0 && acks[n-1].KeyId == s.ack.KeyId && acks[n-1].Lane == s.ack.Lane) {
					continue
				}
				acks = append(acks, s.ack)
			}
			if len(acks) == 0 {
				return
			}
			before := f.openRevenue(f.epoch.current)
			var paid int64
			for _, r := range f.settle(epoch, acks...) {
				require.False(rt, r.Paid.IsNegative())
				require.Contains(rt, []types.AckStatus{types.ACK_STATUS_PAID, types.ACK_STATUS_PARTIAL, types.ACK_STATUS_NOTHING_DUE}, r.Status)
				require.Equal(rt, r.Status == types.ACK_STATUS_NOTHING_DUE, r.Paid.IsZero() && r.Status != types.ACK_STATUS_PARTIAL)
				paid += r.Paid.Int64()
			}
			require.Equal(rt, before+paid, f.openRevenue(f.epoch.current))
			for _, k := range keys {
				for _, ep := range []uint64{e, e + 1} {
					require.LessOrEqual(rt, f.key(k.id).SpentIn(ep).Int64(), min(limits[k.id], due[k.id][ep]), "never more than is due")
				}
			}
		}

		f.epoch.current = e + 1
		rt.Repeat(map[string]func(*rapid.T){
			"settle": func(rt *rapid.T) {
				if len(all) == 0 {
					return
				}
				batch := rapid.SliceOfN(rapid.SampledFrom(all), 1, 8).Draw(rt, "batch")
				settle(rapid.SampledFrom([]uint64{e, e + 1}).Draw(rt, "epoch"), batch)
			},
			"top up": func(rt *rapid.T) {
				owner := rapid.SampledFrom(owners).Draw(rt, "owner")
				amount := rapid.Int64Range(1, 100).Draw(rt, "amount")
				f.deposit(owner, amount)
				deposited[owner] += amount
			},
			"withdraw": func(rt *rapid.T) {
				owner := rapid.SampledFrom(owners).Draw(rt, "owner")
				_, err := f.msg.RequestWithdrawal(f.ctx, &types.MsgRequestWithdrawal{
					Owner: f.address(owner), Amount: coin(rapid.Int64Range(1, 100).Draw(rt, "amount")),
				})
				if err != nil {
					require.ErrorIs(rt, err, types.ErrInsufficientBalance)
				}
			},
			"end block": func(*rapid.T) { f.endBlock() },
			"":          func(*rapid.T) { f.check() },
		})

		// In the end everybody has enough, and the newest acknowledgements are settled.
		for _, owner := range owners {
			f.deposit(owner, 10_000)
			deposited[owner] += 10_000
		}
		settle(e, slices.Clone(newest))
		settle(e+1, slices.Clone(newest))
		spent := map[uint64]int64{}
		var revenue int64
		for _, k := range keys {
			for _, epoch := range []uint64{e, e + 1} {
				want := min(limits[k.id], due[k.id][epoch])
				require.Equal(rt, want, f.key(k.id).SpentIn(epoch).Int64(), "key %d in epoch %d", k.id, epoch)
				spent[k.account] += want
				revenue += want
			}
		}
		for i, owner := range owners {
			a := f.account(uint64(i + 1))
			require.Equal(rt, math.NewInt(deposited[owner]-spent[a.Id]).String(), a.Payable().String(), owner)
		}
		require.Equal(rt, revenue, f.openRevenue(e+1), "all of it counts in the epoch of debit")
		require.Zero(rt, f.openRevenue(e))

		// And so do the withdrawals, two epochs on.
		f.epoch.current = e + 3
		f.endBlock()
		for i, owner := range owners {
			a := f.account(uint64(i + 1))
			require.Empty(rt, a.Withdrawals)
			require.Equal(rt, deposited[owner]-spent[a.Id], a.Balance.Int64()+f.wallet(owner), fmt.Sprint(owner))
		}
	})
}
