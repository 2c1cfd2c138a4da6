package keeper

import (
	"context"
	"errors"
	"slices"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/x/epoch/committee"
	"github.com/edgechain/edge/x/epoch/types"
)

// maxRedelegations bounds the redelegations of one delegator that a query looks through.
const maxRedelegations = 1000

// ConsensusParams reads the consensus parameters, which the context of a block carries and that of a query does not.
type ConsensusParams interface {
	Get(ctx context.Context) (cmtproto.ConsensusParams, error)
}

// SetConsensusParams registers where queries read the consensus parameters. The application calls it once while it is wired;
// a second call panics.
func (k *Keeper) SetConsensusParams(p ConsensusParams) {
	if k.consensusParams != nil {
		panic("x/epoch: the consensus parameters are set already")
	}
	k.consensusParams = p
}

// evidenceParams tell how long a double sign can be reported.
func (k *Keeper) evidenceParams(ctx sdk.Context) (*cmtproto.EvidenceParams, error) {
	params := ctx.ConsensusParams()
	if params.Evidence == nil && k.consensusParams != nil {
		var err error
		if params, err = k.consensusParams.Get(ctx); err != nil {
			return nil, err
		}
	}
	if params.Evidence == nil {
		return nil, status.Error(codes.FailedPrecondition, "the chain has no parameters of evidence")
	}
	return params.Evidence, nil
}

// tenure is a time in which a validator's stake answers for its faults.
type tenure struct {
	// freeze is the height of the freeze that counted the stake: what left at this height or before is safe.
	freeze int64
	// until is the last time at which a fault so far can be reported; ended says that there will be no further ones.
	until time.Time
	ended bool
	// reportable is false once no fault can be reported any more.
	reportable bool
}

// Slashable tells until when a fault of a validator can be reported, and which of a delegator's stake on its way out it can still
// take from.
func (s queryServer) Slashable(goCtx context.Context, req *types.QuerySlashableRequest) (*types.QuerySlashableResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	operator, text, err := s.operator(req.Operator)
	if err != nil {
		return nil, err
	}
	var delegator sdk.AccAddress
	if req.Delegator != "" {
		if delegator, err = sdk.AccAddressFromBech32(req.Delegator); err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "delegator %.100q, want the address of an account, or none: %s", req.Delegator, err)
		}
	}
	ctx := sdk.UnwrapSDKContext(goCtx)
	resp := &types.QuerySlashableResponse{}
	tenures, err := s.k.tenures(ctx, text)
	if err != nil {
		return nil, err
	}
	for _, t := range tenures {
		if resp.Until == nil || t.until.After(*resp.Until) {
			resp.Until = &t.until
		}
		if t.reportable && (resp.OldestFreeze == 0 || t.freeze < resp.OldestFreeze) {
			resp.OldestFreeze = t.freeze
		}
	}
	if resp.InSet, err = s.k.inSet(ctx, text); err != nil {
		return nil, err
	}
	if len(tenures) == 0 && !resp.InSet {
		if err := s.known(ctx, operator, text); err != nil {
			return nil, err
		}
	}
	if delegator == nil {
		return resp, nil
	}
	if resp.Entries, err = s.k.leavingStake(ctx, delegator, operator, text); err != nil {
		return nil, err
	}
	pending, err := s.k.pendingFreezes(ctx, operator, text)
	if err != nil {
		return nil, err
	}
	for i := range resp.Entries {
		resp.Entries[i].SlashableUntil = slashableUntil(resp.Entries[i], tenures, pending, ctx.BlockTime())
	}
	return resp, nil
}

// slashableUntil is the last time at which a fault can take from an entry, nil if none can. Stake answers for every freeze before
// it left, and never longer than until it is paid out.
func slashableUntil(e types.SlashableEntry, tenures []tenure, pending []int64, now time.Time) *time.Time {
	for _, freeze := range pending {
		if freeze < e.CreationHeight {
			return &e.CompletionTime
		}
	}
	var until *time.Time
	for _, t := range tenures {
		switch {
		case !t.reportable || t.freeze >= e.CreationHeight:
		case !t.ended || t.until.After(e.CompletionTime):
			return &e.CompletionTime
		case until == nil || t.until.After(*until):
			until = &t.until
		}
	}
	return until
}

// tenures lists the kept sets of which a validator is a member.
func (k *Keeper) tenures(ctx sdk.Context, operator string) ([]tenure, error) {
	evidence, err := k.evidenceParams(ctx)
	if err != nil {
		return nil, err
	}
	var out []tenure
	var open *tenure // of the set before, whose end the next one tells
	next, now := ctx.BlockHeight()+1, ctx.BlockTime()
	err = k.validatorSets.Walk(ctx, nil, func(_ int64, set types.ValidatorSet) (bool, error) {
		if open != nil {
			open.ended = true
			if last := set.Height - 1; last < next {
				// The time of that block is not kept: it is the one after the block that sent the set.
				open.until = set.SentTime.Add(evidence.MaxAgeDuration)
				if next-last <= evidence.MaxAgeNumBlocks && open.until.Before(now) {
					// Evidence grows too old by time and by blocks, not by one of them.
					open.until = now
				}
				open.reportable = next-last <= evidence.MaxAgeNumBlocks || open.until.After(now)
			}
			out, open = append(out, *open), nil
		}
		if m, found := memberOf(set, operator); found {
			open = &tenure{freeze: m.FreezeHeight, until: now.Add(evidence.MaxAgeDuration), reportable: true}
		}
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	if open != nil {
		out = append(out, *open)
	}
	return out, nil
}

// inSet says whether a validator is in a set of the next block or of a later one, or holds a seat that is still to be handed
// over.
func (k *Keeper) inSet(ctx sdk.Context, operator string) (in bool, err error) {
	next := ctx.BlockHeight() + 1
	rng := new(collections.Range[int64]).Descending()
	err = k.validatorSets.Walk(ctx, rng, func(height int64, set types.ValidatorSet) (bool, error) {
		_, in = memberOf(set, operator)
		return in || height <= next, nil
	})
	if err != nil || in {
		return in, err
	}
	handOver, err := k.handOver.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	e, err := k.elections.Get(ctx, handOver.Epoch)
	if err != nil {
		return false, err
	}
	leavings, err := k.leavingsOf(ctx, handOver.Epoch)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(holders(e, leavings), func(s committee.Seat) bool { return s.Operator == operator }), nil
}

// pendingFreezes lists the freezes for which a validator holds seats or may yet get them: as a candidate before the draw, by
// seats that are still to be handed over, or as a spare. Who left an election gets no seat of it any more, unless it only missed
// a reveal: that may be pardoned.
func (k *Keeper) pendingFreezes(ctx sdk.Context, operator []byte, text string) ([]int64, error) {
	epochs, err := k.liveElections(ctx)
	if err != nil {
		return nil, err
	}
	var out []int64
	for _, epoch := range epochs {
		e, err := k.Election(ctx, epoch)
		if err != nil {
			return nil, err
		}
		left, err := k.leavings.Get(ctx, collections.Join(epoch, operator))
		if err != nil && !errors.Is(err, collections.ErrNotFound) {
			return nil, err
		}
		if err == nil && left.Reason != types.LEAVE_REASON_MISSED_REVEAL {
			continue
		}
		freezes, err := k.freezesOf(ctx, e, text)
		if err != nil {
			return nil, err
		}
		out = append(out, freezes...)
	}
	return out, nil
}

// freezesOf returns the freezes behind the seats that an election has given a validator or may give it.
func (k *Keeper) freezesOf(ctx sdk.Context, e types.Election, operator string) ([]int64, error) {
	if !e.Drawn() {
		rows, err := k.rows(ctx, e.Epoch)
		if err != nil {
			return nil, err
		}
		drawn := func(v types.FrozenValidator) bool { return v.Operator == operator }
		if !slices.ContainsFunc(e.DrawCandidates(rows), drawn) {
			return nil, nil
		}
		return []int64{e.FreezeHeight}, nil
	}
	var out []int64
	for _, runs := range [][]types.SeatRun{e.Elected, e.Spares} {
		for _, r := range runs {
			if r.Operator == operator {
				out = append(out, r.FreezeHeight)
			}
		}
	}
	return out, nil
}

// leavingStake lists the stake of a delegator on its way out of a validator.
func (k *Keeper) leavingStake(ctx sdk.Context, delegator sdk.AccAddress, operator sdk.ValAddress, text string) ([]types.SlashableEntry, error) {
	var out []types.SlashableEntry
	now := ctx.BlockTime()
	unbonding, err := k.stakingKeeper.GetUnbondingDelegation(ctx, delegator, operator)
	if err != nil && !errors.Is(err, stakingtypes.ErrNoUnbondingDelegation) {
		return nil, err
	}
	for _, e := range unbonding.Entries {
		if e.CompletionTime.After(now) {
			out = append(out, types.SlashableEntry{CreationHeight: e.CreationHeight, CompletionTime: e.CompletionTime, Tokens: e.InitialBalance})
		}
	}
	redelegations, err := k.stakingKeeper.GetRedelegations(ctx, delegator, maxRedelegations)
	if err != nil {
		return nil, err
	}
	if len(redelegations) == maxRedelegations {
		return nil, status.Errorf(codes.ResourceExhausted, "the delegator has %d redelegations or more", maxRedelegations)
	}
	for _, r := range redelegations {
		if r.ValidatorSrcAddress != text {
			continue
		}
		for _, e := range r.Entries {
			if e.CompletionTime.After(now) {
				out = append(out, types.SlashableEntry{
					RedelegatedTo: r.ValidatorDstAddress, CreationHeight: e.CreationHeight, CompletionTime: e.CompletionTime, Tokens: e.InitialBalance,
				})
			}
		}
	}
	return out, nil
}
