package types_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/x/epoch/types"
)

func TestParamsValidate(t *testing.T) {
	require.NoError(t, types.DefaultParams().Validate(false))
	for _, tc := range []struct {
		name                    string
		params                  types.Params
		production, development bool
	}{
		{"production minimum", types.Params{Duration: time.Hour, CloseBudget: 1}, true, true},
		{"below the production minimum", types.Params{Duration: time.Hour - 1, CloseBudget: 1}, false, true},
		{"development minimum", types.Params{Duration: time.Second, CloseBudget: 1}, false, true},
		{"below the development minimum", types.Params{Duration: time.Second - 1, CloseBudget: 1}, false, false},
		{"no duration", types.Params{CloseBudget: 1}, false, false},
		{"negative duration", types.Params{Duration: -time.Hour, CloseBudget: 1}, false, false},
		{"maximum", types.Params{Duration: types.MaxDuration, CloseBudget: types.MaxCloseBudget}, true, true},
		{"too long", types.Params{Duration: types.MaxDuration + 1, CloseBudget: 1}, false, false},
		{"no budget", types.Params{Duration: time.Hour}, false, false},
		{"budget too large", types.Params{Duration: time.Hour, CloseBudget: types.MaxCloseBudget + 1}, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for development, ok := range map[bool]bool{false: tc.production, true: tc.development} {
				if err := tc.params.Validate(development); ok {
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
