package app

import (
	"time"

	cmttypes "github.com/cometbft/cometbft/types"
)

const (
	// maxBlockBytes bounds a block. CometBFT's own default is an order of magnitude above what a home line can carry.
	maxBlockBytes = 4 << 20
	// maxBlockGas bounds the gas that the transactions of a block may want: about 4,400 acknowledgements. A small
	// machine executes them in well under a second, and in a few seconds where the state is at its worst (docs/adr/008).
	maxBlockGas = 40_000_000
	// maxTxGas bounds the gas that one transaction may want, whatever the consensus parameters say: about twice what the
	// largest settlement of 1,000 acknowledgements takes.
	maxTxGas = 20_000_000
	// minTxGas is the least gas that a transaction may want. None does with less than three times of it; one that wants less fails
	// before it has paid, and a proposer could fill its block with tens of thousands of them.
	minTxGas = 20_000
	// unorderedValidity bounds for how long an unordered transaction can be valid, and with it how many of them the chain has to
	// remember, which it may have to forget all in one block.
	unorderedValidity = 2 * time.Minute
	// evidenceAge is for how long a double signature can be reported. Unbonding (three weeks) must take longer than that
	// and the life of a seat, see linkedParams.
	evidenceAge = 14 * 24 * time.Hour
)

// DefaultConsensusParams returns the consensus parameters of a new chain.
func DefaultConsensusParams() *cmttypes.ConsensusParams {
	p := cmttypes.DefaultConsensusParams()
	p.Block.MaxBytes = maxBlockBytes
	p.Block.MaxGas = maxBlockGas
	p.Evidence.MaxAgeDuration = evidenceAge
	p.Evidence.MaxAgeNumBlocks = int64(evidenceAge / time.Second)
	return p
}
