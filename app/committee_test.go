package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// sevenStakes are unequal, and small enough that some of their owners are not drawn.
func sevenStakes() []int64 {
	return []int64{900_000_000, 800_000_000, 700_000_000, 650_000_000, 600_000_000, 500_000_001, 333_333_333}
}

// CometBFT's set follows the drawn committees over twenty epochs, through every step of every hand-over, as a second
// implementation works them out.
func TestCommitteeFollowsTheDraw(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes()})
	m := newModel(c)
	committees := make(map[string]bool)
	steps := make(map[uint32]int)
	for c.epoch().Number <= 20 {
		c.block()
		height := c.app.LastBlockHeight()
		require.Equal(t, m.powers(), c.powers(height+2), "set sent in block %d", height)
		h, err := c.app.EpochKeeper.HandOver(c.ctx())
		require.NoError(t, err)
		steps[h.Steps]++
		if h.Steps == 4 {
			committees[fmt.Sprint(c.powers(height+2))] = true
		}
	}
	require.GreaterOrEqual(t, len(committees), 10)
	for step := uint32(1); step <= 4; step++ {
		require.GreaterOrEqual(t, steps[step], 20, "step %d", step)
	}
	for epoch := uint64(2); epoch <= 20; epoch++ {
		e := c.election(epoch)
		require.Equal(t, epochtypes.FALLBACK_NONE, e.Fallback, "epoch %d", epoch)
		require.Equal(t, e.ClosingHeight-e.FreezeHeight-1, int64(e.Reveals), "epoch %d: everybody revealed", epoch)
		require.Equal(t, m.seed(epoch), e.Seed)
		require.Empty(t, c.committee(epoch).Leavings)
	}
}

// The first committee is drawn from the validators that the transactions of a genesis create, and x/genutil and x/staking have
// no say in it.
func TestGenesisTransactionsAreCandidates(t *testing.T) {
	app.Configure()
	c := &chain{t: t, db: dbm.NewMemDB(), now: genesisTime}
	c.app = newApp(c.db, nil)
	var accounts []*secp256k1.PrivKey
	var gentxs []json.RawMessage
	var founders []*validator
	for i, stake := range sevenStakes() {
		v := newValidator(fmt.Sprintf("founder-%d", i), stake)
		founders, accounts = append(founders, v), append(accounts, v.operator)
		tx := c.sign(v.operator, 0, 0, 300_000, nil, v.creation(t))
		raw, err := c.app.TxConfig().TxJSONEncoder()(tx)
		require.NoError(t, err)
		gentxs = append(gentxs, raw)
	}
	state := c.genesis(accounts)
	edit(t, c, state, genutiltypes.ModuleName, func(gs *genutiltypes.GenesisState) { gs.GenTxs = gentxs })
	c.validators = founders
	c.initChain(state, nil, 1)
	c.comet.proposals = true
	require.EqualValues(t, epochtypes.DevelopmentParams().Seats, c.comet.current.TotalVotingPower(), "power is the number of seats")
	c.block()
	require.Equal(t, newModel(c).powers(), c.powers(1))
	require.Len(t, c.powers(1), 7)
	c.blocks(30)
}

// creation returns the message that creates the validator with its stake.
func (v *validator) creation(t *testing.T) sdk.Msg {
	t.Helper()
	msg, err := stakingtypes.NewMsgCreateValidator(
		v.address().String(), v.consensus[0].PubKey(), stakingCoin(v.stake), stakingtypes.Description{Moniker: v.name},
		stakingtypes.NewCommissionRates(math.LegacyZeroDec(), math.LegacyZeroDec(), math.LegacyZeroDec()), math.OneInt(),
	)
	require.NoError(t, err)
	return msg
}

// drawnFor returns who won each seat of an election.
func (c *chain) drawnFor(runs []epochtypes.SeatRun) (seats []string) {
	c.t.Helper()
	for _, run := range runs {
		operator, err := sdk.ValAddressFromBech32(run.Operator)
		require.NoError(c.t, err)
		for range run.Seats {
			seats = append(seats, string(operator))
		}
	}
	return seats
}

func stakingCoin(amount int64) sdk.Coin { return sdk.NewInt64Coin(app.BondDenom, amount) }

// registerKey registers the beacon key of one validator for another one.
func (c *chain) registerKey(owner, of *validator) {
	c.t.Helper()
	c.send(owner.operator, 500_000, nil, &epochtypes.MsgRegisterBeaconKey{
		Operator: owner.address().String(), PubKey: of.beacon.PubKey(), Proof: of.beacon.Prove(chainID, owner.address()),
	})
}

// What happens after the freeze changes nothing in its record and in the draw, and counts in the next one.
func TestNothingAfterTheFreezeChangesTheDraw(t *testing.T) {
	for name, act := range map[string]func(c *chain){
		"a first beacon key": func(c *chain) {
			outsider := c.validators[6]
			c.registerKey(outsider, outsider)
		},
		"another beacon key": func(c *chain) { c.registerKey(c.validators[0], newValidator("another key", 0)) },
		"delegate": func(c *chain) {
			v := c.validators[5]
			c.send(v.operator, 500_000, nil, stakingtypes.NewMsgDelegate(
				addressOf(v.operator).String(), v.address().String(), stakingCoin(5_000_000_000)))
		},
		"undelegate": func(c *chain) {
			v := c.validators[0]
			c.send(v.operator, 500_000, nil, stakingtypes.NewMsgUndelegate(
				addressOf(v.operator).String(), v.address().String(), stakingCoin(700_000_000)))
		},
		"redelegate": func(c *chain) {
			v := c.validators[0]
			c.send(v.operator, 500_000, nil, stakingtypes.NewMsgBeginRedelegate(
				addressOf(v.operator).String(), v.address().String(), c.validators[6].address().String(), stakingCoin(700_000_000)))
		},
		"opt in": func(c *chain) {
			v := c.validators[6]
			c.send(v.operator, 500_000, nil, &nodetypes.MsgOptIn{Operator: v.address().String()})
		},
		"opt out": func(c *chain) {
			v := c.validators[1]
			c.send(v.operator, 500_000, nil, &nodetypes.MsgOptOut{Operator: v.address().String()})
		},
		"sign twice": func(c *chain) {
			c.misbehave(c.validators[2], c.app.LastBlockHeight())
			c.block()
		},
		"a new validator": func(c *chain) {
			v := newValidator("late", 5_000_000_000)
			c.send(c.validator, 500_000, nil, transfer(addressOf(c.validator), addressOf(v.operator), 9_000_000_000))
			c.send(v.operator, 500_000, nil, v.creation(c.t))
			c.registerKey(v, v)
			c.send(v.operator, 500_000, nil, &nodetypes.MsgOptIn{Operator: v.address().String()})
			c.validators = append(c.validators, v)
			c.writeBeaconKeys()
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCommittee(t, setup{stakes: sevenStakes(), outsiders: 1, params: wideCommittee})
			m := newModel(c)
			next := c.toPhase(epochtypes.PHASE_FROZEN).Number + 1
			record, election := c.frozen(next), c.election(next)
			act(c)
			require.Equal(t, epochtypes.PHASE_FROZEN, c.epoch().Phase)
			for c.epoch().Number < next {
				c.block()
				require.Equal(t, m.powers(), c.powers(c.height()+1))
			}
			require.Equal(t, record, c.frozen(next))
			drawn := c.election(next)
			m.draw(next)
			require.Equal(t, m.seats[next], c.drawnFor(drawn.Elected))
			require.Equal(t, m.spares[next], c.drawnFor(drawn.Spares))
			drawn.Seed, drawn.Elected, drawn.Spares, drawn.Reveals = nil, nil, nil, 0
			election.Reveals = 0
			require.Equal(t, election, drawn)

			c.toPhase(epochtypes.PHASE_FROZEN)
			require.NotEqual(t, record, c.frozen(next+1))
		})
	}
}

// Who is jailed, tombstoned or unbonded leaves in the same block, and stays out until the next election though it comes back.
func TestLeavingInTheSameBlock(t *testing.T) {
	const leaver = 5
	for name, tt := range map[string]struct {
		// act makes blocks until the leaver has left.
		act func(c *chain)
		// back makes it a candidate again; nil if it cannot be.
		back func(c *chain)
	}{
		"double signature": {func(c *chain) {
			c.misbehave(c.validators[leaver], c.app.LastBlockHeight())
			c.block()
		}, nil},
		"downtime": {func(c *chain) {
			c.validators[leaver].silent = true
			for range 10 {
				c.block()
				if v, err := c.app.StakingKeeper.GetValidator(c.ctx(), c.validators[leaver].address()); err == nil && v.IsJailed() {
					return
				}
			}
			c.t.Fatal("not jailed")
		}, func(c *chain) {
			v := c.validators[leaver]
			v.silent = false
			c.blocks(2)
			c.send(v.operator, 500_000, nil, slashingtypes.NewMsgUnjail(v.address().String()))
		}},
		"undelegated": {func(c *chain) {
			v := c.validators[leaver]
			c.send(v.operator, 500_000, nil, stakingtypes.NewMsgUndelegate(
				addressOf(v.operator).String(), v.address().String(), stakingCoin(v.stake)))
		}, nil},
		"pushed out": {func(c *chain) {
			v := c.validators[6]
			c.send(v.operator, 500_000, nil, stakingtypes.NewMsgDelegate(
				addressOf(v.operator).String(), v.address().String(), stakingCoin(300_000_000)))
		}, func(c *chain) {
			v := c.validators[leaver]
			c.send(v.operator, 500_000, nil, stakingtypes.NewMsgDelegate(
				addressOf(v.operator).String(), v.address().String(), stakingCoin(300_000_000)))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			long := func(p *epochtypes.Params) { p.Seats, p.Duration = 16, 30*time.Second }
			c := newCommittee(t, setup{stakes: sevenStakes(), params: long, change: func(c *chain, state app.GenesisState) {
				edit(t, c, state, stakingtypes.ModuleName, func(gs *stakingtypes.GenesisState) { gs.Params.MaxValidators = 6 })
				edit(t, c, state, slashingtypes.ModuleName, func(gs *slashingtypes.GenesisState) {
					gs.Params.SignedBlocksWindow, gs.Params.DowntimeJailDuration = 4, time.Second
				})
			}})
			m := newModel(c)
			c.toEpoch(2)
			c.blocks(7) // all seats are handed over
			v := c.validators[leaver]
			require.Contains(t, c.powers(c.height()+1), v.name)
			epoch := c.epoch().Number
			tt.act(c)
			require.Equal(t, epoch, c.epoch().Number)
			require.Contains(t, c.powers(c.height()), v.name, "the block after still has it")
			require.NotContains(t, c.powers(c.height()+1), v.name)
			require.Equal(t, m.powers(), c.powers(c.height()+1))
			leavings := c.committee(epoch).Leavings
			require.Len(t, leavings, 1)
			require.Equal(t, epochtypes.Leaving{
				Epoch: epoch, Operator: v.address().String(), Reason: epochtypes.LEAVE_REASON_UNBONDED, Height: c.app.LastBlockHeight(),
			}, leavings[0])
			if tt.back != nil {
				tt.back(c)
			}
			for c.epoch().Number <= epoch {
				require.NotContains(t, c.powers(c.height()+1), v.name)
				c.block()
				require.Equal(t, m.powers(), c.powers(c.height()+1))
			}
			c.toPhase(epochtypes.PHASE_FROZEN)
			require.Equal(t, m.powers(), c.powers(c.height()+1))
			if tt.back != nil {
				require.Contains(t, c.powers(c.height()+1), v.name, "elected again")
			} else {
				require.NotContains(t, c.powers(c.height()+1), v.name)
			}
		})
	}
}

// Whatever a chain is doing when it is exported, the document starts a chain with the set that was sent last, which goes on as
// the first one does. Without beacon keys it is the same in everything; with them the turns of the proposers begin anew, so
// that the reveals come in another order, and it is the same until they have made another seed.
func TestExportInEveryPhase(t *testing.T) {
	stakes := sevenStakes()
	t.Run("no reveals", func(t *testing.T) { testExports(t, setup{stakes: stakes, outsiders: len(stakes)}) })
	t.Run("reveals", func(t *testing.T) { testExports(t, setup{stakes: stakes}) })
}

func testExports(t *testing.T, s setup) {
	t.Helper()
	const exported = 3
	s.params = func(p *epochtypes.Params) { p.StepBlocks, p.CloseBudget, p.Duration = 4, 1, 18*time.Second }
	c := newCommittee(t, s)
	// Nobody reports in the epoch of the exports: the first block of a new chain could have no transactions of the test.
	mute := func(x *chain, number uint64) {
		for _, v := range x.validators {
			v.mute = number == exported
		}
	}
	c.toEpoch(exported)
	mute(c, exported)
	moments := make(map[string]moment)
	for c.epoch().Number == exported {
		e := c.epoch()
		h, err := c.app.EpochKeeper.HandOver(c.ctx())
		require.NoError(t, err)
		closing, err := c.app.EpochKeeper.Closing(c.ctx())
		require.NoError(t, err)
		// A set that is on its way takes effect a block earlier on the new chain.
		onItsWay := !bytes.Equal(c.comet.current.Hash(), c.comet.next.Hash())
		moments[fmt.Sprintf("%s, %d steps, closing %t, set on its way %t", e.Phase, h.Steps, closing.Epoch != 0, onItsWay)] = c.export()
		c.block()
	}
	for c.height() < c.comet.blocks[0].Height+90 || c.epoch().Phase == epochtypes.PHASE_FROZEN {
		mute(c, c.epoch().Number)
		c.block() // what is pending of a reveal names a proposer
	}
	for _, name := range []string{
		"PHASE_OPEN, 1 steps, closing true, set on its way false", "PHASE_OPEN, 1 steps, closing false, set on its way false",
		"PHASE_OPEN, 2 steps, closing false, set on its way false", "PHASE_OPEN, 3 steps, closing false, set on its way false",
		"PHASE_OPEN, 4 steps, closing false, set on its way false", "PHASE_FROZEN, 4 steps, closing false, set on its way false",
		"PHASE_OPEN, 2 steps, closing false, set on its way true",
	} {
		require.Contains(t, moments, name)
	}
	e, err := c.app.EpochKeeper.Epoch(c.ctx(), exported)
	require.NoError(t, err)
	for name, from := range moments {
		t.Run(name, func(t *testing.T) {
			d := c.resume(from)
			require.Equal(t, c.comet.sets[from.height+1].Hash(), d.comet.current.Hash(), "the set that was sent last")
			alike := bytes.Equal(c.comet.sets[from.height].Hash(), d.comet.current.Hash())
			mute(d, exported)
			for d.height() <= c.app.LastBlockHeight() {
				height := d.height()
				d.block()
				if alike && (s.outsiders != 0 || height < e.ClosingHeight) {
					require.Equal(t, c.comet.sets[height+2].Hash(), d.comet.sets[height+2].Hash(), "set sent in block %d", height)
				}
				mute(d, d.epoch().Number)
			}
			if alike && s.outsiders != 0 {
				requireSameState(t, from, c, d)
			}
			require.Equal(t, c.epoch().Number, d.epoch().Number)
			if s.outsiders == 0 {
				require.Empty(t, d.committee(d.epoch().Number).Leavings, "everybody has revealed, as far as anybody can know")
				require.NotZero(t, d.election(d.epoch().Number).Reveals)
			}
		})
	}
}

func TestReplayGivesTheSameState(t *testing.T) {
	alice, bob := newKey("alice"), newKey("bob")
	c := newCommittee(t, setup{stakes: sevenStakes(), accounts: []*secp256k1.PrivKey{alice, bob}})
	for round := int64(0); c.epoch().Number < 4; round++ {
		v := c.validators[round%7]
		c.block(
			c.tx(alice, 200_000, 0, transfer(addressOf(alice), addressOf(bob), 1)),
			c.tx(bob, 200_000, 0, transfer(addressOf(bob), addressOf(alice), 1)),
			c.tx(v.operator, 500_000, 0, stakingtypes.NewMsgDelegate(
				addressOf(v.operator).String(), v.address().String(), stakingCoin(1_000_000+round))),
		)
		if round == 20 {
			c.misbehave(c.validatorAt(c.comet.last.Validators[0].Address), c.app.LastBlockHeight())
		}
		if round == 30 { // the process ends, and starts again on its database
			c.app = newApp(c.db, c.opts)
		}
		c.validators[3].reveal = revealing(round % 3)
	}
	c.replay(nil)
	c.replay(map[string]any{"block-executor": "block-stm", "block-stm-workers": 4})
}
