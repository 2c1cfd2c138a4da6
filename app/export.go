package app

import (
	"encoding/json"
	"errors"

	servertypes "github.com/cosmos/cosmos-sdk/server/types"
)

// errZeroHeight refuses what would rewrite the books of distribution and slashing without need: an exported document
// names its own first height.
var errZeroHeight = errors.New("export for height zero is not supported: the document starts at the height after the exported one")

// ExportAppStateAndValidators returns the state and the validators from which a new chain can start at the next height. The
// validators are the committee as it was last sent, which an import returns again.
func (app *App) ExportAppStateAndValidators(forZeroHeight bool, _, modulesToExport []string) (servertypes.ExportedApp, error) {
	if forZeroHeight {
		return servertypes.ExportedApp{}, errZeroHeight
	}
	ctx := app.NewContext(true).WithBlockHeight(app.LastBlockHeight())
	state, err := app.modules.ExportGenesisForModules(ctx, app.encoding.codec, modulesToExport)
	if err != nil {
		return servertypes.ExportedApp{}, err
	}
	raw, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return servertypes.ExportedApp{}, err
	}
	validators, err := app.EpochKeeper.GenesisValidators(ctx)
	if err != nil {
		return servertypes.ExportedApp{}, err
	}
	return servertypes.ExportedApp{
		AppState:        raw,
		Validators:      validators,
		Height:          app.LastBlockHeight() + 1,
		ConsensusParams: app.GetConsensusParams(ctx),
	}, nil
}
