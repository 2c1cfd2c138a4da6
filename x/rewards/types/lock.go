package types

import (
	"bytes"
	stdmath "math"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// Live says whether the lock still binds in an epoch.
func (l StakeLock) Live(epoch uint64) bool { return epoch < l.EndEpoch }

// Remaining returns for how many epochs from the given one on, that one included, the shares are locked.
//
//	end_epoch 10: 3 in epoch 7, 1 in epoch 9, 0 from epoch 10 on
func (l StakeLock) Remaining(epoch uint64) uint64 {
	if !l.Live(epoch) {
		return 0
	}
	return l.EndEpoch - epoch
}

// LockEnd returns the end of a lock that is made in an epoch for a number of epochs: it counts from the next epoch on.
//
//	made in epoch 7 for 3 epochs: 8, 9 and 10 are locked, end_epoch is 11
func LockEnd(epoch, epochs uint64) uint64 {
	if epochs >= stdmath.MaxUint64-epoch {
		return stdmath.MaxUint64
	}
	return epoch + 1 + epochs
}

// Validate returns ErrInvalidLock if the lock is none that the module writes.
func (l StakeLock) Validate() error {
	if _, err := sdk.ValAddressFromBech32(l.Operator); err != nil {
		return errorsmod.Wrapf(ErrInvalidLock, "operator: %s", err)
	}
	if l.Shares.IsNil() || !l.Shares.IsPositive() {
		return errorsmod.Wrapf(ErrInvalidLock, "operator %s: %s shares", l.Operator, l.Shares)
	}
	if l.EndEpoch == 0 {
		return errorsmod.Wrapf(ErrInvalidLock, "operator %s: end_epoch 0", l.Operator)
	}
	return nil
}

// Validate returns ErrInvalidLock if the boost is none that the module writes.
func (b Boost) Validate() error {
	if _, err := sdk.ValAddressFromBech32(b.Operator); err != nil {
		return errorsmod.Wrapf(ErrInvalidLock, "boost: operator: %s", err)
	}
	if b.Epoch == 0 || b.Boost.IsNil() || b.Boost.LTE(math.LegacyOneDec()) || b.Boost.GT(math.LegacyNewDec(MaxMaxBoost)) {
		return errorsmod.Wrapf(ErrInvalidLock, "boost of %s in epoch %d: %s", b.Operator, b.Epoch, b.Boost)
	}
	return nil
}

// validateLocks checks that locks and boosts are as the store lists them: locks ascending by operator, boosts by epoch and
// operator, none of an epoch whose boosts are not computed yet. Whether the stake is there is x/staking's to say.
func (g GenesisState) validateLocks() error {
	var last sdk.ValAddress
	for _, l := range g.Locks {
		if err := l.Validate(); err != nil {
			return err
		}
		operator, err := sdk.ValAddressFromBech32(l.Operator)
		if err != nil {
			return err
		}
		if bytes.Compare(operator, last) <= 0 {
			return errorsmod.Wrapf(ErrInvalidGenesis, "the lock of %s is out of order", l.Operator)
		}
		last = operator
	}
	var epoch uint64
	last = nil
	for _, b := range g.Boosts {
		if err := b.Validate(); err != nil {
			return err
		}
		operator, err := sdk.ValAddressFromBech32(b.Operator)
		if err != nil {
			return err
		}
		if b.Epoch < epoch || b.Epoch == epoch && bytes.Compare(operator, last) <= 0 || b.Epoch > g.BoostedEpoch {
			return errorsmod.Wrapf(ErrInvalidGenesis, "the boost of %s in epoch %d is out of order", b.Operator, b.Epoch)
		}
		epoch, last = b.Epoch, operator
	}
	return nil
}
