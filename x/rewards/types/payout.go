package types

import (
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// Valid says whether the kind is one that a payout can have.
func (k PayoutKind) Valid() bool { return k >= PAYOUT_KIND_NODE && k <= PAYOUT_KIND_COMMUNITY_EMISSION }

// Emission says whether the kind is paid in tokens that are minted; the others are paid in the settlement coin.
func (k PayoutKind) Emission() bool { return k >= PAYOUT_KIND_NODE_EMISSION }

// Community says whether the kind is for the community pool, whose payouts have the id 0.
func (k PayoutKind) Community() bool {
	return k == PAYOUT_KIND_COMMUNITY || k == PAYOUT_KIND_COMMUNITY_EMISSION
}

// Valid says whether the phase is one that a cursor can have.
func (p PayPhase) Valid() bool { return p >= PAY_PHASE_NODES && p <= PAY_PHASE_MINT_COMMUNITY }

// NewEpochSummary begins the books of an epoch with what was debited in it, in units of the settlement coin.
func NewEpochSummary(epoch uint64, debited math.Int, shares Shares, emission EmissionSummary) EpochSummary {
	zero := math.ZeroInt()
	return EpochSummary{
		Epoch: epoch, Debited: debited, Nodes: zero, Owners: zero, Community: zero, Dust: zero, SetAside: zero,
		Shares: shares, Emission: emission,
	}
}

// Unassigned is what is neither paid, nor set aside, nor reserved for the community pool. Until the community pool is paid
// Community holds the owner shares of the protocol's own services found so far, which stay reserved for it.
func (s EpochSummary) Unassigned() math.Int {
	return s.Debited.Sub(s.Nodes).Sub(s.Owners).Sub(s.Community).Sub(s.SetAside)
}

// Queued is what of the epoch's money is in the module's account and not set aside, in units of the settlement coin, when the
// payment is in a phase; the phase of an epoch that is done does not matter.
func (s EpochSummary) Queued(phase PayPhase) math.Int {
	if s.Done || phase > PAY_PHASE_COMMUNITY {
		return math.ZeroInt()
	}
	return s.Debited.Sub(s.Nodes).Sub(s.Owners).Sub(s.SetAside)
}

// Held is what of the epoch's money and tokens is in the module's account when the payment is in a phase.
func (s EpochSummary) Held(phase PayPhase) Held {
	return Held{Queued: s.Queued(phase), SetAside: s.SetAside, EmissionSetAside: s.Emission.SetAside}
}

// Assign books an amount that has been paid to a recipient, or set aside for it; an empty recipient is the community pool.
func (s *EpochSummary) Assign(p Payout) {
	nodes, owners, community, setAside := &s.Nodes, &s.Owners, &s.Community, &s.SetAside
	if p.Kind.Emission() {
		e := &s.Emission
		nodes, owners, community, setAside = &e.Nodes, &e.Owners, &e.Community, &e.SetAside
	}
	book := owners
	switch {
	case p.SetAside:
		book = setAside
	case p.Recipient == "":
		book = community
	case p.Kind == PAYOUT_KIND_NODE || p.Kind == PAYOUT_KIND_NODE_EMISSION:
		book = nodes
	}
	*book = book.Add(p.Amount)
}

// Retried takes an amount that was set aside and is paid now off the books.
func (s *EpochSummary) Retried(p Payout) {
	if p.Kind.Emission() {
		s.Emission.SetAside = s.Emission.SetAside.Sub(p.Amount)
	} else {
		s.SetAside = s.SetAside.Sub(p.Amount)
	}
}

// Settle takes the community pool's part of the books: what is unassigned, together with what was reserved for it, which it
// returns as one amount that is still to be assigned. The part of it that is more than the protocol's share is dust, left by
// rounding; it is less than one unit for each worker and each service that was paid, plus one.
//
//	debited 1,003 by one worker with one service that the protocol owns, shares 0.80, 0.15, 0.05:
//	node 802, reserved 150, unassigned 51; community 201 = 50 (50.15) + 150 + dust 1
func (s *EpochSummary) Settle() math.Int {
	rest := s.Unassigned()
	s.Dust = rest.Sub(ShareOf(s.Debited, s.Shares.Protocol))
	community := s.Community.Add(rest)
	s.Community = math.ZeroInt()
	return community
}

// Validate checks that the books can have been written by this module while the payment is in a phase, or, if they are done,
// after it. It returns ErrBooks, ErrInvalidShares or ErrInvalidParams.
func (s EpochSummary) Validate(phase PayPhase) error {
	if s.Epoch == 0 {
		return errorsmod.Wrap(ErrBooks, "epochs count from 1")
	}
	if err := s.Shares.Validate(); err != nil {
		return err
	}
	for _, part := range []namedAmount{
		{"debited", s.Debited}, {"nodes", s.Nodes}, {"owners", s.Owners}, {"community", s.Community}, {"dust", s.Dust}, {"set_aside", s.SetAside},
	} {
		if err := part.validate(s.Epoch); err != nil {
			return err
		}
	}
	settled := s.Done || phase > PAY_PHASE_COMMUNITY
	if left := s.Unassigned(); left.IsNegative() || settled && !left.IsZero() {
		return errorsmod.Wrapf(ErrBooks, "epoch %d: %s of %s unassigned", s.Epoch, left, s.Debited)
	}
	if s.Dust.GT(s.Debited) || !settled && !s.Dust.IsZero() {
		return errorsmod.Wrapf(ErrBooks, "epoch %d: dust %s", s.Epoch, s.Dust)
	}
	return s.Emission.validate(s.Epoch, phase, s.Done)
}

// NewEmissionSummary begins the books of the emission of an epoch. The price is in units of the settlement coin per uedge, zero
// if none counts; the cap is in uedge.
func NewEmissionSummary(terms EmissionTerms, price math.LegacyDec, cap math.Int) EmissionSummary {
	zero := math.ZeroInt()
	return EmissionSummary{
		Terms: terms, TokenPrice: price, Cap: cap, Earned: zero,
		Nodes: zero, Owners: zero, Community: zero, SetAside: zero, Forfeited: zero,
	}
}

// Earns says whether payments can earn tokens at all.
func (e EmissionSummary) Earns() bool { return e.TokenPrice.IsPositive() && e.Terms.Guard.IsPositive() }

// Mints says whether there is something to be minted, once everything that was earned is known.
func (e EmissionSummary) Mints() bool { return e.Earned.IsPositive() && e.Cap.IsPositive() }

// Minted is what was minted for the epoch, in uedge. Until the books are done Community is only reserved for the community pool.
func (e EmissionSummary) Minted(done bool) math.Int {
	minted := e.Nodes.Add(e.Owners).Add(e.SetAside)
	if done {
		minted = minted.Add(e.Community)
	}
	return minted
}

func (e EmissionSummary) validate(epoch uint64, phase PayPhase, done bool) error {
	if err := e.Terms.Validate(); err != nil {
		return err
	}
	if err := ValidateTokenPrice(e.TokenPrice); err != nil {
		return errorsmod.Wrapf(ErrBooks, "epoch %d: %s", epoch, err)
	}
	for _, part := range []struct {
		namedAmount
		from PayPhase // the first phase in which it can be more than nothing
	}{
		{namedAmount{"cap", e.Cap}, PAY_PHASE_NODES},
		{namedAmount{"earned", e.Earned}, PAY_PHASE_EARN_NODES},
		{namedAmount{"minted for nodes", e.Nodes}, PAY_PHASE_MINT_NODES},
		{namedAmount{"minted for owners", e.Owners}, PAY_PHASE_MINT_OWNERS},
		{namedAmount{"minted for the community", e.Community}, PAY_PHASE_MINT_OWNERS},
		{namedAmount{"minted and set aside", e.SetAside}, PAY_PHASE_MINT_NODES},
		{namedAmount{"forfeited", e.Forfeited}, PAY_PHASE_MINT_NODES},
	} {
		if err := part.validate(epoch); err != nil {
			return err
		}
		if !done && phase < part.from && !part.amount.IsZero() {
			return errorsmod.Wrapf(ErrBooks, "epoch %d: %s %s in phase %s", epoch, part.name, part.amount, phase)
		}
	}
	if !e.Earns() && !e.Earned.IsZero() {
		return errorsmod.Wrapf(ErrBooks, "epoch %d: %s earned without a price", epoch, e.Earned)
	}
	if given := e.Minted(true).Add(e.Forfeited); given.GT(e.Earned) || given.GT(e.Cap) {
		return errorsmod.Wrapf(ErrBooks, "epoch %d: %s minted and forfeited, earned %s, cap %s", epoch, given, e.Earned, e.Cap)
	}
	return nil
}

// namedAmount is an amount of the books.
type namedAmount struct {
	name   string
	amount math.Int
}

func (a namedAmount) validate(epoch uint64) error {
	if a.amount.IsNil() || a.amount.IsNegative() {
		return errorsmod.Wrapf(ErrBooks, "epoch %d: %s %s", epoch, a.name, a.amount)
	}
	return nil
}
