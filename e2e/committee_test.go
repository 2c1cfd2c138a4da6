package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"

	"github.com/edgechain/edge/testutil/devnet"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// The network on which the draw is followed. A step takes no less than the window in which silence is counted, so that a dead
// newcomer is jailed before the next one.
const (
	committeeValidators = 7
	committeeSeats      = 4
	committeeStep       = 10
	// committeeWindow is the smallest that x/slashing knows, and committeeMayMiss what may be missed of it.
	committeeWindow  = 10
	committeeMayMiss = 4
	committeeEpochs  = 20
)

// byzantine are the validators that run the cheating program, those with the largest stakes. It is honest until it is told
// otherwise.
var byzantine = []int{5, 6}

// TestCommitteeFollowsTheDraw runs a network of validators with seats for about half of them through many short epochs. At every
// height, CometBFT's own validators must be those that the model works out, whatever happens meanwhile: cheats propose, nodes
// are killed and come back, one is jailed, another one joins by state sync in the middle of a beacon.
func TestCommitteeFollowsTheDraw(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, 15*time.Minute)
	cheat := buildByzantine(ctx, t)
	n := startNetwork(ctx, t, devnet.Config{
		ChainID: "edge-committee-1", PortOffset: offsetCommittee, Validators: committeeValidators,
		// Not too different: there shall be many committees that can be drawn.
		Stakes: []string{"85000", "90000", "95000", "100000", "105000", "110000", "115000"},
		Seats:  committeeSeats, StepBlocks: committeeStep, BeaconBlocks: 4,
		EpochDuration: time.Second, BlockTime: 150 * time.Millisecond, Reports: true,
		Genesis: map[string]any{
			"app_state.slashing.params.signed_blocks_window":  strconv.Itoa(committeeWindow),
			"app_state.slashing.params.min_signed_per_window": "0.600000000000000000",
		},
		Prepare: func(n *devnet.Network) error {
			for _, i := range byzantine {
				n.Nodes[i].Replace(cheat)
			}
			return hurry(n)
		},
	})
	c := &committeeTest{n: n, f: newFollower(n)}
	t.Cleanup(func() {
		if c.joined == nil || !c.joined.Running() {
			return
		}
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := c.joined.Stop(stop); err != nil {
			t.Error(err)
		}
	})

	// Nothing happens in the first epochs, and nobody is punished for having no seat.
	require.NoError(t, n.WaitEpoch(ctx, 4))
	c.f.follow(ctx, t)
	c.onlyMembersCount(ctx, t)

	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"killed newcomer", c.killedNewcomer},
		{"state sync inside a beacon", c.stateSync},
		{"wrong reveals", c.wrongReveals},
		{"no reveals", c.noReveals},
		{"killed inside a beacon", c.killedInBeacon},
		{"unjailed", c.unjailed},
	} {
		if !t.Run(part.name, part.run) {
			return // the parts after it build on it
		}
	}

	require.NoError(t, n.WaitEpoch(ctx, committeeEpochs+1))
	newest := c.f.follow(ctx, t)
	for epoch := uint64(2); epoch <= committeeEpochs; epoch++ {
		require.Positive(t, c.f.elections[epoch].reveals, "reveals for epoch %d", epoch)
	}
	require.GreaterOrEqual(t, c.f.committees(t), 10, "different committees")
	c.f.justified(ctx, t, committeeWindow, committeeMayMiss)
	nodes := append(slices.Clone(n.Nodes), c.joined)
	for _, v := range nodes {
		waitFor(ctx, t, v, newest)
	}
	c.f.sameHashes(ctx, t, 1, newest, nodes...)
	t.Logf("%d heights, %d elections, %d different committees", newest, len(c.f.elections), c.f.committees(t))
}

// committeeTest is what the parts of the test share.
type committeeTest struct {
	n *devnet.Network
	f *follower
	// dead is the newcomer to the committee of deadEpoch that was killed and jailed, joined the node that state sync brought in.
	dead, joined *devnet.Node
	deadEpoch    uint64
}

// onlyMembersCount checks that each validator was judged by the blocks in which it had power, and by no others. x/slashing begins
// anew with those that it has jailed.
func (c *committeeTest) onlyMembersCount(ctx context.Context, t *testing.T) {
	t.Helper()
	height := c.f.next - 1
	res, err := slashingtypes.NewQueryClient(c.n.Chain.At(height)).SigningInfos(ctx, &slashingtypes.QuerySigningInfosRequest{})
	require.NoError(t, err)
	require.Len(t, res.Info, committeeValidators)
	for _, info := range res.Info {
		var operator string
		for address, o := range c.f.operatorOf {
			if address == hexAddress(t, info.Address) {
				operator = o
			}
		}
		require.NotEmpty(t, operator)
		if info.JailedUntil.After(time.Unix(0, 0)) {
			continue
		}
		judged := int64(0)
		for h := int64(1); h < height; h++ { // the commit of the last height is not on the chain yet
			if c.f.seen[h][operator] != 0 {
				judged++
			}
		}
		require.Equal(t, judged, info.IndexOffset, "blocks by which %s was judged", c.f.name(t, operator))
	}
}

// free lets those go whose time in jail is over, all but the one that was killed. On a machine that has other things to do a
// validator can be late for a whole window, and this test is not about that; without it the
// network would lose one after the other.
func (c *committeeTest) free(ctx context.Context, t *testing.T) {
	t.Helper()
	status, err := c.n.Chain.RPC.Status(ctx)
	require.NoError(t, err)
	for _, v := range c.n.Nodes {
		if v == c.dead || !jailed(ctx, t, c.n, v) {
			continue
		}
		info, err := slashingtypes.NewQueryClient(c.n.Chain.At(0)).SigningInfo(ctx, &slashingtypes.QuerySigningInfoRequest{ConsAddress: consensusOf(t, v)})
		require.NoError(t, err)
		if !info.ValSigningInfo.Tombstoned && status.SyncInfo.LatestBlockTime.After(info.ValSigningInfo.JailedUntil) {
			t.Logf("%s was late for a whole window, and is free again", v.Moniker)
			purseOf(t, c.n, v, "operator").send(ctx, t, &slashingtypes.MsgUnjail{ValidatorAddr: v.Valoper})
		}
	}
}

// waitTurn waits until the next epoch opens and returns its number and the closing height of the one before.
func (c *committeeTest) waitTurn(ctx context.Context, t *testing.T) (epoch uint64, closing int64) {
	t.Helper()
	c.free(ctx, t)
	before := c.f.open(ctx, t).Epoch.Number
	await(ctx, t, "the next epoch", func() error {
		e := c.f.open(ctx, t).Epoch
		if e.Number > before {
			epoch, closing = e.Number, e.StartHeight-1
			return nil
		}
		return fmt.Errorf("epoch %d", e.Number)
	})
	return epoch, closing
}

// waitBeacon waits until the open epoch is frozen and returns the beacon.
func (c *committeeTest) waitBeacon(ctx context.Context, t *testing.T) (b epochtypes.Beacon) {
	t.Helper()
	await(ctx, t, "a freeze", func() error {
		res, err := c.f.query().Beacon(ctx, &epochtypes.QueryBeaconRequest{})
		if err != nil {
			return err
		}
		if res.Beacon == nil {
			return errNotYet
		}
		b = *res.Beacon
		return nil
	})
	return b
}

// killedNewcomer kills a validator in the moment in which a step gives it its first seat. It must be jailed, and gone from the
// set, before the next step, and nobody else with it.
func (c *committeeTest) killedNewcomer(t *testing.T) {
	ctx := bounded(t, 4*time.Minute)
	var step int
	var sent int64
	var epoch uint64
	for c.dead == nil {
		var closing int64
		epoch, closing = c.waitTurn(ctx, t)
		c.f.load(ctx, t)
		full := len(c.f.left[epoch]) == 0 && len(c.f.left[epoch-1]) == 0
		for step = 1; step < 4 && full && c.dead == nil; step++ {
			sent = closing + int64(step-1)*committeeStep
			incoming := c.f.holders(epoch, sent)
			newcomer := incoming[step-1]
			if modelPowers(incoming, c.f.holders(epoch-1, sent), step-1)[newcomer] != 0 {
				continue
			}
			for _, v := range c.n.Nodes[1:] { // the first one answers the queries
				if rawOperator(t, v.Valoper) == newcomer && !slices.Contains(byzantine, v.Index) {
					c.dead = v
				}
			}
			if c.dead != nil {
				break
			}
		}
	}
	waitFor(ctx, t, c.n.Nodes[0], sent)
	require.NoError(t, c.dead.Kill())
	c.deadEpoch = epoch
	t.Logf("%s got its seat of epoch %d in step %d, sent at height %d, and was killed", c.dead.Moniker, epoch, step, sent)

	waitFor(ctx, t, c.n.Nodes[0], sent+committeeStep)
	c.f.follow(ctx, t)
	operator := rawOperator(t, c.dead.Valoper)
	i := slices.IndexFunc(c.f.left[epoch], func(l modelLeaving) bool { return l.operator == operator })
	require.NotEqual(t, -1, i, "the dead newcomer sits on after the next step")
	require.Equal(t, epochtypes.LEAVE_REASON_UNBONDED, c.f.left[epoch][i].reason)
	require.Less(t, c.f.left[epoch][i].height, sent+committeeStep, "it was jailed too late")
	require.Positive(t, c.f.seen[sent+2][operator], "it never had its seat")
	waitFor(ctx, t, c.n.Nodes[0], c.f.left[epoch][i].height+2)
	c.f.follow(ctx, t)
	require.Zero(t, c.f.seen[c.f.left[epoch][i].height+2][operator], "it was jailed and stays in CometBFT's set")
	require.True(t, jailed(ctx, t, c.n, c.dead))
	c.slashedForSilence(ctx, t, c.f.left[epoch][i].height)
	c.f.justified(ctx, t, committeeWindow, committeeMayMiss)
	c.onlyMembersCount(ctx, t)
}

// slashedForSilence checks that the block in which the newcomer was jailed burnt the fraction of its stake at the freeze.
func (c *committeeTest) slashedForSilence(ctx context.Context, t *testing.T, height int64) {
	t.Helper()
	params, err := slashingtypes.NewQueryClient(c.n.Chain.At(0)).Params(ctx, &slashingtypes.QueryParamsRequest{})
	require.NoError(t, err)
	rows := c.f.frozen(ctx, t, c.deadEpoch)
	i := slices.IndexFunc(rows, func(row epochtypes.FrozenValidator) bool { return row.Operator == c.dead.Valoper })
	require.NotEqual(t, -1, i)
	want := params.Params.SlashFractionDowntime.MulInt(rows[i].Tokens).TruncateInt()
	require.True(t, want.IsPositive())
	require.Equal(t, want, stakeSupply(ctx, t, c.n, height-1).Sub(stakeSupply(ctx, t, c.n, height)))
}

// stateSync has the dead node, which was jailed and is missed by nobody, make a snapshot of a height inside the last beacon before
// it comes back. A new node takes that snapshot: it must go on from the middle of the beacon to the draw like everybody else.
func (c *committeeTest) stateSync(t *testing.T) {
	ctx := bounded(t, 4*time.Minute)
	provider := c.dead
	// It had executed the beacon of the election that gave it its seat.
	election := c.f.elections[c.deadEpoch]
	inside := election.freeze + 2
	require.Less(t, inside, election.closing)
	out, err := provider.Edged(ctx, "snapshots", "export", "--height", strconv.FormatInt(inside, 10))
	require.NoError(t, err, out)

	// It was killed: what it comes back with is what it had written, and CometBFT replays the rest.
	require.NoError(t, provider.Start(ctx))
	waitFor(ctx, t, provider, c.f.next)
	joined, err := c.n.NewFullNode(ctx, committeeValidators)
	require.NoError(t, err)
	trusted := c.f.block(ctx, t, inside)
	for _, s := range [][2]string{
		{"enable", "true"},
		{"rpc_servers", fmt.Sprintf("%q", c.n.Nodes[0].RPC()+","+c.n.Nodes[1].RPC())},
		{"trust_height", strconv.FormatInt(trusted.Height, 10)},
		{"trust_hash", fmt.Sprintf("%q", trusted.Hash().String())},
		{"discovery_time", `"5s"`},
	} {
		require.NoError(t, joined.Set("config.toml", "statesync", s[0], s[1]))
	}
	c.joined = joined
	require.NoError(t, joined.Start(ctx))
	waitFor(ctx, t, joined, election.closing+1)
	status, err := joined.Chain.RPC.Status(ctx)
	require.NoError(t, err)
	require.Equal(t, inside+1, status.SyncInfo.EarliestBlockHeight, "the node did not begin with the snapshot")
	beacon, err := epochtypes.NewQueryClient(joined.Chain.At(inside)).Beacon(ctx, &epochtypes.QueryBeaconRequest{})
	require.NoError(t, err)
	require.NotNil(t, beacon.Beacon, "height %d is not inside a beacon", inside)
	newest := c.f.follow(ctx, t)
	waitFor(ctx, t, joined, newest)
	c.f.sameHashes(ctx, t, inside, newest, c.n.Nodes[0], provider, joined)
}

// cheat tells the cheating nodes how to cheat, or with an empty mode to be honest again.
func (c *committeeTest) cheat(t *testing.T, mode string) {
	t.Helper()
	for _, i := range byzantine {
		require.NoError(t, os.WriteFile(filepath.Join(c.n.Nodes[i].Home, "byzantine"), []byte(mode), 0o600))
	}
}

// escapes are the colours of a log.
var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// logged counts the lines of a node's log with a message, by the height that they name.
func logged(t *testing.T, v *devnet.Node, message string) map[int64]int {
	t.Helper()
	raw, err := os.ReadFile(v.LogPath())
	require.NoError(t, err)
	counts := make(map[int64]int)
	for line := range strings.Lines(escapes.ReplaceAllString(string(raw), "")) {
		if !strings.Contains(line, message) {
			continue
		}
		_, rest, ok := strings.Cut(line, " height=")
		require.True(t, ok, "%s", line)
		digits, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		height, err := strconv.ParseInt(digits, 10, 64)
		require.NoError(t, err, "%s", line)
		counts[height]++
	}
	return counts
}

// wrongReveals has the cheats propose wrong reveals. Honest validators refuse them, in the first round of a height and in the
// second one; the height is decided all the same, by somebody else's proposal. What a cheat loses is its turn: it never stands
// as the proposer of a block of the beacon, so its seats stay its own.
func (c *committeeTest) wrongReveals(t *testing.T) {
	ctx := bounded(t, 8*time.Minute)
	from := c.f.follow(ctx, t)
	c.cheat(t, "wrong")
	cheats := make(map[string]bool)
	for _, i := range byzantine {
		cheats[rawOperator(t, c.n.Nodes[i].Valoper)] = true
	}
	// refused says whether every honest validator of a height has refused so many proposals.
	refused := func(height int64, times int, refusals map[string]map[int64]int) bool {
		for operator := range c.f.seen[height] {
			if !cheats[operator] && refusals[operator][height] < times {
				return false
			}
		}
		return true
	}
	var first, second bool
	for !first || !second {
		c.waitTurn(ctx, t)
		newest := c.f.follow(ctx, t)
		proposals := make(map[int64]int)
		for _, i := range byzantine {
			for height, count := range logged(t, c.n.Nodes[i], "cheated") {
				proposals[height] += count
			}
		}
		refusals := make(map[string]map[int64]int)
		for _, v := range c.n.Nodes {
			refusals[rawOperator(t, v.Valoper)] = logged(t, v, "proposal refused")
		}
		for _, height := range slices.Sorted(maps.Keys(proposals)) {
			if height >= newest {
				continue
			}
			commit, err := c.n.Chain.RPC.Commit(ctx, &height)
			require.NoError(t, err)
			round := int(commit.Commit.Round)
			require.GreaterOrEqual(t, round, proposals[height], "a wrong reveal was taken at height %d", height)
			require.NotContains(t, cheats, c.f.operatorOf[commit.ProposerAddress.String()], "height %d", height)
			if round != proposals[height] || !refused(height, round, refusals) {
				continue // a round that ended for another reason
			}
			if !first && round == 1 || !second && round == 2 {
				t.Logf("height %d was decided in round %d, after %d wrong reveals", height, round, proposals[height])
			}
			first = first || round == 1
			second = second || round == 2
		}
	}
	// Their seats.
	elected := 0
	for epoch, e := range c.f.elections {
		if e.freeze <= from {
			continue
		}
		for _, l := range c.f.left[epoch] {
			require.False(t, cheats[l.operator], "%s left epoch %d", c.f.name(t, l.operator), epoch)
		}
		for _, operator := range e.seats {
			if cheats[operator] {
				elected++
			}
		}
	}
	require.Positive(t, elected, "seats that the cheats won meanwhile")
}

// noReveals has the cheats keep their reveals to themselves. Their blocks stand, and whatever they win is vacant.
func (c *committeeTest) noReveals(t *testing.T) {
	ctx := bounded(t, 5*time.Minute)
	c.cheat(t, "silent")
	defer c.cheat(t, "")
	for {
		epoch, closing := c.waitTurn(ctx, t)
		waitFor(ctx, t, c.n.Nodes[0], closing+3*committeeStep+2)
		c.f.follow(ctx, t)
		for _, l := range c.f.left[epoch] {
			if l.reason != epochtypes.LEAVE_REASON_MISSED_REVEAL || !slices.Contains(c.f.elections[epoch].seats, l.operator) {
				continue
			}
			require.NotContains(t, c.f.seen[closing+3*committeeStep+2], l.operator, "it kept its reveal to itself, and sits")
			res, err := c.f.query().Committee(ctx, &epochtypes.QueryCommitteeRequest{Epoch: epoch})
			require.NoError(t, err)
			held := 0
			for _, m := range res.Members {
				held += int(m.Held)
				if rawOperator(t, m.Operator) == l.operator {
					require.Positive(t, m.Elected)
					require.Zero(t, m.Held)
				}
			}
			require.Equal(t, committeeSeats, held+int(res.Vacant))
			return
		}
	}
}

// killedInBeacon kills a node between a freeze and its closing height, and it goes on from there. It is the one that is jailed, so
// that its absence costs no seat.
func (c *committeeTest) killedInBeacon(t *testing.T) {
	ctx := bounded(t, 4*time.Minute)
	for {
		c.waitTurn(ctx, t)
		b := c.waitBeacon(ctx, t)
		waitFor(ctx, t, c.dead, b.FreezeHeight+1)
		require.NoError(t, c.dead.Kill())
		require.NoError(t, c.dead.Start(ctx))
		// What it had executed is what it says to CometBFT when it comes back.
		last := int64(0)
		for height := range logged(t, c.dead, "ABCI Handshake App Info") {
			last = max(last, height)
		}
		waitFor(ctx, t, c.dead, b.ClosingHeight+2)
		newest := c.f.follow(ctx, t)
		waitFor(ctx, t, c.dead, newest)
		c.f.sameHashes(ctx, t, b.FreezeHeight, newest, c.n.Nodes[0], c.dead)
		if last >= b.FreezeHeight && last < b.ClosingHeight {
			return
		}
		t.Logf("killed at height %d, outside of the beacon from %d to %d", last, b.FreezeHeight, b.ClosingHeight)
	}
}

// unjailed lets the one that was jailed come back: it is a candidate for the next committee, and no member of this one.
func (c *committeeTest) unjailed(t *testing.T) {
	ctx := bounded(t, 4*time.Minute)
	info, err := slashingtypes.NewQueryClient(c.n.Chain.At(0)).SigningInfo(ctx, &slashingtypes.QuerySigningInfoRequest{
		ConsAddress: consensusOf(t, c.dead),
	})
	require.NoError(t, err)
	await(ctx, t, "the end of the jail", func() error {
		status, err := c.n.Chain.RPC.Status(ctx)
		if err == nil && !status.SyncInfo.LatestBlockTime.After(info.ValSigningInfo.JailedUntil) {
			err = errNotYet
		}
		return err
	})
	require.NoError(t, c.dead.Tx(ctx, "tx", "slashing", "unjail", "--from", "operator"))
	require.False(t, jailed(ctx, t, c.n, c.dead))
	// It was away for a while, and may have to opt in again.
	node, err := nodetypes.NewQueryClient(c.n.Chain.At(0)).Node(ctx, &nodetypes.QueryNodeRequest{Operator: c.dead.Valoper})
	require.NoError(t, err)
	if node.EpochsLeft == 0 {
		purseOf(t, c.n, c.dead, "operator").send(ctx, t, &nodetypes.MsgOptIn{Operator: c.dead.Valoper})
	}
	for {
		epoch, _ := c.waitTurn(ctx, t)
		for _, row := range c.f.frozen(ctx, t, epoch) {
			if row.Operator == c.dead.Valoper && row.Ineligibility == epochtypes.INELIGIBILITY_NONE {
				return
			}
		}
	}
}
