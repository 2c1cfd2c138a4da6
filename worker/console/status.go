package console

import (
	"time"

	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/report"
	"github.com/edgechain/edge/worker/rollup"
)

// Schema is the number of the documents' form.
const Schema = 1

// Status says how the worker is. Amounts of money are whole numbers of units, as texts, because they can exceed what a JSON number
// holds; times are RFC 3339 in UTC; what is named _bytes is in bytes and _seconds in seconds.
type Status struct {
	Schema  int       `json:"schema"`
	Version string    `json:"version"`
	At      time.Time `json:"at"`
	Started time.Time `json:"started"`
	Uptime  string    `json:"uptime"`
	PeerKey string    `json:"peer_key"`
	// Ready is what /readyz says, Reasons why not by part.
	Ready   bool              `json:"ready"`
	Reasons map[string]string `json:"reasons"`
	// Health of every part, those that make the worker unready first.
	Health   []Part   `json:"health"`
	Listen   string   `json:"listen"`
	Chain    Chain    `json:"chain"`
	Worker   Worker   `json:"worker"`
	Settling Settling `json:"settling"`
	// Report is missing if the worker does not report.
	Report *report.Status `json:"report,omitempty"`
	// Sessions that are open.
	Sessions int     `json:"sessions"`
	Store    Store   `json:"store"`
	Served   Served  `json:"served"`
	Lanes    Lanes   `json:"lanes"`
	Money    Money   `json:"money"`
	Earned   Earned  `json:"earned"`
	Process  Process `json:"process"`
}

// Chain is the chain as the worker sees it.
type Chain struct {
	ChainID string `json:"chain_id"`
	Height  int64  `json:"height"`
	// LagSeconds since the height was last seen to rise; -1 if it never was.
	LagSeconds float64 `json:"lag_seconds"`
	Epoch      uint64  `json:"epoch"`
	// EpochStart and EpochEnd in block time; empty while they are not known.
	EpochStart string `json:"epoch_start,omitempty"`
	EpochEnd   string `json:"epoch_end"`
	OldestLive uint64 `json:"oldest_live_epoch"`
	// Endpoints that the worker asks, the one in the order in which they are preferred.
	Endpoints []Endpoint `json:"endpoints"`
}

// Endpoint is an RPC endpoint of the chain.
type Endpoint struct {
	// Address is the host, and a digest of the path if there is one.
	Address string `json:"address"`
	// Used is true of the one that is asked; Height is the last one heard of it, 0 if nothing was.
	Used   bool  `json:"used"`
	Height int64 `json:"height"`
	OK     bool  `json:"ok"`
	// Problem says what is wrong with it, empty if nothing is.
	Problem string `json:"problem,omitempty"`
}

// Worker is the worker's record on the chain. ID is 0 while there is none.
type Worker struct {
	ID       uint64 `json:"id"`
	Operator string `json:"operator"`
	Account  string `json:"account"`
	Status   string `json:"status"`
}

// Settling says how settlements go.
type Settling struct {
	rollup.Status
	// FeeBalance of the hot account with its denomination.
	FeeBalance string `json:"fee_balance"`
	Problem    string `json:"problem,omitempty"`
}

// Store is the content on disk.
type Store struct {
	Objects     uint64 `json:"objects"`
	Used        uint64 `json:"used_bytes"`
	MaxBytes    uint64 `json:"max_bytes"`
	Quarantined uint64 `json:"quarantined_objects"`
	// Pinned is what stays until the operator lets it go, Held what clients have had kept, and Evictable what makes room for
	// others, all in bytes. What several clients keep counts for each of them in Held.
	Pinned    uint64 `json:"pinned_bytes"`
	Held      uint64 `json:"held_bytes"`
	Evictable uint64 `json:"evictable_bytes"`
	// Room is what can still be stored beside what stays, in bytes; nothing is known of it if it is missing.
	Room *uint64 `json:"room_bytes,omitempty"`
	// Fault is why the disk refuses to be written to, empty if it does not.
	Fault string `json:"fault,omitempty"`
}

// Served is what was served since the start.
type Served struct {
	Requests uint64 `json:"requests"`
	// OK, Refused and Failed are the requests with a status below 400, below 500, and the rest.
	OK      uint64 `json:"ok"`
	Refused uint64 `json:"refused"`
	Failed  uint64 `json:"failed"`
	// Bytes of content sent, proofs included.
	Bytes uint64 `json:"bytes"`
	// PaidBytes and FreeBytes of payload.
	PaidBytes uint64 `json:"paid_bytes"`
	FreeBytes uint64 `json:"free_bytes"`
	// InFlight requests and open Connections.
	InFlight    uint64 `json:"requests_in_flight"`
	Connections uint64 `json:"connections"`
	// RequestsPerSecond and BytesPerSecond over the last ten seconds.
	RequestsPerSecond float64 `json:"requests_per_second"`
	BytesPerSecond    float64 `json:"bytes_per_second"`
	// Forms says what was served in which form, in bytes.
	Forms map[string]uint64 `json:"bytes_by_form"`
}

// Lanes of clients and what they may owe.
type Lanes struct {
	// Held lanes with acknowledgements, of at most Capacity.
	Held     uint64 `json:"held"`
	Capacity uint64 `json:"capacity"`
	// Accounts in memory and streams that wait for credit.
	Accounts uint64 `json:"accounts"`
	Waiting  uint64 `json:"waiting_streams"`
	// BaseCredit of a new account and MaxUnsettled of any, in units of the settlement coin.
	BaseCredit   string `json:"base_credit"`
	MaxUnsettled string `json:"max_unsettled"`
}

// Money is the ledger: Acknowledged = Pending + Submitted + Settled + all of Refused, always.
type Money struct {
	// Denom of the settlement coin; empty while the chain is not in sight.
	Denom string `json:"denom"`
	ackpool.Totals
	// Unsettled is what of it can still be settled and is not, in units of the settlement coin.
	Unsettled string `json:"unsettled"`
	// Endangered is what of that dies within the alarm time.
	Endangered string `json:"endangered"`
}

// Process is the program itself.
type Process struct {
	MemoryBytes uint64 `json:"memory_bytes"`
	// MemoryLimit of the runtime in bytes, 0 if there is none.
	MemoryLimit uint64 `json:"memory_limit_bytes"`
	Goroutines  int    `json:"goroutines"`
	OpenFiles   uint64 `json:"open_files"`
	MaxFiles    uint64 `json:"max_files"`
}
