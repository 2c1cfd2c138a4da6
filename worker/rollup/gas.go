package rollup

import (
	"errors"
	"fmt"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/worker/chain"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

const (
	// maxTxGas is the most that a transaction may want, whatever the parameters say: the application refuses more.
	maxTxGas = 20_000_000
	// envelopeBytes is at least what a transaction adds to its message: fee, signer, signature and framing.
	envelopeBytes = 512
	// ackFrameBytes and messageFrameBytes are at least what a message adds to its acknowledgements.
	ackFrameBytes, messageFrameBytes = 4, 128
	// maxAckBytes is at least what one acknowledgement takes in a message: head, signature, and six integers.
	maxAckBytes = 256
	// baseOverhead is what the ante handlers use besides the price of size and signature: reading account and parameters,
	// deducting the fee, raising the sequence. TestGasOfTransactions of the application measures it at 35,000 and at 48,000
	// for the first of an account, and fails if half of what is between that and this is used up.
	baseOverhead = 80_000
	// grantOverhead is what a settlement through grants takes besides: reading the grant of x/authz, reading and writing the
	// allowance of x/feegrant. TestHotKeyCanOnlySettle of the application measures it.
	grantOverhead = 60_000
	// maxOverhead bounds what failures can raise the overhead to: more would not fit into a block next to anything else.
	maxOverhead = 64 * baseOverhead
)

// ErrNoRoom reports that no transaction of this chain has the gas for a single acknowledgement.
var ErrNoRoom = errors.New("a settlement does not fit into a transaction")

// errGasChanged reports a settlement that was sized by parameters which do not hold any more.
var errGasChanged = errors.New("the parameters of gas have changed")

// gasParams are what the size of a settlement follows from.
type gasParams struct {
	base, perAck uint64
	limits       chain.TxLimits
}

func gasParamsOf(v chain.View) gasParams {
	return gasParams{base: v.GasBase, perAck: v.GasPerAck, limits: v.Limits}
}

// gasLimit is the gas of a settlement of n acknowledgements whose message takes msgBytes: what x/dack takes by its
// parameters, a + b*n exactly, what x/auth takes by its own for size and signature, and the overhead of a transaction.
//
// Example: base 60,000 and 9,000 each, 10 a byte, 1,000 a signature, 2 acknowledgements in 400 bytes, overhead 80,000:
// 60,000 + 2 * 9,000 + (400 + 512) * 10 + 1,000 + 80,000 = 168,120.
func gasLimit(v chain.View, n, msgBytes int, overhead uint64) uint64 {
	return v.GasBase + uint64(n)*v.GasPerAck + uint64(msgBytes+envelopeBytes)*v.Limits.GasPerByte + v.Limits.GasPerSignature + overhead
}

// gasRoom is what a settlement may want: as much as any transaction, and no more than a block has.
func gasRoom(v chain.View) uint64 {
	if v.Limits.BlockGas == 0 {
		return maxTxGas
	}
	return min(maxTxGas, v.Limits.BlockGas)
}

// messageBytes is at least what a message with n acknowledgements of ackBytes together takes.
func messageBytes(n, ackBytes int) int { return messageFrameBytes + n*ackFrameBytes + ackBytes }

// fits reports whether one more settlement of this size is within all bounds of the chain.
func fits(v chain.View, n, ackBytes, maxAcks int, overhead uint64) bool {
	return n <= maxAcks && ackBytes <= dacktypes.MaxSettleBytes && gasLimit(v, n, messageBytes(n, ackBytes), overhead) <= gasRoom(v)
}

// checkRoom returns ErrNoRoom if not even one acknowledgement can be settled.
func checkRoom(v chain.View, overhead uint64) error {
	if need := gasLimit(v, 1, messageBytes(1, maxAckBytes), overhead); need > gasRoom(v) {
		return fmt.Errorf("%w: one acknowledgement takes %d gas, a transaction may want %d", ErrNoRoom, need, gasRoom(v))
	}
	return nil
}

func gasInt(gas uint64) math.Int { return math.NewIntFromUint64(gas) }
