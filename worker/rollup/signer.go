package rollup

import (
	"context"
	"fmt"

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
	factory := tx.Factory{}.
		WithTxConfig(s.enc.TxConfig).
		WithKeybase(s.keys).
		WithChainID(e.ChainID).
		WithAccountNumber(e.AccountNumber).
		WithSequence(e.Sequence).
		WithGas(e.GasLimit).
		WithFees(s.Fee(e.GasLimit).String()).
		WithTimeoutHeight(uint64(e.TimeoutHeight)).
		WithSignMode(signing.SignMode_SIGN_MODE_DIRECT)
	builder, err := factory.BuildUnsignedTx(msg)
	if err != nil {
		return nil, fmt.Errorf("build settlement: %w", err)
	}
	if err := tx.Sign(ctx, factory, s.name, builder, true); err != nil {
		return nil, fmt.Errorf("sign settlement: %w", err)
	}
	encoded, err := s.enc.TxConfig.TxEncoder()(builder.GetTx())
	if err != nil {
		return nil, fmt.Errorf("encode settlement: %w", err)
	}
	return encoded, nil
}
