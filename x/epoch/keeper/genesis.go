package keeper

import (
	"context"

	abci "github.com/cometbft/cometbft/abci/types"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/beacon"
	"github.com/edgechain/edge/x/epoch/committee"
	"github.com/edgechain/edge/x/epoch/types"
)

// InitGenesis writes the state of a genesis document and returns the validators with which the chain starts. Without epochs in
// it, epoch 1 opens at genesis time and its committee is drawn from the genesis stake; x/staking and x/node must have run.
func (k *Keeper) InitGenesis(ctx sdk.Context, g types.GenesisState) ([]abci.ValidatorUpdate, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	if err := k.params.Set(ctx, g.Params); err != nil {
		return nil, err
	}
	if err := k.development.Set(ctx, g.Development); err != nil {
		return nil, err
	}
	for _, key := range g.BeaconKeys {
		operator, err := k.operators.StringToBytes(key.Operator)
		if err != nil {
			return nil, err
		}
		if err := k.beaconKeys.Set(ctx, operator, key); err != nil {
			return nil, err
		}
	}
	// The first block has the genesis' initial height, which the context of InitGenesis leaves at 0 if it is 1.
	initial := max(ctx.BlockHeight(), 1)
	if len(g.Epochs) == 0 {
		return k.initChain(ctx, initial)
	}
	if err := checkHeights(g, initial); err != nil {
		return nil, err
	}
	if err := k.importEpochs(ctx, g); err != nil {
		return nil, err
	}
	if err := k.importElections(ctx, g); err != nil {
		return nil, err
	}
	return k.importSets(ctx, g, initial)
}

// initChain opens epoch 1 and draws its committee from all bonded validators of the genesis.
func (k *Keeper) initChain(ctx sdk.Context, initial int64) ([]abci.ValidatorUpdate, error) {
	params, err := k.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	seed := beacon.FirstSeed(ctx.ChainID())
	if err := k.open(ctx, 1, initial, seed); err != nil {
		return nil, err
	}
	rows, err := k.record(ctx, 1)
	if err != nil {
		return nil, err
	}
	before := initial - 1
	election := types.Election{Epoch: 1, FreezeHeight: before, ClosingHeight: before}.RecordGenesis(values(rows), params)
	if election.Candidates == 0 {
		return nil, errorsmod.Wrap(types.ErrInvalidGenesis, "no validator is bonded: nobody could sit in the committee")
	}
	if err := k.writeRecord(ctx, election, rows); err != nil {
		return nil, err
	}
	if err := k.elect(ctx, election, seed); err != nil {
		return nil, err
	}
	h := types.HandOver{Epoch: 1, Steps: committee.Steps, StepBlocks: params.StepBlocks}
	if err := k.handOver.Set(ctx, h); err != nil {
		return nil, err
	}
	view := newStakingView(k)
	seats, err := k.seats(ctx, h, view, false)
	if err != nil {
		return nil, err
	}
	set := types.ValidatorSet{Height: initial, SentHeight: before, SentTime: ctx.BlockTime(), Members: committee.Members(seats)}
	if err := view.setKeys(ctx, set.Members); err != nil {
		return nil, err
	}
	updates, err := committee.Difference(nil, set.Members)
	if err != nil {
		return nil, err
	}
	if err := k.validatorSets.Set(ctx, set.Height, set); err != nil {
		return nil, err
	}
	if err := k.startRotation(ctx, initial, set.Members); err != nil {
		return nil, err
	}
	return updates, ctx.EventManager().EmitTypedEvent(setSent(set))
}

// importEpochs writes the clock and the closing machine.
func (k *Keeper) importEpochs(ctx sdk.Context, g types.GenesisState) error {
	for _, e := range g.Epochs {
		if err := k.epochs.Set(ctx, e.Number, e); err != nil {
			return err
		}
	}
	if err := k.current.Set(ctx, g.Epochs[len(g.Epochs)-1].Number); err != nil {
		return err
	}
	if g.Closing.Epoch != 0 {
		if err := k.initClosing(ctx, g.Closing); err != nil {
			return err
		}
	}
	for _, it := range g.SetAside {
		if err := k.setAside.Set(ctx, collections.Join3(it.Epoch, it.Stage, it.Key), it); err != nil {
			return err
		}
	}
	for _, h := range g.HeaderHashes {
		if err := k.headerHashes.Set(ctx, h.Height, h.Hash); err != nil {
			return err
		}
	}
	return nil
}

// importElections writes the elections, the beacon and the hand-over.
func (k *Keeper) importElections(ctx sdk.Context, g types.GenesisState) error {
	for _, e := range g.Elections {
		if err := k.elections.Set(ctx, e.Epoch, e); err != nil {
			return err
		}
	}
	for _, r := range g.Frozen {
		operator, err := k.operators.StringToBytes(r.Validator.Operator)
		if err != nil {
			return err
		}
		if err := k.frozen.Set(ctx, collections.Join(r.Epoch, operator), r.Validator); err != nil {
			return err
		}
	}
	for _, l := range g.Leavings {
		operator, err := k.operators.StringToBytes(l.Operator)
		if err != nil {
			return err
		}
		if err := k.leavings.Set(ctx, collections.Join(l.Epoch, operator), l); err != nil {
			return err
		}
	}
	if g.Beacon != nil {
		if err := k.beacon.Set(ctx, *g.Beacon); err != nil {
			return err
		}
	}
	return k.handOver.Set(ctx, *g.HandOver)
}

// importSets writes the sets and returns the last one, with which CometBFT starts at the initial height: it knows nothing of
// updates that were still to come in force, so that the younger set takes the place of the one that it would have replaced.
func (k *Keeper) importSets(ctx sdk.Context, g types.GenesisState, initial int64) ([]abci.ValidatorUpdate, error) {
	var last types.ValidatorSet
	for _, set := range g.ValidatorSets {
		set.Height = min(set.Height, initial)
		if err := k.validatorSets.Set(ctx, set.Height, set); err != nil {
			return nil, err
		}
		last = set
	}
	if err := k.checkKeys(ctx, last, initial); err != nil {
		return nil, err
	}
	if err := k.startRotation(ctx, initial, last.Members); err != nil {
		return nil, err
	}
	// What was noted since the last set was sent does not stand in the document: the first block looks for itself.
	if err := k.changed.Set(ctx, true); err != nil {
		return nil, err
	}
	return committee.Difference(nil, last.Members)
}

// checkKeys refuses a set that x/staking does not know: the first block would halt over its votes.
func (k *Keeper) checkKeys(ctx context.Context, set types.ValidatorSet, initial int64) error {
	known, err := k.genesisMembers(ctx, set.Members, initial)
	if err != nil {
		return err
	}
	for i, m := range set.Members {
		if !known[i].found {
			return errorsmod.Wrapf(types.ErrInvalidGenesis, "the validator set has %s, who is no validator", m.Operator)
		}
		if !m.PubKey.Equal(known[i].PubKey) {
			return errorsmod.Wrapf(types.ErrInvalidGenesis, "the validator set has %s with another key than x/staking", m.Operator)
		}
	}
	return nil
}

// genesisMember is a member of the set as a document has to name it.
type genesisMember struct {
	types.Member

	moniker string
	// found is false for a member that x/staking has forgotten, which is kept because nobody is left.
	found bool
}

// genesisMembers returns members with the keys that they have at the initial height of a document: x/staking has rotated those
// whose time has come by then, and announces the others anew.
func (k *Keeper) genesisMembers(ctx context.Context, members []types.Member, initial int64) ([]genesisMember, error) {
	pending, err := k.stakingKeeper.PendingConsKeyRotations(ctx)
	if err != nil {
		return nil, err
	}
	view := newStakingView(k)
	out := make([]genesisMember, len(members))
	for i, m := range members {
		operator, v, found, err := view.validator(ctx, m.Operator)
		if err != nil {
			return nil, err
		}
		out[i] = genesisMember{Member: m, moniker: v.GetMoniker(), found: found}
		if !found {
			continue
		}
		key, err := pending.EffectiveKeyForGenesis(operator, v, initial)
		if err != nil {
			return nil, err
		}
		if out[i].PubKey, err = cryptocodec.ToCmtProtoPublicKey(key); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// initClosing puts the closing machine where it was; the stage must be one that the application has at that place.
func (k *Keeper) initClosing(ctx sdk.Context, closing types.ClosingState) error {
	e, err := k.Epoch(ctx, closing.Epoch)
	if err != nil {
		return err
	}
	if i, ok := k.stageIndex(e.Stage); !ok || i != int(closing.StageIndex) {
		return errorsmod.Wrapf(types.ErrInvalidGenesis, "epoch %d is in stage %.32q, number %d, which this application does not have there", e.Number, e.Stage, closing.StageIndex)
	}
	return k.closing.Set(ctx, closing)
}
