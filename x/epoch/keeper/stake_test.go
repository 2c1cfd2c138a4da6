package keeper

import (
	"context"
	"fmt"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/comet"
	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/baseapp"
	addresscodec "github.com/cosmos/cosmos-sdk/codec/address"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	"github.com/cosmos/cosmos-sdk/runtime"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/bank"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	evidencekeeper "github.com/cosmos/cosmos-sdk/x/evidence/keeper"
	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
	"github.com/cosmos/cosmos-sdk/x/slashing"
	slashingkeeper "github.com/cosmos/cosmos-sdk/x/slashing/keeper"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const (
	stakeDenom    = "uedge"
	stakeFaucet   = "faucet"
	stakeWealth   = 1_000_000_000_000
	unbondingTime = 21 * 24 * time.Hour
	evidenceAge   = 14 * 24 * time.Hour
	evidenceLimit = 1000 // blocks
	blockInterval = 5 * time.Second
)

var stakeGenesis = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// standings is x/node with the standing of each operator.
type standings map[string]nodetypes.Standing

func (standings) OpenEpoch(context.Context, uint64, []byte) error { return nil }

func (s standings) Standing(_ context.Context, operator sdk.ValAddress, _ uint64) (nodetypes.Standing, error) {
	return s[string(operator)], nil
}

// stakes is x/epoch on real stores with the real x/staking, x/slashing and x/evidence, wired as the application does. Epochs,
// elections and sets are written by hand.
type stakes struct {
	t        *testing.T
	ctx      sdk.Context
	k        *Keeper
	query    types.QueryServer
	bank     bankkeeper.BaseKeeper
	staking  *stakingkeeper.Keeper
	slashing slashingkeeper.Keeper
	evidence *evidencekeeper.Keeper
	msgs     stakingtypes.MsgServer
	nodes    standings
	people   int
}

func newStakes(t *testing.T) *stakes {
	t.Helper()
	f := &stakes{t: t, nodes: standings{}}
	enc := moduletestutil.MakeTestEncodingConfig(auth.AppModuleBasic{}, bank.AppModuleBasic{}, staking.AppModuleBasic{}, slashing.AppModuleBasic{})
	evidencetypes.RegisterInterfaces(enc.InterfaceRegistry)
	keys := storetypes.NewKVStoreKeys(
		authtypes.StoreKey, banktypes.StoreKey, stakingtypes.StoreKey, slashingtypes.StoreKey, evidencetypes.StoreKey, types.StoreKey,
	)
	f.ctx = testutil.DefaultContextWithKeys(keys, nil, nil).WithChainID("edge-test-1").WithBlockHeight(1).WithBlockTime(stakeGenesis).
		WithConsensusParams(cmtproto.ConsensusParams{
			Evidence: &cmtproto.EvidenceParams{MaxAgeDuration: evidenceAge, MaxAgeNumBlocks: evidenceLimit},
		})

	cfg := sdk.GetConfig()
	accounts := addresscodec.NewBech32Codec(cfg.GetBech32AccountAddrPrefix())
	operators := addresscodec.NewBech32Codec(cfg.GetBech32ValidatorAddrPrefix())
	consensus := addresscodec.NewBech32Codec(cfg.GetBech32ConsensusAddrPrefix())
	authority := authtypes.NewModuleAddress("gov").String()
	perms := map[string][]string{
		stakeFaucet:                         {authtypes.Minter},
		stakingtypes.BondedPoolName:         {authtypes.Burner, authtypes.Staking},
		stakingtypes.NotBondedPoolName:      {authtypes.Burner, authtypes.Staking},
		stakingtypes.KeyRotationFeePoolName: {authtypes.Burner},
	}
	ak := authkeeper.NewAccountKeeper(enc.Codec, runtime.NewKVStoreService(keys[authtypes.StoreKey]), authtypes.ProtoBaseAccount, perms,
		accounts, cfg.GetBech32AccountAddrPrefix(), authority)
	require.NoError(t, ak.Params.Set(f.ctx, authtypes.DefaultParams()))
	f.bank = bankkeeper.NewBaseKeeper(enc.Codec, runtime.NewKVStoreService(keys[banktypes.StoreKey]), ak, nil, authority, log.NewNopLogger())
	f.staking = stakingkeeper.NewKeeper(enc.Codec, runtime.NewKVStoreService(keys[stakingtypes.StoreKey]), ak, f.bank, authority, operators, consensus)
	params := stakingtypes.DefaultParams()
	params.BondDenom, params.UnbondingTime, params.MaxValidators, params.HistoricalEntries = stakeDenom, unbondingTime, 5, 0
	params.KeyRotationFee = sdk.NewInt64Coin(stakeDenom, 0)
	require.NoError(t, f.staking.SetParams(f.ctx, params))
	f.k = NewKeeper(enc.Codec, runtime.NewKVStoreService(keys[types.StoreKey]), authority, operators, f.nodes, f.staking)
	f.slashing = slashingkeeper.NewKeeper(enc.Codec, enc.Amino, runtime.NewKVStoreService(keys[slashingtypes.StoreKey]), f.k.Slasher(f.staking), authority)
	slashed := slashingtypes.DefaultParams()
	slashed.SignedBlocksWindow = 10
	slashed.SlashFractionDoubleSign, slashed.SlashFractionDowntime = math.LegacyMustNewDecFromStr("0.07"), math.LegacyMustNewDecFromStr("0.013")
	require.NoError(t, f.slashing.SetParams(f.ctx, slashed))
	f.staking.SetHooks(stakingtypes.NewMultiStakingHooks(f.slashing.Hooks()))
	f.evidence = evidencekeeper.NewKeeper(enc.Codec, runtime.NewKVStoreService(keys[evidencetypes.StoreKey]), f.staking, f.slashing,
		accounts, runtime.ProvideCometInfoService())
	f.msgs = stakingkeeper.NewMsgServerImpl(f.staking)
	f.query = NewQueryServerImpl(f.k)
	return f
}

// block ends the present block in x/staking and begins the next one.
func (f *stakes) block() {
	f.t.Helper()
	_, err := f.staking.EndBlocker(f.ctx)
	require.NoError(f.t, err)
	f.ctx = f.ctx.WithBlockHeight(f.ctx.BlockHeight() + 1).WithBlockTime(f.ctx.BlockTime().Add(blockInterval)).
		WithEventManager(sdk.NewEventManager())
}

// until begins blocks up to a height.
func (f *stakes) until(height int64) {
	f.t.Helper()
	for f.ctx.BlockHeight() < height {
		f.block()
	}
}

// person returns a new account with coins.
func (f *stakes) person() sdk.AccAddress {
	f.t.Helper()
	f.people++
	addr := sdk.AccAddress(fmt.Sprintf("person%014d", f.people))
	coins := sdk.NewCoins(sdk.NewInt64Coin(stakeDenom, stakeWealth))
	require.NoError(f.t, f.bank.MintCoins(f.ctx, stakeFaucet, coins))
	require.NoError(f.t, f.bank.SendCoinsFromModuleToAccount(f.ctx, stakeFaucet, addr, coins))
	return addr
}

func consensusKey(seed string) *ed25519.PrivKey { return ed25519.GenPrivKeyFromSecret([]byte(seed)) }

// validator creates a validator with a stake of its own. It is bonded with the end of the block.
func (f *stakes) validator(tokens int64) sdk.ValAddress {
	f.t.Helper()
	operator := sdk.ValAddress(f.person())
	msg, err := stakingtypes.NewMsgCreateValidator(operator.String(), consensusKey(operator.String()).PubKey(),
		sdk.NewInt64Coin(stakeDenom, tokens), stakingtypes.Description{Moniker: "node"},
		stakingtypes.NewCommissionRates(math.LegacyZeroDec(), math.LegacyOneDec(), math.LegacyOneDec()), math.OneInt())
	require.NoError(f.t, err)
	_, err = f.msgs.CreateValidator(f.ctx, msg)
	require.NoError(f.t, err)
	return operator
}

func (f *stakes) delegate(from sdk.AccAddress, to sdk.ValAddress, tokens int64) {
	f.t.Helper()
	_, err := f.msgs.Delegate(f.ctx, stakingtypes.NewMsgDelegate(from.String(), to.String(), sdk.NewInt64Coin(stakeDenom, tokens)))
	require.NoError(f.t, err)
}

func (f *stakes) undelegate(from sdk.AccAddress, to sdk.ValAddress, tokens int64) {
	f.t.Helper()
	_, err := f.msgs.Undelegate(f.ctx, stakingtypes.NewMsgUndelegate(from.String(), to.String(), sdk.NewInt64Coin(stakeDenom, tokens)))
	require.NoError(f.t, err)
}

func (f *stakes) redelegate(who sdk.AccAddress, from, to sdk.ValAddress, tokens int64) {
	f.t.Helper()
	_, err := f.msgs.BeginRedelegate(f.ctx, stakingtypes.NewMsgBeginRedelegate(who.String(), from.String(), to.String(), sdk.NewInt64Coin(stakeDenom, tokens)))
	require.NoError(f.t, err)
}

// delegated returns the tokens behind a delegation.
func (f *stakes) delegated(who sdk.AccAddress, to sdk.ValAddress) int64 {
	f.t.Helper()
	d, err := f.staking.GetDelegation(f.ctx, who, to)
	require.NoError(f.t, err)
	v, err := f.staking.GetValidator(f.ctx, to)
	require.NoError(f.t, err)
	return v.TokensFromShares(d.Shares).TruncateInt64()
}

// unbonding returns what a delegator is still to get back from a validator.
func (f *stakes) unbonding(who sdk.AccAddress, from sdk.ValAddress) (sum int64) {
	f.t.Helper()
	u, err := f.staking.GetUnbondingDelegation(f.ctx, who, from)
	require.NoError(f.t, err)
	for _, e := range u.Entries {
		sum += e.Balance.Int64()
	}
	return sum
}

func (f *stakes) tokens(operator sdk.ValAddress) int64 {
	f.t.Helper()
	v, err := f.staking.GetValidator(f.ctx, operator)
	require.NoError(f.t, err)
	return v.Tokens.Int64()
}

func (f *stakes) consAddr(operator sdk.ValAddress) sdk.ConsAddress {
	f.t.Helper()
	v, err := f.staking.GetValidator(f.ctx, operator)
	require.NoError(f.t, err)
	addr, err := v.GetConsAddr()
	require.NoError(f.t, err)
	return addr
}

// member is a member as a freeze counts it now.
func (f *stakes) member(operator sdk.ValAddress, power int64) types.Member {
	f.t.Helper()
	return types.Member{
		Operator: operator.String(), Power: power, Tokens: math.NewInt(f.tokens(operator)), FreezeHeight: f.ctx.BlockHeight(),
	}
}

// send stores a set that the present block sends.
func (f *stakes) send(members ...types.Member) {
	f.t.Helper()
	f.sendAt(f.ctx.BlockHeight()+updateDelay, members...)
}

// sendAt stores a set that is in force from a height on.
func (f *stakes) sendAt(height int64, members ...types.Member) {
	f.t.Helper()
	require.NoError(f.t, f.k.validatorSets.Set(f.ctx, height, types.ValidatorSet{
		Height: height, SentHeight: f.ctx.BlockHeight(), SentTime: f.ctx.BlockTime(), Members: members,
	}))
}

// burnt runs something and returns how much the supply fell.
func (f *stakes) burnt(do func()) int64 {
	f.t.Helper()
	before := f.bank.GetSupply(f.ctx, stakeDenom).Amount
	do()
	return before.Sub(f.bank.GetSupply(f.ctx, stakeDenom).Amount).Int64()
}

// doubleSign reports that the holder of a key signed twice at a height, with so many seats.
func (f *stakes) doubleSign(consAddr sdk.ConsAddress, height, power int64) {
	f.t.Helper()
	info := baseapp.NewBlockInfo([]abci.Misbehavior{{
		Type: abci.MisbehaviorType_DUPLICATE_VOTE, Height: height, Time: f.ctx.BlockTime(), TotalVotingPower: 100,
		Validator: abci.Validator{Address: consAddr, Power: power},
	}}, nil, nil, abci.CommitInfo{})
	require.NoError(f.t, f.evidence.BeginBlocker(f.ctx.WithCometInfo(info)))
}

// silence lets a member with so many seats miss every block until it is jailed, and returns the height at which it was.
func (f *stakes) silence(operator sdk.ValAddress, power int64) int64 {
	f.t.Helper()
	consAddr := f.consAddr(operator)
	for range 30 {
		require.NoError(f.t, f.slashing.HandleValidatorSignature(f.ctx, consAddr.Bytes(), power, comet.BlockIDFlagAbsent))
		if v, err := f.staking.GetValidator(f.ctx, operator); err == nil && v.IsJailed() {
			return f.ctx.BlockHeight()
		}
		f.block()
	}
	f.t.Fatal("a member that signs nothing is not jailed")
	return 0
}

// slash calls the Slasher on a branch of the state and returns what was burnt.
func (f *stakes) slash(consAddr sdk.ConsAddress, distributionHeight int64, fraction string) int64 {
	f.t.Helper()
	kept := f.ctx
	defer func() { f.ctx = kept }()
	f.ctx, _ = f.ctx.CacheContext()
	return f.burnt(func() {
		_, err := f.k.Slasher(f.staking).Slash(f.ctx, consAddr, distributionHeight, 3, math.LegacyMustNewDecFromStr(fraction))
		require.NoError(f.t, err)
	})
}

// open writes the record of the open epoch.
func (f *stakes) open(number uint64) {
	f.t.Helper()
	require.NoError(f.t, f.k.current.Set(f.ctx, number))
	require.NoError(f.t, f.k.epochs.Set(f.ctx, number, types.Epoch{
		Number: number, Phase: types.PHASE_OPEN, StartTime: f.ctx.BlockTime(), StartHeight: f.ctx.BlockHeight(), Duration: time.Hour, Seed: []byte{1, 2},
	}))
}

// leave writes that an operator left an election.
func (f *stakes) leave(epoch uint64, operator sdk.ValAddress, reason types.LeaveReason) {
	f.t.Helper()
	require.NoError(f.t, f.k.leavings.Set(f.ctx, collections.Join(epoch, []byte(operator)), types.Leaving{
		Epoch: epoch, Operator: operator.String(), Reason: reason, Height: f.ctx.BlockHeight(),
	}))
}

// row writes a row of the record of a freeze.
func (f *stakes) row(epoch uint64, operator sdk.ValAddress, tokens int64, ineligibility types.Ineligibility) {
	f.t.Helper()
	require.NoError(f.t, f.k.frozen.Set(f.ctx, collections.Join(epoch, []byte(operator)), types.FrozenValidator{
		Operator: operator.String(), Tokens: math.NewInt(tokens), Ineligibility: ineligibility,
	}))
}

// blankElection is a record with no stakes in it.
func blankElection(epoch uint64) types.Election {
	return types.Election{
		Epoch: epoch, Fallback: types.FALLBACK_NONE, DrawFallback: types.FALLBACK_NONE,
		BondedTokens: math.ZeroInt(), ParticipatingTokens: math.ZeroInt(), HealthyTokens: math.ZeroInt(),
	}
}

func (f *stakes) elect(e types.Election) {
	f.t.Helper()
	require.NoError(f.t, f.k.elections.Set(f.ctx, e.Epoch, e))
}

func seatRun(operator sdk.ValAddress, seats uint32, tokens, freeze int64) types.SeatRun {
	return types.SeatRun{Operator: operator.String(), Seats: seats, Tokens: math.NewInt(tokens), FreezeHeight: freeze}
}
