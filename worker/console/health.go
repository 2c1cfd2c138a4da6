package console

import (
	"cmp"
	"slices"
)

// State of a part.
type State string

// The states, from good to bad.
const (
	StateOK State = "ok"
	// StateWarning wants somebody to look; the worker serves all the same.
	StateWarning State = "warning"
	// StateFault keeps the worker from being ready.
	StateFault State = "fault"
)

// Part is a part of the worker and how it is.
type Part struct {
	Name  string `json:"part"`
	State State  `json:"state"`
	// Reason says what is wrong, empty if nothing is.
	Reason string `json:"reason,omitempty"`
	// Advice says what to do about it.
	Advice string `json:"advice,omitempty"`
}

// advice by part. docs/operating-a-worker.md has more on each.
var advice = map[string]string{
	"fee_value":    "Set rollup.fee_value to what a unit of the fee coin is worth in units of the settlement coin, and rollup.max_fee_share above 0.",
	"chain":        "Look whether the node runs, has peers and is not catching up; chain.rpc must be its address. The worker takes paid requests again by itself.",
	"registration": "Run 'edge-worker identity' and have the operator send the command that it prints.",
	"signer":       "Send fees to the hot account, and compare rollup.gas_price with what the node takes at least.",
	"store":        "Look at the disk: space, inodes, the kernel's log. What is damaged is in quarantine and is never sent.",
	"pool":         "Look at the disk under data/ackpool at once, then restart: what is acknowledged is money.",
	"gateway":      "It stops. Start it again, or wait if another one takes over.",
	"settling":     "Nothing is lost while the epoch lives. Look at the reason, at the fees and at the node's log.",
	"settlement":   "Acknowledgements are about to die unsettled, and settling fails. Look at the reasons of 'settling' and 'signer'.",
	"deadline":     "Acknowledgements die unsettled soon. Make the worker reach the chain and the hot account hold fees; look at 'edge-worker ledger'.",
	"report":       "The operator can send it himself: edged tx node report.",
	"endpoints":    "Add a node that does not depend on the first one to chain.rpc, separated by a comma.",
	"content":      "The disk gave back other bytes than were written. Replace it; the content can be added again.",
	"room":         "Unpin or remove content, raise store.max_bytes, or give data/store a larger disk. What is stored is served all the same.",
	"memory":       "Lower gateway.max_connections, gateway.max_requests or credit.max_accounts, or raise the limit.",
	"fees":         "Send fees to the hot account before it runs out of them.",
}

// NewPart returns a part with the advice for it. A reason that is empty means that nothing is wrong, whatever the state.
func NewPart(name string, state State, reason string) Part {
	if reason == "" {
		return Part{Name: name, State: StateOK}
	}
	return Part{Name: name, State: state, Reason: reason, Advice: advice[name]}
}

// SortHealth puts what is worst first, and keeps the order otherwise.
func SortHealth(parts []Part) {
	rank := map[State]int{StateFault: 0, StateWarning: 1, StateOK: 2}
	slices.SortStableFunc(parts, func(a, b Part) int { return cmp.Compare(rank[a.State], rank[b.State]) })
}
