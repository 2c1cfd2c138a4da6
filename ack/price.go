package ack

import "math/big"

// Prices of one epoch in units of the settlement coin. Neither is negative.
type Prices struct {
	// PerGiB is the price of 2^30 bytes of payload.
	PerGiB *big.Int
	// PerGFuel is the price of 10^9 fuel.
	PerGFuel *big.Int
}

var gigafuel = big.NewInt(1_000_000_000)

// Price is floor(bytes * PerGiB / 2^30) + floor(fuel * PerGFuel / 10^9), in units of the settlement coin. It is monotone
// in both, so a newer cumulative acknowledgement never costs less than an older one.
//
// Example: 48 KiB at 1,000,000 a GiB is floor(49,152 * 1,000,000 / 2^30) = 45.
func (p Prices) Price(bytes, fuel uint64) *big.Int {
	price := new(big.Int).SetUint64(bytes)
	price.Mul(price, p.PerGiB)
	price.Rsh(price, 30)
	if fuel == 0 {
		return price
	}
	f := new(big.Int).SetUint64(fuel)
	f.Mul(f, p.PerGFuel)
	return price.Add(price, f.Quo(f, gigafuel))
}
