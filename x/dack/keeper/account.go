package keeper

import (
	"context"
	"errors"
	"slices"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/dack/types"
)

// Account returns a client account, or ErrAccountNotFound. Owner and number of keys come from its leaf, balance and
// withdrawals from its purse.
func (k *Keeper) Account(ctx context.Context, id uint64) (types.Account, error) {
	account, err := k.accounts.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Account{}, errorsmod.Wrapf(types.ErrAccountNotFound, "account %d", id)
	}
	if err != nil {
		return types.Account{}, err
	}
	purse, err := k.purse(ctx, id)
	if err != nil {
		return types.Account{}, err
	}
	account.Balance, account.Withdrawals = purse.Balance, purse.Withdrawals
	return account, nil
}

// setAccount stores a whole account and books what that changes of balances and pending withdrawals. Leaf and purse are
// written only if they change.
func (k *Keeper) setAccount(ctx context.Context, account types.Account) error {
	leaf := account
	leaf.Balance, leaf.Withdrawals = math.ZeroInt(), nil
	old, err := k.accounts.Get(ctx, account.Id)
	first := errors.Is(err, collections.ErrNotFound)
	if err != nil && !first {
		return err
	}
	if first || old.Owner != leaf.Owner || old.Keys != leaf.Keys {
		if err := k.accounts.Set(ctx, account.Id, leaf); err != nil {
			return err
		}
	}
	purse := types.NewPurse(account.Id)
	if !first {
		if purse, err = k.purse(ctx, account.Id); err != nil {
			return err
		}
		if purse.Balance.Equal(account.Balance) && slices.EqualFunc(purse.Withdrawals, account.Withdrawals, equalWithdrawals) {
			return nil
		}
	}
	change := types.NewTotals()
	change.Balances = account.Balance.Sub(purse.Balance)
	change.Pending = account.Pending().Sub(purse.Pending())
	purse.Balance, purse.Withdrawals = account.Balance, account.Withdrawals
	if err := k.setPurse(ctx, purse); err != nil {
		return err
	}
	return k.addTotals(ctx, change)
}

func equalWithdrawals(a, b types.Withdrawal) bool {
	return a.Epoch == b.Epoch && a.Amount.Equal(b.Amount)
}

// AccountByOwner returns the client account of an owner address, or ErrAccountNotFound.
func (k *Keeper) AccountByOwner(ctx context.Context, owner []byte) (types.Account, error) {
	id, err := k.owners.Get(ctx, owner)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Account{}, errorsmod.Wrap(types.ErrAccountNotFound, "the owner has none")
	}
	if err != nil {
		return types.Account{}, err
	}
	return k.Account(ctx, id)
}

// ClientKey returns a client key with what it has spent, or ErrKeyNotFound. The key comes from its leaf, which settlements
// only read, what it has spent from the purse of its account.
func (k *Keeper) ClientKey(ctx context.Context, id uint64) (types.ClientKey, error) {
	key, err := k.keyLeaf(ctx, id)
	if err != nil {
		return types.ClientKey{}, err
	}
	purse, err := k.purse(ctx, key.AccountId)
	if err != nil {
		return types.ClientKey{}, err
	}
	key.Spent = purse.SpentBy(id)
	return key, nil
}

// keyLeaf returns a client key without what it has spent, or ErrKeyNotFound.
func (k *Keeper) keyLeaf(ctx context.Context, id uint64) (types.ClientKey, error) {
	key, err := k.keys.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.ClientKey{}, errorsmod.Wrapf(types.ErrKeyNotFound, "key %d", id)
	}
	return key, err
}

// setClientKey stores a client key of an account that exists. The purse is written only if what the key has spent is
// another than there.
func (k *Keeper) setClientKey(ctx context.Context, key types.ClientKey) error {
	leaf := key
	leaf.Spent = nil
	if err := k.keys.Set(ctx, key.Id, leaf); err != nil {
		return err
	}
	purse, err := k.purse(ctx, key.AccountId)
	if err != nil {
		return err
	}
	if slices.EqualFunc(purse.SpentBy(key.Id), key.Spent, equalSpends) {
		return nil
	}
	purse.SetSpent(key.Id, key.Spent)
	return k.setPurse(ctx, purse)
}

func equalSpends(a, b types.KeySpend) bool { return a.Epoch == b.Epoch && a.Amount.Equal(b.Amount) }

// removeDeadKeys removes the keys of an account whose last acknowledgements have died, and returns how many they were.
// An account has at most MaxKeysPerAccount keys. What they spent is forgotten with the next payment out of the purse.
func (k *Keeper) removeDeadKeys(ctx context.Context, account, oldestLive uint64) (uint32, error) {
	iter, err := k.accountKeys.Iterate(ctx, collections.NewPrefixedPairRange[uint64, uint64](account))
	if err != nil {
		return 0, err
	}
	ids, err := iter.Keys()
	if err != nil {
		return 0, err
	}
	removed := uint32(0)
	for _, id := range ids {
		key, err := k.keyLeaf(ctx, id.K2())
		if err != nil {
			return 0, err
		}
		if key.LastEpoch >= oldestLive {
			continue
		}
		if err := errors.Join(
			k.keys.Remove(ctx, key.Id),
			k.publicKeys.Remove(ctx, key.PublicKey),
			k.accountKeys.Remove(ctx, id),
		); err != nil {
			return 0, err
		}
		removed++
	}
	return removed, nil
}

// exportClients returns all accounts and keys with what their purses hold, ascending by id.
func (k *Keeper) exportClients(ctx context.Context) ([]types.Account, []types.ClientKey, error) {
	accounts, err := values(ctx, k.accounts)
	if err != nil {
		return nil, nil, err
	}
	keys, err := values(ctx, k.keys)
	if err != nil {
		return nil, nil, err
	}
	spent := make(map[uint64][]types.KeySpend) // key -> what it spent; never ranged over
	next := 0
	if err := k.walkPurses(ctx, func(p types.Purse) error {
		if next >= len(accounts) || accounts[next].Id != p.AccountId {
			return errorsmod.Wrapf(types.ErrInvariant, "purse of account %d, which does not exist, or others have none", p.AccountId)
		}
		accounts[next].Balance, accounts[next].Withdrawals = p.Balance, p.Withdrawals
		for _, s := range p.Spent {
			spent[s.KeyId] = append(spent[s.KeyId], types.KeySpend{Epoch: s.Epoch, Amount: s.Amount})
		}
		next++
		return nil
	}); err != nil {
		return nil, nil, err
	}
	if next != len(accounts) {
		return nil, nil, errorsmod.Wrapf(types.ErrInvariant, "account %d has no purse", accounts[next].Id)
	}
	for i := range keys {
		keys[i].Spent = spent[keys[i].Id]
	}
	return accounts, keys, nil
}
