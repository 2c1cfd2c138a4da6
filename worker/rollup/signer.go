package rollup

import (
	"context"
	"fmt"
	"time"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/tx"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	"github.com/cosmos/cosmos-sdk/x/authz"

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

// Signer signs for the worker's account.
type Signer interface {
	// Address of the worker's account, in whose name messages are.
	Address() string
	// Key is the address of the key that signs, whose number and sequence count. It is another one than Address if that has
	// granted it to settle.
	Key() string
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
	raw     sdk.AccAddress
	enc     chain.Encoding
	price   sdk.DecCoin

	// granter is the account in whose name the key acts, empty if that is its own.
	granter string
	// feeGranter pays, empty if the key pays by itself.
	feeGranter string
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
	return &KeyringSigner{keys: keys, name: name, address: address, raw: raw, enc: enc, price: price}, nil
}

// Delegate returns a signer with the same key that acts in the name of granter, by a grant of x/authz, and has its fees paid
// by feeGranter, by a grant of x/feegrant. Either may be empty. The key then needs no coins, and can do nothing else.
func (s *KeyringSigner) Delegate(granter, feeGranter string) (*KeyringSigner, error) {
	d := *s
	if granter != "" && granter != s.address {
		if _, err := s.enc.Addresses.StringToBytes(granter); err != nil {
			return nil, fmt.Errorf("granter %q: %w", granter, err)
		}
		d.granter = granter
	}
	if feeGranter != "" && feeGranter != s.address {
		if _, err := s.enc.Addresses.StringToBytes(feeGranter); err != nil {
			return nil, fmt.Errorf("fee granter %q: %w", feeGranter, err)
		}
		d.feeGranter = feeGranter
	}
	return &d, nil
}

// Address returns the address of the account in whose name the key acts.
func (s *KeyringSigner) Address() string {
	if s.granter != "" {
		return s.granter
	}
	return s.address
}

// Key returns the address of the key.
func (s *KeyringSigner) Key() string { return s.address }

// FeePayer returns the address of the account that pays.
func (s *KeyringSigner) FeePayer() string {
	if s.feeGranter != "" {
		return s.feeGranter
	}
	return s.address
}

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
	if s.granter != "" {
		// The addresses of MsgExec are texts: the SDK's global prefix has no part in them.
		exec := authz.NewMsgExec(s.raw, []sdk.Msg{msg})
		exec.Grantee = s.address
		msg = &exec
	}
	builder, err := factory.BuildUnsignedTx(msg)
	if err != nil {
		return nil, fmt.Errorf("build transaction: %w", err)
	}
	if s.feeGranter != "" {
		if builder, err = s.withFeeGranter(builder); err != nil {
			return nil, fmt.Errorf("name who pays: %w", err)
		}
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

// withFeeGranter returns the transaction with the fee granter in it. The builder's own way writes the address with the
// prefix of the SDK's global configuration, which is another chain's.
func (s *KeyringSigner) withFeeGranter(builder client.TxBuilder) (client.TxBuilder, error) {
	encoded, err := s.enc.TxConfig.TxEncoder()(builder.GetTx())
	if err != nil {
		return nil, err
	}
	var unsigned txtypes.Tx
	if err := s.enc.Codec.Unmarshal(encoded, &unsigned); err != nil {
		return nil, err
	}
	unsigned.AuthInfo.Fee.Granter = s.feeGranter
	if encoded, err = s.enc.Codec.Marshal(&unsigned); err != nil {
		return nil, err
	}
	decoded, err := s.enc.TxConfig.TxDecoder()(encoded)
	if err != nil {
		return nil, err
	}
	return s.enc.TxConfig.WrapTxBuilder(decoded)
}
