package types

import (
	"math"

	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/ack"
)

// maxGenesisEpoch is the last epoch that a genesis state can be in, so that sums of epochs never overflow.
const maxGenesisEpoch = math.MaxInt64

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
	if err := gs.validateEpoch(); err != nil {
		return err
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
	operators := make(map[string]struct{}, len(gs.Nodes))
	for _, n := range gs.Nodes {
		if _, twice := operators[n.Operator]; twice {
			return errorsmod.Wrapf(ErrGenesis, "node %s stands twice", n.Operator)
		}
		operators[n.Operator] = struct{}{}
		if err := n.validate(gs.Epoch); err != nil {
			return errorsmod.Wrapf(err, "node %s", n.Operator)
		}
	}
	return nil
}

// validateEpoch checks the current epoch and its first height: 0 and 0 before the first epoch.
func (gs GenesisState) validateEpoch() error {
	if gs.Epoch > maxGenesisEpoch {
		return errorsmod.Wrapf(ErrGenesis, "epoch %d, want at most %d", gs.Epoch, uint64(maxGenesisEpoch))
	}
	if gs.EpochHeight < 0 || (gs.EpochHeight == 0) != (gs.Epoch == 0) {
		return errorsmod.Wrapf(ErrGenesis, "epoch_height %d of epoch %d", gs.EpochHeight, gs.Epoch)
	}
	return nil
}

// validate checks a node of a genesis state whose current epoch is epoch.
func (n Node) validate(epoch uint64) error {
	switch {
	case n.FromEpoch > epoch+1:
		return errorsmod.Wrapf(ErrGenesis, "from_epoch %d, the next one is %d", n.FromEpoch, epoch+1)
	case n.FirstEpoch > n.FromEpoch:
		return errorsmod.Wrapf(ErrGenesis, "first_epoch %d after from_epoch %d", n.FirstEpoch, n.FromEpoch)
	case n.SinceEpoch < n.FirstEpoch || n.SinceEpoch > n.FromEpoch:
		return errorsmod.Wrapf(ErrGenesis, "since_epoch %d, want first_epoch %d to from_epoch %d", n.SinceEpoch, n.FirstEpoch, n.FromEpoch)
	case n.LastReportEpoch > epoch:
		return errorsmod.Wrapf(ErrGenesis, "last_report_epoch %d, current is %d", n.LastReportEpoch, epoch)
	case n.Score > MaxScore:
		return errorsmod.Wrapf(ErrGenesis, "score %d, want at most %d", n.Score, MaxScore)
	case uint64(n.DownEpochs) > epoch:
		return errorsmod.Wrapf(ErrGenesis, "down_epochs %d, current is %d", n.DownEpochs, epoch)
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
