package rollup

import (
	"fmt"

	"github.com/edgechain/edge/worker/ackpool"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// refusedReasons are the reasons under which the ledger keeps what the chain refuses.
var refusedReasons = map[dacktypes.AckStatus]string{
	dacktypes.ACK_STATUS_BAD_SIGNATURE:   "bad-signature",
	dacktypes.ACK_STATUS_UNKNOWN_KEY:     "unknown-key",
	dacktypes.ACK_STATUS_KEY_EXPIRED:     "key-expired",
	dacktypes.ACK_STATUS_UNKNOWN_SERVICE: "unknown-service",
	dacktypes.ACK_STATUS_TOO_MANY_LANES:  "too-many-lanes",
	dacktypes.ACK_STATUS_OUT_OF_RANGE:    "out-of-range",
	dacktypes.ACK_STATUS_SERVICE_REMOVED: "service-removed",
}

// reasonUnknownStatus is that of a status which this worker is too old to know.
const reasonUnknownStatus = "unknown-status"

// verdicts returns what the chain said of each acknowledgement of a transaction, in its order. It returns an error if the
// response does not have one verdict for each.
func verdicts(tx *ackpool.Tx, response *dacktypes.MsgSettleResponse) ([]ackpool.Result, error) {
	if len(response.Results) != len(tx.Acks) {
		return nil, fmt.Errorf("settlement has %d results, want %d", len(response.Results), len(tx.Acks))
	}
	results := make([]ackpool.Result, len(tx.Acks))
	for i, r := range response.Results {
		if !r.TotalPaid.IsNil() {
			results[i].TotalPaid = r.TotalPaid.BigInt()
		}
		results[i].Code = uint32(r.Status)
		switch r.Status {
		case dacktypes.ACK_STATUS_PAID:
			results[i].Outcome = ackpool.OutcomePaid
		case dacktypes.ACK_STATUS_PARTIAL:
			results[i].Outcome = ackpool.OutcomePartial
		case dacktypes.ACK_STATUS_NOTHING_DUE:
			results[i].Outcome = ackpool.OutcomeNothingDue
		default:
			results[i].Outcome = ackpool.OutcomeRefused
			results[i].Reason = reasonUnknownStatus
			if reason, ok := refusedReasons[r.Status]; ok {
				results[i].Reason = reason
			}
		}
		if results[i].Outcome != ackpool.OutcomeRefused && results[i].TotalPaid == nil {
			return nil, fmt.Errorf("result %d with status %s has no total", i, r.Status)
		}
	}
	return results, nil
}
