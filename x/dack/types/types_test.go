package types_test

import (
	"bytes"
	"crypto/ed25519"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/dack/types"
)

func TestParamsValidate(t *testing.T) {
	require.NoError(t, types.DefaultParams().Validate())
	for name, c := range map[string]struct {
		change func(p *types.Params)
		ok     bool
	}{
		"no denom":           {func(p *types.Params) { p.SettlementDenom = "" }, false},
		"bad denom":          {func(p *types.Params) { p.SettlementDenom = "1!" }, false},
		"no price":           {func(p *types.Params) { p.Prices.PerGib = math.Int{} }, false},
		"free":               {func(p *types.Params) { p.Prices.PerGib, p.Prices.PerGfuel = math.ZeroInt(), math.ZeroInt() }, true},
		"negative price":     {func(p *types.Params) { p.Prices.PerGfuel = math.NewInt(-1) }, false},
		"highest price":      {func(p *types.Params) { p.Prices.PerGib = types.MaxPrice }, true},
		"price too high":     {func(p *types.Params) { p.Prices.PerGfuel = types.MaxPrice.AddRaw(1) }, false},
		"no minimum":         {func(p *types.Params) { p.MinDeposit = math.Int{} }, false},
		"minimum of nothing": {func(p *types.Params) { p.MinDeposit = math.ZeroInt() }, false},
		"minimum of 1":       {func(p *types.Params) { p.MinDeposit = math.OneInt() }, true},
		"highest minimum":    {func(p *types.Params) { p.MinDeposit = types.MaxMinDeposit }, true},
		"minimum too high":   {func(p *types.Params) { p.MinDeposit = types.MaxMinDeposit.AddRaw(1) }, false},
		"no acks":            {func(p *types.Params) { p.MaxAcks = 0 }, false},
		"most acks": {func(p *types.Params) {
			p.MaxAcks, p.SettleGasBase, p.SettleGasPerAck = types.MaxAcksLimit, 72_000, 7_000
		}, true},
		"too many acks":            {func(p *types.Params) { p.MaxAcks = types.MaxAcksLimit + 1 }, false},
		"no withdrawals":           {func(p *types.Params) { p.WithdrawalsPerBlock = 0 }, false},
		"most withdrawals":         {func(p *types.Params) { p.WithdrawalsPerBlock = types.MaxWithdrawalsPerBlock }, true},
		"too many withdrawals":     {func(p *types.Params) { p.WithdrawalsPerBlock = types.MaxWithdrawalsPerBlock + 1 }, false},
		"too little pruning":       {func(p *types.Params) { p.PrunePerBlock = types.MinPrunePerBlock - 1 }, false},
		"least pruning":            {func(p *types.Params) { p.PrunePerBlock = types.MinPrunePerBlock }, true},
		"too much pruning":         {func(p *types.Params) { p.PrunePerBlock = types.MaxPrunePerBlock + 1 }, false},
		"free settlements":         {func(p *types.Params) { p.SettleGasBase = 0 }, false},
		"free acknowledgements":    {func(p *types.Params) { p.SettleGasPerAck = types.MinSettleGasPerAck - 1 }, false},
		"cheapest":                 {func(p *types.Params) { p.SettleGasBase, p.SettleGasPerAck = 112_000, types.MinSettleGasPerAck }, true},
		"records too cheap":        {func(p *types.Params) { p.SettleGasBase, p.SettleGasPerAck = 111_999, types.MinSettleGasPerAck }, false},
		"records at small base":    {func(p *types.Params) { p.SettleGasBase, p.SettleGasPerAck = types.MinSettleGasBase, 15_925 }, true},
		"too dear":                 {func(p *types.Params) { p.SettleGasPerAck, p.MaxAcks = types.MaxSettleGasPerAck+1, 1 }, false},
		"dearest":                  {func(p *types.Params) { p.SettleGasPerAck, p.MaxAcks = types.MaxSettleGasPerAck, 1 }, true},
		"base too dear":            {func(p *types.Params) { p.SettleGasBase, p.MaxAcks = types.MaxSettleGasBase+1, 1 }, false},
		"fits a transaction":       {func(p *types.Params) { p.SettleGasBase, p.SettleGasPerAck, p.MaxAcks = 100_000, 15_900, 1_000 }, true},
		"no room in a transaction": {func(p *types.Params) { p.SettleGasBase, p.SettleGasPerAck, p.MaxAcks = 100_001, 15_900, 1_000 }, false},
		"history too short":        {func(p *types.Params) { p.HistoryEpochs = types.MinHistoryEpochs - 1 }, false},
		"history too long":         {func(p *types.Params) { p.HistoryEpochs = types.MaxHistoryEpochs + 1 }, false},
		"everything at its bound":  {func(p *types.Params) { p.HistoryEpochs, p.SettleGasBase = types.MaxHistoryEpochs, 7_000_000 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := types.DefaultParams()
			c.change(&p)
			if c.ok {
				require.NoError(t, p.Validate())
			} else {
				require.ErrorIs(t, p.Validate(), types.ErrInvalidParams)
			}
		})
	}
	dearest := types.Params{SettleGasBase: types.MaxSettleGasBase, SettleGasPerAck: types.MaxSettleGasPerAck}
	require.EqualValues(t, 210_000_000, dearest.SettleGas(int(types.MaxAcksLimit)), "no overflow")
}

// TestPriceFits: the dearest acknowledgement is far from the 256 bits of math.Int.
func TestPriceFits(t *testing.T) {
	p := types.Prices{PerGib: types.MaxPrice, PerGfuel: types.MaxPrice}
	require.Less(t, p.Ack().Price(ack.MaxBytes, ack.MaxFuel).BitLen(), 112)
	require.Zero(t, types.DefaultPrices().Ack().Price(1<<30, 0).Cmp(big.NewInt(types.DefaultPricePerGiB)))
}

func TestAccountDraw(t *testing.T) {
	account := func() types.Account {
		return types.Account{Id: 1, Balance: math.NewInt(5), Withdrawals: []types.Withdrawal{
			{Epoch: 1, Amount: math.NewInt(10)}, {Epoch: 2, Amount: math.NewInt(20)},
		}}
	}
	for _, c := range []struct{ draw, balance, old, recent int64 }{
		{0, 5, 10, 20}, {5, 0, 10, 20}, {6, 0, 10, 19}, {24, 0, 10, 1}, {25, 0, 10, 0}, {26, 0, 9, 0}, {35, 0, 0, 0},
	} {
		a := account()
		require.NoError(t, a.Draw(math.NewInt(c.draw)))
		require.Equal(t, c.balance, a.Balance.Int64())
		require.Equal(t, c.old, a.TakeWithdrawals(1).Int64())
		require.Equal(t, c.recent, a.TakeWithdrawals(2).Int64())
	}
	for _, amount := range []int64{-1, 36} {
		a := account()
		require.ErrorIs(t, a.Draw(math.NewInt(amount)), types.ErrInsufficientBalance)
		require.Equal(t, account(), a)
	}
	a := account()
	require.Equal(t, "5", a.Spendable().String())
	require.Equal(t, "35", a.Payable().String())
	require.True(t, a.TakeWithdrawals(0).IsZero())
	require.Equal(t, "30", a.TakeWithdrawals(3).String(), "older ones come along")
	require.Empty(t, a.Withdrawals)
}

// TestAccountConserves: drawing and withdrawing neither make nor lose money.
func TestAccountConserves(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a := types.Account{Balance: math.NewInt(rapid.Int64Range(0, 1_000).Draw(rt, "balance"))}
		total, out := a.Balance, math.ZeroInt()
		for epoch := uint64(1); epoch < 12; epoch++ {
			amount := math.NewInt(rapid.Int64Range(-1, 400).Draw(rt, "amount"))
			switch rapid.IntRange(0, 2).Draw(rt, "what") {
			case 0:
				if a.Draw(amount) == nil {
					out = out.Add(amount)
				}
			case 1:
				_ = a.Withdraw(epoch, amount)
			case 2:
				out = out.Add(a.TakeWithdrawals(max(epoch, 2) - 2))
			}
			require.False(rt, a.Balance.IsNegative())
			require.LessOrEqual(rt, len(a.Withdrawals), types.MaxPendingWithdrawals)
			for i, w := range a.Withdrawals {
				require.True(rt, w.Amount.IsPositive())
				require.True(rt, i == 0 || a.Withdrawals[i-1].Epoch < w.Epoch)
			}
			require.Equal(rt, total.String(), a.Payable().Add(out).String())
		}
	})
}

func TestClientKeyLeft(t *testing.T) {
	k := types.ClientKey{
		SpendLimit: math.NewInt(100), LastEpoch: 9,
		Spent: []types.KeySpend{{Epoch: 6, Amount: math.NewInt(20)}, {Epoch: 7, Amount: math.NewInt(15)}},
	}
	require.Equal(t, "80", k.Left(6).String())
	require.Equal(t, "85", k.Left(7).String())
	require.Equal(t, "100", k.Left(8).String())
	require.Equal(t, "0", k.Left(10).String(), "it has ended")
}

func TestRevenueAddSaturates(t *testing.T) {
	top := ^uint64(0)
	r := types.Revenue{Amount: math.NewInt(1), Requests: top, Bytes: top - 1, Fuel: 5}
	r = r.Add(types.Revenue{Amount: math.NewInt(2), Requests: 1, Bytes: 1, Fuel: 6})
	require.Equal(t, types.Revenue{Amount: math.NewInt(3), Requests: top, Bytes: top, Fuel: 11}, r)
}

func TestSumItemKey(t *testing.T) {
	w, s, err := types.ParseSumItemKey(types.SumItemKey(3, 1<<40))
	require.NoError(t, err)
	require.Equal(t, []uint64{3, 1 << 40}, []uint64{w, s})
	for _, n := range []int{0, 15, 17} {
		_, _, err := types.ParseSumItemKey(make([]byte, n))
		require.ErrorIs(t, err, types.ErrItemNotFound)
	}
}

// TestAcknowledgementRoundTrip: what a client signed survives the way into a message and back.
func TestAcknowledgementRoundTrip(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	chain := ack.HashChainID("edge-test-1")
	s := ack.Sign(key, chain, &ack.Ack{
		Epoch: 3, KeyID: 4, WorkerID: 5, ServiceID: 6, Lane: 15, Requests: ack.MaxRequests, Bytes: ack.MaxBytes, Fuel: ack.MaxFuel, Head: [32]byte{1, 2},
	})
	a := types.NewAcknowledgement(&s)
	back, err := a.Signed(3, 5)
	require.NoError(t, err)
	require.Equal(t, s, back)
	require.NoError(t, back.Verify(key.Public().(ed25519.PublicKey), chain))
}

// TestMessageSize: an acknowledgement with ordinary ids and counters takes at most 130 bytes of a settlement.
func TestMessageSize(t *testing.T) {
	m := types.MsgSettle{Account: "edge1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq", WorkerId: 12_345, Epoch: 3_650}
	empty := m.Size()
	for i := range 1_000 {
		m.Acks = append(m.Acks, types.Acknowledgement{
			KeyId: uint64(1_000_000 + i), Requests: 5_000, Bytes: 20 << 30, Head: make([]byte, 32), Signature: make([]byte, 64),
		})
	}
	perAck := float64(m.Size()-empty) / 1_000
	t.Logf("%.1f bytes for an acknowledgement", perAck)
	require.LessOrEqual(t, perAck, 130.0)
	require.NoError(t, m.ValidateBasic())
}

func TestValidateBasic(t *testing.T) {
	coin := sdk.NewInt64Coin("uusd", 1)
	require.NoError(t, (&types.MsgDeposit{Amount: coin}).ValidateBasic())
	require.NoError(t, (&types.MsgRequestWithdrawal{Amount: coin}).ValidateBasic())
	require.NoError(t, (&types.MsgUpdateParams{Params: types.DefaultParams()}).ValidateBasic())
	for _, c := range []sdk.Coin{{}, {Denom: "uusd"}, {Denom: "uusd", Amount: math.ZeroInt()}, {Denom: "uusd", Amount: math.NewInt(-1)}} {
		require.ErrorIs(t, (&types.MsgDeposit{Amount: c}).ValidateBasic(), types.ErrInvalidAmount)
		require.ErrorIs(t, (&types.MsgRequestWithdrawal{Amount: c}).ValidateBasic(), types.ErrInvalidAmount)
	}
	require.ErrorIs(t, (&types.MsgDeposit{Amount: sdk.Coin{Denom: "!", Amount: math.OneInt()}}).ValidateBasic(), types.ErrInvalidDenom)
	require.ErrorIs(t, (&types.MsgUpdateParams{}).ValidateBasic(), types.ErrInvalidParams)
	require.ErrorIs(t, (&types.MsgAddClientKey{}).ValidateBasic(), types.ErrInvalidSpendLimit)
	require.ErrorIs(t, (&types.MsgSettle{}).ValidateBasic(), types.ErrInvalidSettlement)
	many := types.MsgSettle{WorkerId: 1, Epoch: 1, Acks: make([]types.Acknowledgement, types.MaxAcksLimit+1)}
	require.ErrorIs(t, many.ValidateBasic(), types.ErrTooManyAcks)
}

// settlementOf returns a settlement of a key for each list of services, with an acknowledgement for each of them.
func settlementOf(keys ...[]uint64) *types.MsgSettle {
	m := &types.MsgSettle{WorkerId: 1, Epoch: 1}
	for i, services := range keys {
		for _, id := range services {
			m.Acks = append(m.Acks, types.Acknowledgement{KeyId: uint64(i + 1), ServiceId: id})
		}
	}
	return m
}

// TestServicesOfSettlement: services are counted over the whole message, each once, in whatever order keys bring them.
func TestServicesOfSettlement(t *testing.T) {
	eight := []uint64{0, 1, 2, 3, 5, 7, 1 << 40, ^uint64(0)}
	require.Len(t, eight, types.MaxServicesPerSettlement)
	for name, c := range map[string]struct {
		keys [][]uint64
		want error
	}{
		"one of many keys":      {[][]uint64{{4}, {4}, {4}, {4}, {4}, {4}, {4}, {4}, {4}}, nil},
		"eight":                 {[][]uint64{eight}, nil},
		"the same eight again":  {[][]uint64{eight, eight, eight[3:], eight[:3]}, nil},
		"eight over keys":       {[][]uint64{{7, ^uint64(0)}, {0, 5}, {2}, {1, 3, 1 << 40}, eight}, nil},
		"nine":                  {[][]uint64{{0, 1, 2, 3, 4, 5, 6, 7, 8}}, types.ErrTooManyServices},
		"a ninth in front":      {[][]uint64{{1, 2, 3, 4, 5, 6, 7, 8}, {0}}, types.ErrTooManyServices},
		"a ninth in the middle": {[][]uint64{eight, {4}}, types.ErrTooManyServices},
		"a ninth at the end":    {[][]uint64{{1, 2, 3, 4, 5, 6, 7, 8}, {8}, {8, 9}}, types.ErrTooManyServices},
		"a ninth in disorder":   {[][]uint64{{0, 1, 2, 3, 4, 5, 6, 7, 7, 8}}, types.ErrOrder},
	} {
		t.Run(name, func(t *testing.T) {
			m := settlementOf(c.keys...)
			require.ErrorIs(t, m.Check(types.MaxAcksLimit), c.want)
			require.ErrorIs(t, m.ValidateBasic(), c.want)
		})
	}
}

// FuzzMsgSettle: whatever bytes a settlement comes from, its check says the same as a plain reading of the rules.
func FuzzMsgSettle(f *testing.F) {
	seed := types.MsgSettle{Account: "a", WorkerId: 1, Epoch: 1, Acks: []types.Acknowledgement{
		{KeyId: 1, Head: make([]byte, 32), Signature: make([]byte, 64)}, {KeyId: 1, Lane: 1, Bytes: 5}, {KeyId: 2, ServiceId: 9},
	}}
	bz, err := seed.Marshal()
	require.NoError(f, err)
	f.Add(bz)
	nine, err := settlementOf([]uint64{9, 10, 11, 12, 13, 14, 15, 16}, []uint64{8}).Marshal()
	require.NoError(f, err)
	f.Add(nine)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, bz []byte) {
		var m types.MsgSettle
		if m.Unmarshal(bz) != nil {
			return
		}
		const maxAcks = 16
		err := m.Check(maxAcks)
		ok := m.WorkerId > 0 && m.Epoch > 0 && len(m.Acks) > 0 && len(m.Acks) <= maxAcks
		size := 0
		var last []byte
		for _, a := range m.Acks {
			size += a.Size()
			key := make([]byte, 0, 24)
			for _, n := range []uint64{a.KeyId, a.ServiceId, uint64(a.Lane)} {
				key = append(key, big.NewInt(0).SetUint64(n).FillBytes(make([]byte, 8))...)
			}
			ok = ok && bytes.Compare(last, key) < 0
			last = key
			s, err := a.Signed(m.Epoch, m.WorkerId)
			if err == nil {
				require.NoError(t, s.Check())
				again := types.NewAcknowledgement(&s)
				require.Equal(t, a, again)
			}
		}
		services := map[uint64]bool{}
		for _, a := range m.Acks {
			services[a.ServiceId] = true
		}
		ok = ok && len(services) <= types.MaxServicesPerSettlement
		require.Equal(t, ok && size <= types.MaxSettleBytes, err == nil, "%v", err)
	})
}
