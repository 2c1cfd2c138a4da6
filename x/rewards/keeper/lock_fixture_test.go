package keeper_test

import (
	"context"
	"errors"
	"testing"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	addresscodec "github.com/cosmos/cosmos-sdk/codec/address"
	"github.com/cosmos/cosmos-sdk/runtime"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/cosmos/cosmos-sdk/testutil/integration"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	"github.com/edgechain/edge/x/rewards/keeper"
	"github.com/edgechain/edge/x/rewards/types"
)

// stakes is x/staking as far as locks need it: validators with tokens and shares, and what their operators have of them.
type stakes struct {
	types.StakingKeeper
	validators  []stakingtypes.Validator
	delegations map[string]math.LegacyDec
	// fail, if set, is what every look-up fails with; panics makes it a panic.
	fail   error
	panics any
}

func (s *stakes) failed() error {
	if s.panics != nil {
		panic(s.panics)
	}
	return s.fail
}

func (s *stakes) GetValidator(_ context.Context, operator sdk.ValAddress) (stakingtypes.Validator, error) {
	for _, v := range s.validators {
		if v.OperatorAddress == operator.String() {
			return v, s.failed()
		}
	}
	return stakingtypes.Validator{}, errors.Join(stakingtypes.ErrNoValidatorFound, s.failed())
}

func (s *stakes) GetBondedValidatorsByPower(context.Context) (bonded []stakingtypes.Validator, err error) {
	for _, v := range s.validators {
		if v.IsBonded() {
			bonded = append(bonded, v)
		}
	}
	return bonded, s.failed()
}

func (s *stakes) GetDelegation(_ context.Context, delegator sdk.AccAddress, operator sdk.ValAddress) (stakingtypes.Delegation, error) {
	if err := s.failed(); err != nil {
		return stakingtypes.Delegation{}, err
	}
	shares, ok := s.delegations[delegator.String()+operator.String()]
	if !ok {
		return stakingtypes.Delegation{}, stakingtypes.ErrNoDelegation
	}
	return stakingtypes.Delegation{Shares: shares}, nil
}

// ValidateUnbondAmount does what x/staking's does.
func (s *stakes) ValidateUnbondAmount(ctx context.Context, delegator sdk.AccAddress, operator sdk.ValAddress, amount math.Int) (math.LegacyDec, error) {
	v, err := s.GetValidator(ctx, operator)
	if err != nil {
		return math.LegacyDec{}, err
	}
	d, err := s.GetDelegation(ctx, delegator, operator)
	if err != nil {
		return math.LegacyDec{}, err
	}
	shares, err := v.SharesFromTokens(amount)
	if err != nil {
		return math.LegacyDec{}, err
	}
	truncated, err := v.SharesFromTokensTruncated(amount)
	if err != nil {
		return math.LegacyDec{}, err
	}
	if truncated.GT(d.Shares) {
		return math.LegacyDec{}, sdkerrors.ErrInvalidRequest
	}
	return math.LegacyMinDec(shares, d.Shares), nil
}

// set gives an operator a validator with that many tokens and shares, and a part of the shares.
func (s *stakes) set(operator sdk.ValAddress, tokens, shares, own int64, status stakingtypes.BondStatus) {
	v := stakingtypes.Validator{
		OperatorAddress: operator.String(), Tokens: math.NewInt(tokens), DelegatorShares: math.LegacyNewDec(shares), Status: status,
	}
	s.delegations[sdk.AccAddress(operator).String()+operator.String()] = math.LegacyNewDec(own)
	for i := range s.validators {
		if s.validators[i].OperatorAddress == v.OperatorAddress {
			s.validators[i] = v
			return
		}
	}
	s.validators = append(s.validators, v)
}

// own sets what an operator has of his validator; below zero for nothing at all.
func (s *stakes) own(operator sdk.ValAddress, shares math.LegacyDec) {
	key := sdk.AccAddress(operator).String() + operator.String()
	if s.delegations[key] = shares; shares.IsNegative() {
		delete(s.delegations, key)
	}
}

// hands is x/epoch with a clock that is set by hand.
type hands struct {
	types.EpochKeeper
	current uint64
	fail    error
}

func (h *hands) CurrentNumber(context.Context) (uint64, error) { return h.current, h.fail }

func (h *hands) Epoch(context.Context, uint64) (epochtypes.Epoch, error) {
	return epochtypes.Epoch{}, h.fail
}

// purse is x/bank with a supply and nothing in the accounts.
type purse struct {
	types.BankKeeper
	supply math.Int
}

func (p *purse) GetSupply(context.Context, string) sdk.Coin {
	return sdk.NewCoin(types.EmissionDenom, p.supply)
}

func (p *purse) GetBalance(_ context.Context, _ sdk.AccAddress, denom string) sdk.Coin {
	return sdk.NewCoin(denom, math.ZeroInt())
}

// nobody is x/dack without a client.
type nobody struct{ types.DackKeeper }

func (nobody) SettlementDenom(context.Context) (string, error) { return denom, nil }

func (nobody) Totals(context.Context) (dacktypes.Totals, error) { return dacktypes.NewTotals(), nil }

// lockFixture is x/rewards as far as locks, boosts and the supply go.
type lockFixture struct {
	t      require.TestingT
	ctx    sdk.Context
	k      *keeper.Keeper
	stakes *stakes
	epochs *hands
	bank   *purse
	hooks  stakingtypes.StakingHooks
	msgs   types.MsgServer
	query  types.QueryServer
}

func newLockFixture(t *testing.T) *lockFixture {
	t.Helper()
	f := emptyLockFixture(t)
	require.NoError(t, f.k.InitGenesis(f.ctx, *types.DefaultGenesis()))
	return f
}

func emptyLockFixture(t require.TestingT) *lockFixture {
	keys := storetypes.NewKVStoreKeys(types.StoreKey)
	f := &lockFixture{
		t: t, stakes: &stakes{delegations: map[string]math.LegacyDec{}}, epochs: &hands{current: 7}, bank: &purse{supply: math.NewInt(1_000_000)},
	}
	vc := addresscodec.NewBech32Codec(sdk.GetConfig().GetBech32ValidatorAddrPrefix())
	ac := addresscodec.NewBech32Codec(sdk.GetConfig().GetBech32AccountAddrPrefix())
	f.k = keeper.NewKeeper(encoding.Codec, runtime.NewKVStoreService(keys[types.StoreKey]), authority, ac, vc,
		f.bank, nil, f.stakes, nil, nobody{}, f.epochs)
	f.hooks, f.msgs, f.query = f.k.Hooks(), keeper.NewMsgServerImpl(f.k), keeper.NewQueryServerImpl(f.k)
	f.ctx = sdk.NewContext(integration.CreateMultiStore(keys, log.NewNopLogger()), cmtproto.Header{ChainID: "edge-test", Height: 1}, false, log.NewNopLogger())
	return f
}

// fresh gives the context an event manager of its own.
func (f *lockFixture) fresh() { f.ctx = f.ctx.WithEventManager(sdk.NewEventManager()) }

// events counts those of a type since fresh.
func (f *lockFixture) events(kind string) (n int) {
	for _, e := range f.ctx.EventManager().Events() {
		if e.Type == kind {
			n++
		}
	}
	return n
}

func (f *lockFixture) lock(operator sdk.ValAddress, amount int64, epochs uint64) (types.StakeLock, error) {
	res, err := f.msgs.LockStake(f.ctx, &types.MsgLockStake{
		Operator: operator.String(), Amount: sdk.NewInt64Coin(types.EmissionDenom, amount), Epochs: epochs,
	})
	if err != nil {
		return types.StakeLock{}, err
	}
	return res.Lock, nil
}

func (f *lockFixture) mustLock(operator sdk.ValAddress, amount int64, epochs uint64) types.StakeLock {
	lock, err := f.lock(operator, amount, epochs)
	require.NoError(f.t, err)
	require.NoError(f.t, f.k.CheckInvariants(f.ctx))
	return lock
}

// state is everything that the module has stored.
func (f *lockFixture) state() *types.GenesisState {
	g, err := f.k.ExportGenesis(f.ctx)
	require.NoError(f.t, err)
	return g
}

func node(i byte) sdk.ValAddress { return append(sdk.ValAddress("node_______________"), i) }
