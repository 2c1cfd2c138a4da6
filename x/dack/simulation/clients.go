package simulation

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/dack/keeper"
	"github.com/edgechain/edge/x/dack/types"
)

const (
	// maxTries bounds every search for something that exists.
	maxTries = 40
	// keysPerOwner is how many keys an owner can make: more than an account can have, so that the bound is met.
	keysPerOwner = types.MaxKeysPerAccount + 8
)

// clientKey is the n-th key of an owner. It is made from the owner's address, so that later messages can sign with it.
func clientKey(owner string, n int) ed25519.PrivateKey {
	seed := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("client key of "+owner), uint64(n)))
	return ed25519.NewKeyFromSeed(seed[:])
}

// privateKey finds the private key of a public one, nil if the simulation did not make it.
func privateKey(owner string, public []byte) ed25519.PrivateKey {
	for n := range keysPerOwner {
		if key := clientKey(owner, n); key.Public().(ed25519.PublicKey).Equal(ed25519.PublicKey(public)) {
			return key
		}
	}
	return nil
}

// settlementCoin draws an amount of the settlement coin that the account has, at least min.
func settlementCoin(
	ctx context.Context, k *keeper.Keeper, data *simsx.ChainDataSource, reporter simsx.SimulationReporter, min math.Int,
) (simsx.SimAccount, sdk.Coin, bool) {
	denom, err := k.SettlementDenom(ctx)
	if err != nil {
		reporter.Skip(err.Error())
		return simsx.SimAccount{}, sdk.Coin{}, false
	}
	for range maxTries {
		acc := data.AnyAccount(reporter)
		if reporter.IsSkipped() {
			return acc, sdk.Coin{}, false
		}
		balance := acc.LiquidBalance().AmountOf(denom)
		if balance.LT(min) {
			continue
		}
		amount := min.Add(data.Rand().Amount(balance.Sub(min).QuoRaw(4)))
		coin := sdk.NewCoin(denom, math.MaxInt(amount, math.OneInt()))
		if acc.LiquidBalance().BlockAmount(coin) {
			return acc, coin, true
		}
	}
	reporter.Skip("no account has settlement coins")
	return simsx.SimAccount{}, sdk.Coin{}, false
}

// anyClient returns a random sim account that owns a client account.
func anyClient(
	ctx context.Context, k *keeper.Keeper, data *simsx.ChainDataSource, reporter simsx.SimulationReporter,
) (simsx.SimAccount, types.Account, bool) {
	for range maxTries {
		acc := data.AnyAccount(reporter)
		if reporter.IsSkipped() {
			return acc, types.Account{}, false
		}
		if account, err := k.AccountByOwner(ctx, acc.Address); err == nil {
			return acc, account, true
		}
	}
	reporter.Skip("nobody has a client account")
	return simsx.SimAccount{}, types.Account{}, false
}

// anyKey returns a random key of a random client.
func anyKey(
	ctx context.Context, k *keeper.Keeper, data *simsx.ChainDataSource, reporter simsx.SimulationReporter,
) (simsx.SimAccount, types.ClientKey, bool) {
	for range maxTries {
		owner, account, ok := anyClient(ctx, k, data, reporter)
		if !ok {
			return owner, types.ClientKey{}, false
		}
		if account.Keys == 0 {
			continue
		}
		res, err := keeper.NewQueryServerImpl(k).ClientKeys(ctx, &types.QueryClientKeysRequest{AccountId: account.Id})
		if err == nil && len(res.Keys) > 0 {
			return owner, simsx.OneOf(data.Rand(), res.Keys), true
		}
	}
	reporter.Skip("no client has a key")
	return simsx.SimAccount{}, types.ClientKey{}, false
}

// MsgDepositFactory opens accounts and adds to them, for others too.
func MsgDepositFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgDeposit] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgDeposit) {
		params, err := k.Params(ctx)
		if err != nil {
			reporter.Skip(err.Error())
			return nil, nil
		}
		sender, coin, ok := settlementCoin(ctx, k, data, reporter, params.MinDeposit)
		if !ok {
			return nil, nil
		}
		owner := sender
		if data.Rand().Intn(5) == 0 {
			owner = data.AnyAccount(reporter)
		}
		return []simsx.SimAccount{sender}, &types.MsgDeposit{Sender: sender.AddressBech32, Owner: owner.AddressBech32, Amount: coin}
	}
}

// MsgRequestWithdrawalFactory asks for a part of a balance, now and then for all of it.
func MsgRequestWithdrawalFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgRequestWithdrawal] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgRequestWithdrawal) {
		owner, account, ok := anyClient(ctx, k, data, reporter)
		if !ok {
			return nil, nil
		}
		denom, err := k.SettlementDenom(ctx)
		if err != nil || !account.Balance.IsPositive() {
			reporter.Skip("nothing to withdraw")
			return nil, nil
		}
		amount := account.Balance
		if data.Rand().Intn(4) > 0 {
			amount = math.MaxInt(data.Rand().Amount(account.Balance.QuoRaw(5)), math.OneInt())
		}
		return []simsx.SimAccount{owner}, &types.MsgRequestWithdrawal{Owner: owner.AddressBech32, Amount: sdk.NewCoin(denom, amount)}
	}
}

// MsgAddClientKeyFactory registers a key. It may be one that is registered already: then the message is refused.
func MsgAddClientKeyFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgAddClientKey] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgAddClientKey) {
		owner, account, ok := anyClient(ctx, k, data, reporter)
		if !ok {
			return nil, nil
		}
		_, current, err := k.SettleRules(ctx)
		if err != nil {
			reporter.Skip(err.Error())
			return nil, nil
		}
		r := data.Rand()
		key := clientKey(owner.AddressBech32, r.Intn(keysPerOwner))
		chain := ack.HashChainID(sdk.UnwrapSDKContext(ctx).ChainID())
		return []simsx.SimAccount{owner}, &types.MsgAddClientKey{
			Owner: owner.AddressBech32, PublicKey: key.Public().(ed25519.PublicKey),
			Proof:      ed25519.Sign(key, ack.AppendKeyProofSignBytes(nil, chain, account.Id)),
			SpendLimit: math.NewInt(1 + r.Int63n(10_000_000)), LastEpoch: current + uint64(r.Intn(12)),
		}
	}
}

// MsgUpdateClientKeyFactory changes limit and last epoch of a key. One that has ended is refused.
func MsgUpdateClientKeyFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgUpdateClientKey] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgUpdateClientKey) {
		owner, key, ok := anyKey(ctx, k, data, reporter)
		if !ok {
			return nil, nil
		}
		_, current, err := k.SettleRules(ctx)
		if err != nil {
			reporter.Skip(err.Error())
			return nil, nil
		}
		r := data.Rand()
		return []simsx.SimAccount{owner}, &types.MsgUpdateClientKey{
			Owner: owner.AddressBech32, KeyId: key.Id, SpendLimit: math.NewInt(1 + r.Int63n(10_000_000)), LastEpoch: current + uint64(r.Intn(12)),
		}
	}
}

// MsgRevokeClientKeyFactory ends a key.
func MsgRevokeClientKeyFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgRevokeClientKey] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgRevokeClientKey) {
		owner, key, ok := anyKey(ctx, k, data, reporter)
		if !ok {
			return nil, nil
		}
		return []simsx.SimAccount{owner}, &types.MsgRevokeClientKey{Owner: owner.AddressBech32, KeyId: key.Id}
	}
}
