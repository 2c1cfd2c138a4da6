package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cosmos/cosmos-sdk/client/flags"
)

const (
	configFile = "config.toml"
	// maxConfig bounds the configuration file in bytes.
	maxConfig = 64 << 10
	envPrefix = "EDGE_"
)

// fileSettings are what config.toml can hold. Each stands for the flag of its name.
type fileSettings struct {
	Node           *string  `toml:"node"`
	ChainID        *string  `toml:"chain_id"`
	KeyringBackend *string  `toml:"keyring_backend"`
	KeyringDir     *string  `toml:"keyring_dir"`
	Output         *string  `toml:"output"`
	From           *string  `toml:"from"`
	FeeGranter     *string  `toml:"fee_granter"`
	Workers        []string `toml:"worker"`
	Key            *uint64  `toml:"key"`
}

func (s *fileSettings) flags() map[string]string {
	m := make(map[string]string)
	for name, v := range map[string]*string{
		flags.FlagNode: s.Node, flags.FlagChainID: s.ChainID, flags.FlagKeyringBackend: s.KeyringBackend,
		flags.FlagKeyringDir: s.KeyringDir, flags.FlagOutput: s.Output, flagFrom: s.From, flagFeeGranter: s.FeeGranter,
	} {
		if v != nil {
			m[name] = *v
		}
	}
	if len(s.Workers) > 0 {
		m[flagWorker] = strings.Join(s.Workers, ",")
	}
	if s.Key != nil {
		m[flagKey] = fmt.Sprint(*s.Key)
	}
	return m
}

// applySettings fills in flags that the command line does not name: from the environment, then from config.toml in the
// home folder. What is left keeps its default.
func applySettings(cmd *cobra.Command) error {
	set := cmd.Flags()
	env := func(name string) (string, bool) {
		v, ok := os.LookupEnv(envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
		return v, ok && v != ""
	}
	if f := set.Lookup(flags.FlagHome); f != nil && !f.Changed {
		if v, ok := env(flags.FlagHome); ok {
			if err := set.Set(flags.FlagHome, v); err != nil {
				return &usageError{err}
			}
		}
	}
	home, err := set.GetString(flags.FlagHome)
	if err != nil {
		return err
	}
	file, err := readSettings(filepath.Join(home, configFile))
	if err != nil {
		return &usageError{err}
	}
	var fault error
	set.VisitAll(func(f *pflag.Flag) {
		if f.Changed || fault != nil || f.Name == "help" {
			return
		}
		v, ok := env(f.Name)
		from := envPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if !ok {
			v, ok = file[f.Name]
			from = configFile
		}
		if !ok {
			return
		}
		if err := set.Set(f.Name, v); err != nil {
			fault = usagef("%s: %w", from, err)
		}
	})
	return fault
}

func readSettings(path string) (map[string]string, error) {
	b, err := readBounded(path, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	var s fileSettings
	dec := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) && len(strict.Errors) > 0 {
			return nil, fmt.Errorf("%s: unknown key %q", path, strings.Join(strict.Errors[0].Key(), "."))
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s.flags(), nil
}
