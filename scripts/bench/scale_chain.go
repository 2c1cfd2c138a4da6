package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/app"
	"github.com/edgechain/edge/app/statedb"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const (
	// scaleWorkers settle in turn if there are enough lanes for so many.
	scaleWorkers = 100
	// scalePerMsg acknowledgements in a settlement: four of them fill a block of 40,000,000 gas.
	scalePerMsg = 950
	// scaleMsgs settlements in a block.
	scaleMsgs = 4
	// scaleOpened is what each live lane has acknowledged in the beginning, in bytes.
	scaleOpened = 1 << 20
	// scaleEpoch is how long an epoch is: the benchmarks end it by moving the clock.
	scaleEpoch = time.Hour
)

// scaleOptions say what state a scaleChain begins with.
type scaleOptions struct {
	// clients is the number of accounts, of keys, and of lane sets that live.
	clients int
	// dead are lanes of epoch 1 rather than of the epoch in which the load runs, and paid workers have revenue in epoch 2.
	dead bool
	paid int
	// executor of the blocks, with two workers.
	executor string
	// states is a folder that keeps states for later runs, if it is set.
	states string
}

// scaleChain is the real application on pebbledb with a large state. It is written through the keeper's InitGenesis: as a
// document it would be half a gigabyte of JSON.
type scaleChain struct {
	*benchChain
	options scaleOptions
	workers []scaleWorker
	epoch   uint64
	// turn counts settlements: whose turn it is, and which lanes.
	turn int
}

// scaleWorker settles lanes of its own clients: every so many keys one, at no regular distance.
type scaleWorker struct {
	id, account, seq uint64
	hot              *secp256k1.PrivKey
	keys             []uint64
	bytes            []uint64 // acknowledged so far, for each key
}

// newScaleChain makes a chain with a large state, opens it anew, and reads what settlements read: a node that has been running
// for some minutes has that in memory. With a folder for states, the state of an earlier run is taken if there is one.
func newScaleChain(dir string, options scaleOptions) (_ *scaleChain, err error) {
	app.Configure()
	app.LimitHeap()
	c := &scaleChain{
		benchChain: &benchChain{now: time.Unix(1_700_000_000, 0).UTC(), maxGas: app.DefaultConsensusParams().Block.MaxGas},
		options:    options, epoch: benchEpoch,
	}
	c.params = dacktypes.DefaultGenesis().Params
	c.proposer = scaleValidator().Address()
	workers := max(1, min(scaleWorkers, options.clients/scalePerMsg))
	for i := range workers {
		c.workers = append(c.workers, scaleWorker{
			id: uint64(i + 1), account: uint64(i), hot: secp256k1.GenPrivKeyFromSecret(fmt.Appendf(nil, "settler %d", i)),
		})
	}
	stride := max(1, options.clients/(options.clients/workers))
	for i := range c.workers {
		w := &c.workers[i]
		for first := 0; first+stride <= options.clients; first += stride {
			draw := sha256.Sum256(fmt.Appendf(nil, "%d %d", i, first))
			w.keys = append(w.keys, uint64(first)+binary.LittleEndian.Uint64(draw[:])%uint64(stride)+1)
		}
		w.bytes = make([]uint64, len(w.keys))
		if !options.dead {
			for j := range w.bytes {
				w.bytes[j] = scaleOpened
			}
		}
	}
	kept := ""
	if options.states != "" {
		kept = filepath.Join(options.states, fmt.Sprintf("%d-%t-%d", options.clients, options.dead, options.paid))
		if err := os.CopyFS(dir, os.DirFS(kept)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	if err := c.open(dir); err != nil {
		return nil, err
	}
	if c.app.LastBlockHeight() == 0 {
		if err := errors.Join(c.start(), c.fillState(), c.close()); err != nil {
			return nil, err
		}
		if kept != "" {
			if err := os.CopyFS(kept, os.DirFS(dir)); err != nil {
				return nil, err
			}
		}
		if err := c.open(dir); err != nil {
			return nil, err
		}
	}
	c.height = c.app.LastBlockHeight()
	c.now = time.Unix(1_700_000_000+c.height, 0).UTC()
	return c, c.warm()
}

// open opens the application with the settings of a node.
func (c *scaleChain) open(dir string) error {
	db, err := statedb.Open("application", filepath.Join(dir, "data"), dbm.PebbleDBBackend)
	if err != nil {
		return err
	}
	settings := simtestutil.AppOptionsMap{flags.FlagHome: dir, app.FlagRecordCacheBytes: statedb.RecordBytes}
	if c.options.executor != "" {
		settings["block-executor"], settings["block-stm-workers"] = c.options.executor, 2
	}
	c.app = app.New(log.NewNopLogger(), db, true, settings, baseapp.SetChainID(benchChainID),
		baseapp.SetIAVLCacheSize(statedb.TreeNodes), baseapp.SetIAVLDisableFastNode(true))
	return nil
}

// warm reads the records that settlements touch.
func (c *scaleChain) warm() error {
	read := func(name string, prefix []byte) error {
		store := c.app.CommitMultiStore().GetKVStore(c.app.StoreKey(name))
		it := store.Iterator(prefix, storetypes.PrefixEndBytes(prefix))
		for ; it.Valid(); it.Next() {
			store.Get(it.Key())
		}
		return it.Close()
	}
	err := read(dacktypes.StoreKey, dacktypes.KeysPrefix.Bytes())
	for _, name := range dacktypes.PurseStoreKeys() {
		err = errors.Join(err, read(name, dacktypes.PursePagesPrefix.Bytes()))
	}
	if !c.options.dead {
		err = errors.Join(err, read(dacktypes.StoreKey, dacktypes.LanesPrefix.Bytes()))
	}
	return err
}

func scaleValidator() crypto.PubKey {
	return cmted25519.GenPrivKeyFromSecret([]byte("validator")).PubKey()
}

// start begins the chain with the workers, and with somebody who has the coins of all clients.
func (c *scaleChain) start() error {
	cdc := c.app.AppCodec()
	state := map[string]json.RawMessage(c.app.DefaultGenesis())
	validator := scaleValidator()
	operator := sdk.AccAddress(validator.Address())

	var dack dacktypes.GenesisState
	cdc.MustUnmarshalJSON(state[dacktypes.ModuleName], &dack)
	c.params = dack.Params
	var node nodetypes.GenesisState
	cdc.MustUnmarshalJSON(state[nodetypes.ModuleName], &node)
	deposits := sdk.NewCoins()
	var accounts []authtypes.GenesisAccount
	var balances []banktypes.Balance
	for i := range c.workers {
		w := &c.workers[i]
		address := sdk.AccAddress(w.hot.PubKey().Address())
		peer, err := publicKey(privateKey("peer", w.id))
		if err != nil {
			return err
		}
		node.Workers = append(node.Workers, nodetypes.Worker{
			Id: w.id, Operator: sdk.ValAddress(operator).String(), PeerKey: peer, Account: address.String(),
			Endpoints: []string{"http://127.0.0.1:8480"}, Status: nodetypes.WORKER_STATUS_ACTIVE, Deposit: node.Params.WorkerDeposit,
		})
		deposits = deposits.Add(node.Params.WorkerDeposit)
		accounts = append(accounts, authtypes.NewBaseAccount(address, w.hot.PubKey(), w.account, 0))
		balances = append(balances, banktypes.Balance{Address: address.String(), Coins: sdk.NewCoins(sdk.NewInt64Coin(app.BondDenom, benchBalance))})
	}
	node.NextWorkerId = uint64(len(c.workers) + 1)
	state[nodetypes.ModuleName] = cdc.MustMarshalJSON(&node)
	var epoch epochtypes.GenesisState
	cdc.MustUnmarshalJSON(state[epochtypes.ModuleName], &epoch)
	epoch.Development, epoch.Params = true, epochtypes.DevelopmentParams()
	epoch.Params.Duration, epoch.Params.BeaconBlocks, epoch.Params.StepBlocks = scaleEpoch, 1, 1
	state[epochtypes.ModuleName] = cdc.MustMarshalJSON(&epoch)

	accounts = append(accounts, authtypes.NewBaseAccount(operator, nil, uint64(len(c.workers)), 0))
	state, err := simtestutil.GenesisStateWithValSet(cdc, state,
		cmttypes.NewValidatorSet([]*cmttypes.Validator{cmttypes.NewValidator(validator, 1)}), accounts, append(balances,
			banktypes.Balance{Address: operator.String(), Coins: sdk.NewCoins(sdk.NewCoin(c.params.SettlementDenom, c.owed()))},
			banktypes.Balance{Address: authtypes.NewModuleAddress(nodetypes.ModuleName).String(), Coins: deposits},
		)...)
	if err != nil {
		return err
	}
	document, err := json.Marshal(state)
	if err != nil {
		return err
	}
	params := app.DefaultConsensusParams().ToProto()
	if _, err := c.app.InitChain(&abci.RequestInitChain{
		ChainId: benchChainID, Time: c.now, ConsensusParams: &params, AppStateBytes: document, InitialHeight: 1,
	}); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	_, err = c.block(nil)
	return err
}

// owed is what x/dack's account must hold for the state of fillState.
func (c *scaleChain) owed() math.Int {
	return math.NewInt(benchBalance).MulRaw(int64(c.options.clients)).AddRaw(int64(c.options.paid) * paidRevenue)
}

// fillChunk is how many accounts are written between two commits, with their keys and lanes: the nodes of a state of millions
// do not fit into the memory of a small machine while they wait for one.
const fillChunk = 125_000

// paidRevenue is what each of the paid workers has earned.
const paidRevenue = 1_000_000

// fillState writes accounts, keys, lanes and revenue. The account of a key is another number: clients are hit at random.
func (c *scaleChain) fillState() error {
	n := uint64(c.options.clients)
	accountOf := func(key uint64) uint64 { return scatter(key-1, n) + 1 }
	keyOf := make([]uint64, n+1)
	for key := uint64(1); key <= n; key++ {
		keyOf[accountOf(key)] = key
	}
	for first := uint64(1); first <= n; first += fillChunk {
		last := min(first+fillChunk-1, n)
		var chunk dacktypes.GenesisState
		for id := first; id <= last; id++ {
			seed := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("owner"), id))
			chunk.Accounts = append(chunk.Accounts, dacktypes.Account{
				Id: id, Owner: sdk.AccAddress(seed[:20]).String(), Balance: math.NewInt(benchBalance), Keys: 1,
			})
		}
		keys := slices.Sorted(slices.Values(keyOf[first : last+1]))
		for _, key := range keys {
			public, err := publicKey(privateKey("client", key))
			if err != nil {
				return err
			}
			chunk.Keys = append(chunk.Keys, dacktypes.ClientKey{
				Id: key, AccountId: accountOf(key), PublicKey: public, SpendLimit: math.NewInt(benchBalance), LastEpoch: 1_000,
			})
		}
		for i := range c.workers {
			w := &c.workers[i]
			for _, key := range w.keys {
				if account := accountOf(key); account < first || account > last {
					continue
				}
				lane := dacktypes.Lane{Requests: 1, Bytes: scaleOpened, Head: make([]byte, ack.HeadSize), Paid: math.OneInt()}
				chunk.LaneSets = append(chunk.LaneSets, dacktypes.LaneSetRecord{
					Epoch: benchEpoch, WorkerId: w.id, KeyId: key, Lanes: dacktypes.LaneSet{Lanes: []dacktypes.Lane{lane}},
				})
			}
		}
		if err := c.write(chunk, math.NewInt(benchBalance).MulRaw(int64(len(chunk.Accounts)))); err != nil {
			return err
		}
	}
	if c.options.paid == 0 {
		return nil
	}
	operator := sdk.AccAddress(c.proposer)
	var earned dacktypes.GenesisState
	for id := range uint64(c.options.paid) {
		earned.Revenue = append(earned.Revenue, dacktypes.RevenueRecord{
			Epoch: benchEpoch + 1, WorkerId: id + 1, Operator: sdk.ValAddress(operator).String(), ProtocolAmount: math.NewInt(paidRevenue),
			Revenue: dacktypes.Revenue{Amount: math.NewInt(paidRevenue), Requests: 1, Bytes: 1},
		})
	}
	return c.write(earned, math.NewInt(paidRevenue).MulRaw(int64(c.options.paid)))
}

// write adds records to the state of x/dack, with the coins that its account must have for them, and commits.
func (c *scaleChain) write(records dacktypes.GenesisState, coins math.Int) error {
	n := uint64(c.options.clients)
	gs := dacktypes.DefaultGenesis()
	gs.Params, gs.NextAccountId, gs.NextKeyId = c.params, n+1, n+1
	gs.Accounts, gs.Keys, gs.LaneSets, gs.Revenue = records.Accounts, records.Keys, records.LaneSets, records.Revenue
	ctx := c.committed()
	if coins.IsPositive() {
		paid := sdk.NewCoins(sdk.NewCoin(c.params.SettlementDenom, coins))
		if err := c.app.BankKeeper.SendCoinsFromAccountToModule(ctx, sdk.AccAddress(c.proposer), dacktypes.ModuleName, paid); err != nil {
			return err
		}
	}
	if err := c.app.DackKeeper.InitGenesis(ctx, gs); err != nil {
		return err
	}
	_, err := c.block(nil)
	return err
}

// scatter is a permutation of the numbers below n that leaves no neighbours.
func scatter(i, n uint64) uint64 {
	const prime = 982_451_653
	return i * prime % n
}

func privateKey(kind string, id uint64) ed25519.PrivateKey {
	seed := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte(kind), id))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicKey(key ed25519.PrivateKey) (ed25519.PublicKey, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("no ed25519 key")
	}
	return public, nil
}

// load makes the settlements of a block: of four workers in turn, each of neighbouring lanes of the worker.
func (c *scaleChain) load(ctx context.Context) ([]settlement, [][]byte, error) {
	var settlements []settlement
	var txs [][]byte
	gas := uint64(0)
	for range scaleMsgs {
		w := &c.workers[c.turn%len(c.workers)]
		s, err := c.settleLanes(ctx, w, c.turn/len(c.workers)*scalePerMsg)
		if err != nil {
			return nil, nil, err
		}
		c.turn++
		gas += s.gas
		settlements, txs = append(settlements, s), append(txs, s.tx)
	}
	if gas > uint64(c.maxGas) {
		return nil, nil, fmt.Errorf("the block wants %d gas of %d", gas, c.maxGas)
	}
	return settlements, txs, nil
}

// settleLanes makes a settlement of a worker's lanes from one on, in which each client has received another MiB.
func (c *scaleChain) settleLanes(ctx context.Context, w *scaleWorker, from int) (settlement, error) {
	count := min(scalePerMsg, len(w.keys))
	from %= len(w.keys) - count + 1
	hash := ack.HashChainID(benchChainID)
	msg := &dacktypes.MsgSettle{Account: sdk.AccAddress(w.hot.PubKey().Address()).String(), WorkerId: w.id, Epoch: c.epoch}
	for i := from; i < from+count; i++ {
		w.bytes[i] += 1 << 20
		a := ack.Ack{Epoch: c.epoch, KeyID: w.keys[i], WorkerID: w.id, Requests: w.bytes[i] >> 20, Bytes: w.bytes[i]}
		a.Head = sha256.Sum256(binary.LittleEndian.AppendUint64(nil, w.bytes[i]))
		s := ack.Sign(privateKey("client", a.KeyID), hash, &a)
		msg.Acks = append(msg.Acks, dacktypes.Acknowledgement{
			KeyId: a.KeyID, Requests: a.Requests, Bytes: a.Bytes, Head: s.Head[:], Signature: s.Signature[:],
		})
	}
	s, err := c.sign(ctx, msg, w.hot, w.account, w.seq)
	w.seq++
	return s, err
}

// fullBlock executes and commits a block full of settlements and returns how many acknowledgements it paid, and how long it
// took.
func (c *scaleChain) fullBlock(ctx context.Context) (int, time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	settlements, txs, err := c.load(ctx)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	results, err := c.block(txs)
	took := time.Since(began)
	if err != nil {
		return 0, 0, err
	}
	acks := 0
	for _, s := range settlements {
		acks += s.acks
	}
	return acks, took, paid(settlements, results)
}

// nextEpoch says that the load runs in a later epoch, in which no lane is open.
func (c *scaleChain) nextEpoch() {
	c.epoch++
	for i := range c.workers {
		clear(c.workers[i].bytes)
	}
}

// endEpoch ends the epoch of the chain and lets the load go on in the next one.
func (c *scaleChain) endEpoch() error {
	c.now = c.now.Add(scaleEpoch)
	for range 100 {
		if _, err := c.block(nil); err != nil {
			return err
		}
		current, err := c.app.EpochKeeper.CurrentNumber(c.committed())
		if err != nil {
			return err
		}
		if current > c.epoch {
			c.nextEpoch()
			return nil
		}
	}
	return fmt.Errorf("epoch %d does not end", c.epoch)
}

// committed is a context on the last committed state itself: what is written is part of the next commit.
func (c *scaleChain) committed() sdk.Context {
	header := cmtproto.Header{ChainID: benchChainID, Height: c.height, Time: c.now}
	return sdk.NewContext(c.app.CommitMultiStore(), header, false, c.app.Logger())
}

// closedAndPruned reports whether the epoch of the load is closed to the end and the lanes of the one before are gone.
func (c *scaleChain) closedAndPruned() (bool, error) {
	ctx := c.committed()
	current, err := c.app.EpochKeeper.CurrentNumber(ctx)
	if err != nil || current == c.epoch {
		return false, err
	}
	total, err := c.app.DackKeeper.EpochTotal(ctx, c.epoch)
	if errors.Is(err, dacktypes.ErrNotSummed) {
		return false, nil
	}
	if err != nil || !total.Released {
		return false, err
	}
	prefix := dacktypes.LanesPrefix.Bytes()
	dead := binary.BigEndian.AppendUint64(append([]byte{}, prefix...), c.epoch)
	it := c.app.CommitMultiStore().GetKVStore(c.app.StoreKey(dacktypes.StoreKey)).Iterator(prefix, dead)
	defer it.Close()
	return !it.Valid(), nil
}
