package app

import (
	"errors"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/beacon"
	epochkeeper "github.com/edgechain/edge/x/epoch/keeper"
)

// proposalHandler bounds the gas of a block, and carries the reveals of the randomness beacon.
//
// The SDK does not bound the gas: its block gas meter is off, and with CometBFT's mempool it accepts every proposal. Whatever
// a proposer puts into its block, all others refuse one that wants more gas than the consensus parameters allow.
//
// Between a freeze and the closing height the proposer's reveal is the first entry of its block. It is no transaction: it
// fails in the block's results, and x/epoch has taken it before. A proposal with a wrong reveal is refused, which costs the
// proposer its round; one without any is accepted, which costs it its seats of that election if the block is decided in the
// first round. What was accepted here is verified once more when the block is executed: a node that replays blocks is not
// asked for its opinion of them.
type proposalHandler struct {
	decode  sdk.TxDecoder
	duties  *epochkeeper.Keeper
	reveals *revealer
}

var (
	errNoGasLimit = errors.New("transaction has no gas limit")
	// errMisplacedReveal refuses a reveal that nobody asked for: at another place than the first, of somebody else, or too
	// early or too late.
	errMisplacedReveal = errors.New("no reveal is due here")
)

// txSize returns the bytes that an entry takes of a block.
func txSize(raw []byte) int64 { return cmttypes.ComputeProtoSizeForTxs([]cmttypes.Tx{raw}) }

// gas returns the gas limit of a transaction, or why it cannot stand in a block.
func (h proposalHandler) gas(raw []byte) (gas uint64, err error) {
	// The SDK decodes a transaction without a fee, and panics when it is asked for it. Left alone, BaseApp would catch the
	// panic and propose the whole mempool unseen.
	defer func() {
		if r := recover(); r != nil {
			gas, err = 0, fmt.Errorf("%w: %v", errNoGasLimit, r)
		}
	}()
	tx, err := h.decode(raw)
	if err != nil {
		return 0, err
	}
	feeTx, ok := tx.(sdk.FeeTx)
	if !ok {
		return 0, errNoGasLimit
	}
	return feeTx.GetGas(), checkTxGas(feeTx.GetGas())
}

// prepare puts the reveal first if one is due, and then takes transactions in the order of the mempool while they fit into the bytes and the gas of the block. It drops
// what could never stand in a block, and stops at the first transaction that does not fit: to skip it would put later
// transactions of its sender in front of it, where they fail.
func (h proposalHandler) prepare(ctx sdk.Context, req *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	left := newGasBudget(ctx)
	bytesLeft := req.MaxTxBytes
	var txs [][]byte
	if reveal := h.reveals.tx(ctx, h.duties, req.Height, req.ProposerAddress, bytesLeft); reveal != nil {
		bytesLeft -= txSize(reveal)
		txs = append(txs, reveal)
	}
	for _, raw := range req.Txs {
		gas, err := h.gas(raw)
		size := txSize(raw)
		if err != nil || gas > left.max || size > req.MaxTxBytes {
			continue
		}
		if size > bytesLeft || !left.take(gas) {
			break
		}
		bytesLeft -= size
		txs = append(txs, raw)
	}
	return &abci.ResponsePrepareProposal{Txs: txs}, nil
}

// process refuses a block with a wrong or misplaced reveal, with a transaction that does not decode or wants more gas than one
// may, and a block whose transactions want more gas in total than the block may use.
func (h proposalHandler) process(ctx sdk.Context, req *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	left := newGasBudget(ctx)
	for i, raw := range req.Txs {
		if reveal, injected := beacon.DecodeTx(raw); injected {
			if err := h.checkReveal(ctx, req, i, reveal); err != nil {
				ctx.Logger().Info("proposal refused", "height", req.Height, "tx", i, "err", err)
				return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
			}
			continue
		}
		gas, err := h.gas(raw)
		if err != nil {
			ctx.Logger().Info("proposal refused", "height", req.Height, "tx", i, "err", err)
			return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
		}
		if !left.take(gas) {
			ctx.Logger().Info("proposal refused: too much gas", "height", req.Height, "tx", i, "max_gas", left.max)
			return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
		}
	}
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

// checkReveal returns an error unless the entry of a proposal is the reveal that its proposer owes.
func (h proposalHandler) checkReveal(ctx sdk.Context, req *abci.RequestProcessProposal, index int, reveal []byte) error {
	if index != 0 {
		return fmt.Errorf("%w: entry %d", errMisplacedReveal, index)
	}
	duty, due, err := h.duties.RevealDuty(ctx, req.Height, req.ProposerAddress)
	if err != nil {
		return err
	}
	if !due {
		return errMisplacedReveal
	}
	return beacon.CheckReveal(duty.PubKey, reveal, ctx.ChainID(), duty.Seed, req.Height)
}

// gasBudget is the gas of a block.
type gasBudget struct {
	max, left uint64
}

// newGasBudget returns the budget of the consensus parameters. A max_gas that is not positive means "no limit" to CometBFT.
// There is none such here, however it came into the parameters: the default of a new chain counts then.
func newGasBudget(ctx sdk.Context) gasBudget {
	limit := uint64(maxBlockGas)
	if block := ctx.ConsensusParams().Block; block != nil && block.MaxGas > 0 {
		limit = uint64(block.MaxGas)
	}
	return gasBudget{max: limit, left: limit}
}

// take reports whether there is that much gas left, and takes it if so.
func (b *gasBudget) take(gas uint64) bool {
	if gas > b.left {
		return false
	}
	b.left -= gas
	return true
}
