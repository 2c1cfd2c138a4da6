package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	nodetypes "github.com/edgechain/edge/x/node/types"
)

// ErrNotTakingPart reports a node that never opted in.
var ErrNotTakingPart = errors.New("the node has not opted in")

// Participation is how a node stands with the elections of committees.
type Participation struct {
	// Epoch that is open, and its first height.
	Epoch       uint64
	EpochHeight int64
	// ReportDue is true while the node takes part and has not reported in the open epoch.
	ReportDue bool
	// Reported is true if it has.
	Reported bool
	// EpochsLeft is the number of further epochs without a report after which it counts as opted out.
	EpochsLeft uint64
	// Standing for the next committee in words.
	Standing string
}

// Participation returns how the node of an operator stands, or ErrNotTakingPart.
func (n *Node) Participation(ctx context.Context, operator string) (Participation, error) {
	res, err := nodetypes.NewQueryClient(n).Node(ctx, &nodetypes.QueryNodeRequest{Operator: operator})
	if err != nil {
		return Participation{}, replaceNotFound(err, ErrNotTakingPart)
	}
	return Participation{
		Epoch: res.Epoch, EpochHeight: res.EpochHeight, ReportDue: res.ReportDue,
		Reported: res.Epoch > 0 && res.Node.LastReportEpoch >= res.Epoch, EpochsLeft: res.EpochsLeft, Standing: res.Standing,
	}, nil
}

// HeaderHash returns the hash of the header of a committed block. The commit must be for it.
func (n *Node) HeaderHash(ctx context.Context, height int64) ([]byte, error) {
	res, err := n.rpc.Commit(ctx, &height)
	if err != nil {
		return nil, err
	}
	if res.Header == nil || res.Commit == nil || res.Header.Height != height {
		return nil, fmt.Errorf("the node has no header at height %d", height)
	}
	hash := res.Header.Hash()
	if !bytes.Equal(hash, res.Commit.BlockID.Hash) {
		return nil, fmt.Errorf("the commit at height %d is for another header", height)
	}
	return hash, nil
}
