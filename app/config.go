package app

import (
	"os"
	"path/filepath"
	"sync"

	"cosmossdk.io/math"

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

// Configure sets address prefixes, the staking coin and its unit of power for the SDK, which keeps them in globals. It must
// run before the first address or genesis is written; New calls it.
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
		// What x/staking calls power is then the stake in uedge, and a slash takes its fraction of the stake to the unit.
		// CometBFT never sees these powers: those of the committee are its seats, see x/epoch.
		sdk.DefaultPowerReduction = math.OneInt()
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
