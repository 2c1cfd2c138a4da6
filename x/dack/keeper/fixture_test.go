package keeper_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/core/address"
	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/codec"
	addresscodec "github.com/cosmos/cosmos-sdk/codec/address"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/store/v2"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/dack/keeper"
	"github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const (
	chainID    = "edge-test-1"
	denom      = types.DefaultSettlementDenom
	faucet     = "faucet"
	rewards    = "rewards"
	workerID   = uint64(3)
	limitOfKey = 1_000_000_000
	firstEpoch = uint64(5)
	lastOfKey  = uint64(1_000)
	bigDeposit = 1_000_000_000
)

// T is what the fixture needs of testing.TB and rapid.T.
type T interface {
	require.TestingT
	Helper()
}

// fixture is x/dack on real stores with the real auth and bank keepers. Epoch and node are doubles.
type fixture struct {
	t         T
	ctx       sdk.Context
	cms       storetypes.CommitMultiStore
	storeKeys map[string]*storetypes.KVStoreKey
	objectKey *storetypes.ObjectStoreKey
	cdc       codec.Codec
	addresses address.Codec
	bank      bankkeeper.BaseKeeper
	epoch     *epochDouble
	node      *nodeDouble
	keeper    *keeper.Keeper
	msg       types.MsgServer
	query     types.QueryServer
	authority string
	worker    string // hot account of the worker
}

// epochDouble is a clock that the test sets.
type epochDouble struct {
	current uint64
	aside   []setAside
}

type setAside struct {
	epoch uint64
	stage string
	key   []byte
	cause error
}

func (e *epochDouble) CurrentNumber(context.Context) (uint64, error) { return e.current, nil }

func (e *epochDouble) SetAside(_ context.Context, epoch uint64, stage string, key []byte, cause error) error {
	e.aside = append(e.aside, setAside{epoch, stage, key, cause})
	return nil
}

// nodeDouble is a registry that the test fills.
type nodeDouble struct{ workers map[uint64]nodetypes.Worker }

func (n *nodeDouble) Worker(_ context.Context, id uint64) (nodetypes.Worker, error) {
	w, ok := n.workers[id]
	if !ok {
		return nodetypes.Worker{}, nodetypes.ErrWorkerNotFound
	}
	return w, nil
}

// operatorOf is the operator of a worker.
func operatorOf(worker uint64) string {
	return sdk.ValAddress(fmt.Sprintf("operator%012d", worker)).String()
}

// unitPrices make one byte and one fuel cost one unit each.
func unitPrices() types.Prices {
	return types.Prices{PerGib: math.NewInt(1 << 30), PerGfuel: math.NewInt(1_000_000_000)}
}

// storeNames are the stores of x/dack and of the modules under it.
func storeNames() []string {
	return append(types.PurseStoreKeys(), authtypes.StoreKey, banktypes.StoreKey, types.StoreKey)
}

func newFixture(t T) *fixture { return newFixtureOn(t, dbm.NewMemDB()) }

func newFixtureOn(t T, db dbm.DB) *fixture {
	t.Helper()
	f := &fixture{
		t: t, storeKeys: storetypes.NewKVStoreKeys(storeNames()...),
		objectKey: storetypes.NewObjectStoreKey(types.ObjectStoreKey),
		addresses: addresscodec.NewBech32Codec("edge"),
		epoch:     &epochDouble{current: firstEpoch}, node: &nodeDouble{workers: map[uint64]nodetypes.Worker{}},
	}
	cms := store.NewCommitMultiStore(db, log.NewNopLogger())
	for _, name := range storeNames() {
		cms.MountStoreWithDB(f.storeKeys[name], storetypes.StoreTypeIAVL, nil)
	}
	cms.MountStoreWithDB(f.objectKey, storetypes.StoreTypeObject, nil)
	require.NoError(t, cms.LoadLatestVersion())
	f.cms = cms
	f.ctx = sdk.NewContext(cms, cmtproto.Header{ChainID: chainID, Height: 1}, false, log.NewNopLogger())

	registry := codectypes.NewInterfaceRegistry()
	authtypes.RegisterInterfaces(registry)
	banktypes.RegisterInterfaces(registry)
	types.RegisterInterfaces(registry)
	f.cdc = codec.NewProtoCodec(registry)
	f.authority = f.address("gov")
	perms := map[string][]string{types.ModuleName: nil, rewards: nil, faucet: {authtypes.Minter}}
	auth := authkeeper.NewAccountKeeper(f.cdc, runtime.NewKVStoreService(f.storeKeys[authtypes.StoreKey]),
		authtypes.ProtoBaseAccount, perms, f.addresses, "edge", f.authority)
	require.NoError(t, auth.Params.Set(f.ctx, authtypes.DefaultParams()))
	blocked := map[string]bool{}
	for _, name := range []string{types.ModuleName, rewards} {
		auth.GetModuleAccount(f.ctx, name) // opens it
		blocked[authtypes.NewModuleAddress(name).String()] = true
	}
	f.bank = bankkeeper.NewBaseKeeper(f.cdc, runtime.NewKVStoreService(f.storeKeys[banktypes.StoreKey]), auth, blocked,
		f.authority, log.NewNopLogger())
	require.NoError(t, f.bank.SetParams(f.ctx, banktypes.DefaultParams()))
	f.keeper = f.newKeeper(f.bank)
	f.msg, f.query = keeper.NewMsgServerImpl(f.keeper), keeper.NewQueryServerImpl(f.keeper)

	gs := types.DefaultGenesis()
	gs.Params.Prices = unitPrices()
	gs.Params.MinDeposit = math.NewInt(100)
	gs.PriceChanges = nil
	require.NoError(t, f.keeper.InitGenesis(f.ctx, gs))
	f.worker = f.address("worker")
	f.node.workers[workerID] = nodetypes.Worker{Id: workerID, Operator: operatorOf(workerID), Account: f.worker, Status: nodetypes.WORKER_STATUS_ACTIVE}
	return f
}

func (f *fixture) newKeeper(bank types.BankKeeper) *keeper.Keeper {
	open := func(name string) corestore.KVStoreService { return runtime.NewKVStoreService(f.storeKeys[name]) }
	return keeper.NewKeeper(f.cdc, open, f.objectKey, f.authority, f.addresses, bank, f.epoch, f.node)
}

func (f *fixture) addr(name string) sdk.AccAddress {
	h := sha256.Sum256([]byte(name))
	return h[:20]
}

func (f *fixture) address(name string) string {
	text, err := f.addresses.BytesToString(f.addr(name))
	require.NoError(f.t, err)
	return text
}

func coin(amount int64) sdk.Coin { return sdk.NewInt64Coin(denom, amount) }

// fund gives coins to a named account.
func (f *fixture) fund(name string, amount int64) {
	f.t.Helper()
	coins := sdk.NewCoins(coin(amount))
	require.NoError(f.t, f.bank.MintCoins(f.ctx, faucet, coins))
	require.NoError(f.t, f.bank.SendCoinsFromModuleToAccount(f.ctx, faucet, f.addr(name), coins))
}

func (f *fixture) wallet(name string) int64 {
	return f.bank.GetBalance(f.ctx, f.addr(name), denom).Amount.Int64()
}

func (f *fixture) moduleBalance(name string) int64 {
	return f.bank.GetBalance(f.ctx, authtypes.NewModuleAddress(name), denom).Amount.Int64()
}

// deposit funds a named account and deposits all of it; it returns the account id.
func (f *fixture) deposit(name string, amount int64) uint64 {
	f.t.Helper()
	f.fund(name, amount)
	res, err := f.msg.Deposit(f.ctx, &types.MsgDeposit{Sender: f.address(name), Owner: f.address(name), Amount: coin(amount)})
	require.NoError(f.t, err)
	f.check()
	return res.AccountId
}

// clientKey is a registered key with its private part.
type clientKey struct {
	id      uint64
	account uint64
	private ed25519.PrivateKey
}

func privateKey(n uint64) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	binary.LittleEndian.PutUint64(seed, n)
	return ed25519.NewKeyFromSeed(seed)
}

func addKeyMsg(owner string, account uint64, private ed25519.PrivateKey, limit int64, last uint64) *types.MsgAddClientKey {
	return &types.MsgAddClientKey{
		Owner: owner, PublicKey: private.Public().(ed25519.PublicKey),
		Proof:      ed25519.Sign(private, ack.AppendKeyProofSignBytes(nil, ack.HashChainID(chainID), account)),
		SpendLimit: math.NewInt(limit), LastEpoch: last,
	}
}

// addKey registers the n-th key with a named account.
func (f *fixture) addKey(name string, account, n uint64, limit int64) clientKey {
	f.t.Helper()
	private := privateKey(n)
	res, err := f.msg.AddClientKey(f.ctx, addKeyMsg(f.address(name), account, private, limit, lastOfKey))
	require.NoError(f.t, err)
	f.check()
	return clientKey{id: res.KeyId, account: account, private: private}
}

// client opens an account with one key.
func (f *fixture) client(name string, n uint64, deposit int64) clientKey {
	f.t.Helper()
	return f.addKey(name, f.deposit(name, deposit), n, limitOfKey)
}

// ack signs an acknowledgement of the fixture's worker.
func (k clientKey) ack(epoch uint64, lane uint8, bytes uint64) types.Acknowledgement {
	return k.sign(ack.Ack{Epoch: epoch, Lane: lane, Bytes: bytes, Requests: bytes / 2})
}

func (k clientKey) sign(a ack.Ack) types.Acknowledgement {
	a.KeyID, a.WorkerID = k.id, workerID
	s := ack.Sign(k.private, ack.HashChainID(chainID), &a)
	return types.NewAcknowledgement(&s)
}

func (f *fixture) settleMsg(epoch uint64, acks ...types.Acknowledgement) *types.MsgSettle {
	return &types.MsgSettle{Account: f.worker, WorkerId: workerID, Epoch: epoch, Acks: acks}
}

// settle settles acknowledgements of an epoch, which must succeed as a message, and checks the invariants.
func (f *fixture) settle(epoch uint64, acks ...types.Acknowledgement) []types.AckResult {
	f.t.Helper()
	res, err := f.msg.Settle(f.ctx, f.settleMsg(epoch, acks...))
	require.NoError(f.t, err)
	require.Len(f.t, res.Results, len(acks))
	f.check()
	return res.Results
}

// check requires the invariants to hold.
func (f *fixture) check() {
	f.t.Helper()
	require.NoError(f.t, f.keeper.CheckInvariants(f.ctx))
}

// state is a digest of everything in the stores.
func (f *fixture) state() string {
	f.t.Helper()
	h := sha256.New()
	for _, name := range storeNames() {
		iter := f.ctx.KVStore(f.storeKeys[name]).Iterator(nil, nil)
		for ; iter.Valid(); iter.Next() {
			fmt.Fprintf(h, "%s %x %x\n", name, iter.Key(), iter.Value())
		}
		require.NoError(f.t, iter.Close())
	}
	iter := f.ctx.ObjectStore(f.objectKey).Iterator(nil, nil)
	for ; iter.Valid(); iter.Next() {
		if p, ok := iter.Value().(*types.Purse); ok {
			fmt.Fprintf(h, "%x %s\n", iter.Key(), p)
		}
	}
	require.NoError(f.t, iter.Close())
	totals, err := f.keeper.Totals(f.ctx)
	require.NoError(f.t, err)
	fmt.Fprintf(h, "%s\n", totals.String())
	return fmt.Sprintf("%x", h.Sum(nil))
}

// codeHash is the hash of the n-th code.
func codeHash(n byte) []byte { return bytes.Repeat([]byte{n}, types.CodeHashSize) }

// putService stores a function as its messages leave it. What is not said is something valid.
func (f *fixture) putService(s types.Service) {
	f.t.Helper()
	s.Kind, s.Name, s.CodeHash, s.Replicas = types.SERVICE_KIND_FUNCTION, "service", codeHash(1), 1
	s.Deposit = math.OneInt()
	if s.Owner == "" {
		s.Owner = f.address("owner")
	}
	if s.Next != nil {
		s.Next.CodeHash, s.Next.Replicas = s.CodeHash, s.Replicas
	}
	coins := sdk.NewCoins(coin(1))
	require.NoError(f.t, f.bank.MintCoins(f.ctx, faucet, coins))
	require.NoError(f.t, f.bank.SendCoinsFromModuleToModule(f.ctx, faucet, types.ModuleName, coins))
	require.NoError(f.t, f.keeper.PutService(f.ctx, s))
}

func (f *fixture) account(id uint64) types.Account {
	f.t.Helper()
	a, err := f.keeper.Account(f.ctx, id)
	require.NoError(f.t, err)
	return a
}

func (f *fixture) key(id uint64) *types.ClientKey {
	f.t.Helper()
	k, err := f.keeper.ClientKey(f.ctx, id)
	require.NoError(f.t, err)
	return &k
}

// openRevenue is the amount of the records of an epoch that are not summed.
func (f *fixture) openRevenue(epoch uint64) int64 {
	f.t.Helper()
	res, err := f.query.Revenue(f.ctx, &types.QueryRevenueRequest{Epoch: epoch})
	require.NoError(f.t, err)
	sum := math.ZeroInt()
	for _, r := range res.Records {
		sum = sum.Add(r.Revenue.Amount)
	}
	return sum.Int64()
}

// endBlock ends the block and begins the next one.
func (f *fixture) endBlock() {
	f.t.Helper()
	require.NoError(f.t, f.keeper.EndBlock(f.ctx))
	f.check()
	f.nextBlock()
	f.check()
}

// nextBlock empties the store that lives for one block, as Commit does.
func (f *fixture) nextBlock() {
	f.t.Helper()
	objects := f.ctx.ObjectStore(f.objectKey)
	iter := objects.Iterator(nil, nil)
	var keys [][]byte
	for ; iter.Valid(); iter.Next() {
		keys = append(keys, iter.Key())
	}
	require.NoError(f.t, iter.Close())
	for _, key := range keys {
		objects.Delete(key)
	}
}

// setParams changes the parameters as governance does.
func (f *fixture) setParams(change func(*types.Params)) {
	f.t.Helper()
	params, err := f.keeper.Params(f.ctx)
	require.NoError(f.t, err)
	change(&params)
	_, err = f.msg.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: f.authority, Params: params})
	require.NoError(f.t, err)
}

// requireRefused requires an error of a message and that it has changed nothing.
func (f *fixture) requireRefused(want error, deliver func() error) {
	f.t.Helper()
	before := f.state()
	require.ErrorIs(f.t, deliver(), want)
	require.Equal(f.t, before, f.state(), "a refused message has changed the state")
	f.check()
}

// reopen empties the module's stores and returns the context: a genesis state can be imported next to the bank's balances.
func (f *fixture) reopen() sdk.Context {
	f.t.Helper()
	for _, name := range append(types.PurseStoreKeys(), types.StoreKey) {
		store := f.ctx.KVStore(f.storeKeys[name])
		iter := store.Iterator(nil, nil)
		var keys [][]byte
		for ; iter.Valid(); iter.Next() {
			keys = append(keys, iter.Key())
		}
		require.NoError(f.t, iter.Close())
		for _, key := range keys {
			store.Delete(key)
		}
	}
	return f.ctx
}

// forWorker signs an acknowledgement of another worker.
func (k clientKey) forWorker(worker, epoch, bytes uint64) types.Acknowledgement {
	s := ack.Sign(k.private, ack.HashChainID(chainID), &ack.Ack{Epoch: epoch, KeyID: k.id, WorkerID: worker, Bytes: bytes, Requests: bytes / 2})
	return types.NewAcknowledgement(&s)
}
