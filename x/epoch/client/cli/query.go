// Package cli holds the queries of x/epoch that AutoCLI cannot print.
package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/version"

	"github.com/edgechain/edge/x/epoch/types"
)

// QueryCommand returns the parent of the module's queries; AutoCLI adds the others.
func QueryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:                        types.ModuleName,
		Short:                      "Read the clock of the chain, its randomness and its committee",
		SuggestionsMinimumDistance: 2,
		RunE:                       client.ValidateCmd,
	}
	cmd.AddCommand(validatorSetCommand())
	return cmd
}

// validatorSetCommand is made by hand because AutoCLI prints amino JSON, which has no form for CometBFT's public keys.
func validatorSetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validator-set [HEIGHT]",
		Short: "Show the validators in force at a height, by default those of the newest set, with the stake behind their seats",
		Long: "Show the validators in force at a height, with the stake behind their seats; without a height those of the newest set, which is " +
			"in force two blocks after it was sent. --height is something else: the height of the state that is asked.",
		Example: fmt.Sprintf("%[1]s query epoch validator-set\n%[1]s query epoch validator-set 187201 --output json", version.AppName),
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			clientCtx, err := client.GetClientQueryContext(cmd)
			if err != nil {
				return err
			}
			var req types.QueryValidatorSetRequest
			if len(args) == 1 {
				if req.Height, err = strconv.ParseInt(args[0], 10, 64); err != nil {
					return fmt.Errorf("height %q, want a number: %w", args[0], err)
				}
			}
			resp, err := types.NewQueryClient(clientCtx).ValidatorSet(cmd.Context(), &req)
			if err != nil {
				return err
			}
			return clientCtx.PrintProto(resp)
		},
	}
	flags.AddQueryFlagsToCmd(cmd)
	return cmd
}
