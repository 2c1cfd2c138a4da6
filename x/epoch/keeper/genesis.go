package keeper

import (
	"fmt"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/types"
)

// InitGenesis writes the state of a genesis document. Without epochs in it, epoch 1 opens at genesis time.
func (k *Keeper) InitGenesis(ctx sdk.Context, g types.GenesisState) error {
	if err := g.Validate(); err != nil {
		return err
	}
	if err := k.params.Set(ctx, g.Params); err != nil {
		return err
	}
	if err := k.development.Set(ctx, g.Development); err != nil {
		return err
	}
	if len(g.Epochs) == 0 {
		// The first block has the genesis' initial height, which the context of InitGenesis leaves at 0 if it is 1.
		return k.open(ctx, 1, max(ctx.BlockHeight(), 1))
	}
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
	return nil
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

// ExportGenesis reads the whole state.
func (k *Keeper) ExportGenesis(ctx sdk.Context) (*types.GenesisState, error) {
	var g types.GenesisState
	var err error
	if g.Params, err = k.params.Get(ctx); err != nil {
		return nil, fmt.Errorf("params: %w", err)
	}
	if g.Development, err = k.development.Get(ctx); err != nil {
		return nil, fmt.Errorf("development: %w", err)
	}
	if g.Closing, err = k.Closing(ctx); err != nil {
		return nil, fmt.Errorf("closing: %w", err)
	}
	err = k.epochs.Walk(ctx, nil, func(_ uint64, e types.Epoch) (bool, error) {
		g.Epochs = append(g.Epochs, e)
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("epochs: %w", err)
	}
	err = k.setAside.Walk(ctx, nil, func(_ setAsideKey, it types.SetAsideItem) (bool, error) {
		g.SetAside = append(g.SetAside, it)
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("set aside: %w", err)
	}
	return &g, nil
}
