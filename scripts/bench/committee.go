package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	addresscodec "github.com/cosmos/cosmos-sdk/codec/address"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdked25519 "github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	"github.com/cosmos/cosmos-sdk/runtime"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/cosmos/cosmos-sdk/testutil/integration"
	sdk "github.com/cosmos/cosmos-sdk/types"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
	"github.com/edgechain/edge/x/epoch"
	"github.com/edgechain/edge/x/epoch/beacon"
	"github.com/edgechain/edge/x/epoch/draw"
	epochkeeper "github.com/edgechain/edge/x/epoch/keeper"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const (
	// electionRounds is the number of elections that are measured for each number of candidates.
	electionRounds = 5
	electionSeats  = 150
	// electionBlocks bounds the blocks of an epoch, so that an epoch which does not end fails.
	electionBlocks = 1_000
	// blockTime, in ms, is what an election is held against: it must not hold up the block that it falls into.
	blockTime    = 1_000
	revealRounds = 15
	revealTimes  = 50
)

// benchCommittee measures an election, which is the EndBlock of the freeze and that of the closing height together, over
// candidates that x/staking and x/node have in memory, and the draw of seats and spares alone; the baseline is a block of a
// second. And the check of one reveal; its baseline is the check of one ed25519 signature.
func benchCommittee(ctx context.Context) ([]result, error) {
	app.Configure()
	var results []result
	for _, n := range []int{300, 1_000, 10_000} {
		r, err := measureElection(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("%d candidates: %w", n, err)
		}
		results = append(results, r...)
	}
	reveal, err := measureReveal(ctx)
	if err != nil {
		return nil, err
	}
	return append(results, reveal), nil
}

func measureReveal(ctx context.Context) (result, error) {
	key, err := beacon.ParseKey(append(make([]byte, beacon.KeySize-1), 7))
	if err != nil {
		return result{}, err
	}
	seed := beacon.FirstSeed(benchChainID)
	pub, reveal := key.PubKey(), key.Reveal(benchChainID, seed, 1)
	other := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	otherPub, ok := other.Public().(ed25519.PublicKey)
	if !ok {
		return result{}, errors.New("no ed25519 key")
	}
	message := make([]byte, 88) // as long as what a reveal signs
	signature := ed25519.Sign(other, message)
	value, baseline, err := inTurn(ctx, revealRounds, revealTimes,
		func() error {
			for range revealTimes {
				if err := beacon.CheckReveal(pub, reveal, benchChainID, seed, 1); err != nil {
					return err
				}
			}
			return nil
		},
		func() error {
			for range revealTimes {
				if !ed25519.Verify(otherPub, message, signature) {
					return errors.New("the baseline does not verify")
				}
			}
			return nil
		})
	if err != nil {
		return result{}, err
	}
	return less("beacon/reveal_verify", value/1e3, "us", baseline/1e3), nil
}

func measureElection(ctx context.Context, n int) ([]result, error) {
	c, err := newElectionChain(n)
	if err != nil {
		return nil, err
	}
	candidates := c.staking.candidates()
	var elections, draws []float64
	for round := range electionRounds + 1 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		took, err := c.epoch(uint64(round + 2))
		if err != nil {
			return nil, err
		}
		began := time.Now()
		seed := sha256.Sum256([]byte{byte(round)})
		if _, err := draw.Seats(seed[:], candidates, electionSeats); err != nil {
			return nil, err
		}
		if _, err := draw.Spares(seed[:], candidates, electionSeats); err != nil {
			return nil, err
		}
		if round > 0 { // the first one warms up
			elections = append(elections, float64(took.Microseconds())/1e3)
			draws = append(draws, float64(time.Since(began).Microseconds())/1e3)
		}
	}
	return []result{
		less(fmt.Sprintf("election/candidates=%d", n), median(elections), "ms", blockTime),
		less(fmt.Sprintf("draw/candidates=%d", n), median(draws), "ms", blockTime),
	}, nil
}

// electionChain is x/epoch on a store of its own, between an x/staking and an x/node that answer from memory.
type electionChain struct {
	ctx     sdk.Context
	keeper  *epochkeeper.Keeper
	staking *bonded
}

func newElectionChain(n int) (*electionChain, error) {
	config := moduletestutil.MakeTestEncodingConfig(epoch.AppModuleBasic{})
	key := storetypes.NewKVStoreKey(epochtypes.StoreKey)
	operators := addresscodec.NewBech32Codec(sdk.GetConfig().GetBech32ValidatorAddrPrefix())
	staking, keys, err := newBonded(n)
	if err != nil {
		return nil, err
	}
	c := &electionChain{
		keeper: epochkeeper.NewKeeper(config.Codec, runtime.NewKVStoreService(key), authtypes.NewModuleAddress("gov").String(),
			operators, healthy{}, staking),
		staking: staking,
	}
	c.keeper.SetStages()
	c.ctx = sdk.NewContext(integration.CreateMultiStore(map[string]*storetypes.KVStoreKey{epochtypes.StoreKey: key}, log.NewNopLogger()),
		cmtproto.Header{ChainID: benchChainID, Time: time.Unix(1_700_000_000, 0).UTC()}, false, log.NewNopLogger())
	params := epochtypes.DevelopmentParams()
	params.Duration, params.Seats, params.BeaconBlocks, params.StepBlocks = time.Minute, electionSeats, 1, 1
	_, err = c.keeper.InitGenesis(c.ctx, epochtypes.GenesisState{Params: params, Development: true, BeaconKeys: keys})
	return c, err
}

// epoch runs blocks until an epoch opens, checks its election, and returns what the two blocks of the election took.
func (c *electionChain) epoch(number uint64) (time.Duration, error) {
	took, phase := time.Duration(0), epochtypes.PHASE_OPEN
	for range electionBlocks {
		c.ctx = c.ctx.WithBlockHeight(c.ctx.BlockHeight() + 1).WithBlockTime(c.ctx.BlockTime().Add(20 * time.Second)).
			WithEventManager(sdk.NewEventManager())
		began := time.Now()
		if _, err := c.keeper.EndBlock(c.ctx); err != nil {
			return 0, err
		}
		block := time.Since(began)
		e, err := c.keeper.Current(c.ctx)
		if err != nil {
			return 0, err
		}
		if e.Phase != phase { // frozen, or open again
			took, phase = took+block, e.Phase
		}
		if e.Number == number {
			return took, c.check(number)
		}
	}
	return 0, fmt.Errorf("epoch %d did not open", number)
}

func (c *electionChain) check(number uint64) error {
	e, err := c.keeper.Election(c.ctx, number)
	if err != nil {
		return err
	}
	if e.Fallback != epochtypes.FALLBACK_NONE || int(e.Candidates) != len(c.staking.validators) {
		return fmt.Errorf("the election of epoch %d has %d candidates, %s", number, e.Candidates, e.Fallback)
	}
	for _, runs := range [][]epochtypes.SeatRun{e.Elected, e.Spares} {
		seats := uint32(0)
		for _, r := range runs {
			seats += r.Seats
		}
		if seats != electionSeats {
			return fmt.Errorf("the election of epoch %d has %d seats", number, seats)
		}
	}
	return nil
}

// healthy is an x/node in which every node takes part and is healthy.
type healthy struct{}

func (healthy) OpenEpoch(context.Context, uint64, []byte) error { return nil }

func (healthy) Standing(context.Context, sdk.ValAddress, uint64) (nodetypes.Standing, error) {
	return nodetypes.StandingOK, nil
}

// bonded is an x/staking whose validators are bonded and never change.
type bonded struct {
	validators []stakingtypes.Validator
	byOperator map[string]stakingtypes.Validator
}

// newBonded makes validators, the largest first, with a beacon key each.
func newBonded(n int) (*bonded, []epochtypes.BeaconKey, error) {
	b := &bonded{byOperator: make(map[string]stakingtypes.Validator, n)}
	keys := make([]epochtypes.BeaconKey, n)
	for i := range n {
		secret := binary.BigEndian.AppendUint64([]byte("validator"), uint64(i))
		digest := sha256.Sum256(secret)
		operator := sdk.ValAddress(digest[:20])
		consensus, err := codectypes.NewAnyWithValue(sdked25519.GenPrivKeyFromSecret(secret).PubKey())
		if err != nil {
			return nil, nil, err
		}
		tokens := int64(10_000_000_000_000) - int64(i)*123_456_789
		v := stakingtypes.Validator{
			OperatorAddress: operator.String(), ConsensusPubkey: consensus, Status: stakingtypes.Bonded,
			Tokens: math.NewInt(tokens), DelegatorShares: math.LegacyNewDec(tokens),
		}
		b.validators = append(b.validators, v)
		b.byOperator[string(operator)] = v
		key, err := beacon.ParseKey(binary.BigEndian.AppendUint64(make([]byte, beacon.KeySize-8), uint64(i+1)))
		if err != nil {
			return nil, nil, err
		}
		keys[i] = epochtypes.BeaconKey{Operator: v.OperatorAddress, PubKey: key.PubKey()}
	}
	return b, keys, nil
}

func (b *bonded) candidates() []draw.Candidate {
	candidates := make([]draw.Candidate, 0, len(b.validators))
	for _, v := range b.validators {
		digest := sha256.Sum256([]byte(v.OperatorAddress))
		candidates = append(candidates, draw.Candidate{Operator: digest[:20], Stake: new(big.Int).Set(v.Tokens.BigInt())})
	}
	return candidates
}

func (b *bonded) GetBondedValidatorsByPower(context.Context) ([]stakingtypes.Validator, error) {
	return b.validators, nil
}

func (b *bonded) GetValidator(_ context.Context, operator sdk.ValAddress) (stakingtypes.Validator, error) {
	v, ok := b.byOperator[string(operator)]
	if !ok {
		return stakingtypes.Validator{}, stakingtypes.ErrNoValidatorFound
	}
	return v, nil
}

func (*bonded) PendingConsKeyRotations(context.Context) (stakingkeeper.PendingRotations, error) {
	return nil, nil
}

func (*bonded) UnbondingTime(context.Context) (time.Duration, error) { return time.Hour, nil }

func (*bonded) GetUnbondingDelegation(context.Context, sdk.AccAddress, sdk.ValAddress) (stakingtypes.UnbondingDelegation, error) {
	return stakingtypes.UnbondingDelegation{}, stakingtypes.ErrNoUnbondingDelegation
}

func (*bonded) GetRedelegations(context.Context, sdk.AccAddress, uint16) ([]stakingtypes.Redelegation, error) {
	return nil, nil
}
