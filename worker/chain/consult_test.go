package chain

import (
	"context"
	"math/big"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
)

// priced is an endpoint that tells of prices as a test wants them.
type priced struct {
	*peer
	perGiB atomic.Int64
}

func (p *priced) Prices(ctx context.Context, epoch uint64) (ack.Prices, error) {
	prices, err := p.peer.Prices(ctx, epoch)
	if told := p.perGiB.Load(); told >= 0 {
		prices.PerGiB = big.NewInt(told)
	}
	return prices, err
}

// Prices that one endpoint has told of once do not hold for an epoch.
func TestPricesAreConfirmed(t *testing.T) {
	for name, tc := range map[string]struct {
		count int
		told  int64
		want  int64
		agree bool
	}{
		"nothing, of one of two":      {2, 0, 800, false},
		"nothing, of one of three":    {3, 0, 800, true},
		"too much, of one of three":   {3, 1_000_000, 800, true},
		"too much, of one of two":     {2, 1_000_000, 1_000_000, false},
		"what the chain has, of both": {2, -1, 800, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, p, _ := newPeers(t, tc.count)
				liar := &priced{peer: p[0]}
				liar.perGiB.Store(tc.told)
				n.endpoints[0].Endpoint = liar
				for _, one := range p {
					one.epoch = opens(8)
				}
				f := followAll(t, n, p)
				price := func() int64 {
					v, _ := f.View()
					return v.Prices[8].PerGiB.Int64()
				}
				require.Equal(t, tc.want, price())
				v, _ := f.View()
				require.Equal(t, tc.agree, v.Agreed[8])
				require.NoError(t, f.Stale())
				// Whoever stands in is asked anew.
				p[0].fail(errNoRoute)
				time.Sleep(5 * time.Second)
				require.EqualValues(t, 800, price())
				require.NoError(t, f.Stale())
			})
		})
	}
	t.Run("of one, and asked for again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, p, _ := newPeers(t, 1)
			liar := &priced{peer: p[0]}
			n.endpoints[0].Endpoint = liar
			p[0].epoch = opens(8)
			f := followAll(t, n, p)
			liar.perGiB.Store(-1)
			time.Sleep(2 * priceTTL)
			v, _ := f.View()
			require.EqualValues(t, 800, v.Prices[8].PerGiB.Int64())
			require.False(t, v.Agreed[8])
		})
	})
}

// hanging is an endpoint that is quick to say where it is, and answers nothing else once it hangs.
type hanging struct {
	*peer
	hangs atomic.Bool
}

func (p *hanging) Epoch(ctx context.Context) (EpochState, error) {
	if p.hangs.Load() {
		<-ctx.Done()
		return EpochState{}, ctx.Err()
	}
	return p.peer.Epoch(ctx)
}

func (p *hanging) Prices(ctx context.Context, epoch uint64) (ack.Prices, error) {
	if p.hangs.Load() {
		<-ctx.Done()
		return ack.Prices{}, ctx.Err()
	}
	return p.peer.Prices(ctx, epoch)
}

// An endpoint that hangs takes no others down with it.
func TestSecondEndpointHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, reg := newPeers(t, 2)
		second := &hanging{peer: p[1]}
		n.endpoints[1].Endpoint = second
		for _, one := range p {
			one.epoch = opens(8)
		}
		f := followAll(t, n, p)
		second.hangs.Store(true)
		time.Sleep(5 * priceTTL)
		require.NoError(t, f.Stale())
		time.Sleep(time.Until(p[0].epoch.End))
		tell(p[0].source, opens(9))
		time.Sleep(10 * time.Second)
		v, _ := f.View()
		require.EqualValues(t, 9, v.Epoch)
		require.Equal(t, map[string]float64{"": 0}, values(t, reg, "edge_chain_failovers_total"))
	})
}

// A transaction that was sent before is offered to all, whatever the first one says.
func TestBroadcastAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, _ := newPeers(t, 3)
		require.NoError(t, n.Broadcast(t.Context(), []byte("tx")))
		require.Equal(t, []int{1, 0, 0}, []int{p[0].got, p[1].got, p[2].got})
		require.NoError(t, n.BroadcastAll(t.Context(), []byte("tx")))
		require.Equal(t, []int{2, 1, 1}, []int{p[0].got, p[1].got, p[2].got})
	})
}

// Of what one endpoint says became of a transaction a second one has to know.
func TestConfirmTx(t *testing.T) {
	refused := &Refusal{Codespace: "sdk", Code: 5}
	for name, tc := range map[string]struct {
		count int
		spoil func([]*peer)
		told  Included
		ok    bool
	}{
		"one of one":                         {1, func([]*peer) {}, Included{Height: 7}, true},
		"both of two":                        {2, func([]*peer) {}, Included{Height: 7}, true},
		"one of two, not in the other block": {2, func(p []*peer) { p[1].found, p[1].scanned = ErrTxNotFound, ErrTxNotFound }, Included{Height: 7}, false},
		"the other one has no index":         {2, func(p []*peer) { p[1].found = ErrTxNotFound }, Included{Height: 7}, true},
		"the other one does not answer":      {2, func(p []*peer) { p[1].fail(errNoRoute) }, Included{Height: 7}, true},
		"other verdicts":                     {2, func([]*peer) {}, Included{Height: 7, Data: []byte("paid")}, false},
		"another end":                        {2, func([]*peer) {}, Included{Height: 7, Refusal: refused}, false},
		"another height":                     {2, func([]*peer) {}, Included{Height: 8}, false},
		"one of three denies it":             {3, func(p []*peer) { p[2].found, p[2].scanned = ErrTxNotFound, ErrTxNotFound }, Included{Height: 7}, true},
		"two of three deny it": {3, func(p []*peer) {
			p[1].found, p[1].scanned, p[2].found, p[2].scanned = ErrTxNotFound, ErrTxNotFound, ErrTxNotFound, ErrTxNotFound
		}, Included{Height: 7}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, p, _ := newPeers(t, tc.count)
				tc.spoil(p)
				err := n.ConfirmTx(t.Context(), []byte("hash"), tc.told)
				if tc.ok {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, ErrUnconfirmedTx)
				}
			})
		})
	}
	t.Run("the other one has not come to the block", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, p, _ := newPeers(t, 2)
			p[0].at(105)
			p[1].found, p[1].scanned = ErrTxNotFound, ErrTxNotFound
			require.ErrorIs(t, n.ConfirmTx(t.Context(), []byte("hash"), Included{Height: 105}), ErrUnconfirmedTx)
		})
	})
}
