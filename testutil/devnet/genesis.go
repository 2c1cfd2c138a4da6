package devnet

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Names of keys in the keyrings.
const (
	operatorKey = "operator"
	// faucetKey holds what clients are given.
	faucetKey = "faucet"
)

// initChain makes the home of the validator with the usual commands: keys, genesis accounts, a gentx, and settings.
func (n *Network) initChain(ctx context.Context) error {
	cfg, home := n.cfg, n.cfg.chainHome()
	if _, err := n.edged(ctx, "init", "devnet", "--chain-id", cfg.ChainID, "--settlement-denom", SettlementDenom,
		"--development", "--epoch-duration", cfg.EpochDuration.String()); err != nil {
		return err
	}
	rpc := "tcp://" + loopback(n.Ports.RPC)
	for _, e := range []struct{ file, section, key, value string }{
		{"client.toml", "", "chain-id", quoted(cfg.ChainID)},
		{"client.toml", "", "keyring-backend", quoted("test")},
		{"client.toml", "", "node", quoted(rpc)},
		{"config.toml", "rpc", "laddr", quoted(rpc)},
		{"config.toml", "rpc", "pprof_laddr", quoted(loopback(n.Ports.PProf))},
		{"config.toml", "p2p", "laddr", quoted("tcp://" + loopback(n.Ports.P2P))},
		{"config.toml", "consensus", "timeout_commit", quoted(cfg.BlockTime.String())},
		{"app.toml", "api", "enable", "true"},
		{"app.toml", "api", "address", quoted("tcp://" + loopback(n.Ports.REST))},
		{"app.toml", "grpc", "address", quoted(loopback(n.Ports.GRPC))},
	} {
		if err := setTOML(filepath.Join(home, "config", e.file), e.section, e.key, e.value); err != nil {
			return err
		}
	}

	var err error
	if n.Operator, err = addKey(ctx, n.edged, operatorKey); err != nil {
		return err
	}
	faucet, err := addKey(ctx, n.edged, faucetKey)
	if err != nil {
		return err
	}
	accounts := []struct{ address, coins string }{
		{n.Operator, fmt.Sprintf("%d%s", operatorFunds, StakeDenom)},
		{faucet, fmt.Sprintf("%d%s,%d%s", faucetFunds, StakeDenom, faucetFunds, SettlementDenom)},
	}
	for _, a := range accounts {
		if _, err := n.edged(ctx, "genesis", "add-genesis-account", a.address, a.coins); err != nil {
			return err
		}
	}
	if _, err := n.edged(ctx, "genesis", "gentx", operatorKey, fmt.Sprintf("%d%s", operatorStake, StakeDenom),
		"--chain-id", cfg.ChainID, "--keyring-backend", "test"); err != nil {
		return err
	}
	if _, err := n.edged(ctx, "genesis", "collect-gentxs"); err != nil {
		return err
	}
	if err := editGenesis(filepath.Join(home, "config", "genesis.json"), cfg.Genesis); err != nil {
		return err
	}
	_, err = n.edged(ctx, "genesis", "validate")
	return err
}

// addKey makes a key in the test keyring of a program and returns its address.
func addKey(ctx context.Context, program func(context.Context, ...string) (string, error), name string) (string, error) {
	if _, err := program(ctx, "keys", "add", name, "--keyring-backend", "test", "--output", "json"); err != nil {
		return "", err
	}
	out, err := program(ctx, "keys", "show", name, "--address", "--keyring-backend", "test")
	return strings.TrimSpace(out), err
}

// editGenesis sets fields of the document. A path that does not exist is an error: a renamed field must not go unnoticed.
func editGenesis(path string, edits map[string]any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var doc map[string]any
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.UseNumber() // heights and amounts must survive as they are
	if err := dec.Decode(&doc); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for fields, value := range edits {
		at := doc
		names := strings.Split(fields, ".")
		for i, name := range names {
			if _, ok := at[name]; !ok {
				return fmt.Errorf("%s has no field %s", path, strings.Join(names[:i+1], "."))
			}
			if i == len(names)-1 {
				at[name] = value
				break
			}
			next, ok := at[name].(map[string]any)
			if !ok {
				return fmt.Errorf("%s: %s is no object", path, strings.Join(names[:i+1], "."))
			}
			at = next
		}
	}
	if b, err = json.MarshalIndent(doc, "", "  "); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// setTOML replaces the value of a key in a section of a settings file and keeps everything else, comments included.
func setTOML(path, section, key, value string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	header := regexp.MustCompile(`^\s*\[([^\[\]]+)\]\s*$`)
	assign := regexp.MustCompile(`^\s*` + regexp.QuoteMeta(key) + `\s*=`)
	lines := strings.Split(string(b), "\n")
	current, found := "", false
	for i, line := range lines {
		if m := header.FindStringSubmatch(line); m != nil {
			current = m[1]
		} else if current == section && assign.MatchString(line) {
			lines[i], found = key+" = "+value, true
			break
		}
	}
	if !found {
		return fmt.Errorf("%s has no %q in section %q", path, key, section)
	}
	return os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600)
}

func quoted(s string) string { return `"` + s + `"` }
