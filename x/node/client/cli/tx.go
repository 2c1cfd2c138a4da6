// Package cli holds the commands of x/node that need more than a message's fields.
package cli

import (
	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/client"

	"github.com/edgechain/edge/x/node/types"
)

// TxCommand returns the parent of the module's transactions. AutoCLI adds those that a message describes well enough.
func TxCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:                        types.ModuleName,
		Short:                      "Transactions of x/node: workers and participation",
		SuggestionsMinimumDistance: 2,
		RunE:                       client.ValidateCmd,
	}
	cmd.AddCommand(reportCommand())
	return cmd
}
