package keeper

import (
	"context"

	"github.com/edgechain/edge/x/rewards/types"
)

// Terms returns the emission terms of an epoch: those of the last change that counts from it or from an epoch before it. It
// returns ErrTermsNotFound if there is none.
func (k *Keeper) Terms(ctx context.Context, epoch uint64) (types.EmissionTerms, error) {
	return inForce(ctx, k.terms, epoch, types.ErrTermsNotFound)
}

// scheduleTerms makes emission terms count from an epoch on.
func (k *Keeper) scheduleTerms(ctx context.Context, epoch uint64, terms types.EmissionTerms) error {
	return change(ctx, k.terms, epoch, terms, types.ErrTermsNotFound)
}
