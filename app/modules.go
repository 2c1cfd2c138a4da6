package app

import (
	"encoding/json"
	"time"

	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/address"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authsims "github.com/cosmos/cosmos-sdk/x/auth/simulation"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/auth/vesting"
	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	authzmodule "github.com/cosmos/cosmos-sdk/x/authz/module"
	"github.com/cosmos/cosmos-sdk/x/bank"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/consensus"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	distr "github.com/cosmos/cosmos-sdk/x/distribution"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	"github.com/cosmos/cosmos-sdk/x/evidence"
	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	feegrantmodule "github.com/cosmos/cosmos-sdk/x/feegrant/module"
	"github.com/cosmos/cosmos-sdk/x/genutil"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	"github.com/cosmos/cosmos-sdk/x/gov"
	govclient "github.com/cosmos/cosmos-sdk/x/gov/client"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	"github.com/cosmos/cosmos-sdk/x/slashing"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/cosmos/cosmos-sdk/x/upgrade"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"

	"github.com/edgechain/edge/x/dack"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	"github.com/edgechain/edge/x/epoch"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	"github.com/edgechain/edge/x/node"
	nodetypes "github.com/edgechain/edge/x/node/types"
	"github.com/edgechain/edge/x/rewards"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

// newModules returns all modules.
func newModules(app *App) *module.Manager {
	cdc, registry := app.encoding.codec, app.encoding.registry
	return module.NewManager(
		genutilModule{genutil.NewAppModule(app.AccountKeeper, app.StakingKeeper, app, app.encoding.tx)},
		auth.NewAppModule(cdc, app.AccountKeeper, authsims.RandomGenesisAccounts),
		vesting.NewAppModule(app.AccountKeeper, app.BankKeeper),
		bank.NewAppModule(cdc, app.BankKeeper, app.AccountKeeper),
		feegrantmodule.NewAppModule(cdc, app.AccountKeeper, app.BankKeeper, app.FeeGrantKeeper, registry),
		gov.NewAppModule(cdc, app.GovKeeper, app.AccountKeeper, deposits{recordedBurns{BaseKeeper: app.BankKeeper}}),
		slashing.NewAppModule(cdc, app.SlashingKeeper, app.AccountKeeper, app.BankKeeper, app.StakingKeeper, registry),
		distr.NewAppModule(cdc, app.DistrKeeper, app.AccountKeeper, app.BankKeeper, app.StakingKeeper),
		stakingModule{staking.NewAppModule(cdc, app.StakingKeeper, app.AccountKeeper, app.BankKeeper)},
		upgrade.NewAppModule(app.UpgradeKeeper, address.NewBech32Codec(AddressPrefix)),
		evidence.NewAppModule(*app.EvidenceKeeper),
		authzmodule.NewAppModule(cdc, app.AuthzKeeper, app.AccountKeeper, app.BankKeeper, registry),
		consensus.NewAppModule(cdc, app.ConsensusKeeper),

		node.NewAppModule(cdc, app.NodeKeeper),
		epoch.NewAppModule(cdc, app.EpochKeeper),
		dack.NewAppModule(cdc, app.DackKeeper),
		rewards.NewAppModule(cdc, app.RewardsKeeper),
	)
}

// newBasics returns the stateless side of the modules, with our defaults in the genesis of the SDK's.
func newBasics(modules *module.Manager) module.BasicManager {
	return module.NewBasicManagerFromManager(modules, map[string]module.AppModuleBasic{
		genutiltypes.ModuleName:  genutil.NewAppModuleBasic(genutiltypes.DefaultMessageValidator),
		govtypes.ModuleName:      gov.NewAppModuleBasic([]govclient.ProposalHandler{}),
		banktypes.ModuleName:     bankBasics{},
		stakingtypes.ModuleName:  stakingBasics{},
		slashingtypes.ModuleName: slashingBasics{},
	})
}

// bankBasics adds what wallets show of the staking coin.
type bankBasics struct{ bank.AppModuleBasic }

func (bankBasics) DefaultGenesis(cdc codec.JSONCodec) json.RawMessage {
	gs := banktypes.DefaultGenesisState()
	gs.DenomMetadata = []banktypes.Metadata{{
		Description: "The staking coin of Edge, which also pays fees.",
		DenomUnits: []*banktypes.DenomUnit{
			{Denom: BondDenom, Exponent: 0},
			{Denom: DisplayDenom, Exponent: DisplayExponent},
		},
		Base:    BondDenom,
		Display: DisplayDenom,
		Name:    "Edge",
		Symbol:  DisplayDenom,
	}}
	return cdc.MustMarshalJSON(gs)
}

// stakingBasics keeps no historical headers, which only IBC reads, and bonds as many validators as may be: they are the
// candidates for the committee, whose size is a parameter of x/epoch.
type stakingBasics struct{ staking.AppModuleBasic }

func (stakingBasics) DefaultGenesis(cdc codec.JSONCodec) json.RawMessage {
	gs := stakingtypes.DefaultGenesisState()
	gs.Params.HistoricalEntries = 0
	gs.Params.MaxValidators = maxValidators
	return cdc.MustMarshalJSON(gs)
}

const (
	// signedBlocksWindow of 10,000 blocks is about three hours at a block a second: time to restart a machine.
	signedBlocksWindow = 10_000
	// downtimeJail keeps a validator that was down out for that long.
	downtimeJail = 10 * time.Minute
)

// slashingBasics measures presence over a window that fits blocks of one second.
type slashingBasics struct{ slashing.AppModuleBasic }

func (slashingBasics) DefaultGenesis(cdc codec.JSONCodec) json.RawMessage {
	gs := slashingtypes.DefaultGenesisState()
	gs.Params.SignedBlocksWindow = signedBlocksWindow
	gs.Params.DowntimeJailDuration = downtimeJail
	return cdc.MustMarshalJSON(gs)
}

// setOrders fixes the order of the modules in every hook. Modules without a hook need no place.
func setOrders(m *module.Manager) {
	// Upgrades come first: what follows runs on the new state.
	m.SetOrderPreBlockers(upgradetypes.ModuleName, authtypes.ModuleName)
	// Rewards comes first: it computes the boosts of an epoch from the state at its opening. Distribution allocates the fees of the
	// last block before slashing changes the validators.
	m.SetOrderBeginBlockers(
		rewardstypes.ModuleName, distrtypes.ModuleName, slashingtypes.ModuleName, evidencetypes.ModuleName, stakingtypes.ModuleName, authz.ModuleName,
	)
	// Bank comes first: it credits the fees of the block to their collector. Epoch comes last: what the others do in a
	// block belongs to the epoch of the block, and the committee needs what x/staking made of its validators and their keys.
	m.SetOrderEndBlockers(
		banktypes.ModuleName, govtypes.ModuleName, stakingtypes.ModuleName, feegrant.ModuleName,
		nodetypes.ModuleName, dacktypes.ModuleName, rewardstypes.ModuleName, epochtypes.ModuleName,
	)
	// Genutil's transactions need the other modules of the SDK, and x/epoch draws the first committee from the validators
	// that they create. Rewards comes last: the history of the supply begins with what the others leave.
	order := []string{
		authtypes.ModuleName, banktypes.ModuleName, distrtypes.ModuleName, stakingtypes.ModuleName, slashingtypes.ModuleName,
		govtypes.ModuleName, evidencetypes.ModuleName, authz.ModuleName, feegrant.ModuleName, upgradetypes.ModuleName,
		vestingtypes.ModuleName, consensustypes.ModuleName, genutiltypes.ModuleName,
		nodetypes.ModuleName, epochtypes.ModuleName, dacktypes.ModuleName, rewardstypes.ModuleName,
	}
	m.SetOrderInitGenesis(order...)
	m.SetOrderExportGenesis(order...)
}

// CheckInvariants returns the first invariant of our modules that does not hold. For tests: it walks the whole state.
func (app *App) CheckInvariants(ctx sdk.Context) error {
	if err := app.NodeKeeper.CheckInvariants(ctx); err != nil {
		return err
	}
	if err := app.DackKeeper.CheckInvariants(ctx); err != nil {
		return err
	}
	return app.RewardsKeeper.CheckInvariants(ctx)
}
