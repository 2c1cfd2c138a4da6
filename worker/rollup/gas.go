package rollup

import (
	"cosmossdk.io/math"

	"github.com/edgechain/edge/worker/chain"
)

const (
	// gasPerTxByte is x/auth's tx_size_cost_per_byte by default.
	gasPerTxByte = 10
	// envelopeBytes is at least what a transaction adds to its message: fee, signer, signature and framing.
	envelopeBytes = 512
	// baseOverhead is what the ante handlers use besides the price of size: reading account and parameters, deducting the
	// fee, one secp256k1 signature, raising the sequence. Measured at 36,000, and at 49,000 for the first of an account.
	baseOverhead = 80_000
	// maxOverhead bounds what failures can raise the overhead to: more would not fit into a block next to anything else.
	maxOverhead = 64 * baseOverhead
	// gasMarginPercent is added to a simulated use, because state moves between simulation and execution.
	gasMarginPercent = 10
)

// gasLimit is the gas of a settlement of n acknowledgements whose message takes msgBytes: what x/dack takes by its
// parameters, a + b*n exactly, what x/auth takes for the size, and the overhead of a transaction.
//
// Example: base 60,000 and 9,000 each, 2 acknowledgements in 400 bytes, overhead 80,000:
// 60,000 + 2 * 9,000 + (400 + 512) * 10 + 80,000 = 167,120.
func gasLimit(v chain.View, n, msgBytes int, overhead uint64) uint64 {
	return v.GasBase + uint64(n)*v.GasPerAck + uint64(msgBytes+envelopeBytes)*gasPerTxByte + overhead
}

// withMargin is a simulated use with room for what may change until execution.
func withMargin(used uint64) uint64 { return used + used*gasMarginPercent/100 }

func gasInt(gas uint64) math.Int { return math.NewIntFromUint64(gas) }
