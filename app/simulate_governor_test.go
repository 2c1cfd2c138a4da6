package app_test

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"

	"github.com/edgechain/edge/app"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

const (
	// simVotingBlocks is how many blocks a vote takes.
	simVotingBlocks = 6
	// governed marks the proposals of the governor.
	governed = "governor"
)

// governor proposes what our modules offer to governance, one after the other, and has the validators vote.
type governor struct {
	proposals []simsx.WeightedFactory
	next      int
	// open are the proposals that are being voted on.
	open map[uint64]sdk.Msg
}

func newGovernor(a *app.App) governor {
	g := governor{open: make(map[uint64]sdk.Msg)}
	weights := simsx.WeightSourceFn(func(_ string, weight uint32) uint32 { return weight })
	for _, mod := range a.SimulationManager().Modules {
		if mod, ok := mod.(simsx.HasProposalMsgsX); ok {
			registry := simsx.NewUnorderedRegistry()
			mod.ProposalMsgsX(weights, registry)
			for _, f := range registry.Elements() {
				if isOurs(sdk.MsgTypeURL(f.Factory.MsgType())) {
					g.proposals = append(g.proposals, f)
				}
			}
		}
	}
	return g
}

// leaveOut proposes no messages of a type.
func (g *governor) leaveOut(msg sdk.Msg) { g.proposals = withoutType(g.proposals, msg) }

// act votes on what is new, and proposes something from time to time.
func (g *governor) act(ctx sdk.Context, s *simulation, data *simsx.ChainDataSource, p *packer) {
	s.t.Helper()
	for _, id := range g.unvoted(ctx, s) {
		option := govv1.OptionYes
		if s.r.Intn(8) == 0 {
			option = govv1.OptionNo
		}
		for _, person := range s.people {
			if v, err := s.app.StakingKeeper.GetValidator(ctx, sdk.ValAddress(person.Address)); err == nil && v.IsBonded() {
				p.add(person, govv1.NewMsgVote(person.Address, id, option, ""), nil)
			}
		}
	}
	// A price comes often: without one nothing is emitted.
	var msg sdk.Msg
	switch {
	case s.height() < 6 || s.r.Intn(30) == 0:
		msg = &rewardstypes.MsgSetTokenPrice{
			Authority: authtypes.NewModuleAddress(govtypes.ModuleName).String(),
			Price:     math.LegacyNewDecWithPrec(1+s.r.Int63n(1_000), 4),
		}
	case s.r.Intn(7) == 0 && len(g.proposals) > 0:
		f := g.proposals[g.next%len(g.proposals)].Factory
		g.next++
		stop, cancel := context.WithCancel(ctx)
		defer cancel()
		reporter := s.messages.reporter.WithScope(f.MsgType(), simsx.SkipHookFn(func(...any) { cancel() }))
		if _, msg = simsx.SafeRunFactoryMethod(stop, data, reporter, f.Create()); reporter.IsSkipped() {
			return
		}
	default:
		return
	}
	submit, err := govv1.NewMsgSubmitProposal([]sdk.Msg{msg}, sdk.NewCoins(sdk.NewInt64Coin(app.BondDenom, 1_000_000)),
		s.people[s.r.Intn(len(s.people))].AddressBech32, governed, governed, governed, false)
	require.NoError(s.t, err)
	proposer := data.GetAccount(s.messages.reporter, submit.Proposer)
	p.add(proposer.Account, submit, nil)
}

// unvoted returns the governor's proposals whose vote has begun, and remembers them.
func (g *governor) unvoted(ctx sdk.Context, s *simulation) (ids []uint64) {
	s.t.Helper()
	require.NoError(s.t, s.app.GovKeeper.VotingPeriodProposals.Walk(ctx, nil, func(id uint64, _ []byte) (bool, error) {
		proposal, err := s.app.GovKeeper.Proposals.Get(ctx, id)
		if err != nil {
			return true, err
		}
		if _, known := g.open[id]; known || proposal.Metadata != governed {
			return false, nil
		}
		msgs, err := proposal.GetMsgs()
		if err != nil {
			return true, err
		}
		g.open[id] = msgs[0]
		ids = append(ids, id)
		return false, nil
	}))
	return ids
}

// count notes what became of the proposals: the message of one that passed was delivered.
func (g *governor) count(s *simulation) {
	s.t.Helper()
	for id, msg := range g.open {
		proposal, err := s.app.GovKeeper.Proposals.Get(s.ctx(), id)
		if err == nil && proposal.Status == govv1.StatusVotingPeriod {
			continue
		}
		counts := s.tally.of(msg)
		switch {
		case err != nil:
			counts.skipped["cancelled"]++
		case proposal.Status == govv1.StatusPassed:
			counts.ok++
		case proposal.Status == govv1.StatusFailed:
			counts.failed[fmt.Sprintf("proposal: %.90s", proposal.FailedReason)]++
		default:
			counts.skipped["voted down"]++
		}
		delete(g.open, id)
	}
}
