package rollup

import (
	"context"
	"math/big"

	"github.com/edgechain/edge/worker/ackpool"
)

// collector tells what the chain can really pay of what is pending: no more than an account has, and no more than is left of the
// limit of a key in an epoch. It counts what it has told already.
type collector struct {
	ctx      context.Context
	accounts map[uint64]*big.Int
	keys     map[spending]*big.Int
	payable  func(account uint64) *big.Int
	limits   limits
}

// collector asks for accounts and keys within the time of ctx.
func (r *Rollup) collector(ctx context.Context) *collector {
	return &collector{
		ctx: ctx, accounts: map[uint64]*big.Int{}, keys: map[spending]*big.Int{}, limits: r.keyLimits(ctx),
		payable: func(id uint64) *big.Int {
			account, err := r.deps.Chain.Account(ctx, id)
			if err != nil {
				return nil
			}
			return account.Payable
		},
	}
}

// take returns what of an entry can be paid. What cannot be told counts as if it could: a fee is less than what would be lost.
func (c *collector) take(e *ackpool.Entry) *big.Int {
	if c.ctx.Err() != nil {
		return e.Pending
	}
	account, asked := c.accounts[e.AccountID]
	if !asked {
		if payable := c.payable(e.AccountID); payable != nil {
			account = new(big.Int).Set(payable)
		}
		c.accounts[e.AccountID] = account
	}
	of := spending{e.Signed.KeyID, e.Signed.Epoch}
	key, asked := c.keys[of]
	if !asked {
		if left := c.limits(of.key, of.epoch); left != nil {
			key = new(big.Int).Set(left)
		}
		c.keys[of] = key
	}
	paid := new(big.Int).Set(e.Pending)
	for _, rest := range []*big.Int{account, key} {
		if rest != nil && rest.Cmp(paid) < 0 {
			paid.Set(rest)
		}
	}
	if paid.Sign() <= 0 {
		return new(big.Int)
	}
	for _, rest := range []*big.Int{account, key} {
		if rest != nil {
			rest.Sub(rest, paid)
		}
	}
	return paid
}

// brings reports whether what the chain can really pay of entries, those with the most first, reaches a value. What somebody who
// cannot pay has acknowledged is no reason to settle what is worth no fee.
func (r *Rollup) brings(ctx context.Context, entries []ackpool.Entry, value *big.Int) bool {
	c := r.collector(ctx)
	sum := new(big.Int)
	for i := range entries {
		if sum.Add(sum, c.take(&entries[i])); sum.Cmp(value) >= 0 {
			return true
		}
	}
	return sum.Cmp(value) >= 0
}

// payables returns what the chain can really pay of the pending entries of one account, by epoch.
func (c *collector) payables(entries []ackpool.Entry) map[uint64]*big.Int {
	all := map[uint64]*big.Int{}
	for i := range entries {
		epoch := entries[i].Signed.Epoch
		if all[epoch] == nil {
			all[epoch] = new(big.Int)
		}
		all[epoch].Add(all[epoch], c.take(&entries[i]))
	}
	return all
}
