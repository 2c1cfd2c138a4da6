package rollup

import (
	"context"
	"fmt"
	"time"

	"github.com/cosmos/cosmos-sdk/client/tx"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"

	"github.com/edgechain/edge/worker/chain"
)

// Envelope is what surrounds a message in a transaction.
type Envelope struct {
	ChainID       string
	AccountNumber uint64
	Sequence      uint64
	GasLimit      uint64
	// TimeoutHeight is the last height at which the transaction is valid.
	TimeoutHeight int64
}

// Signer signs for the hot account.
type Signer interface {
	// Address of the account.
	Address() string
	// Sign returns the encoded transaction.
	Sign(ctx context.Context, msg sdk.Msg, e Envelope) ([]byte, error)
	// Fee is what an envelope with a gas limit pays.
	Fee(gasLimit uint64) sdk.Coin
}

// KeyringSigner signs with a key of the SDK's keyring.
type KeyringSigner struct {
	keys    keyring.Keyring
	name    string
	address string
	enc     chain.Encoding
	price   sdk.DecCoin
}

// NewKeyringSigner returns a signer for the key of a name. price is what it pays for one unit of gas.
func NewKeyringSigner(keys keyring.Keyring, name string, enc chain.Encoding, price sdk.DecCoin) (*KeyringSigner, error) {
	record, err := keys.Key(name)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", name, err)
	}
	raw, err := record.GetAddress()
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", name, err)
	}
	address, err := enc.Addresses.BytesToString(raw)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", name, err)
	}
	return &KeyringSigner{keys: keys, name: name, address: address, enc: enc, price: price}, nil
}

// Address returns the account's address.
func (s *KeyringSigner) Address() string { return s.address }

// Fee is the gas price times the limit, rounded up as the SDK's transaction factory does.
func (s *KeyringSigner) Fee(gasLimit uint64) sdk.Coin {
	return sdk.NewCoin(s.price.Denom, s.price.Amount.MulInt(gasInt(gasLimit)).Ceil().RoundInt())
}

// Sign builds and signs the transaction.
func (s *KeyringSigner) Sign(ctx context.Context, msg sdk.Msg, e Envelope) ([]byte, error) {
	return s.sign(ctx, msg, s.factory(e.ChainID, e.AccountNumber, e.GasLimit).
		WithSequence(e.Sequence).
		WithTimeoutHeight(uint64(e.TimeoutHeight)))
}

// SignUnordered builds and signs a transaction that takes no part in the account's sequence, so that it never stands in the
// way of one that does. It is valid until a block time, at most 10 minutes ahead, which must be another one for each of them.
func (s *KeyringSigner) SignUnordered(
	ctx context.Context, msg sdk.Msg, chainID string, accountNumber, gasLimit uint64, validUntil time.Time,
) ([]byte, error) {
	return s.sign(ctx, msg, s.factory(chainID, accountNumber, gasLimit).
		WithUnordered(true).
		WithTimeoutTimestamp(validUntil))
}

func (s *KeyringSigner) factory(chainID string, accountNumber, gasLimit uint64) tx.Factory {
	return tx.Factory{}.
		WithTxConfig(s.enc.TxConfig).
		WithKeybase(s.keys).
		WithChainID(chainID).
		WithAccountNumber(accountNumber).
		WithGas(gasLimit).
		WithFees(s.Fee(gasLimit).String()).
		WithSignMode(signing.SignMode_SIGN_MODE_DIRECT)
}

func (s *KeyringSigner) sign(ctx context.Context, msg sdk.Msg, factory tx.Factory) ([]byte, error) {
	builder, err := factory.BuildUnsignedTx(msg)
	if err != nil {
		return nil, fmt.Errorf("build transaction: %w", err)
	}
	if err := tx.Sign(ctx, factory, s.name, builder, true); err != nil {
		return nil, fmt.Errorf("sign transaction: %w", err)
	}
	encoded, err := s.enc.TxConfig.TxEncoder()(builder.GetTx())
	if err != nil {
		return nil, fmt.Errorf("encode transaction: %w", err)
	}
	return encoded, nil
}
