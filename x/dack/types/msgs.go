package types

import (
	"crypto/ed25519"

	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// Bounds of messages and of what they create.
const (
	// MaxSettleBytes bounds the encoded acknowledgements of one settlement, so that a block of 4 MiB has room for those
	// of many workers.
	MaxSettleBytes = 256 << 10
	// MaxServicesPerSettlement bounds the services that the acknowledgements of one settlement name, and with them the revenue
	// records that it can open: one of (epoch, worker, service) for each. What opens records pays for a settlement with every
	// eighth, so that blocks cannot open them faster than the closing of an epoch sums them, see Keeper.Close. A worker that
	// serves more sends more settlements.
	MaxServicesPerSettlement = 8
	// MaxKeysPerAccount bounds the live client keys of an account: enough for its devices, and few enough to be read
	// in one query.
	MaxKeysPerAccount = 16
	// MaxKeyEpochs is how far away the last epoch of a key can be, ten years of daily epochs: every key ends.
	MaxKeyEpochs = 3_660
	// MaxPendingWithdrawals bounds the withdrawals of an account that wait to be paid: those of this epoch and the two
	// before, more only when the queue is behind.
	MaxPendingWithdrawals = 3
	// WithdrawalDelay is after how many epochs a withdrawal is paid: every acknowledgement that could draw on it has
	// died by then.
	WithdrawalDelay = 2
)

var (
	_ sdk.HasValidateBasic = (*MsgUpdateParams)(nil)
	_ sdk.HasValidateBasic = (*MsgDeposit)(nil)
	_ sdk.HasValidateBasic = (*MsgRequestWithdrawal)(nil)
	_ sdk.HasValidateBasic = (*MsgAddClientKey)(nil)
	_ sdk.HasValidateBasic = (*MsgUpdateClientKey)(nil)
	_ sdk.HasValidateBasic = (*MsgPublishService)(nil)
	_ sdk.HasValidateBasic = (*MsgUpdateService)(nil)
	_ sdk.HasValidateBasic = (*MsgTransferService)(nil)
	_ sdk.HasValidateBasic = (*MsgRemoveService)(nil)
	_ sdk.HasValidateBasic = (*MsgSettle)(nil)
)

// ValidateBasic checks the parameters. The handler does so too.
func (m *MsgUpdateParams) ValidateBasic() error { return m.Params.Validate() }

// ValidateBasic returns ErrInvalidAmount or ErrInvalidDenom unless the coin is well-formed. The handler does so too.
func (m *MsgDeposit) ValidateBasic() error { return checkCoin(m.Amount) }

// ValidateBasic returns ErrInvalidAmount or ErrInvalidDenom unless the coin is well-formed. The handler does so too.
func (m *MsgRequestWithdrawal) ValidateBasic() error { return checkCoin(m.Amount) }

func checkCoin(c sdk.Coin) error {
	if c.Amount.IsNil() || !c.Amount.IsPositive() {
		return errorsmod.Wrapf(ErrInvalidAmount, "%s", c.Amount)
	}
	if err := sdk.ValidateDenom(c.Denom); err != nil {
		return errorsmod.Wrap(ErrInvalidDenom, err.Error())
	}
	return nil
}

// ValidateBasic returns ErrInvalidSpendLimit unless the limit is positive. The handler does so too.
func (m *MsgUpdateClientKey) ValidateBasic() error {
	if m.SpendLimit.IsNil() || !m.SpendLimit.IsPositive() {
		return errorsmod.Wrapf(ErrInvalidSpendLimit, "%s", m.SpendLimit)
	}
	return nil
}

// ValidateBasic checks sizes and the spend limit. The handler does so too; it also checks that the public key is a point of
// large order, once it has taken the gas for that.
func (m *MsgAddClientKey) ValidateBasic() error {
	if m.SpendLimit.IsNil() || !m.SpendLimit.IsPositive() {
		return errorsmod.Wrapf(ErrInvalidSpendLimit, "%s", m.SpendLimit)
	}
	if m.LastEpoch == 0 {
		return errorsmod.Wrap(ErrInvalidLastEpoch, "epochs count from 1")
	}
	if len(m.Proof) != ed25519.SignatureSize {
		return errorsmod.Wrapf(ErrInvalidProof, "%d bytes, want %d", len(m.Proof), ed25519.SignatureSize)
	}
	if len(m.PublicKey) != ed25519.PublicKeySize {
		return errorsmod.Wrapf(ErrInvalidPublicKey, "%d bytes, want %d", len(m.PublicKey), ed25519.PublicKeySize)
	}
	return nil
}

// ValidateBasic checks name, code hash and replicas. The handler does so too.
func (m *MsgPublishService) ValidateBasic() error {
	if err := ValidateServiceName(m.Name); err != nil {
		return err
	}
	return ValidateFunction(m.CodeHash, m.Replicas)
}

// ValidateBasic checks the service, name, code hash, replicas and status. The handler does so too.
func (m *MsgUpdateService) ValidateBasic() error {
	if err := checkServiceID(m.ServiceId); err != nil {
		return err
	}
	if err := ValidateServiceName(m.Name); err != nil {
		return err
	}
	if err := ValidateFunction(m.CodeHash, m.Replicas); err != nil {
		return err
	}
	return ValidateServiceStatus(m.Status)
}

// ValidateBasic returns ErrProtocolService for the content service.
func (m *MsgTransferService) ValidateBasic() error { return checkServiceID(m.ServiceId) }

// ValidateBasic returns ErrProtocolService for the content service.
func (m *MsgRemoveService) ValidateBasic() error { return checkServiceID(m.ServiceId) }

func checkServiceID(id uint64) error {
	if id == ContentServiceID {
		return errorsmod.Wrapf(ErrProtocolService, "service %d", id)
	}
	return nil
}

// ValidateBasic checks the settlement against the ceiling of max_acks. The handler does so against max_acks.
func (m *MsgSettle) ValidateBasic() error { return m.Check(MaxAcksLimit) }

// Check returns nil if the settlement names a worker and an epoch and carries 1 to maxAcks acknowledgements of at most
// MaxSettleBytes for at most MaxServicesPerSettlement services, strictly ascending by (key, service, lane). It says nothing
// about a single acknowledgement: those get a status each. It returns ErrInvalidSettlement, ErrTooManyAcks,
// ErrSettlementTooLarge, ErrOrder or ErrTooManyServices.
func (m *MsgSettle) Check(maxAcks uint32) error {
	switch {
	case m.WorkerId == 0:
		return errorsmod.Wrap(ErrInvalidSettlement, "worker id is 0, ids count from 1")
	case m.Epoch == 0:
		return errorsmod.Wrap(ErrInvalidSettlement, "epoch is 0, epochs count from 1")
	case len(m.Acks) == 0:
		return errorsmod.Wrap(ErrInvalidSettlement, "no acknowledgements")
	case uint64(len(m.Acks)) > uint64(maxAcks):
		return errorsmod.Wrapf(ErrTooManyAcks, "%d, want at most %d", len(m.Acks), maxAcks)
	}
	size := 0
	services := make(SettledServices, 0, MaxServicesPerSettlement)
	for i := range m.Acks {
		size += m.Acks[i].Size()
		if size > MaxSettleBytes {
			return errorsmod.Wrapf(ErrSettlementTooLarge, "more than %d bytes in %d acknowledgements", MaxSettleBytes, i+1)
		}
		if i > 0 && compareAcks(&m.Acks[i-1], &m.Acks[i]) >= 0 {
			return errorsmod.Wrapf(ErrOrder, "acknowledgement %d", i)
		}
		if !services.Add(m.Acks[i].ServiceId) {
			return errorsmod.Wrapf(ErrTooManyServices, "acknowledgement %d, want at most %d", i, MaxServicesPerSettlement)
		}
	}
	return nil
}
