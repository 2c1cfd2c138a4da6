package types

const (
	// StartScore is the score of a node that was not measured yet.
	StartScore = 50
	// MaxScore is the score of a node that answered every probe.
	MaxScore = 100
	// HeaderHashSize is the length of the hash of a header, in bytes.
	HeaderHashSize = 32
	// lapseEpochs is the number of epochs without a report after which a node counts as opted out.
	lapseEpochs = 2
	// unhealthyEpochs is the number of epochs in a row that a healthy node cannot have been down.
	unhealthyEpochs = 2
)

// NewNode returns the record of a node that opts in for the first time, in epoch.
func NewNode(operator string, epoch uint64) Node {
	return Node{
		Operator: operator, OptedIn: true, FromEpoch: epoch + 1, FirstEpoch: epoch + 1, SinceEpoch: epoch + 1, Score: StartScore,
	}
}

// OptedInFor reports whether the node's last word on taking part in an epoch is yes. A change in epoch e counts from e+1 on.
func (n Node) OptedInFor(epoch uint64) bool {
	if n.FromEpoch <= epoch {
		return n.OptedIn
	}
	return n.OptedInBefore
}

// LapseEpoch returns the first epoch for which a node that has opted in counts as opted out unless it reports: the second one
// after the epoch that still needs a report. A participation needs its first report in its first epoch.
//
//	opted in from 5 on, no report:         reports are missing in 5 and 6, it lapses in 7
//	opted in from 5 on, last report in 8:  reports are missing in 9 and 10, it lapses in 11
//
// For an epoch before since_epoch it goes by the participation before that. If there was one, opting in anew has found it lapsed,
// so that the last report and the first epoch tell enough of it.
func (n Node) LapseEpoch(epoch uint64) uint64 {
	since := n.SinceEpoch
	if epoch < since {
		since = n.FirstEpoch
	}
	return max(n.LastReportEpoch+1, since) + lapseEpochs
}

// LapsedFor reports whether the node has opted in and counts as opted out in an epoch because it sent no report.
func (n Node) LapsedFor(epoch uint64) bool {
	return n.OptedInFor(epoch) && n.LapseEpoch(epoch) <= epoch
}

// TakesPartIn reports whether the node has opted in and has not lapsed.
func (n Node) TakesPartIn(epoch uint64) bool {
	return n.OptedInFor(epoch) && !n.LapsedFor(epoch)
}

// EligibleFrom returns the first epoch for whose committee the node can be elected if it goes on taking part.
func (n Node) EligibleFrom(eligibilityEpochs uint32) uint64 {
	return max(n.FromEpoch, n.FirstEpoch+uint64(eligibilityEpochs))
}

// Healthy reports whether the node was up in one of the last two epochs.
func (n Node) Healthy() bool { return n.DownEpochs < unhealthyEpochs }

// StandingFor tells whether the node can be elected for the committee of an epoch, and the first reason why not.
func (n Node) StandingFor(epoch uint64, eligibilityEpochs uint32) Standing {
	switch {
	case !n.OptedInFor(epoch):
		return StandingNotOptedIn
	case n.LapsedFor(epoch):
		return StandingLapsed
	case epoch < n.FirstEpoch+uint64(eligibilityEpochs):
		return StandingWaiting
	case !n.Healthy():
		return StandingUnhealthy
	}
	return StandingOK
}

// ReportDue reports whether the node takes part in the current epoch and has not reported in it.
func (n Node) ReportDue(current uint64) bool {
	return n.TakesPartIn(current) && n.LastReportEpoch < current
}

// MayReport reports whether a report is of use: the node takes part in the current epoch, or does so from the next one on.
func (n Node) MayReport(current uint64) bool {
	return n.TakesPartIn(current) || n.TakesPartIn(current+1)
}

// EpochsLeft returns the number of further epochs without a report, the current one included if it has none, after which the
// node counts as opted out. It is 0 if it does already, or has opted out.
func (n Node) EpochsLeft(current uint64) uint64 {
	// The next epoch goes first: an operator who has opted in anew in this one has a fresh start there.
	for _, epoch := range []uint64{current + 1, current} {
		if n.TakesPartIn(epoch) {
			return min(n.LapseEpoch(epoch)-current, lapseEpochs)
		}
	}
	return 0
}

// MayOptIn reports whether opting in is of use in the current epoch: the node has opted out, or has lapsed by now. One that is
// about to lapse still takes part, and has to report: it could put the first report off for ever otherwise.
func (n Node) MayOptIn(current uint64) bool {
	return !n.OptedInFor(current+1) || n.LapsedFor(current) && n.LapsedFor(current+1)
}

// OptIn returns the node as it is after its operator opted in in the current epoch. A node that takes part in it, and so only
// takes its opting out back, goes on as before; every other one begins anew.
func (n Node) OptIn(current uint64) Node {
	if !n.TakesPartIn(current) {
		n.SinceEpoch = current + 1
	}
	return n.turn(true, current)
}

// OptOut returns the node as it is after its operator opted out in the current epoch.
func (n Node) OptOut(current uint64) Node { return n.turn(false, current) }

func (n Node) turn(in bool, current uint64) Node {
	n.OptedInBefore = n.OptedInFor(current)
	n.OptedIn, n.FromEpoch = in, current+1
	return n
}
