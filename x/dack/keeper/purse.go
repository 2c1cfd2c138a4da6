package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/dack/types"
)

// Gas of a purse in messages other than settlements, which have a price of their own. It does not depend on what the
// neighbours in the page hold.
const (
	purseReadGas  = 2_000
	purseWriteGas = 10_000
)

// free returns a context whose gas nobody pays, after gas has been taken for what is done with it.
func free(ctx context.Context, gas uint64, what string) sdk.Context {
	c := sdk.UnwrapSDKContext(ctx)
	c.GasMeter().ConsumeGas(gas, what)
	return c.WithGasMeter(storetypes.NewInfiniteGasMeter())
}

// purse returns the purse of an account as the block has left it so far: from the object store, else from its page. The
// caller may change it. It returns ErrAccountNotFound.
func (k *Keeper) purse(ctx context.Context, account uint64) (types.Purse, error) {
	ctx = free(ctx, purseReadGas, "purse")
	if p, ok := k.objects(ctx).Get(objectKey(changedPrefix, account)).(*types.Purse); ok {
		return p.Clone(), nil
	}
	page, err := k.page(ctx, types.PageOf(account))
	if err != nil {
		return types.Purse{}, err
	}
	purse, ok, err := types.FindPurse(page, account)
	if err == nil && !ok {
		err = errorsmod.Wrapf(types.ErrAccountNotFound, "account %d", account)
	}
	return purse, err
}

// setPurse stores a purse. Within a block it goes to the object store under the account's own key, because two transactions
// that write a page would be executed one after the other although their clients are strangers. The totals are the caller's.
func (k *Keeper) setPurse(ctx context.Context, purse types.Purse) error {
	ctx = free(ctx, purseWriteGas, "purse")
	objects := k.objects(ctx)
	if folded(objects) {
		return k.replacePurses(ctx, []types.Purse{purse})
	}
	own := purse.Clone()
	objects.Set(objectKey(changedPrefix, purse.AccountId), &own)
	return nil
}

// replacePurses writes purses of one page, ascending by account.
func (k *Keeper) replacePurses(ctx context.Context, purses []types.Purse) error {
	number := types.PageOf(purses[0].AccountId)
	page, err := k.page(ctx, number)
	if err != nil {
		return err
	}
	if page, err = types.ReplacePurses(page, purses); err != nil {
		return errorsmod.Wrapf(err, "page %d", number)
	}
	return k.pursePages[types.PurseStoreOf(number)].Set(ctx, number, page)
}

// page returns an encoded page, which is empty if none of its accounts has been opened.
func (k *Keeper) page(ctx context.Context, number uint64) ([]byte, error) {
	page, err := k.pursePages[types.PurseStoreOf(number)].Get(ctx, number)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	return page, err
}

// walkPages calls f with every page, ascending by number, whatever store it stands in. It returns ErrInvariant if one stands
// in a store that is not its own.
func (k *Keeper) walkPages(ctx context.Context, f func(number uint64, page []byte) error) (err error) {
	var iters [types.PurseStores]collections.Iterator[uint64, []byte]
	for i := range iters {
		if iters[i], err = k.pursePages[i].Iterate(ctx, nil); err != nil {
			return err
		}
		defer iters[i].Close()
	}
	for {
		first, number := -1, uint64(0)
		for i := range iters {
			if !iters[i].Valid() {
				continue
			}
			n, err := iters[i].Key()
			if err != nil {
				return err
			}
			if types.PurseStoreOf(n) != i {
				return errorsmod.Wrapf(types.ErrInvariant, "page %d stands in %s", n, types.PurseStoreKey(i))
			}
			if first < 0 || n < number {
				first, number = i, n
			}
		}
		if first < 0 {
			return nil
		}
		page, err := iters[first].Value()
		if err != nil {
			return err
		}
		if err := f(number, page); err != nil {
			return err
		}
		iters[first].Next()
	}
}

// walkPurses calls f with every purse, ascending by account, as the block has left them so far. It returns ErrInvariant if
// one stands in a page that is not its own. For genesis files, tests and simulations.
func (k *Keeper) walkPurses(ctx context.Context, f func(types.Purse) error) error {
	changed, err := changedPurses(k.objects(ctx))
	if err != nil {
		return err
	}
	upTo := func(account uint64) error {
		for ; len(changed) > 0 && changed[0].AccountId < account; changed = changed[1:] {
			if err := f(changed[0].Clone()); err != nil {
				return err
			}
		}
		return nil
	}
	if err := k.walkPages(ctx, func(number uint64, encoded []byte) error {
		var page types.PursePage
		if err := page.Unmarshal(encoded); err != nil {
			return errorsmod.Wrapf(types.ErrInvariant, "page %d: %s", number, err)
		}
		for _, p := range page.Purses {
			if types.PageOf(p.AccountId) != number {
				return errorsmod.Wrapf(types.ErrInvariant, "page %d has the purse of account %d", number, p.AccountId)
			}
			if err := upTo(p.AccountId); err != nil {
				return err
			}
			if len(changed) > 0 && changed[0].AccountId == p.AccountId {
				continue // the newer one follows with the next
			}
			if err := f(p); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return upTo(^uint64(0))
}
