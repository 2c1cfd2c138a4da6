package keeper

import (
	"os"
	"testing"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// TestMain counts staking power in uedge, as the application does: a slash is then exact to the unit.
func TestMain(m *testing.M) {
	sdk.DefaultPowerReduction = math.OneInt()
	os.Exit(m.Run())
}
