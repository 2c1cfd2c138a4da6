package types_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/epoch/types"
)

func TestParamsValidate(t *testing.T) {
	require.NoError(t, types.DefaultParams().Validate(false))
	require.NoError(t, types.DevelopmentParams().Validate(true))
	require.ErrorIs(t, types.DevelopmentParams().Validate(false), types.ErrInvalidParams)
	for _, tc := range []struct {
		name                    string
		change                  func(*types.Params)
		production, development bool
	}{
		{"production minimum", func(p *types.Params) { p.Duration, p.CloseBudget = time.Hour, 1 }, true, true},
		{"below the production minimum", func(p *types.Params) { p.Duration = time.Hour - 1 }, false, true},
		{"development minimum", func(p *types.Params) { p.Duration = time.Second }, false, true},
		{"below the development minimum", func(p *types.Params) { p.Duration = time.Second - 1 }, false, false},
		{"no duration", func(p *types.Params) { p.Duration = 0 }, false, false},
		{"negative duration", func(p *types.Params) { p.Duration = -time.Hour }, false, false},
		{"maximum", func(p *types.Params) { p.Duration, p.CloseBudget = types.MaxDuration, types.MaxCloseBudget }, true, true},
		{"too long", func(p *types.Params) { p.Duration = types.MaxDuration + 1 }, false, false},
		{"no budget", func(p *types.Params) { p.CloseBudget = 0 }, false, false},
		{"budget too large", func(p *types.Params) { p.CloseBudget = types.MaxCloseBudget + 1 }, false, false},
		{"few beacon blocks", func(p *types.Params) { p.BeaconBlocks = types.MinBeaconBlocks - 1 }, false, true},
		{"no beacon blocks", func(p *types.Params) { p.BeaconBlocks = 0 }, false, false},
		{"many beacon blocks", func(p *types.Params) { p.BeaconBlocks = types.MaxBeaconBlocks + 1 }, false, false},
		{"few seats", func(p *types.Params) { p.Seats = types.MinSeats - 1 }, false, true},
		{"no seats", func(p *types.Params) { p.Seats = 0 }, false, false},
		{"most seats", func(p *types.Params) { p.Seats = types.MaxSeats }, true, true},
		{"too many seats", func(p *types.Params) { p.Seats = types.MaxSeats + 1 }, false, false},
		{"short steps", func(p *types.Params) { p.StepBlocks = types.MinStepBlocks - 1 }, false, true},
		{"no steps", func(p *types.Params) { p.StepBlocks = 0 }, false, false},
		{"long steps", func(p *types.Params) { p.StepBlocks = types.MaxStepBlocks + 1 }, false, false},
		{"small committee", func(p *types.Params) { p.MinCommittee = types.MinMinCommittee - 1 }, false, true},
		{"no committee", func(p *types.Params) { p.MinCommittee = 0 }, false, false},
		{"few hashes", func(p *types.Params) { p.ReadyBlocks = types.MinReadyBlocks - 1 }, false, true},
		{"one hash", func(p *types.Params) { p.ReadyBlocks = types.MinDevelopmentReadyBlocks - 1 }, false, false},
		{"many hashes", func(p *types.Params) { p.ReadyBlocks = types.MaxReadyBlocks + 1 }, false, false},
		{"two thirds of the stake", func(p *types.Params) { p.MinCommitteeStake = math.LegacyNewDec(2).QuoRoundUp(math.LegacyNewDec(3)) }, true, true},
		{"less than two thirds", func(p *types.Params) { p.MinCommitteeStake = math.LegacyNewDec(2).QuoTruncate(math.LegacyNewDec(3)) }, false, false},
		{"all of the stake", func(p *types.Params) { p.MinCommitteeStake = math.LegacyOneDec() }, true, true},
		{"more than the stake", func(p *types.Params) { p.MinCommitteeStake = math.LegacyNewDecWithPrec(101, 2) }, false, false},
		{"no part of the stake", func(p *types.Params) { p.MinCommitteeStake = math.LegacyDec{} }, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			params := types.DefaultParams()
			tc.change(&params)
			for development, ok := range map[bool]bool{false: tc.production, true: tc.development} {
				if err := params.Validate(development); ok {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, types.ErrInvalidParams)
				}
			}
		})
	}
}

func TestRetryBudgetFitsIntoABlock(t *testing.T) {
	require.EqualValues(t, 3, types.Params{CloseBudget: 3}.RetryBudget())
	require.EqualValues(t, types.MaxRetryBudget, types.Params{CloseBudget: types.MaxCloseBudget}.RetryBudget())
}
