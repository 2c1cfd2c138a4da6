package keeper_test

import (
	"bytes"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/keeper"
)

// comet is CometBFT's side of a chain: its sets with the priorities by which the members take turns, as state/execution.go
// leads them from block to block. A set that stands here is not altered any more, so that a copy is a branch.
type comet struct {
	// height of the last block, round in which it was decided.
	height int64
	round  int32
	// last is the set of the last block, nil before the first one; next that of the coming block, after that of the one behind.
	last, next, after *cmttypes.ValidatorSet
}

// proposal is a block: in which round it is decided, whom its header names as the proposer, and its transactions.
type proposal struct {
	round int32
	named []byte
	txs   [][]byte
}

// startComet gives CometBFT the validators of a genesis.
func (f *fixture) startComet(updates []abci.ValidatorUpdate) {
	f.t.Helper()
	validators, err := cmttypes.PB2TM.ValidatorUpdates(updates)
	require.NoError(f.t, err)
	set := cmttypes.NewValidatorSet(validators)
	f.comet = comet{height: max(f.ctx.BlockHeight(), 1) - 1, next: set, after: set.CopyIncrementProposerPriority(1)}
	f.checkSet()
}

// apply does with the updates of a block what CometBFT does, and refuses what it would halt over.
func (f *fixture) apply(updates []abci.ValidatorUpdate, round int32) {
	f.t.Helper()
	c := comet{height: f.comet.height + 1, round: round, last: f.comet.next, next: f.comet.after, after: f.comet.after.Copy()}
	require.Equal(f.t, f.ctx.BlockHeight(), c.height, "a block is left out")
	if len(updates) != 0 {
		changes, err := cmttypes.PB2TM.ValidatorUpdates(updates)
		require.NoError(f.t, err)
		for _, u := range changes {
			require.False(f.t, u.VotingPower == 0 && !c.after.HasAddress(u.Address), "removes a validator that is not there")
		}
		require.NoError(f.t, c.after.UpdateWithChangeSet(changes))
	}
	c.after.IncrementProposerPriority(1)
	f.comet = c
	f.checkSet()
	f.checkStoredRotation()
}

// checkSet compares the set that CometBFT will have with the one that was stored as sent.
func (f *fixture) checkSet() {
	f.t.Helper()
	sent, has := map[string]int64{}, map[string]int64{}
	for _, m := range f.newestSet().Members {
		sent[string(m.PubKey.GetEd25519())] = m.Power
	}
	for _, v := range f.comet.after.Validators {
		has[string(v.PubKey.Bytes())] = v.VotingPower
	}
	require.Equal(f.t, sent, has, "CometBFT has another set than the one that is stored")
}

// checkStoredRotation compares the stored rotation with CometBFT's, if it is that of the last block.
func (f *fixture) checkStoredRotation() {
	f.t.Helper()
	stored, err := f.k.RotationHeight(f.ctx)
	require.NoError(f.t, err)
	require.LessOrEqual(f.t, stored, f.comet.height)
	require.Less(f.t, f.comet.height-stored, int64(keeper.RotationLag))
	if stored == f.comet.height {
		f.sameTurns(f.comet.last, stored)
	}
}

// checkRotation compares the rotations of the last block and of the two that follow it with CometBFT's.
func (f *fixture) checkRotation() {
	f.t.Helper()
	f.sameTurns(f.comet.last, f.comet.height)
	f.sameTurns(f.comet.next, f.comet.height+1)
	f.sameTurns(f.comet.after, f.comet.height+2)
}

// sameTurns compares members, powers, priorities and the proposer.
func (f *fixture) sameTurns(want *cmttypes.ValidatorSet, height int64) {
	f.t.Helper()
	got, err := f.k.RotationAt(f.ctx, height)
	require.NoError(f.t, err)
	require.Equal(f.t, rawSet(f, want), rawSet(f, got), "height %d", height)
}

func rawSet(f *fixture, set *cmttypes.ValidatorSet) *cmtproto.ValidatorSet {
	f.t.Helper()
	raw, err := set.ToProto()
	require.NoError(f.t, err)
	return raw
}

// commit is what the coming block says of the last one; the first block of a chain has none.
func (c comet) commit() abci.CommitInfo {
	if c.last == nil {
		return abci.CommitInfo{}
	}
	commit := abci.CommitInfo{Round: c.round}
	for _, v := range c.last.Validators {
		commit.Votes = append(commit.Votes, abci.VoteInfo{
			Validator: abci.Validator{Address: v.Address, Power: v.VotingPower}, BlockIdFlag: cmtproto.BlockIDFlagCommit,
		})
	}
	return commit
}

// turnOf returns the consensus address of whoever has the turn in a round of the coming block, as consensus/state.go finds it.
func (c comet) turnOf(round int32) []byte {
	if round == 0 {
		return c.next.GetProposer().Address
	}
	return c.next.CopyIncrementProposerPriority(round).GetProposer().Address
}

// roundOf returns the first round but the first in which an address has a turn in the coming block; 1 if it has none.
func (c comet) roundOf(address []byte) int32 {
	set := c.next.Copy()
	for round := int32(1); round <= 200; round++ {
		set.IncrementProposerPriority(1)
		if bytes.Equal(set.GetProposer().Address, address) {
			return round
		}
	}
	return 1
}

// proposer returns the validator who has the turn in a round of the coming block.
func (f *fixture) proposer(round int32) *validator {
	f.t.Helper()
	v := f.staking.holder(f.comet.turnOf(round))
	require.NotNil(f.t, v)
	return v
}

// honest is the block of whoever has the turn in a round: it names itself and gives the reveal that it owes.
func (f *fixture) honest(round int32) proposal {
	f.t.Helper()
	address := f.comet.turnOf(round)
	return proposal{round, address, txs(f.revealBy(address))}
}

// silent is the block of whoever has the turn in a round, without a reveal.
func (f *fixture) silent(round int32) proposal {
	return proposal{round: round, named: f.comet.turnOf(round)}
}

// block runs an honest block that comes so much later than the last one, decided in the first round, and returns its events.
func (f *fixture) block(later time.Duration) sdk.Events {
	f.t.Helper()
	return f.decide(later, f.honest(0))
}

// run runs a block that names a proposer, by its consensus address. It is decided in a later round in which that one has a turn,
// so that nobody can be held to have missed a reveal.
func (f *fixture) run(later time.Duration, named []byte, txs [][]byte) sdk.Events {
	f.t.Helper()
	return f.decide(later, proposal{f.comet.roundOf(named), named, txs})
}

// decide runs a block; x/staking's part of EndBlock comes before ours. Its reveal is settled by the block that follows.
func (f *fixture) decide(later time.Duration, p proposal) sdk.Events {
	f.t.Helper()
	f.ctx = f.ctx.WithBlockHeight(f.ctx.BlockHeight() + 1).WithBlockTime(f.ctx.BlockTime().Add(later)).
		WithEventManager(sdk.NewEventManager())
	require.NoError(f.t, f.k.PreBlock(f.ctx, f.request(p)))
	require.NoError(f.t, f.staking.endBlock(f.ctx))
	updates, err := f.module.EndBlock(f.ctx)
	require.NoError(f.t, err)
	f.apply(updates, p.round)
	return f.ctx.EventManager().Events()
}

// request is what CometBFT says of the block of the context's height.
func (f *fixture) request(p proposal) *abci.RequestFinalizeBlock {
	height := f.ctx.BlockHeight()
	return &abci.RequestFinalizeBlock{
		Height: height, Hash: headerHash(height), ProposerAddress: p.named, Txs: p.txs, DecidedLastCommit: f.comet.commit(),
	}
}

// settle runs a block and an honest one behind it, and returns the events of the latter: what came of the reveal of the first.
func (f *fixture) settle(p proposal) sdk.Events {
	f.t.Helper()
	f.decide(time.Second, p)
	return f.block(time.Second)
}

// branch returns a copy of the chain whose blocks leave no trace in this one. x/staking is the same one.
func (f *fixture) branch() *fixture {
	g := *f
	g.ctx, _ = f.ctx.CacheContext()
	return &g
}
