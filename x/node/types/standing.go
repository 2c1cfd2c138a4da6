package types

// Standing says whether a node can be elected, as far as x/node knows.
type Standing int

const (
	// StandingOK: the node takes part and is healthy.
	StandingOK Standing = iota
	// StandingNotOptedIn: it has not opted in, or has opted out.
	StandingNotOptedIn
	// StandingLapsed: it sent no report in two epochs, which counts as opted out. In the second of them it still can.
	StandingLapsed
	// StandingWaiting: it first took part less than eligibility_epochs ago.
	StandingWaiting
	// StandingUnhealthy: it takes part, and was down in two epochs in a row.
	StandingUnhealthy
)

// String returns the standing in words.
func (s Standing) String() string {
	switch s {
	case StandingOK:
		return "ok"
	case StandingNotOptedIn:
		return "not opted in"
	case StandingLapsed:
		return "no report in two epochs: report if one is due, opt in again if not"
	case StandingWaiting:
		return "opted in less than eligibility_epochs ago"
	case StandingUnhealthy:
		return "was down in two epochs in a row"
	}
	return "unknown"
}
