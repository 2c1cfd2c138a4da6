package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// must makes a block of transactions that all succeed.
func (c *chain) must(txs ...[]byte) {
	c.t.Helper()
	for i, res := range c.block(txs...) {
		require.Zero(c.t, res.Code, "transaction %d: %s", i, res.Log)
	}
}

func delegation(from *secp256k1.PrivKey, to *validator, amount int64) sdk.Msg {
	return stakingtypes.NewMsgDelegate(addressOf(from).String(), to.address().String(), stakingCoin(amount))
}

func undelegation(from *secp256k1.PrivKey, of *validator, amount int64) sdk.Msg {
	return stakingtypes.NewMsgUndelegate(addressOf(from).String(), of.address().String(), stakingCoin(amount))
}

func redelegation(from *secp256k1.PrivKey, src, dst *validator, amount int64) sdk.Msg {
	return stakingtypes.NewMsgBeginRedelegate(
		addressOf(from).String(), src.address().String(), dst.address().String(), stakingCoin(amount))
}

// leaving takes out all that the operator of a validator has staked in it, which jails it.
func leaving(v *validator) sdk.Msg { return undelegation(v.operator, v, v.stake) }

// leave returns the transaction with which a validator leaves.
func (c *chain) leave(v *validator) []byte {
	c.t.Helper()
	return c.tx(v.operator, 500_000, 0, leaving(v))
}

// staked returns what x/staking knows of a validator.
func (c *chain) staked(v *validator) stakingtypes.Validator {
	c.t.Helper()
	validator, err := c.app.StakingKeeper.GetValidator(c.ctx(), v.address())
	require.NoError(c.t, err)
	return validator
}

// frozenStake returns the stake of a validator in the record of the freeze for an epoch.
func (c *chain) frozenStake(epoch uint64, v *validator) math.Int {
	c.t.Helper()
	for _, row := range c.frozen(epoch) {
		if row.Operator == v.address().String() {
			return row.Tokens
		}
	}
	c.t.Fatalf("%s is not in the record for epoch %d", v.name, epoch)
	return math.Int{}
}

// handedOver makes blocks until the committee of the open epoch alone is in force, and returns the height of the last of them.
func (c *chain) handedOver() int64 {
	c.t.Helper()
	for range 1_000 {
		h, err := c.app.EpochKeeper.HandOver(c.ctx())
		require.NoError(c.t, err)
		if h.Steps == 4 {
			c.blocks(2)
			return c.app.LastBlockHeight()
		}
		c.block()
	}
	c.t.Fatal("the hand-over does not end")
	return 0
}

// toFreeze makes blocks until the next one freezes the open epoch.
func (c *chain) toFreeze() {
	c.t.Helper()
	e := c.epoch()
	for c.now.Add(blockTime).Before(e.StartTime.Add(e.Duration)) {
		c.block()
	}
	require.Equal(c.t, epochtypes.PHASE_OPEN, c.epoch().Phase)
}

// burnt returns how much of the staking coin a function of blocks burns.
func (c *chain) burnt(blocks func()) math.Int {
	c.t.Helper()
	before := c.totalSupply().AmountOf(app.BondDenom)
	blocks()
	return before.Sub(c.totalSupply().AmountOf(app.BondDenom))
}

// requirePunished requires that a fraction of a stake was burnt, within a unit for each entry of stake on its way out.
func requirePunished(t *testing.T, burnt, stake math.Int, fraction math.LegacyDec, entries int64) {
	t.Helper()
	want := fraction.MulInt(stake).TruncateInt()
	require.True(t, want.IsPositive())
	require.True(t, burnt.Sub(want).Abs().LTE(math.NewInt(entries)), "burnt %s, want %s within %d", burnt, want, entries)
}

// punish makes a block with evidence that a validator signed twice at a height. It must burn its fraction of a stake and drop
// the validator from the set.
func (c *chain) punish(v *validator, height int64, stake math.Int, entries int64) {
	c.t.Helper()
	fraction, err := c.app.SlashingKeeper.SlashFractionDoubleSign(c.ctx())
	require.NoError(c.t, err)
	member := c.powers(c.height() + 1)[v.name] != 0
	burnt := c.burnt(func() {
		c.misbehave(v, height)
		c.block()
	})
	requirePunished(c.t, burnt, stake, fraction, entries)
	require.True(c.t, c.staked(v).IsJailed())
	require.NotContains(c.t, c.powers(c.height()+1), v.name)
	require.Equal(c.t, member, c.dropped(v.consensus[len(v.consensus)-1].PubKey().Bytes()))
	cons, err := c.staked(v).GetConsAddr()
	require.NoError(c.t, err)
	require.True(c.t, c.app.SlashingKeeper.IsTombstoned(c.ctx(), cons))

	// Nobody is punished twice.
	again := c.burnt(func() {
		c.misbehave(v, height)
		c.block()
	})
	require.True(c.t, again.IsZero(), again.String())
}

// dropped says whether the last block removed a key from CometBFT's set.
func (c *chain) dropped(key []byte) bool {
	for _, u := range c.last.ValidatorUpdates {
		if u.Power == 0 && string(u.PubKey.GetEd25519()) == string(key) {
			return true
		}
	}
	return false
}

// saver has staked the same amount in each of several validators.
type saver struct {
	key    *secp256k1.PrivKey
	amount int64
}

func newSaver(name string, amount int64) saver { return saver{newKey(name), amount} }

// everywhere returns a transaction with a message for each validator.
func (c *chain) everywhere(s saver, validators []*validator, message func(v *validator) sdk.Msg) []byte {
	c.t.Helper()
	var msgs []sdk.Msg
	for _, v := range validators {
		msgs = append(msgs, message(v))
	}
	return c.tx(s.key, 6_000_000, 0, msgs...)
}

// holding returns what a saver's stake in a validator is worth.
func (c *chain) holding(s saver, v *validator) int64 {
	c.t.Helper()
	d, err := c.app.StakingKeeper.GetDelegation(c.ctx(), addressOf(s.key), v.address())
	require.NoError(c.t, err)
	return c.staked(v).TokensFromShares(d.Shares).TruncateInt64()
}

// requireEntries requires that the stake that a saver took out of a validator has lost a fraction.
func (c *chain) requireEntries(s saver, v *validator, fraction math.LegacyDec) {
	c.t.Helper()
	u, err := c.app.StakingKeeper.GetUnbondingDelegation(c.ctx(), addressOf(s.key), v.address())
	require.NoError(c.t, err)
	sum := math.ZeroInt()
	for _, e := range u.Entries {
		require.Equal(c.t, e.InitialBalance.Sub(fraction.MulInt(e.InitialBalance).TruncateInt()).String(), e.Balance.String())
		sum = sum.Add(e.InitialBalance)
	}
	require.Equal(c.t, s.amount, sum.Int64())
}

// A double signature burns its fraction of the stake that stood behind the seats, of a member and of one whose seats have gone.
// Who took its stake out or moved it after the freeze loses the same part of it as who stayed; who left before loses nothing.
func TestDoubleSignatureBurnsTheStakeOfTheFreeze(t *testing.T) {
	stays, goes, moves := newSaver("stays", 10_000_019), newSaver("goes", 7_000_003), newSaver("moves", 5_000_011)
	early, inFreeze, late := newSaver("early", 3_000_007), newSaver("in the freeze", 2_000_003), newSaver("late", 1_000_003)
	savers := []saver{stays, goes, moves, early, inFreeze, late}
	var accounts []*secp256k1.PrivKey
	for _, s := range savers {
		accounts = append(accounts, s.key)
	}
	c := newCommittee(t, setup{stakes: append(sevenStakes(), 400_000_000), outsiders: 1, accounts: accounts})
	nodes, refuge := c.validators[:7], c.validators[7]
	out := func(s saver, amount int64) []byte {
		return c.everywhere(s, nodes, func(v *validator) sdk.Msg { return undelegation(s.key, v, amount) })
	}
	var txs [][]byte
	for _, s := range savers {
		txs = append(txs, c.everywhere(s, nodes, func(v *validator) sdk.Msg { return delegation(s.key, v, s.amount) }))
	}
	c.must(txs...)
	c.must(out(early, early.amount))
	c.toFreeze()
	c.must(out(inFreeze, inFreeze.amount))
	e := c.epoch()
	require.Equal(t, epochtypes.PHASE_FROZEN, e.Phase)
	require.Equal(t, c.app.LastBlockHeight(), e.FreezeHeight)
	c.must(out(late, late.amount))
	c.toEpoch(2)
	c.must(out(goes, 1_000_003),
		c.everywhere(moves, nodes, func(v *validator) sdk.Msg { return redelegation(moves.key, v, refuge, moves.amount) }))
	c.must(out(goes, goes.amount-1_000_003))

	// In frozen stake: stays, goes, moves and late. On its way out: late, goes twice, moves.
	const entries = 4
	fraction, err := c.app.SlashingKeeper.SlashFractionDoubleSign(c.ctx())
	require.NoError(t, err)
	height := c.handedOver()
	requireSaversPunished := func(v *validator, height int64) {
		t.Helper()
		stake := c.frozenStake(2, v)
		require.Equal(t, v.stake+stays.amount+goes.amount+moves.amount+late.amount, stake.Int64())
		stayed, moved := c.holding(stays, v), c.holding(moves, refuge)
		c.punish(v, height, stake, entries)
		require.InDelta(t, fraction.MulInt64(stayed).TruncateInt64(), stayed-c.holding(stays, v), 2)
		require.InDelta(t, fraction.MulInt64(moves.amount).TruncateInt64(), moved-c.holding(moves, refuge), 2)
		c.requireEntries(goes, v, fraction)
		c.requireEntries(late, v, fraction)
		c.requireEntries(early, v, math.LegacyZeroDec())
		c.requireEntries(inFreeze, v, math.LegacyZeroDec())
	}
	members := c.powers(height)
	var member, former *validator
	for _, v := range nodes {
		if members[v.name] != 0 {
			member = v
			break
		}
	}
	requireSaversPunished(member, height)

	for range 5 {
		c.toEpoch(c.epoch().Number + 1)
		c.handedOver()
		for _, v := range nodes {
			if v != member && members[v.name] != 0 && c.powers(c.height())[v.name] == 0 && c.powers(c.height() + 1)[v.name] == 0 {
				former = v
			}
		}
		if former != nil {
			break
		}
	}
	require.NotNil(t, former, "everybody keeps its seats")
	requireSaversPunished(former, height)
	c.toEpoch(c.epoch().Number + 1)
}

// While seats are handed over a member answers with the largest stake behind its seats, from the oldest freeze on of which it
// still has one; after that with the stake of the younger one; and evidence of an old height is judged by the set of that height.
func TestSlashInTheHandOver(t *testing.T) {
	const joined = 50_000_007
	between := newSaver("between", 20_000_003)
	c := newCommittee(t, setup{stakes: sevenStakes(), accounts: []*secp256k1.PrivKey{between.key}, params: func(p *epochtypes.Params) {
		p.Seats, p.StepBlocks, p.Duration = 24, 4, 30*time.Second
	}})
	grown, shrunk, younger, older := c.validators[0], c.validators[1], c.validators[2], c.validators[3]
	c.must(c.everywhere(between, c.validators, func(v *validator) sdk.Msg { return delegation(between.key, v, between.amount) }))
	c.toEpoch(2)
	c.handedOver()
	c.must(c.tx(grown.operator, 500_000, 0, delegation(grown.operator, grown, joined)),
		c.everywhere(between, c.validators, func(v *validator) sdk.Msg { return undelegation(between.key, v, between.amount) }))
	fraction, err := c.app.SlashingKeeper.SlashFractionDoubleSign(c.ctx())
	require.NoError(t, err)

	c.toEpoch(3)
	sent := c.app.LastBlockHeight()
	c.blocks(3)
	for _, v := range c.validators[1:] {
		require.Equal(t, v.stake+between.amount, c.frozenStake(2, v).Int64())
		require.Equal(t, v.stake, c.frozenStake(3, v).Int64())
	}
	require.Equal(t, grown.stake+between.amount, c.frozenStake(2, grown).Int64())
	require.Equal(t, grown.stake+joined, c.frozenStake(3, grown).Int64())
	// With four seats in a row it holds one of each step, so that after the first step it has seats of both elections.
	for epoch := uint64(2); epoch <= 3; epoch++ {
		require.GreaterOrEqual(t, strings.Count(strings.Join(c.drawnFor(c.election(epoch).Elected), ""), string(grown.address())), 4)
	}
	c.punish(grown, sent+2, c.frozenStake(3, grown), 1)
	c.requireEntries(between, grown, fraction)
	c.punish(shrunk, sent+2, c.frozenStake(2, shrunk), 1)
	c.requireEntries(between, shrunk, fraction)

	height := c.handedOver()
	c.punish(younger, height, c.frozenStake(3, younger), 0)
	c.requireEntries(between, younger, math.LegacyZeroDec())
	c.punish(older, sent+1, c.frozenStake(2, older), 1)
	c.requireEntries(between, older, fraction)
	c.toEpoch(5)
}

// The committee of the genesis answers with the stake of the genesis.
func TestSlashInTheFirstEpoch(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes(), outsiders: 7, params: wideCommittee})
	v := c.validators[0]
	c.must(c.tx(v.operator, 500_000, 0, undelegation(v.operator, v, v.stake/2)))
	c.block()
	c.punish(v, 1, math.NewInt(v.stake), 1)
	require.Equal(t, v.stake, c.frozenStake(1, v).Int64())
	c.toEpoch(3)
}

// x/staking keeps the address of an operator as it was written, which may be in capitals. Such a validator answers for its
// seats like any other, rotates its key, and a chain that has it can be exported.
func TestOperatorInCapitals(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes(), outsiders: 7, params: wideCommittee}) // the draw runs over the largest
	loud := newValidator("loud", 1_000_000_001)
	loud.mute = true
	c.send(c.validator, 500_000, nil, transfer(addressOf(c.validator), addressOf(loud.operator), 3*loud.stake))
	c.validators = append(c.validators, loud)
	create := loud.creation(t).(*stakingtypes.MsgCreateValidator)
	create.ValidatorAddress = strings.ToUpper(create.ValidatorAddress)
	c.send(loud.operator, 1_000_000, nil, create)
	require.Equal(t, create.ValidatorAddress, c.staked(loud).OperatorAddress)
	c.toPhase(epochtypes.PHASE_FROZEN)
	c.must(c.tx(loud.operator, 500_000, 0, undelegation(loud.operator, loud, loud.stake/2)))
	c.toEpoch(2)
	c.handedOver()
	require.NotZero(t, c.powers(c.height())[loud.name])
	for _, v := range c.validators {
		v.mute = true // the first block of a new chain can have no transactions of the test
	}
	c.must(c.rotate(loud))
	c.block()
	d := c.resume(c.export()) // while the rotation is pending
	d.blocks(5)
	d.requireNewestKeys()
	require.Equal(t, c.powers(c.height()), d.powers(d.height()))
	c.punish(loud, c.app.LastBlockHeight(), math.NewInt(loud.stake), 1)
	c.toEpoch(4)
}

// Evidence against a validator that has unbonded, or is gone, burns nothing and does not halt the chain.
func TestEvidenceAgainstTheGone(t *testing.T) {
	saved := newSaver("saver", 1_000_003)
	c := newCommittee(t, setup{
		stakes: sevenStakes(), params: wideCommittee, accounts: []*secp256k1.PrivKey{saved.key},
		change: func(c *chain, state app.GenesisState) {
			edit(t, c, state, stakingtypes.ModuleName, func(gs *stakingtypes.GenesisState) { gs.Params.UnbondingTime = 20 * time.Second })
		},
	})
	unbonded, gone := c.validators[0], c.validators[1]
	c.must(c.tx(saved.key, 500_000, 0, delegation(saved.key, unbonded, saved.amount)))
	height := c.app.LastBlockHeight()
	c.must(c.leave(unbonded), c.leave(gone))
	c.blocks(25)
	require.True(t, c.staked(unbonded).IsUnbonded())
	_, err := c.app.StakingKeeper.GetValidator(c.ctx(), gone.address())
	require.ErrorIs(t, err, stakingtypes.ErrNoValidatorFound)
	for _, v := range []*validator{unbonded, gone} {
		burnt := c.burnt(func() {
			c.misbehave(v, height)
			c.block()
		})
		require.True(t, burnt.IsZero(), burnt.String())
	}
	c.toEpoch(c.epoch().Number + 2)
}

// signingInfos returns what x/slashing has noted of each validator.
func (c *chain) signingInfos() map[string]slashingtypes.ValidatorSigningInfo {
	c.t.Helper()
	infos := make(map[string]slashingtypes.ValidatorSigningInfo)
	err := c.app.SlashingKeeper.IterateValidatorSigningInfos(c.ctx(),
		func(address sdk.ConsAddress, info slashingtypes.ValidatorSigningInfo) bool {
			infos[string(address)] = info
			return false
		})
	require.NoError(c.t, err)
	return infos
}

// A newcomer that is silent loses its fraction of the stake of the freeze, together with whoever left after the freeze, and is
// jailed before the next quarter of the seats is handed over. Silence outside of the committee is nothing.
func TestDowntime(t *testing.T) {
	const window, seats = 10, 12
	stakes := make([]int64, 18)
	for i := range stakes {
		stakes[i] = 100_000_007 + int64(i)
	}
	goes := newSaver("goes", 3_000_017)
	c := newCommittee(t, setup{
		stakes: stakes, accounts: []*secp256k1.PrivKey{goes.key},
		params: func(p *epochtypes.Params) { p.Seats, p.StepBlocks = seats, window },
		change: func(c *chain, state app.GenesisState) {
			edit(t, c, state, slashingtypes.ModuleName, func(gs *slashingtypes.GenesisState) {
				gs.Params.SignedBlocksWindow = window
			})
		},
	})
	// next makes a block and requires that nobody has a mark who was not asked to sign the one before.
	next := func(txs ...[]byte) {
		t.Helper()
		before := c.signingInfos()
		asked := make(map[string]bool)
		for _, v := range c.comet.last.Validators {
			asked[string(v.Address)] = true
		}
		c.must(txs...)
		for address, info := range c.signingInfos() {
			if !asked[address] {
				require.Equal(t, before[address], info)
			}
		}
	}
	all := func(message func(v *validator) sdk.Msg) []byte { return c.everywhere(goes, c.validators, message) }
	next(all(func(v *validator) sdk.Msg { return delegation(goes.key, v, goes.amount) }))
	for c.epoch().Number < 2 {
		next()
	}
	sent := c.app.LastBlockHeight()
	var silent *validator
	for _, v := range c.validators {
		if c.powers(sent + 1)[v.name] == 0 && c.powers(sent + 2)[v.name] != 0 {
			silent = v
		}
	}
	require.NotNil(t, silent, "nobody is new")
	silent.silent = true
	// Those who have no seat are silent too.
	for _, v := range c.validators {
		v.silent = v.silent || c.powers(sent + 1)[v.name] == 0 && c.powers(sent + 2)[v.name] == 0
	}
	stake := c.frozenStake(2, silent)
	require.Equal(t, silent.stake+goes.amount, stake.Int64())
	next(all(func(v *validator) sdk.Msg { return undelegation(goes.key, v, goes.amount) }))
	fraction, err := c.app.SlashingKeeper.SlashFractionDowntime(c.ctx())
	require.NoError(t, err)
	burnt := c.burnt(func() {
		for !c.staked(silent).IsJailed() {
			next()
		}
	})
	requirePunished(t, burnt, stake, fraction, 1)
	c.requireEntries(goes, silent, fraction)
	for _, v := range c.validators {
		if v != silent {
			c.requireEntries(goes, v, math.LegacyZeroDec())
			require.False(t, c.staked(v).IsJailed(), v.name)
		}
	}
	require.True(t, c.dropped(silent.consensus[0].PubKey().Bytes()))
	h, err := c.app.EpochKeeper.HandOver(c.ctx())
	require.NoError(t, err)
	require.EqualValues(t, 1, h.Steps)
	require.Less(t, c.app.LastBlockHeight(), h.NextHeight)
	require.NotContains(t, c.powers(c.height()+1), silent.name)

	// Double signatures of the time before count all the same, in the stake that is left.
	c.punish(silent, sent+2, stake, 1)

	// From here on everybody signs who has a seat, and the others do not.
	for c.epoch().Number < 4 {
		for _, v := range c.validators {
			v.silent = c.powers(c.height() - 1)[v.name] == 0 && c.powers(c.height())[v.name] == 0
		}
		next()
	}
	for _, v := range c.validators {
		require.Equal(t, v == silent, c.staked(v).IsJailed(), v.name)
	}
}
