package rollup

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// ErrFeeCap reports that even the smallest settlement costs more than the configured cap.
var ErrFeeCap = errors.New("a settlement costs more than rollup.max_fee")

// fee is what the settlement of a batch costs, in units of the fee coin.
func (r *Rollup) fee(view chain.View, b batch) *big.Int {
	size := messageBytes(0, 0)
	for i := range b.acks {
		a := dacktypes.NewAcknowledgement(&b.acks[i].Signed)
		size += a.Size() + ackFrameBytes
	}
	return r.deps.Signer.Fee(gasLimit(view, len(b.acks), size, r.overhead)).Amount.BigInt()
}

// aboveMaxFee reports whether a fee is above what a settlement may cost.
func (c Config) aboveMaxFee(fee *big.Int) bool {
	return c.MaxFee != nil && c.MaxFee.Sign() > 0 && fee.Cmp(c.MaxFee) > 0
}

// ComparesFees reports whether fees are held against the values that they settle.
func (c Config) ComparesFees() bool {
	return c.FeeValue != nil && c.FeeValue.Sign() > 0 && c.MaxFeeShare != nil && c.MaxFeeShare.Sign() > 0
}

// worth reports whether a fee is small enough for the value that it settles. last is true for acknowledgements that die with
// this epoch, in its drain: then all that is not a loss is worth it.
//
// Example: a unit of the fee coin is worth a tenth of one of the settlement coin, and a fifth of the value may be spent. 500
// units of fee are worth 50, so that 250 must be settled at least, and 50 at the end.
func (c Config) worth(fee, value *big.Int, last bool) bool {
	if !c.ComparesFees() {
		return true
	}
	share := c.MaxFeeShare
	if last {
		share = big.NewRat(1, 1)
	}
	cost := new(big.Rat).Mul(new(big.Rat).SetInt(fee), c.FeeValue)
	return cost.Cmp(new(big.Rat).Mul(new(big.Rat).SetInt(value), share)) <= 0
}

// worthwhile returns the entries that are worth what each of them adds to a settlement, so that many small ones do not keep
// a large one from being settled.
func (r *Rollup) worthwhile(view chain.View, entries []ackpool.Entry, last bool) []ackpool.Entry {
	if r.cfg.FeeValue == nil || r.cfg.FeeValue.Sign() == 0 {
		return entries
	}
	one := r.deps.Signer.Fee(view.GasPerAck + (maxAckBytes+ackFrameBytes)*view.Limits.GasPerByte).Amount.BigInt()
	kept := make([]ackpool.Entry, 0, len(entries))
	for _, e := range entries {
		if r.cfg.worth(one, e.Pending, last) {
			kept = append(kept, e)
		}
	}
	return kept
}

// checkFee returns ErrFeeCap or ErrNoFees if not even the smallest settlement can be paid.
func (r *Rollup) checkFee(view chain.View) error {
	fee := r.deps.Signer.Fee(gasLimit(view, 1, 0, r.overhead))
	switch {
	case r.cfg.aboveMaxFee(fee.Amount.BigInt()):
		return fmt.Errorf("%w: the smallest costs %s, the cap is %s%s", ErrFeeCap, fee, r.cfg.MaxFee, fee.Denom)
	case view.FeeBalance != nil && view.FeeBalance.Cmp(fee.Amount.BigInt()) < 0 && view.Grants != nil && view.Grants.Fees != nil:
		return fmt.Errorf("%w: what is left of the fee grant to %s, or of the coins behind it, is %s%s; the smallest settlement costs %s",
			ErrNoFees, r.deps.Signer.Key(), view.FeeBalance, fee.Denom, fee)
	case view.FeeBalance != nil && view.FeeBalance.Cmp(fee.Amount.BigInt()) < 0:
		return fmt.Errorf("%w: %s has %s%s, the smallest settlement costs %s", ErrNoFees, r.deps.Signer.Key(), view.FeeBalance, fee.Denom, fee)
	}
	return nil
}

// checkGrants returns ErrNoGrant with what is missing if the key that signs settles for another account that does not let it.
func (r *Rollup) checkGrants(view chain.View) error {
	if view.Grants == nil {
		return nil
	}
	key, account := r.deps.Signer.Key(), r.deps.Signer.Address()
	if key != account && !view.Grants.May(&dacktypes.MsgSettle{}, view.Time) {
		if until, ok := view.Grants.Messages[settleURL]; ok {
			return fmt.Errorf("%w: that of %s to %s ended at %s", ErrNoGrant, account, key, until.UTC().Format(timeFormat))
		}
		return fmt.Errorf("%w: %s has not granted %s to %s", ErrNoGrant, account, settleURL, key)
	}
	fees := view.Grants.Fees
	if fees != nil && !fees.Until.IsZero() && view.Time.After(fees.Until) {
		return fmt.Errorf("%w: that of fees to %s ended at %s", ErrNoGrant, key, fees.Until.UTC().Format(timeFormat))
	}
	if fees == nil && r.cfg.FeeGranted {
		return fmt.Errorf("%w: nothing pays the fees of %s", ErrNoGrant, key)
	}
	return nil
}

func text(v *big.Int) string {
	if v == nil {
		return ""
	}
	return v.String()
}
