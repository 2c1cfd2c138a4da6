package types

import (
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	"github.com/edgechain/edge/ack"
)

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

// Left is what the key can still spend in acknowledgements of an epoch; nothing if its last epoch is before that.
func (k *ClientKey) Left(epoch uint64) math.Int {
	if k.LastEpoch < epoch {
		return math.ZeroInt()
	}
	return math.MaxInt(k.LimitIn(epoch).Sub(k.SpentIn(epoch)), math.ZeroInt())
}

// Spend adds an amount to what the key has spent in an epoch, and forgets the epochs before oldestLive.
func (k *ClientKey) Spend(epoch, oldestLive uint64, amount math.Int) {
	spent := make([]KeySpend, 0, len(k.Spent)+1)
	added := false
	for _, s := range k.Spent {
		if s.Epoch < oldestLive {
			continue
		}
		if !added && s.Epoch >= epoch {
			if s.Epoch == epoch {
				s.Amount = s.Amount.Add(amount)
			} else {
				spent = append(spent, KeySpend{Epoch: epoch, Amount: amount})
			}
			added = true
		}
		spent = append(spent, s)
	}
	if !added {
		spent = append(spent, KeySpend{Epoch: epoch, Amount: amount})
	}
	k.Spent = spent
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
	last := uint64(0)
	for _, s := range k.Spent {
		if s.Epoch <= last || s.Amount.IsNil() || !s.Amount.IsPositive() || s.Amount.GT(k.SpendLimit) {
			return errorsmod.Wrapf(ErrInvalidGenesis, "key %d: spent %s in epoch %d after epoch %d", k.Id, s.Amount, s.Epoch, last)
		}
		last = s.Epoch
	}
	return nil
}
