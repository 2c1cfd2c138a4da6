package devnet

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/cosmos/cosmos-sdk/types/bech32"
)

// Names of keys in the keyrings.
const (
	operatorKey = "operator"
	// faucetKey holds what clients are given.
	faucetKey = "faucet"
)

// initChain writes the homes of the validators with edged testnet.
func (n *Network) initChain(ctx context.Context) error {
	cfg := n.cfg
	args := []string{
		"testnet", "--validators", strconv.Itoa(cfg.Validators), "--output-dir", cfg.chainDir(), "--chain-id", cfg.ChainID,
		"--settlement-denom", SettlementDenom, "--development", "--epoch-duration", cfg.EpochDuration.String(),
		"--block-time", cfg.BlockTime.String(), "--port-offset", strconv.Itoa(cfg.PortOffset),
	}
	if len(cfg.Stakes) > 0 {
		args = append(args, "--stakes", strings.Join(cfg.Stakes, ","))
	}
	for _, p := range []struct {
		flag  string
		value uint32
	}{
		{"--seats", cfg.Seats},
		{"--step-blocks", cfg.StepBlocks},
		{"--beacon-blocks", cfg.BeaconBlocks},
	} {
		if p.value != 0 {
			args = append(args, p.flag, strconv.FormatUint(uint64(p.value), 10))
		}
	}
	if _, err := run(ctx, nil, cfg.Binaries.Edged, args...); err != nil {
		return err
	}
	doc, err := readGenesis(n.Nodes[0].genesisFile())
	if err != nil {
		return err
	}
	if err := n.readOperators(doc); err != nil {
		return err
	}
	if err := n.editGenesis(ctx, doc); err != nil || cfg.Prepare == nil {
		return err
	}
	return cfg.Prepare(n)
}

// editGenesis changes the genesis of all validators as the configuration says.
func (n *Network) editGenesis(ctx context.Context, doc map[string]any) error {
	cfg := n.cfg
	if len(cfg.Genesis) == 0 && cfg.EditGenesis == nil {
		return nil
	}
	if err := edit(doc, cfg.Genesis); err != nil {
		return err
	}
	if cfg.EditGenesis != nil {
		if err := cfg.EditGenesis(doc); err != nil {
			return err
		}
	}
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	for _, node := range n.Nodes {
		if err := os.WriteFile(node.genesisFile(), b, 0o600); err != nil {
			return err
		}
	}
	_, err = n.edged(ctx, "genesis", "validate")
	return err
}

// readOperators reads from the genesis who operates which validator.
func (n *Network) readOperators(doc map[string]any) error {
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	var genesis struct {
		AppState struct {
			Genutil struct {
				GenTxs []struct {
					Body struct {
						Messages []struct {
							Operator    string `json:"validator_address"`
							Description struct{ Moniker string }
						}
					}
				} `json:"gen_txs"`
			}
		} `json:"app_state"`
	}
	if err := json.Unmarshal(raw, &genesis); err != nil {
		return err
	}
	for _, tx := range genesis.AppState.Genutil.GenTxs {
		for _, m := range tx.Body.Messages {
			for _, node := range n.Nodes {
				if node.Moniker != m.Description.Moniker {
					continue
				}
				_, address, err := bech32.DecodeAndConvert(m.Operator)
				if err != nil {
					return err
				}
				node.Valoper = m.Operator
				if node.Operator, err = bech32.ConvertAndEncode("edge", address); err != nil {
					return err
				}
			}
		}
	}
	for _, node := range n.Nodes {
		if node.Valoper == "" {
			return fmt.Errorf("the genesis has no validator %s", node.Moniker)
		}
	}
	n.Operator, n.Valoper = n.Nodes[0].Operator, n.Nodes[0].Valoper
	return nil
}

// addKey makes a key in the test keyring of a program and returns its address.
func addKey(ctx context.Context, program func(context.Context, ...string) (string, error), name string) (string, error) {
	if _, err := program(ctx, "keys", "add", name, "--keyring-backend", "test", "--output", "json"); err != nil {
		return "", err
	}
	out, err := program(ctx, "keys", "show", name, "--address", "--keyring-backend", "test")
	return strings.TrimSpace(out), err
}

// readGenesis reads a genesis document.
func readGenesis(path string) (map[string]any, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.UseNumber() // heights and amounts must survive as they are
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return doc, nil
}

// edit sets fields of the document. A path that does not exist is an error: a renamed field must not go unnoticed.
func edit(doc, edits map[string]any) error {
	for fields, value := range edits {
		at := doc
		names := strings.Split(fields, ".")
		for i, name := range names {
			if _, ok := at[name]; !ok {
				return fmt.Errorf("the genesis has no field %s", strings.Join(names[:i+1], "."))
			}
			if i == len(names)-1 {
				at[name] = value
				break
			}
			next, ok := at[name].(map[string]any)
			if !ok {
				return fmt.Errorf("genesis: %s is no object", strings.Join(names[:i+1], "."))
			}
			at = next
		}
	}
	return nil
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
