package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	"github.com/cosmos/cosmos-sdk/version"

	"github.com/edgechain/edge/client/chain"
)

const appName = "edge"

// Names of flags that more than one command has.
const (
	flagFrom       = "from"
	flagFeeGranter = "fee-granter"
)

// app is what the commands share, filled in from flags, environment and file before a command runs.
type app struct {
	home, node, chainID   string
	backend, keyringDir   string
	output                string
	feeGranter, from      string
	gasAdjustment         float64
	maxFee                uint64
	keyringHome, laneHome string
}

func newRoot() *cobra.Command {
	a := new(app)
	root := &cobra.Command{
		Use:   appName,
		Short: "Fetch content from an Edge network, verified and paid as it arrives",
		Long: `edge keeps a prepaid account on an Edge chain and fetches content from its workers. Every byte is verified
against the content's name before it is written, and only what was verified is acknowledged and paid.

Settings come from flags, then from the environment (EDGE_ and the flag's name in capitals, such as EDGE_NODE
or EDGE_CHAIN_ID), then from config.toml in the home folder, then from the defaults.`,
		Example: `  edge keys add alice
  edge account open --deposit 100000000uusd --from alice
  edge account add-key --from alice
  edge get bafkr4i... -o file.iso
  edge get NAME --worker http://localhost:8080 -o -
  edge put file.iso
  edge receipt verify receipt.json`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.prepare(cmd)
		},
	}
	f := root.PersistentFlags()
	f.StringVar(&a.home, flags.FlagHome, defaultHome(), "folder of configuration, keys and lane state")
	f.StringVar(&a.node, flags.FlagNode, "http://localhost:26657", "RPC of a CometBFT node")
	f.StringVar(&a.chainID, flags.FlagChainID, "", "chain id; empty takes what the node says")
	f.StringVar(&a.backend, flags.FlagKeyringBackend, keyring.BackendOS, "backend of the keyring (os|file|kwallet|pass|test|memory)")
	f.StringVar(&a.keyringDir, flags.FlagKeyringDir, "", "folder of the keyring; empty is the home folder")
	f.StringVar(&a.output, flags.FlagOutput, outputText, "form of the output (text|json)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(newKeysCommand(a), newAccountCommand(a), newGetCommand(a), newPutCommand(a), newReceiptCommand(a), newVersionCommand(a))
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newCompletionCommand())
	checkArgs(root)
	return root
}

func defaultHome() string {
	dir, err := os.UserHomeDir()
	if err != nil {
		return ".edge"
	}
	return filepath.Join(dir, ".edge")
}

// checkArgs turns a wrong number of arguments into an error of usage, for all commands.
func checkArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		checkArgs(sub)
	}
}

// group is a command that only holds others: without one of them, or with an unknown one, it is a fault of usage.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return usagef("unknown command %q for %q", args[0], cmd.CommandPath())
	}
	return cmd
}

// prepare reads the settings and gives the SDK's commands the context that they look for.
func (a *app) prepare(cmd *cobra.Command) error {
	if err := applySettings(cmd); err != nil {
		return err
	}
	switch a.output {
	case outputText, outputJSON:
	default:
		return usagef("output %q, want %s or %s", a.output, outputText, outputJSON)
	}
	a.keyringHome, a.laneHome = a.home, filepath.Join(a.home, "lanes")
	if a.keyringDir != "" {
		a.keyringHome = a.keyringDir
	}
	return nil
}

// chain returns a client of the configured node.
func (a *app) chain() (*chain.Client, error) {
	c, err := chain.New(chain.Config{RPC: a.node, ChainID: a.chainID, GasAdjustment: a.gasAdjustment, MaxFee: a.maxFee})
	if err != nil {
		return nil, &usageError{err}
	}
	return c, nil
}

// signer opens the keyring.
func (a *app) signer(cmd *cobra.Command) (chain.Signer, error) {
	if a.from == "" {
		return chain.Signer{}, usagef("say with --from which key of the keyring signs; edge keys list shows them")
	}
	kr, err := a.keyring(cmd)
	if err != nil {
		return chain.Signer{}, err
	}
	return chain.Signer{Keyring: kr, From: a.from, FeeGranter: a.feeGranter}, nil
}

// status asks the node for the chain and where it stands, and settles the chain id.
func (a *app) status(ctx context.Context, c *chain.Client) (chain.Status, error) {
	st, err := c.Status(ctx)
	if err != nil {
		return chain.Status{}, err
	}
	if st.CatchingUp {
		return chain.Status{}, fmt.Errorf("%w: node %s is at height %d and catching up", chain.ErrBehind, a.node, st.Height)
	}
	return st, nil
}

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  edge version\n  edge version --output json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := struct {
				Name    string `json:"name"`
				Version string `json:"version"`
				Commit  string `json:"commit"`
				Go      string `json:"go"`
			}{appName, version.Version, version.Commit, runtime.Version()}
			if v.Version == "" {
				v.Version = "unreleased"
			}
			return a.print(cmd, v, "%s\n", strings.TrimSpace(v.Version+" "+v.Commit))
		},
	}
}

func newCompletionCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "completion SHELL",
		Short:     "Print the completion script of a shell (bash, zsh, fish, powershell)",
		Example:   "  source <(edge completion bash)",
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return usagef("no completion for shell %q, want bash, zsh, fish or powershell", args[0])
		},
	}
}

// notThere reports whether the chain has no such record.
func notThere(err error) bool { return errors.Is(err, chain.ErrNotFound) }
