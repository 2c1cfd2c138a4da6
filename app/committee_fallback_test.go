package app_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"

	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// down marks validators as down for two epochs in a row, as measurements will.
func (c *chain) down(validators ...int) {
	c.t.Helper()
	ctx := c.ctx()
	for _, i := range validators {
		operator := c.validators[i].address()
		n, err := c.app.NodeKeeper.Nodes.Get(ctx, operator)
		require.NoError(c.t, err)
		n.DownEpochs = 2
		require.NoError(c.t, c.app.NodeKeeper.Nodes.Set(ctx, operator, n))
	}
}

// rising returns the seven stakes, smallest first.
func rising() []int64 {
	stakes := sevenStakes()
	slices.Sort(stakes)
	return stakes
}

// When the draw cannot run over the candidates it runs over the largest, the record says why, and the chain goes on.
func TestFallbacks(t *testing.T) {
	const seats = 4
	for name, tt := range map[string]struct {
		setup setup
		// down are the numbers of those who are not healthy.
		down []int
		// want and candidates of every election after the first one.
		want       epochtypes.Fallback
		candidates int
		// drawn are the numbers of those who can have been drawn; nil for everybody.
		drawn []int
	}{
		"enough": {setup{stakes: sevenStakes()}, nil, epochtypes.FALLBACK_NONE, 7, nil},
		// The smallest has 7.4 % of the stake, the one before it 11.2 %.
		"the smallest is not healthy": {
			setup{stakes: sevenStakes()}, []int{6}, epochtypes.FALLBACK_NONE, 6, []int{0, 1, 2, 3, 4, 5},
		},
		"too little is healthy": {
			setup{stakes: sevenStakes()}, []int{5}, epochtypes.FALLBACK_HEALTH, seats, []int{0, 1, 2, 3},
		},
		"nobody is healthy": {
			setup{stakes: sevenStakes()}, []int{0, 1, 2, 3, 4, 5, 6}, epochtypes.FALLBACK_HEALTH, seats, []int{0, 1, 2, 3},
		},
		"the largest take no part": {
			setup{stakes: rising(), outsiders: 2}, nil, epochtypes.FALLBACK_PARTICIPATION, seats, []int{3, 4, 5, 6},
		},
		"nobody takes part": {
			setup{stakes: sevenStakes(), outsiders: 7}, nil, epochtypes.FALLBACK_PARTICIPATION, seats, []int{0, 1, 2, 3},
		},
		"fewer than min_committee": {
			setup{stakes: sevenStakes(), outsiders: 1, params: func(p *epochtypes.Params) { p.MinCommittee = 7 }},
			nil, epochtypes.FALLBACK_COMMITTEE, seats,
			[]int{0, 1, 2, 3},
		},
		"as many as min_committee": {
			setup{stakes: sevenStakes(), outsiders: 1, params: func(p *epochtypes.Params) { p.MinCommittee = 6 }},
			nil, epochtypes.FALLBACK_NONE, 6,
			[]int{0, 1, 2, 3, 4, 5},
		},
		"more seats than nodes":    {setup{stakes: []int64{3_000_000, 2_000_000, 1_000_000}}, nil, epochtypes.FALLBACK_NONE, 3, nil},
		"one validator":            {setup{stakes: []int64{1_000_000}}, nil, epochtypes.FALLBACK_NONE, 1, nil},
		"one validator, not in it": {setup{stakes: []int64{1_000_000}, outsiders: 1}, nil, epochtypes.FALLBACK_PARTICIPATION, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			change := tt.setup.params
			tt.setup.params = func(p *epochtypes.Params) {
				p.Seats, p.StepBlocks, p.Duration = seats, 1, 4*time.Second
				if change != nil {
					change(p)
				}
			}
			c := newCommittee(t, tt.setup)
			c.down(tt.down...)
			m := newModel(c)
			for c.epoch().Number < 4 {
				c.block()
				require.Equal(t, m.powers(), c.powers(c.height()+1))
			}
			first := c.election(1)
			require.Equal(t, epochtypes.FALLBACK_GENESIS, first.Fallback)
			require.Equal(t, len(c.validators), int(first.Candidates))
			for epoch := uint64(2); epoch <= 4; epoch++ {
				e := c.election(epoch)
				require.Equal(t, tt.want, e.Fallback)
				require.Equal(t, tt.want, e.DrawFallback)
				require.Equal(t, tt.candidates, int(e.Candidates))
				require.Equal(t, len(c.validators), int(e.Validators))
				drawn := append(c.drawnFor(e.Elected), c.drawnFor(e.Spares)...)
				require.Len(t, drawn, 2*seats)
				for i, v := range c.validators {
					if tt.drawn != nil && !slices.Contains(tt.drawn, i) {
						require.NotContains(t, drawn, string(v.address()))
					}
				}
			}
		})
	}
}

// With nobody to elect the seats are kept, and so is the set. Those who come back sit again from the next election on.
func TestNobodyToElect(t *testing.T) {
	c := newCommittee(t, setup{stakes: []int64{3_000_000, 2_000_000, 1_000_000}, params: func(p *epochtypes.Params) {
		p.Seats, p.StepBlocks, p.Duration = 8, 1, 4*time.Second
	}})
	before := c.powers(c.height() + 1)
	require.Len(t, before, 3)
	var txs [][]byte
	for _, v := range c.validators {
		txs = append(txs, c.leave(v))
	}
	c.must(txs...)
	for c.epoch().Number < 4 {
		require.Equal(t, before, c.powers(c.height()+1))
		c.block()
	}
	for epoch := uint64(2); epoch <= 4; epoch++ {
		e := c.election(epoch)
		require.Equal(t, epochtypes.FALLBACK_KEPT, e.Fallback)
		require.Equal(t, epochtypes.FALLBACK_COMMITTEE, e.DrawFallback)
		require.Zero(t, e.Validators)
		require.Equal(t, c.election(1).Elected, e.Elected)
		require.Equal(t, c.election(1).Spares, e.Spares)
		require.Len(t, c.committee(epoch).Leavings, 3)
	}

	back := c.validators[:2]
	for _, v := range back {
		c.send(v.operator, 1_000_000, nil, delegation(v.operator, v, v.stake), slashingtypes.NewMsgUnjail(v.address().String()))
		require.True(t, c.staked(v).IsBonded())
	}
	epoch := c.epoch().Number
	for c.epoch().Number == epoch {
		require.Equal(t, before, c.powers(c.height()+1), "no election yet")
		c.block()
	}
	m := newModel(c)
	require.Equal(t, epochtypes.FALLBACK_NONE, c.election(epoch+1).Fallback)
	m.seeds[epoch+1] = c.election(epoch + 1).Seed
	c.handedOver()
	require.Equal(t, m.powers(), c.powers(c.height()))
	require.Len(t, c.powers(c.height()), 2)
	c.toEpoch(epoch + 3)
	require.Len(t, c.powers(c.height()), 2)
}

// Who was left out by a fallback is a candidate again as soon as the reason is gone.
func TestFallbackEnds(t *testing.T) {
	c := newCommittee(t, setup{stakes: rising(), outsiders: 2, params: func(p *epochtypes.Params) {
		p.Seats, p.StepBlocks, p.Duration = 4, 1, 4*time.Second
	}})
	c.toEpoch(2)
	require.Equal(t, epochtypes.FALLBACK_PARTICIPATION, c.election(2).Fallback)
	for _, v := range c.validators[5:] {
		c.registerKey(v, v)
		c.send(v.operator, 500_000, nil, &nodetypes.MsgOptIn{Operator: v.address().String()})
	}
	// It counts from epoch 3 on, and whoever is new waits for eligibility_epochs, which are two.
	c.toEpoch(7)
	for epoch, want := range []epochtypes.Fallback{
		3: epochtypes.FALLBACK_PARTICIPATION, 4: epochtypes.FALLBACK_PARTICIPATION,
		5: epochtypes.FALLBACK_NONE, 6: epochtypes.FALLBACK_NONE, 7: epochtypes.FALLBACK_NONE,
	} {
		if epoch >= 3 {
			require.Equal(t, want, c.election(uint64(epoch)).Fallback, "epoch %d", epoch)
		}
	}
}
