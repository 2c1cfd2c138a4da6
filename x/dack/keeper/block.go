package keeper

import (
	"context"
	"encoding/binary"

	errorsmod "cosmossdk.io/errors"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/dack/types"
)

// Keys of the object store, which lives for one block. What transactions change of records that strangers share stands here
// under keys that they do not share, until EndBlock folds it into the state.
const (
	// changedPrefix | account(8) -> *types.Purse: a purse as the last transaction that changed it left it
	changedPrefix byte = iota
	// deltaPrefix | transaction(8) -> delta: what a transaction has added to the module's totals
	deltaPrefix
	// foldedKey is there from EndBlock on: whatever still happens in the block writes the state itself
	foldedKey
)

// delta is what one transaction has added to sums that all of them would otherwise write. It is never changed in place.
type delta struct {
	totals types.Totals
	// opened lanes.
	opened uint64
}

// objects returns the object store. Its gas is not counted: who uses it charges a price of its own.
func (k *Keeper) objects(ctx context.Context) storetypes.ObjKVStore {
	return sdk.UnwrapSDKContext(ctx).WithGasMeter(storetypes.NewInfiniteGasMeter()).ObjectStore(k.objectKey)
}

func objectKey(prefix byte, id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefix}, id)
}

// folded reports whether EndBlock has folded the block: from then on nothing may be left in the object store, because nobody
// would take it over.
func folded(objects storetypes.ObjKVStore) bool { return objects.Has([]byte{foldedKey}) }

// addDelta adds to what the transaction has added to sums. After the fold it adds to the state itself.
func (k *Keeper) addDelta(ctx context.Context, add delta) error {
	objects := k.objects(ctx)
	if folded(objects) {
		return k.applyTotals(ctx, add.totals)
	}
	key := objectKey(deltaPrefix, uint64(sdk.UnwrapSDKContext(ctx).TxIndex()))
	if old, ok := objects.Get(key).(delta); ok {
		add = delta{totals: old.totals.Add(add.totals), opened: old.opened + add.opened}
	}
	objects.Set(key, add)
	return nil
}

// deltas returns the sum of what the transactions of the block have added so far.
func deltas(objects storetypes.ObjKVStore) (delta, error) {
	sum := delta{totals: types.NewTotals()}
	err := walkObjects(objects, deltaPrefix, func(key []byte, value any) error {
		d, ok := value.(delta)
		if !ok {
			return errorsmod.Wrapf(types.ErrInvariant, "object %x is a %T", key, value)
		}
		sum = delta{totals: sum.totals.Add(d.totals), opened: sum.opened + d.opened}
		return nil
	})
	return sum, err
}

// walkObjects calls f with the objects of a prefix in the order of their keys. They are in memory: their iterator cannot fail.
func walkObjects(objects storetypes.ObjKVStore, prefix byte, f func(key []byte, value any) error) error {
	iter := objects.Iterator([]byte{prefix}, []byte{prefix + 1})
	defer iter.Close()
	for ; iter.Valid(); iter.Next() {
		if err := f(iter.Key(), iter.Value()); err != nil {
			return err
		}
	}
	return nil
}

// fold takes the changes of the block over into the state, in the order of their keys, and empties the object store. It
// returns how many lanes the block has opened. An error means that the state cannot be read or written: the block must
// fail, because money would be lost.
func (k *Keeper) fold(ctx context.Context) (opened uint64, err error) {
	objects := k.objects(ctx)
	changed, err := changedPurses(objects)
	if err != nil {
		return 0, err
	}
	for rest := changed; len(rest) > 0; {
		n := 1
		for n < len(rest) && types.PageOf(rest[n].AccountId) == types.PageOf(rest[0].AccountId) {
			n++
		}
		if err := k.replacePurses(ctx, rest[:n]); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	sum, err := deltas(objects)
	if err != nil {
		return 0, err
	}
	if err := k.applyTotals(ctx, sum.totals); err != nil {
		return 0, err
	}
	clearObjects(objects)
	return sum.opened, nil
}

// changedPurses returns the purses that the block has changed, ascending by account. They are shared: see Purse.Clone.
func changedPurses(objects storetypes.ObjKVStore) ([]types.Purse, error) {
	var purses []types.Purse
	err := walkObjects(objects, changedPrefix, func(key []byte, value any) error {
		p, ok := value.(*types.Purse)
		if !ok {
			return errorsmod.Wrapf(types.ErrInvariant, "object %x is a %T", key, value)
		}
		purses = append(purses, *p)
		return nil
	})
	return purses, err
}

// clearObjects removes changes and deltas: queries at the state of this block must not meet them.
func clearObjects(objects storetypes.ObjKVStore) {
	iter := objects.Iterator([]byte{changedPrefix}, []byte{deltaPrefix + 1})
	var keys [][]byte
	for ; iter.Valid(); iter.Next() {
		keys = append(keys, iter.Key())
	}
	iter.Close()
	for _, key := range keys {
		objects.Delete(key)
	}
}
