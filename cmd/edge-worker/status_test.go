package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/report"
)

// A report that is missing late is a hint, with what to do; the worker is ready all the same.
func TestStatusOfTheReport(t *testing.T) {
	for name, tt := range map[string]struct {
		status *report.Status
		want   []string
	}{
		"off":      {nil, []string{"left to others"}},
		"reported": {&report.Status{Epoch: 7, State: report.StateReported}, []string{"epoch 7: reported"}},
		"late": {
			&report.Status{Epoch: 7, State: report.StateDue, Late: true, EpochsLeft: 1, Problem: "no fees"},
			[]string{"epoch 7: due", "after 1 further epochs", "edged tx node report", "no fees"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			require.NoError(t, writeStatus(&out, &statusDoc{Ready: true, Report: tt.status}))
			require.Contains(t, out.String(), "ready")
			for _, want := range tt.want {
				require.Contains(t, out.String(), want)
			}
			require.Equal(t, tt.status != nil && tt.status.Late, strings.Contains(out.String(), "late"))
		})
	}
}
