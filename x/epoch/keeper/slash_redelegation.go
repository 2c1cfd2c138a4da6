package keeper

import (
	"context"
	"errors"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// keepDestinations runs a slash of a validator while x/staking cannot remove the validators that stake was redelegated to from it.
//
// x/staking takes the slashed shares out of their delegation, and if they were the last ones of an unbonded validator it removes that
// validator at once; the next thing it does is to look for it, to see from which pool the tokens have to be burned, and that error
// would halt the chain. Anyone could bring it about: redelegate to an unbonded validator of one's own, take nearly all out again,
// which needs no time there, and sign twice. So the unbonded ones count as unbonding for as long as the slash takes: their tokens
// are in the same pool, and those without a share are removed afterwards.
func (s *Slasher) keepDestinations(ctx context.Context, source sdk.ValAddress, slash func() error) error {
	redelegations, err := s.GetRedelegationsFromSrcValidator(ctx, source)
	if err != nil {
		return err
	}
	var kept []sdk.ValAddress
	for _, r := range redelegations {
		address, err := s.ValidatorAddressCodec().StringToBytes(r.ValidatorDstAddress)
		if err != nil {
			return err
		}
		v, err := s.GetValidator(ctx, address)
		if errors.Is(err, stakingtypes.ErrNoValidatorFound) {
			continue
		}
		if err != nil {
			return err
		}
		if !v.IsUnbonded() {
			continue // or met already
		}
		v.Status = stakingtypes.Unbonding
		if err := s.SetValidator(ctx, v); err != nil {
			return err
		}
		kept = append(kept, address)
	}
	if err := slash(); err != nil {
		return err
	}
	for _, address := range kept {
		v, err := s.GetValidator(ctx, address)
		if err != nil {
			return err
		}
		v.Status = stakingtypes.Unbonded
		if err := s.SetValidator(ctx, v); err != nil {
			return err
		}
		if v.DelegatorShares.IsZero() {
			if err := s.RemoveValidator(ctx, address); err != nil {
				return err
			}
		}
	}
	return nil
}
