package cmd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/cosmos/go-bip39"
	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/client/input"
	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

const (
	flagAddress = "address"
	flagBech    = "bech"
	flagYes     = "yes"
)

// keysCommand manages the keys that sign transactions, with the flags and the JSON of the SDK's command of that name. It
// stands on crypto/keyring.
func keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Manage the keys that sign transactions",
		RunE:  client.ValidateCmd,
	}
	cmd.PersistentFlags().String(flags.FlagKeyringDir, "", "folder of the keyring; the node's folder if empty")
	cmd.PersistentFlags().String(flags.FlagKeyringBackend, "os", "backend of the keyring (os|file|test)")
	cmd.PersistentFlags().String(flags.FlagOutput, "text", "format of the output (text|json)")
	cmd.AddCommand(keysAddCommand(), keysShowCommand(), keysListCommand(), keysDeleteCommand())
	return cmd
}

func keysAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "add NAME",
		Short:   "Make a key, or recover one from its mnemonic",
		Long:    "Make a key and print its mnemonic once. With --recover the mnemonic is read from stdin.",
		Example: "edged keys add operator --keyring-backend test",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			clientCtx, err := client.GetClientQueryContext(cmd)
			if err != nil {
				return err
			}
			name := args[0]
			if _, err := clientCtx.Keyring.Key(name); err == nil {
				return fmt.Errorf("there is a key %q already", name)
			}
			path := hd.CreateHDPath(sdk.GetConfig().GetCoinType(), 0, 0).String()
			recovered, _ := cmd.Flags().GetBool(flagRecover)
			var record *keyring.Record
			var mnemonic string
			if recovered {
				text, err := input.GetString("Enter the mnemonic", bufio.NewReader(cmd.InOrStdin()))
				if err != nil {
					return err
				}
				if !bip39.IsMnemonicValid(text) {
					return errors.New("the mnemonic is not valid")
				}
				record, err = clientCtx.Keyring.NewAccount(name, text, keyring.DefaultBIP39Passphrase, path, hd.Secp256k1)
				if err != nil {
					return err
				}
			} else {
				record, mnemonic, err = clientCtx.Keyring.NewMnemonic(
					name, keyring.English, path, keyring.DefaultBIP39Passphrase, hd.Secp256k1)
				if err != nil {
					return err
				}
			}
			out, err := newKeyOutput(record, sdk.PrefixAccount)
			if err != nil {
				return err
			}
			out.Mnemonic = mnemonic
			return printKeys(cmd, clientCtx.OutputFormat, out)
		},
	}
	cmd.Flags().Bool(flagRecover, false, "read the mnemonic from stdin")
	return cmd
}

func keysShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a key",
		Example: "edged keys show operator --address --bech val",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			clientCtx, err := client.GetClientQueryContext(cmd)
			if err != nil {
				return err
			}
			record, err := clientCtx.Keyring.Key(args[0])
			if err != nil {
				return err
			}
			bech, _ := cmd.Flags().GetString(flagBech)
			out, err := newKeyOutput(record, bech)
			if err != nil {
				return err
			}
			if only, _ := cmd.Flags().GetBool(flagAddress); only {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), out.Address)
				return err
			}
			return printKeys(cmd, clientCtx.OutputFormat, out)
		},
	}
	cmd.Flags().BoolP(flagAddress, "a", false, "print the address alone")
	cmd.Flags().String(flagBech, sdk.PrefixAccount, "kind of the address: acc for accounts, val for operators")
	return cmd
}

func keysListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all keys",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			clientCtx, err := client.GetClientQueryContext(cmd)
			if err != nil {
				return err
			}
			records, err := clientCtx.Keyring.List()
			if err != nil {
				return err
			}
			list := make([]keyOutput, 0, len(records))
			for _, r := range records {
				out, err := newKeyOutput(r, sdk.PrefixAccount)
				if err != nil {
					return err
				}
				list = append(list, out)
			}
			if clientCtx.OutputFormat == flags.OutputFormatJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(list)
			}
			return printKeys(cmd, clientCtx.OutputFormat, list...)
		},
	}
}

func keysDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete NAME...",
		Short: "Delete keys",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			clientCtx, err := client.GetClientQueryContext(cmd)
			if err != nil {
				return err
			}
			yes, _ := cmd.Flags().GetBool(flagYes)
			for _, name := range args {
				if _, err := clientCtx.Keyring.Key(name); err != nil {
					return err
				}
				if !yes {
					question := fmt.Sprintf("Delete key %q? Without its mnemonic what it holds is lost.", name)
					ok, err := input.GetConfirmation(question, bufio.NewReader(cmd.InOrStdin()), cmd.ErrOrStderr())
					if err != nil {
						return err
					}
					if !ok {
						return errors.New("not deleted")
					}
				}
				if err := clientCtx.Keyring.Delete(name); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolP(flagYes, "y", false, "delete without asking")
	return cmd
}

// keyOutput is what is shown of a key.
type keyOutput struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Address  string `json:"address"`
	PubKey   string `json:"pubkey"`
	Mnemonic string `json:"mnemonic,omitempty"`
}

// newKeyOutput describes a key with its account (acc) or operator (val) address.
func newKeyOutput(record *keyring.Record, bech string) (out keyOutput, err error) {
	pub, err := record.GetPubKey()
	if err != nil {
		return out, err
	}
	out = keyOutput{Name: record.Name, Type: record.GetType().String()}
	switch bech {
	case sdk.PrefixAccount:
		out.Address = sdk.AccAddress(pub.Address()).String()
	case sdk.PrefixValidator:
		out.Address = sdk.ValAddress(pub.Address()).String()
	default:
		return out, fmt.Errorf("--%s is %q, want %s or %s", flagBech, bech, sdk.PrefixAccount, sdk.PrefixValidator)
	}
	key, err := json.Marshal(struct {
		Type string `json:"@type"`
		Key  []byte `json:"key"`
	}{sdk.MsgTypeURL(pub), pub.Bytes()})
	out.PubKey = string(key)
	return out, err
}

// printKeys prints keys as one JSON object each or as text.
func printKeys(cmd *cobra.Command, format string, list ...keyOutput) error {
	w := cmd.OutOrStdout()
	for _, k := range list {
		if format == flags.OutputFormatJSON {
			if err := json.NewEncoder(w).Encode(k); err != nil {
				return err
			}
			continue
		}
		if err := printKey(w, k); err != nil {
			return err
		}
	}
	return nil
}

func printKey(w io.Writer, k keyOutput) error {
	_, err := fmt.Fprintf(w, "name: %s\ntype: %s\naddress: %s\npubkey: '%s'\n", k.Name, k.Type, k.Address, k.PubKey)
	if err == nil && k.Mnemonic != "" {
		_, err = fmt.Fprintf(w, "\nWrite down this mnemonic. It is the only way to recover the key, and is not shown again.\n\n%s\n", k.Mnemonic)
	}
	return err
}
