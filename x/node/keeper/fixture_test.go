package keeper_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/core/address"
	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/codec"
	addresscodec "github.com/cosmos/cosmos-sdk/codec/address"
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
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/node"
	"github.com/edgechain/edge/x/node/keeper"
	"github.com/edgechain/edge/x/node/types"
)

const (
	chainID  = "edge-test-1"
	faucet   = "faucet"
	wealth   = 1_000_000_000
	endpoint = "https://worker.example:8443"
)

// stakingStub knows which operators have a validator.
type stakingStub map[string]bool

// otherDenom as an operator stands for a staking coin that governance has replaced.
const otherDenom = "other staking coin"

func (s stakingStub) GetValidator(_ context.Context, addr sdk.ValAddress) (stakingtypes.Validator, error) {
	if !s[string(addr)] {
		return stakingtypes.Validator{}, stakingtypes.ErrNoValidatorFound
	}
	return stakingtypes.Validator{}, nil
}

func (s stakingStub) BondDenom(context.Context) (string, error) {
	if s[otherDenom] {
		return "uother", nil
	}
	return types.StakingDenom, nil
}

// bankFault is a bank whose sends to some accounts fail.
type bankFault struct {
	bankkeeper.BaseKeeper
	refuse map[string]bool
	// panics are the values that sends to some accounts panic with.
	panics map[string]any
}

var errRefused = errors.New("refused by the test")

func (b bankFault) SendCoinsFromModuleToAccount(ctx context.Context, module string, to sdk.AccAddress, amt sdk.Coins) error {
	// The coins move before the fault: what the caller does not undo shows in the invariants.
	if err := b.BaseKeeper.SendCoinsFromModuleToAccount(ctx, module, to, amt); err != nil {
		return err
	}
	if v, ok := b.panics[string(to)]; ok {
		panic(v)
	}
	if b.refuse[string(to)] {
		return errRefused
	}
	return nil
}

// fixture is x/node on real stores with the real accounts and balances of the SDK.
type fixture struct {
	t         *testing.T
	ctx       sdk.Context
	k         *keeper.Keeper
	msgs      types.MsgServer
	queries   types.QueryServer
	bank      bankFault
	staking   stakingStub
	accounts  address.Codec
	operators address.Codec
	authority string
	cdc       codec.Codec
	rand      *rand.Rand
	hashes    headerHashes
}

// headerHashes are the hashes of headers that the chain keeps, by height.
type headerHashes map[int64][]byte

func (h headerHashes) HeaderHash(_ context.Context, height int64) ([]byte, error) {
	hash, ok := h[height]
	if !ok {
		return nil, errors.New("not kept")
	}
	return hash, nil
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := newEmptyFixture(t)
	require.NoError(t, f.k.InitGenesis(f.ctx, *types.DefaultGenesis()))
	require.NoError(t, f.k.OpenEpoch(f.ctx, 1, nil))
	return f
}

// newEmptyFixture returns a fixture before genesis.
func newEmptyFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		t:         t,
		staking:   stakingStub{},
		accounts:  addresscodec.NewBech32Codec("edge"),
		operators: addresscodec.NewBech32Codec("edgevaloper"),
		cdc:       moduletestutil.MakeTestEncodingConfig(auth.AppModuleBasic{}, bank.AppModuleBasic{}, node.AppModule{}).Codec,
		rand:      rand.New(rand.NewPCG(1, 2)),
		hashes:    headerHashes{},
	}
	keys := storetypes.NewKVStoreKeys(authtypes.StoreKey, banktypes.StoreKey, types.StoreKey)
	f.ctx = testutil.DefaultContextWithKeys(keys, nil, nil).WithChainID(chainID).WithBlockHeight(10)

	var err error
	f.authority, err = f.accounts.BytesToString(authtypes.NewModuleAddress("gov"))
	require.NoError(t, err)
	perms := map[string][]string{faucet: {authtypes.Minter}, types.ModuleName: nil}
	ak := authkeeper.NewAccountKeeper(
		f.cdc, runtime.NewKVStoreService(keys[authtypes.StoreKey]), authtypes.ProtoBaseAccount, perms, f.accounts, "edge", f.authority,
	)
	require.NoError(t, ak.Params.Set(f.ctx, authtypes.DefaultParams()))
	f.bank = bankFault{
		BaseKeeper: bankkeeper.NewBaseKeeper(
			f.cdc, runtime.NewKVStoreService(keys[banktypes.StoreKey]), ak, nil, f.authority, log.NewNopLogger(),
		),
		refuse: map[string]bool{},
		panics: map[string]any{},
	}
	f.k = keeper.NewKeeper(f.cdc, runtime.NewKVStoreService(keys[types.StoreKey]), f.authority, f.accounts, f.operators, f.staking, f.bank)
	f.k.SetHeaderHashes(f.hashes)
	f.msgs, f.queries = keeper.NewMsgServerImpl(f.k), keeper.NewQueryServerImpl(f.k)
	return f
}

// operator returns a new operator with a validator and coins.
func (f *fixture) operator() sdk.ValAddress {
	f.t.Helper()
	addr := sdk.ValAddress(f.bytes(20))
	f.staking[string(addr)] = true
	f.fund(sdk.AccAddress(addr), wealth)
	return addr
}

func (f *fixture) fund(addr sdk.AccAddress, amount int64) {
	f.t.Helper()
	coins := sdk.NewCoins(sdk.NewInt64Coin(types.StakingDenom, amount))
	require.NoError(f.t, f.bank.MintCoins(f.ctx, faucet, coins))
	require.NoError(f.t, f.bank.BaseKeeper.SendCoinsFromModuleToAccount(f.ctx, faucet, addr, coins))
}

func (f *fixture) balance(addr []byte) int64 {
	return f.bank.GetBalance(f.ctx, addr, types.StakingDenom).Amount.Int64()
}

func (f *fixture) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(f.rand.Uint32())
	}
	return b
}

func (f *fixture) operatorText(addr sdk.ValAddress) string {
	f.t.Helper()
	s, err := f.operators.BytesToString(addr)
	require.NoError(f.t, err)
	return s
}

func (f *fixture) account() string {
	f.t.Helper()
	s, err := f.accounts.BytesToString(f.bytes(20))
	require.NoError(f.t, err)
	return s
}

// registration returns a valid message of the operator with a new peer key.
func (f *fixture) registration(operator sdk.ValAddress) *types.MsgRegisterWorker {
	f.t.Helper()
	peer := ed25519.NewKeyFromSeed(f.bytes(ed25519.SeedSize))
	return &types.MsgRegisterWorker{
		Operator:  f.operatorText(operator),
		PeerKey:   peer.Public().(ed25519.PublicKey),
		PeerProof: f.proof(peer, operator),
		Account:   f.account(),
		Endpoints: []string{endpoint},
		Region:    "eu-central",
		Capacity:  1 << 30,
	}
}

func (f *fixture) proof(peer ed25519.PrivateKey, operator []byte) []byte {
	return ed25519.Sign(peer, ack.AppendPeerProofSignBytes(nil, ack.HashChainID(chainID), operator))
}

func (f *fixture) register(operator sdk.ValAddress) uint64 {
	f.t.Helper()
	res, err := f.msgs.RegisterWorker(f.ctx, f.registration(operator))
	require.NoError(f.t, err)
	f.check()
	return res.WorkerId
}

func (f *fixture) remove(operator sdk.ValAddress, id uint64) {
	f.t.Helper()
	_, err := f.msgs.RemoveWorker(f.ctx, &types.MsgRemoveWorker{Operator: f.operatorText(operator), WorkerId: id})
	require.NoError(f.t, err)
	f.check()
}

func (f *fixture) open(epoch uint64) {
	f.t.Helper()
	require.NoError(f.t, f.k.OpenEpoch(f.ctx, epoch, nil))
	f.check()
}

func (f *fixture) endBlock() {
	f.t.Helper()
	require.NoError(f.t, f.k.EndBlock(f.ctx))
	f.check()
}

// check is called after every write.
func (f *fixture) check() {
	f.t.Helper()
	require.NoError(f.t, f.k.CheckInvariants(f.ctx))
}

// state returns all that the module exports, to see that a refused message changed nothing.
func (f *fixture) state() string {
	f.t.Helper()
	gs, err := f.k.ExportGenesis(f.ctx)
	require.NoError(f.t, err)
	return string(f.cdc.MustMarshalJSON(gs))
}

// events returns how many events of a type were emitted, and forgets all events.
func (f *fixture) events(name string) (n int) {
	for _, e := range f.ctx.EventManager().Events() {
		if e.Type == name {
			n++
		}
	}
	f.ctx = f.ctx.WithEventManager(sdk.NewEventManager())
	return n
}
