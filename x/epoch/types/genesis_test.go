package types_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/x/epoch/types"
)

// closingGenesis has epoch 1 done, epoch 2 being closed with an item set aside, and epoch 3 open.
func closingGenesis() types.GenesisState {
	at := func(h int) time.Time { return time.Date(2026, 1, 1, h, 0, 0, 0, time.UTC) }
	end := func(h int) *time.Time { t := at(h); return &t }
	return types.GenesisState{
		Params: types.DefaultParams(),
		Epochs: []types.Epoch{
			{Number: 1, Phase: types.PHASE_DONE, StartTime: at(0), StartHeight: 1, Duration: time.Hour, EndTime: end(1), EndHeight: 10, DoneHeight: 12},
			{Number: 2, Phase: types.PHASE_CLOSING, Stage: "pay", StartTime: at(1), StartHeight: 11, Duration: time.Hour, EndTime: end(2), EndHeight: 20, SetAside: 1},
			{Number: 3, Phase: types.PHASE_OPEN, StartTime: at(2), StartHeight: 21, Duration: time.Hour},
		},
		Closing:  types.ClosingState{Epoch: 2, StageIndex: 1},
		SetAside: []types.SetAsideItem{{Epoch: 2, Stage: "pay", Key: []byte{1}, Cause: "boom", Height: 21, Tries: 1}},
	}
}

func TestGenesisValidate(t *testing.T) {
	require.NoError(t, types.DefaultGenesis().Validate())
	require.NoError(t, closingGenesis().Validate())

	for name, spoil := range map[string]func(*types.GenesisState){
		"closing without epochs":   func(g *types.GenesisState) { g.Epochs = nil },
		"epoch 0":                  func(g *types.GenesisState) { g.Epochs[0].Number = 0 },
		"a gap":                    func(g *types.GenesisState) { g.Epochs[2].Number = 4 },
		"no open epoch":            func(g *types.GenesisState) { g.Epochs = g.Epochs[:2] },
		"two open epochs":          func(g *types.GenesisState) { g.Epochs[0].Phase = types.PHASE_OPEN },
		"closing of another epoch": func(g *types.GenesisState) { g.Closing.Epoch = 1 },
		"closing of the open one":  func(g *types.GenesisState) { g.Closing.Epoch = 3 },
		"stage without closing":    func(g *types.GenesisState) { g.Closing.Epoch = 0 },
		"stage out of range":       func(g *types.GenesisState) { g.Closing.StageIndex = types.MaxStages },
		"closing without a stage":  func(g *types.GenesisState) { g.Epochs[1].Stage = "" },
		"done with a stage":        func(g *types.GenesisState) { g.Epochs[0].Stage = "pay" },
		"no duration":              func(g *types.GenesisState) { g.Epochs[2].Duration = 0 },
		"no start time":            func(g *types.GenesisState) { g.Epochs[2].StartTime = time.Time{} },
		"no start height":          func(g *types.GenesisState) { g.Epochs[2].StartHeight = 0 },
		"open with an end":         func(g *types.GenesisState) { g.Epochs[2].EndHeight = 30 },
		"closed without an end":    func(g *types.GenesisState) { g.Epochs[1].EndTime = nil },
		"ends before its start":    func(g *types.GenesisState) { g.Epochs[0].EndHeight = 0 },
		"done before its end":      func(g *types.GenesisState) { g.Epochs[0].DoneHeight = 9 },
		"closing and done":         func(g *types.GenesisState) { g.Epochs[1].DoneHeight = 22 },
		"item of an open epoch":    func(g *types.GenesisState) { g.SetAside[0].Epoch = 3 },
		"item of no epoch":         func(g *types.GenesisState) { g.SetAside[0].Epoch = 9 },
		"item without a stage":     func(g *types.GenesisState) { g.SetAside[0].Stage = "" },
		"item with a long key":     func(g *types.GenesisState) { g.SetAside[0].Key = make([]byte, types.MaxItemKey+1) },
		"item with a long cause":   func(g *types.GenesisState) { g.SetAside[0].Cause = string(make([]byte, types.MaxCause+1)) },
		"item never tried":         func(g *types.GenesisState) { g.SetAside[0].Tries = 0 },
		"item not counted":         func(g *types.GenesisState) { g.Epochs[1].SetAside = 0 },
		"item twice": func(g *types.GenesisState) {
			g.SetAside = append(g.SetAside, g.SetAside[0])
			g.Epochs[1].SetAside = 2
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := closingGenesis()
			spoil(&g)
			require.ErrorIs(t, g.Validate(), types.ErrInvalidGenesis)
		})
	}

	g := closingGenesis()
	g.Params.Duration = time.Second
	require.ErrorIs(t, g.Validate(), types.ErrInvalidParams)
	g.Development = true
	require.NoError(t, g.Validate())
}
