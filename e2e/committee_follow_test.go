package e2e_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/types/bech32"
	"github.com/cosmos/cosmos-sdk/types/query"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/testutil/devnet"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// follower holds the model of the committee against a chain: at every height, CometBFT's validators must be those that the
// model works out. Of the chain it knows the answers to queries, and the blocks. Operators are raw addresses in it.
type follower struct {
	n *devnet.Network
	// via answers the queries about the state.
	via *devnet.Node
	// next is the next height to be held against the model, and base the height whose state names the set with which the chain
	// began: 0, or that of an export.
	next, base int64

	// operatorOf a consensus address, by all keys that were ever known.
	operatorOf map[string]string
	elections  map[uint64]*modelElection
	// closing[e] is the closing height of epoch e, of those epochs that are closed or frozen.
	closing map[uint64]int64
	// left has the leavings of an election as they are known now, with their height.
	left map[uint64][]modelLeaving
	// seen has the validators of each height that was held against the model.
	seen map[int64]map[string]int64

	params epochtypes.Params
}

// modelElection is an election as the model has worked it out.
type modelElection struct {
	epoch           uint64
	freeze, closing int64
	seats, spares   []string
	reveals         int
	seed            []byte
	// missed has those who proposed without the reveal that they owed: they never hold a seat.
	missed map[string]bool
}

type modelLeaving struct {
	operator string
	reason   epochtypes.LeaveReason
	height   int64
}

func newFollower(n *devnet.Network) *follower {
	return &follower{
		n: n, via: n.Nodes[0], next: 1,
		operatorOf: make(map[string]string), elections: make(map[uint64]*modelElection), closing: make(map[uint64]int64),
		left: make(map[uint64][]modelLeaving), seen: make(map[int64]map[string]int64),
	}
}

func (f *follower) query() epochtypes.QueryClient {
	return epochtypes.NewQueryClient(f.via.Chain.At(0))
}

// rawOperator returns the bytes of an operator address as a string.
func rawOperator(t *testing.T, text string) string {
	t.Helper()
	_, b, err := bech32.DecodeAndConvert(text)
	require.NoError(t, err)
	return string(b)
}

// name of an operator in messages: the moniker.
func (f *follower) name(t *testing.T, operator string) string {
	t.Helper()
	for _, v := range f.n.Nodes {
		if rawOperator(t, v.Valoper) == operator {
			return v.Moniker
		}
	}
	return hex.EncodeToString([]byte(operator))
}

// load asks for everything that can have changed.
func (f *follower) load(ctx context.Context, t *testing.T) {
	t.Helper()
	params, err := f.query().Params(ctx, &epochtypes.QueryParamsRequest{})
	require.NoError(t, err)
	f.params = params.Params

	validators, err := stakingtypes.NewQueryClient(f.via.Chain.At(0)).Validators(ctx, &stakingtypes.QueryValidatorsRequest{})
	require.NoError(t, err)
	for _, v := range validators.Validators {
		f.operatorOf[consensusAddress(t, v.ConsensusPubkey)] = rawOperator(t, v.OperatorAddress)
	}

	epochs, err := f.query().Epochs(ctx, &epochtypes.QueryEpochsRequest{Pagination: &query.PageRequest{Limit: 1000}})
	require.NoError(t, err)
	newest := epochs.Epochs[len(epochs.Epochs)-1]
	for _, e := range epochs.Epochs {
		if e.ClosingHeight != 0 {
			f.closing[e.Number] = e.ClosingHeight
		}
	}
	if newest.ClosingHeight != 0 && newest.EndHeight == 0 {
		delete(f.closing, newest.Number) // it is frozen: its closing height is still to come
	}
	for epoch := uint64(1); epoch <= newest.Number; epoch++ {
		if f.elections[epoch] == nil {
			f.elect(ctx, t, epoch)
		}
	}
	oldest, _ := f.handOver(max(f.next-2, f.base))
	for epoch := max(oldest-1, 1); epoch <= newest.Number; epoch++ {
		f.loadLeavings(ctx, t, epoch)
	}
}

// loadLeavings asks who left an election.
func (f *follower) loadLeavings(ctx context.Context, t *testing.T, epoch uint64) {
	t.Helper()
	committee, err := f.query().Committee(ctx, &epochtypes.QueryCommitteeRequest{Epoch: epoch})
	require.NoError(t, err)
	f.left[epoch] = nil
	for _, l := range committee.Leavings {
		f.left[epoch] = append(f.left[epoch], modelLeaving{rawOperator(t, l.Operator), l.Reason, l.Height})
	}
}

// frozen returns all rows of the record of a freeze.
func (f *follower) frozen(ctx context.Context, t *testing.T, epoch uint64) []epochtypes.FrozenValidator {
	t.Helper()
	res, err := f.query().Frozen(ctx, &epochtypes.QueryFrozenRequest{Epoch: epoch, Pagination: &query.PageRequest{Limit: 1000}})
	require.NoError(t, err)
	require.Empty(t, res.Pagination.GetNextKey())
	return res.Validators
}

// elect works out the election of an epoch and holds the published one against it.
func (f *follower) elect(ctx context.Context, t *testing.T, epoch uint64) {
	t.Helper()
	res, err := f.query().Election(ctx, &epochtypes.QueryElectionRequest{Epoch: epoch})
	require.NoError(t, err)
	published := res.Election
	rows := f.frozen(ctx, t, epoch)
	e := &modelElection{epoch: epoch, freeze: published.FreezeHeight, closing: published.ClosingHeight}

	bonded, participating, healthy := new(big.Int), new(big.Int), new(big.Int)
	var candidates, unjailed []modelStake
	keys := make(map[string]bool)
	for _, row := range rows {
		s := modelStake{[]byte(rawOperator(t, row.Operator)), row.Tokens.BigInt()}
		keys[string(s.operator)] = len(row.BeaconKey) != 0
		bonded.Add(bonded, s.stake)
		switch row.Ineligibility {
		case epochtypes.INELIGIBILITY_NONE:
			require.NotEmpty(t, row.BeaconKey)
			candidates = append(candidates, s)
			healthy.Add(healthy, s.stake)
			participating.Add(participating, s.stake)
		case epochtypes.INELIGIBILITY_UNHEALTHY:
			participating.Add(participating, s.stake)
		}
		if row.Ineligibility != epochtypes.INELIGIBILITY_JAILED {
			unjailed = append(unjailed, s)
		}
	}
	fallback := epochtypes.FALLBACK_NONE
	share := math.LegacyNewDecFromBigInt(participating).Mul(f.params.MinCommitteeStake)
	switch {
	case epoch == 1:
		fallback = epochtypes.FALLBACK_GENESIS
	case new(big.Int).Mul(participating, big.NewInt(3)).Cmp(new(big.Int).Mul(bonded, big.NewInt(2))) < 0:
		fallback = epochtypes.FALLBACK_PARTICIPATION
	case math.LegacyNewDecFromBigInt(healthy).LT(share):
		fallback = epochtypes.FALLBACK_HEALTH
	case len(candidates) < int(f.params.MinCommittee):
		fallback = epochtypes.FALLBACK_COMMITTEE
	}
	if fallback != epochtypes.FALLBACK_NONE {
		candidates = unjailed
	}
	if fallback != epochtypes.FALLBACK_NONE && fallback != epochtypes.FALLBACK_GENESIS {
		slices.SortFunc(candidates, func(a, b modelStake) int {
			if c := b.stake.Cmp(a.stake); c != 0 {
				return c
			}
			return bytes.Compare(a.operator, b.operator)
		})
		candidates = candidates[:min(len(candidates), int(published.Seats))]
	}
	require.Equal(t, fallback, published.Fallback, "epoch %d", epoch)
	require.Equal(t, len(candidates), int(published.Candidates), "epoch %d", epoch)

	e.seed = f.seed(ctx, t, e, published, keys)
	e.seats = modelDraw(domainSeats, e.seed, candidates, int(published.Seats))
	e.spares = modelDraw(domainSpares, e.seed, candidates, int(published.Seats))
	require.Equal(t, e.seats, expand(t, published.Elected), "seats of epoch %d", epoch)
	require.Equal(t, e.spares, expand(t, published.Spares), "spares of epoch %d", epoch)
	f.elections[epoch] = e
}

// expand lays runs out seat by seat.
func expand(t *testing.T, runs []epochtypes.SeatRun) []string {
	t.Helper()
	var seats []string
	for _, r := range runs {
		seats = append(seats, slices.Repeat([]string{rawOperator(t, r.Operator)}, int(r.Seats))...)
	}
	return seats
}

// seed works out the seed of an epoch from the one before and the reveals in the blocks, and who missed its reveal. keys has
// those with a beacon key in the record.
func (f *follower) seed(ctx context.Context, t *testing.T, e *modelElection, published epochtypes.Election, keys map[string]bool) []byte {
	t.Helper()
	if e.epoch == 1 {
		return digest(padded(domainFirstSeed), []byte(f.n.ChainID()))
	}
	before := f.elections[e.epoch-1]
	require.NotNil(t, before, "election of epoch %d", e.epoch-1)
	mix := digest(before.seed, f.block(ctx, t, e.freeze-1).Hash())
	require.Equal(t, mix, published.Start, "epoch %d", e.epoch)
	// The block at the closing height carries none: it brings the commit of the last one that does. Nobody cheats about who
	// proposed in these networks, so the header of a block that was decided in the first round names whose turn it was.
	missed := make(map[string]bool)
	for h := e.freeze + 1; h < e.closing; h++ {
		b := f.block(ctx, t, h)
		if len(b.Txs) > 0 {
			if reveal, ok := bytes.CutPrefix(b.Txs[0], padded(domainRevealTx)); ok {
				mix = digest(mix, reveal)
				e.reveals++
				continue
			}
		}
		round := f.block(ctx, t, h+1).LastCommit.Round
		if proposer := f.operatorOf[b.ProposerAddress.String()]; round == 0 && keys[proposer] {
			missed[proposer] = true
		}
	}
	require.Equal(t, e.reveals, int(published.Reveals), "epoch %d", e.epoch)
	require.Equal(t, mix, published.Seed, "epoch %d", e.epoch)
	record, err := f.query().Epoch(ctx, &epochtypes.QueryEpochRequest{Number: e.epoch})
	require.NoError(t, err)
	require.Equal(t, mix, record.Epoch.Seed, "epoch %d", e.epoch)

	e.missed = maps.Clone(missed)
	f.loadLeavings(ctx, t, e.epoch)
	said := make(map[string]bool)
	for _, l := range f.left[e.epoch] {
		if l.reason == epochtypes.LEAVE_REASON_MISSED_REVEAL {
			said[l.operator] = true
		} else {
			delete(missed, l.operator) // what counts for it is that it is not bonded
		}
	}
	require.Equal(t, missed, said, "who missed a reveal for epoch %d", e.epoch)
	return mix
}

func (f *follower) block(ctx context.Context, t *testing.T, height int64) *cmttypes.Block {
	t.Helper()
	res, err := f.via.Chain.RPC.Block(ctx, &height)
	require.NoError(t, err)
	return res.Block
}

// holders of an election after a height.
func (f *follower) holders(epoch uint64, height int64) []string {
	e := f.elections[epoch]
	left := make(map[string]bool)
	maps.Copy(left, e.missed)
	for _, l := range f.left[epoch] {
		if l.height <= height {
			left[l.operator] = true
		}
	}
	return modelHolders(e.seats, e.spares, left)
}

// handOver says which epoch's committee takes over after the block at a height, and how many steps were sent.
func (f *follower) handOver(height int64) (epoch uint64, steps int) {
	epoch, steps = 1, 4
	for e, closing := range f.closing {
		if closing <= height && e+1 > epoch {
			epoch, steps = e+1, min(4, 1+int((height-closing)/int64(f.params.StepBlocks)))
		}
	}
	return epoch, steps
}

// wanted works out the powers that are sent at the latest by the block at a height.
func (f *follower) wanted(height int64) map[string]int64 {
	epoch, steps := f.handOver(height)
	var outgoing []string
	if steps < 4 {
		outgoing = f.holders(epoch-1, height)
	}
	return modelPowers(f.holders(epoch, height), outgoing, steps)
}

// validators returns CometBFT's own powers at a height, as a node has them.
func (f *follower) validators(ctx context.Context, t *testing.T, via *devnet.Node, height int64) map[string]int64 {
	t.Helper()
	page, limit := 1, 100
	res, err := via.Chain.RPC.Validators(ctx, &height, &page, &limit)
	require.NoError(t, err)
	require.Len(t, res.Validators, res.Total)
	powers := make(map[string]int64)
	for _, v := range res.Validators {
		operator, ok := f.operatorOf[v.Address.String()]
		require.True(t, ok, "height %d: nobody known has the key of %s", height, v.Address)
		require.NotContains(t, powers, operator, "height %d: %s stands twice", height, f.name(t, operator))
		powers[operator] = v.VotingPower
	}
	return powers
}

// follow holds every height up to the newest against the model, asking the nodes that run by turns, and returns that height.
func (f *follower) follow(ctx context.Context, t *testing.T) int64 {
	t.Helper()
	newest, err := f.via.Chain.Height(ctx)
	require.NoError(t, err)
	f.load(ctx, t)
	for ; f.next <= newest; f.next++ {
		h := f.next
		via := f.n.Nodes[int(h)%len(f.n.Nodes)]
		if !via.Running() {
			via = f.via
		} else if s, err := via.Chain.RPC.Status(ctx); err != nil || s.SyncInfo.LatestBlockHeight < h || s.SyncInfo.EarliestBlockHeight > h {
			via = f.via
		}
		got := f.validators(ctx, t, via, h)
		// What a block sends is in force two heights later.
		sent := max(h-2, f.base)
		want := f.wanted(sent)
		require.NotEmpty(t, got, "height %d", h)
		epoch, steps := f.handOver(sent)
		require.Equal(t, f.names(t, want), f.names(t, got), "height %d, epoch %d, %d steps, according to %s", h, epoch, steps, via.Moniker)
		f.seen[h] = got
		// The chain's own account of the hand-over, whenever it moves.
		if e, s := f.handOver(max(sent-1, f.base)); sent > f.base && (e != epoch || s != steps) {
			for state, want := range map[int64][2]uint64{sent - 1: {e, uint64(s)}, sent: {epoch, uint64(steps)}} {
				if state <= f.base {
					continue // there is no such state on this chain
				}
				current, err := epochtypes.NewQueryClient(f.via.Chain.At(state)).Current(ctx, &epochtypes.QueryCurrentRequest{})
				require.NoError(t, err)
				require.Equal(t, want, [2]uint64{current.HandOver.Epoch, uint64(current.HandOver.Steps)}, "hand-over after height %d", state)
			}
		}
	}
	return newest
}

func (f *follower) names(t *testing.T, powers map[string]int64) map[string]int64 {
	t.Helper()
	named := make(map[string]int64)
	for operator, power := range powers {
		named[f.name(t, operator)] = power
	}
	return named
}

// open returns the open epoch.
func (f *follower) open(ctx context.Context, t *testing.T) epochtypes.QueryCurrentResponse {
	t.Helper()
	res, err := f.query().Current(ctx, &epochtypes.QueryCurrentRequest{})
	require.NoError(t, err)
	return *res
}

// committees counts the different committees among the elections so far: who sits, with how many seats.
func (f *follower) committees(t *testing.T) int {
	t.Helper()
	different := make(map[string]bool)
	for _, e := range f.elections {
		sorted := slices.Sorted(slices.Values(e.seats))
		different[strings.Join(sorted, "|")] = true
	}
	return len(different)
}

// justified checks that whoever was jailed for silence was silent while it was a validator: of the last blocks of the window in
// which it had power, it failed to sign more than it may.
func (f *follower) justified(ctx context.Context, t *testing.T, window, mayMiss int) {
	t.Helper()
	for epoch, leavings := range f.left {
		for _, l := range leavings {
			if l.reason != epochtypes.LEAVE_REASON_UNBONDED {
				continue
			}
			signed, missed := 0, 0
			for h := l.height - 1; h > 0 && signed+missed < window; h-- {
				if f.seen[h][l.operator] == 0 {
					continue
				}
				if f.signs(ctx, t, h, l.operator) {
					signed++
				} else {
					missed++
				}
			}
			require.Greater(t, missed, mayMiss, "%s left epoch %d at height %d", f.name(t, l.operator), epoch, l.height)
		}
	}
}

// signs says whether an operator's signature stands in the commit of a height as the next block has it.
func (f *follower) signs(ctx context.Context, t *testing.T, height int64, operator string) bool {
	t.Helper()
	for _, s := range f.block(ctx, t, height+1).LastCommit.Signatures {
		if s.BlockIDFlag != cmttypes.BlockIDFlagAbsent && f.operatorOf[s.ValidatorAddress.String()] == operator {
			return true
		}
	}
	return false
}

// sameHashes requires that nodes have the same headers, and with them the same app hashes, at every height, and that what each
// of them has computed last is what the chain says.
func (f *follower) sameHashes(ctx context.Context, t *testing.T, from, to int64, nodes ...*devnet.Node) {
	t.Helper()
	hashes := make(map[int64]string)
	for _, v := range nodes {
		status, err := v.Chain.RPC.Status(ctx)
		require.NoError(t, err)
		for low := max(from, status.SyncInfo.EarliestBlockHeight); low <= to; low += 20 {
			res, err := v.Chain.RPC.BlockchainInfo(ctx, low, min(low+19, to))
			require.NoError(t, err)
			require.Len(t, res.BlockMetas, int(min(20, to-low+1)), "%s has not all blocks from %d", v.Moniker, low)
			for _, meta := range res.BlockMetas {
				got := fmt.Sprintf("header %s, app hash %s", meta.BlockID.Hash, meta.Header.AppHash)
				if want, ok := hashes[meta.Header.Height]; ok {
					require.Equal(t, want, got, "height %d at %s", meta.Header.Height, v.Moniker)
				}
				hashes[meta.Header.Height] = got
			}
		}
		info, err := v.Chain.RPC.ABCIInfo(ctx)
		require.NoError(t, err)
		height := info.Response.LastBlockHeight
		require.GreaterOrEqual(t, height, to, "%s has executed too little", v.Moniker)
		require.NoError(t, f.via.WaitHeight(ctx, height+1))
		require.Equal(t, f.block(ctx, t, height+1).AppHash.Bytes(), info.Response.LastBlockAppHash, "%s after height %d", v.Moniker, height)
	}
}
