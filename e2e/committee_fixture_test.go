package e2e_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/privval"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/client/tx"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/bech32"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/testutil/devnet"
	"github.com/edgechain/edge/worker/chain"
)

// Port offsets of the networks of validators; each has a tenth of the step for each validator.
const (
	offsetCommittee = 2100 + 100*iota
	offsetStakers
	offsetExported
)

// startNetwork starts a network that ends with the test, and says where its logs are if the test fails.
func startNetwork(ctx context.Context, t *testing.T, cfg devnet.Config) *devnet.Network {
	t.Helper()
	cfg.Binaries = shared.bins
	cfg.Dir = filepath.Join(shared.dir, fmt.Sprintf("network-%d", cfg.PortOffset))
	cfg.ChainOnly = true
	n, err := devnet.Start(ctx, cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := n.Stop(stop); err != nil {
			t.Error(err)
		}
	})
	return n
}

// hurry sets the time limits of consensus for a network on one machine, where a proposal takes no time to arrive: one that does
// not come, or is refused, shall not cost seconds.
func hurry(n *devnet.Network) error {
	for _, v := range n.Nodes {
		for key, value := range map[string]string{
			"timeout_propose": "1s", "timeout_propose_delta": "200ms",
			"timeout_prevote": "200ms", "timeout_prevote_delta": "100ms",
			"timeout_precommit": "200ms", "timeout_precommit_delta": "100ms",
		} {
			if err := v.Set("config.toml", "consensus", key, `"`+value+`"`); err != nil {
				return err
			}
		}
	}
	return nil
}

// buildByzantine builds the cheating node.
func buildByzantine(ctx context.Context, t *testing.T) string {
	t.Helper()
	bin := filepath.Join(shared.dir, "bin", "byzantine")
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, "./e2e/byzantine")
	build.Dir = devnet.Root()
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return bin
}

// await calls f until it returns nil; its last error says what was missing when the context ends.
func await(ctx context.Context, t *testing.T, what string, f func() error) {
	t.Helper()
	ticker := time.NewTicker(25 * time.Millisecond)
	defer ticker.Stop()
	for {
		last := f()
		if last == nil {
			return
		}
		select {
		case <-ctx.Done():
			require.FailNow(t, "waiting for "+what, "%v; last seen: %v", context.Cause(ctx), last)
		case <-ticker.C:
		}
	}
}

// consensusAddress returns the address that CometBFT gives a packed ed25519 key, as it writes it.
func consensusAddress(t *testing.T, packed *codectypes.Any) string {
	t.Helper()
	var key ed25519.PubKey
	require.NoError(t, key.Unmarshal(packed.Value))
	return key.Address().String()
}

// hexAddress returns what CometBFT writes for an address in the chain's form.
func hexAddress(t *testing.T, text string) string {
	t.Helper()
	return strings.ToUpper(hex.EncodeToString([]byte(rawOperator(t, text))))
}

// validatorKey reads the key with which a validator signs blocks.
func validatorKey(v *devnet.Node) *privval.FilePV {
	return privval.LoadFilePVEmptyState(filepath.Join(v.Home, "config", "priv_validator_key.json"), filepath.Join(v.Home, "data", "priv_validator_state.json"))
}

// consensusOf returns the consensus address of a validator in the chain's form.
func consensusOf(t *testing.T, v *devnet.Node) string {
	t.Helper()
	text, err := bech32.ConvertAndEncode("edgevalcons", validatorKey(v).GetAddress())
	require.NoError(t, err)
	return text
}

// purse signs transactions within the test, because a run of edged for each would take a good part of a small machine. They
// are unordered, so that they never get between what a command sends with the same key.
type purse struct {
	n    *devnet.Network
	enc  chain.Encoding
	keys keyring.Keyring
	name string
	// address of the account.
	address string
}

func newEncoding(t *testing.T) chain.Encoding {
	t.Helper()
	enc, err := chain.NewEncoding()
	require.NoError(t, err)
	for _, register := range []func(codectypes.InterfaceRegistry){
		authz.RegisterInterfaces, banktypes.RegisterInterfaces, slashingtypes.RegisterInterfaces, stakingtypes.RegisterInterfaces,
	} {
		register(enc.Registry)
	}
	return enc
}

// purseOf opens a key in the keyring of a validator, such as "operator".
func purseOf(t *testing.T, n *devnet.Network, v *devnet.Node, name string) *purse {
	t.Helper()
	enc := newEncoding(t)
	keys, err := keyring.New("edge", keyring.BackendTest, v.Home, strings.NewReader(""), enc.Codec)
	require.NoError(t, err)
	p := &purse{n: n, enc: enc, keys: keys, name: name}
	p.readAddress(t)
	return p
}

// newPurse makes a key and has the faucet give it so many uedge.
func newPurse(ctx context.Context, t *testing.T, n *devnet.Network, uedge int64) *purse {
	t.Helper()
	enc := newEncoding(t)
	p := &purse{n: n, enc: enc, keys: keyring.NewInMemory(enc.Codec), name: "purse"}
	_, _, err := p.keys.NewMnemonic(p.name, keyring.English, sdk.FullFundraiserPath, keyring.DefaultBIP39Passphrase, hd.Secp256k1)
	require.NoError(t, err)
	p.readAddress(t)
	faucet := purseOf(t, n, n.Nodes[0], "faucet")
	faucet.send(ctx, t, &banktypes.MsgSend{
		FromAddress: faucet.address, ToAddress: p.address, Amount: sdk.NewCoins(sdk.NewInt64Coin(devnet.StakeDenom, uedge)),
	})
	return p
}

func (p *purse) readAddress(t *testing.T) {
	t.Helper()
	record, err := p.keys.Key(p.name)
	require.NoError(t, err)
	raw, err := record.GetAddress()
	require.NoError(t, err)
	p.address, err = p.enc.Addresses.BytesToString(raw)
	require.NoError(t, err)
}

// send sends messages through node 0, requires that they succeed and returns the height of their block.
func (p *purse) send(ctx context.Context, t *testing.T, msgs ...sdk.Msg) int64 {
	t.Helper()
	height, result := p.try(ctx, t, msgs...)
	require.Zero(t, result.Code, "%s", result.Log)
	return height
}

// try sends messages and returns height and result of their transaction.
func (p *purse) try(ctx context.Context, t *testing.T, msgs ...sdk.Msg) (int64, abci.ExecTxResult) {
	t.Helper()
	const gas = 1_000_000
	rpc := p.n.Nodes[0].Chain
	account, err := authtypes.NewQueryClient(rpc.At(0)).AccountInfo(ctx, &authtypes.QueryAccountInfoRequest{Address: p.address})
	require.NoError(t, err)
	builder := p.enc.TxConfig.NewTxBuilder()
	require.NoError(t, builder.SetMsgs(msgs...))
	builder.SetGasLimit(gas)
	builder.SetFeeAmount(sdk.NewCoins(sdk.NewInt64Coin(devnet.StakeDenom, gas/400)))
	builder.SetUnordered(true)
	builder.SetTimeoutTimestamp(time.Now().Add(time.Minute))
	factory := tx.Factory{}.WithChainID(p.n.ChainID()).WithKeybase(p.keys).WithTxConfig(p.enc.TxConfig).
		WithAccountNumber(account.Info.AccountNumber).WithUnordered(true)
	require.NoError(t, tx.Sign(ctx, factory, p.name, builder, true))
	raw, err := p.enc.TxConfig.TxEncoder()(builder.GetTx())
	require.NoError(t, err)
	sent, err := rpc.RPC.BroadcastTxSync(ctx, raw)
	require.NoError(t, err)
	require.Zero(t, sent.Code, "%s", sent.Log)
	var height int64
	var result abci.ExecTxResult
	await(ctx, t, "transaction "+sent.Hash.String(), func() error {
		res, err := rpc.RPC.Tx(ctx, sent.Hash, false)
		if err != nil {
			return err
		}
		height, result = res.Height, res.TxResult
		return nil
	})
	return height, result
}

// jailed says whether a validator is jailed.
func jailed(ctx context.Context, t *testing.T, n *devnet.Network, v *devnet.Node) bool {
	t.Helper()
	res, err := stakingtypes.NewQueryClient(n.Chain.At(0)).Validator(ctx, &stakingtypes.QueryValidatorRequest{ValidatorAddr: v.Valoper})
	require.NoError(t, err)
	return res.Validator.Jailed
}

// stakeSupply returns the supply of uedge after a height. CometBFT tells of a block a moment before its state can be asked for.
func stakeSupply(ctx context.Context, t *testing.T, n *devnet.Network, height int64) math.Int {
	t.Helper()
	var supply math.Int
	await(ctx, t, fmt.Sprintf("the supply at height %d", height), func() error {
		res, err := banktypes.NewQueryClient(n.Chain.At(height)).SupplyOf(ctx, &banktypes.QuerySupplyOfRequest{Denom: devnet.StakeDenom})
		if err != nil {
			return err
		}
		supply = res.Amount.Amount
		return nil
	})
	return supply
}

// waitFor waits until a node has committed a height, looking often: epochs here last a few seconds.
func waitFor(ctx context.Context, t *testing.T, v *devnet.Node, height int64) int64 {
	t.Helper()
	var now int64
	await(ctx, t, fmt.Sprintf("height %d at %s", height, v.Moniker), func() error {
		var err error
		if now, err = v.Chain.Height(ctx); err == nil && now < height {
			err = fmt.Errorf("height %d", now)
		}
		return err
	})
	return now
}

// errNotYet stands for a condition that needs no more words.
var errNotYet = errors.New("not yet")
