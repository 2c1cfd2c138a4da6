package types

import (
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// Pending is the sum of the withdrawals that are requested and not yet paid.
func (a *Account) Pending() math.Int {
	sum := math.ZeroInt()
	for i := range a.Withdrawals {
		sum = sum.Add(a.Withdrawals[i].Amount)
	}
	return sum
}

// Spendable is what workers can rely on: the balance.
func (a *Account) Spendable() math.Int { return a.Balance }

// Payable is what a settlement can draw on: the balance and the pending withdrawals.
func (a *Account) Payable() math.Int { return a.Balance.Add(a.Pending()) }

// Draw takes an amount from the balance, then from the withdrawals, newest first. A withdrawal of which nothing is left
// is gone. It returns ErrInsufficientBalance and changes nothing if the amount is negative or more than payable.
//
// Example: balance 5, withdrawals of epoch 1 and 2 of 10 each; drawing 18 leaves balance 0 and 7 in that of epoch 1.
func (a *Account) Draw(amount math.Int) error {
	if payable := a.Payable(); amount.IsNegative() || amount.GT(payable) {
		return errorsmod.Wrapf(ErrInsufficientBalance, "account %d: %s of %s", a.Id, amount, payable)
	}
	part := math.MinInt(amount, a.Balance)
	a.Balance = a.Balance.Sub(part)
	amount = amount.Sub(part)
	for n := len(a.Withdrawals); n > 0 && amount.IsPositive(); n = len(a.Withdrawals) {
		last := &a.Withdrawals[n-1]
		part = math.MinInt(amount, last.Amount)
		last.Amount = last.Amount.Sub(part)
		amount = amount.Sub(part)
		if last.Amount.IsZero() {
			a.Withdrawals = a.Withdrawals[:n-1]
		}
	}
	return nil
}

// Withdraw moves an amount from the balance to the withdrawal of an epoch, which is the newest. It returns
// ErrInvalidAmount, ErrInsufficientBalance or ErrTooManyWithdrawals and then changes nothing.
func (a *Account) Withdraw(epoch uint64, amount math.Int) error {
	if !amount.IsPositive() {
		return errorsmod.Wrapf(ErrInvalidAmount, "%s", amount)
	}
	if amount.GT(a.Balance) {
		return errorsmod.Wrapf(ErrInsufficientBalance, "account %d: %s of %s", a.Id, amount, a.Balance)
	}
	n := len(a.Withdrawals)
	switch {
	case n > 0 && a.Withdrawals[n-1].Epoch == epoch:
		a.Withdrawals[n-1].Amount = a.Withdrawals[n-1].Amount.Add(amount)
	case n >= MaxPendingWithdrawals:
		return errorsmod.Wrapf(ErrTooManyWithdrawals, "account %d: %d are waiting", a.Id, n)
	default:
		a.Withdrawals = append(a.Withdrawals, Withdrawal{Epoch: epoch, Amount: amount})
	}
	a.Balance = a.Balance.Sub(amount)
	return nil
}

// TakeWithdrawals removes the withdrawals that were requested in an epoch or before it, and returns their amount, zero if
// there are none.
func (a *Account) TakeWithdrawals(upTo uint64) math.Int {
	amount := math.ZeroInt()
	for len(a.Withdrawals) > 0 && a.Withdrawals[0].Epoch <= upTo {
		amount = amount.Add(a.Withdrawals[0].Amount)
		a.Withdrawals = a.Withdrawals[1:]
	}
	return amount
}

// validate checks an account of a genesis state.
func (a *Account) validate() error {
	switch {
	case a.Id == 0:
		return errorsmod.Wrap(ErrInvalidGenesis, "account id is 0")
	case a.Owner == "":
		return errorsmod.Wrapf(ErrInvalidGenesis, "account %d has no owner", a.Id)
	case a.Balance.IsNil() || a.Balance.IsNegative():
		return errorsmod.Wrapf(ErrInvalidGenesis, "account %d: balance %s", a.Id, a.Balance)
	case len(a.Withdrawals) > MaxPendingWithdrawals:
		return errorsmod.Wrapf(ErrInvalidGenesis, "account %d: %d withdrawals", a.Id, len(a.Withdrawals))
	}
	last := uint64(0)
	for _, w := range a.Withdrawals {
		if w.Epoch <= last || w.Amount.IsNil() || !w.Amount.IsPositive() {
			return errorsmod.Wrapf(ErrInvalidGenesis, "account %d: withdrawal of %s in epoch %d after epoch %d", a.Id, w.Amount, w.Epoch, last)
		}
		last = w.Epoch
	}
	return nil
}
