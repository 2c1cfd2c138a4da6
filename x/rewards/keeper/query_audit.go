package keeper

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/rewards/types"
)

// Audit checks the invariants of the money that exists now, or of an epoch whose payment has begun.
func (s queryServer) Audit(ctx context.Context, req *types.QueryAuditRequest) (*types.QueryAuditResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	var equations []types.Equation
	var err error
	if req.Epoch == 0 {
		equations, err = s.k.Audit(ctx)
	} else {
		equations, err = s.k.AuditEpoch(ctx, req.Epoch)
	}
	if errors.Is(err, types.ErrSummaryNotFound) {
		return nil, status.Errorf(codes.NotFound, "epoch %d is not being paid yet", req.Epoch)
	}
	if err != nil {
		return nil, err
	}
	return &types.QueryAuditResponse{
		Equations: equations, Holds: types.CheckEquations(equations) == nil, Height: sdk.UnwrapSDKContext(ctx).BlockHeight(),
	}, nil
}
