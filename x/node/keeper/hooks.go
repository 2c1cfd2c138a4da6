package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// hooks is what x/node hears from x/staking. They run within its EndBlock, where an error would halt the chain: only a failing
// store returns one. Those that are not written out here do nothing: they go to an empty list of hooks.
type hooks struct {
	stakingtypes.MultiStakingHooks

	k *Keeper
}

var _ stakingtypes.StakingHooks = hooks{}

// Hooks returns what x/staking has to call.
func (k *Keeper) Hooks() stakingtypes.StakingHooks { return hooks{k: k} }

// AfterValidatorRemoved forgets the node of a validator that is gone, so that nobody can fill the state with the nodes of
// validators that come and go. Whoever makes the validator anew opts in for the first time, and waits. Workers stay: they settle
// what they hold, and their operator gets the deposits back.
func (h hooks) AfterValidatorRemoved(ctx context.Context, _ sdk.ConsAddress, operator sdk.ValAddress) error {
	return h.k.Nodes.Remove(ctx, operator)
}
