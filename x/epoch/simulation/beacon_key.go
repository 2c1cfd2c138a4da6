package simulation

import (
	"crypto/sha256"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/beacon"
)

// BeaconKeys is how many beacon keys an operator has in a simulation.
const BeaconKeys = 3

// BeaconKey returns one of the beacon keys of an operator, n < BeaconKeys. They follow from the operator alone, so that whoever
// runs the validators of a simulation can reveal with a key that was registered.
func BeaconKey(operator sdk.ValAddress, n int) (beacon.Key, error) {
	secret := sha256.Sum256(append([]byte{byte(n)}, operator...))
	secret[0] = 0 // below the order of the group
	return beacon.ParseKey(secret[:])
}
