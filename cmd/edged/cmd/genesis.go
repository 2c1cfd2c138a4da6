package cmd

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/cosmos/gogoproto/proto"
	"github.com/spf13/pflag"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/version"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"

	"github.com/edgechain/edge/app"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// Values of a development genesis.
const (
	// developmentWindow is the least window of blocks over which presence is measured. Whoever misses more than half of it is
	// jailed, about ten seconds after it has died.
	developmentWindow = 20
	// developmentJail keeps a validator that was down out for that long; x/slashing takes no less.
	developmentJail = time.Minute
	// developmentEligibility is the number of epochs after which a node that has opted in can be elected.
	developmentEligibility = 1
)

// developmentSigned is the part of the window that a validator has to sign.
var developmentSigned = math.LegacyNewDecWithPrec(5, 1)

// genesisOptions are the choices that a chain makes once.
type genesisOptions struct {
	// settlementDenom is the coin that clients pay in; empty leaves the default.
	settlementDenom string
	// development lifts the lower bounds of parameters.
	development bool
	// epochDuration is the length of an epoch; 0 leaves the default.
	epochDuration time.Duration
	// seats of the committee, stepBlocks between two steps of a hand-over and beaconBlocks between a freeze and its closing
	// height; 0 leaves the default.
	seats, stepBlocks, beaconBlocks uint32
}

// addFlags adds a flag for each choice.
func (o *genesisOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.settlementDenom, flagSettlementDenom, "", "coin that clients pay in, fixed for ever")
	f.BoolVar(&o.development, flagDevelopment, false, "lift the lower bounds of parameters: local networks only, fixed for ever")
	f.DurationVar(&o.epochDuration, flagEpochDuration, 0, "length of an epoch, such as 24h")
	f.Uint32Var(&o.seats, "seats", 0, "seats of the committee")
	f.Uint32Var(&o.stepBlocks, "step-blocks", 0, "blocks between two of the four steps in which seats are handed over")
	f.Uint32Var(&o.beaconBlocks, "beacon-blocks", 0, "least number of blocks in which proposers reveal at the end of an epoch")
}

// editState changes the genesis state of a module.
func editState[T any, P interface {
	*T
	proto.Message
}](cdc codec.JSONCodec, state map[string]json.RawMessage, name string, edit func(P) error) error {
	s := P(new(T))
	if err := cdc.UnmarshalJSON(state[name], s); err != nil {
		return fmt.Errorf("genesis state of %s: %w", name, err)
	}
	if err := edit(s); err != nil {
		return err
	}
	raw, err := cdc.MarshalJSON(s)
	if err != nil {
		return fmt.Errorf("genesis state of %s: %w", name, err)
	}
	state[name] = raw
	return nil
}

// newState returns the genesis state of a new chain.
func newState(cdc codec.JSONCodec, basics module.BasicManager, opts genesisOptions) (map[string]json.RawMessage, error) {
	state := basics.DefaultGenesis(cdc)
	var stepBlocks uint32
	err := editState(cdc, state, epochtypes.ModuleName, func(s *epochtypes.GenesisState) error {
		s.Development = opts.development
		if opts.development {
			s.Params = epochtypes.DevelopmentParams()
		}
		if opts.epochDuration != 0 {
			s.Params.Duration = opts.epochDuration
		}
		for _, v := range []struct {
			to   *uint32
			from uint32
		}{
			{&s.Params.Seats, opts.seats},
			{&s.Params.StepBlocks, opts.stepBlocks},
			{&s.Params.BeaconBlocks, opts.beaconBlocks},
		} {
			if v.from != 0 {
				*v.to = v.from
			}
		}
		stepBlocks = s.Params.StepBlocks
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = editState(cdc, state, dacktypes.ModuleName, func(s *dacktypes.GenesisState) error {
		if opts.settlementDenom == "" {
			return nil
		}
		if opts.settlementDenom == app.BondDenom {
			return fmt.Errorf("the settlement coin cannot be the staking coin %s", app.BondDenom)
		}
		s.Params.SettlementDenom = opts.settlementDenom
		return sdk.ValidateDenom(opts.settlementDenom)
	})
	if err != nil || !opts.development {
		return state, err
	}
	err = editState(cdc, state, slashingtypes.ModuleName, func(s *slashingtypes.GenesisState) error {
		s.Params.SignedBlocksWindow = max(developmentWindow, int64(stepBlocks))
		s.Params.MinSignedPerWindow = developmentSigned
		s.Params.DowntimeJailDuration = developmentJail
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = editState(cdc, state, nodetypes.ModuleName, func(s *nodetypes.GenesisState) error {
		s.Params.EligibilityEpochs = developmentEligibility
		return nil
	})
	return state, err
}

// newGenesis returns the genesis document of a new chain, validated, without chain id.
func newGenesis(
	cdc codec.JSONCodec, txConfig client.TxEncodingConfig, basics module.BasicManager, opts genesisOptions,
) (*genutiltypes.AppGenesis, error) {
	state, err := newState(cdc, basics, opts)
	if err != nil {
		return nil, err
	}
	return newDocument(cdc, txConfig, basics, state)
}

// newDocument returns the genesis document with a state, which each module validates.
func newDocument(
	cdc codec.JSONCodec, txConfig client.TxEncodingConfig, basics module.BasicManager, state map[string]json.RawMessage,
) (*genutiltypes.AppGenesis, error) {
	if err := basics.ValidateGenesis(cdc, txConfig, state); err != nil {
		return nil, err
	}
	raw, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return nil, err
	}
	return &genutiltypes.AppGenesis{
		AppName:    version.AppName,
		AppVersion: version.Version,
		AppState:   raw,
		Consensus:  &genutiltypes.ConsensusGenesis{Params: app.DefaultConsensusParams()},
	}, nil
}
