package rollup

import (
	"crypto/ed25519"
	"errors"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	sdkmath "cosmossdk.io/math"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

func TestAlarmWindow(t *testing.T) {
	for epoch, want := range map[time.Duration]time.Duration{
		0: time.Hour, time.Minute: 15 * time.Second, 4 * time.Hour: time.Hour, 24 * time.Hour: time.Hour,
	} {
		if got := alarmWindow(time.Hour, epoch); got != want {
			t.Errorf("epoch of %s: alarm window %s, want %s", epoch, got, want)
		}
	}
}

// gasView is a chain with the defaults.
func gasView() chain.View {
	v := chain.View{
		GasBase: 60_000, GasPerAck: 9_000, MaxAcks: 1_000,
		Limits: chain.TxLimits{BlockGas: 40_000_000, GasPerByte: 10, GasPerSignature: 1_000},
	}
	v.Worker.Id = testWorkerID
	return v
}

func TestGasLimit(t *testing.T) {
	v := gasView()
	require.EqualValues(t, 168_120, gasLimit(v, 2, 400, 80_000))
	// A thousand acknowledgements: 60,000 + 9,000,000 + 1,605,120 + 1,000 + 80,000.
	require.EqualValues(t, 10_746_120, gasLimit(v, 1_000, 160_000, baseOverhead))
	require.EqualValues(t, maxTxGas, gasRoom(v))
	v.Limits.BlockGas = 5_000_000
	require.EqualValues(t, 5_000_000, gasRoom(v))
	v.Limits.BlockGas = 0
	require.EqualValues(t, maxTxGas, gasRoom(v), "a block without a bound does not lift that of a transaction")
	require.NoError(t, checkRoom(v, baseOverhead))
	v.Limits.BlockGas = 100_000
	require.ErrorIs(t, checkRoom(v, baseOverhead), ErrNoRoom)
}

// Whatever governance makes of the parameters, a batch keeps all bounds of the chain, and is as large as they allow.
func TestBatchesFollowTheParameters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := gasView()
		v.GasBase = rapid.Uint64Range(600, 10_000_000).Draw(t, "base")
		v.GasPerAck = rapid.Uint64Range(2_000, 100_000).Draw(t, "per ack")
		v.MaxAcks = rapid.IntRange(1, 2_000).Draw(t, "max acks")
		v.Limits.BlockGas = rapid.Uint64Range(0, 60_000_000).Draw(t, "block")
		v.Limits.GasPerByte = rapid.Uint64Range(0, 100).Draw(t, "per byte")
		v.Limits.GasPerSignature = rapid.Uint64Range(0, 100_000).Draw(t, "per signature")
		list := entries(rapid.IntRange(1, 2_100).Draw(t, "entries"))
		b := newBatch(v, 1, list, v.MaxAcks, baseOverhead)
		if len(b.acks) == 0 {
			require.True(t, b.more)
			require.Greater(t, gasLimit(v, 1, messageBytes(1, maxAckBytes), baseOverhead), gasRoom(v), "then it is said that there is no room")
			return
		}
		msg := b.message(v, "edge1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq")
		require.NoError(t, msg.Check(uint32(v.MaxAcks)))
		size := 0
		for i := range msg.Acks {
			size += msg.Acks[i].Size()
		}
		require.LessOrEqual(t, msg.Size(), messageBytes(len(msg.Acks), size))
		gas := gasLimit(v, len(b.acks), msg.Size(), baseOverhead)
		require.LessOrEqual(t, gas, gasRoom(v))
		if !b.more {
			require.Len(t, b.acks, len(list))
			return
		}
		full := len(b.acks) == v.MaxAcks || size+maxAckBytes > dacktypes.MaxSettleBytes ||
			gasLimit(v, len(b.acks)+1, messageBytes(len(b.acks)+1, size+maxAckBytes), baseOverhead) > gasRoom(v)
		require.True(t, full, "%d acknowledgements leave room for more", len(b.acks))
	})
}

func TestBackoff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 100).Draw(t, "n")
		jitter := rapid.Float64Range(0, 0.999).Draw(t, "jitter")
		wait := backoff(n, time.Second, time.Minute, jitter)
		require.GreaterOrEqual(t, wait, time.Second)
		require.LessOrEqual(t, wait, 90*time.Second)
		require.GreaterOrEqual(t, backoff(n+1, time.Second, time.Minute, jitter), wait)
	})
	require.Equal(t, 4*time.Second, backoff(3, time.Second, time.Minute, 0))
}

// Lesson 7: workers do not all settle in one block.
func TestDrainSlots(t *testing.T) {
	const workers, slots = 10_000, 10
	var count [slots]int
	for id := range uint64(workers) {
		slot := drainSlot(id, 7, 10*time.Minute)
		require.Less(t, slot, 5*time.Minute)
		require.GreaterOrEqual(t, slot, time.Duration(0))
		count[int(slot/(30*time.Second))]++
	}
	for i, n := range count {
		require.InDelta(t, workers/slots, n, 150, "slot %d", i)
	}
	require.NotEqual(t, drainSlot(1, 7, time.Hour), drainSlot(1, 8, time.Hour))
}

func entries(n int) []ackpool.Entry {
	list := make([]ackpool.Entry, n)
	for i := range list {
		list[i] = ackpool.Entry{
			Signed: ack.Signed{Ack: ack.Ack{
				Epoch: 1, KeyID: 1<<60 + uint64(i/ack.MaxLanes), WorkerID: testWorkerID, Lane: uint8(i % ack.MaxLanes),
				Requests: ack.MaxRequests, Bytes: ack.MaxBytes, Fuel: ack.MaxFuel,
			}},
			Value: big.NewInt(5), Pending: big.NewInt(2),
		}
	}
	return list
}

// Every batch passes the check of the chain, and none is smaller than it has to be.
func TestBatches(t *testing.T) {
	v := gasView()
	v.GasPerAck = 2_000
	for _, tc := range []struct{ entries, maxAcks int }{{0, 10}, {1, 10}, {10, 10}, {11, 10}, {5_000, 2_000}} {
		list := entries(tc.entries)
		for total := 0; len(list) > 0; {
			b := newBatch(v, 1, list, tc.maxAcks, baseOverhead)
			require.NotEmpty(t, b.acks)
			msg := b.message(v, "edge1")
			require.NoError(t, msg.Check(uint32(tc.maxAcks)))
			require.EqualValues(t, 2*len(b.acks), b.value.Int64())
			require.Equal(t, len(b.acks) < len(list), b.more)
			if b.more && len(b.acks) < tc.maxAcks {
				size := 0
				for i := range msg.Acks {
					size += msg.Acks[i].Size()
				}
				require.Greater(t, size, dacktypes.MaxSettleBytes-200)
			}
			list = list[len(b.acks):]
			total += len(b.acks)
			if len(list) == 0 {
				require.Equal(t, tc.entries, total)
			}
		}
	}
}

// A batch names no more services than a settlement may, takes all that it can of those it names, and every entry has its turn.
func TestBatchesOfManyServices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := gasView()
		keys, services := rapid.IntRange(1, 12).Draw(t, "keys"), rapid.IntRange(1, 30).Draw(t, "services")
		var list []ackpool.Entry
		for key := range keys {
			for service := range services {
				if rapid.IntRange(0, 2).Draw(t, "there") > 0 {
					entry := entries(1)[0]
					entry.Signed.KeyID, entry.Signed.ServiceID = uint64(key+1), uint64(service)
					list = append(list, entry)
				}
			}
		}
		for len(list) > 0 {
			b := newBatch(v, 1, list, v.MaxAcks, baseOverhead)
			require.NotEmpty(t, b.acks)
			require.NoError(t, b.message(v, "edge1").Check(uint32(v.MaxAcks)))
			taken := map[ack.LaneID]bool{}
			named := map[uint64]bool{}
			for i := range b.acks {
				taken[b.acks[i].Signed.LaneID()] = true
				named[b.acks[i].Signed.ServiceID] = true
			}
			require.Len(t, b.pending, len(b.acks))
			require.EqualValues(t, 2*len(b.acks), b.value.Int64())
			var rest []ackpool.Entry
			for _, e := range list {
				if !taken[e.Signed.LaneID()] {
					require.False(t, named[e.Signed.ServiceID], "there is room for it")
					rest = append(rest, e)
				}
			}
			require.Len(t, rest, len(list)-len(b.acks))
			require.Equal(t, len(rest) > 0, b.more)
			if b.more {
				require.Len(t, named, dacktypes.MaxServicesPerSettlement)
			}
			list = rest
		}
	})
}

func TestVerdicts(t *testing.T) {
	zero := sdkmath.ZeroInt()
	tx := &ackpool.Tx{Acks: make([]ackpool.Submitted, 1)}
	for number, name := range dacktypes.AckStatus_name {
		status := dacktypes.AckStatus(number)
		results, err := verdicts(tx, &dacktypes.MsgSettleResponse{
			Results: []dacktypes.AckResult{{Status: status, Paid: zero, TotalPaid: sdkmath.NewInt(7)}},
		})
		require.NoError(t, err, name)
		require.EqualValues(t, number, results[0].Code)
		require.EqualValues(t, 7, results[0].TotalPaid.Int64())
		switch status {
		case dacktypes.ACK_STATUS_PAID:
			require.Equal(t, ackpool.OutcomePaid, results[0].Outcome)
		case dacktypes.ACK_STATUS_PARTIAL:
			require.Equal(t, ackpool.OutcomePartial, results[0].Outcome)
		case dacktypes.ACK_STATUS_NOTHING_DUE:
			require.Equal(t, ackpool.OutcomeNothingDue, results[0].Outcome)
		case dacktypes.ACK_STATUS_UNSPECIFIED:
			require.Equal(t, reasonUnknownStatus, results[0].Reason)
		default:
			require.Equal(t, ackpool.OutcomeRefused, results[0].Outcome)
			require.NotEqual(t, reasonUnknownStatus, results[0].Reason, "%s has a reason of its own", name)
		}
	}
	_, err := verdicts(tx, &dacktypes.MsgSettleResponse{})
	require.ErrorContains(t, err, "0 results, want 1")
	_, err = verdicts(tx, &dacktypes.MsgSettleResponse{Results: []dacktypes.AckResult{{Status: dacktypes.ACK_STATUS_PAID}}})
	require.ErrorContains(t, err, "no total")
}

func TestConfig(t *testing.T) {
	require.NoError(t, DefaultConfig().Validate())
	for name, change := range map[string]func(*Config){
		"interval":             func(c *Config) { c.Interval = 0 },
		"min_value":            func(c *Config) { c.MinValue = nil },
		"max_value":            func(c *Config) { c.MaxValue = big.NewInt(-1) },
		"timeout_blocks":       func(c *Config) { c.TimeoutBlocks = 1 },
		"last_backoff":         func(c *Config) { c.LastBackoff = 0 },
		"last_partial_backoff": func(c *Config) { c.LastPartialBackoff = 0 },
		"alarm":                func(c *Config) { c.Alarm = -1 },
		"call_timeout":         func(c *Config) { c.CallTimeout = 0 },
	} {
		c := DefaultConfig()
		change(&c)
		require.ErrorContains(t, c.Validate(), name)
	}
}

func TestSigned(t *testing.T) {
	// The acknowledgement that reaches the chain is the one that the client signed.
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	s := ack.Sign(key, ack.HashChainID("x"), &ack.Ack{Epoch: 1, KeyID: 2, WorkerID: testWorkerID, Lane: 4, Bytes: 9, Head: [32]byte{1}})
	v := gasView()
	b := newBatch(v, 1, []ackpool.Entry{{Signed: s, Value: new(big.Int), Pending: new(big.Int)}}, 1, baseOverhead)
	msg := b.message(v, "edge1")
	again, err := msg.Acks[0].Signed(msg.Epoch, msg.WorkerId)
	require.NoError(t, err)
	require.Equal(t, s, again)
}

// Acknowledgements of an epoch that one endpoint calls dead are kept until somebody else says so; if it was wrong, they are
// settled. The log warns if there are any.
func TestDeadEpochIsConfirmedBeforeItIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var said strings.Builder
		w.log = slog.New(slog.NewTextHandler(&said, nil))
		w.key(1, 1, 1_000_000)
		doubtful := func() { w.chain.epoch, w.chain.doubt = 1_000, errors.New("nobody says so") }
		w.chain.with(doubtful)
		w.start()
		time.Sleep(time.Minute)
		w.kill()
		require.NotContains(t, said.String(), "dead", "there are none")
		w.chain.with(func() { w.chain.epoch = 1 })
		w.put(1, w.signed(1, 0, 1, 100))
		w.chain.with(doubtful)
		w.start()
		time.Sleep(time.Minute)
		require.EqualValues(t, 100, w.pool.Ledger().Total.Pending.Value.Int64())
		w.chain.with(func() { w.chain.epoch = 1 })
		w.eventually("settled after all", func() bool { return w.settled() == 100 })
		w.put(1, w.signed(1, 1, 1, 7))
		w.chain.with(func() { w.chain.epoch, w.chain.doubt = 1_000, nil })
		w.eventually("deleted", func() bool { return w.pool.Ledger().Total.Pending.Value.Sign() == 0 })
		require.EqualValues(t, 100, w.settled())
		w.end()
		require.Equal(t, 1, strings.Count(said.String(), "said to be dead"))
	})
}
