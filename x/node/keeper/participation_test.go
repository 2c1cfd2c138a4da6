package keeper_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/x/node/types"
)

func (f *fixture) optIn(operator sdk.ValAddress) *types.MsgOptInResponse {
	f.t.Helper()
	res, err := f.msgs.OptIn(f.ctx, &types.MsgOptIn{Operator: f.operatorText(operator)})
	require.NoError(f.t, err)
	return res
}

// report returns a valid report of the operator for the open epoch, over a block whose hash is kept.
func (f *fixture) report(operator sdk.ValAddress) *types.MsgReport {
	f.t.Helper()
	epoch, err := f.k.Epoch(f.ctx)
	require.NoError(f.t, err)
	height := f.ctx.BlockHeight() - 1
	f.hashes[height] = bytes.Repeat([]byte{byte(height)}, types.HeaderHashSize)
	sender, err := f.accounts.BytesToString(operator)
	require.NoError(f.t, err)
	return &types.MsgReport{
		Sender: sender, Operator: f.operatorText(operator), Epoch: epoch, Height: height, HeaderHash: f.hashes[height],
	}
}

// next opens the next epoch and goes two blocks into it.
func (f *fixture) next() uint64 {
	f.t.Helper()
	epoch, err := f.k.Epoch(f.ctx)
	require.NoError(f.t, err)
	f.open(epoch + 1)
	f.ctx = f.ctx.WithBlockHeight(f.ctx.BlockHeight() + 3)
	return epoch + 1
}

func (f *fixture) node(operator sdk.ValAddress) types.Node {
	f.t.Helper()
	n, err := f.k.Node(f.ctx, operator)
	require.NoError(f.t, err)
	return n
}

func (f *fixture) standing(operator sdk.ValAddress, epoch uint64) types.Standing {
	f.t.Helper()
	s, err := f.k.Standing(f.ctx, operator, epoch)
	require.NoError(f.t, err)
	return s
}

func TestOptIn(t *testing.T) {
	const epoch = 5
	tests := []struct {
		name   string
		before func(f *fixture, operator sdk.ValAddress)
		change func(f *fixture, m *types.MsgOptIn)
		err    error
		want   types.Node
		// eligible is the answer's eligible_epoch.
		eligible uint64
	}{
		{
			name: "for the first time", want: types.Node{OptedIn: true, FromEpoch: 6, FirstEpoch: 6, SinceEpoch: 6, Score: 50}, eligible: 8,
		},
		{
			name:   "in upper case",
			change: func(_ *fixture, m *types.MsgOptIn) { m.Operator = strings.ToUpper(m.Operator) },
			want:   types.Node{OptedIn: true, FromEpoch: 6, FirstEpoch: 6, SinceEpoch: 6, Score: 50}, eligible: 8,
		},
		{
			name: "again after having opted out",
			before: func(f *fixture, o sdk.ValAddress) {
				f.setNode(o, types.Node{FromEpoch: 4, FirstEpoch: 2, SinceEpoch: 2, LastReportEpoch: 3, Score: 71})
			},
			want: types.Node{OptedIn: true, FromEpoch: 6, FirstEpoch: 2, SinceEpoch: 6, LastReportEpoch: 3, Score: 71}, eligible: 6,
		},
		{
			name: "again in the epoch of the opting out",
			before: func(f *fixture, o sdk.ValAddress) {
				f.setNode(o, types.Node{FromEpoch: 6, FirstEpoch: 2, SinceEpoch: 3, OptedInBefore: true, LastReportEpoch: 5})
			},
			want: types.Node{OptedIn: true, FromEpoch: 6, FirstEpoch: 2, SinceEpoch: 3, OptedInBefore: true, LastReportEpoch: 5}, eligible: 6,
		},
		{
			name: "again in the epoch of the opting out, about to lapse",
			before: func(f *fixture, o sdk.ValAddress) {
				f.setNode(o, types.Node{FromEpoch: 6, FirstEpoch: 4, SinceEpoch: 4, OptedInBefore: true})
			},
			want: types.Node{OptedIn: true, FromEpoch: 6, FirstEpoch: 4, SinceEpoch: 4, OptedInBefore: true}, eligible: 6,
		},
		{
			name: "again in the epoch of the opting out, lapsed",
			before: func(f *fixture, o sdk.ValAddress) {
				f.setNode(o, types.Node{FromEpoch: 6, FirstEpoch: 3, SinceEpoch: 3, OptedInBefore: true})
			},
			want: types.Node{OptedIn: true, FromEpoch: 6, FirstEpoch: 3, SinceEpoch: 6, OptedInBefore: true}, eligible: 6,
		},
		{
			name: "again after having lapsed",
			before: func(f *fixture, o sdk.ValAddress) {
				f.setNode(o, types.Node{OptedIn: true, FromEpoch: 2, FirstEpoch: 2, SinceEpoch: 2, LastReportEpoch: 2})
			},
			want: types.Node{OptedIn: true, FromEpoch: 6, FirstEpoch: 2, SinceEpoch: 6, OptedInBefore: true, LastReportEpoch: 2}, eligible: 6,
		},
		{
			name: "about to lapse",
			before: func(f *fixture, o sdk.ValAddress) {
				f.setNode(o, types.Node{OptedIn: true, FromEpoch: 2, FirstEpoch: 2, SinceEpoch: 2, LastReportEpoch: 3})
			},
			err: types.ErrOptedIn,
		},
		{
			name: "a node that takes part",
			before: func(f *fixture, o sdk.ValAddress) {
				f.setNode(o, types.Node{OptedIn: true, FromEpoch: 2, FirstEpoch: 2, SinceEpoch: 2, LastReportEpoch: 4})
			},
			err: types.ErrOptedIn,
		},
		{
			name:   "twice in an epoch",
			before: func(f *fixture, o sdk.ValAddress) { f.optIn(o) },
			err:    types.ErrOptedIn,
		},
		{
			name:   "no validator",
			before: func(f *fixture, _ sdk.ValAddress) { clear(f.staking) },
			err:    types.ErrNotValidator,
		},
		{name: "an account", change: func(f *fixture, m *types.MsgOptIn) { m.Operator = f.account() }, err: types.ErrAddress},
		{name: "nobody", change: func(_ *fixture, m *types.MsgOptIn) { m.Operator = "" }, err: types.ErrAddress},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.open(epoch)
			operator, other := f.operator(), f.operator()
			f.optIn(other)
			if tt.before != nil {
				tt.before(f, operator)
			}
			msg := &types.MsgOptIn{Operator: f.operatorText(operator)}
			if tt.change != nil {
				tt.change(f, msg)
			}
			before := f.state()
			f.events("")
			res, err := f.msgs.OptIn(f.ctx, msg)
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
				require.Equal(t, before, f.state())
				return
			}
			require.NoError(t, err)
			require.Equal(t, types.MsgOptInResponse{FromEpoch: epoch + 1, EligibleEpoch: tt.eligible}, *res)
			tt.want.Operator = f.operatorText(operator)
			require.Equal(t, tt.want, f.node(operator))
			require.Equal(t, 1, f.events("edge.node.v1.EventParticipationChanged"))
			require.False(t, f.node(other).OptedInFor(epoch), "another node is as it was")
		})
	}
}

func (f *fixture) setNode(operator sdk.ValAddress, n types.Node) {
	f.t.Helper()
	n.Operator = f.operatorText(operator)
	require.NoError(f.t, f.k.Nodes.Set(f.ctx, operator, n))
}

func TestOptOut(t *testing.T) {
	const epoch = 5
	for name, tt := range map[string]struct {
		node   *types.Node
		change func(f *fixture, m *types.MsgOptOut)
		err    error
	}{
		"takes part":                  {node: &types.Node{OptedIn: true, FromEpoch: 2, FirstEpoch: 2, SinceEpoch: 2, LastReportEpoch: 4}},
		"takes part from the next on": {node: &types.Node{OptedIn: true, FromEpoch: 6, FirstEpoch: 6, SinceEpoch: 6}},
		"has lapsed":                  {node: &types.Node{OptedIn: true, FromEpoch: 2, FirstEpoch: 2, SinceEpoch: 2, LastReportEpoch: 2}},
		"has opted out":               {node: &types.Node{FromEpoch: 5, FirstEpoch: 2, SinceEpoch: 2}, err: types.ErrNotOptedIn},
		"has opted out in this epoch": {node: &types.Node{FromEpoch: 6, FirstEpoch: 2, SinceEpoch: 2, OptedInBefore: true}, err: types.ErrNotOptedIn},
		"never opted in":              {err: types.ErrNotOptedIn},
		"another operator, not in":    {node: &types.Node{OptedIn: true}, change: func(f *fixture, m *types.MsgOptOut) { m.Operator = f.operatorText(f.operator()) }, err: types.ErrNotOptedIn},
		"an account":                  {node: &types.Node{OptedIn: true}, change: func(f *fixture, m *types.MsgOptOut) { m.Operator = f.account() }, err: types.ErrAddress},
		"nobody":                      {node: &types.Node{OptedIn: true}, change: func(_ *fixture, m *types.MsgOptOut) { m.Operator = "" }, err: types.ErrAddress},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.open(epoch)
			operator := f.operator()
			if tt.node != nil {
				f.setNode(operator, *tt.node)
			}
			msg := &types.MsgOptOut{Operator: f.operatorText(operator)}
			if tt.change != nil {
				tt.change(f, msg)
			}
			before := f.state()
			f.events("")
			res, err := f.msgs.OptOut(f.ctx, msg)
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
				require.Equal(t, before, f.state())
				return
			}
			require.NoError(t, err)
			require.EqualValues(t, epoch+1, res.FromEpoch)
			require.Equal(t, 1, f.events("edge.node.v1.EventParticipationChanged"))
			n := f.node(operator)
			require.Equal(t, tt.node.OptedInFor(epoch), n.OptedInFor(epoch), "this epoch is as it was")
			require.False(t, n.OptedInFor(epoch+1))
			require.Equal(t, tt.node.FirstEpoch, n.FirstEpoch)
			require.Equal(t, types.StandingNotOptedIn, f.standing(operator, epoch+1))
		})
	}
}

func TestReport(t *testing.T) {
	for name, tt := range map[string]struct {
		node   types.Node
		change func(f *fixture, m *types.MsgReport)
		err    error
	}{
		"valid":                   {},
		"of the oldest block":     {change: func(f *fixture, m *types.MsgReport) { f.at(m, f.ctx.BlockHeight()-2) }},
		"in upper case":           {change: func(_ *fixture, m *types.MsgReport) { m.Operator = strings.ToUpper(m.Operator) }},
		"first epoch, new node":   {node: types.Node{OptedIn: true, FromEpoch: 6, FirstEpoch: 6, SinceEpoch: 6}},
		"from the next epoch on":  {node: types.Node{OptedIn: true, FromEpoch: 7, FirstEpoch: 7, SinceEpoch: 7}},
		"lapsed and in again":     {node: types.Node{OptedIn: true, FromEpoch: 7, FirstEpoch: 1, SinceEpoch: 7, OptedInBefore: true, LastReportEpoch: 2}},
		"out from the next on":    {node: types.Node{FromEpoch: 7, FirstEpoch: 1, SinceEpoch: 1, OptedInBefore: true, LastReportEpoch: 5}},
		"the last moment":         {node: types.Node{OptedIn: true, FromEpoch: 1, FirstEpoch: 1, SinceEpoch: 1, LastReportEpoch: 4}},
		"an active worker":        {change: func(f *fixture, m *types.MsgReport) { m.Sender = f.workerOf(m.Operator) }},
		"a retiring worker":       {change: func(f *fixture, m *types.MsgReport) { m.Sender = f.retiringOf(m.Operator) }, err: types.ErrReporter},
		"another node's worker":   {change: func(f *fixture, m *types.MsgReport) { m.Sender = f.workerOf(f.operatorText(f.operator())) }, err: types.ErrReporter},
		"another operator":        {change: func(f *fixture, m *types.MsgReport) { m.Sender = sdkAccount(f, f.operator()) }, err: types.ErrReporter},
		"gov":                     {change: func(f *fixture, m *types.MsgReport) { m.Sender = f.authority }, err: types.ErrReporter},
		"an operator as sender":   {change: func(_ *fixture, m *types.MsgReport) { m.Sender = m.Operator }, err: types.ErrAddress},
		"no sender":               {change: func(_ *fixture, m *types.MsgReport) { m.Sender = "" }, err: types.ErrAddress},
		"no operator":             {change: func(_ *fixture, m *types.MsgReport) { m.Operator = "" }, err: types.ErrAddress},
		"an account as operator":  {change: func(_ *fixture, m *types.MsgReport) { m.Operator = m.Sender }, err: types.ErrAddress},
		"the epoch before":        {change: func(_ *fixture, m *types.MsgReport) { m.Epoch-- }, err: types.ErrReportEpoch},
		"the epoch behind":        {change: func(_ *fixture, m *types.MsgReport) { m.Epoch++ }, err: types.ErrReportEpoch},
		"no epoch":                {change: func(_ *fixture, m *types.MsgReport) { m.Epoch = 0 }, err: types.ErrReportEpoch},
		"unknown node":            {change: func(f *fixture, m *types.MsgReport) { *m = *f.report(f.operator()) }, err: types.ErrNotOptedIn},
		"opted out":               {node: types.Node{FromEpoch: 6, FirstEpoch: 1, SinceEpoch: 1, LastReportEpoch: 5}, err: types.ErrNotOptedIn},
		"lapsed":                  {node: types.Node{OptedIn: true, FromEpoch: 1, FirstEpoch: 1, SinceEpoch: 1, LastReportEpoch: 3}, err: types.ErrLapsed},
		"lapsed, no report ever":  {node: types.Node{OptedIn: true, FromEpoch: 4, FirstEpoch: 4, SinceEpoch: 4}, err: types.ErrLapsed},
		"reported":                {node: types.Node{OptedIn: true, FromEpoch: 1, FirstEpoch: 1, SinceEpoch: 1, LastReportEpoch: 6}, err: types.ErrAlreadyReported},
		"a block of before":       {change: func(f *fixture, m *types.MsgReport) { f.at(m, f.ctx.BlockHeight()-3) }, err: types.ErrReportHeight},
		"this block":              {change: func(f *fixture, m *types.MsgReport) { f.at(m, f.ctx.BlockHeight()) }, err: types.ErrReportHeight},
		"a block to come":         {change: func(f *fixture, m *types.MsgReport) { f.at(m, f.ctx.BlockHeight()+1) }, err: types.ErrReportHeight},
		"height 0":                {change: func(f *fixture, m *types.MsgReport) { f.at(m, 0) }, err: types.ErrReportHeight},
		"negative height":         {change: func(f *fixture, m *types.MsgReport) { f.at(m, -1) }, err: types.ErrReportHeight},
		"a hash that is not kept": {change: func(f *fixture, m *types.MsgReport) { delete(f.hashes, m.Height) }, err: types.ErrReportHash},
		"a missing hash": {change: func(f *fixture, m *types.MsgReport) {
			f.hashes[m.Height], m.HeaderHash = []byte{}, nil
		}, err: types.ErrReportHash},
		"no hash":    {change: func(_ *fixture, m *types.MsgReport) { m.HeaderHash = nil }, err: types.ErrReportHash},
		"short hash": {change: func(_ *fixture, m *types.MsgReport) { m.HeaderHash = m.HeaderHash[:31] }, err: types.ErrReportHash},
		"long hash":  {change: func(_ *fixture, m *types.MsgReport) { m.HeaderHash = append(slices.Clone(m.HeaderHash), 0) }, err: types.ErrReportHash},
		"another hash": {change: func(_ *fixture, m *types.MsgReport) {
			m.HeaderHash = slices.Clone(m.HeaderHash)
			m.HeaderHash[31] ^= 1
		}, err: types.ErrReportHash},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.open(5)
			require.EqualValues(t, 6, f.next())
			operator := f.operator()
			node := tt.node
			if node == (types.Node{}) {
				node = types.Node{OptedIn: true, FromEpoch: 1, FirstEpoch: 1, SinceEpoch: 1, LastReportEpoch: 5}
			}
			f.setNode(operator, node)
			msg := f.report(operator)
			if tt.change != nil {
				tt.change(f, msg)
			}
			before := f.state()
			f.events("")
			_, err := f.msgs.Report(f.ctx, msg)
			f.check()
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
				require.Equal(t, before, f.state())
				return
			}
			require.NoError(t, err)
			require.Equal(t, 1, f.events("edge.node.v1.EventReported"))
			want := node
			want.Operator, want.LastReportEpoch = f.operatorText(operator), 6
			require.Equal(t, want, f.node(operator), "nothing but the epoch of the last report changes")

			_, err = f.msgs.Report(f.ctx, msg)
			require.ErrorIs(t, err, types.ErrAlreadyReported)
		})
	}
}

// at makes the report one of another block, whose hash is kept.
func (f *fixture) at(m *types.MsgReport, height int64) {
	m.Height, m.HeaderHash = height, bytes.Repeat([]byte{7}, types.HeaderHashSize)
	f.hashes[height] = m.HeaderHash
}

func sdkAccount(f *fixture, operator sdk.ValAddress) string {
	f.t.Helper()
	s, err := f.accounts.BytesToString(operator)
	require.NoError(f.t, err)
	return s
}

// workerOf returns the account of the third of an operator's workers.
func (f *fixture) workerOf(operator string) string {
	f.t.Helper()
	addr, err := f.operators.StringToBytes(operator)
	require.NoError(f.t, err)
	f.register(addr)
	f.register(addr)
	w, err := f.k.Worker(f.ctx, f.register(addr))
	require.NoError(f.t, err)
	return w.Account
}

func (f *fixture) retiringOf(operator string) string {
	f.t.Helper()
	addr, err := f.operators.StringToBytes(operator)
	require.NoError(f.t, err)
	w, err := f.k.Worker(f.ctx, f.register(addr))
	require.NoError(f.t, err)
	f.remove(addr, w.Id)
	return w.Account
}

// The life of a node from its first word to its second chance.
func TestParticipation(t *testing.T) {
	f := newFixture(t)
	operator := f.operator()
	require.Equal(t, types.StandingNotOptedIn, f.standing(operator, 2), "unknown")
	res := f.optIn(operator)
	require.EqualValues(t, 2, res.FromEpoch)
	require.EqualValues(t, 4, res.EligibleEpoch)
	require.Equal(t, types.StandingNotOptedIn, f.standing(operator, 1))
	require.Equal(t, types.StandingWaiting, f.standing(operator, 2))

	f.next()
	for epoch := uint64(2); epoch <= 5; epoch = f.next() {
		_, err := f.msgs.Report(f.ctx, f.report(operator))
		require.NoError(t, err)
		want := types.StandingOK
		if epoch+1 < 4 {
			want = types.StandingWaiting
		}
		require.Equal(t, want, f.standing(operator, epoch+1), "epoch %d", epoch)
	}
	// Epoch 6 is open, the last report was in 5.
	require.Equal(t, types.StandingOK, f.standing(operator, 7))
	require.EqualValues(t, 7, f.next())
	require.Equal(t, types.StandingLapsed, f.standing(operator, 8), "the freeze in epoch 7 finds no report of 6 and 7")
	require.Equal(t, types.StandingOK, f.standing(operator, 7))
	require.EqualValues(t, 8, f.next())
	_, err := f.msgs.Report(f.ctx, f.report(operator))
	require.ErrorIs(t, err, types.ErrLapsed)

	res = f.optIn(operator)
	require.EqualValues(t, 9, res.FromEpoch)
	require.EqualValues(t, 9, res.EligibleEpoch, "who has waited once waits no more")
	require.Equal(t, types.StandingLapsed, f.standing(operator, 8))
	require.Equal(t, types.StandingOK, f.standing(operator, 9))
	require.Equal(t, types.StandingOK, f.standing(operator, 10))
	require.Equal(t, types.StandingLapsed, f.standing(operator, 11))
	_, err = f.msgs.Report(f.ctx, f.report(operator))
	require.NoError(t, err, "from the next epoch on it takes part again")
	requireRoundTrip(t, f)
}

// The wait is read when it is asked for: a change counts for the next election.
func TestEligibilityEpochsAreLive(t *testing.T) {
	f := newFixture(t)
	operator := f.operator()
	f.optIn(operator)
	require.Equal(t, types.StandingWaiting, f.standing(operator, 2))
	params := types.DefaultParams()
	params.EligibilityEpochs = 0
	_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: f.authority, Params: params})
	require.NoError(t, err)
	require.Equal(t, types.StandingOK, f.standing(operator, 2))
}

func TestNodeQueries(t *testing.T) {
	f := newFixture(t)
	var operators []sdk.ValAddress
	for range 5 {
		operators = append(operators, f.operator())
		f.optIn(operators[len(operators)-1])
	}
	f.next()
	_, err := f.msgs.Report(f.ctx, f.report(operators[1]))
	require.NoError(t, err)

	height, err := f.k.EpochHeight.Get(f.ctx)
	require.NoError(t, err)
	for i, want := range []types.QueryNodeResponse{
		{Node: f.node(operators[0]), Standing: types.StandingWaiting.String(), ReportDue: true, EpochsLeft: 2, Epoch: 2, EpochHeight: height},
		{Node: f.node(operators[1]), Standing: types.StandingWaiting.String(), ReportDue: false, EpochsLeft: 2, Epoch: 2, EpochHeight: height},
	} {
		got, err := f.queries.Node(f.ctx, &types.QueryNodeRequest{Operator: f.operatorText(operators[i])})
		require.NoError(t, err)
		require.Equal(t, want, *got)
	}

	page, err := f.queries.Nodes(f.ctx, &types.QueryNodesRequest{Pagination: &query.PageRequest{Limit: 3, CountTotal: true}})
	require.NoError(t, err)
	require.Len(t, page.Nodes, 3)
	require.EqualValues(t, 5, page.Pagination.Total)
	rest, err := f.queries.Nodes(f.ctx, &types.QueryNodesRequest{Pagination: &query.PageRequest{Key: page.Pagination.NextKey}})
	require.NoError(t, err)
	require.Len(t, rest.Nodes, 2)

	code := func(_ any, err error) codes.Code { return status.Code(err) }
	require.Equal(t, codes.NotFound, code(f.queries.Node(f.ctx, &types.QueryNodeRequest{Operator: f.operatorText(f.operator())})))
	require.Equal(t, codes.InvalidArgument, code(f.queries.Node(f.ctx, &types.QueryNodeRequest{Operator: "edge1"})))
	require.Equal(t, codes.InvalidArgument, code(f.queries.Node(f.ctx, nil)))
	require.Equal(t, codes.InvalidArgument, code(f.queries.Nodes(f.ctx, nil)))
}

// With the validator goes what is kept of its node, and nothing else. Made anew, it waits once more.
func TestNodeGoesWithItsValidator(t *testing.T) {
	f := newFixture(t)
	operator, other := f.operator(), f.operator()
	f.optIn(operator)
	f.optIn(other)
	worker := f.register(operator)
	for range 3 {
		f.next()
		for _, o := range []sdk.ValAddress{operator, other} {
			_, err := f.msgs.Report(f.ctx, f.report(o))
			require.NoError(t, err)
		}
	}
	require.Equal(t, types.StandingOK, f.standing(operator, 5))
	kept := f.node(other)

	delete(f.staking, string(operator))
	require.NoError(t, f.k.Hooks().AfterValidatorRemoved(f.ctx, nil, operator))
	require.NoError(t, f.k.Hooks().AfterValidatorRemoved(f.ctx, nil, f.operator()), "one that never opted in")
	_, err := f.k.Node(f.ctx, operator)
	require.ErrorIs(t, err, types.ErrNodeNotFound)
	require.Equal(t, types.StandingNotOptedIn, f.standing(operator, 5))
	_, err = f.msgs.OptOut(f.ctx, &types.MsgOptOut{Operator: f.operatorText(operator)})
	require.ErrorIs(t, err, types.ErrNotOptedIn)
	require.Equal(t, kept, f.node(other))
	f.remove(operator, worker)
	requireRoundTrip(t, f)

	f.staking[string(operator)] = true
	require.EqualValues(t, 7, f.optIn(operator).EligibleEpoch)
}

// Nothing else that x/staking tells changes anything.
func TestOtherHooksDoNothing(t *testing.T) {
	f := newFixture(t)
	operator := f.operator()
	f.optIn(operator)
	before := f.state()
	h := f.k.Hooks()
	for _, err := range []error{
		h.AfterValidatorCreated(f.ctx, operator), h.BeforeValidatorModified(f.ctx, operator),
		h.AfterValidatorConsKeyUpdated(f.ctx, nil, nil, operator), h.AfterValidatorBonded(f.ctx, nil, operator),
		h.AfterValidatorBeginUnbonding(f.ctx, nil, operator), h.BeforeDelegationCreated(f.ctx, nil, operator),
		h.BeforeDelegationSharesModified(f.ctx, nil, operator), h.BeforeDelegationRemoved(f.ctx, nil, operator),
		h.AfterDelegationModified(f.ctx, nil, operator), h.BeforeValidatorSlashed(f.ctx, operator, math.LegacyOneDec()),
		h.AfterUnbondingInitiated(f.ctx, 1),
	} {
		require.NoError(t, err)
	}
	require.Equal(t, before, f.state())
}

func TestNodeIsUnknown(t *testing.T) {
	f := newFixture(t)
	_, err := f.k.Node(f.ctx, f.operator())
	require.ErrorIs(t, err, types.ErrNodeNotFound)
}
