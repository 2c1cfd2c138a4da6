package types

import "cosmossdk.io/math"

// ContentService is the built-in service that serves content by its hash. The protocol owns it.
func ContentService() Service {
	return Service{Id: ContentServiceID, Name: "content", Kind: SERVICE_KIND_CONTENT, Status: SERVICE_STATUS_ACTIVE, Deposit: math.ZeroInt()}
}
