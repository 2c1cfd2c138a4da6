package types

import (
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/ack"
)

// DefaultGenesis returns the state of a new chain.
func DefaultGenesis() *GenesisState {
	return &GenesisState{Params: DefaultParams(), NextWorkerId: 1}
}

// Validate returns ErrGenesis or ErrParams if the state contradicts itself. Addresses are checked when the state is
// loaded, by the codecs of the chain.
func (gs GenesisState) Validate() error {
	if err := gs.Params.Validate(); err != nil {
		return err
	}
	if gs.NextWorkerId == 0 {
		return errorsmod.Wrap(ErrGenesis, "next_worker_id is 0, ids count from 1")
	}
	last := uint64(0)
	peers := make(map[string]uint64, len(gs.Workers))
	for _, w := range gs.Workers {
		if w.Id <= last || w.Id >= gs.NextWorkerId {
			return errorsmod.Wrapf(ErrGenesis, "worker id %d, want above %d and below next_worker_id %d", w.Id, last, gs.NextWorkerId)
		}
		last = w.Id
		if other, taken := peers[string(w.PeerKey)]; taken {
			return errorsmod.Wrapf(ErrGenesis, "workers %d and %d have the same peer key", other, w.Id)
		}
		peers[string(w.PeerKey)] = w.Id
		if err := w.validate(gs.Epoch); err != nil {
			return errorsmod.Wrapf(err, "worker %d", w.Id)
		}
	}
	return nil
}

// validate checks a worker of a genesis state whose current epoch is epoch.
func (w Worker) validate(epoch uint64) error {
	if err := ack.CheckPublicKey(w.PeerKey); err != nil {
		return errorsmod.Wrap(ErrPeerKey, err.Error())
	}
	if err := ValidateEndpoints(w.Endpoints); err != nil {
		return err
	}
	if err := ValidateRegion(w.Region); err != nil {
		return err
	}
	if err := w.Deposit.Validate(); err != nil {
		return errorsmod.Wrapf(ErrGenesis, "deposit: %v", err)
	}
	if w.RegisteredEpoch > epoch {
		return errorsmod.Wrapf(ErrGenesis, "registered in epoch %d, current is %d", w.RegisteredEpoch, epoch)
	}
	if w.RefundFailures > MaxRefundFailures {
		return errorsmod.Wrapf(ErrGenesis, "%d refund failures, want at most %d", w.RefundFailures, MaxRefundFailures)
	}
	switch w.Status {
	case WORKER_STATUS_ACTIVE:
		if w.RetiredEpoch != 0 || w.RefundFailures != 0 {
			return errorsmod.Wrap(ErrGenesis, "active worker with a retired_epoch or refund_failures")
		}
	case WORKER_STATUS_RETIRING:
		if w.RetiredEpoch < w.RegisteredEpoch || w.RetiredEpoch > epoch {
			return errorsmod.Wrapf(ErrGenesis, "retired in epoch %d, want %d to %d", w.RetiredEpoch, w.RegisteredEpoch, epoch)
		}
	default:
		return errorsmod.Wrapf(ErrGenesis, "status %d", w.Status)
	}
	return nil
}

// Deposits returns the sum of the deposits of the workers.
func (gs GenesisState) Deposits() sdk.Coins {
	sum := sdk.NewCoins()
	for _, w := range gs.Workers {
		sum = sum.Add(w.Deposit)
	}
	return sum
}
