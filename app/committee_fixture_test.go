package app_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cryptoenc "github.com/cometbft/cometbft/crypto/encoding"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/client/flags"
	sdked25519 "github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"

	"github.com/edgechain/edge/app"
	"github.com/edgechain/edge/x/epoch/beacon"
	epochkeeper "github.com/edgechain/edge/x/epoch/keeper"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodekeeper "github.com/edgechain/edge/x/node/keeper"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// # The committee fixture
//
// newCommittee starts the real application with several genesis validators, who have consensus keys and beacon keys of their
// own and take part in the elections. Each call of block drives it through one height as CometBFT would:
//
//   - the set of validators starts with the answer to InitChain and follows the updates of the blocks with CometBFT's own
//     code: an update in block H is in force at H+2. The proposer is the one that CometBFT's rotation names;
//   - the block carries the commit of the last height, by the set of that height; silent validators are absent from it and do
//     not propose. The test fails if a third of the power is silent: such a network stands still;
//   - the proposer runs PrepareProposal, which adds its reveal, everybody runs ProcessProposal, FinalizeBlock and Commit. A
//     proposer with a wrong reveal must be refused, and the next round has another proposer;
//   - each operator whose report is due sends it in the first block in which it has no other transaction.
//
// The test fails at once if an update is one at which CometBFT would stop (a key twice, a removal of an unknown key, an empty
// set, a wrong power or kind of key), if a commit names an address that x/staking does not know, or if x/epoch knows the set in
// force or the one sent last otherwise than CometBFT.
//
// What one does with it:
//
//	c := newCommittee(t, setup{stakes: []int64{...}})   // c.validators[i] are the operators
//	c.block(c.tx(key, gas, offset, msgs...))            // results of these transactions alone, without reveals and reports
//	c.send(key, gas, &response, msgs...)                // a block of its own, which must succeed
//	c.blocks(n), c.toPhase(PHASE_FROZEN), c.toEpoch(n)  // time passes
//	c.validators[i].silent = true                       // signs and proposes nothing
//	c.validators[i].reveal = revealWithheld             // or revealWrong
//	c.validators[i].mute = true                         // sends no reports
//	c.misbehave(c.validators[i], height)                // the next block carries evidence of a double signature
//	c.validators[i].consensus = append(..., newKey)     // before the validator rotates to it
//	c.comet.current, c.comet.sets[h]                    // CometBFT's set at the next height, at height h
//	c.export(), c.resume(moment)                        // a second chain from the exported document
//	c.replay(opts)                                      // a second node that gets the same blocks by FinalizeBlock alone

// revealing is how a proposer deals with the reveal that it owes.
type revealing int

const (
	revealHonest revealing = iota
	// revealWithheld leaves it out.
	revealWithheld
	// revealWrong puts a signature of its own key over something else in its place.
	revealWrong
)

// validator is an operator with all of its keys, and how it behaves.
type validator struct {
	name     string
	operator *secp256k1.PrivKey
	// consensus are the keys that it has had, has and will have; the first one stands in the genesis.
	consensus []cryptotypes.PrivKey
	beacon    beacon.Key
	// stake at genesis, in uedge, all of it its own.
	stake int64

	silent bool
	mute   bool
	reveal revealing
}

// newValidator returns a validator whose keys depend on the name alone.
func newValidator(name string, stake int64) *validator {
	secret := sha256.Sum256([]byte("beacon key of " + name))
	secret[0] = 0 // below the order of the group
	key, err := beacon.ParseKey(secret[:])
	if err != nil {
		panic(err)
	}
	return &validator{
		name: name, operator: newKey(name), stake: stake, beacon: key,
		consensus: []cryptotypes.PrivKey{sdked25519.GenPrivKeyFromSecret([]byte("consensus key of " + name))},
	}
}

func (v *validator) address() sdk.ValAddress { return sdk.ValAddress(addressOf(v.operator)) }

// consAddress is the consensus address of the first key.
func (v *validator) consAddress() sdk.ConsAddress {
	return sdk.ConsAddress(v.consensus[0].PubKey().Address())
}

// has reports whether a consensus address is one of the validator's.
func (v *validator) has(address []byte) bool {
	for _, key := range v.consensus {
		if bytes.Equal(key.PubKey().Address(), address) {
			return true
		}
	}
	return false
}

// comet is what CometBFT knows of a chain.
type comet struct {
	// initial is the height of the first block, height that of the next one.
	initial, height int64
	// last signed the last block, current makes the next one, next the one after it.
	last, current, next *cmttypes.ValidatorSet
	// round in which the last block was decided.
	round int32
	// sets, times and hashes of the headers by height; sets[h] is known from the block h-2 on.
	sets   map[int64]*cmttypes.ValidatorSet
	times  map[int64]time.Time
	hashes map[int64][]byte
	// evidence for the next block.
	evidence []abci.Misbehavior
	// genesis and blocks, as the application got them.
	genesis *abci.RequestInitChain
	blocks  []*abci.RequestFinalizeBlock
	// appHashes of these blocks.
	appHashes [][]byte
	// proposals makes blocks go through PrepareProposal and ProcessProposal.
	proposals bool
}

// setup says what a committee chain starts with.
type setup struct {
	// stakes of the validators in uedge, who are named "node-0" and so on.
	stakes []int64
	// outsiders is how many of them, from the end, have neither opted in nor a beacon key.
	outsiders int
	// params changes those of x/epoch, which are epochs of ten blocks, 2 blocks of beacon at least, 4 seats, steps of 2.
	params func(*epochtypes.Params)
	// change alters the genesis state.
	change func(*chain, app.GenesisState)
	// accounts besides the operators' that are rich.
	accounts []*secp256k1.PrivKey
	// opts of the application.
	opts map[string]any
}

// newCommittee starts a chain with several validators, see the top of this file.
func newCommittee(t *testing.T, s setup) *chain {
	t.Helper()
	app.Configure()
	c := &chain{t: t, db: dbm.NewMemDB(), now: genesisTime, opts: map[string]any{flags.FlagHome: t.TempDir()}}
	maps.Copy(c.opts, s.opts)
	accounts := s.accounts
	for i, stake := range s.stakes {
		v := newValidator(fmt.Sprintf("node-%d", i), stake)
		c.validators = append(c.validators, v)
		accounts = append(accounts, v.operator)
	}
	c.validator = c.validators[0].operator
	c.writeBeaconKeys()
	c.app = newApp(c.db, c.opts)
	state := c.genesis(accounts)
	edit(t, c, state, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) {
		gs.Params.Seats, gs.Params.BeaconBlocks, gs.Params.StepBlocks = 4, 2, 2
		if s.params != nil {
			s.params(&gs.Params)
		}
		for _, v := range c.validators[:len(c.validators)-s.outsiders] {
			gs.BeaconKeys = append(gs.BeaconKeys, epochtypes.BeaconKey{Operator: v.address().String(), PubKey: v.beacon.PubKey()})
		}
	})
	edit(t, c, state, nodetypes.ModuleName, func(gs *nodetypes.GenesisState) {
		for _, v := range c.validators[:len(c.validators)-s.outsiders] {
			gs.Nodes = append(gs.Nodes, nodetypes.Node{
				Operator: v.address().String(), OptedIn: true, FromEpoch: 1, Score: nodetypes.StartScore,
			})
		}
	})
	if s.change != nil {
		s.change(c, state)
	}
	c.initChain(state, nil, 1)
	c.comet.proposals = true
	c.block()
	return c
}

// writeBeaconKeys writes the keys of all validators into the key file, so that the one application reveals for each of them.
func (c *chain) writeBeaconKeys() {
	c.t.Helper()
	type entry struct {
		PubKey  string `json:"pub_key"`
		PrivKey string `json:"priv_key"`
	}
	var file struct {
		Keys []entry `json:"keys"`
	}
	for _, v := range c.validators {
		file.Keys = append(file.Keys, entry{hex.EncodeToString(v.beacon.PubKey()), hex.EncodeToString(v.beacon.Bytes())})
	}
	raw, err := json.Marshal(file)
	require.NoError(c.t, err)
	folder := filepath.Join(c.opts[flags.FlagHome].(string), "config")
	require.NoError(c.t, os.MkdirAll(folder, 0o700))
	require.NoError(c.t, os.WriteFile(filepath.Join(folder, "beacon_key.json"), raw, 0o600))
}

// initChain starts the application from a genesis state; validators are those of the document, if it names any.
func (c *chain) initChain(state app.GenesisState, validators []abci.ValidatorUpdate, height int64) {
	c.t.Helper()
	raw, err := json.Marshal(state)
	require.NoError(c.t, err)
	params := app.DefaultConsensusParams().ToProto()
	c.comet = &comet{
		initial: height, height: height,
		genesis: &abci.RequestInitChain{
			ChainId: chainID, Time: c.now, InitialHeight: height, ConsensusParams: &params, AppStateBytes: raw, Validators: validators,
		},
		sets: make(map[int64]*cmttypes.ValidatorSet), times: make(map[int64]time.Time), hashes: make(map[int64][]byte),
	}
	res, err := c.app.InitChain(c.comet.genesis)
	require.NoError(c.t, err)
	list, err := cmttypes.PB2TM.ValidatorUpdates(res.Validators)
	require.NoError(c.t, err)
	c.comet.current = cmttypes.NewValidatorSet(list)
	c.comet.next = c.comet.current.CopyIncrementProposerPriority(1)
	c.comet.sets[height], c.comet.sets[height+1] = c.comet.current, c.comet.next
}

// height of the next block.
func (c *chain) height() int64 { return c.comet.height }

// validatorAt returns the validator with a consensus address.
func (c *chain) validatorAt(address []byte) *validator {
	c.t.Helper()
	for _, v := range c.validators {
		if v.has(address) {
			return v
		}
	}
	c.t.Fatalf("no validator of the test has the consensus address %X", address)
	return nil
}

// commit returns the votes of the last height.
func (c *chain) commit() (votes []abci.VoteInfo) {
	c.t.Helper()
	if c.comet.last == nil {
		return nil
	}
	signed := int64(0)
	for _, v := range c.comet.last.Validators {
		flag := cmtproto.BlockIDFlagCommit
		if c.validatorAt(v.Address).silent {
			flag = cmtproto.BlockIDFlagAbsent
		} else {
			signed += v.VotingPower
		}
		_, err := c.app.StakingKeeper.GetValidatorByConsAddr(c.ctx(), sdk.ConsAddress(v.Address))
		require.NoError(c.t, err, "height %d: the commit names %X, whom x/staking does not know", c.height(), v.Address)
		votes = append(votes, abci.VoteInfo{
			Validator: abci.Validator{Address: v.Address, Power: v.VotingPower}, BlockIdFlag: flag,
		})
	}
	require.Greater(c.t, 3*signed, 2*c.comet.last.TotalVotingPower(), "height %d: a third of the power is silent", c.height())
	return votes
}

// proposer returns who proposes in a round.
func (c *chain) proposer(round int32) *cmttypes.Validator {
	if round == 0 {
		return c.comet.current.Copy().GetProposer()
	}
	return c.comet.current.CopyIncrementProposerPriority(round).GetProposer()
}

// block makes a block of transactions, commits it, and checks every invariant. It returns the results of these transactions.
func (c *chain) block(txs ...[]byte) []*abci.ExecTxResult {
	c.t.Helper()
	c.now = c.now.Add(blockTime)
	entries := append(append([][]byte{}, txs...), c.reports(txs)...)
	if !c.comet.proposals {
		c.finalize(c.request(c.proposer(0).Address, entries))
		return c.last.TxResults[:len(txs)]
	}
	for round := int32(0); ; round++ {
		require.Less(c.t, round, int32(100), "height %d: nobody proposes", c.height())
		proposer := c.proposer(round).Address
		v := c.validatorAt(proposer)
		if v.silent {
			continue
		}
		proposed := c.prepareBy(proposer, entries)
		first := 0
		if len(proposed) > len(entries) {
			_, injected := beacon.DecodeTx(proposed[0])
			require.True(c.t, injected)
			first = 1
		}
		require.Equal(c.t, entries, append([][]byte{}, proposed[first:]...), "PrepareProposal dropped transactions")
		if first == 1 {
			switch v.reveal {
			case revealWithheld:
				proposed, first = proposed[1:], 0
			case revealWrong:
				other := sha256.Sum256([]byte("something else"))
				proposed[0] = beacon.EncodeTx(v.beacon.Reveal(chainID, other[:], c.height()))
				require.Equal(c.t, abci.ResponseProcessProposal_REJECT, c.processBy(proposer, proposed), "a wrong reveal")
				continue
			}
		}
		require.Equal(c.t, abci.ResponseProcessProposal_ACCEPT, c.processBy(proposer, proposed), "height %d", c.height())
		c.finalize(c.request(proposer, proposed))
		c.comet.round = round
		return c.last.TxResults[first : first+len(txs)]
	}
}

// headerHash stands for the hash of the header of a block, which the application takes as it is.
func headerHash(height int64, txs [][]byte) []byte {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64([]byte("header"), uint64(height)))
	for _, tx := range txs {
		digest := sha256.Sum256(tx)
		h.Write(digest[:])
	}
	return h.Sum(nil)
}

// request returns the next block.
func (c *chain) request(proposer []byte, txs [][]byte) *abci.RequestFinalizeBlock {
	c.t.Helper()
	return &abci.RequestFinalizeBlock{
		Height: c.height(), Time: c.now, Txs: txs, ProposerAddress: proposer, Hash: headerHash(c.height(), txs),
		NextValidatorsHash: c.comet.next.Hash(), DecidedLastCommit: abci.CommitInfo{Round: c.comet.round, Votes: c.commit()}, Misbehavior: c.comet.evidence,
	}
}

// prepareBy returns what a validator proposes.
func (c *chain) prepareBy(proposer []byte, txs [][]byte) [][]byte {
	c.t.Helper()
	req := c.request(proposer, txs)
	var votes []abci.ExtendedVoteInfo
	for _, v := range req.DecidedLastCommit.Votes {
		votes = append(votes, abci.ExtendedVoteInfo{Validator: v.Validator, BlockIdFlag: v.BlockIdFlag})
	}
	res, err := c.app.PrepareProposal(&abci.RequestPrepareProposal{
		Height: req.Height, Time: req.Time, MaxTxBytes: 1 << 20, Txs: txs, ProposerAddress: proposer,
		NextValidatorsHash: req.NextValidatorsHash, LocalLastCommit: abci.ExtendedCommitInfo{Votes: votes}, Misbehavior: req.Misbehavior,
	})
	require.NoError(c.t, err)
	return res.Txs
}

// processBy returns what the others say to a proposal.
func (c *chain) processBy(proposer []byte, txs [][]byte) abci.ResponseProcessProposal_ProposalStatus {
	c.t.Helper()
	req := c.request(proposer, txs)
	res, err := c.app.ProcessProposal(&abci.RequestProcessProposal{
		Height: req.Height, Time: req.Time, Txs: txs, ProposerAddress: proposer, Hash: req.Hash,
		NextValidatorsHash: req.NextValidatorsHash, ProposedLastCommit: req.DecidedLastCommit, Misbehavior: req.Misbehavior,
	})
	require.NoError(c.t, err)
	return res.Status
}

// finalize executes and commits a block, takes the updates of the validators, and checks every invariant.
func (c *chain) finalize(req *abci.RequestFinalizeBlock) {
	c.t.Helper()
	res, err := c.app.FinalizeBlock(req)
	require.NoError(c.t, err)
	_, err = c.app.Commit()
	require.NoError(c.t, err)
	c.last = res
	m := c.comet
	m.blocks, m.appHashes = append(m.blocks, req), append(m.appHashes, res.AppHash)
	m.times[req.Height], m.hashes[req.Height] = req.Time, req.Hash
	m.evidence, m.round = nil, 0
	m.update(c.t, req.Height, res.ValidatorUpdates)
	c.requireStored(req.Height+1, m.current)
	c.requireStored(0, m.next)

	require.NoError(c.t, c.app.CheckInvariants(c.ctx()))
	if !c.supply.Empty() {
		require.Equal(c.t, c.supply.String(), c.totalSupply().String(), "supply")
	}
}

// requireStored requires that x/epoch knows a set as CometBFT does; height 0 asks for the one that was sent last.
func (c *chain) requireStored(height int64, want *cmttypes.ValidatorSet) {
	c.t.Helper()
	res, err := epochkeeper.NewQueryServerImpl(c.app.EpochKeeper).ValidatorSet(c.ctx(), &epochtypes.QueryValidatorSetRequest{Height: height})
	require.NoError(c.t, err)
	require.Len(c.t, res.Set.Members, want.Size(), "height %d", height)
	for _, member := range res.Set.Members {
		key, err := cryptoenc.PubKeyFromProto(member.PubKey)
		require.NoError(c.t, err)
		_, v := want.GetByAddress(key.Address())
		require.NotNil(c.t, v, "height %d: %s is not in CometBFT's set", height, member.Operator)
		require.Equal(c.t, v.VotingPower, member.Power, "height %d: %s", height, member.Operator)
	}
}

// update does with the updates of a block what CometBFT does with them.
func (m *comet) update(t *testing.T, height int64, updates []abci.ValidatorUpdate) {
	t.Helper()
	after := m.next.Copy()
	for _, u := range updates {
		require.GreaterOrEqual(t, u.Power, int64(0), "height %d", height)
		require.NotNil(t, u.PubKey.GetEd25519(), "height %d: kind of key", height)
	}
	if len(updates) > 0 {
		list, err := cmttypes.PB2TM.ValidatorUpdates(updates)
		require.NoError(t, err, "height %d", height)
		require.NoError(t, after.UpdateWithChangeSet(list), "height %d: CometBFT would stop", height)
	}
	after.IncrementProposerPriority(1)
	m.last, m.current, m.next, m.height = m.current, m.next, after, height+1
	m.sets[height+2] = after
}

// reports returns the reports that are due, of operators who send none of the transactions.
func (c *chain) reports(txs [][]byte) (reports [][]byte) {
	c.t.Helper()
	height := c.height() - 1
	if height < c.comet.initial {
		return nil // nothing is committed yet
	}
	busy := make(map[string]bool)
	for _, raw := range txs {
		decoded, err := c.app.TxConfig().TxDecoder()(raw)
		if err != nil {
			continue
		}
		if signed, ok := decoded.(authsigning.SigVerifiableTx); ok {
			signers, err := signed.GetSigners()
			require.NoError(c.t, err)
			for _, signer := range signers {
				busy[string(signer)] = true
			}
		}
	}
	queries := nodekeeper.NewQueryServerImpl(c.app.NodeKeeper)
	for _, v := range c.validators {
		if v.mute || busy[string(addressOf(v.operator))] {
			continue
		}
		node, err := queries.Node(c.ctx(), &nodetypes.QueryNodeRequest{Operator: v.address().String()})
		if err != nil || !node.ReportDue || height < node.EpochHeight {
			continue
		}
		reports = append(reports, c.tx(v.operator, 200_000, 0, &nodetypes.MsgReport{
			Sender: addressOf(v.operator).String(), Operator: v.address().String(), Epoch: node.Epoch,
			Height: height, HeaderHash: c.comet.hashes[height],
		}))
	}
	return reports
}

// misbehave puts evidence of a double signature at a height into the next block.
func (c *chain) misbehave(v *validator, height int64) {
	c.t.Helper()
	set := c.comet.sets[height]
	require.NotNil(c.t, set, "no set at height %d", height)
	for _, member := range set.Validators {
		if v.has(member.Address) {
			c.comet.evidence = append(c.comet.evidence, abci.Misbehavior{
				Type: abci.MisbehaviorType_DUPLICATE_VOTE, Height: height, Time: c.comet.times[height],
				Validator:        abci.Validator{Address: member.Address, Power: member.VotingPower},
				TotalVotingPower: set.TotalVotingPower(),
			})
			return
		}
	}
	c.t.Fatalf("%s was not in the set at height %d", v.name, height)
}

// powers returns the powers of CometBFT's set at a height by the validators' names.
func (c *chain) powers(height int64) map[string]int64 {
	c.t.Helper()
	set := c.comet.sets[height]
	require.NotNil(c.t, set, "no set at height %d", height)
	powers := make(map[string]int64)
	for _, member := range set.Validators {
		powers[c.validatorAt(member.Address).name] += member.VotingPower
	}
	return powers
}

// blocks makes empty blocks.
func (c *chain) blocks(n int) {
	c.t.Helper()
	for range n {
		c.block()
	}
}

// epoch returns the open epoch.
func (c *chain) epoch() epochtypes.Epoch {
	c.t.Helper()
	number, err := c.app.EpochKeeper.CurrentNumber(c.ctx())
	require.NoError(c.t, err)
	epoch, err := c.app.EpochKeeper.Epoch(c.ctx(), number)
	require.NoError(c.t, err)
	return epoch
}

// toPhase makes blocks until the open epoch is in a phase.
func (c *chain) toPhase(phase epochtypes.Phase) epochtypes.Epoch {
	c.t.Helper()
	for range 1_000 {
		if e := c.epoch(); e.Phase == phase {
			return e
		}
		c.block()
	}
	c.t.Fatalf("no epoch gets into phase %s", phase)
	return epochtypes.Epoch{}
}

// toEpoch makes blocks until an epoch is open.
func (c *chain) toEpoch(number uint64) epochtypes.Epoch {
	c.t.Helper()
	for range 10_000 {
		if e := c.epoch(); e.Number >= number {
			require.Equal(c.t, number, e.Number)
			return e
		}
		c.block()
	}
	c.t.Fatalf("epoch %d does not open", number)
	return epochtypes.Epoch{}
}

// resume starts a second chain from an exported document. Its proposers take turns as they did on the first chain, if the
// sets are the same, so that both can go on alike.
func (c *chain) resume(from moment) *chain {
	c.t.Helper()
	d := &chain{t: c.t, db: dbm.NewMemDB(), now: from.now, validator: c.validator, supply: c.supply, opts: c.opts}
	for _, v := range c.validators {
		same := *v
		d.validators = append(d.validators, &same)
	}
	d.app = newApp(d.db, d.opts)
	require.NoError(c.t, d.app.Basics().ValidateGenesis(d.app.AppCodec(), d.app.TxConfig(), from.state))
	d.initChain(from.state, validatorUpdates(c.t, from.validators), from.height)
	d.comet.proposals = c.comet.proposals
	for height, hash := range c.comet.hashes {
		if height < from.height {
			d.comet.hashes[height], d.comet.times[height] = hash, c.comet.times[height]
		}
	}
	return d
}

// replay gives the same genesis and the same blocks to another node, by FinalizeBlock alone, and requires the same hashes.
func (c *chain) replay(opts map[string]any) *app.App {
	c.t.Helper()
	node := newApp(dbm.NewMemDB(), opts)
	_, err := node.InitChain(c.comet.genesis)
	require.NoError(c.t, err)
	for i, req := range c.comet.blocks {
		res, err := node.FinalizeBlock(req)
		require.NoError(c.t, err)
		_, err = node.Commit()
		require.NoError(c.t, err)
		require.Equal(c.t, c.comet.appHashes[i], res.AppHash, "height %d", req.Height)
	}
	return node
}
