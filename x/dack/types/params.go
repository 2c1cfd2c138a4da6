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
	DefaultServiceDeposit             = 10_000_000
	DefaultMaxAcks             uint32 = 1_000
	DefaultWithdrawalsPerBlock uint32 = 100
	// DefaultPrunePerBlock removes a million lanes in 500 blocks that open none, at a small part of a block's time.
	DefaultPrunePerBlock   uint32 = 2_000
	DefaultSettleGasBase   uint64 = 60_000
	DefaultSettleGasPerAck uint64 = 9_000
	DefaultHistoryEpochs   uint32 = 90
)

// Bounds of the parameters.
const (
	// MaxAcksLimit is the ceiling of max_acks. An acknowledgement takes about 130 bytes, so beyond this MaxSettleBytes
	// decides anyway, and a settlement of this size takes about 0.1 s with every signature verified alone.
	MaxAcksLimit uint32 = 2_000
	// MaxWithdrawalsPerBlock bounds the bank sends of one block. Each writes about four records, so at the 5,800 writes a
	// second of BenchmarkPrune on two busy cores the ceiling is below 0.7 s.
	MaxWithdrawalsPerBlock uint32 = 1_000
	// MinPrunePerBlock is the least that makes progress in blocks that open few lanes; see PruneLimit for those that open many.
	MinPrunePerBlock uint32 = 100
	// MaxPrunePerBlock is the hard ceiling of what a block prunes. BenchmarkPrune removed 10,000 of 210,000 lane sets, commit
	// included, in 1.7 s on two busy cores (5,800 a second), so the ceiling is below 9 s of a block even there. Blocks reach
	// it only if the ones before were as full of new lanes; what they opened was paid for.
	MaxPrunePerBlock uint32 = 50_000
	// MinSettleGasBase is at least the price of one ed25519 signature in x/auth (590), so that a settlement is never free.
	MinSettleGasBase uint64 = 600
	// MaxSettleGasBase is far above what the rest of a settlement takes.
	MaxSettleGasBase uint64 = 10_000_000
	// MinSettleGasPerAck keeps the lanes that a block of 40,000,000 gas can open, 20,000, far within MaxPrunePerBlock.
	MinSettleGasPerAck uint64 = 2_000
	// MaxSettleGasPerAck is ten times what one acknowledgement takes.
	MaxSettleGasPerAck uint64 = 100_000
	// MaxSettleGas bounds the gas of a settlement of max_acks. A transaction has at most 20,000,000; 4,000,000 of it stay
	// for its MaxSettleBytes at 10 each, its signature and its fee, so that a settlement always fits.
	MaxSettleGas uint64 = 16_000_000
	// MinRecordsGas is the least gas of a settlement that opens as many revenue records as one can, MaxServicesPerSettlement of
	// them: 40,000,000 gas of a block, at that price, open no more than the 2,500 records that it sums at x/epoch's default
	// close_budget, and the application refuses less of that. Below it whoever fills blocks could make closings last. See
	// "Summing cannot be outrun" in the README.
	MinRecordsGas uint64 = 128_000
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

// MaxServiceDeposit bounds service_deposit, so that a typing error cannot lock up what an owner has: 10^24. Nothing is not
// enough for a record that all nodes keep for as long as its owner wants.
var MaxServiceDeposit = math.NewIntWithDecimal(1, 24)

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
		ServiceDeposit:      math.NewInt(DefaultServiceDeposit),
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
	if p.ServiceDeposit.IsNil() || !p.ServiceDeposit.IsPositive() || p.ServiceDeposit.GT(MaxServiceDeposit) {
		return errorsmod.Wrapf(ErrInvalidParams, "service_deposit %s, want 1 to %s", p.ServiceDeposit, MaxServiceDeposit)
	}
	for _, b := range []struct {
		name            string
		value, min, max uint64
	}{
		{"max_acks", uint64(p.MaxAcks), 1, uint64(MaxAcksLimit)},
		{"withdrawals_per_block", uint64(p.WithdrawalsPerBlock), 1, uint64(MaxWithdrawalsPerBlock)},
		{"prune_per_block", uint64(p.PrunePerBlock), uint64(MinPrunePerBlock), uint64(MaxPrunePerBlock)},
		{"settle_gas_base", p.SettleGasBase, MinSettleGasBase, MaxSettleGasBase},
		{"settle_gas_per_ack", p.SettleGasPerAck, MinSettleGasPerAck, MaxSettleGasPerAck},
		{"history_epochs", uint64(p.HistoryEpochs), uint64(MinHistoryEpochs), uint64(MaxHistoryEpochs)},
	} {
		if b.value < b.min || b.value > b.max {
			return errorsmod.Wrapf(ErrInvalidParams, "%s %d, want %d to %d", b.name, b.value, b.min, b.max)
		}
	}
	if gas := p.SettleGas(int(p.MaxAcks)); gas > MaxSettleGas {
		return errorsmod.Wrapf(ErrInvalidParams, "max_acks %d take %d gas, want at most %d", p.MaxAcks, gas, MaxSettleGas)
	}
	if gas := p.SettleGas(MaxServicesPerSettlement); gas < MinRecordsGas {
		return errorsmod.Wrapf(ErrInvalidParams, "settlements for %d services take %d gas, want at least %d", MaxServicesPerSettlement, gas, MinRecordsGas)
	}
	return nil
}

// PruneLimit is how many records a block prunes that has opened so many sets of lanes: a quarter more, so that dead lanes go
// faster than new ones come and yet make a block little longer, at least prune_per_block, so that they go when nothing comes,
// and never more than MaxPrunePerBlock.
//
// Example: 2,000 by default, and 5,000 in a block that opens 4,000.
func (p Params) PruneLimit(opened uint64) int {
	most := uint64(MaxPrunePerBlock)
	opened = min(opened, most)
	return int(min(max(uint64(p.PrunePerBlock), opened+opened/4), most))
}

// SettleGas is the gas of a settlement of n acknowledgements: settle_gas_base + n * settle_gas_per_ack. It is exact: the
// message consumes nothing else.
//
// Example with the defaults: 1,000 acknowledgements cost 60,000 + 1,000 * 9,000 = 9,060,000.
func (p Params) SettleGas(n int) uint64 {
	return p.SettleGasBase + uint64(n)*p.SettleGasPerAck
}
