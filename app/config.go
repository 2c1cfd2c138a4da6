package app

import (
	"os"
	"path/filepath"
	"sync"

	sdk "github.com/cosmos/cosmos-sdk/types"

	nodetypes "github.com/edgechain/edge/x/node/types"
)

const (
	// Name of the application and of its binary.
	Name = "edged"
	// AddressPrefix begins every account address.
	AddressPrefix = "edge"
	// BondDenom is the coin that is staked and pays fees, in its smallest unit.
	BondDenom = nodetypes.StakingDenom
	// DisplayDenom is what people call 10^DisplayExponent of BondDenom.
	DisplayDenom = "EDGE"
	// DisplayExponent is the number of decimals of DisplayDenom.
	DisplayExponent = 6
)

var configure sync.Once

// Configure sets address prefixes and the staking coin for the SDK, which keeps them in globals. It must run before the
// first address or genesis is written; New calls it.
func Configure() {
	configure.Do(func() {
		cfg := sdk.GetConfig()
		cfg.SetBech32PrefixForAccount(AddressPrefix, AddressPrefix+sdk.PrefixPublic)
		cfg.SetBech32PrefixForValidator(
			AddressPrefix+sdk.PrefixValidator+sdk.PrefixOperator,
			AddressPrefix+sdk.PrefixValidator+sdk.PrefixOperator+sdk.PrefixPublic,
		)
		cfg.SetBech32PrefixForConsensusNode(
			AddressPrefix+sdk.PrefixValidator+sdk.PrefixConsensus,
			AddressPrefix+sdk.PrefixValidator+sdk.PrefixConsensus+sdk.PrefixPublic,
		)
		sdk.DefaultBondDenom = BondDenom
	})
}

// DefaultHome returns the folder of a node, ~/.edged.
func DefaultHome() string {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	return filepath.Join(home, "."+Name)
}
