package types

import (
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// Valid says whether the kind is one that a payout can have.
func (k PayoutKind) Valid() bool { return k >= PAYOUT_KIND_NODE && k <= PAYOUT_KIND_COMMUNITY }

// NewEpochSummary begins the books of an epoch with what was debited in it, in units of the settlement coin.
func NewEpochSummary(epoch uint64, debited math.Int, shares Shares) EpochSummary {
	zero := math.ZeroInt()
	return EpochSummary{
		Epoch: epoch, Debited: debited, Nodes: zero, Owners: zero, Community: zero, Dust: zero, SetAside: zero, Shares: shares,
	}
}

// Unassigned is what is neither paid, nor set aside, nor reserved for the community pool. While an epoch is being paid
// Community holds the owner shares of the protocol's own services found so far, which stay reserved until the end.
func (s EpochSummary) Unassigned() math.Int {
	return s.Debited.Sub(s.Nodes).Sub(s.Owners).Sub(s.Community).Sub(s.SetAside)
}

// Held is what of the epoch's money is still in the module's account.
func (s EpochSummary) Held() math.Int {
	if s.Done {
		return s.SetAside
	}
	return s.Debited.Sub(s.Nodes).Sub(s.Owners)
}

// Assign books an amount that has been paid to a recipient, or set aside for it; an empty recipient is the community pool.
func (s *EpochSummary) Assign(p Payout) {
	switch {
	case p.SetAside:
		s.SetAside = s.SetAside.Add(p.Amount)
	case p.Recipient == "":
		s.Community = s.Community.Add(p.Amount)
	case p.Kind == PAYOUT_KIND_NODE:
		s.Nodes = s.Nodes.Add(p.Amount)
	default:
		s.Owners = s.Owners.Add(p.Amount)
	}
}

// Finish closes the books: what is unassigned goes to the community pool, together with what was reserved for it, and is
// returned as one amount. The part of it that is more than the protocol's share is dust, left by rounding; it is less than
// one unit for each worker and each service that was paid, plus one.
//
//	debited 1,003 by one worker with one service that the protocol owns, shares 0.80, 0.15, 0.05:
//	node 802, reserved 150, unassigned 51; community 201 = 50 (50.15) + 150 + dust 1
func (s *EpochSummary) Finish() math.Int {
	rest := s.Unassigned()
	s.Dust = rest.Sub(ShareOf(s.Debited, s.Shares.Protocol))
	community := s.Community.Add(rest)
	s.Community = math.ZeroInt()
	s.Done = true
	return community
}

// Validate checks that the books can have been written by this module. It returns ErrBooks.
func (s EpochSummary) Validate() error {
	if s.Epoch == 0 {
		return errorsmod.Wrap(ErrBooks, "epochs count from 1")
	}
	if err := s.Shares.Validate(); err != nil {
		return err
	}
	for _, part := range []struct {
		name   string
		amount math.Int
	}{
		{"debited", s.Debited}, {"nodes", s.Nodes}, {"owners", s.Owners}, {"community", s.Community}, {"dust", s.Dust}, {"set_aside", s.SetAside},
	} {
		if part.amount.IsNil() || part.amount.IsNegative() {
			return errorsmod.Wrapf(ErrBooks, "epoch %d: %s %s", s.Epoch, part.name, part.amount)
		}
	}
	if left := s.Unassigned(); left.IsNegative() || s.Done && !left.IsZero() {
		return errorsmod.Wrapf(ErrBooks, "epoch %d: %s of %s unassigned", s.Epoch, left, s.Debited)
	}
	if s.Dust.GT(s.Debited) || !s.Done && !s.Dust.IsZero() {
		return errorsmod.Wrapf(ErrBooks, "epoch %d: dust %s", s.Epoch, s.Dust)
	}
	return nil
}
