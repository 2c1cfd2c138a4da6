package types_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/x/rewards/types"
)

func TestEmissionTermsValidate(t *testing.T) {
	with := func(change func(*types.EmissionTerms)) types.EmissionTerms {
		terms := types.DefaultEmissionTerms()
		change(&terms)
		return terms
	}
	least := types.EmissionTerms{Guard: dec("0"), Inflation: dec("0"), MaxBoost: dec("1"), MaxLockEpochs: 1}
	most := types.EmissionTerms{Guard: dec("0.5"), Inflation: dec("0.5"), MaxBoost: dec("10"), MaxLockEpochs: types.MaxMaxLockEpochs}
	for name, terms := range map[string]types.EmissionTerms{"default": types.DefaultEmissionTerms(), "least": least, "most": most} {
		require.NoError(t, terms.Validate(), name)
		same := terms
		require.True(t, terms.Equal(same), name)
		p := types.DefaultParams()
		p.Emission = terms
		require.NoError(t, p.Validate(), name)
	}
	for name, terms := range map[string]types.EmissionTerms{
		"nothing":         {},
		"no guard":        with(func(t *types.EmissionTerms) { t.Guard = math.LegacyDec{} }),
		"negative guard":  with(func(t *types.EmissionTerms) { t.Guard = dec("-0.000000000000000001") }),
		"high guard":      with(func(t *types.EmissionTerms) { t.Guard = dec("0.500000000000000001") }),
		"no inflation":    with(func(t *types.EmissionTerms) { t.Inflation = math.LegacyDec{} }),
		"deflation":       with(func(t *types.EmissionTerms) { t.Inflation = dec("-0.1") }),
		"high inflation":  with(func(t *types.EmissionTerms) { t.Inflation = dec("0.500000000000000001") }),
		"no boost":        with(func(t *types.EmissionTerms) { t.MaxBoost = math.LegacyDec{} }),
		"boost below one": with(func(t *types.EmissionTerms) { t.MaxBoost = dec("0.999999999999999999") }),
		"high boost":      with(func(t *types.EmissionTerms) { t.MaxBoost = dec("10.000000000000000001") }),
		"no lock":         with(func(t *types.EmissionTerms) { t.MaxLockEpochs = 0 }),
		"long lock":       with(func(t *types.EmissionTerms) { t.MaxLockEpochs = types.MaxMaxLockEpochs + 1 }),
	} {
		require.ErrorIs(t, terms.Validate(), types.ErrInvalidParams, name)
		p := types.DefaultParams()
		p.Emission = terms
		require.ErrorIs(t, p.Validate(), types.ErrInvalidParams, name)
	}
	for _, other := range []types.EmissionTerms{
		with(func(t *types.EmissionTerms) { t.Guard = dec("0.4") }), with(func(t *types.EmissionTerms) { t.Inflation = dec("0.4") }),
		with(func(t *types.EmissionTerms) { t.MaxBoost = dec("5") }), with(func(t *types.EmissionTerms) { t.MaxLockEpochs = 5 }),
	} {
		require.False(t, other.Equal(types.DefaultEmissionTerms()))
	}
}

func TestValidateTokenPrice(t *testing.T) {
	for _, price := range []string{"0", "0.000000000000000001", "0.25", "1000000000000"} {
		require.NoError(t, types.ValidateTokenPrice(dec(price)), price)
	}
	for _, price := range []math.LegacyDec{{}, dec("-0.000000000000000001"), dec("1000000000000.000000000000000001")} {
		require.ErrorIs(t, types.ValidateTokenPrice(price), types.ErrInvalidPrice, price)
	}
}

func TestMsgLockStakeValidateBasic(t *testing.T) {
	valid := types.MsgLockStake{Operator: valoper, Amount: sdk.NewInt64Coin(types.EmissionDenom, 1), Epochs: 1}
	require.NoError(t, valid.ValidateBasic())
	for name, tc := range map[string]struct {
		spoil func(*types.MsgLockStake)
		want  error
	}{
		"no operator":     {func(m *types.MsgLockStake) { m.Operator = "" }, sdkerrors.ErrInvalidAddress},
		"an account":      {func(m *types.MsgLockStake) { m.Operator = sdk.AccAddress("somebody____________").String() }, sdkerrors.ErrInvalidAddress},
		"no amount":       {func(m *types.MsgLockStake) { m.Amount = sdk.Coin{Denom: types.EmissionDenom} }, types.ErrInvalidLock},
		"nothing":         {func(m *types.MsgLockStake) { m.Amount.Amount = math.ZeroInt() }, types.ErrInvalidLock},
		"negative amount": {func(m *types.MsgLockStake) { m.Amount.Amount = math.NewInt(-1) }, types.ErrInvalidLock},
		"no epochs":       {func(m *types.MsgLockStake) { m.Epochs = 0 }, types.ErrInvalidLock},
		"too many epochs": {func(m *types.MsgLockStake) { m.Epochs = types.MaxMaxLockEpochs + 1 }, types.ErrInvalidLock},
	} {
		m := valid
		tc.spoil(&m)
		require.ErrorIs(t, m.ValidateBasic(), tc.want, name)
	}
}
