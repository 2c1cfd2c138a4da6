package keeper_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"cosmossdk.io/math"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// staking is an x/staking in memory, with the order of events of the real one: what changed takes effect in its EndBlock,
// rotations are announced there and applied two blocks later. The tests with the real one are those of slashing and of the
// application.
type staking struct {
	validators []*validator
	pending    stakingkeeper.PendingRotations
	unbonding  time.Duration
	hooks      stakingtypes.StakingHooks
	// owners has the operator of each consensus address that there ever was.
	owners map[string]sdk.ValAddress

	// err makes every call fail.
	err error
	// reads counts the calls that read validators.
	reads int
}

// validator is one of x/staking.
type validator struct {
	operator sdk.ValAddress
	key      cryptotypes.PubKey
	tokens   int64
	jailed   bool
	bonded   bool
	// wanted is whether it is bonded after the next EndBlock.
	wanted bool
	gone   bool
}

// add adds a bonded validator.
func (s *staking) add(tokens int64) *validator {
	i := len(s.validators)
	v := &validator{
		operator: sdk.ValAddress(fmt.Sprintf("operator%012d", i)),
		key:      consensusKey(fmt.Sprintf("key %d", i)),
		tokens:   tokens, bonded: true, wanted: true,
	}
	s.validators = append(s.validators, v)
	s.own(v, v.key)
	return v
}

// own notes that a consensus key is a validator's.
func (s *staking) own(v *validator, key cryptotypes.PubKey) {
	if s.owners == nil {
		s.owners = map[string]sdk.ValAddress{}
	}
	s.owners[string(key.Address())] = v.operator
}

// holder returns the validator whose consensus address this is or was, nil if there is none.
func (s *staking) holder(address []byte) *validator {
	operator := s.owners[string(address)]
	for _, v := range s.validators {
		if v.operator.Equals(operator) {
			return v
		}
	}
	return nil
}

func consensusKey(secret string) cryptotypes.PubKey {
	return ed25519.GenPrivKeyFromSecret([]byte(secret)).PubKey()
}

// jail jails a validator, which takes effect with the end of the block.
func (s *staking) jail(v *validator) { v.jailed, v.wanted = true, false }

// rotate announces another key in the present block.
func (s *staking) rotate(ctx sdk.Context, v *validator, key cryptotypes.PubKey) {
	if s.pending == nil {
		s.pending = stakingkeeper.PendingRotations{}
	}
	s.own(v, key)
	s.pending[string(v.operator)] = stakingkeeper.PendingRotation{
		NewPubKey: key, ApplyHeight: ctx.BlockHeight() + stakingtypes.ConsensusUpdateDelay,
	}
}

// endBlock applies rotations and what was wanted of validators.
func (s *staking) endBlock(ctx sdk.Context) error {
	for _, v := range s.validators {
		if r, ok := s.pending[string(v.operator)]; ok && r.ApplyHeight <= ctx.BlockHeight() {
			v.key = r.NewPubKey
			delete(s.pending, string(v.operator))
		}
		if v.bonded && !v.wanted {
			v.bonded = false
			if err := s.hooks.AfterValidatorBeginUnbonding(ctx, sdk.ConsAddress(v.key.Address()), v.operator); err != nil {
				return err
			}
		}
		v.bonded = v.wanted
	}
	return nil
}

func (s *staking) sdk(v *validator) stakingtypes.Validator {
	key, err := codectypes.NewAnyWithValue(v.key)
	if err != nil {
		panic(err)
	}
	status := stakingtypes.Unbonding
	if v.bonded {
		status = stakingtypes.Bonded
	}
	return stakingtypes.Validator{
		OperatorAddress: v.operator.String(), ConsensusPubkey: key, Jailed: v.jailed, Status: status,
		Tokens: math.NewInt(v.tokens), DelegatorShares: math.LegacyNewDec(v.tokens),
		Description: stakingtypes.Description{Moniker: "node"},
	}
}

func (s *staking) GetValidator(_ context.Context, operator sdk.ValAddress) (stakingtypes.Validator, error) {
	s.reads++
	for _, v := range s.validators {
		if v.operator.Equals(operator) && !v.gone {
			return s.sdk(v), s.err
		}
	}
	return stakingtypes.Validator{}, stakingtypes.ErrNoValidatorFound
}

func (s *staking) GetBondedValidatorsByPower(context.Context) (out []stakingtypes.Validator, err error) {
	s.reads++
	for _, v := range s.validators {
		if v.bonded {
			out = append(out, s.sdk(v))
		}
	}
	slices.SortStableFunc(out, func(a, b stakingtypes.Validator) int { return cmp.Compare(b.Tokens.Int64(), a.Tokens.Int64()) })
	return out, s.err
}

func (s *staking) PendingConsKeyRotations(context.Context) (stakingkeeper.PendingRotations, error) {
	return s.pending, nil
}

func (s *staking) UnbondingTime(context.Context) (time.Duration, error) { return s.unbonding, s.err }

func (s *staking) GetUnbondingDelegation(context.Context, sdk.AccAddress, sdk.ValAddress) (stakingtypes.UnbondingDelegation, error) {
	return stakingtypes.UnbondingDelegation{}, stakingtypes.ErrNoUnbondingDelegation
}

func (s *staking) GetRedelegations(context.Context, sdk.AccAddress, uint16) ([]stakingtypes.Redelegation, error) {
	return nil, nil
}
