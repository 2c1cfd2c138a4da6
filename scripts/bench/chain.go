package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/baseapp"
	clienttx "github.com/cosmos/cosmos-sdk/client/tx"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/app"
	"github.com/edgechain/edge/app/statedb"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const (
	benchChainID = "edge-bench-1"
	benchWorker  = 1
	benchEpoch   = 1
	// benchBalance is what each client has; no benchmark spends it up.
	benchBalance = 1_000_000_000_000
)

// benchClient is a client with an account and a key of its own; account and key have the same id.
type benchClient struct {
	id  uint64
	key ed25519.PrivateKey
	// bytes and requests that it has acknowledged so far.
	bytes, requests uint64
}

// benchChain is the real application on pebbledb, fed block by block.
type benchChain struct {
	app     *app.App
	height  int64
	now     time.Time
	settler *secp256k1.PrivKey
	account uint64
	seq     uint64
	params  dacktypes.Params
	maxGas  int64
	clients []benchClient
	// proposer is the address of the only validator.
	proposer []byte
}

// newBenchChain makes a chain with a worker and a number of clients in its genesis.
func newBenchChain(dir string, clients int) (*benchChain, error) {
	app.Configure()
	db, err := statedb.Open("application", filepath.Join(dir, "data"), dbm.PebbleDBBackend)
	if err != nil {
		return nil, err
	}
	c := &benchChain{
		now:     time.Unix(1_700_000_000, 0).UTC(),
		settler: secp256k1.GenPrivKeyFromSecret([]byte("settler")),
		app:     app.New(log.NewNopLogger(), db, true, simtestutil.NewAppOptionsWithFlagHome(dir), baseapp.SetChainID(benchChainID)),
	}
	state, err := c.genesis(clients)
	if err != nil {
		return nil, err
	}
	params := app.DefaultConsensusParams().ToProto()
	c.maxGas = params.Block.MaxGas
	if _, err := c.app.InitChain(&abci.RequestInitChain{
		ChainId: benchChainID, Time: c.now, ConsensusParams: &params, AppStateBytes: state, InitialHeight: 1,
	}); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	if _, err := c.block(nil); err != nil {
		return nil, err
	}
	return c, nil
}

// close ends the application, which closes its database.
func (c *benchChain) close() error { return c.app.Close() }

func (c *benchChain) genesis(clients int) ([]byte, error) {
	cdc := c.app.AppCodec()
	state := map[string]json.RawMessage(c.app.DefaultGenesis())
	validator := cmted25519.GenPrivKeyFromSecret([]byte("validator")).PubKey()
	c.proposer = validator.Address()
	settler := sdk.AccAddress(c.settler.PubKey().Address())
	operator := sdk.AccAddress(validator.Address())

	var dack dacktypes.GenesisState
	cdc.MustUnmarshalJSON(state[dacktypes.ModuleName], &dack)
	c.params = dack.Params
	total := math.ZeroInt()
	for i := range clients {
		id := uint64(i + 1)
		seed := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("client"), id))
		key := ed25519.NewKeyFromSeed(seed[:])
		public, ok := key.Public().(ed25519.PublicKey)
		if !ok {
			return nil, errors.New("no ed25519 key")
		}
		owner := sdk.AccAddress(seed[:20]).String()
		dack.Accounts = append(dack.Accounts, dacktypes.Account{Id: id, Owner: owner, Balance: math.NewInt(benchBalance), Keys: 1})
		dack.Keys = append(dack.Keys, dacktypes.ClientKey{
			Id: id, AccountId: id, PublicKey: public, SpendLimit: math.NewInt(benchBalance), LastEpoch: 1_000,
		})
		total = total.AddRaw(benchBalance)
		c.clients = append(c.clients, benchClient{id: id, key: key})
	}
	dack.NextAccountId, dack.NextKeyId = uint64(clients+1), uint64(clients+1)
	state[dacktypes.ModuleName] = cdc.MustMarshalJSON(&dack)

	var node nodetypes.GenesisState
	cdc.MustUnmarshalJSON(state[nodetypes.ModuleName], &node)
	peer, ok := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("no ed25519 key")
	}
	deposit := node.Params.WorkerDeposit
	node.Workers = []nodetypes.Worker{{
		Id: benchWorker, Operator: sdk.ValAddress(operator).String(), PeerKey: peer, Account: settler.String(),
		Endpoints: []string{"http://127.0.0.1:8480"}, Status: nodetypes.WORKER_STATUS_ACTIVE, Deposit: deposit,
	}}
	node.NextWorkerId = benchWorker + 1
	state[nodetypes.ModuleName] = cdc.MustMarshalJSON(&node)

	c.account = 0
	accounts := []authtypes.GenesisAccount{
		authtypes.NewBaseAccount(settler, c.settler.PubKey(), 0, 0),
		authtypes.NewBaseAccount(operator, nil, 1, 0),
	}
	state, err := simtestutil.GenesisStateWithValSet(cdc, state, cmttypes.NewValidatorSet([]*cmttypes.Validator{cmttypes.NewValidator(validator, 1)}), accounts,
		banktypes.Balance{Address: settler.String(), Coins: sdk.NewCoins(sdk.NewInt64Coin(app.BondDenom, benchBalance))},
		banktypes.Balance{Address: authtypes.NewModuleAddress(dacktypes.ModuleName).String(), Coins: sdk.NewCoins(sdk.NewCoin(dack.Params.SettlementDenom, total))},
		banktypes.Balance{Address: authtypes.NewModuleAddress(nodetypes.ModuleName).String(), Coins: sdk.NewCoins(deposit)},
	)
	if err != nil {
		return nil, err
	}
	return json.Marshal(state)
}

// block executes and commits a block and returns the results of its transactions.
func (c *benchChain) block(txs [][]byte) ([]*abci.ExecTxResult, error) {
	c.height++
	c.now = c.now.Add(time.Second)
	hash := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(c.height)))
	res, err := c.app.FinalizeBlock(&abci.RequestFinalizeBlock{
		Height: c.height, Time: c.now, Txs: txs, Hash: hash[:], ProposerAddress: c.proposer,
	})
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", c.height, err)
	}
	if _, err := c.app.Commit(); err != nil {
		return nil, fmt.Errorf("commit of block %d: %w", c.height, err)
	}
	return res.TxResults, nil
}

// settlement is a transaction that settles acknowledgements, ready to be executed.
type settlement struct {
	tx   []byte
	acks int
	gas  uint64
}

// settle makes a transaction in which each of the clients acknowledges a further number of requests of 1 MiB each. The
// clients must be in ascending order of their ids.
func (c *benchChain) settle(ctx context.Context, clients []*benchClient, requests uint64) (settlement, error) {
	chain := ack.HashChainID(benchChainID)
	msg := &dacktypes.MsgSettle{Account: sdk.AccAddress(c.settler.PubKey().Address()).String(), WorkerId: benchWorker, Epoch: benchEpoch}
	for _, client := range clients {
		client.requests += requests
		client.bytes += requests << 20
		a := ack.Ack{Epoch: benchEpoch, KeyID: client.id, WorkerID: benchWorker, Requests: client.requests, Bytes: client.bytes}
		binary.LittleEndian.PutUint64(a.Head[:], client.requests)
		s := ack.Sign(client.key, chain, &a)
		msg.Acks = append(msg.Acks, dacktypes.Acknowledgement{
			KeyId: a.KeyID, Requests: a.Requests, Bytes: a.Bytes, Head: s.Head[:], Signature: s.Signature[:],
		})
	}
	s, err := c.sign(ctx, msg, c.settler, c.account, c.seq)
	if err != nil {
		return settlement{}, err
	}
	c.seq++
	return s, nil
}

// sign makes a transaction of a settlement with the gas that it takes.
func (c *benchChain) sign(ctx context.Context, msg *dacktypes.MsgSettle, key *secp256k1.PrivKey, account, seq uint64) (settlement, error) {
	builder := c.app.TxConfig().NewTxBuilder()
	if err := builder.SetMsgs(msg); err != nil {
		return settlement{}, err
	}
	// What the message costs by its formula, and what the transaction around it costs by its size.
	gas := c.params.SettleGasBase + c.params.SettleGasPerAck*uint64(len(msg.Acks)) + 60_000 + 12*uint64(msg.Size())
	builder.SetGasLimit(gas)
	fee := math.NewIntFromUint64(gas).QuoRaw(400).AddRaw(1)
	builder.SetFeeAmount(sdk.NewCoins(sdk.NewCoin(app.BondDenom, fee)))
	data := authsigning.SignerData{
		Address: msg.Account, ChainID: benchChainID, AccountNumber: account, Sequence: seq, PubKey: key.PubKey(),
	}
	empty := signing.SignatureV2{PubKey: key.PubKey(), Data: &signing.SingleSignatureData{SignMode: signing.SignMode_SIGN_MODE_DIRECT}, Sequence: seq}
	if err := builder.SetSignatures(empty); err != nil {
		return settlement{}, err
	}
	signature, err := clienttx.SignWithPrivKey(ctx, signing.SignMode_SIGN_MODE_DIRECT, data, builder, key, c.app.TxConfig(), seq)
	if err != nil {
		return settlement{}, err
	}
	if err := builder.SetSignatures(signature); err != nil {
		return settlement{}, err
	}
	tx, err := c.app.TxConfig().TxEncoder()(builder.GetTx())
	if err != nil {
		return settlement{}, err
	}
	return settlement{tx: tx, acks: len(msg.Acks), gas: gas}, nil
}

// paid returns an error unless every acknowledgement of every settlement was paid in full.
func paid(settlements []settlement, results []*abci.ExecTxResult) error {
	if len(results) != len(settlements) {
		return fmt.Errorf("%d results for %d transactions", len(results), len(settlements))
	}
	for i, r := range results {
		if r.Code != 0 {
			return fmt.Errorf("transaction %d: code %d of %s: %s", i, r.Code, r.Codespace, r.Log)
		}
		var data sdk.TxMsgData
		if err := data.Unmarshal(r.Data); err != nil {
			return err
		}
		if len(data.MsgResponses) != 1 {
			return fmt.Errorf("transaction %d: %d responses", i, len(data.MsgResponses))
		}
		var res dacktypes.MsgSettleResponse
		if err := res.Unmarshal(data.MsgResponses[0].Value); err != nil {
			return err
		}
		if len(res.Results) != settlements[i].acks {
			return fmt.Errorf("transaction %d: %d results for %d acknowledgements", i, len(res.Results), settlements[i].acks)
		}
		for j, a := range res.Results {
			if a.Status != dacktypes.ACK_STATUS_PAID || !a.Paid.IsPositive() {
				return fmt.Errorf("transaction %d, acknowledgement %d: %s, paid %s", i, j, a.Status, a.Paid)
			}
		}
	}
	return nil
}
