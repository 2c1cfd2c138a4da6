package rollup

import (
	"context"
	"errors"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

func TestSettlesWhatIsAcknowledgedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		w.key(2, 1, 1_000_000)
		w.put(1, w.signed(1, 0, 1, 100), w.signed(1, 3, 1, 20), w.signed(2, 0, 1, 7))
		w.start()
		w.eventually("all is settled", func() bool { return w.settled() == 127 })
		// A newer acknowledgement pays the difference.
		w.put(1, w.signed(1, 0, 1, 150))
		w.eventually("the difference is settled", func() bool { return w.settled() == 177 })
		time.Sleep(2 * time.Minute)
		require.EqualValues(t, 177, w.debited())
		require.Equal(t, 2, w.chain.settlements, "nothing is settled again")
		require.NoError(t, w.rollup.Problem())
		w.end()
	})
}

// Lesson 2: evidence stands in the pool before anybody else can have the transaction.
func TestRecordsBeforeBroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		w.put(1, w.signed(1, 0, 1, 100))
		seen := false
		w.chain.broadcast = func(tx []byte) (bool, error) {
			held := w.pool.InFlight()
			seen = len(held) == 1 && string(held[0].Bytes) == string(tx)
			return false, w.chain.checkTx(tx)
		}
		w.start()
		w.eventually("settled", func() bool { return w.settled() == 100 })
		require.True(t, seen)
		w.end()
	})
}

// Lesson 3: one bad acknowledgement is refused alone, with its reason.
func TestBadAcknowledgementIsRefusedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		w.key(2, 2, 1_000_000)
		bad := w.signed(2, 0, 1, 50)
		bad.Signature[0] ^= 1
		w.keys[9] = w.keys[1] // the chain does not know key 9
		w.put(1, w.signed(1, 0, 1, 100))
		w.put(2, bad)
		w.put(3, w.signed(9, 0, 1, 30))
		w.start()
		w.eventually("settled", func() bool { return w.settled() == 100 })
		total := w.pool.Ledger().Total
		require.EqualValues(t, 50, total.Refused["bad-signature"].Value.Int64())
		require.EqualValues(t, 30, total.Refused["unknown-key"].Value.Int64())
		require.EqualValues(t, 100, w.debited())
		entry, ok := w.pool.Newest(bad.LaneID())
		require.True(t, ok, "the evidence of a refusal is kept")
		require.Equal(t, uint32(dacktypes.ACK_STATUS_BAD_SIGNATURE), entry.Rejection.Code)
		w.end()
	})
}

// Lesson 4: that the mempool took a transaction does not mean that it will be in a block.
func TestEvictedTransaction(t *testing.T) {
	t.Run("is sent again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.key(1, 1, 1_000_000)
			w.put(1, w.signed(1, 0, 1, 100))
			w.chain.broadcast = func(tx []byte) (bool, error) {
				// Taken and lost, once.
				return w.chain.broadcasts > 1, nil
			}
			w.start()
			w.eventually("settled", func() bool { return w.settled() == 100 })
			require.Equal(t, 1, w.chain.settlements)
			require.Zero(t, w.rollup.Status().Failed)
			w.end()
		})
	})
	t.Run("is given up when it can land no more", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.key(1, 1, 1_000_000)
			w.put(1, w.signed(1, 0, 1, 100))
			var lost [][]byte
			w.chain.broadcast = func(tx []byte) (bool, error) {
				lost = append(lost, tx)
				return false, nil
			}
			w.start()
			w.eventually("given up", func() bool { return w.rollup.Status().Failed > 0 })
			w.chain.with(func() {
				// What was lost turns up again, too late to count.
				w.chain.mempool = append(w.chain.mempool, lost[0])
				w.chain.broadcast = nil
			})
			w.eventually("settled", func() bool { return w.settled() == 100 })
			time.Sleep(time.Minute)
			require.EqualValues(t, 100, w.debited())
			require.Equal(t, 1, w.chain.settlements)
			w.end()
		})
	})
}

// A broadcast that ends without an answer may have reached the mempool, or not.
func TestBroadcastWithoutAnswer(t *testing.T) {
	for name, reached := range map[string]bool{"reached the mempool": true, "did not": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.key(1, 1, 1_000_000)
				w.put(1, w.signed(1, 0, 1, 100))
				w.chain.broadcast = func(tx []byte) (bool, error) {
					w.chain.broadcast = nil
					return reached, errors.New("i/o timeout")
				}
				w.start()
				w.eventually("settled", func() bool { return w.settled() == 100 })
				require.Equal(t, 1, w.chain.settlements)
				require.EqualValues(t, 100, w.debited())
				require.Zero(t, w.rollup.Status().Failed)
				w.end()
			})
		})
	}
}

// Lesson 5: a sequence that somebody else has used is read anew, recognised by its code.
func TestWrongSequence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		w.put(1, w.signed(1, 0, 1, 100))
		w.start()
		w.eventually("settled", func() bool { return w.settled() == 100 })
		w.chain.with(func() { w.chain.sequence += 3 })
		w.put(1, w.signed(1, 0, 1, 130))
		w.hints <- 1
		w.eventually("settled with the new sequence", func() bool { return w.settled() == 130 })
		require.EqualValues(t, 1, w.rollup.Status().Failed)
		require.NoError(t, w.rollup.Problem())
		w.end()
	})
}

func TestRefusalsOfTheMempool(t *testing.T) {
	for _, tc := range []struct {
		name    string
		cause   error
		problem error
	}{
		{"mempool is full", sdkerrors.ErrMempoolIsFull, sdkerrors.ErrMempoolIsFull},
		{"gas price is too low", sdkerrors.ErrInsufficientFee, ErrFeeTooLow},
		{"no coins", sdkerrors.ErrInsufficientFunds, ErrNoFees},
		{"another account", dacktypes.ErrWrongAccount, ErrWrongAccount},
		{"unknown", sdkerrors.ErrConflict, sdkerrors.ErrConflict},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.key(1, 1, 1_000_000)
				w.put(1, w.signed(1, 0, 1, 100))
				w.chain.broadcast = func([]byte) (bool, error) { return false, asRefusal(refused(tc.cause)) }
				w.start()
				time.Sleep(10 * time.Minute)
				require.ErrorIs(t, w.rollup.Problem(), tc.problem)
				require.Empty(t, w.pool.InFlight(), "nobody has the transaction")
				var tries int
				w.chain.with(func() { tries, w.chain.broadcast = w.chain.broadcasts, nil })
				require.Greater(t, tries, 5)
				require.Less(t, tries, 40, "tries are spaced out")
				w.eventually("settled", func() bool { return w.settled() == 100 })
				require.NoError(t, w.rollup.Problem())
				w.end()
			})
		})
	}
}

func TestTooLargeForTheMempoolHalves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		var want int64
		for lane := range uint8(16) {
			w.put(1, w.signed(1, lane, 1, 10+uint64(lane)))
			want += 10 + int64(lane)
		}
		w.chain.broadcast = func(tx []byte) (bool, error) {
			if len(tx) > 1_000 {
				return false, asRefusal(refused(sdkerrors.ErrTxTooLarge))
			}
			return false, w.chain.checkTx(tx)
		}
		w.start()
		w.eventually("settled", func() bool { return w.settled() == want })
		require.Greater(t, w.chain.settlements, 2)
		w.end()
	})
}

// Lesson 6: the gas follows from a formula with the parameters of the chain, whatever they become. Nothing is simulated, and
// nothing runs out of gas.
func TestGasFollowsTheParameters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.chain.fees = big.NewInt(1_000_000_000_000)
		total := int64(0)
		for id := uint64(1); id <= 8; id++ {
			w.key(id, 1, 1_000_000_000)
		}
		put := func(bytes uint64) {
			var list []ack.Signed
			for id := uint64(1); id <= 8; id++ {
				for lane := range uint8(16) {
					list = append(list, w.signed(id, lane, 1, bytes))
				}
			}
			w.put(1, list...)
			total = 128 * int64(bytes)
		}
		w.start()
		settlements := 0
		for i, tc := range []struct {
			change func(c *testChain)
			want   int
		}{
			{func(*testChain) {}, 1},
			{func(c *testChain) { c.gasPerAck = 100_000 }, 1},                      // 12.9 million
			{func(c *testChain) { c.limits.BlockGas = 5_000_000 }, 3},              // 47 fit
			{func(c *testChain) { c.limits.BlockGas = 20_000_000 }, 1},             //
			{func(c *testChain) { c.limits.GasPerByte = 1_000 }, 2},                // about 29 million
			{func(c *testChain) { c.limits.GasPerByte, c.gasPerAck = 10, 300 }, 1}, //
			{func(c *testChain) { c.maxAcks = 50 }, 3},
			{func(c *testChain) { c.limits.GasPerSignature = 1_000_000 }, 3},
		} {
			w.chain.with(func() { tc.change(w.chain) })
			put(uint64(i + 1))
			w.eventually("settled", func() bool { return w.settled() == total })
			w.chain.with(func() {
				require.Equal(t, tc.want, w.chain.settlements-settlements, "case %d", i)
				settlements = w.chain.settlements
				require.Zero(t, w.chain.outOfGas)
			})
		}
		require.Zero(t, w.rollup.Status().Failed)

		// No room for even one: it says so, and goes on when there is.
		w.chain.with(func() { w.chain.limits.BlockGas = 900_000 })
		put(100)
		time.Sleep(time.Minute)
		require.ErrorIs(t, w.rollup.Problem(), ErrNoRoom)
		w.chain.with(func() { w.chain.limits.BlockGas = 40_000_000 })
		w.eventually("settled", func() bool { return w.settled() == total })
		w.end()
	})
}

// Parameters that change while a settlement is on its way let it fail; the next one is sized by the new ones, and nothing is
// learned from it.
func TestGasChangesUnderASettlement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		w.chain.broadcast = func([]byte) (bool, error) {
			w.chain.gasPerAck = 90_000
			w.chain.broadcast = nil
			return true, nil
		}
		w.put(1, w.signed(1, 0, 1, 100))
		w.start()
		w.eventually("settled", func() bool { return w.settled() == 100 })
		require.EqualValues(t, 1, w.rollup.Status().Failed)
		w.rollup.cancel()
		<-w.rollup.done
		require.EqualValues(t, baseOverhead, w.rollup.overhead)
		w.end()
	})
}

// A chain whose ante handlers use more than they did costs failures, not money of clients.
func TestOverheadGrowsWithTheChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		w.chain.extra = 50_000
		w.put(1, w.signed(1, 0, 1, 100))
		w.start()
		w.eventually("settled", func() bool { return w.settled() == 100 })
		require.EqualValues(t, 1, w.rollup.Status().Failed, "one ran out of gas, the next did not")
		w.end()
	})
}

func TestNodeWithoutIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		w.chain.noIndex = true
		w.put(1, w.signed(1, 0, 1, 100))
		w.start()
		w.eventually("settled", func() bool { return w.settled() == 100 })
		require.Positive(t, w.chain.scans)
		require.Less(t, w.chain.scans, 30, "no block is looked through twice")
		w.end()
	})
}

// Lessons 1, 2 and 14: wherever the worker dies, the next one finds the transaction in flight and follows it to its end.
func TestCrashAtEveryPoint(t *testing.T) {
	for name, at := range map[string]func(w *world){
		"before the broadcast": func(w *world) {
			w.chain.broadcast = func([]byte) (bool, error) { return false, errors.New("died") }
		},
		"after the broadcast": func(w *world) {
			w.chain.broadcast = func(tx []byte) (bool, error) { return true, errors.New("died") }
		},
		"after the answer": func(*world) {},
	} {
		for pause := range 4 {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.key(1, 1, 1_000_000)
					w.put(1, w.signed(1, 0, 1, 100), w.signed(1, 1, 1, 11))
					w.chain.with(func() { at(w) })
					w.start()
					w.eventually("in flight", func() bool { return w.rollup.Status().InFlight != "" || w.settled() > 0 })
					// Blocks may pass before the worker dies, and while it is dead.
					time.Sleep(time.Duration(pause) * blockTime / 2)
					w.kill()
					time.Sleep(time.Duration(pause*10) * blockTime)
					w.chain.with(func() { w.chain.broadcast = nil })
					w.put(1, w.signed(1, 1, 1, 30))
					w.start()
					w.eventually("settled", func() bool { return w.settled() == 130 })
					require.EqualValues(t, 130, w.debited())
					require.Empty(t, w.pool.InFlight())
					w.end()
				})
			})
		}
	}
}

// The blocks that could hold a transaction are gone: the batch is settled again, and the chain pays nothing twice.
func TestOutcomeThatNobodyKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		w.put(1, w.signed(1, 0, 1, 100))
		w.start()
		w.eventually("in flight", func() bool { return w.rollup.Status().InFlight != "" })
		w.kill()
		time.Sleep(5 * time.Minute)
		w.chain.with(func() {
			require.EqualValues(t, 100, w.chain.debited.Int64())
			clear(w.chain.blocks)
			clear(w.chain.results)
		})
		w.start()
		w.eventually("settled", func() bool { return w.settled() == 100 })
		require.EqualValues(t, 100, w.debited())
		require.Equal(t, 2, w.chain.settlements, "the second had nothing due")
		w.end()
	})
}

func TestAccountThatCannotPay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 60)
		w.key(2, 2, 1_000)
		w.put(1, w.signed(1, 0, 1, 100))
		w.start()
		w.eventually("paid in part", func() bool { return w.settled() == 60 })
		time.Sleep(30 * time.Minute)
		var tries int
		w.chain.with(func() { tries = w.chain.settlements })
		require.Less(t, tries, 12, "a poor account is not asked over and over")
		require.EqualValues(t, 40, w.pool.Ledger().Total.Pending.Value.Int64(), "the rest stays pending")
		// It does not hold others up.
		w.put(2, w.signed(2, 0, 1, 5))
		w.eventually("the other is settled", func() bool { return w.settled() == 65 })
		w.chain.with(func() { w.chain.payable[1] = big.NewInt(1_000) })
		before := time.Now()
		w.eventually("the rest is paid after a top-up", func() bool { return w.settled() == 105 })
		require.Less(t, time.Since(before), time.Minute)
		require.EqualValues(t, 105, w.debited())
		w.end()
	})
}

func TestHintsAndThresholds(t *testing.T) {
	t.Run("hint", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.Interval = 20 * time.Minute
			w.cfg.MinValue, w.cfg.HurryValue = big.NewInt(1_000), big.NewInt(100)
			w.key(1, 1, 1_000_000)
			w.put(1, w.signed(1, 0, 1, 100))
			w.start()
			time.Sleep(10 * time.Minute)
			require.Zero(t, w.settled())
			w.hints <- 1
			time.Sleep(5 * time.Second)
			require.EqualValues(t, 100, w.settled())
			w.end()
		})
	})
	t.Run("value", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.Interval = 20 * time.Minute
			w.cfg.MaxValue = big.NewInt(1_000)
			w.key(1, 1, 1_000_000)
			w.put(1, w.signed(1, 0, 1, 999))
			w.start()
			time.Sleep(5 * time.Minute)
			require.Zero(t, w.settled())
			w.put(1, w.signed(1, 0, 1, 1_000))
			time.Sleep(5 * time.Second)
			require.EqualValues(t, 1_000, w.settled())
			w.end()
		})
	})
	t.Run("traffic does not shorten the interval", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.Interval = time.Minute
			w.key(1, 1, 1_000_000)
			w.start()
			for i := range uint64(600) {
				w.put(1, w.signed(1, 0, 1, 100+i))
				time.Sleep(time.Second)
			}
			w.chain.with(func() {
				require.Greater(t, w.chain.settlements, 7)
				require.Less(t, w.chain.settlements, 14)
			})
			w.end()
		})
	})
}

// Lessons 1 and 11: an epoch's acknowledgements are settled before it ends and in the one behind it; what dies all the
// same is counted.
func TestEpochs(t *testing.T) {
	t.Run("drains at the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.Interval = 50 * time.Hour
			w.key(1, 1, 1_000_000)
			w.start()
			time.Sleep(58 * time.Minute)
			w.put(1, w.signed(1, 0, 1, 100))
			require.Zero(t, w.settled())
			time.Sleep(2*time.Minute - 5*time.Second)
			require.EqualValues(t, 100, w.settled())
			w.end()
		})
	})
	t.Run("settles the epoch before first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.key(1, 1, 1_000_000)
			time.Sleep(61 * time.Minute)
			w.put(1, w.signed(1, 0, 2, 10), w.signed(1, 0, 1, 100))
			var order []uint64
			w.chain.broadcast = func(tx []byte) (bool, error) {
				decoded, err := w.chain.enc.TxConfig.TxDecoder()(tx)
				require.NoError(t, err)
				order = append(order, decoded.GetMsgs()[0].(*dacktypes.MsgSettle).Epoch)
				return false, w.chain.checkTx(tx)
			}
			w.start()
			w.eventually("settled", func() bool { return w.settled() == 110 })
			require.Equal(t, []uint64{1, 2}, order)
			w.end()
		})
	})
	t.Run("counts what died, with an alarm before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.key(1, 1, 60)
			w.put(1, w.signed(1, 0, 1, 100))
			w.cfg.Alarm = 30 * time.Minute
			w.start()
			time.Sleep(80 * time.Minute)
			require.Zero(t, metricValue(t, w.rollup.metrics.endangered))
			time.Sleep(15 * time.Minute)
			require.EqualValues(t, 40, metricValue(t, w.rollup.metrics.endangered))
			time.Sleep(30 * time.Minute)
			total := w.pool.Ledger().Total
			require.EqualValues(t, 60, total.Settled.Value.Int64())
			require.EqualValues(t, 40, total.Refused[ackpool.ReasonExpired].Value.Int64())
			require.Zero(t, total.Pending.Value.Sign())
			_, held := w.pool.Newest(ack.LaneID{Epoch: 1, KeyID: 1})
			require.False(t, held)
			require.Zero(t, metricValue(t, w.rollup.metrics.endangered))
			w.end()
		})
	})
	t.Run("a transaction in flight keeps its dead epoch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.TimeoutBlocks = 1_000
			w.key(1, 1, 1_000)
			w.put(1, w.signed(1, 0, 1, 100))
			w.chain.broadcast = func([]byte) (bool, error) { return false, nil }
			time.Sleep(119 * time.Minute)
			w.start()
			time.Sleep(5 * time.Minute)
			require.Len(t, w.pool.InFlight(), 1)
			w.eventually("expired", func() bool {
				total := w.pool.Ledger().Total
				return len(w.pool.InFlight()) == 0 && total.Refused[ackpool.ReasonExpired].Lanes == 1
			})
			w.end()
		})
	})
	t.Run("a retired worker settles what it may", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.key(1, 1, 1_000_000)
			w.chain.worker.Status = nodetypes.WORKER_STATUS_RETIRING
			w.chain.worker.RetiredEpoch = 1
			time.Sleep(61 * time.Minute)
			w.put(1, w.signed(1, 0, 1, 100), w.signed(1, 0, 2, 10))
			w.start()
			time.Sleep(5 * time.Minute)
			require.EqualValues(t, 100, w.settled())
			w.end()
		})
	})
}

func TestStop(t *testing.T) {
	t.Run("drains", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.Interval = 30 * time.Minute
			w.key(1, 1, 1_000_000)
			w.key(2, 2, 1)
			w.put(1, w.signed(1, 0, 1, 100))
			w.put(2, w.signed(2, 0, 1, 10))
			w.start()
			time.Sleep(5 * time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.NoError(t, w.rollup.Stop(ctx))
			require.EqualValues(t, 101, w.settled(), "also what an account can pay in part")
			require.NoError(t, w.rollup.Stop(ctx), "a second stop is none")
			w.end()
		})
	})
	t.Run("ends at its deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.key(1, 1, 1_000_000)
			w.put(1, w.signed(1, 0, 1, 100))
			w.chain.down = true
			w.start()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			require.ErrorIs(t, w.rollup.Stop(ctx), context.DeadlineExceeded)
			require.EqualValues(t, 100, w.pool.Ledger().Total.Pending.Value.Int64(), "nothing is lost")
			w.end()
		})
	})
	t.Run("has nothing to do", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.chain.worker = nodetypes.Worker{}
			w.start()
			time.Sleep(time.Second)
			start := time.Now()
			require.NoError(t, w.rollup.Stop(t.Context()))
			require.Less(t, time.Since(start), time.Second)
			w.end()
		})
	})
}

// Lesson 15 and the readiness of the worker: what blocks settling has a name, and ends by itself.
func TestProblems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		registered := w.chain.worker
		w.chain.worker = nodetypes.Worker{}
		w.put(1, w.signed(1, 0, 1, 100))
		w.start()
		time.Sleep(3 * time.Second)
		require.ErrorIs(t, w.rollup.Problem(), chain.ErrNotRegistered)
		w.chain.with(func() {
			w.chain.worker = registered
			w.chain.worker.Account = "edge1somebodyelse"
		})
		time.Sleep(3 * time.Second)
		require.ErrorIs(t, w.rollup.Problem(), ErrWrongAccount)
		w.chain.with(func() {
			w.chain.worker = registered
			w.chain.fees = big.NewInt(3)
		})
		time.Sleep(3 * time.Second)
		require.ErrorIs(t, w.rollup.Problem(), ErrNoFees)
		w.chain.with(func() { w.chain.fees = big.NewInt(1_000_000) })
		w.eventually("settled", func() bool { return w.settled() == 100 })
		require.NoError(t, w.rollup.Problem())
		w.end()
	})
}

// Lesson 16: a panic does not end the settling, and loses nothing.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		w.chain.panics = true
		w.put(1, w.signed(1, 0, 1, 100))
		w.start()
		w.eventually("settled", func() bool { return w.settled() == 100 })
		require.EqualValues(t, 1, metricValue(t, w.rollup.metrics.panics))
		require.Equal(t, 1, w.chain.settlements)
		w.end()
	})
}

// Lesson 18: an outage of the chain delays settling and loses nothing.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		w.put(1, w.signed(1, 0, 1, 100))
		w.start()
		w.eventually("in flight", func() bool { return w.rollup.Status().InFlight != "" })
		w.chain.with(func() { w.chain.down = true })
		w.put(1, w.signed(1, 1, 1, 10))
		time.Sleep(10 * time.Minute)
		require.Zero(t, w.settled())
		w.chain.with(func() { w.chain.down = false })
		w.eventually("settled", func() bool { return w.settled() == 110 })
		require.EqualValues(t, 110, w.debited())
		w.end()
	})
}

func TestManyLanesTakeManySettlements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.chain.maxAcks = 10
		w.key(1, 1, 1_000_000)
		w.key(2, 1, 1_000_000)
		w.key(3, 1, 1_000_000)
		for id := uint64(1); id <= 3; id++ {
			for lane := range uint8(16) {
				w.put(1, w.signed(id, lane, 1, 1))
			}
		}
		w.start()
		w.eventually("settled", func() bool { return w.settled() == 48 })
		require.Equal(t, 5, w.chain.settlements)
		require.LessOrEqual(t, w.rollup.Status().LastHeight, int64(10+10+5*3), "one follows the other at once")
		w.end()
	})
}
