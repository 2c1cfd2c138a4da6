package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/cosmos/go-bip39"
	"github.com/spf13/cobra"

	"cosmossdk.io/core/address"

	"github.com/cosmos/cosmos-sdk/client/input"
	"github.com/cosmos/cosmos-sdk/codec"
	addresscodec "github.com/cosmos/cosmos-sdk/codec/address"
	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/client/chain"
)

// newKeysCommand manages the keyring that holds the keys of account owners, with the flags and the JSON of the SDK's
// command of that name. It writes addresses with the chain's own codec, so that nothing global has to be set.
func newKeysCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Manage the keys of account owners",
		Long: `The keyring holds the keys that own accounts and sign transactions. It is the SDK's: --keyring-backend says where it
keeps them (os, file, kwallet, pass, or test, which protects nothing).`,
		Example: "  edge keys add alice\n  edge keys list\n  edge keys show alice --address",
	}
	cmd.AddCommand(newKeysAdd(a), newKeysShow(a), newKeysList(a), newKeysDelete(a), newKeysRename(a), newKeysExport(a), newKeysImport(a))
	return group(cmd)
}

// keyring opens the keyring.
func (a *app) keyring(cmd *cobra.Command) (keyring.Keyring, error) {
	registry, err := chain.NewInterfaceRegistry()
	if err != nil {
		return nil, err
	}
	kr, err := keyring.New(sdk.KeyringServiceName(), a.backend, a.keyringHome, cmd.InOrStdin(), codec.NewProtoCodec(registry))
	if err != nil {
		return nil, fmt.Errorf("open keyring: %w", err)
	}
	return kr, nil
}

// find returns the key with a name or an address.
func find(kr keyring.Keyring, s string) (*keyring.Record, error) {
	if raw, err := accountAddresses.StringToBytes(s); err == nil {
		if rec, err := kr.KeyByAddress(sdk.AccAddress(raw)); err == nil {
			return rec, nil
		}
	}
	rec, err := kr.Key(s)
	if err != nil {
		return nil, fmt.Errorf("there is no key %q in the keyring: %w", s, err)
	}
	return rec, nil
}

var accountAddresses address.Codec = addresscodec.NewBech32Codec(chain.Prefix)

// keyringOutput is what is shown of a key.
type keyringOutput struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Address  string `json:"address"`
	PubKey   string `json:"pubkey"`
	Mnemonic string `json:"mnemonic,omitempty"`
}

func describeKey(rec *keyring.Record) (keyringOutput, error) {
	pub, err := rec.GetPubKey()
	if err != nil {
		return keyringOutput{}, fmt.Errorf("key %q: %w", rec.Name, err)
	}
	addr, err := accountAddresses.BytesToString(pub.Address())
	if err != nil {
		return keyringOutput{}, fmt.Errorf("key %q: %w", rec.Name, err)
	}
	b, err := json.Marshal(struct {
		Type string `json:"@type"`
		Key  []byte `json:"key"`
	}{sdk.MsgTypeURL(pub), pub.Bytes()})
	if err != nil {
		return keyringOutput{}, fmt.Errorf("key %q: %w", rec.Name, err)
	}
	return keyringOutput{Name: rec.Name, Type: rec.GetType().String(), Address: addr, PubKey: string(b)}, nil
}

func (k keyringOutput) text() string {
	return fmt.Sprintf("name: %s\ntype: %s\naddress: %s\npubkey: '%s'\n", k.Name, k.Type, k.Address, k.PubKey)
}

func newKeysAdd(a *app) *cobra.Command {
	var recovered, noBackup bool
	var index uint32
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Make a key, or recover one from its mnemonic",
		Long: `Makes a key and shows its mnemonic once: on standard error, or in the JSON. With --recover the mnemonic is read from
standard input.`,
		Example: `  edge keys add alice
  edge keys add alice --recover < mnemonic.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := strings.TrimSpace(args[0])
			if name == "" {
				return usagef("a key needs a name")
			}
			kr, err := a.keyring(cmd)
			if err != nil {
				return err
			}
			if _, err := kr.Key(name); err == nil {
				return fmt.Errorf("there is a key %q already; rename or delete it first", name)
			}
			path := hd.CreateHDPath(sdk.CoinType, 0, index).String()
			var rec *keyring.Record
			var mnemonic string
			if recovered {
				text, err := input.GetString("Enter the mnemonic", bufio.NewReader(cmd.InOrStdin()))
				if err != nil {
					return fmt.Errorf("read mnemonic: %w", err)
				}
				if !bip39.IsMnemonicValid(text) {
					return errors.New("the mnemonic is not valid")
				}
				rec, err = kr.NewAccount(name, text, keyring.DefaultBIP39Passphrase, path, hd.Secp256k1)
				if err != nil {
					return fmt.Errorf("recover key: %w", err)
				}
			} else {
				if rec, mnemonic, err = kr.NewMnemonic(name, keyring.English, path, keyring.DefaultBIP39Passphrase, hd.Secp256k1); err != nil {
					return fmt.Errorf("make key: %w", err)
				}
			}
			out, err := describeKey(rec)
			if err != nil {
				return err
			}
			if !noBackup {
				out.Mnemonic = mnemonic
			}
			if err := a.print(cmd, out, "%s", out.text()); err != nil {
				return err
			}
			if a.output == outputText && out.Mnemonic != "" {
				_, err = fmt.Fprintf(cmd.ErrOrStderr(), "\nWrite this mnemonic down. It alone recovers the key, and it is not shown again.\n\n%s\n", out.Mnemonic)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&recovered, "recover", false, "recover the key from its mnemonic")
	cmd.Flags().BoolVar(&noBackup, "no-backup", false, "do not show the mnemonic")
	cmd.Flags().Uint32Var(&index, "index", 0, "index of the address in the derivation path")
	return cmd
}

func newKeysShow(a *app) *cobra.Command {
	var only bool
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a key by its name or address",
		Example: `  edge keys show alice
  edge keys show alice --address`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kr, err := a.keyring(cmd)
			if err != nil {
				return err
			}
			rec, err := find(kr, args[0])
			if err != nil {
				return err
			}
			out, err := describeKey(rec)
			if err != nil {
				return err
			}
			if only {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), out.Address)
				return err
			}
			return a.print(cmd, out, "%s", out.text())
		},
	}
	cmd.Flags().BoolVarP(&only, "address", "a", false, "print the address alone")
	return cmd
}

func newKeysList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List all keys",
		Example: "  edge keys list --output json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			kr, err := a.keyring(cmd)
			if err != nil {
				return err
			}
			records, err := kr.List()
			if err != nil {
				return fmt.Errorf("list keys: %w", err)
			}
			list := make([]keyringOutput, 0, len(records))
			var text strings.Builder
			for _, rec := range records {
				out, err := describeKey(rec)
				if err != nil {
					return err
				}
				list = append(list, out)
				text.WriteString(out.text())
			}
			return a.print(cmd, list, "%s", text.String())
		},
	}
}

func newKeysDelete(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete a key",
		Example: "  edge keys delete alice --yes",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kr, err := a.keyring(cmd)
			if err != nil {
				return err
			}
			if _, err := kr.Key(args[0]); err != nil {
				return fmt.Errorf("there is no key %q in the keyring: %w", args[0], err)
			}
			if !yes {
				question := fmt.Sprintf("Delete key %q? Without its mnemonic what it owns is lost", args[0])
				ok, err := input.GetConfirmation(question, bufio.NewReader(cmd.InOrStdin()), cmd.ErrOrStderr())
				if err != nil {
					return fmt.Errorf("read the answer: %w", err)
				}
				if !ok {
					return errors.New("not deleted")
				}
			}
			if err := kr.Delete(args[0]); err != nil {
				return fmt.Errorf("delete key %q: %w", args[0], err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func newKeysRename(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "rename OLD NEW",
		Short:   "Rename a key",
		Example: "  edge keys rename alice bob",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			kr, err := a.keyring(cmd)
			if err != nil {
				return err
			}
			if err := kr.Rename(args[0], args[1]); err != nil {
				return fmt.Errorf("rename key %q: %w", args[0], err)
			}
			return nil
		},
	}
}

func newKeysExport(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "export NAME",
		Short:   "Print a key, encrypted with a passphrase",
		Example: "  edge keys export alice > alice.armor",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kr, err := a.keyring(cmd)
			if err != nil {
				return err
			}
			pass, err := input.GetPassword("Enter a passphrase to encrypt the key with:", bufio.NewReader(cmd.InOrStdin()))
			if err != nil {
				return fmt.Errorf("read passphrase: %w", err)
			}
			armor, err := kr.ExportPrivKeyArmor(args[0], pass)
			if err != nil {
				return fmt.Errorf("export key %q: %w", args[0], err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), armor)
			return err
		},
	}
}

func newKeysImport(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "import NAME FILE",
		Short:   "Import a key that was exported",
		Example: "  edge keys import alice alice.armor",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			kr, err := a.keyring(cmd)
			if err != nil {
				return err
			}
			armor, err := readBounded(args[1], maxKeyFile)
			if err != nil {
				return err
			}
			pass, err := input.GetPassword("Enter the passphrase of the export:", bufio.NewReader(cmd.InOrStdin()))
			if err != nil {
				return fmt.Errorf("read passphrase: %w", err)
			}
			if err := kr.ImportPrivKey(args[0], string(armor), pass); err != nil {
				return fmt.Errorf("import key %q: %w", args[0], err)
			}
			return nil
		},
	}
}
