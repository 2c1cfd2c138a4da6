package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cosmos/cosmos-sdk/version"

	"github.com/edgechain/edge/worker/config"
)

const (
	flagHome   = "home"
	flagOutput = "output"
)

// app is what the commands share.
type app struct {
	environ []string
	home    home
	output  string
	// flags that were given, by the names of configuration fields.
	flags map[string]string
}

func newRoot(environ []string) *cobra.Command {
	a := &app{environ: environ, flags: map[string]string{}}
	root := &cobra.Command{
		Use:   "edge-worker",
		Short: "Serve content on behalf of a node and settle what clients acknowledge",
		Long: `edge-worker serves content, collects the acknowledgements that clients sign for it, and settles them on the chain.

Settings come from flags (--section.key), then from the environment (EDGE_WORKER_SECTION_KEY), then from config.toml
in the home folder, then from the defaults. 'edge-worker init' writes a file with a comment on every one.`,
		Example: `  edge-worker init --chain-id edge-1 --rpc http://127.0.0.1:26657
  edge-worker identity --operator edgevaloper1... --endpoint https://worker.example
  edge-worker start
  edge-worker add ./public
  edge-worker content ls
  edge-worker ledger
  edge-worker receipts --key 7`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.prepare(cmd)
		},
	}
	defaultHome := "."
	if dir, err := os.UserHomeDir(); err == nil {
		defaultHome = filepath.Join(dir, ".edge-worker")
	}
	set := root.PersistentFlags()
	set.String(flagHome, defaultHome, "home folder of the worker")
	set.StringP(flagOutput, "o", "text", "text or json")
	defaults := config.Default()
	for _, f := range defaults.Fields() {
		set.String(f.Name(), f.String(), f.Doc)
		// There are many; the file explains them.
		if err := set.MarkHidden(f.Name()); err != nil {
			panic(err)
		}
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(a.initCommand(), a.startCommand(), a.addCommand(), a.contentCommand(), a.pinCommand(), a.unpinCommand(), a.identityCommand(), a.ledgerCommand(), a.receiptsCommand(), a.statusCommand(), a.versionCommand())
	root.CompletionOptions.HiddenDefaultCmd = true
	return root
}

// prepare reads what every command needs from the flags.
func (a *app) prepare(cmd *cobra.Command) error {
	set := cmd.Flags()
	dir, err := set.GetString(flagHome)
	if err != nil {
		return err
	}
	if !set.Changed(flagHome) {
		for _, entry := range a.environ {
			if value, ok := strings.CutPrefix(entry, config.EnvPrefix+"HOME="); ok && value != "" {
				dir = value
			}
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("home folder: %w", err)
	}
	a.home = home(dir)
	if a.output, err = set.GetString(flagOutput); err != nil {
		return err
	}
	if a.output != "text" && a.output != "json" {
		return usagef("--output %q, want text or json", a.output)
	}
	fields := map[string]bool{}
	defaults := config.Default()
	for _, f := range defaults.Fields() {
		fields[f.Name()] = true
	}
	set.Visit(func(f *pflag.Flag) {
		if fields[f.Name] {
			a.flags[f.Name] = f.Value.String()
		}
	})
	return nil
}

// load reads and checks the configuration.
func (a *app) load() (config.Config, error) {
	c, err := config.Load(a.home.config(), a.environ, a.flags)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return c, fmt.Errorf("%s does not exist: run 'edge-worker init --chain-id ID' first", a.home.config())
		}
		return c, &usageError{err}
	}
	if err := validate(&c); err != nil {
		return c, &usageError{err}
	}
	return c, nil
}

// args makes cobra's complaints about arguments usage errors.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if err := check(cmd, given); err != nil {
			return &usageError{err}
		}
		return nil
	}
}

func writeJSON(w io.Writer, doc any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(doc)
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			info := struct {
				Version string `json:"version"`
				Commit  string `json:"commit"`
			}{versionText(), version.Commit}
			if a.output == "json" {
				return writeJSON(cmd.OutOrStdout(), info)
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), info.Version)
			return err
		},
	}
}

func versionText() string {
	if version.Version == "" {
		return "devel"
	}
	return version.Version
}
