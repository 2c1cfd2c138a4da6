package app_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/client/flags"
	sdked25519 "github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochsimulation "github.com/edgechain/edge/x/epoch/simulation"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

// # The simulation
//
// The SDK's own runner delivers transactions after EndBlock, which no chain does: fees, and whatever else a block gathers and
// books at its end, would be lost. This one takes the message factories of the modules and drives a real chain with them, the
// one of the committee fixture. Each block of a simulation has
//
//   - signed transactions with messages that the factories make up from the committed state, some of them of the same sender,
//     with fees and limits of gas, through PrepareProposal, ProcessProposal, FinalizeBlock and Commit;
//   - proposals of governance for the parameters of our modules and the token price, and the votes of those with power;
//   - the votes of CometBFT's set, without those who happen to be down, a proposer that reveals, withholds or lies, and now and
//     then the evidence of a double signature or a rotation of a consensus key;
//   - times in which the bank refuses what our modules pay out, so that payments are set aside and retried.
//
// After each block the fixture checks our invariants, and the simulation those of the bank, of x/staking and x/distribution.
// All of it follows from the seed.

const (
	// simAccounts is how many people there are; the first simValidators of them have validators at genesis.
	simAccounts   = 24
	simValidators = 7
	// simConsensusKeys is how many consensus keys a validator can have one after the other.
	simConsensusKeys = 3
	// simDoubleSigners bounds those who are tombstoned, so that some remain.
	simDoubleSigners = 3
)

// simulation is a chain on which random things happen.
type simulation struct {
	*chain

	r        *rand.Rand
	people   []simtypes.Account
	messages messages
	governor governor
	tally    tally
	// responses are those of the blocks after the first one.
	responses []*abci.ResponseFinalizeBlock
	// doubleSigners is how many were caught.
	doubleSigners int
}

// simSetup says how a simulation starts.
type simSetup struct {
	seed int64
	// opts of the application.
	opts map[string]any
	// change alters the genesis state.
	change func(*simulation, app.GenesisState)
}

// newSimulation starts a chain from a random genesis.
func newSimulation(t *testing.T, setup simSetup) *simulation {
	t.Helper()
	app.Configure()
	s := &simulation{
		chain: &chain{t: t, db: dbm.NewMemDB(), now: genesisTime, opts: map[string]any{flags.FlagHome: t.TempDir()}},
		r:     rand.New(rand.NewSource(setup.seed)), tally: make(tally),
	}
	maps.Copy(s.opts, setup.opts)
	s.people = simtypes.RandomAccounts(s.r, simAccounts)
	var keys []*secp256k1.PrivKey
	var all []*validator
	for i, person := range s.people {
		key := person.PrivKey.(*secp256k1.PrivKey)
		keys = append(keys, key)
		all = append(all, s.newValidator(fmt.Sprintf("person-%d", i), key, person.ConsKey))
	}
	s.writeSimKeys()
	s.app = newApp(s.db, s.opts)
	s.validators, s.validator = all[:simValidators], all[0].operator
	state := s.genesis(keys)
	s.randomize(state)
	if setup.change != nil {
		setup.change(s, state)
	}
	s.initChain(state, nil, 1)
	// From now on anyone may become one.
	s.validators = all
	s.messages = newMessages(s.app)
	s.governor = newGovernor(s.app)
	refuseAtTimes(s.app)
	s.comet.proposals = true
	s.block()
	return s
}

// newValidator returns the validator that a person has or could have.
func (s *simulation) newValidator(name string, operator *secp256k1.PrivKey, consensus cryptotypes.PrivKey) *validator {
	v := &validator{name: name, operator: operator, stake: 1_000_000_000 + s.r.Int63n(4_000_000_000)}
	v.consensus = append(v.consensus, consensus)
	for n := 1; n < simConsensusKeys; n++ {
		v.consensus = append(v.consensus, sdked25519.GenPrivKeyFromSecret(fmt.Appendf(nil, "consensus key %d of %x", n, addressOf(operator))))
	}
	key, err := epochsimulation.BeaconKey(v.address(), 0)
	require.NoError(s.t, err)
	v.beacon = key
	return v
}

// writeSimKeys writes all beacon keys that anyone may register into the key file.
func (s *simulation) writeSimKeys() {
	s.t.Helper()
	type entry struct {
		PubKey  string `json:"pub_key"`
		PrivKey string `json:"priv_key"`
	}
	var file struct {
		Keys []entry `json:"keys"`
	}
	for _, person := range s.people {
		for n := range epochsimulation.BeaconKeys {
			key, err := epochsimulation.BeaconKey(sdk.ValAddress(person.Address), n)
			require.NoError(s.t, err)
			file.Keys = append(file.Keys, entry{hex.EncodeToString(key.PubKey()), hex.EncodeToString(key.Bytes())})
		}
	}
	raw, err := json.Marshal(file)
	require.NoError(s.t, err)
	folder := filepath.Join(s.opts[flags.FlagHome].(string), "config")
	require.NoError(s.t, os.MkdirAll(folder, 0o700))
	require.NoError(s.t, os.WriteFile(filepath.Join(folder, "beacon_key.json"), raw, 0o600))
}

// randomize gives our modules a random genesis, and those of the SDK parameters with which something happens within a few
// hundred blocks.
func (s *simulation) randomize(state app.GenesisState) {
	s.t.Helper()
	ours := &module.SimulationState{
		AppParams: make(simtypes.AppParams), Cdc: s.app.AppCodec(), TxConfig: s.app.TxConfig(), Rand: s.r,
		GenState: make(map[string]json.RawMessage), Accounts: s.people, InitialStake: math.NewInt(wealth), NumBonded: simValidators,
		BondDenom: app.BondDenom, GenTimestamp: genesisTime,
	}
	for _, name := range []string{nodetypes.ModuleName, epochtypes.ModuleName, dacktypes.ModuleName, rewardstypes.ModuleName} {
		if m, ok := s.app.ModuleManager().Modules[name].(module.AppModuleSimulation); ok {
			m.GenerateGenesisState(ours)
			state[name] = ours.GenState[name]
		}
	}
	operators := s.validators[:simValidators]
	edit(s.t, s.chain, state, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) {
		for _, v := range operators {
			gs.BeaconKeys = append(gs.BeaconKeys, epochtypes.BeaconKey{Operator: v.address().String(), PubKey: v.beacon.PubKey()})
		}
	})
	edit(s.t, s.chain, state, nodetypes.ModuleName, func(gs *nodetypes.GenesisState) {
		for _, v := range operators {
			gs.Nodes = append(gs.Nodes, nodetypes.Node{
				Operator: v.address().String(), OptedIn: true, FromEpoch: 1, Score: nodetypes.StartScore,
			})
		}
	})
	edit(s.t, s.chain, state, dacktypes.ModuleName, func(gs *dacktypes.GenesisState) { gs.Params.SettlementDenom = settlement })
	edit(s.t, s.chain, state, stakingtypes.ModuleName, func(gs *stakingtypes.GenesisState) {
		gs.Params.UnbondingTime = 150 * time.Second // stake that left can still be slashed for its seat
		gs.Params.KeyRotationFee = sdk.NewInt64Coin(app.BondDenom, 1_000)
	})
	edit(s.t, s.chain, state, slashingtypes.ModuleName, func(gs *slashingtypes.GenesisState) {
		gs.Params.SignedBlocksWindow = 12 + s.r.Int63n(12)
		gs.Params.MinSignedPerWindow = math.LegacyNewDecWithPrec(5, 1)
		gs.Params.DowntimeJailDuration = time.Minute // the least that an import accepts
		gs.Params.SlashFractionDowntime = math.LegacyNewDecWithPrec(1+s.r.Int63n(50), 3)
	})
	edit(s.t, s.chain, state, govtypes.ModuleName, func(gs *govv1.GenesisState) {
		deposit, voting, expedited := 20*time.Second, simVotingBlocks*blockTime, simVotingBlocks*blockTime/2
		gs.Params.MinDeposit = sdk.NewCoins(sdk.NewInt64Coin(app.BondDenom, 1_000_000))
		gs.Params.ExpeditedMinDeposit = sdk.NewCoins(sdk.NewInt64Coin(app.BondDenom, 5_000_000))
		gs.Params.MaxDepositPeriod, gs.Params.VotingPeriod, gs.Params.ExpeditedVotingPeriod = &deposit, &voting, &expedited
	})
}

var errRefused = errors.New("the bank refuses at this height")

// refuseAtTimes makes the bank refuse what our modules pay out, for a few blocks at a time that follow from the height alone.
func refuseAtTimes(a *app.App) {
	account := authtypes.NewModuleAddress
	rewards, dack, node := account(rewardstypes.ModuleName), account(dacktypes.ModuleName), account(nodetypes.ModuleName)
	a.BankKeeper.AppendSendRestriction(func(ctx context.Context, from, to sdk.AccAddress, _ sdk.Coins) (sdk.AccAddress, error) {
		height := sdk.UnwrapSDKContext(ctx).BlockHeight()
		switch {
		case from.Equals(rewards) && height/6%5 == 3,
			from.Equals(dack) && to.Equals(rewards) && height/4%11 == 5, // the pay stage as a whole
			from.Equals(dack) && !to.Equals(rewards) && height/5%7 == 2,
			from.Equals(node) && height/5%6 == 4:
			return nil, errRefused
		}
		return to, nil
	})
}

// step makes a block.
func (s *simulation) step() {
	s.t.Helper()
	s.behave()
	sent := s.transactions()
	txs := make([][]byte, len(sent))
	for i := range sent {
		txs[i] = sent[i].raw
	}
	results := s.block(txs...)
	for i, res := range results {
		s.delivered(sent[i], res)
	}
	s.responses = append(s.responses, s.last)
	s.governor.count(s)
	s.checkMoney()
}

func codesOf(res *abci.ResponseFinalizeBlock) []uint32 {
	codes := make([]uint32, len(res.TxResults))
	for i, tx := range res.TxResults {
		codes[i] = tx.Code
	}
	return codes
}

// run makes blocks.
func (s *simulation) run(blocks int) {
	s.t.Helper()
	for range blocks {
		s.step()
	}
}

// behave changes who is down, mute, or proposes without an honest reveal, so that the network never stands still.
func (s *simulation) behave() {
	s.t.Helper()
	for _, v := range s.validators {
		if v.silent {
			v.silent = s.r.Intn(14) != 0
		} else {
			v.silent = s.r.Intn(120) == 0
		}
		if v.mute {
			v.mute = s.r.Intn(60) != 0
		} else {
			v.mute = s.r.Intn(60) == 0
		}
		switch s.r.Intn(12) {
		case 0:
			v.reveal = revealWithheld
		case 1:
			v.reveal = revealWrong
		default:
			v.reveal = revealHonest
		}
	}
	for _, set := range []*cmttypes.ValidatorSet{s.comet.last, s.comet.current} {
		s.keepAlive(set)
	}
	if s.doubleSigners < simDoubleSigners && s.r.Intn(90) == 0 {
		s.doubleSign()
	}
}

// keepAlive wakes validators until more than two thirds of a set sign and someone proposes what the others accept.
func (s *simulation) keepAlive(set *cmttypes.ValidatorSet) {
	if set == nil {
		return
	}
	signed, honest := int64(0), false
	for _, member := range set.Validators {
		if v := s.validatorAt(member.Address); !v.silent {
			signed += member.VotingPower
			honest = honest || v.reveal != revealWrong
		}
	}
	for _, member := range set.Validators {
		v := s.validatorAt(member.Address)
		if v.silent && 3*signed <= 2*set.TotalVotingPower() {
			v.silent = false
			signed += member.VotingPower
		}
		if !honest && !v.silent {
			v.reveal, honest = revealHonest, true
		}
	}
}

// doubleSign has a member of the set caught, unless it is one without whom the set would be too small.
func (s *simulation) doubleSign() {
	height := max(s.comet.initial, s.height()-1-s.r.Int63n(6))
	set := s.comet.sets[height]
	member := set.Validators[s.r.Intn(len(set.Validators))]
	if len(set.Validators) < 4 || 3*member.VotingPower > set.TotalVotingPower() {
		return
	}
	v := s.validatorAt(member.Address)
	s.comet.evidence = append(s.comet.evidence, abci.Misbehavior{
		Type: abci.MisbehaviorType_DUPLICATE_VOTE, Height: height, Time: s.comet.times[height],
		Validator:        abci.Validator{Address: member.Address, Power: member.VotingPower},
		TotalVotingPower: set.TotalVotingPower(),
	})
	s.doubleSigners++
	s.t.Logf("height %d: %s has signed twice at height %d", s.height(), v.name, height)
}

// checkMoney requires what the SDK's modules promise: the supply is what everybody has, the pools of x/staking hold what its
// validators and unbonding delegations say, and x/distribution can pay what it owes.
func (s *simulation) checkMoney() {
	s.t.Helper()
	ctx := s.ctx()
	held := sdk.NewCoins()
	s.app.BankKeeper.IterateAllBalances(ctx, func(_ sdk.AccAddress, coin sdk.Coin) bool {
		held = held.Add(coin)
		return false
	})
	require.Equal(s.t, s.totalSupply().String(), held.String(), "height %d: supply", s.height()-1)

	validators, err := s.app.StakingKeeper.GetAllValidators(ctx)
	require.NoError(s.t, err)
	bonded, other := math.ZeroInt(), math.ZeroInt()
	for _, v := range validators {
		if v.IsBonded() {
			bonded = bonded.Add(v.Tokens)
		} else {
			other = other.Add(v.Tokens)
		}
	}
	require.NoError(s.t, s.app.StakingKeeper.IterateUnbondingDelegations(ctx, func(_ int64, u stakingtypes.UnbondingDelegation) bool {
		for _, entry := range u.Entries {
			other = other.Add(entry.Balance)
		}
		return false
	}))
	pool := func(name, denom string) math.Int {
		return s.app.BankKeeper.GetBalance(ctx, authtypes.NewModuleAddress(name), denom).Amount
	}
	require.Equal(s.t, bonded.String(), pool(stakingtypes.BondedPoolName, app.BondDenom).String(), "bonded pool")
	require.Equal(s.t, other.String(), pool(stakingtypes.NotBondedPoolName, app.BondDenom).String(), "pool of what is not bonded")

	var owed sdk.DecCoins
	s.app.DistrKeeper.IterateValidatorOutstandingRewards(ctx, func(_ sdk.ValAddress, r distrtypes.ValidatorOutstandingRewards) bool {
		owed = owed.Add(r.Rewards...)
		return false
	})
	fees, err := s.app.DistrKeeper.FeePool.Get(ctx)
	require.NoError(s.t, err)
	whole, _ := owed.Add(fees.CommunityPool...).TruncateDecimal()
	for _, denom := range []string{app.BondDenom, settlement} {
		require.Equal(s.t, whole.AmountOf(denom).String(), pool(distrtypes.ModuleName, denom).String(), "x/distribution, %s", denom)
	}
}

// dataSource gives the factories the committed state to read. They work on a branch: what they write by mistake is lost.
func (s *simulation) dataSource() (sdk.Context, *simsx.ChainDataSource) {
	branch, _ := s.ctx().CacheContext()
	return branch, simsx.NewChainDataSource(
		branch, s.r, s.app.AccountKeeper, s.app.BankKeeper, s.app.TxConfig().SigningContext().AddressCodec(), s.people...)
}
