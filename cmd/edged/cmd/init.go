package cmd

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	cmtcfg "github.com/cometbft/cometbft/config"
	"github.com/cosmos/go-bip39"
	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/client/input"
	"github.com/cosmos/cosmos-sdk/server"
	"github.com/cosmos/cosmos-sdk/telemetry"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/genutil"
)

const (
	flagOverwrite       = "overwrite"
	flagRecover         = "recover"
	flagSettlementDenom = "settlement-denom"
	flagDevelopment     = "development"
	flagEpochDuration   = "epoch-duration"
)

// initCommand writes keys, configuration and the genesis of a chain.
func initCommand(basics module.BasicManager) *cobra.Command {
	var opts genesisOptions
	cmd := &cobra.Command{
		Use:   "init MONIKER",
		Short: "Write keys, configuration and a genesis file",
		Long: "Write a node's keys, its configuration and the genesis file of a new chain. To join an existing chain, replace the genesis " +
			"file by the one of that chain. Keys that are there already stay as they are.",
		Example: "edged init my-node --chain-id edge-1\n" +
			"edged init local --chain-id edge-local-1 --settlement-denom uusd --development --epoch-duration 60s",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runInit(cmd, basics, args[0], opts)
		},
	}
	cmd.Flags().String(flags.FlagChainID, "", "id of the chain (required)")
	cmd.Flags().BoolP(flagOverwrite, "o", false, "replace an existing genesis file")
	cmd.Flags().Bool(flagRecover, false, "read the mnemonic of the validator's key from stdin")
	cmd.Flags().Int64(flags.FlagInitHeight, 1, "height of the first block")
	opts.addFlags(cmd.Flags())
	return cmd
}

func runInit(cmd *cobra.Command, basics module.BasicManager, moniker string, opts genesisOptions) error {
	clientCtx := client.GetClientContextFromCmd(cmd)
	config := server.GetServerContextFromCmd(cmd).Config
	config.SetRoot(clientCtx.HomeDir)
	config.Moniker = moniker

	chainID, _ := cmd.Flags().GetString(flags.FlagChainID)
	if chainID == "" {
		chainID = clientCtx.ChainID
	}
	if chainID == "" {
		return errors.New("a chain needs an id: --" + flags.FlagChainID)
	}
	height, _ := cmd.Flags().GetInt64(flags.FlagInitHeight)
	if height < 1 {
		return fmt.Errorf("height of the first block is %d, want at least 1", height)
	}
	overwrite, _ := cmd.Flags().GetBool(flagOverwrite)
	if _, err := os.Stat(config.GenesisFile()); err == nil && !overwrite {
		return fmt.Errorf("%s exists already: --%s replaces it", config.GenesisFile(), flagOverwrite)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	genesis, err := newGenesis(clientCtx.Codec, clientCtx.TxConfig, basics, opts)
	if err != nil {
		return err
	}
	genesis.ChainID = chainID
	genesis.InitialHeight = height

	mnemonic := ""
	if fromInput, _ := cmd.Flags().GetBool(flagRecover); fromInput {
		mnemonic, err = input.GetString("Enter the mnemonic of the validator's key", bufio.NewReader(cmd.InOrStdin()))
		if err != nil {
			return err
		}
		if !bip39.IsMnemonicValid(mnemonic) {
			return errors.New("the mnemonic is not valid")
		}
	}
	nodeID, _, err := genutil.InitializeNodeValidatorFilesFromMnemonic(config, mnemonic)
	if err != nil {
		return err
	}
	key, err := ensureBeaconKey(config.RootDir)
	if err != nil {
		return err
	}
	if err := genutil.ExportGenesisFile(genesis, config.GenesisFile()); err != nil {
		return err
	}
	cmtcfg.WriteConfigFile(filepath.Join(config.RootDir, "config", "config.toml"), config)
	// The SDK reads this file at every start; empty switches OpenTelemetry off.
	if err := os.WriteFile(filepath.Join(config.RootDir, "config", telemetry.OtelFileName), nil, 0o600); err != nil {
		return err
	}
	out, err := json.Marshal(struct {
		Moniker      string `json:"moniker"`
		ChainID      string `json:"chain_id"`
		NodeID       string `json:"node_id"`
		Home         string `json:"home"`
		BeaconPubKey string `json:"beacon_pub_key"`
	}{moniker, chainID, nodeID, config.RootDir, hex.EncodeToString(key.PubKey())})
	if err != nil {
		return err
	}
	cmd.Println(string(out))
	return nil
}
