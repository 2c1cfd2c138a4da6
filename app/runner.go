package app

import (
	"context"

	abci "github.com/cometbft/cometbft/abci/types"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/x/epoch/beacon"
)

// revealRunner answers reveals, which are no transactions, and has the others of a block run.
//
// Executors would answer a reveal each in its own way: the sequential one with no gas used, Block-STM with the gas that the
// block had used before its transactions. CometBFT hashes the gas of the results into the next header, so that nodes with
// different executors could not agree on a block after a reveal.
type revealRunner struct{ next sdk.TxRunner }

func wrapRunner(next sdk.TxRunner) sdk.TxRunner { return revealRunner{next} }

// Unwrap lets BaseApp see whether transactions run in parallel.
func (r revealRunner) Unwrap() sdk.TxRunner { return r.next }

// Run implements sdk.TxRunner. Transactions keep the index that they have in the block.
func (r revealRunner) Run(
	ctx context.Context, ms storetypes.MultiStore, entries [][]byte, deliver sdk.DeliverTxFunc,
) ([]*abci.ExecTxResult, error) {
	results := make([]*abci.ExecTxResult, len(entries))
	var txs [][]byte
	var places []int
	for i, raw := range entries {
		if _, injected := beacon.DecodeTx(raw); injected {
			results[i] = sdkerrors.ResponseExecTxResultWithEvents(sdkerrors.ErrTxDecode, 0, 0, nil, false)
			continue
		}
		txs, places = append(txs, raw), append(places, i)
	}
	inPlace := func(raw []byte, tx sdk.Tx, ms storetypes.MultiStore, index int, cache map[string]any) *abci.ExecTxResult {
		return deliver(raw, tx, ms, places[index], cache)
	}
	ran, err := r.next.Run(ctx, ms, txs, inPlace)
	if err != nil {
		return nil, err
	}
	for i, res := range ran {
		results[places[i]] = res
	}
	return results, nil
}
