package app_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

// start loads a genesis state into a new application.
func start(state app.GenesisState, params *cmtproto.ConsensusParams, like *chain, validators []abci.ValidatorUpdate) error {
	raw, err := json.Marshal(state)
	if err != nil {
		return err
	}
	_, err = newApp(dbm.NewMemDB(), nil).InitChain(&abci.RequestInitChain{
		ChainId: chainID, Time: like.now, InitialHeight: like.app.LastBlockHeight() + 1,
		ConsensusParams: params, AppStateBytes: raw, Validators: validators,
	})
	return err
}

func TestGenesisNeedsMaxGas(t *testing.T) {
	c := newChain(t)
	state := c.genesis(nil)
	for _, gas := range []int64{-1, 0} {
		params := app.DefaultConsensusParams().ToProto()
		params.Block.MaxGas = gas
		require.ErrorContains(t, start(state, &params, c, nil), "max_gas")
	}
	require.ErrorContains(t, start(state, &cmtproto.ConsensusParams{}, c, nil), "consensus parameters")
	require.ErrorContains(t, start(state, nil, c, nil), "consensus parameters")
}

// edit changes the state of a module in a document.
func edit[T any, P interface {
	*T
	proto.Message
}](t *testing.T, c *chain, state app.GenesisState, name string, change func(P)) {
	t.Helper()
	gs := P(new(T))
	c.app.AppCodec().MustUnmarshalJSON(state[name], gs)
	change(gs)
	state[name] = c.app.AppCodec().MustMarshalJSON(gs)
}

// With a power of one for each unit of the staking coin x/staking would panic over a validator with 2^63 of them.
func TestGenesisBoundsTheStakingCoin(t *testing.T) {
	c := newChain(t)
	params := app.DefaultConsensusParams().ToProto()
	most := math.NewInt(1 << 62)
	start := func(change func(state app.GenesisState)) error {
		state := c.genesis(nil)
		change(state)
		return start(state, &params, c, nil)
	}
	// give makes the balances of a coin an amount that a new account has to make up for, which is split in two.
	give := func(denom string, total math.Int) func(app.GenesisState) {
		return func(state app.GenesisState) {
			edit(t, c, state, banktypes.ModuleName, func(gs *banktypes.GenesisState) {
				for _, b := range gs.Balances {
					total = total.Sub(b.Coins.AmountOf(denom))
				}
				for i, amount := range []math.Int{total.QuoRaw(2), total.Sub(total.QuoRaw(2))} {
					gs.Balances = append(gs.Balances, banktypes.Balance{
						Address: addressOf(newKey(fmt.Sprint("rich ", i))).String(), Coins: sdk.Coins{{Denom: denom, Amount: amount}},
					})
				}
			})
		}
	}
	huge := math.NewIntFromBigInt(new(big.Int).Lsh(big.NewInt(1), 255))
	require.NoError(t, start(give(app.BondDenom, most)))
	require.ErrorContains(t, start(give(app.BondDenom, most.AddRaw(1))), "balances in uedge: more than 4611686018427387904")
	require.ErrorContains(t, start(give(app.BondDenom, huge)), "balances in uedge: more than")
	require.NoError(t, start(give(settlement, most.AddRaw(1))), "another coin is not staked")
	require.ErrorContains(t, start(func(state app.GenesisState) {
		edit(t, c, state, banktypes.ModuleName, func(gs *banktypes.GenesisState) {
			gs.Supply = sdk.Coins{{Denom: app.BondDenom, Amount: most.AddRaw(1)}}
		})
	}), "supply in uedge: more than")
	require.ErrorContains(t, start(func(state app.GenesisState) {
		edit(t, c, state, banktypes.ModuleName, func(gs *banktypes.GenesisState) {
			gs.Balances[0].Coins[0] = sdk.Coin{Denom: app.BondDenom, Amount: math.NewInt(-1)}
		})
	}), "balances in uedge: an amount of -1")
	for _, tokens := range []math.Int{most.AddRaw(1), most.MulRaw(2), huge} {
		require.ErrorContains(t, start(func(state app.GenesisState) {
			edit(t, c, state, stakingtypes.ModuleName, func(gs *stakingtypes.GenesisState) { gs.Validators[0].Tokens = tokens })
		}), "tokens of validators in uedge: more than")
	}
}

// A document whose modules do not belong together does not start a chain.
func TestGenesisOfModulesMustAgree(t *testing.T) {
	alice := newKey("alice")
	c := newChain(t, alice)
	m := newMoney(c, alice)
	c.closeEpoch()
	m.settle(3 << 30)
	c.closeEpoch()
	m.settle(5 << 30)
	exported, err := c.app.ExportAppStateAndValidators(false, nil, nil)
	require.NoError(t, err)
	params := app.DefaultConsensusParams().ToProto()
	updates := validatorUpdates(t, exported.Validators)
	current, err := c.app.EpochKeeper.CurrentNumber(c.ctx())
	require.NoError(t, err)
	const foreign = "do not belong together"

	reset := func(gs *epochtypes.GenesisState) { gs.Epochs, gs.Closing = nil, epochtypes.ClosingState{} }
	for name, tt := range map[string]struct {
		change func(app.GenesisState)
		err    string
	}{
		"as it was exported": {func(app.GenesisState) {}, ""},
		"settled in the staking coin": {func(s app.GenesisState) {
			edit(t, c, s, dacktypes.ModuleName, func(gs *dacktypes.GenesisState) { gs.Params.SettlementDenom = app.BondDenom })
		}, "settlement coin is the staking coin"},
		"epochs reset": {func(s app.GenesisState) { edit(t, c, s, epochtypes.ModuleName, reset) }, foreign},
		"epochs reset but for lanes": {func(s app.GenesisState) {
			edit(t, c, s, epochtypes.ModuleName, reset)
			edit(t, c, s, rewardstypes.ModuleName, func(gs *rewardstypes.GenesisState) { *gs = *rewardstypes.DefaultGenesis() })
			edit(t, c, s, nodetypes.ModuleName, func(gs *nodetypes.GenesisState) { gs.Epoch = 0 })
			edit(t, c, s, dacktypes.ModuleName, func(gs *dacktypes.GenesisState) {
				gs.PriceChanges, gs.Revenue, gs.WorkerTotals, gs.ServiceTotals, gs.EpochTotals = nil, nil, nil, nil, nil
				for i := range gs.Keys {
					gs.Keys[i].Spent = nil
				}
			})
		}, "lanes of key"},
		"x/node in the epoch before": {func(s app.GenesisState) {
			edit(t, c, s, nodetypes.ModuleName, func(gs *nodetypes.GenesisState) { gs.Epoch = current - 1 })
		}, "x/node is in epoch"},
		"x/node in the epoch since another height": {func(s app.GenesisState) {
			edit(t, c, s, nodetypes.ModuleName, func(gs *nodetypes.GenesisState) { gs.EpochHeight++ })
		}, "x/node is in epoch"},
		"a member whom x/staking does not know": {func(s app.GenesisState) {
			edit(t, c, s, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) {
				gs.ValidatorSets[len(gs.ValidatorSets)-1].Members[0].Operator = sdk.ValAddress(addressOf(alice)).String()
			})
		}, "is in the validator set, and x/staking does not know it"},
		"a member with the key of somebody else": {func(s app.GenesisState) {
			edit(t, c, s, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) {
				key, err := cryptocodec.ToCmtProtoPublicKey(newValidator("somebody else", 0).consensus[0].PubKey())
				require.NoError(t, err)
				gs.ValidatorSets[len(gs.ValidatorSets)-1].Members[0].PubKey = key
			})
		}, "with a key that is not the one of x/staking"},
		"somebody drawn whom x/staking does not know": {func(s app.GenesisState) {
			edit(t, c, s, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) {
				gs.Elections[len(gs.Elections)-1].Spares[0].Operator = sdk.ValAddress(addressOf(alice)).String()
			})
		}, "and x/staking does not know it"},
		"workers of the future": {func(s app.GenesisState) {
			edit(t, c, s, nodetypes.ModuleName, func(gs *nodetypes.GenesisState) { gs.Epoch = current + 1 })
		}, foreign},
		"prices after the next epoch": {func(s app.GenesisState) {
			edit(t, c, s, dacktypes.ModuleName, func(gs *dacktypes.GenesisState) {
				gs.PriceChanges = append(gs.PriceChanges, dacktypes.PriceChange{Epoch: current + 2, Prices: gs.Params.Prices})
			})
		}, foreign},
		"a total of the open epoch": {func(s app.GenesisState) {
			edit(t, c, s, dacktypes.ModuleName, func(gs *dacktypes.GenesisState) {
				last := gs.EpochTotals[len(gs.EpochTotals)-1]
				last.Epoch = current
				gs.EpochTotals = append(gs.EpochTotals, last)
			})
		}, foreign},
		"emission terms after the next epoch": {func(s app.GenesisState) {
			edit(t, c, s, rewardstypes.ModuleName, func(gs *rewardstypes.GenesisState) {
				gs.EmissionChanges = append(gs.EmissionChanges, rewardstypes.EmissionTermsChange{Epoch: current + 2, Terms: gs.Params.Emission})
			})
		}, foreign},
		"a token price after the next epoch": {func(s app.GenesisState) {
			edit(t, c, s, rewardstypes.ModuleName, func(gs *rewardstypes.GenesisState) {
				gs.TokenPrices = append(gs.TokenPrices, rewardstypes.TokenPrice{Epoch: current + 2, Price: rewardstypes.MaxTokenPrice})
			})
		}, foreign},
		"boosts of the next epoch": {func(s app.GenesisState) {
			edit(t, c, s, rewardstypes.ModuleName, func(gs *rewardstypes.GenesisState) { gs.BoostedEpoch = current + 1 })
		}, foreign},
		"a summary of the open epoch": {func(s app.GenesisState) {
			edit(t, c, s, rewardstypes.ModuleName, func(gs *rewardstypes.GenesisState) {
				last := gs.Summaries[len(gs.Summaries)-1]
				last.Epoch = current
				gs.Summaries = append(gs.Summaries, last)
			})
		}, foreign},
		"without a module": {func(s app.GenesisState) { delete(s, epochtypes.ModuleName) }, "no state of epoch"},
	} {
		t.Run(name, func(t *testing.T) {
			var state app.GenesisState
			require.NoError(t, json.Unmarshal(exported.AppState, &state))
			tt.change(state)
			err := start(state, &params, c, updates)
			if tt.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.err)
		})
	}
}
