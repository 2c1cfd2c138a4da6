package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// keyProofGas pays for checking a public key and verifying its proof, about 60 us each. It is ten times what x/auth
// takes for an ed25519 signature, in line with settle_gas_per_ack.
const keyProofGas = 6_000

var _ types.MsgServer = msgServer{}

type msgServer struct{ k *Keeper }

// NewMsgServerImpl returns the transaction service of x/dack.
func NewMsgServerImpl(k *Keeper) types.MsgServer { return msgServer{k: k} }

// UpdateParams replaces the parameters. Prices count from the next epoch; the settlement coin cannot change.
func (s msgServer) UpdateParams(goCtx context.Context, msg *types.MsgUpdateParams) (*types.MsgUpdateParamsResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	if err := sdk.ValidateAuthority(ctx, s.k.authority, msg.Authority); err != nil {
		return nil, err
	}
	if err := msg.Params.Validate(); err != nil {
		return nil, err
	}
	params, err := s.k.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	if msg.Params.SettlementDenom != params.SettlementDenom {
		return nil, errorsmod.Wrapf(types.ErrSettlementDenomFixed, "%s, not %s", params.SettlementDenom, msg.Params.SettlementDenom)
	}
	current, err := s.k.epoch.CurrentNumber(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.k.schedulePrices(ctx, current, msg.Params.Prices); err != nil {
		return nil, err
	}
	if err := s.k.params.Set(ctx, msg.Params); err != nil {
		return nil, err
	}
	if err := ctx.EventManager().EmitTypedEvent(&types.EventParamsUpdated{}); err != nil {
		return nil, err
	}
	return &types.MsgUpdateParamsResponse{}, nil
}

// Deposit adds to the account of an owner, and opens it if it is the first. An address that the bank blocks (a module
// account) cannot own one, because a withdrawal could never be paid to it.
func (s msgServer) Deposit(goCtx context.Context, msg *types.MsgDeposit) (*types.MsgDepositResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	sender, err := s.k.decodeAddress("sender", msg.Sender)
	if err != nil {
		return nil, err
	}
	owner, err := s.k.decodeAddress("owner", msg.Owner)
	if err != nil {
		return nil, err
	}
	params, err := s.k.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkSettlementCoin(params, msg.Amount); err != nil {
		return nil, err
	}
	account, err := s.k.AccountByOwner(ctx, owner)
	first := errors.Is(err, types.ErrAccountNotFound)
	if err != nil && !first {
		return nil, err
	}
	if first {
		if s.k.bank.BlockedAddr(owner) {
			return nil, errorsmod.Wrap(types.ErrInvalidOwner, "the bank blocks it, so that no withdrawal could be paid")
		}
		if msg.Amount.Amount.LT(params.MinDeposit) {
			return nil, errorsmod.Wrapf(types.ErrBelowMinDeposit, "%s, want at least %s", msg.Amount.Amount, params.MinDeposit)
		}
	}
	if err := s.k.bank.SendCoinsFromAccountToModule(ctx, sender, types.ModuleName, sdk.NewCoins(msg.Amount)); err != nil {
		return nil, err
	}
	if first {
		if account, err = s.k.openAccount(ctx, owner); err != nil {
			return nil, err
		}
	}
	account.Balance = account.Balance.Add(msg.Amount.Amount)
	if err := s.k.setAccount(ctx, account); err != nil {
		return nil, err
	}
	if err := ctx.EventManager().EmitTypedEvent(&types.EventDeposited{
		AccountId: account.Id, Sender: msg.Sender, Amount: msg.Amount.String(),
	}); err != nil {
		return nil, err
	}
	return &types.MsgDepositResponse{AccountId: account.Id}, nil
}

// openAccount returns a new account with an empty balance. It is stored by the caller.
func (k *Keeper) openAccount(ctx context.Context, owner sdk.AccAddress) (types.Account, error) {
	text, err := k.addresses.BytesToString(owner)
	if err != nil {
		return types.Account{}, err
	}
	id, err := k.nextAccountID.Next(ctx)
	if err != nil {
		return types.Account{}, err
	}
	if err := k.owners.Set(ctx, owner, id); err != nil {
		return types.Account{}, err
	}
	return types.Account{Id: id, Owner: text, Balance: math.ZeroInt()}, nil
}

// RequestWithdrawal takes an amount out of the spendable balance. It stays payable for two epochs.
func (s msgServer) RequestWithdrawal(goCtx context.Context, msg *types.MsgRequestWithdrawal) (*types.MsgRequestWithdrawalResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	owner, err := s.k.decodeAddress("owner", msg.Owner)
	if err != nil {
		return nil, err
	}
	params, err := s.k.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkSettlementCoin(params, msg.Amount); err != nil {
		return nil, err
	}
	account, err := s.k.AccountByOwner(ctx, owner)
	if err != nil {
		return nil, err
	}
	current, err := s.k.epoch.CurrentNumber(ctx)
	if err != nil {
		return nil, err
	}
	if err := account.Withdraw(current, msg.Amount.Amount); err != nil {
		return nil, err
	}
	due := current + types.WithdrawalDelay
	if err := s.k.withdrawals.Set(ctx, collections.Join(due, account.Id)); err != nil {
		return nil, err
	}
	if err := s.k.setAccount(ctx, account); err != nil {
		return nil, err
	}
	if err := ctx.EventManager().EmitTypedEvent(&types.EventWithdrawalRequested{
		AccountId: account.Id, Amount: msg.Amount.String(), PaidFrom: due,
	}); err != nil {
		return nil, err
	}
	return &types.MsgRequestWithdrawalResponse{PaidFrom: due}, nil
}

// AddClientKey registers a key with the sender's account. If the account has as many keys as it can have, those that are
// dead make room.
func (s msgServer) AddClientKey(goCtx context.Context, msg *types.MsgAddClientKey) (*types.MsgAddClientKeyResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	owner, err := s.k.decodeAddress("owner", msg.Owner)
	if err != nil {
		return nil, err
	}
	if err := msg.ValidateBasic(); err != nil {
		return nil, err
	}
	ctx.GasMeter().ConsumeGas(keyProofGas, "client key proof")
	if err := ack.CheckPublicKey(msg.PublicKey); err != nil {
		return nil, errorsmod.Wrap(types.ErrInvalidPublicKey, err.Error())
	}
	account, err := s.k.AccountByOwner(ctx, owner)
	if err != nil {
		return nil, err
	}
	current, err := s.k.epoch.CurrentNumber(ctx)
	if err != nil {
		return nil, err
	}
	if msg.LastEpoch < current || msg.LastEpoch > current+types.MaxKeyEpochs {
		return nil, errorsmod.Wrapf(types.ErrInvalidLastEpoch, "%d, want %d to %d", msg.LastEpoch, current, current+types.MaxKeyEpochs)
	}
	if account.Keys >= types.MaxKeysPerAccount {
		removed, err := s.k.removeDeadKeys(ctx, account.Id, epochtypes.OldestLive(current))
		if err != nil {
			return nil, err
		}
		if account.Keys -= removed; account.Keys >= types.MaxKeysPerAccount {
			return nil, errorsmod.Wrapf(types.ErrTooManyKeys, "account %d has %d", account.Id, account.Keys)
		}
	}
	taken, err := s.k.publicKeys.Has(ctx, msg.PublicKey)
	if err != nil {
		return nil, err
	}
	if taken {
		return nil, errorsmod.Wrapf(types.ErrPublicKeyTaken, "%x", msg.PublicKey)
	}
	proof := ack.AppendKeyProofSignBytes(nil, ack.HashChainID(ctx.ChainID()), account.Id)
	if !ack.VerifyMessage(msg.PublicKey, proof, msg.Proof) {
		return nil, errorsmod.Wrapf(types.ErrInvalidProof, "not of this key over chain %s and account %d", ctx.ChainID(), account.Id)
	}
	id, err := s.k.nextKeyID.Next(ctx)
	if err != nil {
		return nil, err
	}
	account.Keys++
	key := types.ClientKey{
		Id: id, AccountId: account.Id, PublicKey: msg.PublicKey, SpendLimit: msg.SpendLimit, LastEpoch: msg.LastEpoch,
	}
	if err := s.k.storeKey(ctx, key); err != nil {
		return nil, err
	}
	if err := s.k.setAccount(ctx, account); err != nil {
		return nil, err
	}
	if err := ctx.EventManager().EmitTypedEvent(&types.EventClientKeyAdded{AccountId: account.Id, KeyId: id}); err != nil {
		return nil, err
	}
	return &types.MsgAddClientKeyResponse{KeyId: id}, nil
}

// storeKey stores a client key with its indexes.
func (k *Keeper) storeKey(ctx context.Context, key types.ClientKey) error {
	if err := k.setClientKey(ctx, key); err != nil {
		return err
	}
	if err := k.publicKeys.Set(ctx, key.PublicKey, key.Id); err != nil {
		return err
	}
	return k.accountKeys.Set(ctx, collections.Join(key.AccountId, key.Id))
}

// Settle pays what is due on acknowledgements of one worker and one epoch.
func (s msgServer) Settle(goCtx context.Context, msg *types.MsgSettle) (*types.MsgSettleResponse, error) {
	return s.k.settle(sdk.UnwrapSDKContext(goCtx), msg)
}

func (k *Keeper) decodeAddress(field, text string) (sdk.AccAddress, error) {
	addr, err := k.addresses.StringToBytes(text)
	if err != nil {
		return nil, sdkerrors.ErrInvalidAddress.Wrapf("%s: %s", field, err)
	}
	return addr, nil
}

// checkSettlementCoin returns ErrInvalidAmount or ErrInvalidDenom unless the coin is a positive amount of the settlement
// coin.
func checkSettlementCoin(params types.Params, coin sdk.Coin) error {
	if coin.Denom != params.SettlementDenom {
		return errorsmod.Wrapf(types.ErrInvalidDenom, "%q, want %s", coin.Denom, params.SettlementDenom)
	}
	if coin.Amount.IsNil() || !coin.Amount.IsPositive() {
		return errorsmod.Wrapf(types.ErrInvalidAmount, "%s", coin.Amount)
	}
	return nil
}
