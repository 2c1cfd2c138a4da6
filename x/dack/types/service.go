package types

import "cosmossdk.io/math"

// ContentService is the built-in service that serves content by its hash. The protocol owns it.
func ContentService() Service {
	return Service{Id: ContentServiceID, Name: "content", Kind: SERVICE_KIND_CONTENT, Status: SERVICE_STATUS_ACTIVE, Deposit: math.ZeroInt()}
}

// At returns the service as it is in an epoch: with the pending change if that counts by then, without it otherwise.
func (s Service) At(epoch uint64) Service {
	if next := s.Next; next != nil && next.Epoch <= epoch {
		s.Owner, s.CodeHash, s.Replicas, s.Status = next.Owner, next.CodeHash, next.Replicas, next.Status
	}
	s.Next = nil
	return s
}
