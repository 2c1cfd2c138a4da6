package keeper

import (
	"errors"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	"github.com/edgechain/edge/x/rewards/types"
)

// earnNode adds what the node of a worker has earned in tokens to what the epoch has.
func (k *Keeper) earnNode(ctx sdk.Context, p *payment, r dacktypes.RevenueRecord) error {
	earned, err := k.nodeEarned(ctx, p, r)
	if err != nil {
		return err
	}
	p.summary.Emission.Earned = p.summary.Emission.Earned.Add(earned)
	return nil
}

// earnOwner adds what the owner of a service and the community pool have earned by it to what the epoch has.
func (k *Keeper) earnOwner(_ sdk.Context, p *payment, r dacktypes.RevenueRecord) error {
	owner, community := ownerEarned(p, r)
	p.summary.Emission.Earned = p.summary.Emission.Earned.Add(owner).Add(community)
	return nil
}

// mintNode mints the tokens of the node of a worker, for its delegators and their validator's commission. A node that is gone,
// tombstoned, without tokens or unbonded forfeits them: they are not minted, and nobody else gets more.
//
// x/staking lets stake leave an unbonded validator at once, as often as it likes. Whoever is delegated when a payout arrives shares
// in it, so one stake could otherwise go round the payouts of all such nodes within a block.
func (k *Keeper) mintNode(ctx sdk.Context, p *payment, r dacktypes.RevenueRecord) error {
	earned, err := k.nodeEarned(ctx, p, r)
	if err != nil {
		return err
	}
	e := &p.summary.Emission
	payout := types.Payout{
		Epoch: p.summary.Epoch, Kind: types.PAYOUT_KIND_NODE_EMISSION, Id: r.WorkerId, Recipient: r.Operator,
		Denom: types.EmissionDenom, Amount: types.ScaleToCap(earned, e.Earned, e.Cap),
	}
	if payout.Amount.IsZero() {
		return nil
	}
	forfeits := false
	failure := protect(ctx, func(ctx sdk.Context) error {
		validator, stands, err := k.standingValidator(ctx, r.Operator)
		forfeits = !stands || validator.IsUnbonded()
		return err
	})
	if failure == nil && forfeits {
		e.Forfeited = e.Forfeited.Add(payout.Amount)
		return nil
	}
	return k.mintAndPay(ctx, p, payout, failure)
}

// mintOwner mints the tokens of the owner of a service, and reserves those of the community pool that the service has earned;
// for the protocol's own services that includes the owner's part.
func (k *Keeper) mintOwner(ctx sdk.Context, p *payment, r dacktypes.RevenueRecord) error {
	e := &p.summary.Emission
	owner, community := ownerEarned(p, r)
	owner, community = types.ScaleToCap(owner, e.Earned, e.Cap), types.ScaleToCap(community, e.Earned, e.Cap)
	if r.Owner == "" {
		e.Community = e.Community.Add(owner).Add(community)
		return nil
	}
	e.Community = e.Community.Add(community)
	return k.mintAndPay(ctx, p, types.Payout{
		Epoch: p.summary.Epoch, Kind: types.PAYOUT_KIND_OWNER_EMISSION, Id: r.ServiceId, Recipient: r.Owner,
		Denom: types.EmissionDenom, Amount: owner,
	}, nil)
}

// mintCommunity mints what is reserved for the community pool.
func (k *Keeper) mintCommunity(ctx sdk.Context, p *payment) error {
	payout := types.Payout{
		Epoch: p.summary.Epoch, Kind: types.PAYOUT_KIND_COMMUNITY_EMISSION, Denom: types.EmissionDenom,
		Amount: p.summary.Emission.Community,
	}
	p.summary.Emission.Community = math.ZeroInt()
	return k.mintAndPay(ctx, p, payout, nil)
}

// mintAndPay mints the tokens of a payout and pays them, or sets them aside if that fails or has failed already. If they cannot
// be minted the error sets the whole stage aside: there is nothing that could be kept for the recipient.
func (k *Keeper) mintAndPay(ctx sdk.Context, p *payment, payout types.Payout, failure error) error {
	if payout.Amount.IsZero() {
		return nil
	}
	if err := k.bankKeeper.MintCoins(ctx, types.ModuleName, coinsOf(payout)); err != nil {
		return err
	}
	if err := k.addMinted(ctx, payout.Amount); err != nil {
		return err
	}
	return k.pay(ctx, p, payout, failure)
}

// nodeEarned returns what the node of a worker has earned in tokens before the cap. An operator that is no address has no boost.
func (k *Keeper) nodeEarned(ctx sdk.Context, p *payment, r dacktypes.RevenueRecord) (math.Int, error) {
	protocol, err := protocolAmount(p, r)
	if err != nil {
		return math.Int{}, err
	}
	boost := math.LegacyOneDec()
	if operator, err := k.validatorCodec.StringToBytes(r.Operator); err == nil {
		if boost, err = k.boost(ctx, p.summary.Epoch, operator); err != nil {
			return math.Int{}, err
		}
	}
	s, e := p.summary.Shares, p.summary.Emission
	return types.NodeEarned(types.Unrecoverable(r.Revenue.Amount, protocol, s), e.Terms, e.TokenPrice, s.Node, boost), nil
}

// ownerEarned returns what the owner of a service and the community pool have earned by it in tokens before the cap.
func ownerEarned(p *payment, r dacktypes.RevenueRecord) (owner, community math.Int) {
	protocol := math.ZeroInt()
	if r.Owner == "" {
		protocol = r.Revenue.Amount
	}
	s, e := p.summary.Shares, p.summary.Emission
	u := types.Unrecoverable(r.Revenue.Amount, protocol, s)
	return types.OwnerEarned(u, e.Terms, e.TokenPrice, s.Owner), types.CommunityEarned(u, e.Terms, e.TokenPrice, s.Protocol)
}

// standingValidator returns the validator of an operator and whether tokens can still go to it: not if it is gone or
// tombstoned or has no tokens. A jailed one has delegators who have earned with it; an unbonded one may come back.
func (k *Keeper) standingValidator(ctx sdk.Context, operator string) (stakingtypes.Validator, bool, error) {
	address, err := k.validatorCodec.StringToBytes(operator)
	if err != nil {
		return stakingtypes.Validator{}, false, nil //nolint:nilerr // whoever has no address has no validator
	}
	validator, err := k.stakingKeeper.GetValidator(ctx, address)
	if errors.Is(err, stakingtypes.ErrNoValidatorFound) {
		return stakingtypes.Validator{}, false, nil
	}
	if err != nil {
		return stakingtypes.Validator{}, false, err
	}
	consAddress, err := validator.GetConsAddr()
	if err != nil {
		return stakingtypes.Validator{}, false, err
	}
	return validator, validator.Tokens.IsPositive() && !k.slashingKeeper.IsTombstoned(ctx, consAddress), nil
}

// allocate gives tokens to a node: x/distribution shares them between its commission and its delegators.
func (k *Keeper) allocate(ctx sdk.Context, validator stakingtypes.Validator, coins sdk.Coins) error {
	if err := k.bankKeeper.SendCoinsFromModuleToModule(ctx, types.ModuleName, distrtypes.ModuleName, coins); err != nil {
		return err
	}
	return k.distributionKeeper.AllocateTokensToValidator(ctx, validator, sdk.NewDecCoinsFromCoins(coins...))
}
