package cmd

import (
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/server"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"

	"github.com/edgechain/edge/app"
)

// newApp returns the application of a running node.
func newApp(logger log.Logger, db dbm.DB, opts servertypes.AppOptions) servertypes.Application {
	return app.New(logger, db, true, opts, server.DefaultBaseappOptions(opts)...)
}

// exportApp returns the state at a height, -1 for the last one.
func exportApp(
	logger log.Logger,
	db dbm.DB,
	height int64,
	forZeroHeight bool,
	jailAllowed []string,
	opts servertypes.AppOptions,
	modules []string,
) (servertypes.ExportedApp, error) {
	a := app.New(logger, db, height == -1, opts)
	if height != -1 {
		if err := a.LoadHeight(height); err != nil {
			return servertypes.ExportedApp{}, err
		}
	}
	return a.ExportAppStateAndValidators(forZeroHeight, jailAllowed, modules)
}
