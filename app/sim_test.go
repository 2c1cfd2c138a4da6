//go:build sims

package app_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	"github.com/edgechain/edge/x/epoch/beacon"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

var (
	simSeeds  = flag.String("seeds", "1,2,32,123", "seeds of the simulations, separated by commas")
	simBlocks = flag.Int("blocks", 400, "blocks of a simulation")
)

func seeds(t *testing.T) (list []int64) {
	t.Helper()
	for text := range strings.SplitSeq(*simSeeds, ",") {
		seed, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
		list = append(list, seed)
	}
	return list
}

// TestFullAppSimulation runs random messages of all modules over several seeds. Over all of them together, each of our messages
// must have been delivered, tokens minted, and payments set aside and made after all.
func TestFullAppSimulation(t *testing.T) {
	all, minted := make(tally), math.ZeroInt()
	var urls []string
	for _, seed := range seeds(t) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			s := newSimulation(t, simSetup{seed: seed})
			s.run(*simBlocks)
			rewards := s.rewards()
			t.Logf("epoch %d at height %d, supply %s, of which %s were minted, and %s burned",
				s.epoch().Number, s.height()-1, s.totalSupply(), rewards.Supply.Minted, rewards.Supply.Burned)
			minted = minted.Add(rewards.Supply.Minted)
			all.add(s.tally)
			urls = ourMessages(s.app)
		})
	}
	t.Log("\n" + all.String())
	var missing []string
	for _, url := range urls {
		if all[url] == nil || all[url].ok == 0 {
			missing = append(missing, url)
		}
	}
	require.Empty(t, missing, "never delivered")
	require.True(t, minted.IsPositive(), "nothing was minted")
}

// TestDeterminismSimulation runs the same seed twice with the executor that runs one transaction after the other, and once with
// the one that runs them in parallel, with records in memory; and has the blocks of the first run executed by a node that only follows. All must give
// the same app hashes, results and events in every block.
func TestDeterminismSimulation(t *testing.T) {
	for _, seed := range seeds(t)[:1] {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			blocks := *simBlocks / 2
			sequential := map[string]any{"block-executor": "sequential"}
			parallel := map[string]any{"block-executor": "block-stm", "block-stm-workers": 4, app.FlagRecordCacheBytes: 1 << 20}
			first := newSimulation(t, simSetup{seed: seed, opts: sequential})
			first.run(blocks)
			for _, other := range []struct {
				name string
				opts map[string]any
			}{{"again", sequential}, {"in parallel", parallel}} {
				t.Run(other.name, func(t *testing.T) {
					second := newSimulation(t, simSetup{seed: seed, opts: other.opts})
					for range blocks {
						second.step()
						i := len(second.responses) - 1
						require.Equal(t, first.comet.blocks[i+1].Txs, second.comet.blocks[i+1].Txs, "block %d", i)
						require.Equal(t, first.comet.appHashes[i+1], second.comet.appHashes[i+1], "block %d", i)
						requireSameResponse(t, first.responses[i], second.responses[i], i)
					}
				})
			}
			t.Run("followed in parallel", func(t *testing.T) {
				node := newApp(dbm.NewMemDB(), parallel)
				refuseAtTimes(node)
				_, err := node.InitChain(first.comet.genesis)
				require.NoError(t, err)
				for i, req := range first.comet.blocks {
					res, err := node.FinalizeBlock(req)
					require.NoError(t, err)
					_, err = node.Commit()
					require.NoError(t, err)
					require.Equal(t, first.comet.appHashes[i], res.AppHash, "height %d", req.Height)
				}
			})
		})
	}
}

// simMoment is a chain that was exported, and what it is to become.
type simMoment struct {
	moment

	// blocks is how many had been made.
	blocks int
	// after are the states of all modules after each of the blocks that followed.
	after []app.GenesisState
}

// continued is for how many blocks an imported chain goes on.
const continued = 25

// TestImportExportSimulation exports a chain in every phase of closing an epoch, paying it, electing and handing over. The
// document must load into a new chain that exports the same again.
//
// Where nobody has a beacon key, the new chain gets the blocks that came next on the old one, and must be in the same state after
// each of them. With reveals it cannot: the turns of proposers begin anew with a chain, other ones reveal, and another seed comes
// of it. There it gets the same transactions, in blocks of its own, and every invariant must hold.
func TestImportExportSimulation(t *testing.T) {
	for _, reveals := range []bool{false, true} {
		t.Run(fmt.Sprintf("reveals=%t", reveals), func(t *testing.T) { testImportExport(t, reveals) })
	}
}

func testImportExport(t *testing.T, reveals bool) {
	t.Helper()
	want := []string{"idle", "frozen", "hand-over", epochtypes.StageSum}
	for _, phase := range []rewardstypes.PayPhase{
		rewardstypes.PAY_PHASE_NODES, rewardstypes.PAY_PHASE_OWNERS, rewardstypes.PAY_PHASE_EARN_NODES,
		rewardstypes.PAY_PHASE_EARN_OWNERS, rewardstypes.PAY_PHASE_MINT_NODES, rewardstypes.PAY_PHASE_MINT_OWNERS,
	} {
		want = append(want, phase.String())
	}
	s := newSimulation(t, simSetup{seed: seeds(t)[0], change: func(s *simulation, state app.GenesisState) {
		edit(s.t, s.chain, state, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) {
			gs.Params.Duration, gs.Params.CloseBudget, gs.Params.StepBlocks = 10*blockTime, 1, 3
			if !reveals {
				gs.BeaconKeys = nil
			}
		})
		// A withdrawal that settlements have used up keeps its place in the queue, and is not exported: with a bound that is met,
		// those behind it would be paid a block later on the old chain.
		edit(s.t, s.chain, state, dacktypes.ModuleName, func(gs *dacktypes.GenesisState) { gs.Params.WithdrawalsPerBlock = 500 })
	}})
	s.governor.leaveOut(&epochtypes.MsgUpdateParams{})
	s.governor.leaveOut(&dacktypes.MsgUpdateParams{})
	if !reveals {
		s.messages.leaveOut(&epochtypes.MsgRegisterBeaconKey{})
	}
	moments := make(map[string]*simMoment)
	var compared []string
	for range 4 * *simBlocks {
		if len(compared) == len(want) {
			break
		}
		s.step()
		for _, name := range slices.Sorted(maps.Keys(moments)) {
			from := moments[name]
			if len(from.after) == continued {
				continue
			}
			if from.after = append(from.after, s.export().state); len(from.after) == continued {
				compared = append(compared, name)
				t.Run(name, func(t *testing.T) {
					d := s.imported(t, from)
					if reveals {
						s.continueAlone(t, from, d)
					} else {
						s.requireSameContinuation(t, from, d)
					}
				})
			}
		}
		if !s.isSettled() {
			continue
		}
		for _, name := range s.phases() {
			if moments[name] == nil && slices.Contains(want, name) {
				moments[name] = &simMoment{moment: s.export(), blocks: len(s.comet.blocks)}
				t.Logf("height %d: %s", s.height()-1, name)
			}
		}
	}
	require.ElementsMatch(t, want, compared)
}

// isSettled reports whether the set does not change with the next two blocks, so that a new chain starts with the set that the
// old one has.
func (s *simulation) isSettled() bool {
	return bytes.Equal(s.comet.last.Hash(), s.comet.current.Hash()) && bytes.Equal(s.comet.current.Hash(), s.comet.next.Hash())
}

// phases says what the chain is in the middle of.
func (s *simulation) phases() (names []string) {
	s.t.Helper()
	ctx := s.ctx()
	open := s.epoch()
	h, err := s.app.EpochKeeper.HandOver(ctx)
	require.NoError(s.t, err)
	closing := epochtypes.Epoch{Phase: epochtypes.PHASE_DONE}
	if open.Number > 1 {
		closing, err = s.app.EpochKeeper.Epoch(ctx, open.Number-1)
		require.NoError(s.t, err)
	}
	switch {
	case h.NextHeight != 0:
		names = append(names, "hand-over")
	case open.Phase == epochtypes.PHASE_FROZEN:
		names = append(names, "frozen")
	case closing.Phase == epochtypes.PHASE_DONE:
		names = append(names, "idle")
	}
	if closing.Phase != epochtypes.PHASE_CLOSING {
		return names
	}
	names = append(names, closing.Stage)
	for _, cursor := range s.rewards().Cursors {
		if cursor.Epoch == closing.Number {
			names = append(names, cursor.Phase.String())
		}
	}
	return names
}

// rewards returns the state of x/rewards.
func (s *simulation) rewards() (gs rewardstypes.GenesisState) {
	s.t.Helper()
	exported, err := s.app.ModuleManager().ExportGenesisForModules(s.ctx(), s.app.AppCodec(), []string{rewardstypes.ModuleName})
	require.NoError(s.t, err)
	s.app.AppCodec().MustUnmarshalJSON(exported[rewardstypes.ModuleName], &gs)
	return gs
}

// imported loads a document into a new chain, which must export the same again.
func (s *simulation) imported(t *testing.T, from *simMoment) *chain {
	t.Helper()
	original := *s.chain
	original.t = t
	d := original.resume(from.moment)
	refuseAtTimes(d.app)
	ctx := d.app.NewContextLegacy(false, cmtproto.Header{}).WithBlockHeight(from.height - 1).WithBlockTime(from.now)
	again, err := d.app.ModuleManager().ExportGenesisForModules(ctx, d.app.AppCodec(), nil)
	require.NoError(t, err)
	requireSameModules(t, d, from.height, from.state, again)
	return d
}

// requireSameContinuation gives a new chain the blocks that came next on the old one.
func (s *simulation) requireSameContinuation(t *testing.T, from *simMoment, d *chain) {
	t.Helper()
	for i, req := range s.comet.blocks[from.blocks : from.blocks+continued] {
		d.now = req.Time
		d.finalize(req)
		require.Equal(t, codesOf(s.responses[from.blocks-1+i]), codesOf(d.last), "height %d", req.Height)
		requireSameModules(t, d, from.height, from.after[i], d.export().state)
	}
}

// continueAlone gives a new chain the transactions that came next on the old one, in blocks of its own.
func (s *simulation) continueAlone(t *testing.T, from *simMoment, d *chain) {
	t.Helper()
	for _, v := range d.validators {
		v.silent, v.mute, v.reveal = false, true, revealHonest // the reports are among the transactions
	}
	for _, req := range s.comet.blocks[from.blocks : from.blocks+continued] {
		d.block(slices.DeleteFunc(slices.Clone(req.Txs), func(raw []byte) bool {
			_, injected := beacon.DecodeTx(raw)
			return injected
		})...)
	}
}

// requireSameModules compares the states of all modules.
func requireSameModules(t *testing.T, c *chain, height int64, want, got map[string]json.RawMessage) {
	t.Helper()
	a, b := withoutStart(t, c, height, want), withoutStart(t, c, height, got)
	require.Len(t, b, len(a))
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if !bytes.Equal(a[name], b[name]) {
			require.JSONEq(t, string(a[name]), string(b[name]), name)
		}
	}
}

// withoutStart returns the states without what a new chain knows otherwise: a set that was sent in one of the last two blocks is
// the one with which it starts; x/staking gives its unbondings new ids; and x/auth makes the numbers of new accounts from the hash
// of the state, which is another one.
func withoutStart(t *testing.T, c *chain, height int64, state map[string]json.RawMessage) app.GenesisState {
	t.Helper()
	out := make(app.GenesisState)
	maps.Copy(out, state)
	edit(t, c, out, authtypes.ModuleName, func(gs *authtypes.GenesisState) {
		accounts, err := authtypes.UnpackAccounts(gs.Accounts)
		require.NoError(t, err)
		for _, account := range accounts {
			if account.GetAccountNumber() >= 1<<63 { // not given by a genesis
				require.NoError(t, account.SetAccountNumber(0))
			}
		}
		gs.Accounts, err = authtypes.PackAccounts(accounts)
		require.NoError(t, err)
	})
	edit(t, c, out, stakingtypes.ModuleName, func(gs *stakingtypes.GenesisState) {
		for _, u := range gs.UnbondingDelegations {
			for i := range u.Entries {
				u.Entries[i].UnbondingId = 0
			}
		}
		for _, r := range gs.Redelegations {
			for i := range r.Entries {
				r.Entries[i].UnbondingId = 0
			}
		}
		for i := range gs.Validators {
			gs.Validators[i].UnbondingIds = nil
		}
	})
	edit(t, c, out, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) {
		for i, set := range gs.ValidatorSets {
			if set.SentHeight < height {
				gs.ValidatorSets[i].Height = min(set.Height, height)
			}
		}
	})
	return out
}
