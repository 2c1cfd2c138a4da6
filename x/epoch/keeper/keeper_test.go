package keeper_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/collections"
	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	addresscodec "github.com/cosmos/cosmos-sdk/codec/address"
	"github.com/cosmos/cosmos-sdk/runtime"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/cosmos/cosmos-sdk/testutil/integration"
	sdk "github.com/cosmos/cosmos-sdk/types"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/edgechain/edge/x/epoch"
	"github.com/edgechain/edge/x/epoch/keeper"
	"github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const chainID = "edge-test"

var (
	genesisTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	authority   = authtypes.NewModuleAddress("gov").String()
	somebody    = sdk.AccAddress("somebody____________").String()
	errBoom     = errors.New("boom")
)

// node records what x/epoch announces to x/node, and tells who can be elected.
type node struct {
	opened []uint64
	seeds  [][]byte
	err    error
	panics any
	// standing by operator, StandingOK if there is none.
	standing map[string]nodetypes.Standing
	// unreadable makes every question for a standing fail, fault makes it panic.
	unreadable, fault error
}

func (n *node) OpenEpoch(_ context.Context, epoch uint64, seed []byte) error {
	if n.panics != nil {
		panic(n.panics)
	}
	if n.err != nil {
		return n.err
	}
	n.opened, n.seeds = append(n.opened, epoch), append(n.seeds, seed)
	return nil
}

func (n *node) Standing(_ context.Context, operator sdk.ValAddress, _ uint64) (nodetypes.Standing, error) {
	if n.fault != nil {
		panic(n.fault)
	}
	return n.standing[operator.String()], n.unreadable
}

// stage is a closer with a real store: it marks `items` items of an epoch, one a unit of budget, setting `bad` ones aside.
type stage struct {
	name  string
	k     *keeper.Keeper
	items uint64
	bad   map[uint64]error
	// at is called before an item is worked on, to make the stage fail there.
	at func(epoch, item uint64) error
	// stuck makes every call come back empty-handed.
	stuck bool

	cursor collections.Map[uint64, uint64]
	marks  collections.Map[collections.Pair[uint64, uint64], uint64]
	calls  int
}

func newStage(name string, items uint64) (*stage, *storetypes.KVStoreKey) {
	key := storetypes.NewKVStoreKey("stage-" + name)
	sb := collections.NewSchemaBuilder(runtime.NewKVStoreService(key))
	s := &stage{
		name:   name,
		items:  items,
		cursor: collections.NewMap(sb, collections.NewPrefix(0), "cursor", collections.Uint64Key, collections.Uint64Value),
		marks: collections.NewMap(sb, collections.NewPrefix(1), "marks",
			collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key), collections.Uint64Value),
	}
	if _, err := sb.Build(); err != nil {
		panic(err)
	}
	return s, key
}

func itemKey(i uint64) []byte { return binary.BigEndian.AppendUint64(nil, i) }

func (s *stage) Close(ctx context.Context, epoch uint64, budget uint32) (used uint32, done bool, err error) {
	s.calls++
	if s.stuck {
		return 0, false, nil
	}
	next, err := s.cursor.Get(ctx, epoch)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return 0, false, err
	}
	for ; used < budget && next < s.items; used, next = used+1, next+1 {
		if s.at != nil {
			if err := s.at(epoch, next); err != nil {
				return used, false, err
			}
		}
		if cause := s.bad[next]; cause != nil {
			err = s.k.SetAside(ctx, epoch, s.name, itemKey(next), cause)
		} else {
			err = s.mark(ctx, epoch, next)
		}
		if err != nil {
			return used, false, err
		}
	}
	return used, next == s.items, s.cursor.Set(ctx, epoch, next)
}

func (s *stage) RetryItem(ctx context.Context, epoch uint64, key []byte) error {
	i := binary.BigEndian.Uint64(key)
	if cause := s.bad[i]; cause != nil {
		return cause
	}
	return s.mark(ctx, epoch, i)
}

func (s *stage) mark(ctx context.Context, epoch, item uint64) error {
	n, err := s.marks.Get(ctx, collections.Join(epoch, item))
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return err
	}
	return s.marks.Set(ctx, collections.Join(epoch, item), n+1)
}

// marked returns how often each item of an epoch was marked.
func (s *stage) marked(ctx context.Context, t *testing.T, epoch uint64) []uint64 {
	t.Helper()
	out := make([]uint64, s.items)
	err := s.marks.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](epoch), func(k collections.Pair[uint64, uint64], n uint64) (bool, error) {
		out[k.K2()] = n
		return false, nil
	})
	require.NoError(t, err)
	return out
}

type fixture struct {
	t       *testing.T
	ctx     sdk.Context
	k       *keeper.Keeper
	node    *node
	staking *staking
	msgs    types.MsgServer
	query   types.QueryServer
	module  epoch.AppModule
	cdc     moduletestutil.TestEncodingConfig
	stages  []*stage
	comet   comet
}

// devParams are epochs of a minute, a committee of four seats that is handed over in consecutive blocks, and the given budget.
func devParams(budget uint32) types.Params {
	return types.Params{
		Duration: time.Minute, CloseBudget: budget, BeaconBlocks: 1, Seats: 4, StepBlocks: 1, MinCommittee: 1,
		MinCommitteeStake: math.LegacyNewDecWithPrec(9, 1), ReadyBlocks: 5,
	}
}

// newFixture has stages "sum" and "pay" of so many items each, one validator, and no genesis yet.
func newFixture(t *testing.T, items ...uint64) *fixture {
	t.Helper()
	storeKey := storetypes.NewKVStoreKey(types.StoreKey)
	keys := map[string]*storetypes.KVStoreKey{types.StoreKey: storeKey}
	f := &fixture{
		t: t, node: &node{standing: map[string]nodetypes.Standing{}}, staking: &staking{unbonding: 3 * time.Minute},
		cdc: moduletestutil.MakeTestEncodingConfig(epoch.AppModuleBasic{}),
	}
	f.staking.add(1_000)
	operators := addresscodec.NewBech32Codec(sdk.GetConfig().GetBech32ValidatorAddrPrefix())
	f.k = keeper.NewKeeper(f.cdc.Codec, runtime.NewKVStoreService(storeKey), authority, operators, f.node, f.staking)
	f.staking.hooks = f.k.Hooks()
	var stages []types.Stage
	for i, n := range items {
		s, key := newStage([]string{types.StageSum, types.StagePay}[i], n)
		s.k = f.k
		keys[key.Name()] = key
		f.stages = append(f.stages, s)
		stages = append(stages, types.Stage{Name: s.name, Closer: s})
	}
	f.k.SetStages(stages...)
	f.ctx = sdk.NewContext(integration.CreateMultiStore(keys, log.NewNopLogger()),
		cmtproto.Header{ChainID: chainID, Time: genesisTime}, false, log.NewNopLogger())
	f.msgs, f.query, f.module = keeper.NewMsgServerImpl(f.k), keeper.NewQueryServerImpl(f.k), epoch.NewAppModule(f.cdc.Codec, f.k)
	return f
}

// start runs a development genesis with epochs of a minute.
func (f *fixture) start(budget uint32) *fixture {
	f.t.Helper()
	return f.genesis(types.GenesisState{Params: devParams(budget), Development: true})
}

// genesis runs a genesis and gives CometBFT its validators.
func (f *fixture) genesis(g types.GenesisState) *fixture {
	f.t.Helper()
	updates, err := f.k.InitGenesis(f.ctx, g)
	require.NoError(f.t, err)
	f.startComet(updates)
	return f
}

// turn lets a minute pass and runs blocks of a second until the next epoch opens, and returns the events of that last block.
func (f *fixture) turn() sdk.Events {
	f.t.Helper()
	before, later := f.number(), time.Minute
	for range 1000 {
		events := f.block(later)
		if f.number() != before {
			return events
		}
		later = time.Second
	}
	f.t.Fatal("the epoch does not end")
	return nil
}

func (f *fixture) number() uint64 {
	f.t.Helper()
	n, err := f.k.CurrentNumber(f.ctx)
	require.NoError(f.t, err)
	return n
}

// newestSet returns the set that was sent last.
func (f *fixture) newestSet() types.ValidatorSet {
	f.t.Helper()
	resp, err := f.query.ValidatorSet(f.ctx, &types.QueryValidatorSetRequest{})
	require.NoError(f.t, err)
	return resp.Set
}

// headerHash is the hash of the header of a block.
func headerHash(height int64) []byte {
	hash := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("header"), uint64(height)))
	return hash[:]
}

// finish runs blocks of a second until the closing machine is idle, and returns how many.
func (f *fixture) finish() int {
	f.t.Helper()
	for n := range 1000 {
		if closing, err := f.k.Closing(f.ctx); err == nil && closing.Epoch == 0 {
			return n
		}
		f.block(time.Second)
	}
	f.t.Fatal("the closing machine does not end")
	return 0
}

func (f *fixture) epoch(n uint64) types.Epoch {
	f.t.Helper()
	e, err := f.k.Epoch(f.ctx, n)
	require.NoError(f.t, err)
	return e
}

func (f *fixture) setAside() []types.SetAsideItem {
	f.t.Helper()
	resp, err := f.query.SetAside(f.ctx, &types.QuerySetAsideRequest{})
	require.NoError(f.t, err)
	return resp.Items
}

func (f *fixture) export() *types.GenesisState {
	f.t.Helper()
	g, err := f.k.ExportGenesis(f.ctx)
	require.NoError(f.t, err)
	require.NoError(f.t, g.Validate())
	return g
}

// count returns how many events of a type there are.
func count(events sdk.Events, name string) (n int) {
	for _, e := range events {
		if e.Type == "edge.epoch.v1."+name {
			n++
		}
	}
	return n
}
