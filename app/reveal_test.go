package app_test

import (
	"os"
	"path/filepath"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/gogoproto/proto"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"

	"github.com/edgechain/edge/app/beaconkey"
	"github.com/edgechain/edge/x/epoch/beacon"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// events counts the events of a type in the last block.
func (c *chain) events(event proto.Message) (n int) {
	for _, e := range c.last.Events {
		if e.Type == proto.MessageName(event) {
			n++
		}
	}
	return n
}

// reveal returns what the proposer of the next block owes, as an entry of its block.
func (c *chain) owed() []byte {
	c.t.Helper()
	proposer := c.proposer(0).Address
	duty, due, err := c.app.EpochKeeper.RevealDuty(c.ctx(), c.height(), proposer)
	require.NoError(c.t, err)
	require.True(c.t, due)
	return beacon.EncodeTx(c.validatorAt(proposer).beacon.Reveal(chainID, duty.Seed, c.height()))
}

// Between the freeze and the closing height the first entry of a block is a valid reveal of its proposer, or there is none at
// all; at no other place and no other time is there a reveal.
func TestProcessProposalChecksReveals(t *testing.T) {
	alice := newKey("alice")
	c := newCommittee(t, setup{stakes: sevenStakes(), accounts: []*secp256k1.PrivKey{alice}, params: wideCommittee})
	transaction := c.tx(alice, 200_000, 0, transfer(addressOf(alice), addressOf(alice), 1))
	accept, reject := abci.ResponseProcessProposal_ACCEPT, abci.ResponseProcessProposal_REJECT
	process := func(txs ...[]byte) abci.ResponseProcessProposal_ProposalStatus {
		return c.processBy(c.proposer(0).Address, txs)
	}
	early := beacon.EncodeTx(c.validators[0].beacon.Reveal(chainID, c.epoch().Seed, c.height()))
	require.Equal(t, reject, process(early), "before the freeze")

	e := c.toPhase(epochtypes.PHASE_FROZEN)
	require.Equal(t, e.FreezeHeight, c.app.LastBlockHeight())
	for c.height() < e.ClosingHeight {
		proposer := c.validatorAt(c.proposer(0).Address)
		right := c.owed()
		reveal, _ := beacon.DecodeTx(right)
		sign := func(v *validator, seed []byte, height int64) []byte {
			return beacon.EncodeTx(v.beacon.Reveal(chainID, seed, height))
		}
		stranger := c.validators[0]
		if stranger == proposer {
			stranger = c.validators[1]
		}
		flipped := append([]byte{}, right...)
		flipped[len(flipped)-1] ^= 1
		infinity := make([]byte, beacon.SignatureSize)
		infinity[0] = 0xc0
		for name, tt := range map[string]struct {
			txs  [][]byte
			want abci.ResponseProcessProposal_ProposalStatus
		}{
			"right":                             {[][]byte{right}, accept},
			"right, and a transaction":          {[][]byte{right, transaction}, accept},
			"none":                              {nil, accept},
			"none, but a transaction":           {[][]byte{transaction}, accept},
			"behind a transaction":              {[][]byte{transaction, right}, reject},
			"twice":                             {[][]byte{right, right}, reject},
			"of somebody else":                  {[][]byte{sign(stranger, e.Seed, c.height())}, reject},
			"of another height":                 {[][]byte{sign(proposer, e.Seed, c.height()+1)}, reject},
			"of another seed":                   {[][]byte{sign(proposer, sha([]byte("other")), c.height())}, reject},
			"a bit flipped":                     {[][]byte{flipped}, reject},
			"cut short":                         {[][]byte{right[:len(right)-1]}, reject},
			"too long":                          {[][]byte{append(append([]byte{}, right...), 0)}, reject},
			"nothing behind the prefix":         {[][]byte{beacon.EncodeTx(nil)}, reject},
			"the point at infinity":             {[][]byte{beacon.EncodeTx(infinity)}, reject},
			"without the prefix":                {[][]byte{reveal}, reject},
			"right, then no transaction":        {[][]byte{right, {1, 2, 3}}, reject},
			"right, then too much gas":          {[][]byte{right, c.tx(alice, maxTxGas+1, 0, transfer(addressOf(alice), addressOf(alice), 1))}, reject},
			"right, and all the gas of a block": {[][]byte{right, c.tx(alice, maxTxGas, 0, transfer(addressOf(alice), addressOf(alice), 1))}, accept},
		} {
			require.Equal(t, tt.want, process(tt.txs...), "height %d: %s", c.height(), name)
		}
		c.block()
	}
	late := beacon.EncodeTx(c.validatorAt(c.proposer(0).Address).beacon.Reveal(chainID, e.Seed, c.height()))
	require.Equal(t, reject, process(late), "after the closing height")
}

// The proposer's reveal comes first and takes its bytes from the transactions; what looks like a reveal in the mempool is
// dropped, and does not get into it.
func TestPrepareProposalReveals(t *testing.T) {
	alice := newKey("alice")
	c := newCommittee(t, setup{stakes: sevenStakes(), accounts: []*secp256k1.PrivKey{alice}})
	c.toPhase(epochtypes.PHASE_FROZEN)
	right := c.owed()
	size := cmttypes.ComputeProtoSizeForTxs([]cmttypes.Tx{right})
	tx := c.tx(alice, 200_000, 0, transfer(addressOf(alice), addressOf(alice), 1))
	full := size + cmttypes.ComputeProtoSizeForTxs([]cmttypes.Tx{tx})

	require.Equal(t, [][]byte{right}, c.prepare(1<<20))
	require.Equal(t, [][]byte{right, tx}, c.prepare(1<<20, tx))
	require.Equal(t, [][]byte{right, tx}, c.prepare(full, tx))
	require.Equal(t, [][]byte{right}, c.prepare(full-1, tx), "the transaction does not fit any more")
	require.Equal(t, [][]byte{right}, c.prepare(size))
	require.Empty(t, c.prepare(size-1), "no room for the reveal")
	require.Equal(t, [][]byte{right, tx}, c.prepare(1<<20, right, tx, beacon.EncodeTx(nil)), "the mempool's are dropped")

	for _, kind := range []abci.CheckTxType{abci.CheckTxType_New, abci.CheckTxType_Recheck} {
		res, err := c.app.CheckTx(&abci.RequestCheckTx{Tx: right, Type: kind})
		require.NoError(t, err)
		require.NotZero(t, res.Code)
	}
}

// The reveal shows as a failed first entry of the block's results, and costs nobody anything.
func TestRevealIsAFailedFirstResult(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes()})
	c.toPhase(epochtypes.PHASE_FROZEN)
	before := c.totalSupply()
	c.block()
	require.NotZero(t, c.last.TxResults[0].Code)
	require.Zero(t, c.last.TxResults[0].GasUsed)
	require.Zero(t, c.events(&epochtypes.EventRevealed{}))
	c.block()
	require.Equal(t, 1, c.events(&epochtypes.EventRevealed{}), "it counts when the commit is known")
	require.Equal(t, before, c.totalSupply())
}

// A proposer that gives no reveal loses its seats of that election, once, and of no other; a wrong reveal that got into a block
// all the same counts as none.
func TestMissingRevealsVacateSeats(t *testing.T) {
	for name, wrong := range map[string]bool{"none": false, "a wrong one": true} {
		t.Run(name, func(t *testing.T) {
			c := newCommittee(t, setup{stakes: sevenStakes(), params: wideCommittee})
			m := newModel(c)
			e := c.toPhase(epochtypes.PHASE_FROZEN)
			loser := c.validatorAt(c.proposer(0).Address)
			if wrong {
				c.now = c.now.Add(blockTime)
				m.wrong = map[int64]bool{c.height(): true}
				other := beacon.EncodeTx(loser.beacon.Reveal(chainID, e.Seed, c.height()+1))
				c.finalize(c.request(c.proposer(0).Address, [][]byte{other}))
			} else {
				loser.reveal = revealWithheld
				c.block()
			}
			c.block()
			require.Equal(t, 1, c.events(&epochtypes.EventRevealMissed{}))
			require.Equal(t, 1, c.events(&epochtypes.EventMemberLeft{}))
			loser.reveal = revealWithheld
			c.toEpoch(e.Number + 1)

			election := c.election(e.Number + 1)
			require.Equal(t, m.seed(e.Number+1), election.Seed)
			require.Positive(t, election.Reveals)
			drawn := make(map[string]uint32)
			for _, run := range election.Elected {
				drawn[run.Operator] += run.Seats
			}
			require.Positive(t, drawn[loser.address().String()], "the draw does not know of the reveal")
			committee := c.committee(e.Number + 1)
			require.Equal(t, drawn[loser.address().String()], committee.Vacant)
			require.Equal(t, []epochtypes.Leaving{{
				Epoch: e.Number + 1, Operator: loser.address().String(), Reason: epochtypes.LEAVE_REASON_MISSED_REVEAL, Height: e.FreezeHeight + 2,
			}}, committee.Leavings)

			loser.reveal = revealHonest
			c.toPhase(epochtypes.PHASE_FROZEN)
			require.NotContains(t, c.powers(c.height()+1), loser.name, "all seats are handed over")
			require.Equal(t, m.powers(), c.powers(c.height()+1))
			c.toEpoch(e.Number + 2)
			c.toPhase(epochtypes.PHASE_FROZEN)
			require.Contains(t, c.powers(c.height()+1), loser.name)
			require.Empty(t, c.committee(e.Number+2).Leavings)
		})
	}
}

// A wrong reveal is refused, the next round's proposer makes the block, and the chain goes on.
func TestWrongRevealIsRefused(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes(), params: wideCommittee})
	e := c.toPhase(epochtypes.PHASE_FROZEN)
	for round := range int32(2) {
		c.validatorAt(c.proposer(round).Address).reveal = revealWrong
	}
	want := c.validatorAt(c.proposer(2).Address)
	require.Equal(t, revealHonest, want.reveal)
	c.block()
	require.True(t, want.has(c.comet.blocks[len(c.comet.blocks)-1].ProposerAddress))
	c.toEpoch(e.Number + 1)
	require.Empty(t, c.committee(e.Number+1).Leavings)
}

// Without any reveal the seed is the start value. Those who proposed are out of the new committee; if that leaves nobody, the
// set stays as it is, and the election after that is whole again.
func TestNoRevealAtAll(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes()[:3], params: wideCommittee})
	e := c.toPhase(epochtypes.PHASE_FROZEN)
	for _, v := range c.validators {
		v.reveal = revealWithheld
	}
	before := c.powers(c.height())
	for c.height() < e.ClosingHeight {
		c.block()
	}
	c.block()
	require.Equal(t, 1, c.events(&epochtypes.EventNoReveal{}))
	election := c.election(e.Number + 1)
	require.Zero(t, election.Reveals)
	require.Equal(t, sha(e.Seed, c.comet.hashes[e.FreezeHeight-1]), election.Seed)
	require.Equal(t, election.Start, election.Seed)
	require.Equal(t, election.Seed, c.epoch().Seed)
	require.Equal(t, election.Seats, c.committee(e.Number+1).Vacant, "all have proposed")

	c.toPhase(epochtypes.PHASE_FROZEN)
	require.NotEmpty(t, c.powers(c.height()+1))
	for name := range c.powers(c.height() + 1) {
		require.Contains(t, before, name)
	}
	for _, v := range c.validators {
		v.reveal = revealHonest
	}
	c.toEpoch(e.Number + 2)
	c.toPhase(epochtypes.PHASE_FROZEN)
	require.Len(t, c.powers(c.height()+1), 3)
	require.Equal(t, newModel(c).powers(), c.powers(c.height()+1))
}

// A node without the key file gives no reveals and goes on; a key that is added counts without a restart; a file that is
// damaged or open to others keeps the node from starting, and says so.
func TestBeaconKeyFile(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes()[:1]})
	home := c.opts[flags.FlagHome].(string)
	file := filepath.Join(home, "config", beaconkey.FileName)
	aside := file + ".aside"
	require.NoError(t, os.Rename(file, aside))
	require.NotPanics(t, func() { c.app = newApp(c.db, c.opts) })
	c.toPhase(epochtypes.PHASE_FROZEN)
	sent, missed := counter(t, "edge_beacon_reveals_total", ""), counter(t, "edge_beacon_missed_reveals_total", "no_key")
	require.Empty(t, c.prepare(1<<20))
	require.Equal(t, missed+1, counter(t, "edge_beacon_missed_reveals_total", "no_key"))
	require.NoError(t, os.Rename(aside, file))
	require.Equal(t, [][]byte{c.owed()}, c.prepare(1<<20))
	require.Equal(t, sent+1, counter(t, "edge_beacon_reveals_total", ""))
	require.Equal(t, missed+1, counter(t, "edge_beacon_missed_reveals_total", "no_key"))

	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	start := func() { newApp(dbm.NewMemDB(), c.opts) }
	require.NoError(t, os.WriteFile(file, raw[:len(raw)/2], 0o600))
	require.ErrorIs(t, panicked(start), beaconkey.ErrDamaged)
	require.Equal(t, [][]byte{c.owed()}, c.prepare(1<<20), "a running node keeps the keys that it has")
	require.NoError(t, os.WriteFile(file, raw, 0o600))
	require.NoError(t, os.Chmod(file, 0o644))
	require.ErrorIs(t, panicked(start), beaconkey.ErrMode)
	require.NoError(t, os.Chmod(file, 0o600))
	require.NotPanics(t, start)
}

// counter reads a metric as the node serves it; a label's value chooses among those of a name.
func counter(t *testing.T, name, label string) (value float64) {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			if label == "" || m.GetLabel()[0].GetValue() == label {
				value += m.GetCounter().GetValue()
			}
		}
	}
	return value
}

func panicked(f func()) (err error) {
	defer func() { err, _ = recover().(error) }()
	f()
	return nil
}

// wideCommittee has enough seats for everybody to hold some.
func wideCommittee(p *epochtypes.Params) { p.Seats = 16 }

// A header can name any member. Who makes a block in another's name has missed its own reveal, and the other one nothing.
func TestFramingHitsTheFramer(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes(), params: wideCommittee})
	e := c.toPhase(epochtypes.PHASE_FROZEN)
	framer, victim := c.proposer(0).Address, c.proposer(1).Address
	require.NotEqual(t, framer, victim)
	require.Equal(t, abci.ResponseProcessProposal_ACCEPT, c.processBy(victim, nil), "nobody can tell yet")
	c.now = c.now.Add(blockTime)
	c.finalize(c.request(victim, nil))
	c.toEpoch(e.Number + 1)
	leavings := c.committee(e.Number + 1).Leavings
	require.Len(t, leavings, 1)
	require.Equal(t, c.validatorAt(framer).address().String(), leavings[0].Operator)
	require.Equal(t, epochtypes.LEAVE_REASON_MISSED_REVEAL, leavings[0].Reason)
}

// With the reveal of another member, which it gave in a round that failed, a proposer of the first round has missed its own.
func TestRevealOfAnotherDoesNotCount(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes(), params: wideCommittee})
	e := c.toPhase(epochtypes.PHASE_FROZEN)
	framer, other := c.proposer(0).Address, c.proposer(1).Address
	reveal := beacon.EncodeTx(c.validatorAt(other).beacon.Reveal(chainID, e.Seed, c.height()))
	require.Equal(t, abci.ResponseProcessProposal_ACCEPT, c.processBy(other, [][]byte{reveal}))
	c.now = c.now.Add(blockTime)
	c.finalize(c.request(other, [][]byte{reveal}))
	c.toEpoch(e.Number + 1)
	require.EqualValues(t, e.ClosingHeight-e.FreezeHeight-2, c.election(e.Number+1).Reveals)
	leavings := c.committee(e.Number + 1).Leavings
	require.Len(t, leavings, 1)
	require.Equal(t, c.validatorAt(framer).address().String(), leavings[0].Operator)
}

// In a later round nobody can tell who held the first one up: the proposer's reveal counts, and nobody has missed any.
func TestLaterRoundsBlameNobody(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes(), params: wideCommittee})
	e := c.toPhase(epochtypes.PHASE_FROZEN)
	first, second := c.validatorAt(c.proposer(0).Address), c.validatorAt(c.proposer(1).Address)
	require.NotEqual(t, first, second)
	first.reveal, second.reveal = revealWrong, revealWithheld // refused, and then without one
	c.block()
	first.reveal, second.reveal = revealHonest, revealHonest
	c.toEpoch(e.Number + 1)
	require.Empty(t, c.committee(e.Number+1).Leavings)
	require.EqualValues(t, e.ClosingHeight-e.FreezeHeight-2, c.election(e.Number+1).Reveals)
}
