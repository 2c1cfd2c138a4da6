package types

import (
	errorsmod "cosmossdk.io/errors"
)

// DefaultGenesis returns the genesis of a production network: the first epoch opens at genesis time.
func DefaultGenesis() *GenesisState {
	return &GenesisState{Params: DefaultParams()}
}

// Validate checks that the state is one that the module can have written. It returns ErrInvalidGenesis or
// ErrInvalidParams.
func (g GenesisState) Validate() error {
	if err := g.Params.Validate(g.Development); err != nil {
		return err
	}
	if err := g.validateBeaconKeys(); err != nil {
		return err
	}
	if len(g.Epochs) == 0 {
		if g.Closing != (ClosingState{}) || len(g.SetAside) != 0 || len(g.Elections) != 0 || len(g.Frozen) != 0 || len(g.Leavings) != 0 ||
			g.Beacon != nil || g.HandOver != nil || len(g.ValidatorSets) != 0 || len(g.HeaderHashes) != 0 {
			return errorsmod.Wrap(ErrInvalidGenesis, "a state without epochs")
		}
		return nil
	}
	for i, e := range g.Epochs {
		if err := g.validateEpoch(i); err != nil {
			return errorsmod.Wrapf(err, "epoch %d", e.Number)
		}
	}
	last := g.Epochs[len(g.Epochs)-1]
	if g.Closing.Epoch == 0 && g.Closing.StageIndex != 0 || g.Closing.StageIndex >= MaxStages {
		return errorsmod.Wrapf(ErrInvalidGenesis, "closing stage %d of epoch %d", g.Closing.StageIndex, g.Closing.Epoch)
	}
	if g.Closing.Epoch != 0 && (g.Closing.Epoch != last.Number-1 || len(g.Epochs) < 2) {
		return errorsmod.Wrapf(ErrInvalidGenesis, "epoch %d is being closed, the open one is %d", g.Closing.Epoch, last.Number)
	}
	if last.Phase == PHASE_FROZEN && g.Closing.Epoch != 0 {
		return errorsmod.Wrapf(ErrInvalidGenesis, "epoch %d is frozen while epoch %d is being closed", last.Number, g.Closing.Epoch)
	}
	if err := g.validateSetAside(); err != nil {
		return err
	}
	return g.validateCommittee()
}

// validateEpoch checks the i-th epoch against its place: consecutive numbers, the last one open or frozen, the one before it
// closing exactly if the closing machine says so, all others done.
func (g GenesisState) validateEpoch(i int) error {
	e := g.Epochs[i]
	want := PHASE_DONE
	switch {
	case i == len(g.Epochs)-1 && g.Beacon != nil:
		want = PHASE_FROZEN
	case i == len(g.Epochs)-1:
		want = PHASE_OPEN
	case e.Number == g.Closing.Epoch:
		want = PHASE_CLOSING
	}
	running := want == PHASE_OPEN || want == PHASE_FROZEN
	switch {
	case e.Number == 0:
		return errorsmod.Wrap(ErrInvalidGenesis, "epochs count from 1")
	case i > 0 && e.Number != g.Epochs[i-1].Number+1:
		return errorsmod.Wrapf(ErrInvalidGenesis, "follows epoch %d", g.Epochs[i-1].Number)
	case e.Phase != want:
		return errorsmod.Wrapf(ErrInvalidGenesis, "phase %s, want %s", e.Phase, want)
	case (e.Stage != "") != (want == PHASE_CLOSING):
		return errorsmod.Wrapf(ErrInvalidGenesis, "stage %.32q in phase %s", e.Stage, e.Phase)
	case e.Duration < MinDevelopmentDuration || e.Duration > MaxDuration:
		return errorsmod.Wrapf(ErrInvalidGenesis, "duration %s", e.Duration)
	case e.StartTime.IsZero() || e.StartTime.Unix() == 0:
		return errorsmod.Wrap(ErrInvalidGenesis, "no start time")
	case e.StartHeight < 1:
		return errorsmod.Wrapf(ErrInvalidGenesis, "start height %d", e.StartHeight)
	case len(e.Seed) != SeedSize:
		return errorsmod.Wrapf(ErrInvalidGenesis, "seed of %d bytes, want %d", len(e.Seed), SeedSize)
	case want == PHASE_OPEN && (e.FreezeHeight != 0 || e.ClosingHeight != 0):
		return errorsmod.Wrap(ErrInvalidGenesis, "has a freeze though it is open")
	case want != PHASE_OPEN && (e.FreezeHeight < e.StartHeight || e.ClosingHeight <= e.FreezeHeight):
		return errorsmod.Wrapf(ErrInvalidGenesis, "frozen at %d, closing at %d", e.FreezeHeight, e.ClosingHeight)
	case !running && e.EndHeight < e.ClosingHeight:
		return errorsmod.Wrapf(ErrInvalidGenesis, "ends at %d before its closing height %d", e.EndHeight, e.ClosingHeight)
	case (e.EndTime == nil) != running, (e.EndHeight == 0) != running:
		return errorsmod.Wrap(ErrInvalidGenesis, "has an end exactly if it is closed")
	case e.EndTime != nil && (e.EndTime.Before(e.StartTime) || e.EndHeight < e.StartHeight):
		return errorsmod.Wrap(ErrInvalidGenesis, "ends before it starts")
	case (e.DoneHeight == 0) != (want != PHASE_DONE) || want == PHASE_DONE && e.DoneHeight < e.EndHeight:
		return errorsmod.Wrapf(ErrInvalidGenesis, "done height %d in phase %s", e.DoneHeight, e.Phase)
	}
	return nil
}

// validateSetAside checks the items, that no two are the same, and that the counts of the epochs are right.
func (g GenesisState) validateSetAside() error {
	type id struct {
		epoch      uint64
		stage, key string
	}
	first, last := g.Epochs[0].Number, g.Epochs[len(g.Epochs)-1].Number
	seen := make(map[id]bool, len(g.SetAside))
	counts := make(map[uint64]uint64)
	for _, it := range g.SetAside {
		k := id{it.Epoch, it.Stage, string(it.Key)}
		switch {
		case it.Epoch < first || it.Epoch > last || it.Epoch == last && it.Stage != StageOpen:
			return errorsmod.Wrapf(ErrInvalidGenesis, "set aside: epoch %d is not closed", it.Epoch)
		case ValidateStageName(it.Stage) != nil:
			return errorsmod.Wrapf(ErrInvalidGenesis, "set aside: stage %.32q", it.Stage)
		case len(it.Key) > MaxItemKey, len(it.Cause) > MaxCause:
			return errorsmod.Wrapf(ErrInvalidGenesis, "set aside: key of %d bytes, cause of %d", len(it.Key), len(it.Cause))
		case it.Tries == 0 || it.Height < 0:
			return errorsmod.Wrap(ErrInvalidGenesis, "set aside: never tried")
		case seen[k]:
			return errorsmod.Wrapf(ErrInvalidGenesis, "set aside: epoch %d stage %s key %X stands twice", it.Epoch, it.Stage, it.Key)
		}
		seen[k] = true
		counts[it.Epoch]++
	}
	for _, e := range g.Epochs {
		if e.SetAside != counts[e.Number] {
			return errorsmod.Wrapf(ErrInvalidGenesis, "epoch %d counts %d items set aside, there are %d", e.Number, e.SetAside, counts[e.Number])
		}
	}
	return nil
}
