package keeper_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	addresscodec "github.com/cosmos/cosmos-sdk/codec/address"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	"github.com/cosmos/cosmos-sdk/runtime"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/cosmos/cosmos-sdk/testutil/integration"
	sdk "github.com/cosmos/cosmos-sdk/types"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/bank"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	"github.com/edgechain/edge/x/epoch"
	epochkeeper "github.com/edgechain/edge/x/epoch/keeper"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
	"github.com/edgechain/edge/x/rewards"
	"github.com/edgechain/edge/x/rewards/keeper"
	"github.com/edgechain/edge/x/rewards/types"
)

const (
	denom  = "uusd"
	token  = types.EmissionDenom
	prefix = "cosmos"
	faucet = "faucet"
	// tokens that exist at genesis.
	tokens = 1_000_000_000_000
)

var (
	genesisTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	authority   = authtypes.NewModuleAddress("gov").String()
	somebody    = sdk.AccAddress("somebody____________").String()
	account     = authtypes.NewModuleAddress(types.ModuleName)
	errBoom     = errors.New("boom")

	encoding = moduletestutil.MakeTestEncodingConfig(
		auth.AppModuleBasic{}, bank.AppModuleBasic{}, epoch.AppModuleBasic{}, rewards.AppModuleBasic{})
)

// record is what a worker earned with a service.
type record struct {
	worker, service uint64
	amount          int64
}

// dack is x/dack as far as x/rewards sees it: summed records of each epoch, and their money in the module account.
type dack struct {
	bank      bankkeeper.BaseKeeper
	records   map[uint64][]record
	owners    map[uint64]string // services that are not there are the protocol's
	collected collections.KeySet[uint64]
	released  map[uint64]bool
	missing   map[uint64]bool // workers whose totals name no operator for now
	err       error
	// spoil changes what the totals say.
	spoil func([]dacktypes.RevenueRecord) []dacktypes.RevenueRecord
}

func (d *dack) SettlementDenom(context.Context) (string, error) { return denom, nil }

func (d *dack) CollectRevenue(ctx context.Context, epoch uint64, module string) (math.Int, error) {
	if d.err != nil {
		return math.Int{}, d.err
	}
	if has, err := d.collected.Has(ctx, epoch); err != nil || has {
		return math.Int{}, errors.Join(err, errors.New("collected already"))
	}
	sum := math.ZeroInt()
	for _, r := range d.records[epoch] {
		sum = sum.AddRaw(r.amount)
	}
	if sum.IsPositive() {
		if err := d.bank.SendCoinsFromModuleToModule(ctx, dacktypes.ModuleName, module, coins(sum)); err != nil {
			return math.Int{}, err
		}
	}
	return sum, d.collected.Set(ctx, epoch)
}

func (d *dack) WorkerTotals(_ context.Context, epoch, from uint64, limit uint32) ([]dacktypes.RevenueRecord, error) {
	return d.totals(epoch, from, limit, func(r record) uint64 { return r.worker }, func(r *dacktypes.RevenueRecord, id uint64) {
		r.WorkerId, r.ProtocolAmount = id, math.ZeroInt()
		for _, served := range d.records[epoch] {
			if served.worker == id && d.owners[served.service] == "" {
				r.ProtocolAmount = r.ProtocolAmount.AddRaw(served.amount)
			}
		}
		if !d.missing[id] {
			r.Operator = sdk.ValAddress(operator(id)).String()
		}
	})
}

func (d *dack) ServiceTotals(_ context.Context, epoch, from uint64, limit uint32) ([]dacktypes.RevenueRecord, error) {
	return d.totals(epoch, from, limit, func(r record) uint64 { return r.service }, func(r *dacktypes.RevenueRecord, id uint64) {
		r.ServiceId, r.Owner = id, d.owners[id]
	})
}

func (d *dack) totals(epoch, from uint64, limit uint32, id func(record) uint64, name func(*dacktypes.RevenueRecord, uint64)) ([]dacktypes.RevenueRecord, error) {
	if d.err != nil {
		return nil, d.err
	}
	var ids []uint64
	sums := map[uint64]int64{}
	for _, r := range d.records[epoch] {
		if _, ok := sums[id(r)]; !ok {
			ids = append(ids, id(r))
		}
		sums[id(r)] += r.amount
	}
	slices.Sort(ids)
	var out []dacktypes.RevenueRecord
	for _, i := range ids {
		if i >= from && len(out) < int(limit) {
			r := dacktypes.RevenueRecord{Epoch: epoch}
			r.Revenue.Amount = math.NewInt(sums[i])
			name(&r, i)
			out = append(out, r)
		}
	}
	if d.spoil != nil {
		out = d.spoil(out)
	}
	return out, nil
}

// ReleaseTotals requires what x/dack does, and that it is the last step.
func (d *dack) ReleaseTotals(ctx context.Context, epoch uint64) error {
	if has, err := d.collected.Has(ctx, epoch); err != nil || !has {
		return errors.Join(err, errors.New("not collected"))
	}
	d.released[epoch] = true
	return d.err
}

// nodes is x/node as far as x/epoch sees it.
type nodes struct{}

func (nodes) OpenEpoch(context.Context, uint64, []byte) error { return nil }

func (nodes) Standing(context.Context, sdk.ValAddress, uint64) (nodetypes.Standing, error) {
	return nodetypes.StandingOK, nil
}

// validators is x/staking as far as x/epoch sees it: one validator, which always sits in the committee.
type validators struct{ one stakingtypes.Validator }

func newValidators(t *testing.T) validators {
	t.Helper()
	key, err := codectypes.NewAnyWithValue(ed25519.GenPrivKeyFromSecret([]byte("validator")).PubKey())
	require.NoError(t, err)
	return validators{stakingtypes.Validator{
		OperatorAddress: sdk.ValAddress("validator___________").String(), ConsensusPubkey: key, Status: stakingtypes.Bonded,
		Tokens: math.NewInt(1_000), DelegatorShares: math.LegacyNewDec(1_000),
	}}
}

func (v validators) GetValidator(context.Context, sdk.ValAddress) (stakingtypes.Validator, error) {
	return v.one, nil
}

func (v validators) GetBondedValidatorsByPower(context.Context) ([]stakingtypes.Validator, error) {
	return []stakingtypes.Validator{v.one}, nil
}

func (validators) PendingConsKeyRotations(context.Context) (stakingkeeper.PendingRotations, error) {
	return nil, nil
}

func (validators) UnbondingTime(context.Context) (time.Duration, error) { return time.Hour, nil }

func (validators) GetUnbondingDelegation(context.Context, sdk.AccAddress, sdk.ValAddress) (stakingtypes.UnbondingDelegation, error) {
	return stakingtypes.UnbondingDelegation{}, stakingtypes.ErrNoUnbondingDelegation
}

func (validators) GetRedelegations(context.Context, sdk.AccAddress, uint16) ([]stakingtypes.Redelegation, error) {
	return nil, nil
}

// staking is x/staking and x/slashing as far as x/rewards sees them: every operator has a bonded validator, unless something is
// said of it.
type staking struct {
	gone, poor, tombstoned, jailed map[string]bool                    // by operator address
	status                         map[string]stakingtypes.BondStatus // bonded if it is not there
	err                            error                              // of GetValidator
}

func newStaking() *staking {
	return &staking{
		gone: map[string]bool{}, poor: map[string]bool{}, tombstoned: map[string]bool{}, jailed: map[string]bool{},
		status: map[string]stakingtypes.BondStatus{},
	}
}

func (s *staking) GetValidator(_ context.Context, operator sdk.ValAddress) (stakingtypes.Validator, error) {
	if s.err != nil {
		return stakingtypes.Validator{}, s.err
	}
	name := operator.String()
	if s.gone[name] {
		return stakingtypes.Validator{}, stakingtypes.ErrNoValidatorFound
	}
	key, err := codectypes.NewAnyWithValue(ed25519.GenPrivKeyFromSecret(operator).PubKey())
	if err != nil {
		return stakingtypes.Validator{}, err
	}
	v := stakingtypes.Validator{
		OperatorAddress: name, ConsensusPubkey: key, Status: stakingtypes.Bonded, Jailed: s.jailed[name],
		Tokens: math.NewInt(1_000), DelegatorShares: math.LegacyNewDec(1_000),
		Commission: stakingtypes.NewCommission(math.LegacyNewDecWithPrec(10, 2), math.LegacyOneDec(), math.LegacyOneDec()),
	}
	if status, ok := s.status[name]; ok {
		v.Status = status
	}
	if s.poor[name] {
		v.Tokens = math.ZeroInt()
	}
	return v, nil
}

func (s *staking) IsTombstoned(_ context.Context, consAddress sdk.ConsAddress) bool {
	for name := range s.tombstoned {
		operator, err := sdk.ValAddressFromBech32(name)
		if err == nil && s.tombstoned[name] && consAddress.Equals(sdk.ConsAddress(ed25519.GenPrivKeyFromSecret(operator).PubKey().Address())) {
			return true
		}
	}
	return false
}

func (*staking) GetBondedValidatorsByPower(context.Context) ([]stakingtypes.Validator, error) {
	return nil, nil
}

func (*staking) GetDelegation(context.Context, sdk.AccAddress, sdk.ValAddress) (stakingtypes.Delegation, error) {
	return stakingtypes.Delegation{}, stakingtypes.ErrNoDelegation
}

func (*staking) ValidateUnbondAmount(context.Context, sdk.AccAddress, sdk.ValAddress, math.Int) (math.LegacyDec, error) {
	return math.LegacyDec{}, stakingtypes.ErrNoDelegation
}

// addresses is x/staking as far as x/distribution needs it here.
type addresses struct {
	distrtypes.StakingKeeper
	codec address.Codec
}

func (a addresses) ValidatorAddressCodec() address.Codec { return a.codec }

// clock is x/epoch with a current epoch that can be set.
type clock struct {
	*epochkeeper.Keeper
	at *uint64
}

func (c clock) CurrentNumber(ctx context.Context) (uint64, error) {
	if *c.at != 0 {
		return *c.at, nil
	}
	return c.Keeper.CurrentNumber(ctx)
}

// operator of a worker: every two workers share one.
func operator(worker uint64) sdk.AccAddress {
	return sdk.AccAddress(slices.Concat([]byte("operator___________"), []byte{byte(worker / 2)}))
}

func owner(service uint64) sdk.AccAddress {
	return sdk.AccAddress(slices.Concat([]byte("owner______________"), []byte{byte(service)}))
}

// failingBank is x/bank with recipients that cannot be paid for now.
type failingBank struct {
	bankkeeper.BaseKeeper
	fail func(sdk.AccAddress) error
	mint func() error // instead of minting for x/rewards
}

func (b *failingBank) SendCoinsFromModuleToAccount(ctx context.Context, module string, to sdk.AccAddress, amt sdk.Coins) error {
	if err := b.BaseKeeper.SendCoinsFromModuleToAccount(ctx, module, to, amt); err != nil {
		return err
	}
	if b.fail != nil {
		return b.fail(to) // after the coins have moved: the branch must be thrown away
	}
	return nil
}

// failingDistribution is x/distribution with a community pool and with nodes that can fail.
type failingDistribution struct {
	distrkeeper.Keeper
	err  error
	node func(operator string) error
}

func (d *failingDistribution) AllocateTokensToValidator(ctx context.Context, v stakingtypes.ValidatorI, tokens sdk.DecCoins) error {
	if err := d.Keeper.AllocateTokensToValidator(ctx, v, tokens); err != nil {
		return err
	}
	if d.node != nil {
		return d.node(v.GetOperator())
	}
	return nil
}

func (d *failingDistribution) FundCommunityPool(ctx context.Context, amt sdk.Coins, from sdk.AccAddress) error {
	if err := d.Keeper.FundCommunityPool(ctx, amt, from); err != nil {
		return err
	}
	return d.err
}

// fixture is x/rewards on real stores with the real x/auth, x/bank, x/distribution and x/epoch.
type fixture struct {
	t      *testing.T
	ctx    sdk.Context
	k      *keeper.Keeper
	epochs *epochkeeper.Keeper
	bank   *failingBank
	distr  *failingDistribution
	dack   *dack
	nodes  *staking
	at     uint64 // the open epoch as x/rewards sees it, unless 0
	msgs   types.MsgServer
	epoch  epochtypes.MsgServer
	query  types.QueryServer
	module rewards.AppModule
	supply math.Int
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	keys := storetypes.NewKVStoreKeys(authtypes.StoreKey, banktypes.StoreKey, distrtypes.StoreKey, epochtypes.StoreKey, types.StoreKey, dacktypes.ModuleName)
	cdc, ac, vc := encoding.Codec, addresscodec.NewBech32Codec(prefix), addresscodec.NewBech32Codec(prefix+"valoper")
	accounts := authkeeper.NewAccountKeeper(cdc, runtime.NewKVStoreService(keys[authtypes.StoreKey]), authtypes.ProtoBaseAccount, map[string][]string{
		types.ModuleName: {authtypes.Minter}, dacktypes.ModuleName: nil, distrtypes.ModuleName: nil, faucet: {authtypes.Minter},
	}, ac, prefix, authority)
	blocked := map[string]bool{authtypes.NewModuleAddress(distrtypes.ModuleName).String(): true}
	base := bankkeeper.NewBaseKeeper(cdc, runtime.NewKVStoreService(keys[banktypes.StoreKey]), accounts, blocked, authority, log.NewNopLogger())

	f := &fixture{t: t, bank: &failingBank{BaseKeeper: base}, nodes: newStaking(), supply: math.ZeroInt()}
	f.distr = &failingDistribution{Keeper: distrkeeper.NewKeeper(cdc, runtime.NewKVStoreService(keys[distrtypes.StoreKey]), accounts, base, addresses{codec: vc}, authtypes.FeeCollectorName, authority)}
	sb := collections.NewSchemaBuilder(runtime.NewKVStoreService(keys[dacktypes.ModuleName]))
	f.dack = &dack{
		bank: base, records: map[uint64][]record{}, owners: map[uint64]string{0: ""},
		released: map[uint64]bool{}, missing: map[uint64]bool{},
		collected: collections.NewKeySet(sb, collections.NewPrefix(0), "collected", collections.Uint64Key),
	}
	_, err := sb.Build()
	require.NoError(t, err)
	f.epochs = epochkeeper.NewKeeper(cdc, runtime.NewKVStoreService(keys[epochtypes.StoreKey]), authority,
		addresscodec.NewBech32Codec(sdk.GetConfig().GetBech32ValidatorAddrPrefix()), nodes{}, newValidators(t))
	f.k = keeper.NewKeeper(cdc, runtime.NewKVStoreService(keys[types.StoreKey]), authority, ac, vc, f.bank, f.distr, f.nodes, f.nodes, f.dack, clock{f.epochs, &f.at})
	f.epochs.SetStages(epochtypes.Stage{Name: epochtypes.StagePay, Closer: f.k})
	f.msgs, f.query, f.epoch = keeper.NewMsgServerImpl(f.k), keeper.NewQueryServerImpl(f.k), epochkeeper.NewMsgServerImpl(f.epochs)
	f.module = rewards.NewAppModule(cdc, f.k)

	f.ctx = sdk.NewContext(integration.CreateMultiStore(keys, log.NewNopLogger()),
		cmtproto.Header{ChainID: "edge-test", Time: genesisTime}, false, log.NewNopLogger())
	require.NoError(t, base.SetParams(f.ctx, banktypes.DefaultParams()))
	require.NoError(t, f.distr.FeePool.Set(f.ctx, distrtypes.InitialFeePool()))
	return f
}

// start runs the genesis with epochs of a minute, the budget and the parameters.
func (f *fixture) start(budget uint32, params types.Params) *fixture {
	f.t.Helper()
	return f.startFrom(budget, types.GenesisState{Params: params})
}

// startFrom runs the genesis of a new chain from a document of x/rewards.
func (f *fixture) startFrom(budget uint32, g types.GenesisState) *fixture {
	f.t.Helper()
	f.startClock(budget)
	require.NoError(f.t, f.bank.MintCoins(f.ctx, faucet, sdk.NewCoins(sdk.NewInt64Coin(token, tokens))))
	require.NoError(f.t, f.k.InitGenesis(f.ctx, g))
	return f
}

// startClock runs the genesis of x/epoch alone.
func (f *fixture) startClock(budget uint32) *fixture {
	f.t.Helper()
	clock := epochtypes.DevelopmentParams()
	clock.Duration, clock.CloseBudget, clock.BeaconBlocks, clock.StepBlocks = time.Minute, budget, 1, 1
	_, err := f.epochs.InitGenesis(f.ctx, epochtypes.GenesisState{Params: clock, Development: true})
	require.NoError(f.t, err)
	return f
}

// earn makes the records of an epoch and gives x/dack the money that they stand for.
func (f *fixture) earn(epoch uint64, records ...record) {
	f.t.Helper()
	f.dack.records[epoch] = records
	sum := math.ZeroInt()
	for _, r := range records {
		sum = sum.AddRaw(r.amount)
	}
	if sum.IsPositive() {
		require.NoError(f.t, f.bank.MintCoins(f.ctx, faucet, coins(sum)))
		require.NoError(f.t, f.bank.SendCoinsFromModuleToModule(f.ctx, faucet, dacktypes.ModuleName, coins(sum)))
	}
	f.supply = f.supply.Add(sum)
}

// block ends one block and checks the books after it. Blocks that only elect and seat the next committee, between which nothing
// happens here, are run along: an epoch ends with the block in which its duration is over, unless the last one is still closing.
func (f *fixture) block(later time.Duration) {
	f.t.Helper()
	for f.waits() {
		f.one(0)
	}
	f.one(later)
	for {
		if e, err := f.epochs.Current(f.ctx); err != nil || e.Phase != epochtypes.PHASE_FROZEN {
			return
		}
		f.one(0)
	}
}

// waits says whether seats are still to be handed over though the last epoch is closed.
func (f *fixture) waits() bool {
	f.t.Helper()
	h, err := f.epochs.HandOver(f.ctx)
	if err != nil {
		return false // before genesis
	}
	closing, err := f.epochs.Closing(f.ctx)
	require.NoError(f.t, err)
	return h.Steps < 4 && closing.Epoch == 0
}

func (f *fixture) one(later time.Duration) {
	f.t.Helper()
	f.ctx = f.ctx.WithBlockHeight(f.ctx.BlockHeight() + 1).WithBlockTime(f.ctx.BlockTime().Add(later)).
		WithEventManager(sdk.NewEventManager())
	require.NoError(f.t, f.module.EndBlock(f.ctx))
	_, err := f.epochs.EndBlock(f.ctx)
	require.NoError(f.t, err)
	f.check()
}

// check asserts the books: the invariants of the module and that no coin appeared or vanished.
func (f *fixture) check() {
	f.t.Helper()
	require.NoError(f.t, f.k.CheckInvariants(f.ctx))
	require.Equal(f.t, f.supply.String(), f.bank.GetSupply(f.ctx, denom).Amount.String())
	history, err := f.k.Supply(f.ctx)
	require.NoError(f.t, err)
	require.Equal(f.t, history.Total().String(), f.bank.GetSupply(f.ctx, token).Amount.String())
}

// close ends the open epoch and runs blocks until it is closed; it returns how many.
func (f *fixture) close() (blocks int) {
	f.t.Helper()
	f.block(time.Minute)
	for ; blocks < 1000; blocks++ {
		if c, err := f.epochs.Closing(f.ctx); err == nil && c.Epoch == 0 {
			return blocks
		}
		f.block(time.Second)
	}
	f.t.Fatal("the epoch is never closed")
	return 0
}

func (f *fixture) summary(epoch uint64) types.EpochSummary {
	f.t.Helper()
	s, err := f.k.Summary(f.ctx, epoch)
	require.NoError(f.t, err)
	return s
}

func (f *fixture) payouts(epoch uint64) []types.Payout {
	f.t.Helper()
	resp, err := f.query.Payouts(f.ctx, &types.QueryPayoutsRequest{Epoch: epoch})
	require.NoError(f.t, err)
	return resp.Payouts
}

func (f *fixture) setAside() []types.Payout {
	f.t.Helper()
	resp, err := f.query.SetAside(f.ctx, &types.QuerySetAsideRequest{})
	require.NoError(f.t, err)
	return resp.Payouts
}

func (f *fixture) balance(addr sdk.AccAddress) int64 {
	return f.bank.GetBalance(f.ctx, addr, denom).Amount.Int64()
}

// pool is what the community pool holds, by x/distribution's own records.
func (f *fixture) pool() int64 {
	f.t.Helper()
	amount := f.poolOf(denom)
	require.Equal(f.t, amount, f.balance(authtypes.NewModuleAddress(distrtypes.ModuleName)))
	return amount
}

func (f *fixture) poolOf(denom string) int64 {
	f.t.Helper()
	pool, err := f.distr.FeePool.Get(f.ctx)
	require.NoError(f.t, err)
	amount := pool.CommunityPool.AmountOf(denom)
	require.True(f.t, amount.IsInteger())
	return amount.TruncateInt64()
}

func coins(amount math.Int) sdk.Coins { return sdk.NewCoins(sdk.NewCoin(denom, amount)) }

func dec(s string) math.LegacyDec { return math.LegacyMustNewDecFromStr(s) }

// setCurrent says which epoch is open, for rules that look back over many.
func (f *fixture) setCurrent(epoch uint64) { f.at = epoch }
