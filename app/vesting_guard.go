package app

import (
	"context"

	errorsmod "cosmossdk.io/errors"

	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
)

// ErrManyPeriods refuses an account that vests in more periods than the end of an unbonding can take.
var ErrManyPeriods = errorsmod.Register(Name, 9, "too many vesting periods")

// maxVestingPeriods is in how many periods an account can vest: months for eight years. x/bank reads and writes the whole account
// for each unbonding that ends, in EndBlock and without gas: 80 ms with the 24,000 periods that fit into a transaction (docs/adr/014).
const maxVestingPeriods = 100

// guardedVesting is the service of accounts that vest, with a bound on their size.
type guardedVesting struct{ vestingtypes.MsgServer }

// CreatePeriodicVestingAccount implements vestingtypes.MsgServer. It returns ErrManyPeriods for more than maxVestingPeriods.
func (s guardedVesting) CreatePeriodicVestingAccount(
	ctx context.Context, msg *vestingtypes.MsgCreatePeriodicVestingAccount,
) (*vestingtypes.MsgCreatePeriodicVestingAccountResponse, error) {
	if n := len(msg.VestingPeriods); n > maxVestingPeriods {
		return nil, errorsmod.Wrapf(ErrManyPeriods, "%d, at most %d", n, maxVestingPeriods)
	}
	return s.MsgServer.CreatePeriodicVestingAccount(ctx, msg)
}
