package app_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/baseapp"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

const (
	chainID    = "edge-test-1"
	settlement = "uusd"
	blockTime  = time.Second
	epochTime  = 10 * time.Second
	wealth     = 1_000_000_000_000
	bonded     = 1_000_000_000
)

var genesisTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// chain is an application that gets blocks as CometBFT gives them.
type chain struct {
	t   *testing.T
	app *app.App
	db  dbm.DB
	now time.Time
	// last is the result of the last block.
	last *abci.ResponseFinalizeBlock
	// supply at genesis; nothing of ours may change it. Empty: not checked, for slashing burns.
	supply sdk.Coins
	// validators of the genesis.
	validators []*validator
	// validator is the first operator's key, which has an account too.
	validator *secp256k1.PrivKey
	// opts are the options of the application.
	opts map[string]any
	// comet is CometBFT's side.
	comet *comet
}

// newKey returns a key that depends on the name alone.
func newKey(name string) *secp256k1.PrivKey {
	return secp256k1.GenPrivKeyFromSecret([]byte(name))
}

func addressOf(k cryptotypes.PrivKey) sdk.AccAddress { return sdk.AccAddress(k.PubKey().Address()) }

func newApp(db dbm.DB, opts map[string]any) *app.App {
	if opts == nil {
		opts = map[string]any{}
	}
	return app.New(log.NewNopLogger(), db, true, simtestutil.AppOptionsMap(opts), baseapp.SetChainID(chainID))
}

// newChain starts a chain with one validator and rich accounts.
func newChain(t *testing.T, accounts ...*secp256k1.PrivKey) *chain {
	t.Helper()
	return newChainWith(t, nil, accounts...)
}

func newChainWith(t *testing.T, opts map[string]any, accounts ...*secp256k1.PrivKey) *chain {
	t.Helper()
	return newChainFrom(t, opts, func(*chain, app.GenesisState) {}, accounts...)
}

// newChainFrom starts a chain whose genesis state was changed.
func newChainFrom(
	t *testing.T, opts map[string]any, change func(*chain, app.GenesisState), accounts ...*secp256k1.PrivKey,
) *chain {
	t.Helper()
	app.Configure()
	c := &chain{t: t, db: dbm.NewMemDB(), now: genesisTime, opts: opts, validators: []*validator{newValidator("validator", bonded)}}
	c.validator = c.validators[0].operator
	c.app = newApp(c.db, opts)
	state := c.genesis(append(accounts, c.validator))
	change(c, state)
	c.initChain(state, nil, 1)
	c.block()
	c.supply = c.totalSupply()
	return c
}

// genesis returns a genesis state with the bonded validators and an epoch of ten seconds.
func (c *chain) genesis(accounts []*secp256k1.PrivKey) app.GenesisState {
	c.t.Helper()
	cdc := c.app.AppCodec()
	state := c.app.DefaultGenesis()

	auth := authtypes.DefaultGenesisState()
	bank := banktypes.DefaultGenesisState()
	var gens []authtypes.GenesisAccount
	for _, k := range accounts {
		gens = append(gens, authtypes.NewBaseAccount(addressOf(k), nil, 0, 0))
		bank.Balances = append(bank.Balances, banktypes.Balance{
			Address: addressOf(k).String(),
			Coins:   sdk.NewCoins(sdk.NewInt64Coin(app.BondDenom, wealth), sdk.NewInt64Coin(settlement, wealth)),
		})
	}
	packed, err := authtypes.PackAccounts(gens)
	require.NoError(c.t, err)
	auth.Accounts = packed
	sum := int64(0)
	for _, v := range c.validators {
		sum += v.stake
	}
	bank.Balances = append(bank.Balances, banktypes.Balance{
		Address: authtypes.NewModuleAddress(stakingtypes.BondedPoolName).String(),
		Coins:   sdk.NewCoins(sdk.NewInt64Coin(app.BondDenom, sum)),
	})
	state[authtypes.ModuleName] = cdc.MustMarshalJSON(auth)
	state[banktypes.ModuleName] = cdc.MustMarshalJSON(bank)

	var staking stakingtypes.GenesisState
	cdc.MustUnmarshalJSON(state[stakingtypes.ModuleName], &staking)
	var slashing slashingtypes.GenesisState
	cdc.MustUnmarshalJSON(state[slashingtypes.ModuleName], &slashing)
	for _, v := range c.validators {
		anyKey, err := codectypes.NewAnyWithValue(v.consensus[0].PubKey())
		require.NoError(c.t, err)
		staking.Validators = append(staking.Validators, stakingtypes.Validator{
			OperatorAddress: v.address().String(), ConsensusPubkey: anyKey, Status: stakingtypes.Bonded,
			Tokens: math.NewInt(v.stake), DelegatorShares: math.LegacyNewDec(v.stake),
			Description:   stakingtypes.Description{Moniker: v.name},
			UnbondingTime: time.Unix(0, 0).UTC(), MinSelfDelegation: math.OneInt(),
			Commission: stakingtypes.NewCommission(math.LegacyZeroDec(), math.LegacyZeroDec(), math.LegacyZeroDec()),
		})
		staking.Delegations = append(staking.Delegations,
			stakingtypes.NewDelegation(addressOf(v.operator).String(), v.address().String(), math.LegacyNewDec(v.stake)))
		cons := v.consAddress()
		slashing.SigningInfos = append(slashing.SigningInfos, slashingtypes.SigningInfo{
			Address:              cons.String(),
			ValidatorSigningInfo: slashingtypes.NewValidatorSigningInfo(cons, 0, 0, time.Unix(0, 0).UTC(), false, 0),
		})
	}
	state[stakingtypes.ModuleName] = cdc.MustMarshalJSON(&staking)
	state[slashingtypes.ModuleName] = cdc.MustMarshalJSON(&slashing)

	var epoch epochtypes.GenesisState
	cdc.MustUnmarshalJSON(state[epochtypes.ModuleName], &epoch)
	epoch.Development, epoch.Params = true, epochtypes.DevelopmentParams()
	epoch.Params.Duration, epoch.Params.BeaconBlocks, epoch.Params.StepBlocks = epochTime, 1, 1
	state[epochtypes.ModuleName] = cdc.MustMarshalJSON(&epoch)

	var dack dacktypes.GenesisState
	cdc.MustUnmarshalJSON(state[dacktypes.ModuleName], &dack)
	dack.Params.SettlementDenom = settlement
	state[dacktypes.ModuleName] = cdc.MustMarshalJSON(&dack)
	return state
}

// ctx reads the last committed state.
func (c *chain) ctx() sdk.Context {
	//nolint:staticcheck // the context of the next block would not see what the last one committed
	return c.app.NewUncachedContext(false, c.app.NewContext(true).BlockHeader()).
		WithBlockHeight(c.height() - 1).WithBlockTime(c.now).WithChainID(chainID)
}

func (c *chain) totalSupply() sdk.Coins {
	c.t.Helper()
	supply := sdk.NewCoins()
	c.app.BankKeeper.IterateTotalSupply(c.ctx(), func(coin sdk.Coin) bool {
		supply = supply.Add(coin)
		return false
	})
	return supply
}

func (c *chain) balance(addr sdk.AccAddress, denom string) int64 {
	return c.app.BankKeeper.GetBalance(c.ctx(), addr, denom).Amount.Int64()
}

// tx returns a signed transaction of one signer; offset counts its transactions in the same block.
func (c *chain) tx(key cryptotypes.PrivKey, gas uint64, offset uint64, msgs ...sdk.Msg) []byte {
	c.t.Helper()
	acc := c.app.AccountKeeper.GetAccount(c.ctx(), addressOf(key))
	require.NotNil(c.t, acc)
	fee := sdk.NewCoins(sdk.NewInt64Coin(app.BondDenom, int64(gas/400)+1))
	out, err := c.app.TxConfig().TxEncoder()(c.sign(key, acc.GetAccountNumber(), acc.GetSequence()+offset, gas, fee, msgs...))
	require.NoError(c.t, err)
	return out
}

// sign returns a transaction of one signer.
func (c *chain) sign(key cryptotypes.PrivKey, account, sequence, gas uint64, fee sdk.Coins, msgs ...sdk.Msg) sdk.Tx {
	c.t.Helper()
	cfg := c.app.TxConfig()
	b := cfg.NewTxBuilder()
	require.NoError(c.t, b.SetMsgs(msgs...))
	b.SetGasLimit(gas)
	b.SetFeeAmount(fee)
	mode := signing.SignMode_SIGN_MODE_DIRECT
	sig := signing.SignatureV2{PubKey: key.PubKey(), Data: &signing.SingleSignatureData{SignMode: mode}, Sequence: sequence}
	require.NoError(c.t, b.SetSignatures(sig))
	signed, err := authsigning.GetSignBytesAdapter(context.Background(), cfg.SignModeHandler(), mode, authsigning.SignerData{
		Address: addressOf(key).String(), ChainID: chainID, AccountNumber: account, Sequence: sequence, PubKey: key.PubKey(),
	}, b.GetTx())
	require.NoError(c.t, err)
	raw, err := key.Sign(signed)
	require.NoError(c.t, err)
	sig.Data = &signing.SingleSignatureData{SignMode: mode, Signature: raw}
	require.NoError(c.t, b.SetSignatures(sig))
	return b.GetTx()
}

// send delivers messages of one signer in a block of their own and decodes the response of the first one.
func (c *chain) send(key cryptotypes.PrivKey, gas uint64, response codecMessage, msgs ...sdk.Msg) {
	c.t.Helper()
	res := c.block(c.tx(key, gas, 0, msgs...))
	require.Len(c.t, res, 1)
	require.Zero(c.t, res[0].Code, res[0].Log)
	if response == nil {
		return
	}
	var data sdk.TxMsgData
	require.NoError(c.t, data.Unmarshal(res[0].Data))
	require.NoError(c.t, response.Unmarshal(data.MsgResponses[0].Value))
}

type codecMessage interface{ Unmarshal([]byte) error }

func transfer(from, to sdk.AccAddress, amount int64) sdk.Msg {
	return banktypes.NewMsgSend(from, to, sdk.NewCoins(sdk.NewInt64Coin(app.BondDenom, amount)))
}

// ed25519Key returns a key of a client or worker that depends on the name alone.
func ed25519Key(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, fmt.Sprintf("%-32s", name))
	return ed25519.NewKeyFromSeed(seed)
}

var _ servertypes.AppOptions = simtestutil.AppOptionsMap{}
