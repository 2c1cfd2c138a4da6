package keeper

import (
	"fmt"

	cryptoenc "github.com/cometbft/cometbft/crypto/encoding"
	cmttypes "github.com/cometbft/cometbft/types"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/types"
)

// ExportGenesis reads the whole state. The document starts at the height after that of the context.
func (k *Keeper) ExportGenesis(ctx sdk.Context) (*types.GenesisState, error) {
	var g types.GenesisState
	for _, part := range []struct {
		name string
		read func(sdk.Context, *types.GenesisState) error
	}{
		{"clock", k.exportEpochs},
		{"beacon", k.exportBeacon},
		{"elections", k.exportElections},
		{"validator sets", k.exportSets},
	} {
		if err := part.read(ctx, &g); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return &g, nil
}

func (k *Keeper) exportEpochs(ctx sdk.Context, g *types.GenesisState) (err error) {
	if g.Params, err = k.params.Get(ctx); err != nil {
		return err
	}
	if g.Development, err = k.development.Get(ctx); err != nil {
		return err
	}
	if g.Closing, err = k.Closing(ctx); err != nil {
		return err
	}
	err = k.epochs.Walk(ctx, nil, func(_ uint64, e types.Epoch) (bool, error) {
		g.Epochs = append(g.Epochs, e)
		return false, nil
	})
	if err != nil {
		return err
	}
	return k.setAside.Walk(ctx, nil, func(_ setAsideKey, it types.SetAsideItem) (bool, error) {
		g.SetAside = append(g.SetAside, it)
		return false, nil
	})
}

func (k *Keeper) exportBeacon(ctx sdk.Context, g *types.GenesisState) error {
	err := k.beaconKeys.Walk(ctx, nil, func(_ []byte, key types.BeaconKey) (bool, error) {
		g.BeaconKeys = append(g.BeaconKeys, key)
		return false, nil
	})
	if err != nil {
		return err
	}
	frozen, err := k.beacon.Has(ctx)
	if err != nil {
		return err
	}
	if frozen {
		b, err := k.beacon.Get(ctx)
		if err != nil {
			return err
		}
		g.Beacon = &b
	}
	return k.headerHashes.Walk(ctx, nil, func(height int64, hash []byte) (bool, error) {
		g.HeaderHashes = append(g.HeaderHashes, types.HeaderHash{Height: height, Hash: hash})
		return false, nil
	})
}

func (k *Keeper) exportElections(ctx sdk.Context, g *types.GenesisState) error {
	h, err := k.handOver.Get(ctx)
	if err != nil {
		return err
	}
	g.HandOver = &h
	err = k.elections.Walk(ctx, nil, func(_ uint64, e types.Election) (bool, error) {
		g.Elections = append(g.Elections, e)
		return false, nil
	})
	if err != nil {
		return err
	}
	err = k.frozen.Walk(ctx, nil, func(key operatorKey, v types.FrozenValidator) (bool, error) {
		g.Frozen = append(g.Frozen, types.FrozenRow{Epoch: key.K1(), Validator: v})
		return false, nil
	})
	if err != nil {
		return err
	}
	return k.leavings.Walk(ctx, nil, func(_ operatorKey, l types.Leaving) (bool, error) {
		g.Leavings = append(g.Leavings, l)
		return false, nil
	})
}

func (k *Keeper) exportSets(ctx sdk.Context, g *types.GenesisState) error {
	err := k.validatorSets.Walk(ctx, nil, func(_ int64, s types.ValidatorSet) (bool, error) {
		g.ValidatorSets = append(g.ValidatorSets, s)
		return false, nil
	})
	if err != nil || len(g.ValidatorSets) == 0 {
		return err
	}
	newest := &g.ValidatorSets[len(g.ValidatorSets)-1]
	members, err := k.genesisMembers(ctx, newest.Members, ctx.BlockHeight()+1)
	if err != nil {
		return err
	}
	for i, m := range members {
		newest.Members[i] = m.Member
	}
	return nil
}

// GenesisValidators returns the validators of an exported document: the set that CometBFT was given last.
func (k *Keeper) GenesisValidators(ctx sdk.Context) ([]cmttypes.GenesisValidator, error) {
	newest, err := k.newestSet(ctx)
	if err != nil {
		return nil, err
	}
	members, err := k.genesisMembers(ctx, newest.Members, ctx.BlockHeight()+1)
	if err != nil {
		return nil, err
	}
	out := make([]cmttypes.GenesisValidator, len(members))
	for i, m := range members {
		key, err := cryptoenc.PubKeyFromProto(m.PubKey)
		if err != nil {
			return nil, err
		}
		out[i] = cmttypes.GenesisValidator{Address: key.Address(), PubKey: key, Power: m.Power, Name: m.moniker}
	}
	return out, nil
}
