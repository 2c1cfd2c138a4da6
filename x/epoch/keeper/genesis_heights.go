package keeper

import (
	errorsmod "cosmossdk.io/errors"

	"github.com/edgechain/edge/x/epoch/committee"
	"github.com/edgechain/edge/x/epoch/types"
)

// maxClosingDelay bounds the blocks between a freeze and its closing height, which is one after as many blocks as beacon_blocks and
// the members are; while seats are handed over these are at most the seats of two elections.
const maxClosingDelay = 1 + max(types.MaxBeaconBlocks, 2*types.MaxSeats)

// checkHeights refuses a document that says of the chain before the initial height what cannot have happened yet. A freeze or a set
// of the future would never be reached by what follows it, or have a fault slashed from a height that is still to come.
func checkHeights(g types.GenesisState, initial int64) error {
	past := func(what string, height int64) error {
		if height < initial {
			return nil
		}
		return errorsmod.Wrapf(types.ErrInvalidGenesis, "%s at height %d, the chain starts at %d", what, height, initial)
	}
	for _, e := range g.Epochs {
		// An epoch that was opened by the last block before the export begins with the first one.
		for _, h := range []struct {
			what   string
			height int64
		}{{"start", e.StartHeight - 1}, {"freeze", e.FreezeHeight}, {"end", e.EndHeight}, {"done", e.DoneHeight}} {
			if err := past(h.what, h.height); err != nil {
				return errorsmod.Wrapf(err, "epoch %d", e.Number)
			}
		}
	}
	open := g.Epochs[len(g.Epochs)-1].Number
	for _, e := range g.Elections {
		err := past("freeze", e.FreezeHeight)
		if err == nil && e.Epoch <= open {
			err = past("closing", e.ClosingHeight)
		}
		if err != nil {
			return errorsmod.Wrapf(err, "election of epoch %d", e.Epoch)
		}
	}
	for _, l := range g.Leavings {
		if err := past("leaving", l.Height); err != nil {
			return errorsmod.Wrapf(err, "election of epoch %d: %s", l.Epoch, l.Operator)
		}
	}
	if err := checkPlannedHeights(g, initial); err != nil {
		return err
	}
	for _, s := range g.ValidatorSets {
		if err := past("sent", s.SentHeight); err != nil {
			return errorsmod.Wrapf(err, "validator set of height %d", s.Height)
		}
	}
	for _, h := range g.HeaderHashes {
		if err := past("header hash", h.Height); err != nil {
			return err
		}
	}
	return nil
}

// checkPlannedHeights refuses a closing height or a step that is further away than parameters can put it: the epoch would not end.
func checkPlannedHeights(g types.GenesisState, initial int64) error {
	if b := g.Beacon; b != nil && b.ClosingHeight-b.FreezeHeight > maxClosingDelay {
		return errorsmod.Wrapf(types.ErrInvalidGenesis, "beacon of epoch %d: frozen at %d, closing at %d, which is more than %d blocks later",
			b.Epoch, b.FreezeHeight, b.ClosingHeight, maxClosingDelay)
	}
	if h := g.HandOver; h.Steps < committee.Steps && h.NextHeight >= initial+int64(h.StepBlocks) {
		return errorsmod.Wrapf(types.ErrInvalidGenesis, "hand-over to epoch %d: the next step at %d, %d blocks apart, the chain starts at %d",
			h.Epoch, h.NextHeight, h.StepBlocks, initial)
	}
	return nil
}
