package app_test

import (
	"bytes"
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/app"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	rewardskeeper "github.com/edgechain/edge/x/rewards/keeper"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

// audit asks for the invariants of the money, of an epoch if it is not 0.
func (c *chain) audit(ctx sdk.Context, epoch uint64) *rewardstypes.QueryAuditResponse {
	c.t.Helper()
	res, err := rewardskeeper.NewQueryServerImpl(c.app.RewardsKeeper).Audit(ctx, &rewardstypes.QueryAuditRequest{Epoch: epoch})
	require.NoError(c.t, err)
	return res
}

// broken returns the names of the equations that do not hold.
func broken(res *rewardstypes.QueryAuditResponse) (names []string) {
	for _, e := range res.Equations {
		if !e.Holds {
			names = append(names, e.Name)
		}
	}
	return names
}

// lossless is a chain on which everything that burns can happen soon.
func lossless(t *testing.T, accounts ...*secp256k1.PrivKey) *chain {
	t.Helper()
	c := newCommittee(t, setup{
		stakes: sevenStakes(), params: wideCommittee, accounts: accounts,
		change: func(c *chain, state app.GenesisState) {
			edit(t, c, state, govtypes.ModuleName, func(gs *govv1.GenesisState) {
				period, expedited := 3*time.Second, 2*time.Second
				gs.Params.VotingPeriod, gs.Params.ExpeditedVotingPeriod, gs.Params.MaxDepositPeriod = &period, &expedited, &period
				gs.Params.BurnVoteVeto, gs.Params.BurnProposalDepositPrevote, gs.Params.BurnVoteQuorum = true, true, true
				gs.Params.ProposalCancelRatio = "0.5"
			})
			edit(t, c, state, stakingtypes.ModuleName, func(gs *stakingtypes.GenesisState) {
				gs.Params.KeyRotationFee = stakingCoin(1_234_567)
			})
		},
	})
	return c
}

// requireBurned requires that blocks burn so much, that x/rewards has heard of it, and that the supply is explained.
func (c *chain) requireBurned(amount math.Int, blocks func()) {
	c.t.Helper()
	before, err := c.app.RewardsKeeper.Supply(c.ctx())
	require.NoError(c.t, err)
	burnt := c.burnt(blocks)
	after, err := c.app.RewardsKeeper.Supply(c.ctx())
	require.NoError(c.t, err)
	require.True(c.t, burnt.IsPositive())
	require.Equal(c.t, amount.String(), burnt.String())
	require.Equal(c.t, burnt.String(), after.Burned.Sub(before.Burned).String())
	require.Equal(c.t, before.Initial.String(), after.Initial.String())
	require.Equal(c.t, before.Minted.String(), after.Minted.String())
	require.Equal(c.t, after.Total().String(), c.totalSupply().AmountOf(app.BondDenom).String())
	require.True(c.t, c.audit(c.ctx(), 0).Holds)
}

// Every burn that there is on this chain is in the history of the supply: deposits of proposals that were vetoed, that nobody voted
// on, that did not get their deposit and that were cancelled, a slash of stake and of stake on its way out, and the fee of a key
// rotation.
func TestEveryBurnIsRecorded(t *testing.T) {
	c := lossless(t)
	params, err := c.app.GovKeeper.Params.Get(c.ctx())
	require.NoError(t, err)
	proposer := c.validators[0]
	least := sdk.NewCoins(params.MinDeposit...).AmountOf(app.BondDenom)
	submit := func(deposit math.Int) uint64 {
		t.Helper()
		text := &banktypes.MsgSend{
			FromAddress: authtypes.NewModuleAddress(govtypes.ModuleName).String(), ToAddress: addressOf(proposer.operator).String(),
			Amount: sdk.NewCoins(stakingCoin(1)),
		}
		msg, err := govv1.NewMsgSubmitProposal([]sdk.Msg{text}, sdk.NewCoins(sdk.NewCoin(app.BondDenom, deposit)),
			addressOf(proposer.operator).String(), "", "title", "summary", false)
		require.NoError(t, err)
		var res govv1.MsgSubmitProposalResponse
		c.send(proposer.operator, 1_000_000, &res, msg)
		return res.ProposalId
	}
	vote := func(id uint64, option govv1.VoteOption) {
		t.Helper()
		var txs [][]byte
		for _, v := range c.validators {
			txs = append(txs, c.tx(v.operator, 300_000, 0, govv1.NewMsgVote(addressOf(v.operator), id, option, "")))
		}
		c.must(txs...)
	}
	c.requireBurned(least, func() {
		vote(submit(least), govv1.OptionNoWithVeto)
		c.blocks(4)
	})
	c.requireBurned(least, func() {
		submit(least)
		c.blocks(5)
	})
	c.requireBurned(least.QuoRaw(2), func() {
		submit(least.QuoRaw(2))
		c.blocks(5)
	})
	c.requireBurned(least.QuoRaw(2), func() {
		id := submit(least)
		c.send(proposer.operator, 500_000, nil, govv1.NewMsgCancelProposal(id, addressOf(proposer.operator).String()))
	})

	rotating := c.validators[1]
	rotating.consensus = append(rotating.consensus, ed25519.GenPrivKeyFromSecret([]byte("another key")))
	c.requireBurned(math.NewInt(1_234_567), func() { c.must(c.rotate(rotating)) })

	c.toEpoch(c.epoch().Number + 1)
	height := c.handedOver()
	fraction, err := c.app.SlashingKeeper.SlashFractionDoubleSign(c.ctx())
	require.NoError(t, err)
	guilty := c.validators[2]
	c.must(c.tx(guilty.operator, 500_000, 0, undelegation(guilty.operator, guilty, guilty.stake/2)))
	c.requireBurned(fraction.MulInt64(guilty.stake).TruncateInt(), func() {
		c.misbehave(guilty, height)
		c.block()
	})

	// The history goes on over an export.
	d := c.resume(c.export())
	d.block()
	before, err := c.app.RewardsKeeper.Supply(c.ctx())
	require.NoError(t, err)
	after, err := d.app.RewardsKeeper.Supply(d.ctx())
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.True(t, d.audit(d.ctx(), 0).Holds)
}

// A unit too many in an account, or in the supply, is named by the audit.
func TestAuditOfTheApplicationFindsAUnit(t *testing.T) {
	alice := newKey("alice")
	c := newChainFrom(t, nil, emitting("0.1"), alice)
	c.supply = nil
	m := newMoney(c, alice)
	c.closeEpoch()
	m.settle(4<<30 + 99_999_999)
	epoch := c.closeEpoch()
	res := c.audit(c.ctx(), 0)
	require.True(t, res.Holds)
	require.Empty(t, broken(res))
	require.Equal(t, c.app.LastBlockHeight(), res.Height)
	require.Len(t, res.Equations, 4)
	closed := c.audit(c.ctx(), epoch)
	require.True(t, closed.Holds)
	require.Len(t, closed.Equations, 4)
	require.True(t, closed.Equations[3].LeftAmount.IsPositive(), "tokens were minted")

	dack, rewards := authtypes.NewModuleAddress(dacktypes.ModuleName), authtypes.NewModuleAddress(rewardstypes.ModuleName)
	give := func(denom string, from, to sdk.AccAddress) func(sdk.Context) error {
		return func(ctx sdk.Context) error {
			return c.app.BankKeeper.SendCoins(ctx, from, to, sdk.NewCoins(sdk.NewInt64Coin(denom, 1)))
		}
	}
	one := func(denom string) sdk.Coins { return sdk.NewCoins(sdk.NewInt64Coin(denom, 1)) }
	for _, tt := range []struct {
		name  string
		plant func(sdk.Context) error
		want  []string
	}{
		{"more with x/dack", give(settlement, addressOf(alice), dack), []string{"clients"}},
		{"less with x/dack", give(settlement, dack, addressOf(alice)), []string{"clients"}},
		{"more with x/rewards", give(settlement, addressOf(alice), rewards), []string{"revenue"}},
		{"tokens with x/rewards", give(app.BondDenom, addressOf(alice), rewards), []string{"emission"}},
		{"minted", func(ctx sdk.Context) error {
			if err := c.app.BankKeeper.MintCoins(ctx, rewardstypes.ModuleName, one(app.BondDenom)); err != nil {
				return err
			}
			return c.app.BankKeeper.SendCoinsFromModuleToAccount(ctx, rewardstypes.ModuleName, addressOf(alice), one(app.BondDenom))
		}, []string{"supply"}},
		{"burned", func(ctx sdk.Context) error {
			return c.app.BankKeeper.BurnCoins(ctx, stakingtypes.BondedPoolName, one(app.BondDenom))
		}, []string{"supply"}},
		{"a burn that was none", func(ctx sdk.Context) error { return c.app.RewardsKeeper.RecordBurn(ctx, one(app.BondDenom)) }, []string{"supply"}},
		{"among strangers", give(settlement, addressOf(alice), addressOf(c.validator)), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, _ := c.ctx().CacheContext()
			require.NoError(t, tt.plant(ctx))
			res := c.audit(ctx, 0)
			require.Equal(t, tt.want, broken(res))
			require.Equal(t, tt.want == nil, res.Holds)
			if err := c.app.CheckInvariants(ctx); tt.want == nil {
				require.NoError(t, err)
			} else {
				require.Error(t, err)
			}
		})
	}
	_, err := rewardskeeper.NewQueryServerImpl(c.app.RewardsKeeper).Audit(c.ctx(), &rewardstypes.QueryAuditRequest{Epoch: epoch + 1_000})
	require.Error(t, err)
}

// The audit holds after every block of a random history with emission, and so does that of every epoch; what is pending of an epoch
// is what it pays.
func TestAuditOverARandomHistory(t *testing.T) {
	for seed := range int64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { auditRandomHistory(t, rand.New(rand.NewSource(seed))) })
	}
}

func auditRandomHistory(t *testing.T, r *rand.Rand) {
	t.Helper()
	owners := marketKeys(4)
	c := newChainFrom(t, nil, func(c *chain, state app.GenesisState) {
		emitting("0.05")(c, state)
		edit(t, c, state, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) { gs.Params.CloseBudget = 1 + uint32(r.Intn(4)) })
	}, owners...)
	c.supply = nil
	m := newMarket(c, owners, 3)
	operator := c.validators[0]
	c.closeEpoch()
	sent := make(map[[2]int]uint64) // bytes on the lane of a worker and a client
	epoch := c.epoch().Number
	for range 60 {
		if now := c.epoch().Number; now != epoch {
			epoch = now
			clear(sent)
		}
		var txs [][]byte
		for w := range m.workers {
			client := r.Intn(len(m.clients))
			if r.Intn(2) == 0 || c.nextOpens() {
				continue
			}
			sent[[2]int{w, client}] += uint64(r.Int63n(3 << 28))
			txs = append(txs, c.tx(m.workers[w].hot, 600_000, 0, m.settlement(w, sent[[2]int{w, client}], client)))
		}
		from := owners[r.Intn(len(owners))]
		switch r.Intn(6) {
		case 0:
			txs = append(txs, c.tx(from, 500_000, 0, &dacktypes.MsgRequestWithdrawal{
				Owner: addressOf(from).String(), Amount: sdk.NewInt64Coin(settlement, 1+r.Int63n(10_000)),
			}))
		case 1:
			txs = append(txs, c.tx(from, 500_000, 0, &dacktypes.MsgDeposit{
				Sender: addressOf(from).String(), Owner: addressOf(from).String(), Amount: sdk.NewInt64Coin(settlement, 1+r.Int63n(10_000)),
			}))
		case 2:
			txs = append(txs, c.tx(c.validator, 500_000, 0, locking(operator, 1+r.Int63n(bonded), 1+uint64(r.Int63n(100)))))
		case 3:
			txs = append(txs, c.tx(c.validator, 500_000, 0, delegation(c.validator, operator, 1+r.Int63n(1_000))))
		}
		c.block(txs...)
		res := c.audit(c.ctx(), 0)
		require.True(t, res.Holds, "%v", res.Equations)
		for _, s := range c.rewardsState().Summaries {
			res := c.audit(c.ctx(), s.Epoch)
			require.True(t, res.Holds, "epoch %d: %v", s.Epoch, res.Equations)
		}
	}
	minted := math.ZeroInt()
	for _, s := range c.rewardsState().Summaries {
		minted = minted.Add(s.Emission.Minted(s.Done))
	}
	require.True(t, minted.IsPositive())
}

// nextOpens says whether the next block may belong to another epoch than the one that is open.
func (c *chain) nextOpens() bool {
	e := c.epoch()
	return e.ClosingHeight != 0 && c.height() > e.ClosingHeight
}

// pendingOf returns all pending payments of an address, looking at a few records at a time.
func (c *chain) pendingOf(address string, limit uint64) (payments []rewardstypes.PendingPayment) {
	c.t.Helper()
	server := rewardskeeper.NewQueryServerImpl(c.app.RewardsKeeper)
	page := &query.PageRequest{Limit: limit}
	for range 1_000 {
		res, err := server.Pending(c.ctx(), &rewardstypes.QueryPendingRequest{Address: address, Pagination: page})
		require.NoError(c.t, err)
		require.LessOrEqual(c.t, uint64(len(res.Payments)), limit)
		payments = append(payments, res.Payments...)
		if len(res.Pagination.NextKey) == 0 {
			return payments
		}
		page.Key = res.Pagination.NextKey
	}
	c.t.Fatal("pages without an end")
	return nil
}

// What is pending for a node is what it is paid in the end, seen while the epoch is open, summed and paid, whatever the size of a page.
func TestPendingIsWhatIsPaid(t *testing.T) {
	owners := marketKeys(2)
	c := newChainFrom(t, nil, func(c *chain, state app.GenesisState) {
		edit(t, c, state, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) { gs.Params.CloseBudget = 1 })
	}, owners...)
	m := newMarket(c, owners, 3)
	operator := sdk.ValAddress(addressOf(c.validator)).String()
	c.closeEpoch()
	require.Empty(t, c.pendingOf(operator, 1))
	for i := range m.workers {
		c.must(c.tx(m.workers[i].hot, 500_000, 0, m.settlement(i, uint64(i+1)<<30+77, 0, 1)))
	}
	epoch := c.epoch().Number
	sum := func(payments []rewardstypes.PendingPayment) int64 {
		total := int64(0)
		for _, p := range payments {
			require.Equal(t, epoch, p.Epoch)
			require.Equal(t, rewardstypes.PAYOUT_KIND_NODE, p.Kind)
			require.Equal(t, settlement, p.Denom)
			total += p.Amount.Int64()
		}
		return total
	}
	whole := sum(c.pendingOf(operator, 100))
	require.Positive(t, whole)
	before := c.balance(addressOf(c.validator), settlement)
	states := make(map[rewardstypes.PendingState]int)
	for {
		paid := c.balance(addressOf(c.validator), settlement) - before
		for _, limit := range []uint64{1, 2, 1_000} {
			pending := c.pendingOf(operator, limit)
			require.Equal(t, whole, paid+sum(pending), "height %d", c.height())
			for _, p := range pending {
				states[p.State]++
			}
		}
		require.Empty(t, c.pendingOf(addressOf(owners[0]).String(), 1), "the protocol owns the service")
		if paid == whole {
			break
		}
		c.block()
	}
	require.Positive(t, states[rewardstypes.PENDING_STATE_OPEN])
	require.Positive(t, states[rewardstypes.PENDING_STATE_CLOSING])
	server := rewardskeeper.NewQueryServerImpl(c.app.RewardsKeeper)
	for _, req := range []*rewardstypes.QueryPendingRequest{
		{Address: "nobody"},
		{Address: operator, Pagination: &query.PageRequest{Offset: 1}},
		{Address: operator, Pagination: &query.PageRequest{Reverse: true}},
		{Address: operator, Pagination: &query.PageRequest{CountTotal: true}},
		{Address: operator, Pagination: &query.PageRequest{Key: []byte{1}}},
	} {
		_, err := server.Pending(c.ctx(), req)
		require.Error(t, err)
	}
}

// What is pending for the owner of services is what it is paid, too.
func TestPendingOfAnOwner(t *testing.T) {
	owners := marketKeys(3)
	c := newChainFrom(t, nil, func(c *chain, state app.GenesisState) {
		edit(t, c, state, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) { gs.Params.CloseBudget = 1 })
	}, owners...)
	m := newMarket(c, owners[:2], 2)
	publisher := owners[2]
	var services []uint64
	for i := range 2 {
		var res dacktypes.MsgPublishServiceResponse
		c.send(publisher, 500_000, &res, &dacktypes.MsgPublishService{
			Owner: addressOf(publisher).String(), Name: fmt.Sprint("service ", i), CodeHash: bytes.Repeat([]byte{byte(i + 1)}, 32), Replicas: 1,
		})
		services = append(services, res.ServiceId)
	}
	c.closeEpoch()
	for w := range m.workers {
		var txs [][]byte
		for i, service := range services {
			txs = append(txs, c.tx(m.workers[w].hot, 500_000, uint64(i), m.serviceSettlement(w, service, uint64(w+i+1)<<30+77, 0)))
		}
		c.must(txs...)
	}
	epoch := c.epoch().Number
	before := c.balance(addressOf(publisher), settlement)
	sum := func(payments []rewardstypes.PendingPayment) (total int64) {
		for _, p := range payments {
			require.Equal(t, epoch, p.Epoch)
			require.Equal(t, rewardstypes.PAYOUT_KIND_OWNER, p.Kind)
			require.Contains(t, services, p.Id)
			total += p.Amount.Int64()
		}
		return total
	}
	whole := sum(c.pendingOf(addressOf(publisher).String(), 100))
	require.Positive(t, whole)
	for {
		paid := c.balance(addressOf(publisher), settlement) - before
		for _, limit := range []uint64{1, 2, 1_000} {
			// The shares of two workers are rounded each by itself until they are summed.
			require.InDelta(t, whole, paid+sum(c.pendingOf(addressOf(publisher).String(), limit)), 2, "height %d", c.height())
		}
		if paid >= whole {
			break
		}
		c.block()
	}
	c.closeEpoch()
	require.Empty(t, c.pendingOf(addressOf(publisher).String(), 1))
}

// serviceSettlement is settlement for a service other than content.
func (m *market) serviceSettlement(worker int, service, bytes uint64, client int) *dacktypes.MsgSettle {
	m.c.t.Helper()
	w, k := m.workers[worker], m.clients[client]
	epoch := m.c.epoch().Number
	signed := ack.Sign(k.key, ack.HashChainID(chainID), &ack.Ack{
		Epoch: epoch, KeyID: k.keyID, WorkerID: w.id, ServiceID: service, Requests: 1, Bytes: bytes, Head: [32]byte{1},
	})
	return &dacktypes.MsgSettle{Account: addressOf(w.hot).String(), WorkerId: w.id, Epoch: epoch, Acks: []dacktypes.Acknowledgement{{
		KeyId: signed.KeyID, ServiceId: service, Requests: 1, Bytes: signed.Bytes, Head: signed.Head[:], Signature: signed.Signature[:],
	}}}
}
