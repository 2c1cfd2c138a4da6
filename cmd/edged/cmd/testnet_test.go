package cmd_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/spf13/viper"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"

	"github.com/edgechain/edge/app"
	"github.com/edgechain/edge/app/beaconkey"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

type noOptions struct{}

func (noOptions) Get(string) any { return nil }

// initChain starts a chain with a genesis file and returns the validators that CometBFT would be given.
func initChain(t *testing.T, file string) (*app.App, map[string]json.RawMessage, []abci.ValidatorUpdate) {
	t.Helper()
	state, doc, err := genutiltypes.GenesisStateFromGenFile(file)
	require.NoError(t, err)
	genesis, err := doc.ToGenesisDoc()
	require.NoError(t, err)
	require.NoError(t, genesis.ValidateAndComplete())
	a := app.New(log.NewNopLogger(), dbm.NewMemDB(), true, noOptions{}, baseapp.SetChainID(genesis.ChainID))
	params := genesis.ConsensusParams.ToProto()
	res, err := a.InitChain(&abci.RequestInitChain{
		Time: genesis.GenesisTime, ChainId: genesis.ChainID, ConsensusParams: &params,
		AppStateBytes: genesis.AppState, InitialHeight: genesis.InitialHeight,
	})
	require.NoError(t, err)
	return a, state, res.Validators
}

func power(validators []abci.ValidatorUpdate) (sum int64) {
	for _, v := range validators {
		sum += v.Power
	}
	return sum
}

// settings reads a settings file.
func settings(t *testing.T, file string) *viper.Viper {
	t.Helper()
	v := viper.New()
	v.SetConfigFile(file)
	require.NoError(t, v.ReadInConfig())
	return v
}

func TestTestnet(t *testing.T) {
	for _, tt := range []struct {
		validators int
		flags      []string
		seats      int64
	}{
		{1, []string{"--development", "--epoch-duration=15s"}, int64(epochtypes.DevelopmentParams().Seats)},
		{4, nil, int64(epochtypes.DefaultParams().Seats)},
		{7, []string{"--development", "--seats=4", "--step-blocks=30", "--beacon-blocks=3", "--stakes=7,6,5,4,3,2,1000001uedge"}, 4},
	} {
		t.Run(fmt.Sprint(tt.validators), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "net")
			args := append([]string{"testnet", "--validators", fmt.Sprint(tt.validators), "--output-dir", dir, "--chain-id=edge-t-1"}, tt.flags...)
			code, stdout, stderr := run(args...)
			require.Zero(t, code, stderr)
			require.Equal(t, tt.validators, strings.Count(stdout, "edged start --home "))

			first, err := os.ReadFile(filepath.Join(dir, "node0", "config", "genesis.json"))
			require.NoError(t, err)
			ports := map[string]bool{}
			for i := range tt.validators {
				home := filepath.Join(dir, fmt.Sprintf("node%d", i))
				config := filepath.Join(home, "config")
				genesis, err := os.ReadFile(filepath.Join(config, "genesis.json"))
				require.NoError(t, err)
				require.Equal(t, string(first), string(genesis), "all have one genesis")
				for _, secret := range []string{"config/beacon_key.json", "config/priv_validator_key.json", "config/node_key.json", "keyring-test/operator.info"} {
					info, err := os.Stat(filepath.Join(home, secret))
					require.NoError(t, err)
					require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), secret)
				}
				comet := settings(t, filepath.Join(config, "config.toml"))
				if peers := comet.GetString("p2p.persistent_peers"); tt.validators == 1 {
					require.Empty(t, peers)
				} else {
					require.Len(t, strings.Split(peers, ","), tt.validators-1)
				}
				require.False(t, comet.GetBool("p2p.addr_book_strict"))
				require.True(t, comet.GetBool("p2p.allow_duplicate_ip"))
				api := settings(t, filepath.Join(config, "app.toml"))
				require.Equal(t, "0.0025uedge", api.GetString("minimum-gas-prices"))
				require.Equal(t, "pebbledb", api.GetString("app-db-backend"))
				for _, address := range []string{
					comet.GetString("rpc.laddr"), comet.GetString("p2p.laddr"), comet.GetString("rpc.pprof_laddr"),
					api.GetString("api.address"), api.GetString("grpc.address"),
				} {
					address = strings.TrimPrefix(address, "tcp://")
					require.True(t, strings.HasPrefix(address, "127.0.0.1:"), address)
					require.False(t, ports[address], "%s is used twice", address)
					ports[address] = true
				}
				client := settings(t, filepath.Join(config, "client.toml"))
				require.Equal(t, "edge-t-1", client.GetString("chain-id"))
				require.Equal(t, comet.GetString("rpc.laddr"), client.GetString("node"))
			}
			code, _, stderr = run("genesis", "validate", "--home="+filepath.Join(dir, "node0"))
			require.Zero(t, code, stderr)

			a, state, validators := initChain(t, filepath.Join(dir, "node0", "config", "genesis.json"))
			require.Equal(t, tt.seats, power(validators))
			var epoch epochtypes.GenesisState
			require.NoError(t, a.AppCodec().UnmarshalJSON(state[epochtypes.ModuleName], &epoch))
			require.Len(t, epoch.BeaconKeys, tt.validators)
			var node nodetypes.GenesisState
			require.NoError(t, a.AppCodec().UnmarshalJSON(state[nodetypes.ModuleName], &node))
			require.Len(t, node.Nodes, tt.validators)
			keys, err := beaconkey.Load(filepath.Join(dir, "node0", "config", beaconkey.FileName))
			require.NoError(t, err)
			require.Equal(t, keys[0].PubKey(), epoch.BeaconKeys[0].PubKey)
			var slashing slashingtypes.GenesisState
			require.NoError(t, a.AppCodec().UnmarshalJSON(state[slashingtypes.ModuleName], &slashing))
			if epoch.Development {
				require.Equal(t, max(20, int64(epoch.Params.StepBlocks)), slashing.Params.SignedBlocksWindow)
			} else {
				require.Equal(t, int64(10_000), slashing.Params.SignedBlocksWindow)
				require.Equal(t, epochtypes.DefaultParams(), epoch.Params)
			}

			// A second network does not replace the first.
			code, stdout, stderr = run(args...)
			require.NotZero(t, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, "exists already")
			require.FileExists(t, filepath.Join(dir, "node0", "config", "genesis.json"))
		})
	}
}

func TestTestnetOnRealMachines(t *testing.T) {
	dir := t.TempDir()
	code, stdout, stderr := run("testnet", "--validators=3", "--output-dir="+dir, "--chain-id=edge-t-1", "--hosts=192.0.2.1,2001:db8::1,node.example")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "node.example: edged start --home node2")
	for i, host := range []string{"192.0.2.1:26656", "[2001:db8::1]:26656", "node.example:26656"} {
		c := settings(t, filepath.Join(dir, fmt.Sprintf("node%d", i), "config", "config.toml"))
		require.Equal(t, "tcp://0.0.0.0:26656", c.GetString("p2p.laddr"))
		require.Equal(t, host, c.GetString("p2p.external_address"))
		require.Equal(t, "tcp://127.0.0.1:26657", c.GetString("rpc.laddr"), "nobody but this machine asks the RPC")
		require.True(t, c.GetBool("p2p.addr_book_strict"))
		require.False(t, c.GetBool("p2p.allow_duplicate_ip"))
		other := settings(t, filepath.Join(dir, fmt.Sprintf("node%d", (i+1)%3), "config", "config.toml"))
		require.Contains(t, other.GetString("p2p.persistent_peers"), "@"+host)
	}
	code, _, stderr = run("testnet", "--validators=1", "--output-dir="+filepath.Join(dir, "lan"), "--chain-id=edge-t-1", "--hosts=10.0.0.1")
	require.Zero(t, code, stderr)
	require.False(t, settings(t, filepath.Join(dir, "lan", "node0", "config", "config.toml")).GetBool("p2p.addr_book_strict"),
		"an address book of public addresses would not keep the peers of a private network")
}

func TestTestnetRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no validators":        {[]string{"--validators=0"}, "--validators 0"},
		"too many validators":  {[]string{"--validators=101"}, "--validators 101"},
		"no chain id":          {[]string{"--chain-id="}, "--chain-id"},
		"long chain id":        {[]string{"--chain-id=" + strings.Repeat("x", 51)}, "--chain-id"},
		"stakes of others":     {[]string{"--stakes=1,2,3"}, "--stakes has 3 amounts"},
		"no stake":             {[]string{"--stakes=0"}, "--stakes"},
		"negative stake":       {[]string{"--stakes=-5"}, "--stakes"},
		"huge stake":           {[]string{"--stakes=10000000001"}, "--stakes"},
		"stake in other coin":  {[]string{"--stakes=5uusd"}, "--stakes"},
		"unreadable stake":     {[]string{"--stakes=many"}, "--stakes"},
		"hosts of others":      {[]string{"--hosts=a"}, "--hosts names 1"},
		"a host twice":         {[]string{"--hosts=a,a"}, "--hosts"},
		"host with a port":     {[]string{"--hosts=a:1,b:2"}, "--hosts"},
		"port that is none":    {[]string{"--port-offset=60000"}, "--port-offset"},
		"negative port":        {[]string{"--port-offset=-2000"}, "--port-offset"},
		"shared keyring":       {[]string{"--keyring-backend=os"}, "--keyring-backend"},
		"no wait at all":       {[]string{"--block-time=0s"}, "--block-time"},
		"argument":             {[]string{"seven"}, "seven"},
		"no folder":            {[]string{"--output-dir="}, "--output-dir"},
		"short epochs":         {[]string{"--epoch-duration=1m"}, "duration"},
		"few seats":            {[]string{"--seats=16"}, "seats"},
		"short steps":          {[]string{"--step-blocks=10"}, "step_blocks"},
		"steps under window":   {[]string{"--step-blocks=2000"}, "step_blocks"},
		"staking coin as cash": {[]string{"--settlement-denom=uedge"}, "settlement coin"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "net")
			code, stdout, stderr := run(append([]string{"testnet", "--validators=2", "--chain-id=edge-t-1", "--output-dir=" + dir}, tt.args...)...)
			require.Contains(t, []int{1, 2}, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, tt.want)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			require.NoDirExists(t, filepath.Join(dir, "node0"), "nothing is left behind")
		})
	}
}

// TestGenesisByHand makes a genesis with the commands that operators of a public network use.
func TestGenesisByHand(t *testing.T) {
	home := t.TempDir()
	at := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := run(append(args, "--home="+home)...)
		require.Zero(t, code, stderr)
		return strings.TrimSpace(stdout)
	}
	var info struct {
		BeaconPubKey string `json:"beacon_pub_key"`
	}
	require.NoError(t, json.Unmarshal([]byte(at("init", "one", "--chain-id=edge-t-1")), &info))
	at("keys", "add", "operator", "--keyring-backend=test", "--output=json")
	address := at("keys", "show", "operator", "--address", "--keyring-backend=test")
	operator := at("keys", "show", "operator", "--address", "--bech=val", "--keyring-backend=test")
	at("genesis", "add-genesis-account", address, "10000000000uedge")
	at("genesis", "gentx", "operator", "5000000000uedge", "--chain-id=edge-t-1", "--keyring-backend=test")
	at("genesis", "collect-gentxs")
	at("genesis", "add-node", "operator", "--keyring-backend=test")
	at("genesis", "validate")

	a, state, validators := initChain(t, filepath.Join(home, "config", "genesis.json"))
	require.Equal(t, int64(epochtypes.DefaultParams().Seats), power(validators))
	var epoch epochtypes.GenesisState
	require.NoError(t, a.AppCodec().UnmarshalJSON(state[epochtypes.ModuleName], &epoch))
	require.Len(t, epoch.BeaconKeys, 1)
	require.Equal(t, operator, epoch.BeaconKeys[0].Operator)
	require.Equal(t, info.BeaconPubKey, fmt.Sprintf("%x", epoch.BeaconKeys[0].PubKey))
	var node nodetypes.GenesisState
	require.NoError(t, a.AppCodec().UnmarshalJSON(state[nodetypes.ModuleName], &node))
	require.Equal(t, []nodetypes.Node{{Operator: operator, OptedIn: true, OptedInBefore: true, Score: nodetypes.StartScore}}, node.Nodes)

	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"twice":           {[]string{operator}, "already"},
		"twice, account":  {[]string{address}, "already"},
		"unknown key":     {[]string{"nobody", "--keyring-backend=test"}, "nobody"},
		"no key at all":   {[]string{operator, "--pub-key=zz"}, "--pub-key"},
		"no point of G1":  {[]string{"edgevaloper1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqt3wr5s", "--pub-key=" + strings.Repeat("11", 48)}, "key"},
		"too many values": {[]string{operator, address}, "arg"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := run(append(append([]string{"genesis", "add-node"}, tt.args...), "--home="+home)...)
			require.NotZero(t, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, tt.want)
		})
	}
}
