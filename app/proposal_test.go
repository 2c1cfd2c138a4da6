package app_test

import (
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/app"
)

const maxGas = 100_000_000

func (c *chain) process(txs ...[]byte) abci.ResponseProcessProposal_ProposalStatus {
	c.t.Helper()
	res, err := c.app.ProcessProposal(&abci.RequestProcessProposal{
		Height: c.app.LastBlockHeight() + 1, Time: c.now, Txs: txs, ProposerAddress: c.proposer,
	})
	require.NoError(c.t, err)
	return res.Status
}

func (c *chain) prepare(maxBytes int64, txs ...[]byte) [][]byte {
	c.t.Helper()
	res, err := c.app.PrepareProposal(&abci.RequestPrepareProposal{
		Height: c.app.LastBlockHeight() + 1, Time: c.now, MaxTxBytes: maxBytes, Txs: txs, ProposerAddress: c.proposer,
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
		"empty":                {nil, accept},
		"exactly max_gas":      {[][]byte{tx(maxGas-100_000, 0), tx(100_000, 1)}, accept},
		"one more":             {[][]byte{tx(maxGas-100_000, 0), tx(100_001, 1)}, reject},
		"one too large":        {[][]byte{tx(maxGas+1, 0)}, reject},
		"a sum that overflows": {[][]byte{tx(1<<63, 0), tx(1<<63, 1)}, reject},
		"not a transaction":    {[][]byte{tx(100_000, 0), {1, 2, 3}}, reject},
		"an empty transaction": {[][]byte{{}}, reject},
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
	first, second, third := tx(maxGas/2, 0), tx(maxGas/2+1, 1), tx(100_000, 2)
	for name, tt := range map[string]struct {
		maxBytes int64
		txs      [][]byte
		want     [][]byte
	}{
		"all fit":                             {1 << 20, [][]byte{first, third}, [][]byte{first, third}},
		"stops where the gas ends":            {1 << 20, [][]byte{first, second, third}, [][]byte{first}},
		"stops where the bytes end":           {int64(len(first)) + 10, [][]byte{first, third}, [][]byte{first}},
		"drops what does not decode":          {1 << 20, [][]byte{{9}, first, {}, third}, [][]byte{first, third}},
		"drops what fits into no block (gas)": {1 << 20, [][]byte{tx(maxGas+1, 0), third}, [][]byte{third}},
		"drops what fits into no block":       {int64(len(third)) + 10, [][]byte{append(make([]byte, 0), make([]byte, 4096)...), third}, [][]byte{third}},
		"nothing":                             {1 << 20, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.prepare(tt.maxBytes, tt.txs...)
			require.Equal(t, tt.want, got)
			require.Equal(t, abci.ResponseProcessProposal_ACCEPT, c.process(got...))
		})
	}
}
