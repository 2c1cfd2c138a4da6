package types

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// PursesPerPage is how many purses share a page: one leaf of the state tree. Fewer make the tree larger and its paths
// longer, more make every settlement of one client write the purses of more strangers. See docs/adr/012-state-layout.md.
// Changing it is a migration.
const PursesPerPage = 16

// PageOf is the page of an account's purse, a pure function of the account id: ids are handed out by a counter, so that
// pages are full but for the last one.
//
// Example: accounts 16 to 31 have their purses in page 1.
func PageOf(account uint64) uint64 { return account / PursesPerPage }

// NewPurse returns the empty purse of an account.
func NewPurse(account uint64) Purse { return Purse{AccountId: account, Balance: math.ZeroInt()} }

// Clone returns a purse that shares no memory with this one. Amounts are immutable and can be shared.
func (p *Purse) Clone() Purse {
	return Purse{
		AccountId: p.AccountId, Balance: p.Balance, Withdrawals: slices.Clone(p.Withdrawals), Spent: slices.Clone(p.Spent),
	}
}

// account is the purse as an account without its static part. They share their withdrawals.
func (p *Purse) account() Account {
	return Account{Id: p.AccountId, Balance: p.Balance, Withdrawals: p.Withdrawals}
}

// Pending is the sum of the withdrawals that are requested and not yet paid.
func (p *Purse) Pending() math.Int {
	a := p.account()
	return a.Pending()
}

// Payable is what a settlement can draw on: the balance and the pending withdrawals.
func (p *Purse) Payable() math.Int {
	if len(p.Withdrawals) == 0 {
		return p.Balance
	}
	return p.Balance.Add(p.Pending())
}

// Draw takes an amount out of the purse as Account.Draw does. It returns ErrInsufficientBalance and changes nothing if the
// amount is negative or more than payable.
func (p *Purse) Draw(amount math.Int) error {
	a := p.account()
	if err := a.Draw(amount); err != nil {
		return err
	}
	p.Balance, p.Withdrawals = a.Balance, a.Withdrawals
	return nil
}

// find returns the index of what a key spent in an epoch, and whether it is there; else the index at which it belongs.
func (p *Purse) find(key, epoch uint64) (int, bool) {
	return slices.BinarySearchFunc(p.Spent, PurseSpend{KeyId: key, Epoch: epoch}, compareSpends)
}

func compareSpends(a, b PurseSpend) int {
	if c := cmp.Compare(a.KeyId, b.KeyId); c != 0 {
		return c
	}
	return cmp.Compare(a.Epoch, b.Epoch)
}

// SpentIn is what a key has spent in acknowledgements of an epoch.
func (p *Purse) SpentIn(key, epoch uint64) math.Int {
	if i, ok := p.find(key, epoch); ok {
		return p.Spent[i].Amount
	}
	return math.ZeroInt()
}

// Spend adds an amount to what a key has spent in an epoch, and forgets what any key spent in epochs before oldestLive.
// Without that a purse would grow: so it holds at most two entries for each key that lived in a live epoch.
func (p *Purse) Spend(key, epoch, oldestLive uint64, amount math.Int) {
	p.Spent = slices.DeleteFunc(p.Spent, func(s PurseSpend) bool { return s.Epoch < oldestLive })
	i, ok := p.find(key, epoch)
	if ok {
		p.Spent[i].Amount = p.Spent[i].Amount.Add(amount)
		return
	}
	p.Spent = slices.Insert(p.Spent, i, PurseSpend{KeyId: key, Epoch: epoch, Amount: amount})
}

// SpentBy returns what a key has spent, by epoch.
func (p *Purse) SpentBy(key uint64) []KeySpend {
	var spent []KeySpend
	i, _ := p.find(key, 0)
	for ; i < len(p.Spent) && p.Spent[i].KeyId == key; i++ {
		spent = append(spent, KeySpend{Epoch: p.Spent[i].Epoch, Amount: p.Spent[i].Amount})
	}
	return spent
}

// SetSpent replaces what a key has spent; none forgets the key.
func (p *Purse) SetSpent(key uint64, spent []KeySpend) {
	p.Spent = slices.DeleteFunc(p.Spent, func(s PurseSpend) bool { return s.KeyId == key })
	i, _ := p.find(key, 0)
	for n, s := range spent {
		p.Spent = slices.Insert(p.Spent, i+n, PurseSpend{KeyId: key, Epoch: s.Epoch, Amount: s.Amount})
	}
}

// Field numbers of the page, of the account id in a purse, and what a malformed page is called.
const (
	pursesField    = 1
	accountIDField = 1
)

// purseSpan is where the encoding of a purse stands in a page, with tag and length.
type purseSpan struct {
	account    uint64
	start, end int
	body       []byte
}

// appendSpans splits a page without decoding the purses in it. It returns ErrInvariant if the page is not what ReplacePurses makes.
func appendSpans(all []purseSpan, page []byte) ([]purseSpan, error) {
	for at := 0; at < len(page); {
		number, kind, n := protowire.ConsumeTag(page[at:])
		if n < 0 || number != pursesField || kind != protowire.BytesType {
			return nil, errorsmod.Wrapf(ErrInvariant, "page of purses: tag at %d", at)
		}
		body, m := protowire.ConsumeBytes(page[at+n:])
		if m < 0 {
			return nil, errorsmod.Wrapf(ErrInvariant, "page of purses: purse at %d", at)
		}
		account, err := accountOf(body)
		if err != nil {
			return nil, err
		}
		if len(all) > 0 && all[len(all)-1].account >= account {
			return nil, errorsmod.Wrapf(ErrInvariant, "page of purses: account %d after %d", account, all[len(all)-1].account)
		}
		all = append(all, purseSpan{account: account, start: at, end: at + n + m, body: body})
		at += n + m
	}
	return all, nil
}

// accountOf reads the first field of an encoded purse. Account ids count from 1, so that it is always there.
func accountOf(purse []byte) (uint64, error) {
	number, kind, n := protowire.ConsumeTag(purse)
	if n < 0 || number != accountIDField || kind != protowire.VarintType {
		return 0, errorsmod.Wrap(ErrInvariant, "page of purses: purse without account")
	}
	account, m := protowire.ConsumeVarint(purse[n:])
	if m < 0 {
		return 0, errorsmod.Wrap(ErrInvariant, "page of purses: account id")
	}
	return account, nil
}

// FindPurse decodes one purse of an encoded PursePage, if it is there. It returns ErrInvariant if the page is malformed.
func FindPurse(page []byte, account uint64) (Purse, bool, error) {
	var room [PursesPerPage]purseSpan
	all, err := appendSpans(room[:0], page)
	if err != nil {
		return Purse{}, false, err
	}
	i, ok := slices.BinarySearchFunc(all, account, func(s purseSpan, id uint64) int { return cmp.Compare(s.account, id) })
	if !ok {
		return Purse{}, false, nil
	}
	var purse Purse
	if err := purse.Unmarshal(all[i].body); err != nil {
		return Purse{}, false, errorsmod.Wrapf(ErrInvariant, "purse of account %d: %s", account, err)
	}
	return purse, true, nil
}

// ReplacePurses returns an encoded PursePage in which the given purses, strictly ascending by account, replace theirs or
// stand at their places. The bytes of the others are taken over as they are, without decoding them. It returns ErrInvariant
// if the page is malformed.
func ReplacePurses(page []byte, purses []Purse) ([]byte, error) {
	var room [PursesPerPage]purseSpan
	old, err := appendSpans(room[:0], page)
	if err != nil {
		return nil, err
	}
	merged := make([]byte, 0, len(page)+64*len(purses))
	for i := range purses {
		account := purses[i].AccountId
		for len(old) > 0 && old[0].account < account {
			merged = append(merged, page[old[0].start:old[0].end]...)
			old = old[1:]
		}
		if len(old) > 0 && old[0].account == account {
			old = old[1:]
		}
		body, err := purses[i].Marshal()
		if err != nil {
			return nil, errorsmod.Wrapf(ErrInvariant, "purse of account %d: %s", account, err)
		}
		merged = protowire.AppendTag(merged, pursesField, protowire.BytesType)
		merged = protowire.AppendBytes(merged, body)
	}
	for _, s := range old {
		merged = append(merged, page[s.start:s.end]...)
	}
	return merged, nil
}
