package keeper

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/x/epoch/types"
)

// Eligibility tells whether a validator is a candidate for the committee of the next epoch: by the record if the open epoch is
// frozen, else as the freeze would find it now.
func (s queryServer) Eligibility(ctx context.Context, req *types.QueryEligibilityRequest) (*types.QueryEligibilityResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	operator, text, err := s.operator(req.Operator)
	if err != nil {
		return nil, err
	}
	validator, err := s.k.stakingKeeper.GetValidator(ctx, operator)
	if errors.Is(err, stakingtypes.ErrNoValidatorFound) {
		return nil, noValidator(text)
	}
	if err != nil {
		return nil, err
	}
	current, err := s.k.CurrentNumber(ctx)
	if err != nil {
		return nil, err
	}
	resp := &types.QueryEligibilityResponse{Epoch: current + 1}
	if resp.Frozen, err = s.k.elections.Has(ctx, resp.Epoch); err != nil {
		return nil, err
	}
	if resp.Frozen {
		resp.Ineligibility, err = s.recorded(ctx, resp.Epoch, operator)
	} else {
		resp.Ineligibility, err = s.now(ctx, validator, operator, resp.Epoch)
	}
	if err != nil {
		return nil, err
	}
	resp.Eligible = resp.Ineligibility == types.INELIGIBILITY_NONE
	resp.Reason = reason(resp.Ineligibility, text)
	if resp.Frozen && !resp.Eligible {
		resp.Reason = fmt.Sprintf("by the record of the freeze, which nothing alters any more: %s", resp.Reason)
	}
	return resp, nil
}

// recorded returns what the record of a freeze says of a validator.
func (s queryServer) recorded(ctx context.Context, epoch uint64, operator []byte) (types.Ineligibility, error) {
	row, err := s.k.frozen.Get(ctx, collections.Join(epoch, operator))
	if errors.Is(err, collections.ErrNotFound) {
		return types.INELIGIBILITY_NOT_BONDED, nil
	}
	return row.Ineligibility, err
}

// now returns what a freeze would find now, and why a validator would not be in its record.
func (s queryServer) now(ctx context.Context, validator stakingtypes.Validator, operator sdk.ValAddress, epoch uint64) (types.Ineligibility, error) {
	if !validator.IsJailed() && !validator.IsBonded() {
		return types.INELIGIBILITY_NOT_BONDED, nil
	}
	registered, err := s.k.beaconKeys.Has(ctx, operator)
	if err != nil {
		return types.INELIGIBILITY_UNSPECIFIED, err
	}
	return s.k.ineligibility(ctx, validator, operator, epoch, registered)
}

// known returns NotFound unless x/staking has a validator of the operator.
func (s queryServer) known(ctx context.Context, operator sdk.ValAddress, text string) error {
	_, err := s.k.stakingKeeper.GetValidator(ctx, operator)
	if errors.Is(err, stakingtypes.ErrNoValidatorFound) {
		return noValidator(text)
	}
	return err
}

func noValidator(operator string) error {
	return status.Errorf(codes.NotFound, "there is no validator %s", operator)
}

// reason tells an operator in words why its validator is no candidate and what to do about it.
func reason(i types.Ineligibility, operator string) string {
	switch i {
	case types.INELIGIBILITY_NONE:
		return ""
	case types.INELIGIBILITY_JAILED:
		return "the validator is jailed: send 'edged tx slashing unjail' when its time in jail is over; one that signed twice never returns"
	case types.INELIGIBILITY_NOT_BONDED:
		return "the validator is not among the bonded ones: it needs more stake than the smallest of them"
	case types.INELIGIBILITY_NOT_OPTED_IN:
		return "the node does not take part: send 'edged tx node opt-in', which counts from the next epoch on"
	case types.INELIGIBILITY_LAPSED:
		return "the node sent no report in two epochs, which counts as opted out: send 'edged tx node report' while the report of this epoch " +
			"is due, else 'edged tx node opt-in' again, and see to it that its worker reports in every epoch"
	case types.INELIGIBILITY_WAITING:
		return "the node first took part less than eligibility_epochs ago (a parameter of x/node): keep it running and wait; " +
			"'edged query node node " + operator + "' shows since when it takes part"
	case types.INELIGIBILITY_NO_BEACON_KEY:
		return "no beacon key is registered: send 'edged tx epoch register-beacon-key', which counts from the next freeze on"
	case types.INELIGIBILITY_UNHEALTHY:
		return "the node was down in two epochs in a row: make its workers reachable; it returns by itself after an epoch in which it is up"
	}
	return i.String()
}
