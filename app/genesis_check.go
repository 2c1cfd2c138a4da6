package app

import (
	"errors"
	"fmt"

	"github.com/cometbft/cometbft/proto/tendermint/crypto"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cosmos/gogoproto/proto"

	errorsmod "cosmossdk.io/errors"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	"github.com/edgechain/edge/x/epoch/committee"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

// errGenesis reports modules whose states do not belong together.
var errGenesis = errors.New("the genesis states of the modules do not belong together")

// checkConsensusParams returns sdkerrors.ErrInvalidRequest if the document does not bound the gas of a block. CometBFT's own
// default, -1, would let one block hold the chain up for minutes.
func checkConsensusParams(params *cmtproto.ConsensusParams) error {
	if params == nil || params.Block == nil {
		return errorsmod.Wrap(sdkerrors.ErrInvalidRequest, "genesis: no consensus parameters of blocks")
	}
	if params.Block.MaxGas <= 0 {
		return errorsmod.Wrapf(sdkerrors.ErrInvalidRequest,
			"genesis: consensus.params.block.max_gas is %d, which bounds nothing: want a positive number such as %d",
			params.Block.MaxGas, maxBlockGas)
	}
	return nil
}

// moduleStates are the states that have to agree.
type moduleStates struct {
	auth     authtypes.GenesisState
	bank     banktypes.GenesisState
	staking  stakingtypes.GenesisState
	slashing slashingtypes.GenesisState
	gov      govv1.GenesisState
	node     nodetypes.GenesisState
	epoch    epochtypes.GenesisState
	dack     dacktypes.GenesisState
	rewards  rewardstypes.GenesisState
}

// check returns errGenesis if what one module says contradicts another one, and ErrUnsafeParams if their parameters do not fit
// each other and the genesis is not one for development. Each module checks its own state by itself.
func (s GenesisState) check(cdc codec.JSONCodec, consensus *cmtproto.ConsensusParams) error {
	var m moduleStates
	for _, part := range []struct {
		name  string
		state proto.Message
	}{
		{authtypes.ModuleName, &m.auth},
		{banktypes.ModuleName, &m.bank},
		{stakingtypes.ModuleName, &m.staking},
		{slashingtypes.ModuleName, &m.slashing},
		{govtypes.ModuleName, &m.gov},
		{nodetypes.ModuleName, &m.node},
		{epochtypes.ModuleName, &m.epoch},
		{dacktypes.ModuleName, &m.dack},
		{rewardstypes.ModuleName, &m.rewards},
	} {
		raw, ok := s[part.name]
		if !ok {
			return fmt.Errorf("%w: no state of %s", errGenesis, part.name)
		}
		if err := cdc.UnmarshalJSON(raw, part.state); err != nil {
			return fmt.Errorf("genesis state of %s: %w", part.name, err)
		}
	}
	if denom := m.dack.Params.SettlementDenom; denom == m.staking.Params.BondDenom {
		return fmt.Errorf("%w: the settlement coin is the staking coin %s", errGenesis, denom)
	}
	if err := m.checkStake(); err != nil {
		return err
	}
	if err := m.checkParams(consensus); err != nil {
		return err
	}
	if err := m.checkEpochs(); err != nil {
		return err
	}
	return m.checkSeats()
}

// checkParams returns ErrUnsafeParams if the parameters do not fit each other.
func (m *moduleStates) checkParams(consensus *cmtproto.ConsensusParams) error {
	if m.epoch.Development {
		return nil
	}
	p := linkedParams{
		staking: m.staking.Params, slashing: m.slashing.Params, consensus: consensus, gov: m.gov.Params, auth: m.auth.Params,
		epoch: m.epoch.Params,
	}
	if n := len(m.epoch.Epochs); n > 0 {
		var h epochtypes.HandOver
		if m.epoch.HandOver != nil {
			h = *m.epoch.HandOver
		}
		p.running = newRunningEpoch(m.epoch.Epochs[n-1], h)
	}
	if err := p.check(); err != nil {
		return errorsmod.Wrap(err, "genesis, which does not have development set")
	}
	return nil
}

// checkEpochs returns errGenesis if a record belongs to an epoch that x/epoch has not reached. With the epochs reset and
// the records kept, paid lanes would come to life again when their number comes round, and open revenue would be paid
// twice or never.
func (m *moduleStates) checkEpochs() error {
	// Without epochs the chain opens the first one, and nothing can have happened in it.
	var current, next uint64 = 0, 1
	if n := len(m.epoch.Epochs); n > 0 {
		current = m.epoch.Epochs[n-1].Number
		next = current + 1
	}
	var first error
	add := func(what string, id, epoch, last uint64) {
		if first == nil && epoch > last {
			first = fmt.Errorf("%w: %s %d of epoch %d, x/epoch has got to %d", errGenesis, what, id, epoch, current)
		}
	}
	closed := current - min(current, 1)

	// x/node takes reports of the open epoch alone: with another one announced it would refuse them all, and the operators
	// would lapse.
	if n := len(m.epoch.Epochs); n > 0 {
		open := m.epoch.Epochs[n-1]
		if m.node.Epoch != open.Number || m.node.EpochHeight != open.StartHeight {
			return fmt.Errorf("%w: x/node is in epoch %d since height %d, x/epoch in epoch %d since height %d",
				errGenesis, m.node.Epoch, m.node.EpochHeight, open.Number, open.StartHeight)
		}
	}
	add("announcement to x/node", 0, m.node.Epoch, current)
	for i, c := range m.dack.PriceChanges {
		add("prices", uint64(i), c.Epoch, next)
	}
	for _, a := range m.dack.Accounts {
		for _, w := range a.Withdrawals {
			add("withdrawal of account", a.Id, w.Epoch, current)
		}
	}
	for _, k := range m.dack.Keys {
		for _, s := range k.Spent {
			add("spending of key", k.Id, s.Epoch, current)
		}
	}
	for _, r := range m.dack.LaneSets {
		add("lanes of key", r.KeyId, r.Epoch, current)
	}
	for _, r := range m.dack.Revenue {
		add("revenue of worker", r.WorkerId, r.Epoch, current)
	}
	for i, t := range m.dack.EpochTotals {
		add("total", uint64(i), t.Epoch, closed)
	}
	for i, c := range m.rewards.ShareChanges {
		add("shares", uint64(i), c.Epoch, next)
	}
	for i, c := range m.rewards.EmissionChanges {
		add("emission terms", uint64(i), c.Epoch, next)
	}
	for i, p := range m.rewards.TokenPrices {
		add("token price", uint64(i), p.Epoch, next)
	}
	add("boosts", 0, m.rewards.BoostedEpoch, current)
	for i, s := range m.rewards.Summaries {
		add("summary", uint64(i), s.Epoch, closed)
	}
	return first
}

// checkSeats returns errGenesis if someone sits in the committee whom x/staking does not know, or with a key that is not his.
// CometBFT would name an address in the commit of the first block that x/slashing cannot resolve, and the chain would halt.
// Those who left an election do not count: they can be gone.
func (m *moduleStates) checkSeats() error {
	validators := make(map[string]stakingtypes.Validator, len(m.staking.Validators))
	for _, v := range m.staking.Validators {
		operator, err := canonicalOperator(v.OperatorAddress)
		if err != nil {
			return err
		}
		validators[operator] = v
	}
	if n := len(m.epoch.ValidatorSets); n > 0 {
		for _, member := range m.epoch.ValidatorSets[n-1].Members {
			v, ok := validators[member.Operator]
			if !ok {
				return fmt.Errorf("%w: %s is in the validator set, and x/staking does not know it", errGenesis, member.Operator)
			}
			if own, err := m.isKeyOf(member.PubKey, v); err != nil {
				return fmt.Errorf("%w: key of %s: %w", errGenesis, member.Operator, err)
			} else if !own {
				return fmt.Errorf("%w: %s is in the validator set with a key that is not the one of x/staking", errGenesis, member.Operator)
			}
		}
	}
	type leaving struct {
		epoch    uint64
		operator string
	}
	left := make(map[leaving]bool, len(m.epoch.Leavings))
	for _, l := range m.epoch.Leavings {
		left[leaving{l.Epoch, l.Operator}] = true
	}
	// The election before the newest one hands out seats until the last step of the hand-over; after that nobody notes who
	// leaves it.
	live := uint64(0)
	if h := m.epoch.HandOver; h != nil {
		live = h.Epoch
		if h.Steps < committee.Steps {
			live -= min(live, 1)
		}
	}
	for _, e := range m.epoch.Elections {
		if e.Epoch < live {
			continue
		}
		for _, runs := range [][]epochtypes.SeatRun{e.Elected, e.Spares} {
			for _, run := range runs {
				if _, ok := validators[run.Operator]; !ok && !left[leaving{e.Epoch, run.Operator}] {
					return fmt.Errorf("%w: %s was drawn for epoch %d, and x/staking does not know it", errGenesis, run.Operator, e.Epoch)
				}
			}
		}
	}
	return nil
}

// isKeyOf reports whether a key is the one that a validator has, or is changing to.
func (m *moduleStates) isKeyOf(key crypto.PublicKey, v stakingtypes.Validator) (bool, error) {
	current, err := v.CmtConsPublicKey()
	if err != nil {
		return false, err
	}
	if key.Equal(current) {
		return true, nil
	}
	for _, r := range m.staking.PendingConsensusKeyRotations {
		if same, err := sameOperator(r.ValidatorAddress, v.OperatorAddress); err != nil {
			return false, err
		} else if !same {
			continue
		}
		v.ConsensusPubkey = r.NewPubkey
		next, err := v.CmtConsPublicKey()
		if err != nil {
			return false, err
		}
		if key.Equal(next) {
			return true, nil
		}
	}
	return false, nil
}

// canonicalOperator returns the one text of an operator's address. x/staking keeps the text that the validator's creator chose,
// which can be in capitals; x/epoch writes the canonical one.
func canonicalOperator(text string) (string, error) {
	operator, err := sdk.ValAddressFromBech32(text)
	if err != nil {
		return "", fmt.Errorf("%w: operator %.100q: %w", errGenesis, text, err)
	}
	return operator.String(), nil
}

func sameOperator(a, b string) (bool, error) {
	first, err := canonicalOperator(a)
	if err != nil {
		return false, err
	}
	second, err := canonicalOperator(b)
	return first == second, err
}
