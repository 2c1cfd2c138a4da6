package types

import "math"

// retirementEpochs lie between the removal of a worker in epoch r and its deletion in r+3: its acknowledgements of r die
// with the end of r+1, and the closing of r+1, which still looks up whom to pay, runs in r+2.
const retirementEpochs = 3

// MaxRefundFailures is for how many epochs the return of a deposit is tried by itself. A bank that has refused for that
// long will not change its mind without somebody's doing, and every further try would cost every node something.
const MaxRefundFailures = 5

// RetirementDue returns the epoch from which on a worker that was removed in the given epoch can be deleted.
func RetirementDue(removed uint64) uint64 {
	if removed > math.MaxUint64-retirementEpochs {
		return math.MaxUint64
	}
	return removed + retirementEpochs
}

// IsParked reports whether the return of the deposit failed so often that it waits for the operator to ask for it again.
func (w Worker) IsParked() bool { return w.RefundFailures >= MaxRefundFailures }

// MaySettle reports whether the worker may settle acknowledgements of an epoch, as far as x/node decides: an active
// worker those of any epoch, a retiring one those up to the epoch in which it was removed.
func (w Worker) MaySettle(epoch uint64) bool {
	switch w.Status {
	case WORKER_STATUS_ACTIVE:
		return true
	case WORKER_STATUS_RETIRING:
		return epoch <= w.RetiredEpoch
	default:
		return false
	}
}
