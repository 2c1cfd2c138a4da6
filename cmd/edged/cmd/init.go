package cmd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	"github.com/cosmos/go-bip39"
	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/client/input"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/server"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/version"
	"github.com/cosmos/cosmos-sdk/x/genutil"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"

	"github.com/edgechain/edge/app"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

const (
	flagOverwrite       = "overwrite"
	flagRecover         = "recover"
	flagSettlementDenom = "settlement-denom"
	flagDevelopment     = "development"
	flagEpochDuration   = "epoch-duration"
)

// genesisOptions are the choices that a chain makes once.
type genesisOptions struct {
	// settlementDenom is the coin that clients pay in; empty leaves the default.
	settlementDenom string
	// development lifts the lower bounds of parameters.
	development bool
	// epochDuration is the length of an epoch; 0 leaves the default.
	epochDuration time.Duration
}

// initCommand writes keys, configuration and the genesis of a chain.
func initCommand(basics module.BasicManager) *cobra.Command {
	var opts genesisOptions
	cmd := &cobra.Command{
		Use:   "init MONIKER",
		Short: "Write keys, configuration and a genesis file",
		Long: "Write a node's keys, its configuration and the genesis file of a new chain. To join an existing chain, replace the genesis " +
			"file by the one of that chain.",
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
	cmd.Flags().StringVar(&opts.settlementDenom, flagSettlementDenom, "", "coin that clients pay in, fixed for ever")
	cmd.Flags().BoolVar(&opts.development, flagDevelopment, false, "lift the lower bounds of parameters: local networks only, fixed for ever")
	cmd.Flags().DurationVar(&opts.epochDuration, flagEpochDuration, 0, "length of an epoch, such as 24h")
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
	if err := genutil.ExportGenesisFile(genesis, config.GenesisFile()); err != nil {
		return err
	}
	cmtcfg.WriteConfigFile(filepath.Join(config.RootDir, "config", "config.toml"), config)
	// The SDK reads this file at every start; empty switches OpenTelemetry off.
	if err := os.WriteFile(filepath.Join(config.RootDir, "config", telemetry.OtelFileName), nil, 0o600); err != nil {
		return err
	}
	out, err := json.Marshal(struct {
		Moniker string `json:"moniker"`
		ChainID string `json:"chain_id"`
		NodeID  string `json:"node_id"`
		Home    string `json:"home"`
	}{moniker, chainID, nodeID, config.RootDir})
	if err != nil {
		return err
	}
	cmd.Println(string(out))
	return nil
}

// newGenesis returns the genesis document of a new chain, validated.
func newGenesis(
	cdc codec.JSONCodec, txConfig client.TxEncodingConfig, basics module.BasicManager, opts genesisOptions,
) (*genutiltypes.AppGenesis, error) {
	state := basics.DefaultGenesis(cdc)
	var epoch epochtypes.GenesisState
	if err := cdc.UnmarshalJSON(state[epochtypes.ModuleName], &epoch); err != nil {
		return nil, err
	}
	epoch.Development = opts.development
	if opts.epochDuration != 0 {
		epoch.Params.Duration = opts.epochDuration
	}
	state[epochtypes.ModuleName] = cdc.MustMarshalJSON(&epoch)

	var dack dacktypes.GenesisState
	if err := cdc.UnmarshalJSON(state[dacktypes.ModuleName], &dack); err != nil {
		return nil, err
	}
	if opts.settlementDenom != "" {
		if opts.settlementDenom == app.BondDenom {
			return nil, fmt.Errorf("the settlement coin cannot be the staking coin %s", app.BondDenom)
		}
		if err := sdk.ValidateDenom(opts.settlementDenom); err != nil {
			return nil, err
		}
		dack.Params.SettlementDenom = opts.settlementDenom
	}
	state[dacktypes.ModuleName] = cdc.MustMarshalJSON(&dack)

	if err := basics.ValidateGenesis(cdc, txConfig, state); err != nil {
		return nil, err
	}
	raw, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return nil, err
	}
	return &genutiltypes.AppGenesis{
		AppName:    version.AppName,
		AppVersion: version.Version,
		AppState:   raw,
		Consensus:  &genutiltypes.ConsensusGenesis{Params: app.DefaultConsensusParams()},
	}, nil
}
