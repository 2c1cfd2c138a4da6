package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtcfg "github.com/cometbft/cometbft/config"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client/tx"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	serverconfig "github.com/cosmos/cosmos-sdk/server/config"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/genutil"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
	"github.com/edgechain/edge/app/beaconkey"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// Names of keys in the keyrings.
const (
	testnetOperatorKey = "operator"
	testnetFaucetKey   = "faucet"
)

// testnetCommission is what the validators of a new network take, and may change it to.
var testnetCommission = stakingtypes.NewCommissionRates(
	math.LegacyNewDecWithPrec(1, 1), math.LegacyNewDecWithPrec(2, 1), math.LegacyNewDecWithPrec(1, 2),
)

// testnetNode is a validator of the network.
type testnetNode struct {
	index int
	home  string
	ports nodePorts

	config    *cmtcfg.Config
	nodeID    string
	consKey   cryptotypes.PubKey
	beaconKey []byte
	keys      keyring.Keyring
	operator  sdk.AccAddress
	faucet    sdk.AccAddress
}

// file returns the path of a file in the node's folder of settings.
func (n *testnetNode) file(name string) string { return filepath.Join(n.home, "config", name) }

// write writes everything. If it fails, the homes that it has begun are removed.
func (n *testnet) write(ctx context.Context) (err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, node := range n.nodes {
			err = errors.Join(err, os.RemoveAll(node.home))
		}
	}()
	for _, node := range n.nodes {
		if err := n.makeKeys(node); err != nil {
			return fmt.Errorf("node%d: %w", node.index, err)
		}
	}
	doc, err := n.document(ctx)
	if err != nil {
		return err
	}
	if err := n.try(doc); err != nil {
		return fmt.Errorf("no chain starts with this genesis: %w", err)
	}
	for _, node := range n.nodes {
		if err := n.writeSettings(node); err != nil {
			return fmt.Errorf("node%d: %w", node.index, err)
		}
		if err := genutil.ExportGenesisFile(doc, node.config.GenesisFile()); err != nil {
			return fmt.Errorf("node%d: %w", node.index, err)
		}
	}
	return nil
}

// makeKeys makes the keys of a node: consensus, peer, beacon, operator.
func (n *testnet) makeKeys(node *testnetNode) error {
	for _, dir := range []string{"config", "data"} {
		if err := os.MkdirAll(filepath.Join(node.home, dir), 0o700); err != nil {
			return err
		}
	}
	node.config = defaultCometConfig()
	node.config.SetRoot(node.home)
	node.config.Moniker = filepath.Base(node.home)
	var err error
	if node.nodeID, node.consKey, err = genutil.InitializeNodeValidatorFiles(node.config); err != nil {
		return err
	}
	key, err := beaconkey.Create(beaconKeyPath(node.home))
	if err != nil {
		return err
	}
	node.beaconKey = key.PubKey()
	if node.keys, err = keyring.New(sdk.KeyringServiceName(), n.backend, node.home, n.input, n.blank.AppCodec()); err != nil {
		return err
	}
	if node.operator, err = newAccount(node.keys, testnetOperatorKey); err != nil || node.index != 0 {
		return err
	}
	node.faucet, err = newAccount(node.keys, testnetFaucetKey)
	return err
}

// newAccount makes a key.
func newAccount(keys keyring.Keyring, name string) (sdk.AccAddress, error) {
	record, _, err := keys.NewMnemonic(name, keyring.English, sdk.FullFundraiserPath, keyring.DefaultBIP39Passphrase, hd.Secp256k1)
	if err != nil {
		return nil, err
	}
	return record.GetAddress()
}

// document returns the genesis of the network.
func (n *testnet) document(ctx context.Context) (*genutiltypes.AppGenesis, error) {
	cdc := n.blank.AppCodec()
	state, err := newState(cdc, n.blank.Basics(), n.genesis)
	if err != nil {
		return nil, err
	}
	if err := n.addAccounts(cdc, state); err != nil {
		return nil, err
	}
	var txs []json.RawMessage
	for _, node := range n.nodes {
		if err := addGenesisNode(cdc, state, sdk.ValAddress(node.operator), node.beaconKey); err != nil {
			return nil, err
		}
		raw, err := n.createValidator(ctx, node)
		if err != nil {
			return nil, fmt.Errorf("node%d: %w", node.index, err)
		}
		txs = append(txs, raw)
	}
	genutiltypes.SetGenesisStateInAppState(cdc, state, genutiltypes.NewGenesisState(txs))
	doc, err := newDocument(cdc, n.blank.TxConfig(), n.blank.Basics(), state)
	if err != nil {
		return nil, err
	}
	doc.ChainID, doc.InitialHeight, doc.GenesisTime = n.chainID, 1, time.Now().UTC()
	return doc, nil
}

// addAccounts gives the operators and the faucet what they have.
func (n *testnet) addAccounts(cdc codec.JSONCodec, state map[string]json.RawMessage) error {
	var dack dacktypes.GenesisState
	if err := cdc.UnmarshalJSON(state[dacktypes.ModuleName], &dack); err != nil {
		return err
	}
	funds := math.NewInt(testnetFaucetFunds)
	accounts := []authtypes.GenesisAccount{authtypes.NewBaseAccountWithAddress(n.nodes[0].faucet)}
	balances := []banktypes.Balance{{
		Address: n.nodes[0].faucet.String(),
		Coins:   sdk.NewCoins(sdk.NewCoin(app.BondDenom, funds), sdk.NewCoin(dack.Params.SettlementDenom, funds)),
	}}
	for i, node := range n.nodes {
		accounts = append(accounts, authtypes.NewBaseAccountWithAddress(node.operator))
		balances = append(balances, banktypes.Balance{
			Address: node.operator.String(),
			Coins:   sdk.NewCoins(sdk.NewCoin(app.BondDenom, n.amount[i].AddRaw(testnetOperatorFunds))),
		})
	}
	err := editState(cdc, state, authtypes.ModuleName, func(s *authtypes.GenesisState) error {
		packed, err := authtypes.PackAccounts(authtypes.SanitizeGenesisAccounts(accounts))
		s.Accounts = packed
		return err
	})
	if err != nil {
		return err
	}
	return editState(cdc, state, banktypes.ModuleName, func(s *banktypes.GenesisState) error {
		s.Balances = banktypes.SanitizeGenesisBalances(balances)
		for _, b := range s.Balances {
			s.Supply = s.Supply.Add(b.Coins...)
		}
		return nil
	})
}

// createValidator returns the signed transaction that bonds a node's stake.
func (n *testnet) createValidator(ctx context.Context, node *testnetNode) (json.RawMessage, error) {
	msg, err := stakingtypes.NewMsgCreateValidator(
		sdk.ValAddress(node.operator).String(), node.consKey, sdk.NewCoin(app.BondDenom, n.amount[node.index]),
		stakingtypes.NewDescription(node.config.Moniker, "", "", "", ""), testnetCommission, math.OneInt(),
	)
	if err != nil {
		return nil, err
	}
	txConfig := n.blank.TxConfig()
	builder := txConfig.NewTxBuilder()
	if err := builder.SetMsgs(msg); err != nil {
		return nil, err
	}
	memo := node.nodeID + "@" + n.peerAddress(node)
	builder.SetMemo(memo)
	builder.SetGasLimit(1_000_000)
	factory := tx.Factory{}.WithChainID(n.chainID).WithMemo(memo).WithKeybase(node.keys).WithTxConfig(txConfig)
	if err := tx.Sign(ctx, factory, testnetOperatorKey, builder, true); err != nil {
		return nil, err
	}
	return txConfig.TxJSONEncoder()(builder.GetTx())
}

// try starts a chain with the document in memory, so that what only an application sees is found before anything is written.
func (n *testnet) try(doc *genutiltypes.AppGenesis) error {
	genesis, err := doc.ToGenesisDoc()
	if err != nil {
		return err
	}
	if err := genesis.ValidateAndComplete(); err != nil {
		return err
	}
	a := app.New(log.NewNopLogger(), dbm.NewMemDB(), true, noOptions{}, baseapp.SetChainID(n.chainID))
	params := genesis.ConsensusParams.ToProto()
	_, err = a.InitChain(&abci.RequestInitChain{
		Time: genesis.GenesisTime, ChainId: genesis.ChainID, ConsensusParams: &params,
		AppStateBytes: genesis.AppState, InitialHeight: genesis.InitialHeight,
	})
	return errors.Join(err, a.Close())
}

// peerAddress is where the others reach a node.
func (n *testnet) peerAddress(node *testnetNode) string {
	return net.JoinHostPort(n.peerHost(node.index), strconv.Itoa(node.ports.p2p))
}

// writeSettings writes config.toml, app.toml, client.toml and the empty settings of OpenTelemetry.
func (n *testnet) writeSettings(node *testnetNode) error {
	c := node.config
	c.Consensus.TimeoutCommit = n.blockTime
	c.RPC.ListenAddress = "tcp://" + loopback(node.ports.rpc)
	c.RPC.PprofListenAddress = loopback(node.ports.pprof)
	var peers []string
	for _, other := range n.nodes {
		if other != node {
			peers = append(peers, other.nodeID+"@"+n.peerAddress(other))
		}
	}
	c.P2P.PersistentPeers = strings.Join(peers, ",")
	if n.local() {
		c.P2P.ListenAddress = "tcp://" + loopback(node.ports.p2p)
		// All peers have one address, which is none that the address book of a public network would keep.
		c.P2P.AllowDuplicateIP, c.P2P.AddrBookStrict = true, false
	} else {
		c.P2P.ListenAddress = "tcp://" + net.JoinHostPort("0.0.0.0", strconv.Itoa(node.ports.p2p))
		c.P2P.ExternalAddress = n.peerAddress(node)
		c.P2P.AddrBookStrict = n.public()
	}
	cmtcfg.WriteConfigFile(node.file("config.toml"), c)

	template, a := defaultAppConfig()
	a.API.Address = "tcp://" + loopback(node.ports.rest)
	a.GRPC.Address = loopback(node.ports.grpc)
	serverconfig.SetConfigTemplate(template)
	serverconfig.WriteConfigFile(node.file("app.toml"), a)

	client := fmt.Sprintf("chain-id = %q\nkeyring-backend = %q\nkeyring-default-keyname = \"\"\noutput = \"text\"\nnode = %q\nbroadcast-mode = \"sync\"\n",
		n.chainID, n.backend, c.RPC.ListenAddress)
	if err := os.WriteFile(node.file("client.toml"), []byte(client), 0o600); err != nil {
		return err
	}
	return os.WriteFile(node.file(telemetry.OtelFileName), nil, 0o600)
}

// public reports whether no host is an address that only a private network routes; names are taken for public.
func (n *testnet) public() bool {
	for _, h := range n.hosts {
		if ip := net.ParseIP(h); ip != nil && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast()) {
			return false
		}
	}
	return true
}
