package cmd

import (
	"os"
	"path/filepath"

	dbm "github.com/cosmos/cosmos-db"
	"github.com/spf13/cobra"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/config"
	"github.com/cosmos/cosmos-sdk/client/debug"
	"github.com/cosmos/cosmos-sdk/client/flags"
	nodeservice "github.com/cosmos/cosmos-sdk/client/grpc/node"
	"github.com/cosmos/cosmos-sdk/client/keys"
	"github.com/cosmos/cosmos-sdk/client/pruning"
	"github.com/cosmos/cosmos-sdk/client/rpc"
	"github.com/cosmos/cosmos-sdk/client/snapshot"
	"github.com/cosmos/cosmos-sdk/server"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authcmd "github.com/cosmos/cosmos-sdk/x/auth/client/cli"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/edgechain/edge/app"
	"github.com/edgechain/edge/app/statedb"
)

// noOptions are the options of an application that only lends its codecs and commands.
type noOptions struct{}

func (noOptions) Get(string) any { return nil }

// openDB opens the state of a node that runs: with a cache and filters for a state of millions of records.
func openDB(home string, backend dbm.BackendType) (dbm.DB, error) {
	return statedb.Open("application", filepath.Join(home, "data"), backend)
}

// NewRootCmd returns the command line of edged.
func NewRootCmd() *cobra.Command {
	app.Configure()
	sdk.GetConfig().Seal()
	// An application without a state: what it knows of messages, queries and genesis makes the commands.
	blank := app.New(log.NewNopLogger(), dbm.NewMemDB(), true, noOptions{})

	clientCtx := client.Context{}.
		WithCodec(blank.AppCodec()).
		WithInterfaceRegistry(blank.InterfaceRegistry()).
		WithTxConfig(blank.TxConfig()).
		WithLegacyAmino(blank.LegacyAmino()).
		WithInput(os.Stdin).
		WithAccountRetriever(authtypes.AccountRetriever{}).
		WithHomeDir(app.DefaultHome()).
		WithViper("")

	root := &cobra.Command{
		Use:   app.Name,
		Short: "Edge: a decentralised edge network",
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return prepare(cmd, clientCtx)
		},
	}
	home := app.DefaultHome()
	// Flags of all commands.
	root.PersistentFlags().String(flags.FlagHome, home, "folder of configuration and data")
	root.PersistentFlags().String(flags.FlagLogLevel, "info", "level of the log (trace|debug|info|warn|error|fatal|panic|disabled or '*:<level>,<key>:<level>')")
	root.PersistentFlags().String(flags.FlagLogFormat, "plain", "format of the log (json|plain)")
	root.PersistentFlags().Bool(flags.FlagLogNoColor, false, "no colours in the log")
	root.PersistentFlags().Bool(server.FlagTrace, false, "stack traces of errors in the log")

	root.AddCommand(
		initCommand(blank.Basics()),
		genesisCommand(blank.TxConfig(), blank.Basics(), home),
		testnetCommand(blank),
		beaconKeyCommand(),
		keys.Commands(),
		server.StatusCommand(),
		queryCommand(),
		txCommand(),
		debug.Cmd(),
		pruning.Cmd(newApp, home),
		snapshot.Cmd(newApp),
		server.ModuleHashByHeightQuery(newApp),
	)
	server.AddCommandsWithStartCmdOptions(root, home, newApp, exportApp, server.StartCmdOptions{DBOpener: openDB})

	autoCLI := blank.AutoCLI()
	autoCLI.ClientCtx = clientCtx
	// The SDK calls these commands "node", which is the name of our module.
	autoCLI.ModuleOptions["server"] = nodeservice.NewNodeCommands().AutoCLIOptions()
	if err := autoCLI.EnhanceRootCommand(root); err != nil {
		panic(err)
	}
	replaceCommand(root, registerBeaconKeyCommand(), "tx", "epoch")
	return root
}

// replaceCommand puts a command into a group in the place of the one of that name, if there is one, which was generated from
// the schema.
func replaceCommand(root, cmd *cobra.Command, path ...string) {
	group, _, err := root.Find(path)
	if err != nil {
		panic(err)
	}
	for _, c := range group.Commands() {
		if c.Name() == cmd.Name() {
			group.RemoveCommand(c)
		}
	}
	group.AddCommand(cmd)
}

// prepare reads the configuration of the node and of the client for a command, and writes it if there is none yet.
func prepare(cmd *cobra.Command, clientCtx client.Context) error {
	if !needsHome(cmd) {
		return nil
	}
	clientCtx, err := client.ReadPersistentCommandFlags(clientCtx.WithCmdContext(cmd.Context()).WithOutput(cmd.OutOrStdout()), cmd.Flags())
	if err != nil {
		return err
	}
	if clientCtx, err = config.ReadFromClientConfig(clientCtx); err != nil {
		return err
	}
	if err := client.SetCmdClientContextHandler(clientCtx, cmd); err != nil {
		return err
	}
	template, appConfig := defaultAppConfig()
	serverCtx, err := server.InterceptConfigsAndCreateContext(cmd, template, appConfig, defaultCometConfig())
	if err != nil {
		return err
	}
	// What a command prints on stdout must not be mixed with its log. A node's log is all that it prints.
	out := cmd.ErrOrStderr()
	if cmd.Name() == "start" {
		out = cmd.OutOrStdout()
	}
	logger, err := server.CreateSDKLogger(serverCtx, out)
	if err != nil {
		return err
	}
	serverCtx.Logger = logger.With(log.ModuleKey, "server")
	return server.SetCmdServerContext(cmd, serverCtx)
}

// needsHome reports whether a command reads or writes the node's folder: all but those that speak of edged itself, and the one
// that writes folders of its own.
func needsHome(cmd *cobra.Command) bool {
	for c := cmd; c.HasParent(); c = c.Parent() {
		if c.Parent().HasParent() {
			continue
		}
		switch c.Name() {
		case "testnet", "version", "completion", "help", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
			return false
		}
	}
	return true
}

func queryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:                        "query",
		Aliases:                    []string{"q"},
		Short:                      "Read the state of the chain",
		SuggestionsMinimumDistance: 2,
		RunE:                       client.ValidateCmd,
	}
	cmd.AddCommand(
		rpc.WaitTxCmd(),
		server.QueryBlockCmd(),
		server.QueryBlocksCmd(),
		server.QueryBlockResultsCmd(),
		authcmd.QueryTxCmd(),
		authcmd.QueryTxsByEventsCmd(),
	)
	return cmd
}

func txCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:                        "tx",
		Short:                      "Make, sign and send transactions",
		SuggestionsMinimumDistance: 2,
		RunE:                       client.ValidateCmd,
	}
	cmd.AddCommand(
		authcmd.GetSignCommand(),
		authcmd.GetSignBatchCommand(),
		authcmd.GetMultiSignCommand(),
		authcmd.GetMultiSignBatchCmd(),
		authcmd.GetValidateSignaturesCommand(),
		authcmd.GetBroadcastCommand(),
		authcmd.GetEncodeCommand(),
		authcmd.GetDecodeCommand(),
		authcmd.GetSimulateCmd(),
	)
	return cmd
}
