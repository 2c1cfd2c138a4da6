package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
	"github.com/edgechain/edge/x/epoch/beacon"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const (
	// endBlockRounds of the chain with and without x/epoch are taken in turn, endBlockTimes blocks each.
	endBlockRounds = 31
	endBlockTimes  = 5
	// boundaryEpochs is the number of epochs whose boundary is measured.
	boundaryEpochs = 3
	// wantEndBlockRatio is how many times longer an ordinary block's end may take with x/epoch than without it.
	wantEndBlockRatio = 1.05
)

// benchEndBlock measures what the modules do at the end of an ordinary block, and x/epoch at its beginning, with many bonded
// validators; the baseline is the same chain without x/epoch. And the blocks of an epoch's boundary, executed and committed;
// the baseline is the median of the ordinary ones.
func benchEndBlock(ctx context.Context) ([]result, error) {
	var results []result
	for _, n := range []int{300, 1_000} {
		r, err := measureEndBlock(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("%d validators: %w", n, err)
		}
		results = append(results, r...)
	}
	// The bound of max_validators is 300; more is a look ahead.
	results[0].Name = "endblock/ordinary"
	if ratio := results[0].Value; ratio > wantEndBlockRatio {
		fmt.Printf("endblock/ordinary: %.3f, the goal is at most %.2f\n", ratio, wantEndBlockRatio)
	}
	return results, nil
}

func measureEndBlock(ctx context.Context, n int) (_ []result, err error) {
	dir, err := os.MkdirTemp("", "edge-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := newBondedChain(dir, n)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.app.Close()) }()
	for range 2 {
		if _, err := c.block(); err != nil {
			return nil, err
		}
	}
	with, without, err := c.endBlocks(ctx)
	if err != nil {
		return nil, err
	}
	ordinary, boundary, err := c.boundaries(ctx)
	if err != nil {
		return nil, err
	}
	return []result{
		{Name: fmt.Sprintf("endblock/ordinary/validators=%d", n), Value: with / without, Unit: "ratio", Baseline: 1, Ratio: without / with},
		less(fmt.Sprintf("endblock/ms/validators=%d", n), with/1e6, "ms", without/1e6),
		less(fmt.Sprintf("endblock/boundary/validators=%d", n), boundary, "ms", ordinary),
	}, nil
}

// bondedChain is the real application with many bonded validators, all candidates, fed block by block.
type bondedChain struct {
	app      *app.App
	height   int64
	now      time.Time
	proposer []byte
}

func newBondedChain(dir string, n int) (*bondedChain, error) {
	app.Configure()
	db, err := dbm.NewDB("application", dbm.PebbleDBBackend, filepath.Join(dir, "data"))
	if err != nil {
		return nil, err
	}
	c := &bondedChain{
		now: time.Unix(1_700_000_000, 0).UTC(),
		app: app.New(log.NewNopLogger(), db, true, simtestutil.NewAppOptionsWithFlagHome(dir), baseapp.SetChainID(benchChainID)),
	}
	state, err := c.genesis(n)
	if err != nil {
		return nil, err
	}
	params := app.DefaultConsensusParams().ToProto()
	_, err = c.app.InitChain(&abci.RequestInitChain{
		ChainId: benchChainID, Time: c.now, ConsensusParams: &params, AppStateBytes: state, InitialHeight: 1,
	})
	return c, err
}

func (c *bondedChain) genesis(n int) ([]byte, error) {
	cdc := c.app.AppCodec()
	state := map[string]json.RawMessage(c.app.DefaultGenesis())
	validators := make([]*cmttypes.Validator, n)
	var epoch epochtypes.GenesisState
	cdc.MustUnmarshalJSON(state[epochtypes.ModuleName], &epoch)
	epoch.Development, epoch.Params = true, epochtypes.DevelopmentParams()
	epoch.Params.Duration, epoch.Params.Seats, epoch.Params.BeaconBlocks, epoch.Params.StepBlocks = 10*time.Second, electionSeats, 1, 2
	var node nodetypes.GenesisState
	cdc.MustUnmarshalJSON(state[nodetypes.ModuleName], &node)
	for i := range validators {
		key := cmted25519.GenPrivKeyFromSecret(binary.BigEndian.AppendUint64([]byte("validator"), uint64(i))).PubKey()
		validators[i] = cmttypes.NewValidator(key, 1)
		operator := sdk.ValAddress(key.Address()).String()
		secret, err := beacon.ParseKey(binary.BigEndian.AppendUint64(make([]byte, beacon.KeySize-8), uint64(i+1)))
		if err != nil {
			return nil, err
		}
		epoch.BeaconKeys = append(epoch.BeaconKeys, epochtypes.BeaconKey{Operator: operator, PubKey: secret.PubKey()})
		node.Nodes = append(node.Nodes, nodetypes.Node{Operator: operator, OptedIn: true, OptedInBefore: true, Score: nodetypes.StartScore})
	}
	slices.SortFunc(epoch.BeaconKeys, func(a, b epochtypes.BeaconKey) int { return strings.Compare(a.Operator, b.Operator) })
	slices.SortFunc(node.Nodes, func(a, b nodetypes.Node) int { return strings.Compare(a.Operator, b.Operator) })
	state[epochtypes.ModuleName] = cdc.MustMarshalJSON(&epoch)
	state[nodetypes.ModuleName] = cdc.MustMarshalJSON(&node)
	c.proposer = validators[0].Address

	delegator := authtypes.NewBaseAccount(sdk.AccAddress(validators[0].Address), nil, 0, 0)
	state, err := simtestutil.GenesisStateWithValSet(cdc, state, cmttypes.NewValidatorSet(validators), []authtypes.GenesisAccount{delegator})
	if err != nil {
		return nil, err
	}
	var staking stakingtypes.GenesisState
	cdc.MustUnmarshalJSON(state[stakingtypes.ModuleName], &staking)
	staking.Params.MaxValidators, staking.Params.BondDenom, staking.Params.HistoricalEntries = uint32(n), app.BondDenom, 0
	state[stakingtypes.ModuleName] = cdc.MustMarshalJSON(&staking)
	// The function above counts the bonded tokens of one validator.
	pool := authtypes.NewModuleAddress(stakingtypes.BondedPoolName).String()
	var bank banktypes.GenesisState
	cdc.MustUnmarshalJSON(state[banktypes.ModuleName], &bank)
	bank.Supply = nil // added up from the balances
	bank.Balances = slices.DeleteFunc(bank.Balances, func(b banktypes.Balance) bool { return b.Address == pool })
	bonded := sdk.DefaultPowerReduction.MulRaw(int64(n))
	bank.Balances = append(bank.Balances, banktypes.Balance{Address: pool, Coins: sdk.NewCoins(sdk.NewCoin(app.BondDenom, bonded))})
	state[banktypes.ModuleName] = cdc.MustMarshalJSON(&bank)
	return json.Marshal(state)
}

// request is the next block.
func (c *bondedChain) request() *abci.RequestFinalizeBlock {
	hash := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(c.height+1)))
	return &abci.RequestFinalizeBlock{Height: c.height + 1, Time: c.now.Add(time.Second), Hash: hash[:], ProposerAddress: c.proposer}
}

// block executes and commits a block and returns how long that took.
func (c *bondedChain) block() (time.Duration, error) {
	req := c.request()
	began := time.Now()
	if _, err := c.app.FinalizeBlock(req); err != nil {
		return 0, fmt.Errorf("block %d: %w", req.Height, err)
	}
	if _, err := c.app.Commit(); err != nil {
		return 0, fmt.Errorf("commit of block %d: %w", req.Height, err)
	}
	c.height, c.now = req.Height, req.Time
	return time.Since(began), nil
}

// endBlocks measures the modules at the end of the same ordinary block with x/epoch, whose part at the beginning counts too,
// and without it, in ns.
func (c *bondedChain) endBlocks(ctx context.Context) (with, without float64, err error) {
	manager := c.app.ModuleManager()
	all := slices.Clone(manager.OrderEndBlockers)
	others := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == epochtypes.ModuleName })
	defer func() { manager.OrderEndBlockers = all }()
	req := c.request()
	fresh := func() sdk.Context {
		next := sdk.NewContext(c.app.CommitMultiStore(), c.header(req), false, log.NewNopLogger()).WithHeaderHash(req.Hash)
		branch, _ := next.CacheContext()
		return branch
	}
	return inTurn(ctx, endBlockRounds, endBlockTimes,
		func() error {
			manager.OrderEndBlockers = all
			for range endBlockTimes {
				branch := fresh()
				if err := c.app.EpochKeeper.PreBlock(branch, req); err != nil {
					return err
				}
				res, err := manager.EndBlock(branch)
				if err != nil {
					return err
				}
				if len(res.ValidatorUpdates) != 0 {
					return fmt.Errorf("%d updates: not an ordinary block", len(res.ValidatorUpdates))
				}
			}
			return nil
		},
		func() error {
			manager.OrderEndBlockers = others
			for range endBlockTimes {
				if _, err := manager.EndBlock(fresh()); err != nil {
					return err
				}
			}
			return nil
		})
}

// boundaries runs epochs and returns, in ms, the median ordinary block and the longest one that freezes, closes or hands over.
func (c *bondedChain) boundaries(ctx context.Context) (ordinary, boundary float64, err error) {
	var usual []float64
	before, err := c.clock()
	if err != nil {
		return 0, 0, err
	}
	for last := before.epoch.Number + boundaryEpochs; before.epoch.Number < last || before.steps < 4; {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		if c.height > electionBlocks {
			return 0, 0, fmt.Errorf("epoch %d did not end within %d blocks", before.epoch.Number, electionBlocks)
		}
		took, err := c.block()
		if err != nil {
			return 0, 0, err
		}
		after, err := c.clock()
		if err != nil {
			return 0, 0, err
		}
		ms := float64(took.Microseconds()) / 1e3
		if after.epoch.Number != before.epoch.Number || after.epoch.Phase != before.epoch.Phase || after.steps != before.steps {
			boundary = max(boundary, ms)
		} else {
			usual = append(usual, ms)
		}
		before = after
	}
	return median(usual), boundary, c.elected()
}

// elected returns an error unless the last election ran over all validators.
func (c *bondedChain) elected() error {
	ctx := c.context()
	number, err := c.app.EpochKeeper.CurrentNumber(ctx)
	if err != nil {
		return err
	}
	e, err := c.app.EpochKeeper.Election(ctx, number)
	if err != nil {
		return err
	}
	if e.Validators == 0 || len(e.Elected) == 0 || e.Fallback == epochtypes.FALLBACK_KEPT {
		return fmt.Errorf("the election of epoch %d drew nobody: %s", number, e.Fallback)
	}
	return nil
}

// clock is what changes at the boundary of an epoch.
type clock struct {
	epoch epochtypes.Epoch
	steps uint32
}

func (c *bondedChain) clock() (clock, error) {
	ctx := c.context()
	e, err := c.app.EpochKeeper.Current(ctx)
	if err != nil {
		return clock{}, err
	}
	h, err := c.app.EpochKeeper.HandOver(ctx)
	return clock{epoch: e, steps: h.Steps}, err
}

func (c *bondedChain) context() sdk.Context {
	header := cmtproto.Header{ChainID: benchChainID, Height: c.height, Time: c.now}
	return sdk.NewContext(c.app.CommitMultiStore(), header, false, log.NewNopLogger())
}

func (c *bondedChain) header(req *abci.RequestFinalizeBlock) cmtproto.Header {
	return cmtproto.Header{ChainID: benchChainID, Height: req.Height, Time: req.Time, ProposerAddress: req.ProposerAddress}
}
