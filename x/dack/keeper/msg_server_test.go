package keeper_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/dack/keeper"
	"github.com/edgechain/edge/x/dack/types"
)

func TestUpdateParams(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		name   string
		change func(m *types.MsgUpdateParams)
		want   error
	}{
		{"wrong signer", func(m *types.MsgUpdateParams) { m.Authority = f.address("client") }, sdkerrors.ErrUnauthorized},
		{"no signer", func(m *types.MsgUpdateParams) { m.Authority = "" }, sdkerrors.ErrUnauthorized},
		{"another settlement coin", func(m *types.MsgUpdateParams) { m.Params.SettlementDenom = "uother" }, types.ErrSettlementDenomFixed},
		{"no settlement coin", func(m *types.MsgUpdateParams) { m.Params.SettlementDenom = "" }, types.ErrInvalidParams},
		{"too many acknowledgements", func(m *types.MsgUpdateParams) { m.Params.MaxAcks = types.MaxAcksLimit + 1 }, types.ErrInvalidParams},
		{"price too high", func(m *types.MsgUpdateParams) { m.Params.Prices.PerGib = types.MaxPrice.AddRaw(1) }, types.ErrInvalidParams},
	} {
		t.Run(c.name, func(t *testing.T) {
			params, err := f.keeper.Params(f.ctx)
			require.NoError(t, err)
			m := &types.MsgUpdateParams{Authority: f.authority, Params: params}
			c.change(m)
			f.requireRefused(c.want, func() error {
				_, err := f.msg.UpdateParams(f.ctx, m)
				return err
			})
		})
	}
}

// TestPriceSchedule: a change counts from the next epoch; the live epochs keep their prices; a second change in the same
// epoch replaces the first.
func TestPriceSchedule(t *testing.T) {
	f := newFixture(t)
	const e = firstEpoch
	price := func(epoch uint64) int64 {
		t.Helper()
		p, err := f.keeper.Prices(f.ctx, epoch)
		require.NoError(t, err)
		return p.PerGib.Int64()
	}
	set := func(n int64) { f.setParams(func(p *types.Params) { p.Prices.PerGib = math.NewInt(n) }) }
	old := price(e)
	set(7)
	require.Equal(t, []int64{old, old, 7}, []int64{price(e - 1), price(e), price(e + 1)})
	set(8)
	require.Equal(t, []int64{old, 8, 8}, []int64{price(e), price(e + 1), price(e + 2)})
	f.epoch.current++
	set(9)
	require.Equal(t, []int64{old, 8, 9}, []int64{price(e), price(e + 1), price(e + 2)})
	set(8) // back to what counts already: the change is taken back
	require.Equal(t, []int64{old, 8, 8}, []int64{price(e), price(e + 1), price(e + 2)})

	_, err := f.keeper.Prices(f.ctx, 0)
	require.ErrorIs(t, err, types.ErrPricesNotFound)
}

func TestDeposit(t *testing.T) {
	f := newFixture(t)
	f.fund("client", 10_000)
	f.fund("friend", 10_000)
	blocked, err := f.addresses.BytesToString(authtypes.NewModuleAddress(rewards))
	require.NoError(t, err)
	for _, c := range []struct {
		name   string
		change func(m *types.MsgDeposit)
		want   error
	}{
		{"sender is no address", func(m *types.MsgDeposit) { m.Sender = "cosmos1" }, sdkerrors.ErrInvalidAddress},
		{"owner is no address", func(m *types.MsgDeposit) { m.Owner = "" }, sdkerrors.ErrInvalidAddress},
		{"owner is a module", func(m *types.MsgDeposit) { m.Owner = blocked }, types.ErrInvalidOwner},
		{"another coin", func(m *types.MsgDeposit) { m.Amount.Denom = "uedge" }, types.ErrInvalidDenom},
		{"nothing", func(m *types.MsgDeposit) { m.Amount.Amount = math.ZeroInt() }, types.ErrInvalidAmount},
		{"negative", func(m *types.MsgDeposit) { m.Amount.Amount = math.NewInt(-1) }, types.ErrInvalidAmount},
		{"no amount", func(m *types.MsgDeposit) { m.Amount.Amount = math.Int{} }, types.ErrInvalidAmount},
		{"below the minimum", func(m *types.MsgDeposit) { m.Amount = coin(99) }, types.ErrBelowMinDeposit},
		{"more than the sender has", func(m *types.MsgDeposit) { m.Amount = coin(10_001) }, sdkerrors.ErrInsufficientFunds},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &types.MsgDeposit{Sender: f.address("client"), Owner: f.address("client"), Amount: coin(100)}
			c.change(m)
			f.requireRefused(c.want, func() error {
				_, err := f.msg.Deposit(f.ctx, m)
				return err
			})
		})
	}

	deposit := func(sender, owner string, amount int64) uint64 {
		t.Helper()
		res, err := f.msg.Deposit(f.ctx, &types.MsgDeposit{Sender: f.address(sender), Owner: f.address(owner), Amount: coin(amount)})
		require.NoError(t, err)
		f.check()
		return res.AccountId
	}
	require.EqualValues(t, 1, deposit("client", "client", 100), "the minimum opens an account")
	require.EqualValues(t, 1, deposit("friend", "client", 1), "any amount adds to it, from anyone")
	require.EqualValues(t, 2, deposit("client", "friend", 500), "and anyone opens one for anyone")
	require.Equal(t, "101", f.account(1).Balance.String())
	require.Equal(t, f.address("client"), f.account(1).Owner)
	require.EqualValues(t, 601, f.moduleBalance(types.ModuleName))
	require.EqualValues(t, 9_999, f.wallet("friend"))
}

func TestRequestWithdrawal(t *testing.T) {
	f := newFixture(t)
	id := f.deposit("client", 1_000)
	for _, c := range []struct {
		name   string
		change func(m *types.MsgRequestWithdrawal)
		want   error
	}{
		{"owner is no address", func(m *types.MsgRequestWithdrawal) { m.Owner = "x" }, sdkerrors.ErrInvalidAddress},
		{"owner without account", func(m *types.MsgRequestWithdrawal) { m.Owner = f.address("other") }, types.ErrAccountNotFound},
		{"another coin", func(m *types.MsgRequestWithdrawal) { m.Amount.Denom = "uedge" }, types.ErrInvalidDenom},
		{"nothing", func(m *types.MsgRequestWithdrawal) { m.Amount = coin(0) }, types.ErrInvalidAmount},
		{"negative", func(m *types.MsgRequestWithdrawal) { m.Amount.Amount = math.NewInt(-5) }, types.ErrInvalidAmount},
		{"no amount", func(m *types.MsgRequestWithdrawal) { m.Amount.Amount = math.Int{} }, types.ErrInvalidAmount},
		{"more than the balance", func(m *types.MsgRequestWithdrawal) { m.Amount = coin(1_001) }, types.ErrInsufficientBalance},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &types.MsgRequestWithdrawal{Owner: f.address("client"), Amount: coin(10)}
			c.change(m)
			f.requireRefused(c.want, func() error {
				_, err := f.msg.RequestWithdrawal(f.ctx, m)
				return err
			})
		})
	}
	request := func(amount int64) (*types.MsgRequestWithdrawalResponse, error) {
		return f.msg.RequestWithdrawal(f.ctx, &types.MsgRequestWithdrawal{Owner: f.address("client"), Amount: coin(amount)})
	}
	for _, amount := range []int64{100, 50} {
		res, err := request(amount)
		require.NoError(t, err)
		require.EqualValues(t, firstEpoch+2, res.PaidFrom)
	}
	require.Equal(t, []types.Withdrawal{{Epoch: firstEpoch, Amount: math.NewInt(150)}}, f.account(id).Withdrawals, "the second adds to the first")
	f.epoch.current++
	_, err := request(20)
	require.NoError(t, err)
	f.endBlock()
	require.Zero(t, f.wallet("client"), "not due yet")
	f.epoch.current++
	f.endBlock()
	require.EqualValues(t, 150, f.wallet("client"))
	f.epoch.current++
	f.endBlock()
	require.EqualValues(t, 170, f.wallet("client"))
	require.Equal(t, "830", f.account(id).Balance.String())
	_, err = request(830)
	require.NoError(t, err, "all of it")
}

// TestWithdrawalQueue: the queue is bounded for each block, oldest first, and an account whose withdrawals wait must wait.
func TestWithdrawalQueue(t *testing.T) {
	f := newFixture(t)
	f.setParams(func(p *types.Params) { p.WithdrawalsPerBlock = 2 })
	names := []string{"a", "b", "c", "d", "e"}
	for _, name := range names {
		f.deposit(name, 1_000)
	}
	request := func(name string) error {
		_, err := f.msg.RequestWithdrawal(f.ctx, &types.MsgRequestWithdrawal{Owner: f.address(name), Amount: coin(10)})
		return err
	}
	for range 3 {
		for _, name := range names {
			require.NoError(t, request(name))
		}
		f.epoch.current++ // no block ends meanwhile
	}
	f.requireRefused(types.ErrTooManyWithdrawals, func() error { return request("a") })
	total := func() (sum int64) {
		for _, name := range names {
			sum += f.wallet(name)
		}
		return sum
	}
	for block := int64(1); block <= 5; block++ { // epochs 5 and 6 are due in 8, those of 7 are not
		f.endBlock()
		require.EqualValues(t, 20*block, total())
	}
	f.endBlock()
	require.EqualValues(t, 100, total())
	require.NoError(t, request("a"))
}

// failingBank refuses to pay one address.
type failingBank struct {
	types.BankKeeper
	refuse sdk.AccAddress
}

var errBank = errors.New("the bank says no")

func (b failingBank) SendCoinsFromModuleToAccount(ctx context.Context, module string, to sdk.AccAddress, amt sdk.Coins) error {
	if to.Equals(b.refuse) {
		if err := b.BankKeeper.SendCoinsFromModuleToAccount(ctx, module, to, amt); err != nil { // what it wrote must go
			return err
		}
		return errBank
	}
	return b.BankKeeper.SendCoinsFromModuleToAccount(ctx, module, to, amt)
}

// TestWithdrawalFails: what cannot be paid goes back to the balance, and the queue goes on.
func TestWithdrawalFails(t *testing.T) {
	f := newFixture(t)
	f.keeper = f.newKeeper(failingBank{f.bank, f.addr("a")})
	f.msg = keeper.NewMsgServerImpl(f.keeper)
	a := f.deposit("a", 1_000)
	f.deposit("b", 1_000)
	for _, name := range []string{"a", "b"} {
		_, err := f.msg.RequestWithdrawal(f.ctx, &types.MsgRequestWithdrawal{Owner: f.address(name), Amount: coin(10)})
		require.NoError(t, err)
	}
	f.epoch.current += 2
	f.ctx = f.ctx.WithEventManager(sdk.NewEventManager())
	f.endBlock()
	require.Zero(t, f.wallet("a"))
	require.EqualValues(t, 10, f.wallet("b"))
	require.Equal(t, "1000", f.account(a).Balance.String())
	require.Empty(t, f.account(a).Withdrawals)
	var failed *types.EventWithdrawalFailed
	for _, e := range f.ctx.EventManager().ABCIEvents() {
		if parsed, err := sdk.ParseTypedEvent(e); err == nil {
			if event, ok := parsed.(*types.EventWithdrawalFailed); ok {
				failed = event
			}
		}
	}
	require.Equal(t, &types.EventWithdrawalFailed{AccountId: a, Amount: "10" + denom, Cause: errBank.Error()}, failed)
	before := f.state()
	f.endBlock()
	require.Equal(t, before, f.state(), "it is not met again")
}

// TestWithdrawalIsDeferred: a withdrawal of an account that cannot be read is neither paid nor lost: it is announced and tried
// again in the next epoch, until the record is mended.
func TestWithdrawalIsDeferred(t *testing.T) {
	f := newFixture(t)
	id := f.deposit("a", 1_000)
	_, err := f.msg.RequestWithdrawal(f.ctx, &types.MsgRequestWithdrawal{Owner: f.address("a"), Amount: coin(10)})
	require.NoError(t, err)
	raw, err := collections.EncodeKeyWithPrefix(types.AccountsPrefix.Bytes(), collections.Uint64Key, id)
	require.NoError(t, err)
	store := f.ctx.KVStore(f.storeKeys[types.StoreKey])
	good := store.Get(raw)
	f.epoch.current += 2
	deferred := func() (n int) {
		f.ctx = f.ctx.WithEventManager(sdk.NewEventManager())
		require.NoError(t, f.keeper.EndBlock(f.ctx))
		for _, e := range f.ctx.EventManager().ABCIEvents() {
			if parsed, err := sdk.ParseTypedEvent(e); err == nil {
				if event, ok := parsed.(*types.EventWithdrawalDeferred); ok {
					require.Equal(t, id, event.AccountId)
					require.Equal(t, f.epoch.current+1, event.RetriedFrom)
					require.NotEmpty(t, event.Cause)
					n++
				}
			}
		}
		return n
	}
	for range 3 {
		store.Set(raw, []byte{0xff})
		require.Equal(t, 1, deferred())
		require.Zero(t, deferred(), "once an epoch")
		store.Set(raw, good)
		require.Zero(t, deferred())
		require.Zero(t, f.wallet("a"))
		f.epoch.current++
	}
	require.Zero(t, deferred())
	f.check()
	require.EqualValues(t, 10, f.wallet("a"))
}

func TestAddClientKey(t *testing.T) {
	f := newFixture(t)
	id := f.deposit("client", 1_000)
	other := f.deposit("other", 1_000)
	k := privateKey(1)
	taken := f.addKey("other", other, 99, 5)
	sign := func(chain string, account uint64) []byte {
		return ed25519.Sign(k, ack.AppendKeyProofSignBytes(nil, ack.HashChainID(chain), account))
	}
	smallOrder := append([]byte{1}, make([]byte, 31)...)
	for _, c := range []struct {
		name   string
		change func(m *types.MsgAddClientKey)
		want   error
	}{
		{"owner is no address", func(m *types.MsgAddClientKey) { m.Owner = "x" }, sdkerrors.ErrInvalidAddress},
		{"owner without account", func(m *types.MsgAddClientKey) { m.Owner = f.address("nobody") }, types.ErrAccountNotFound},
		{"wrong signer", func(m *types.MsgAddClientKey) { m.Owner = f.address("other") }, types.ErrInvalidProof},
		{"proof of another chain", func(m *types.MsgAddClientKey) { m.Proof = sign("edge-other-1", id) }, types.ErrInvalidProof},
		{"proof of another account", func(m *types.MsgAddClientKey) { m.Proof = sign(chainID, other) }, types.ErrInvalidProof},
		{"proof of another key", func(m *types.MsgAddClientKey) { m.PublicKey = privateKey(2).Public().(ed25519.PublicKey) }, types.ErrInvalidProof},
		{"short proof", func(m *types.MsgAddClientKey) { m.Proof = m.Proof[:63] }, types.ErrInvalidProof},
		{"no proof", func(m *types.MsgAddClientKey) { m.Proof = nil }, types.ErrInvalidProof},
		{"short key", func(m *types.MsgAddClientKey) { m.PublicKey = m.PublicKey[:31] }, types.ErrInvalidPublicKey},
		{"key of small order", func(m *types.MsgAddClientKey) { m.PublicKey = smallOrder }, types.ErrInvalidPublicKey},
		{"registered key", func(m *types.MsgAddClientKey) {
			*m = *addKeyMsg(m.Owner, id, taken.private, 5, lastOfKey)
		}, types.ErrPublicKeyTaken},
		{"no limit", func(m *types.MsgAddClientKey) { m.SpendLimit = math.Int{} }, types.ErrInvalidSpendLimit},
		{"limit of nothing", func(m *types.MsgAddClientKey) { m.SpendLimit = math.ZeroInt() }, types.ErrInvalidSpendLimit},
		{"negative limit", func(m *types.MsgAddClientKey) { m.SpendLimit = math.NewInt(-1) }, types.ErrInvalidSpendLimit},
		{"last epoch 0", func(m *types.MsgAddClientKey) { m.LastEpoch = 0 }, types.ErrInvalidLastEpoch},
		{"last epoch is over", func(m *types.MsgAddClientKey) { m.LastEpoch = firstEpoch - 1 }, types.ErrInvalidLastEpoch},
		{"last epoch is too far", func(m *types.MsgAddClientKey) { m.LastEpoch = firstEpoch + types.MaxKeyEpochs + 1 }, types.ErrInvalidLastEpoch},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := addKeyMsg(f.address("client"), id, k, 1, firstEpoch)
			c.change(m)
			f.requireRefused(c.want, func() error {
				_, err := f.msg.AddClientKey(f.ctx, m)
				return err
			})
		})
	}
	// At the bounds, and all gas accounted for.
	meter := storetypes.NewInfiniteGasMeter()
	_, err := f.msg.AddClientKey(f.ctx.WithGasMeter(meter), addKeyMsg(f.address("client"), id, k, 1, firstEpoch))
	require.NoError(t, err)
	require.Greater(t, meter.GasConsumed(), uint64(6_000), "the proof costs gas")
	_, err = f.msg.AddClientKey(f.ctx, addKeyMsg(f.address("client"), id, privateKey(2), 1, firstEpoch+types.MaxKeyEpochs))
	require.NoError(t, err)
	require.EqualValues(t, 2, f.account(id).Keys)
	f.check()
}

// TestKeysPerAccount: 16 keys, of which dead ones make room for new ones.
func TestKeysPerAccount(t *testing.T) {
	f := newFixture(t)
	id := f.deposit("client", 1_000)
	add := func(n, last uint64) error {
		_, err := f.msg.AddClientKey(f.ctx, addKeyMsg(f.address("client"), id, privateKey(n), 10, last))
		return err
	}
	for n := range uint64(types.MaxKeysPerAccount) {
		last := lastOfKey
		if n < 2 {
			last = firstEpoch
		}
		require.NoError(t, add(n, last))
	}
	f.requireRefused(types.ErrTooManyKeys, func() error { return add(100, lastOfKey) })
	f.epoch.current++ // their last acknowledgements still live
	f.requireRefused(types.ErrTooManyKeys, func() error { return add(100, lastOfKey) })
	f.epoch.current++
	require.NoError(t, add(100, lastOfKey))
	require.EqualValues(t, 15, f.account(id).Keys)
	require.NoError(t, add(0, lastOfKey), "a key that is gone can be registered anew")
	f.requireRefused(types.ErrTooManyKeys, func() error { return add(101, lastOfKey) })
	_, err := f.keeper.ClientKey(f.ctx, 1)
	require.ErrorIs(t, err, types.ErrKeyNotFound)
	page, err := f.query.ClientKeys(f.ctx, &types.QueryClientKeysRequest{AccountId: id})
	require.NoError(t, err)
	require.Len(t, page.Keys, types.MaxKeysPerAccount)
	require.EqualValues(t, 18, page.Keys[15].Id, "ids are never reused, "+strconv.Itoa(types.MaxKeysPerAccount)+" keys at a time")
}
