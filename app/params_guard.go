package app

import (
	"context"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	gogogrpc "github.com/cosmos/gogoproto/grpc"
	"google.golang.org/grpc"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	dackkeeper "github.com/edgechain/edge/x/dack/keeper"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	"github.com/edgechain/edge/x/epoch/committee"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// ErrUnsafeParams reports parameters of several modules with which the committee could escape its punishment, or a dead one
// could take the chain over.
var ErrUnsafeParams = errorsmod.Register(Name, 2, "unsafe parameters")

const (
	// unbondingEpochs is the least number of epochs for which stake that left right after a freeze must stay within reach,
	// besides the evidence age: the rest of the one that was frozen, that of the seats, and the hand-over to the next one.
	unbondingEpochs = 3
	// slowestBlock turns what x/epoch counts in blocks into time for which stake must stay within reach. A block takes a second;
	// one whose first proposer is silent takes about five: two for the proposal that does not come, one to agree on that, and
	// the next round with a longer wait. Six hold even if that happens in every block.
	slowestBlock = 6 * time.Second
	// minSignedBlocksWindow leaves a member time to restart.
	minSignedBlocksWindow = epochtypes.MinStepBlocks
	// maxValidators bounds the work of a freeze, and what x/staking sorts in a block.
	maxValidators = 300
	// evidenceBlocksPerSecond is how many blocks may count for a second of evidence age. x/evidence refuses what is too old
	// by time and by blocks: with more blocks than that, a double signature could be reported long after its stake is gone.
	evidenceBlocksPerSecond = 1
)

// minSignedPerWindow is the least part of the window that a member must sign. With less, a dead newcomer could sit through the
// step that brings in the next quarter.
func minSignedPerWindow() math.LegacyDec { return math.LegacyNewDecWithPrec(5, 2) }

// maxSignedPerWindow is the largest part of the window that a member can be made to sign. If it were all of it, one lost block would jail.
func maxSignedPerWindow() math.LegacyDec { return math.LegacyNewDecWithPrec(95, 2) }

// maxSlashDowntime is the largest part of its stake that a member can lose for being down, which can happen to all at once.
func maxSlashDowntime() math.LegacyDec { return math.LegacyNewDecWithPrec(1, 1) }

// leastCloseBudget returns the budget of a closing with which a block sums as many revenue records as a block with the gas can open
// at the least price that x/dack allows. With less, whoever fills all blocks would make each epoch longer than the one before.
func leastCloseBudget(gas int64) uint32 {
	opened := uint64(gas) / dacktypes.MinRecordsGas * dacktypes.MaxServicesPerSettlement
	return uint32((opened + dackkeeper.RecordsPerUnit - 1) / dackkeeper.RecordsPerUnit)
}

// linkedParams are the parameters of several modules that have to fit each other for seats to be safe, and those of others with
// which the chain would stand still or could never be governed again.
type linkedParams struct {
	staking   stakingtypes.Params
	slashing  slashingtypes.Params
	consensus *cmtproto.ConsensusParams
	gov       *govv1.Params
	auth      authtypes.Params
	epoch     epochtypes.Params
	// running is what was fixed of them earlier and still counts, zero if the chain is new.
	running runningEpoch
}

// runningEpoch is what the open epoch, its election and its hand-over have fixed of the parameters, which may be more than they
// are now.
type runningEpoch struct {
	duration time.Duration
	// beaconBlocks is the number of blocks from the freeze to the closing height, 0 before the freeze.
	beaconBlocks int64
	stepBlocks   uint32
}

// newRunningEpoch returns what an open epoch and the hand-over to it have fixed.
func newRunningEpoch(open epochtypes.Epoch, h epochtypes.HandOver) runningEpoch {
	return runningEpoch{duration: open.Duration, beaconBlocks: open.ClosingHeight - open.FreezeHeight, stepBlocks: h.StepBlocks}
}

// duration returns the length of the longest epoch.
func (p linkedParams) duration() time.Duration { return max(p.epoch.Duration, p.running.duration) }

// seatLife returns how long a seat can live after the freeze that counted the stake behind it: over the blocks of the beacon; the
// epoch, which no freeze ends before the last step of the hand-over to its committee; the blocks of the next beacon; and three
// steps, in the last of which the seat is handed over.
func (p linkedParams) seatLife() time.Duration {
	beacon := max(int64(max(p.epoch.BeaconBlocks, p.epoch.Seats))+1, p.running.beaconBlocks)
	steps := (committee.Steps - 1) * int64(max(p.epoch.StepBlocks, p.running.stepBlocks))
	handOver := time.Duration(steps) * slowestBlock
	return 2*time.Duration(beacon)*slowestBlock + max(p.duration(), handOver) + handOver
}

// check returns ErrUnsafeParams with the values that do not fit.
func (p linkedParams) check() error {
	if err := checkConsensus(p.consensus); err != nil {
		return err
	}
	if err := checkGov(p.gov); err != nil {
		return err
	}
	if err := checkAuth(p.auth); err != nil {
		return err
	}
	longest, evidence := p.duration(), p.consensus.Evidence
	if age := evidence.MaxAgeDuration; age < longest {
		return errorsmod.Wrapf(ErrUnsafeParams, "consensus evidence.max_age_duration is %s, want at least an epoch, %s", age, longest)
	}
	most := int64(evidence.MaxAgeDuration/time.Second) * evidenceBlocksPerSecond
	if blocks := evidence.MaxAgeNumBlocks; blocks < 1 || blocks > most {
		return errorsmod.Wrapf(ErrUnsafeParams,
			"consensus evidence.max_age_num_blocks is %d, want 1 to %d, a block for each second of max_age_duration", blocks, most)
	}
	life := p.seatLife()
	if least := evidence.MaxAgeDuration + max(unbondingEpochs*longest, life); p.staking.UnbondingTime < least {
		return errorsmod.Wrapf(ErrUnsafeParams,
			"staking unbonding_time is %s, want at least %s: the evidence age of %s and the longer of %d epochs of %s and the %s that a seat can live",
			p.staking.UnbondingTime, least, evidence.MaxAgeDuration, unbondingEpochs, longest, life)
	}
	if p.staking.HistoricalEntries != 0 {
		return errorsmod.Wrapf(ErrUnsafeParams,
			"staking historical_entries is %d, want 0: the headers that it keeps name validators that ran no consensus",
			p.staking.HistoricalEntries)
	}
	if p.staking.BondDenom != BondDenom {
		return errorsmod.Wrapf(ErrUnsafeParams, "staking bond_denom is %s, want %s: all stake is in that coin", p.staking.BondDenom, BondDenom)
	}
	if p.staking.MaxEntries > maxStakingEntries {
		return errorsmod.Wrapf(ErrUnsafeParams, "staking max_entries is %d, want at most %d", p.staking.MaxEntries, maxStakingEntries)
	}
	if n := p.staking.MaxValidators; n < p.epoch.MinCommittee || n > maxValidators {
		return errorsmod.Wrapf(ErrUnsafeParams, "staking max_validators is %d, want %d, epoch min_committee, to %d", n, p.epoch.MinCommittee, maxValidators)
	}
	window := p.slashing.SignedBlocksWindow
	if window < minSignedBlocksWindow {
		return errorsmod.Wrapf(ErrUnsafeParams, "slashing signed_blocks_window is %d, want at least %d", window, minSignedBlocksWindow)
	}
	if part := p.slashing.MinSignedPerWindow; part.IsNil() || part.LT(minSignedPerWindow()) || part.GT(maxSignedPerWindow()) {
		return errorsmod.Wrapf(ErrUnsafeParams, "slashing min_signed_per_window is %s, want %s to %s", part, minSignedPerWindow(), maxSignedPerWindow())
	}
	if part := p.slashing.SlashFractionDowntime; part.IsNil() || part.GT(maxSlashDowntime()) {
		return errorsmod.Wrapf(ErrUnsafeParams, "slashing slash_fraction_downtime is %s, want at most %s", part, maxSlashDowntime())
	}
	if gas := p.consensus.Block.MaxGas; p.epoch.CloseBudget < leastCloseBudget(gas) {
		return errorsmod.Wrapf(ErrUnsafeParams,
			"epoch close_budget is %d, want at least %d: a block must sum as many records as one of consensus block.max_gas, %d, can open",
			p.epoch.CloseBudget, leastCloseBudget(gas), gas)
	}
	if step := int64(p.epoch.StepBlocks); step < window {
		return errorsmod.Wrapf(ErrUnsafeParams,
			"epoch step_blocks is %d, want at least slashing signed_blocks_window, %d: the dead must be jailed before the next step",
			step, window)
	}
	return nil
}

// linkedParams reads the parameters as they are.
func (k *keepers) linkedParams(ctx context.Context) (p linkedParams, err error) {
	if p.staking, err = k.StakingKeeper.GetParams(ctx); err != nil {
		return p, errorsmod.Wrap(err, "parameters of x/staking")
	}
	if p.slashing, err = k.SlashingKeeper.GetParams(ctx); err != nil {
		return p, errorsmod.Wrap(err, "parameters of x/slashing")
	}
	consensus, err := k.ConsensusKeeper.ParamsStore.Get(ctx)
	if err != nil {
		return p, errorsmod.Wrap(err, "parameters of consensus")
	}
	p.consensus = &consensus
	gov, err := k.GovKeeper.Params.Get(ctx)
	if err != nil {
		return p, errorsmod.Wrap(err, "parameters of x/gov")
	}
	p.gov = &gov
	p.auth = k.AccountKeeper.GetParams(ctx)
	if p.epoch, err = k.EpochKeeper.Params(ctx); err != nil {
		return p, errorsmod.Wrap(err, "parameters of x/epoch")
	}
	number, err := k.EpochKeeper.CurrentNumber(ctx)
	if err != nil {
		return p, err
	}
	open, err := k.EpochKeeper.Epoch(ctx, number)
	if err != nil {
		return p, err
	}
	h, err := k.EpochKeeper.HandOver(ctx)
	if err != nil {
		return p, err
	}
	p.running = newRunningEpoch(open, h)
	return p, nil
}

// checkParams returns ErrUnsafeParams if the parameters as they are do not fit each other. A chain whose genesis has development
// set may have any.
func (k *keepers) checkParams(ctx context.Context) error {
	development, err := k.EpochKeeper.Development(ctx)
	if err != nil || development {
		return err
	}
	p, err := k.linkedParams(ctx)
	if err != nil {
		return err
	}
	return p.check()
}

// checkEpochParams returns ErrUnsafeParams if new parameters of x/epoch do not fit those of the others.
func (k *keepers) checkEpochParams(ctx context.Context, params epochtypes.Params) error {
	development, err := k.EpochKeeper.Development(ctx)
	if err != nil || development {
		return err
	}
	p, err := k.linkedParams(ctx)
	if err != nil {
		return err
	}
	p.epoch = params
	return p.check()
}

// guardedRouter takes the services of messages in, and puts a guard before those of the SDK that change linked parameters, move
// stake, or make accounts whose stake is dear to move. All ways to a message lead through the router: transactions, x/gov and x/authz. x/epoch asks for the guard itself.
type guardedRouter struct {
	next gogogrpc.Server
	// check returns an error if the parameters as they are must not stand.
	check func(context.Context) error
	stake stakeGuard
}

// RegisterService implements gogogrpc.Server. It panics if a service is not what its name says: a fault of the wiring.
func (r guardedRouter) RegisterService(sd *grpc.ServiceDesc, handler any) {
	switch sd.ServiceName {
	case "cosmos.staking.v1beta1.Msg":
		handler = guardedStaking{handler.(stakingtypes.MsgServer), r.check, r.stake}
	case "cosmos.slashing.v1beta1.Msg":
		handler = guardedSlashing{handler.(slashingtypes.MsgServer), r.check}
	case "cosmos.consensus.v1.Msg":
		handler = guardedConsensus{handler.(consensustypes.MsgServer), r.check}
	case "cosmos.auth.v1beta1.Msg":
		handler = guardedAuth{handler.(authtypes.MsgServer), r.check}
	case "cosmos.vesting.v1beta1.Msg":
		handler = guardedVesting{handler.(vestingtypes.MsgServer)}
	case "cosmos.gov.v1.Msg":
		handler = guardedGov{handler.(govv1.MsgServer), r.check}
	}
	r.next.RegisterService(sd, handler)
}

type guardedSlashing struct {
	slashingtypes.MsgServer

	check func(context.Context) error
}

func (s guardedSlashing) UpdateParams(ctx context.Context, msg *slashingtypes.MsgUpdateParams) (*slashingtypes.MsgUpdateParamsResponse, error) {
	return guarded(ctx, msg, s.MsgServer.UpdateParams, s.check)
}

type guardedConsensus struct {
	consensustypes.MsgServer

	check func(context.Context) error
}

func (s guardedConsensus) UpdateParams(ctx context.Context, msg *consensustypes.MsgUpdateParams) (*consensustypes.MsgUpdateParamsResponse, error) {
	return guarded(ctx, msg, s.MsgServer.UpdateParams, s.check)
}

type guardedAuth struct {
	authtypes.MsgServer

	check func(context.Context) error
}

func (s guardedAuth) UpdateParams(ctx context.Context, msg *authtypes.MsgUpdateParams) (*authtypes.MsgUpdateParamsResponse, error) {
	return guarded(ctx, msg, s.MsgServer.UpdateParams, s.check)
}

type guardedGov struct {
	govv1.MsgServer

	check func(context.Context) error
}

func (s guardedGov) UpdateParams(ctx context.Context, msg *govv1.MsgUpdateParams) (*govv1.MsgUpdateParamsResponse, error) {
	return guarded(ctx, msg, s.MsgServer.UpdateParams, s.check)
}

// guarded runs a handler and keeps what it wrote if the check of what it left passes. The handler has checked the signer or the
// authority by that time.
func guarded[Req, Res any](
	ctx context.Context, msg *Req, handle func(context.Context, *Req) (*Res, error), check func(context.Context) error,
) (*Res, error) {
	branch, write := sdk.UnwrapSDKContext(ctx).CacheContext()
	res, err := handle(branch, msg)
	if err != nil {
		return nil, err
	}
	if err := check(branch); err != nil {
		return nil, err
	}
	write()
	return res, nil
}
