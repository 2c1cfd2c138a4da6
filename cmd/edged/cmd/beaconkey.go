package cmd

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/client/tx"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/app/beaconkey"
	"github.com/edgechain/edge/x/epoch/beacon"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

const (
	flagKeyFile = "key-file"
	flagPubKey  = "pub-key"
)

// beaconKeyPath is where a node keeps its beacon keys.
func beaconKeyPath(home string) string { return filepath.Join(home, "config", beaconkey.FileName) }

// ensureBeaconKey makes a beacon key unless there is one, and returns the newest.
func ensureBeaconKey(home string) (beacon.Key, error) {
	path := beaconKeyPath(home)
	key, err := beaconkey.Create(path)
	if !errors.Is(err, fs.ErrExist) {
		return key, err
	}
	keys, err := beaconkey.Load(path)
	if err != nil {
		return key, err
	}
	return keys[len(keys)-1], nil
}

// beaconKeyCommand manages the keys with which a validator takes part in the randomness beacon. None of its commands prints
// a private key.
func beaconKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "beacon-key",
		Short: "Manage the keys with which this validator takes part in the randomness beacon",
		Long: "Manage the keys in config/beacon_key.json with which this validator takes part in the randomness beacon. A validator " +
			"without a registered key cannot be elected into the committee. A new key counts from the next freeze on, so keep the old " +
			"one in the file until the epoch after its replacement has begun.",
		RunE: client.ValidateCmd,
	}
	cmd.AddCommand(showBeaconKeyCommand(), addBeaconKeyCommand(), proveBeaconKeyCommand())
	return cmd
}

func showBeaconKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show",
		Short:   "Show the public keys in the file, the newest last",
		Example: "edged beacon-key show",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := beaconKeyPath(client.GetClientContextFromCmd(cmd).HomeDir)
			keys, err := beaconkey.Load(path)
			if err != nil {
				return err
			}
			pubKeys := make([]string, len(keys))
			for i, k := range keys {
				pubKeys[i] = hex.EncodeToString(k.PubKey())
			}
			return printJSON(cmd, struct {
				File    string   `json:"file"`
				PubKeys []string `json:"pub_keys"`
			}{path, pubKeys})
		},
	}
}

func addBeaconKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "add",
		Short: "Make a further key, to replace the registered one",
		Long: "Make a further key behind those in the file, or the first one, and register it with `edged tx epoch register-beacon-key`. " +
			"A running node finds it by itself.",
		Example: "edged beacon-key add",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := beaconKeyPath(client.GetClientContextFromCmd(cmd).HomeDir)
			key, err := beaconkey.Add(path)
			if errors.Is(err, fs.ErrNotExist) {
				key, err = beaconkey.Create(path)
			}
			if err != nil {
				return err
			}
			return printJSON(cmd, struct {
				File   string `json:"file"`
				PubKey string `json:"pub_key"`
			}{path, hex.EncodeToString(key.PubKey())})
		},
	}
}

func proveBeaconKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "prove OPERATOR",
		Short: "Prove that this node holds a key, for a transaction that is signed elsewhere",
		Long: "Print the public key and its proof of possession for a chain and an operator, as a message for a transaction that is " +
			"signed elsewhere, by several, through authz or by governance. `edged tx epoch register-beacon-key` does all of it in one step.",
		Example: "edged beacon-key prove edgevaloper1... --chain-id edge-1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			clientCtx := client.GetClientContextFromCmd(cmd)
			operator, err := sdk.ValAddressFromBech32(args[0])
			if err != nil {
				return fmt.Errorf("operator: %w", err)
			}
			msg, err := registration(cmd, clientCtx, operator)
			if err != nil {
				return err
			}
			raw, err := clientCtx.Codec.MarshalInterfaceJSON(msg)
			if err != nil {
				return err
			}
			cmd.Println(string(raw))
			return nil
		},
	}
	cmd.Flags().String(flags.FlagChainID, "", "id of the chain")
	addKeyFlags(cmd)
	return cmd
}

// registerBeaconKeyCommand registers the node's beacon key with the chain.
func registerBeaconKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "register-beacon-key",
		Short: "Register this node's beacon key, or replace the one that is registered",
		Long: "Register the newest key of config/beacon_key.json as the beacon key of your validator. It counts from the next freeze on: " +
			"a reveal before that is still made with the key that was registered then, so leave it in the file.",
		Example: "edged tx epoch register-beacon-key --from operator",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			clientCtx, err := client.GetClientTxContext(cmd)
			if err != nil {
				return err
			}
			msg, err := registration(cmd, clientCtx, sdk.ValAddress(clientCtx.GetFromAddress()))
			if err != nil {
				return err
			}
			return tx.GenerateOrBroadcastTxCLI(clientCtx, cmd.Flags(), msg)
		},
	}
	flags.AddTxFlagsToCmd(cmd)
	addKeyFlags(cmd)
	return cmd
}

func addKeyFlags(cmd *cobra.Command) {
	cmd.Flags().String(flagKeyFile, "", "file with the keys (default config/beacon_key.json in the home)")
	cmd.Flags().String(flagPubKey, "", "public key, in hex, of the key to take (default the newest of the file)")
}

// registration returns the message that registers a key of the file that the flags name for an operator.
func registration(cmd *cobra.Command, clientCtx client.Context, operator sdk.ValAddress) (*epochtypes.MsgRegisterBeaconKey, error) {
	if clientCtx.ChainID == "" {
		return nil, errors.New("a proof is for one chain: --" + flags.FlagChainID)
	}
	path, _ := cmd.Flags().GetString(flagKeyFile)
	if path == "" {
		path = beaconKeyPath(clientCtx.HomeDir)
	}
	keys, err := beaconkey.Load(path)
	if err != nil {
		return nil, err
	}
	key := keys[len(keys)-1]
	if wanted, _ := cmd.Flags().GetString(flagPubKey); wanted != "" {
		if key, err = keyWith(keys, wanted); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return &epochtypes.MsgRegisterBeaconKey{
		Operator: operator.String(),
		PubKey:   key.PubKey(),
		Proof:    key.Prove(clientCtx.ChainID, operator),
	}, nil
}

// keyWith returns the key with a public key in hex.
func keyWith(keys []beacon.Key, pubKey string) (beacon.Key, error) {
	for _, k := range keys {
		if hex.EncodeToString(k.PubKey()) == pubKey {
			return k, nil
		}
	}
	return beacon.Key{}, fmt.Errorf("no key with the public key %s", pubKey)
}

func printJSON(cmd *cobra.Command, v any) error {
	out, err := json.Marshal(v)
	if err != nil {
		return err
	}
	cmd.Println(string(out))
	return nil
}
