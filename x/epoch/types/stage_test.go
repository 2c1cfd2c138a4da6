package types_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/edgechain/edge/x/epoch/types"
)

type nopCloser struct{}

func (nopCloser) Close(context.Context, uint64, uint32) (uint32, bool, error) { return 0, true, nil }
func (nopCloser) RetryItem(context.Context, uint64, []byte) error             { return nil }

func TestValidateStages(t *testing.T) {
	ok := func(names ...string) (stages []types.Stage) {
		for _, n := range names {
			stages = append(stages, types.Stage{Name: n, Closer: nopCloser{}})
		}
		return stages
	}
	require.NoError(t, types.ValidateStages(nil))
	require.NoError(t, types.ValidateStages(ok("sum", "pay", "score")))
	require.Error(t, types.ValidateStages(ok("sum", "sum")))
	require.Error(t, types.ValidateStages(ok("")))
	require.Error(t, types.ValidateStages(ok("Sum")))
	require.Error(t, types.ValidateStages(ok("su\x00m")))
	require.Error(t, types.ValidateStages(ok(strings.Repeat("a", types.MaxStageName+1))))
	require.NoError(t, types.ValidateStages(ok(strings.Repeat("a", types.MaxStageName))))
	require.Error(t, types.ValidateStages(ok(types.StageOpen)))
	require.Error(t, types.ValidateStages([]types.Stage{{Name: "sum"}}))
	require.Error(t, types.ValidateStages(make([]types.Stage, types.MaxStages+1)))
	require.ErrorIs(t, types.ValidateStageName("9"), types.ErrUnknownStage)
}

func TestCause(t *testing.T) {
	require.Empty(t, types.Cause(nil))
	require.Equal(t, "boom", types.Cause(errors.New("boom")))
	require.Equal(t, strings.Repeat("x", types.MaxCause), types.Cause(errors.New(strings.Repeat("x", 10_000))))
	require.Equal(t, strings.Repeat("x", types.MaxCause-1), types.Cause(errors.New(strings.Repeat("x", types.MaxCause-1)+"é")))
	require.Equal(t, "a?b", types.Cause(errors.New("a\xff\xfeb")))
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		out := types.Cause(errors.New(in))
		require.True(t, utf8.ValidString(out))
		require.LessOrEqual(t, len(out), types.MaxCause)
		if utf8.ValidString(in) {
			require.True(t, strings.HasPrefix(in, out))
		}
	})
}
