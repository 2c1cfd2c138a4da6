package types

import (
	"time"

	"cosmossdk.io/math"
)

// maxYearSteps bounds how far one close moves the emission year.
const maxYearSteps = 100

// Begun returns the emission year that a time falls into, seen from this one, and whether it is another one. A year that
// begins does so 365 days after the one before it, however late that is noticed, with the supply of now, in uedge. Years that
// nobody closed an epoch in are counted, at most maxYearSteps at once.
//
//	year 1 from 2026-01-01: still 1 at 2026-12-31 23:59:59; 2 from 2027-01-01 at any time of 2027;
//	seen for the first time on 2029-06-01: 4, from 2028-12-31 (2028 has 366 days)
func (y EmissionYear) Begun(now time.Time, supply math.Int) (EmissionYear, bool) {
	steps := min(now.Sub(y.Start)/EmissionYearDuration, maxYearSteps)
	if steps < 1 {
		return y, false
	}
	return EmissionYear{Number: y.Number + uint64(steps), Start: y.Start.Add(steps * EmissionYearDuration), Supply: supply}, true
}
