package app

import (
	"errors"
	"fmt"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cosmos/gogoproto/proto"

	errorsmod "cosmossdk.io/errors"

	"github.com/cosmos/cosmos-sdk/codec"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
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
	staking stakingtypes.GenesisState
	node    nodetypes.GenesisState
	epoch   epochtypes.GenesisState
	dack    dacktypes.GenesisState
	rewards rewardstypes.GenesisState
}

// check returns errGenesis if what one module says contradicts another one. Each module checks its own state by itself.
func (s GenesisState) check(cdc codec.JSONCodec) error {
	var m moduleStates
	for _, part := range []struct {
		name  string
		state proto.Message
	}{
		{stakingtypes.ModuleName, &m.staking},
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
	return m.checkEpochs()
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
	for i, s := range m.rewards.Summaries {
		add("summary", uint64(i), s.Epoch, closed)
	}
	return first
}
