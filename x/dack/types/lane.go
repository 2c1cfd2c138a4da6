package types

import (
	"cmp"
	"slices"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	"github.com/edgechain/edge/ack"
)

// Find returns the lane's index in the set, and whether it is there; else the index at which it belongs.
func (s *LaneSet) Find(serviceID uint64, lane uint32) (int, bool) {
	return slices.BinarySearchFunc(s.Lanes, Lane{ServiceId: serviceID, Lane: lane}, compareLanes)
}

func compareLanes(a, b Lane) int {
	if c := cmp.Compare(a.ServiceId, b.ServiceId); c != 0 {
		return c
	}
	return cmp.Compare(a.Lane, b.Lane)
}

// Paid is what has been paid on a lane, zero if the set does not have it.
func (s *LaneSet) Paid(serviceID uint64, lane uint32) math.Int {
	if i, ok := s.Find(serviceID, lane); ok {
		return s.Lanes[i].Paid
	}
	return math.ZeroInt()
}

// Full reports whether no lane can be added.
func (s *LaneSet) Full() bool { return len(s.Lanes) >= ack.MaxLanes }

// Pay adds an amount to what was paid on the acknowledgement's lane, and takes over its counters and head if it counts
// at least as much as the lane in each. It returns what that adds to requests, bytes and fuel. The caller has made sure
// that a new lane finds room.
func (s *LaneSet) Pay(a *ack.Ack, amount math.Int) (requests, bytes, fuel uint64) {
	i, ok := s.Find(a.ServiceID, uint32(a.Lane))
	if !ok {
		s.Lanes = slices.Insert(s.Lanes, i, Lane{
			ServiceId: a.ServiceID, Lane: uint32(a.Lane), Head: make([]byte, ack.HeadSize), Paid: math.ZeroInt(),
		})
	}
	lane := &s.Lanes[i]
	lane.Paid = lane.Paid.Add(amount)
	old := ack.Ack{Requests: lane.Requests, Bytes: lane.Bytes, Fuel: lane.Fuel}
	if !a.Supersedes(&old) {
		return 0, 0, 0
	}
	lane.Requests, lane.Bytes, lane.Fuel = a.Requests, a.Bytes, a.Fuel
	lane.Head = append([]byte(nil), a.Head[:]...)
	return a.Requests - old.Requests, a.Bytes - old.Bytes, a.Fuel - old.Fuel
}

// validate checks a lane set of a genesis state.
func (s *LaneSet) validate() error {
	if len(s.Lanes) == 0 || len(s.Lanes) > ack.MaxLanes {
		return errorsmod.Wrapf(ErrInvalidGenesis, "%d lanes, want 1 to %d", len(s.Lanes), ack.MaxLanes)
	}
	for i, l := range s.Lanes {
		if i > 0 && compareLanes(s.Lanes[i-1], l) >= 0 {
			return errorsmod.Wrap(ErrInvalidGenesis, "lanes are not strictly ascending")
		}
		if l.Lane >= ack.MaxLanes || len(l.Head) != ack.HeadSize || l.Requests > ack.MaxRequests || l.Bytes > ack.MaxBytes || l.Fuel > ack.MaxFuel {
			return errorsmod.Wrapf(ErrInvalidGenesis, "service %d lane %d is out of range", l.ServiceId, l.Lane)
		}
		if l.Paid.IsNil() || !l.Paid.IsPositive() {
			return errorsmod.Wrapf(ErrInvalidGenesis, "service %d lane %d: paid %s", l.ServiceId, l.Lane, l.Paid)
		}
	}
	return nil
}
