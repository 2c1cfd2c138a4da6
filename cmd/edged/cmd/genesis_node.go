package cmd

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/server"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/genutil"
	genutilcli "github.com/cosmos/cosmos-sdk/x/genutil/client/cli"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"

	"github.com/edgechain/edge/app/beaconkey"
	"github.com/edgechain/edge/x/epoch/beacon"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// genesisCommand is the SDK's group of commands that work on a genesis file, and ours.
func genesisCommand(txConfig client.TxConfig, basics module.BasicManager, home string) *cobra.Command {
	cmd := genutilcli.Commands(txConfig, basics, home)
	cmd.AddCommand(addGenesisNodeCommand(basics))
	return cmd
}

// addGenesisNodeCommand lets a validator of the genesis take part from the first epoch on.
func addGenesisNodeCommand(basics module.BasicManager) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add-node OPERATOR",
		Short: "Let an operator take part in elections from the start: its beacon key and its participation",
		Long: "Put the beacon key of an operator into genesis.json and opt its node in. OPERATOR is the operator address of a validator, " +
			"the address of its account, or the name of its key. A genesis needs no proof that somebody holds the key: collect keys from " +
			"those to whom they belong.",
		Example: "edged genesis add-node operator\n" +
			"edged genesis add-node edgevaloper1... --pub-key 8f0c...",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			clientCtx := client.GetClientContextFromCmd(cmd)
			// The keyring of the flag is there only in commands that the SDK makes for transactions.
			if backend, _ := cmd.Flags().GetString(flags.FlagKeyringBackend); backend != "" {
				kr, err := client.NewKeyringFromBackend(clientCtx, backend)
				if err != nil {
					return err
				}
				clientCtx = clientCtx.WithKeyring(kr)
			}
			operator, err := operatorOf(clientCtx, args[0])
			if err != nil {
				return err
			}
			var pubKey []byte
			if text, _ := cmd.Flags().GetString(flagPubKey); text != "" {
				if pubKey, err = hex.DecodeString(text); err != nil {
					return fmt.Errorf("--%s: %w", flagPubKey, err)
				}
			} else {
				keys, err := beaconkey.Load(beaconKeyPath(clientCtx.HomeDir))
				if err != nil {
					return err
				}
				pubKey = keys[len(keys)-1].PubKey()
			}
			config := server.GetServerContextFromCmd(cmd).Config
			config.SetRoot(clientCtx.HomeDir)
			state, doc, err := genutiltypes.GenesisStateFromGenFile(config.GenesisFile())
			if err != nil {
				return err
			}
			if err := addGenesisNode(clientCtx.Codec, state, operator, pubKey); err != nil {
				return err
			}
			if err := basics.ValidateGenesis(clientCtx.Codec, clientCtx.TxConfig, state); err != nil {
				return err
			}
			if doc.AppState, err = json.MarshalIndent(state, "", "  "); err != nil {
				return err
			}
			return genutil.ExportGenesisFile(doc, config.GenesisFile())
		},
	}
	cmd.Flags().String(flagPubKey, "", "beacon key in hex (default the newest of config/beacon_key.json)")
	cmd.Flags().String(flags.FlagKeyringBackend, "", "keyring that has the operator's key (os|file|test; default that of client.toml)")
	return cmd
}

// operatorOf returns the operator that an operator address, an account or the name of a key stands for.
func operatorOf(clientCtx client.Context, text string) (sdk.ValAddress, error) {
	if operator, err := sdk.ValAddressFromBech32(text); err == nil {
		return operator, nil
	}
	if account, err := sdk.AccAddressFromBech32(text); err == nil {
		return sdk.ValAddress(account), nil
	}
	record, err := clientCtx.Keyring.Key(text)
	if err != nil {
		return nil, fmt.Errorf("%s is no address and no key in the keyring: %w", text, err)
	}
	account, err := record.GetAddress()
	return sdk.ValAddress(account), err
}

// addGenesisNode adds a beacon key of an operator and the participation of its node.
func addGenesisNode(cdc codec.JSONCodec, state map[string]json.RawMessage, operator sdk.ValAddress, pubKey []byte) error {
	if err := beacon.CheckPubKey(pubKey); err != nil {
		return err
	}
	err := editState(cdc, state, epochtypes.ModuleName, func(s *epochtypes.GenesisState) error {
		for _, k := range s.BeaconKeys {
			if strings.EqualFold(k.Operator, operator.String()) {
				return fmt.Errorf("%s has a beacon key already", operator)
			}
		}
		s.BeaconKeys = append(s.BeaconKeys, epochtypes.BeaconKey{Operator: operator.String(), PubKey: pubKey})
		return nil
	})
	if err != nil {
		return err
	}
	return editState(cdc, state, nodetypes.ModuleName, func(s *nodetypes.GenesisState) error {
		for _, n := range s.Nodes {
			if strings.EqualFold(n.Operator, operator.String()) {
				return fmt.Errorf("%s takes part already", operator)
			}
		}
		s.Nodes = append(s.Nodes, nodetypes.Node{
			Operator: operator.String(), OptedIn: true, OptedInBefore: true, Score: nodetypes.StartScore,
		})
		return nil
	})
}
