package types

import (
	"slices"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	"github.com/edgechain/edge/ack"
)

// maxEarlierLimits is how many limits besides the newest can matter: when that counts from the next epoch on, the current
// epoch and the one before it can have one each.
const maxEarlierLimits = 2

// SpentIn is what the key has spent in acknowledgements of an epoch.
func (k *ClientKey) SpentIn(epoch uint64) math.Int {
	for i := range k.Spent {
		if k.Spent[i].Epoch == epoch {
			return k.Spent[i].Amount
		}
	}
	return math.ZeroInt()
}

// LimitIn is the spend limit that counts in an epoch: that of the last change which counts from it or an earlier one.
func (k *ClientKey) LimitIn(epoch uint64) math.Int {
	if epoch >= k.LimitFrom {
		return k.SpendLimit
	}
	limit := math.ZeroInt()
	for _, l := range k.EarlierLimits {
		if l.Epoch > epoch {
			break
		}
		limit = l.Amount
	}
	return limit
}

// ChangeLimit sets the limit that counts from an epoch on, the one after the current. A second change in an epoch replaces the
// first. Limits that no epoch from oldestLive on needs are forgotten, so that at most two earlier ones are kept, and with them
// what was spent in epochs before it.
//
// Example: limit 10 from epoch 0; in epoch 5 it becomes 20 from 6 on, in epoch 6 it becomes 30 from 7 on. Then epoch 5 has 10,
// epoch 6 has 20 and epoch 7 has 30.
func (k *ClientKey) ChangeLimit(limit math.Int, from, oldestLive uint64) {
	limits := append(slices.Clone(k.EarlierLimits), KeyLimit{Epoch: k.LimitFrom, Amount: k.SpendLimit})
	if k.LimitFrom >= from {
		limits = limits[:len(limits)-1]
	}
	k.SpendLimit, k.LimitFrom = limit, from
	next := func(i int) uint64 { // epoch from which another limit replaces the one at i
		if i+1 < len(limits) {
			return limits[i+1].Epoch
		}
		return from
	}
	for len(limits) > 0 && next(0) <= oldestLive {
		limits = limits[1:]
	}
	k.EarlierLimits = limits
	k.Spent = slices.DeleteFunc(slices.Clone(k.Spent), func(s KeySpend) bool { return s.Epoch < oldestLive })
}

// knowsLimit reports whether the limit of an epoch is kept.
func (k *ClientKey) knowsLimit(epoch uint64) bool {
	return epoch >= k.LimitFrom || len(k.EarlierLimits) > 0 && epoch >= k.EarlierLimits[0].Epoch
}

// Left is what the key can still spend in acknowledgements of an epoch; nothing if its last epoch is before that.
func (k *ClientKey) Left(epoch uint64) math.Int {
	if k.LastEpoch < epoch {
		return math.ZeroInt()
	}
	return math.MaxInt(k.LimitIn(epoch).Sub(k.SpentIn(epoch)), math.ZeroInt())
}

// validate checks a key of a genesis state.
func (k *ClientKey) validate() error {
	switch {
	case k.Id == 0:
		return errorsmod.Wrap(ErrInvalidGenesis, "key id is 0")
	case k.AccountId == 0:
		return errorsmod.Wrapf(ErrInvalidGenesis, "key %d has no account", k.Id)
	case k.SpendLimit.IsNil() || !k.SpendLimit.IsPositive():
		return errorsmod.Wrapf(ErrInvalidGenesis, "key %d: spend limit %s", k.Id, k.SpendLimit)
	case k.LastEpoch == 0:
		return errorsmod.Wrapf(ErrInvalidGenesis, "key %d: last epoch is 0", k.Id)
	}
	if err := ack.CheckPublicKey(k.PublicKey); err != nil {
		return errorsmod.Wrapf(ErrInvalidGenesis, "key %d: %s", k.Id, err)
	}
	if len(k.EarlierLimits) > maxEarlierLimits {
		return errorsmod.Wrapf(ErrInvalidGenesis, "key %d: %d earlier limits, want at most %d", k.Id, len(k.EarlierLimits), maxEarlierLimits)
	}
	for i, l := range k.EarlierLimits {
		next := k.LimitFrom
		if i+1 < len(k.EarlierLimits) {
			next = k.EarlierLimits[i+1].Epoch
		}
		if l.Epoch >= next || l.Amount.IsNil() || !l.Amount.IsPositive() {
			return errorsmod.Wrapf(ErrInvalidGenesis, "key %d: limit %s from epoch %d, the next one from %d", k.Id, l.Amount, l.Epoch, next)
		}
	}
	last := uint64(0)
	for _, s := range k.Spent {
		if s.Epoch <= last || s.Amount.IsNil() || !s.Amount.IsPositive() || k.knowsLimit(s.Epoch) && s.Amount.GT(k.LimitIn(s.Epoch)) {
			return errorsmod.Wrapf(ErrInvalidGenesis, "key %d: spent %s in epoch %d after epoch %d", k.Id, s.Amount, s.Epoch, last)
		}
		last = s.Epoch
	}
	return nil
}
