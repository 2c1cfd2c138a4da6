package chain

import (
	"errors"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/stretchr/testify/require"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	nodetypes "github.com/edgechain/edge/x/node/types"
)

func TestParticipation(t *testing.T) {
	n, r := testNode(t)
	answer := nodetypes.QueryNodeResponse{
		Node:     nodetypes.Node{Operator: "edgevaloper1x", OptedIn: true, LastReportEpoch: 6},
		Standing: "ok", ReportDue: true, EpochsLeft: 2, Epoch: 7, EpochHeight: 90,
	}
	r.response = func(path string, data []byte) abci.ResponseQuery {
		require.Equal(t, "/edge.node.v1.Query/Node", path)
		var asked nodetypes.QueryNodeRequest
		require.NoError(t, asked.Unmarshal(data))
		require.Equal(t, "edgevaloper1x", asked.Operator)
		value, err := answer.Marshal()
		require.NoError(t, err)
		return abci.ResponseQuery{Value: value}
	}
	got, err := n.Participation(t.Context(), "edgevaloper1x")
	require.NoError(t, err)
	want := Participation{Epoch: 7, EpochHeight: 90, ReportDue: true, EpochsLeft: 2, Standing: "ok"}
	require.Equal(t, want, got)

	answer.Node.LastReportEpoch, answer.ReportDue = 7, false
	got, err = n.Participation(t.Context(), "edgevaloper1x")
	require.NoError(t, err)
	want.Reported, want.ReportDue = true, false
	require.Equal(t, want, got)

	r.response = func(string, []byte) abci.ResponseQuery {
		return abci.ResponseQuery{Codespace: sdkerrors.RootCodespace, Code: sdkerrors.ErrKeyNotFound.ABCICode()}
	}
	_, err = n.Participation(t.Context(), "edgevaloper1x")
	require.ErrorIs(t, err, ErrNotTakingPart)
	r.err = errors.New("down")
	_, err = n.Participation(t.Context(), "edgevaloper1x")
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrNotTakingPart)
}

func TestHeaderHash(t *testing.T) {
	n, r := testNode(t)
	r.header = cmttypes.Header{ChainID: "edge-test", Height: 9, ValidatorsHash: make([]byte, 32)}
	hash, err := n.HeaderHash(t.Context(), 9)
	require.NoError(t, err)
	require.EqualValues(t, r.header.Hash(), hash)
	require.Len(t, hash, nodetypes.HeaderHashSize)

	_, err = n.HeaderHash(t.Context(), 8)
	require.ErrorContains(t, err, "no header at height 8")
	r.committed = make([]byte, 32)
	_, err = n.HeaderHash(t.Context(), 9)
	require.ErrorContains(t, err, "another header")
	r.err = errors.New("down")
	_, err = n.HeaderHash(t.Context(), 9)
	require.ErrorIs(t, err, r.err)
}
