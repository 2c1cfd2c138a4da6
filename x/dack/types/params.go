package types

import (
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// Defaults of the parameters. Amounts are in units of the settlement coin.
const (
	DefaultSettlementDenom            = "uusd"
	DefaultPricePerGiB                = 10_000
	DefaultPricePerGFuel              = 1_000
	DefaultMinDeposit                 = 1_000_000
	DefaultMaxAcks             uint32 = 1_000
	DefaultWithdrawalsPerBlock uint32 = 100
	// DefaultPrunePerBlock is a little more than twice the 11,111 lanes that a block of 100,000,000 gas can open at
	// DefaultSettleGasPerAck, so that dead lanes go faster than live ones can come.
	DefaultPrunePerBlock   uint32 = 25_000
	DefaultSettleGasBase   uint64 = 60_000
	DefaultSettleGasPerAck uint64 = 9_000
	DefaultHistoryEpochs   uint32 = 90
)

// Bounds of the parameters.
const (
	// MaxAcksLimit is the ceiling of max_acks. An acknowledgement takes about 130 bytes, so beyond this MaxSettleBytes
	// decides anyway, and a settlement of this size takes about 0.1 s with every signature verified alone.
	MaxAcksLimit uint32 = 2_000
	// MaxWithdrawalsPerBlock keeps the bank sends of one block below about a quarter of a second.
	MaxWithdrawalsPerBlock uint32 = 2_000
	// MinPrunePerBlock is that of a block that is full of settlements with the smallest sensible gas limit.
	MinPrunePerBlock uint32 = 100
	// MaxPrunePerBlock keeps pruning below about a second of a block.
	MaxPrunePerBlock uint32 = 100_000
	// MinSettleGas is at least the price of one ed25519 signature in x/auth (590), so that verifying is never free.
	MinSettleGas uint64 = 600
	// MaxSettleGas keeps base + per_ack * MaxAcksLimit far below 2^63.
	MaxSettleGas uint64 = 1_000_000_000
	// MinHistoryEpochs: the pay stage reads the totals of a closed epoch, and explorers want a week of them.
	MinHistoryEpochs uint32 = 7
	// MaxHistoryEpochs is ten years of daily epochs.
	MaxHistoryEpochs uint32 = 3_660
)

// MaxPrice bounds each price, 10^24. The price of one acknowledgement is then below 10^24 * (2^20 + 2^31) < 2^112, far
// from the 256 bits of math.Int, and everything else that is added up is bounded by the supply of the settlement coin.
var MaxPrice = math.NewIntWithDecimal(1, 24)

// MaxMinDeposit bounds min_deposit, so that a typing error cannot close the module to new accounts for ever: 10^24.
var MaxMinDeposit = math.NewIntWithDecimal(1, 24)

// DefaultParams returns the parameters of a new chain.
func DefaultParams() Params {
	return Params{
		SettlementDenom:     DefaultSettlementDenom,
		Prices:              DefaultPrices(),
		MinDeposit:          math.NewInt(DefaultMinDeposit),
		MaxAcks:             DefaultMaxAcks,
		WithdrawalsPerBlock: DefaultWithdrawalsPerBlock,
		PrunePerBlock:       DefaultPrunePerBlock,
		SettleGasBase:       DefaultSettleGasBase,
		SettleGasPerAck:     DefaultSettleGasPerAck,
		HistoryEpochs:       DefaultHistoryEpochs,
	}
}

// Validate returns ErrInvalidParams with the parameter at fault.
func (p Params) Validate() error {
	if err := sdk.ValidateDenom(p.SettlementDenom); err != nil {
		return errorsmod.Wrapf(ErrInvalidParams, "settlement_denom: %s", err)
	}
	if err := p.Prices.Validate(); err != nil {
		return err
	}
	if p.MinDeposit.IsNil() || !p.MinDeposit.IsPositive() || p.MinDeposit.GT(MaxMinDeposit) {
		return errorsmod.Wrapf(ErrInvalidParams, "min_deposit %s, want 1 to %s", p.MinDeposit, MaxMinDeposit)
	}
	for _, b := range []struct {
		name            string
		value, min, max uint64
	}{
		{"max_acks", uint64(p.MaxAcks), 1, uint64(MaxAcksLimit)},
		{"withdrawals_per_block", uint64(p.WithdrawalsPerBlock), 1, uint64(MaxWithdrawalsPerBlock)},
		{"prune_per_block", uint64(p.PrunePerBlock), uint64(MinPrunePerBlock), uint64(MaxPrunePerBlock)},
		{"settle_gas_base", p.SettleGasBase, MinSettleGas, MaxSettleGas},
		{"settle_gas_per_ack", p.SettleGasPerAck, MinSettleGas, MaxSettleGas},
		{"history_epochs", uint64(p.HistoryEpochs), uint64(MinHistoryEpochs), uint64(MaxHistoryEpochs)},
	} {
		if b.value < b.min || b.value > b.max {
			return errorsmod.Wrapf(ErrInvalidParams, "%s %d, want %d to %d", b.name, b.value, b.min, b.max)
		}
	}
	return nil
}

// SettleGas is the gas of a settlement of n acknowledgements: settle_gas_base + n * settle_gas_per_ack. It is exact: the
// message consumes nothing else.
//
// Example with the defaults: 1,000 acknowledgements cost 60,000 + 1,000 * 9,000 = 9,060,000.
func (p Params) SettleGas(n int) uint64 {
	return p.SettleGasBase + uint64(n)*p.SettleGasPerAck
}
