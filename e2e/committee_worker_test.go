package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	nodetypes "github.com/edgechain/edge/x/node/types"
)

// TestWorkerReports leaves a node with its worker alone for more epochs than one may keep silent: the worker reports, and the
// node stays a candidate.
func TestWorkerReports(t *testing.T) {
	t.Parallel()
	n := shared.short.get(t)
	ctx := bounded(t, 4*time.Minute)
	query := nodetypes.NewQueryClient(n.Chain.At(0))
	first, err := query.Node(ctx, &nodetypes.QueryNodeRequest{Operator: n.Valoper})
	require.NoError(t, err)
	for epoch := first.Epoch + 1; epoch <= first.Epoch+3; epoch++ {
		require.NoError(t, n.WaitEpoch(ctx, epoch))
		await(ctx, t, fmt.Sprintf("the report for epoch %d", epoch), func() error {
			node, err := query.Node(ctx, &nodetypes.QueryNodeRequest{Operator: n.Valoper})
			switch {
			case err != nil:
				return err
			case node.Epoch > epoch:
				require.FailNow(t, "no report", "epoch %d is over, and the last report was in %d", epoch, node.Node.LastReportEpoch)
			case node.Node.LastReportEpoch < epoch:
				return fmt.Errorf("last report in epoch %d", node.Node.LastReportEpoch)
			}
			require.Equal(t, "ok", node.Standing)
			require.False(t, node.ReportDue)
			return nil
		})
	}
}
