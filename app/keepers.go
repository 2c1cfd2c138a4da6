package app

import (
	"context"
	"maps"
	"slices"

	"github.com/spf13/cast"

	corestore "cosmossdk.io/core/store"

	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/codec/address"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/server"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	authzkeeper "github.com/cosmos/cosmos-sdk/x/authz/keeper"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	consensuskeeper "github.com/cosmos/cosmos-sdk/x/consensus/keeper"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	evidencekeeper "github.com/cosmos/cosmos-sdk/x/evidence/keeper"
	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	feegrantkeeper "github.com/cosmos/cosmos-sdk/x/feegrant/keeper"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1beta1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1beta1"
	slashingkeeper "github.com/cosmos/cosmos-sdk/x/slashing/keeper"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	upgradekeeper "github.com/cosmos/cosmos-sdk/x/upgrade/keeper"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"

	dackkeeper "github.com/edgechain/edge/x/dack/keeper"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochkeeper "github.com/edgechain/edge/x/epoch/keeper"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodekeeper "github.com/edgechain/edge/x/node/keeper"
	nodetypes "github.com/edgechain/edge/x/node/types"
	rewardskeeper "github.com/edgechain/edge/x/rewards/keeper"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

// keepers are the keepers of all modules.
type keepers struct {
	AccountKeeper   authkeeper.AccountKeeper
	BankKeeper      bankkeeper.BaseKeeper
	StakingKeeper   *stakingkeeper.Keeper
	DistrKeeper     distrkeeper.Keeper
	SlashingKeeper  slashingkeeper.Keeper
	EvidenceKeeper  *evidencekeeper.Keeper
	FeeGrantKeeper  feegrantkeeper.Keeper
	AuthzKeeper     authzkeeper.Keeper
	UpgradeKeeper   *upgradekeeper.Keeper
	GovKeeper       *govkeeper.Keeper
	ConsensusKeeper consensuskeeper.Keeper

	NodeKeeper    *nodekeeper.Keeper
	EpochKeeper   *epochkeeper.Keeper
	DackKeeper    *dackkeeper.Keeper
	RewardsKeeper *rewardskeeper.Keeper
}

// moduleAccounts are the accounts of modules and what they may do beyond holding and sending.
func moduleAccounts() map[string][]string {
	return map[string][]string{
		authtypes.FeeCollectorName:          nil,
		distrtypes.ModuleName:               nil,
		stakingtypes.BondedPoolName:         {authtypes.Burner, authtypes.Staking},
		stakingtypes.NotBondedPoolName:      {authtypes.Burner, authtypes.Staking},
		stakingtypes.KeyRotationFeePoolName: {authtypes.Burner},
		govtypes.ModuleName:                 nil,
		depositsAccount:                     {authtypes.Burner},
		nodetypes.ModuleName:                nil,
		dacktypes.ModuleName:                nil,
		rewardstypes.ModuleName:             {authtypes.Minter},
	}
}

// BlockedAddresses are the accounts that nobody can send coins to: those of modules, whose balance must be what the
// module booked. The account of x/gov can receive, so that proposals can spend; the deposits on them have one of their own.
func BlockedAddresses() map[string]bool {
	blocked := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(moduleAccounts())) {
		if name != govtypes.ModuleName {
			blocked[authtypes.NewModuleAddress(name).String()] = true
		}
	}
	return blocked
}

// newKeepers wires the keepers. Dependencies point upwards in this function.
func newKeepers(app *App, objectKeys map[string]*storetypes.ObjectStoreKey, appOpts servertypes.AppOptions) (k keepers) {
	var (
		cfg            = sdk.GetConfig()
		cdc            = app.encoding.codec
		authority      = authtypes.NewModuleAddress(govtypes.ModuleName).String()
		addressCodec   = address.NewBech32Codec(cfg.GetBech32AccountAddrPrefix())
		validatorCodec = address.NewBech32Codec(cfg.GetBech32ValidatorAddrPrefix())
		consensusCodec = address.NewBech32Codec(cfg.GetBech32ConsensusAddrPrefix())
		service        = func(name string) corestore.KVStoreService { return runtime.NewKVStoreService(app.keys[name]) }
	)

	k.ConsensusKeeper = consensuskeeper.NewKeeper(cdc, service(consensustypes.StoreKey), authority, runtime.EventService{})
	app.SetParamStore(k.ConsensusKeeper.ParamsStore)

	k.AccountKeeper = authkeeper.NewAccountKeeper(
		cdc, service(authtypes.StoreKey), authtypes.ProtoBaseAccount, moduleAccounts(), addressCodec,
		cfg.GetBech32AccountAddrPrefix(), authority, authkeeper.WithUnorderedTransactions(true),
	)
	k.BankKeeper = bankkeeper.NewBaseKeeper(
		cdc, service(banktypes.StoreKey), k.AccountKeeper, BlockedAddresses(), authority, app.Logger(),
	).WithObjStoreKey(objectKeys[banktypes.ObjectStoreKey])
	burner := recordedBurns{k.BankKeeper, func(ctx context.Context, coins sdk.Coins) error {
		return k.RewardsKeeper.RecordBurn(ctx, coins)
	}}
	k.StakingKeeper = stakingkeeper.NewKeeper(
		cdc, service(stakingtypes.StoreKey), k.AccountKeeper, burner, authority, validatorCodec, consensusCodec,
	)
	k.DistrKeeper = distrkeeper.NewKeeper(
		cdc, service(distrtypes.StoreKey), k.AccountKeeper, k.BankKeeper, k.StakingKeeper, authtypes.FeeCollectorName, authority,
	)
	k.NodeKeeper = nodekeeper.NewKeeper(
		cdc, service(nodetypes.StoreKey), authority, addressCodec, validatorCodec, k.StakingKeeper, k.BankKeeper,
	)
	k.EpochKeeper = epochkeeper.NewKeeper(
		cdc, service(epochtypes.StoreKey), authority, validatorCodec, k.NodeKeeper, k.StakingKeeper,
	)
	k.EpochKeeper.SetConsensusParams(k.ConsensusKeeper.ParamsStore)
	k.NodeKeeper.SetHeaderHashes(k.EpochKeeper)
	// A fault is punished by the stake that stood behind the seat, not by what CometBFT calls power.
	k.SlashingKeeper = slashingkeeper.NewKeeper(
		cdc, app.encoding.amino, service(slashingtypes.StoreKey), k.EpochKeeper.Slasher(k.StakingKeeper), authority,
	)
	k.EvidenceKeeper = evidencekeeper.NewKeeper(
		cdc, service(evidencetypes.StoreKey), k.StakingKeeper, k.SlashingKeeper, addressCodec, runtime.ProvideCometInfoService(),
	)
	// No evidence comes in by messages; CometBFT's takes another way. Without a router the keeper would panic on one.
	k.EvidenceKeeper.SetRouter(evidencetypes.NewRouter())
	k.FeeGrantKeeper = feegrantkeeper.NewKeeper(cdc, service(feegrant.StoreKey), k.AccountKeeper).SetBankKeeper(k.BankKeeper)
	k.AuthzKeeper = authzkeeper.NewKeeper(service(authzkeeper.StoreKey), cdc, app.MsgServiceRouter(), k.AccountKeeper).
		SetBankKeeper(k.BankKeeper)

	skip := make(map[int64]bool)
	for _, height := range cast.ToIntSlice(appOpts.Get(server.FlagUnsafeSkipUpgrades)) {
		skip[int64(height)] = true
	}
	k.UpgradeKeeper = upgradekeeper.NewKeeper(
		skip, service(upgradetypes.StoreKey), cdc, cast.ToString(appOpts.Get(flags.FlagHome)), app.BaseApp, authority,
	)

	k.GovKeeper = govkeeper.NewKeeper(
		cdc, service(govtypes.StoreKey), k.AccountKeeper, deposits{burner}, depositCharges{k.DistrKeeper}, app.MsgServiceRouter(),
		govtypes.DefaultConfig(), authority, govkeeper.NewDefaultCalculateVoteResultsAndVotingPower(tallyStake{k.StakingKeeper}),
	)
	// Text proposals still take this route.
	router := govv1beta1.NewRouter()
	router.AddRoute(govtypes.RouterKey, govv1beta1.ProposalHandler)
	k.GovKeeper.SetLegacyRouter(router)

	k.DackKeeper = dackkeeper.NewKeeper(
		cdc, service, objectKeys[dacktypes.ObjectStoreKey], authority, addressCodec,
		k.BankKeeper, k.EpochKeeper, k.NodeKeeper,
	)
	k.RewardsKeeper = rewardskeeper.NewKeeper(
		cdc, service(rewardstypes.StoreKey), authority, addressCodec, validatorCodec,
		k.BankKeeper, k.DistrKeeper, k.StakingKeeper, k.SlashingKeeper, k.DackKeeper, k.EpochKeeper,
	)
	// x/rewards comes last: what it refuses, the others have allowed.
	k.StakingKeeper.SetHooks(stakingtypes.NewMultiStakingHooks(
		k.DistrKeeper.Hooks(), k.SlashingKeeper.Hooks(), k.NodeKeeper.Hooks(), k.EpochKeeper.Hooks(), k.RewardsKeeper.Hooks(),
	))
	// What the closing of an epoch does, in this order.
	k.EpochKeeper.SetStages(
		epochtypes.Stage{Name: epochtypes.StageSum, Closer: k.DackKeeper},
		epochtypes.Stage{Name: epochtypes.StagePay, Closer: k.RewardsKeeper},
	)
	k.EpochKeeper.SetParamsGuard(k.checkEpochParams)
	k.GovKeeper.SetHooks(govGuard{gov: k.GovKeeper, stake: newStakeGuard(k, app.keys[stakingtypes.StoreKey])})
	return k
}
