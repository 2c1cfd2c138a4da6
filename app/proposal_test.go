package app_test

import (
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/app"
)

const (
	maxGas   = 40_000_000
	maxTxGas = 20_000_000
	minTxGas = 20_000
)

func (c *chain) process(txs ...[]byte) abci.ResponseProcessProposal_ProposalStatus {
	c.t.Helper()
	return c.processBy(c.proposer(0).Address, txs)
}

func (c *chain) prepare(maxBytes int64, txs ...[]byte) [][]byte {
	c.t.Helper()
	res, err := c.app.PrepareProposal(&abci.RequestPrepareProposal{
		Height: c.app.LastBlockHeight() + 1, Time: c.now, MaxTxBytes: maxBytes, Txs: txs, ProposerAddress: c.proposer(0).Address,
	})
	require.NoError(c.t, err)
	return res.Txs
}

func TestDefaultMaxGas(t *testing.T) {
	require.EqualValues(t, maxGas, app.DefaultConsensusParams().Block.MaxGas)
	require.EqualValues(t, 4<<20, app.DefaultConsensusParams().Block.MaxBytes)
}

func TestProcessProposalBoundsGas(t *testing.T) {
	alice := newKey("alice")
	c := newChain(t, alice)
	tx := func(gas, offset uint64) []byte {
		return c.tx(alice, gas, offset, transfer(addressOf(alice), addressOf(alice), 1))
	}
	accept, reject := abci.ResponseProcessProposal_ACCEPT, abci.ResponseProcessProposal_REJECT
	for name, tt := range map[string]struct {
		txs  [][]byte
		want abci.ResponseProcessProposal_ProposalStatus
	}{
		"empty":                  {nil, accept},
		"exactly max_gas":        {[][]byte{tx(maxTxGas, 0), tx(maxTxGas-100_000, 1), tx(100_000, 2)}, accept},
		"one more":               {[][]byte{tx(maxTxGas, 0), tx(maxTxGas-100_000, 1), tx(100_001, 2)}, reject},
		"one too large":          {[][]byte{tx(maxTxGas+1, 0)}, reject},
		"one as small as can be": {[][]byte{tx(minTxGas, 0)}, accept},
		"one too small":          {[][]byte{tx(minTxGas-1, 0)}, reject},
		"a sum that overflows":   {[][]byte{tx(1<<63, 0), tx(1<<63, 1)}, reject},
		"not a transaction":      {[][]byte{tx(100_000, 0), {1, 2, 3}}, reject},
		"an empty transaction":   {[][]byte{{}}, reject},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, c.process(tt.txs...))
		})
	}
}

func TestPrepareProposalPassesProcessProposal(t *testing.T) {
	alice, bob := newKey("alice"), newKey("bob")
	c := newChain(t, alice, bob)
	tx := func(gas, offset uint64) []byte {
		return c.tx(alice, gas, offset, transfer(addressOf(alice), addressOf(bob), 1))
	}
	full := tx(maxTxGas, 0)
	first, second, third := tx(maxTxGas-200_000, 1), tx(maxTxGas, 2), tx(100_000, 3)
	for name, tt := range map[string]struct {
		maxBytes int64
		txs      [][]byte
		want     [][]byte
	}{
		"all fit":                             {1 << 20, [][]byte{first, third}, [][]byte{first, third}},
		"stops where the gas ends":            {1 << 20, [][]byte{full, first, second, third}, [][]byte{full, first}},
		"stops where the bytes end":           {int64(len(first)) + 10, [][]byte{first, third}, [][]byte{first}},
		"drops what does not decode":          {1 << 20, [][]byte{{9}, first, {}, third}, [][]byte{first, third}},
		"drops what fits into no block (gas)": {1 << 20, [][]byte{tx(maxTxGas+1, 0), third}, [][]byte{third}},
		"drops what fits into no block":       {int64(len(third)) + 10, [][]byte{append(make([]byte, 0), make([]byte, 4096)...), third}, [][]byte{third}},
		"drops what can only fail":            {1 << 20, [][]byte{tx(minTxGas-1, 0), tx(0, 0), third}, [][]byte{third}},
		"nothing":                             {1 << 20, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.prepare(tt.maxBytes, tt.txs...)
			require.Equal(t, tt.want, got)
			require.Equal(t, abci.ResponseProcessProposal_ACCEPT, c.process(got...))
		})
	}
}

// setMaxGas writes the consensus parameter as a proposal could, past what genesis allows.
func (c *chain) setMaxGas(gas int64) {
	c.t.Helper()
	params := app.DefaultConsensusParams().ToProto()
	params.Block.MaxGas = gas
	require.NoError(c.t, c.app.ConsensusKeeper.ParamsStore.Set(c.ctx(), params))
}

// To CometBFT a max_gas of -1 (or 0) is no limit. Here it is the default one.
func TestProposalsAreBoundedWithoutMaxGas(t *testing.T) {
	alice := newKey("alice")
	for _, limit := range []int64{-1, 0} {
		c := newChain(t, alice)
		c.setMaxGas(limit)
		c.block()
		var txs [][]byte
		for i := range uint64(3) {
			txs = append(txs, c.tx(alice, maxTxGas, i, transfer(addressOf(alice), addressOf(alice), 1)))
		}
		require.Equal(t, abci.ResponseProcessProposal_REJECT, c.process(txs...), limit)
		require.Equal(t, abci.ResponseProcessProposal_ACCEPT, c.process(txs[:2]...), limit)
		require.Equal(t, txs[:2], c.prepare(1<<20, txs...), limit)
	}
}

func TestTransactionGasIsCapped(t *testing.T) {
	alice := newKey("alice")
	c := newChain(t, alice)
	message := transfer(addressOf(alice), addressOf(alice), 1)
	good, bad := c.tx(alice, maxTxGas, 0, message), c.tx(alice, maxTxGas+1, 0, message)
	const want = "transaction wants 20000001 gas, at most 20000000"

	res, err := c.app.CheckTx(&abci.RequestCheckTx{Tx: bad, Type: abci.CheckTxType_New})
	require.NoError(t, err)
	require.Equal(t, sdkerrors.ErrInvalidGasLimit.ABCICode(), res.Code)
	require.Contains(t, res.Log, want)
	res, err = c.app.CheckTx(&abci.RequestCheckTx{Tx: bad, Type: abci.CheckTxType_Recheck})
	require.NoError(t, err)
	require.Equal(t, sdkerrors.ErrInvalidGasLimit.ABCICode(), res.Code)
	_, _, err = c.app.Simulate(bad)
	require.ErrorIs(t, err, sdkerrors.ErrInvalidGasLimit)

	before := c.balance(addressOf(alice), app.BondDenom)
	result := c.block(bad)[0]
	require.Equal(t, sdkerrors.ErrInvalidGasLimit.ABCICode(), result.Code)
	require.Contains(t, result.Log, want)
	require.Equal(t, before, c.balance(addressOf(alice), app.BondDenom), "no fee: it does not get that far")

	result = c.block(good)[0]
	require.Zero(t, result.Code, result.Log)
}

// A block is never full of transactions that are too small to do anything: there are at most 2,000 in it.
func TestTransactionGasHasAMinimum(t *testing.T) {
	require.EqualValues(t, 2_000, maxGas/minTxGas)
	alice := newKey("alice")
	c := newChain(t, alice)
	message := transfer(addressOf(alice), addressOf(alice), 1)
	const want = "transaction wants 19999 gas, at least 20000"
	for _, kind := range []abci.CheckTxType{abci.CheckTxType_New, abci.CheckTxType_Recheck} {
		res, err := c.app.CheckTx(&abci.RequestCheckTx{Tx: c.tx(alice, minTxGas-1, 0, message), Type: kind})
		require.NoError(t, err)
		require.Equal(t, sdkerrors.ErrInvalidGasLimit.ABCICode(), res.Code)
		require.Contains(t, res.Log, want)
	}
	result := c.block(c.tx(alice, minTxGas-1, 0, message))[0]
	require.Equal(t, sdkerrors.ErrInvalidGasLimit.ABCICode(), result.Code)

	// Who simulates does not know yet what it takes: more than the minimum, whatever it is.
	gas, _, err := c.app.Simulate(c.tx(alice, 0, 0, message))
	require.NoError(t, err)
	require.Greater(t, gas.GasUsed, uint64(minTxGas)*2)
}

// A simulation ends where a transaction would, whatever its messages.
func TestSimulationsAreBounded(t *testing.T) {
	alice := newKey("alice")
	c := newChain(t, alice)
	message := transfer(addressOf(alice), addressOf(alice), 1)
	gas, _, err := c.app.Simulate(c.tx(alice, 0, 0, message))
	require.NoError(t, err)
	require.EqualValues(t, maxTxGas, gas.GasWanted)
	// What a message takes beside the bytes and the ante handlers.
	messages := []sdk.Msg{message}
	for range 2_000 {
		messages = append(messages, message)
	}
	gas, _, err = c.app.Simulate(c.tx(alice, 0, 0, messages...))
	require.ErrorIs(t, err, sdkerrors.ErrOutOfGas)
	require.Less(t, gas.GasUsed, uint64(maxTxGas)+100_000)
}
