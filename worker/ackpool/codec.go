package ackpool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"github.com/edgechain/edge/ack"
)

// Keys of the store. Integers in keys are big-endian, so that iteration is in their order.
const (
	// 0x00 -> version of the format
	prefixVersion = 0x00
	// 0x01 | epoch(8) | key(8) | service(8) | lane(1) -> lane
	prefixLane = 0x01
	// 0x02 | epoch(8) | hash -> transaction
	prefixTx = 0x02
	// 0x03 | epoch(8) -> archived totals of deleted lanes of an epoch
	prefixEpoch = 0x03
	// 0x04 | account(8) -> archived totals of deleted lanes of an account, and what it has forfeited
	prefixAccount = 0x04
	// 0x05 -> archived totals of all deleted lanes
	prefixTotal = 0x05
	// 0x06 | account(8) | epoch(8) -> watermark of unacknowledged bytes
	prefixExposure = 0x06
	// 0x07 -> oldest live epoch
	prefixOldestLive = 0x07
	// 0x08 | hash -> epoch of the transaction
	prefixTxEpoch = 0x08

	formatVersion = 1
)

var errRecord = errors.New("damaged record")

func keyLane(l ack.LaneID) []byte {
	b := append(make([]byte, 0, 26), prefixLane)
	b = binary.BigEndian.AppendUint64(b, l.Epoch)
	b = binary.BigEndian.AppendUint64(b, l.KeyID)
	b = binary.BigEndian.AppendUint64(b, l.ServiceID)
	return append(b, l.Lane)
}

func keyU64(prefix byte, v uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefix}, v)
}

func keyTx(epoch uint64, hash []byte) []byte { return append(keyU64(prefixTx, epoch), hash...) }

func keyTxEpoch(hash []byte) []byte { return append([]byte{prefixTxEpoch}, hash...) }

func keyExposure(account, epoch uint64) []byte {
	return binary.BigEndian.AppendUint64(keyU64(prefixExposure, account), epoch)
}

// Lengths are u32 and amounts are their magnitude behind a length: none is negative.

func appendBytes(dst, b []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b)))
	return append(dst, b...)
}

func appendInt(dst []byte, v *big.Int) []byte { return appendBytes(dst, v.Bytes()) }

// reader reads a record; after the first fault every read yields zero and err says so.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err == nil && (n < 0 || n > len(r.b)) {
		r.err = fmt.Errorf("%w: %d bytes left, want %d", errRecord, len(r.b), n)
	}
	if r.err != nil {
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u8() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// bytes returns a copy.
func (r *reader) bytes() []byte {
	b := r.take(int(r.u32()))
	if r.err != nil {
		return nil
	}
	return append([]byte{}, b...)
}

func (r *reader) int() *big.Int {
	b := r.take(int(r.u32()))
	if len(b) > 0 && b[0] == 0 {
		r.err = fmt.Errorf("%w: amount with a leading zero", errRecord)
	}
	return new(big.Int).SetBytes(b)
}

func (r *reader) signed() (s ack.Signed) {
	b := r.take(ack.SignedSize)
	if r.err != nil {
		return s
	}
	if err := s.Decode(b); err != nil {
		r.err = fmt.Errorf("%w: %w", errRecord, err)
	}
	return s
}

func (r *reader) end() error {
	if r.err == nil && len(r.b) != 0 {
		r.err = fmt.Errorf("%w: %d bytes behind its end", errRecord, len(r.b))
	}
	return r.err
}

// Flags of a lane.
const (
	laneRejected = 1 << iota
	laneShort
)

func (l *lane) encode() []byte {
	b := make([]byte, 0, ack.SignedSize+96)
	b = l.signed.AppendEncoded(b)
	b = binary.LittleEndian.AppendUint64(b, l.account)
	b = appendInt(b, l.value)
	b = appendInt(b, l.settled)
	b = binary.LittleEndian.AppendUint64(b, uint64(l.height))
	b = append(b, byte(len(l.refusals)))
	for _, r := range l.refusals {
		b = appendBytes(b, []byte(r.Reason))
		b = appendInt(b, r.Amount)
	}
	flags := byte(0)
	if l.rejection != nil {
		flags |= laneRejected
	}
	if l.short {
		flags |= laneShort
	}
	if b = append(b, flags); l.rejection == nil {
		return b
	}
	b = l.rejection.Signed.AppendEncoded(b)
	b = appendBytes(b, []byte(l.rejection.Reason))
	b = binary.LittleEndian.AppendUint32(b, l.rejection.Code)
	return binary.LittleEndian.AppendUint64(b, uint64(l.rejection.Height))
}

func decodeLane(b []byte) (*lane, error) {
	r := &reader{b: b}
	l := &lane{signed: r.signed(), account: r.u64(), value: r.int(), settled: r.int(), height: int64(r.u64())}
	for range r.u8() {
		l.refusals = append(l.refusals, Refusal{Reason: string(r.bytes()), Amount: r.int()})
	}
	flags := r.u8()
	l.short = flags&laneShort != 0
	if flags&laneRejected != 0 {
		l.rejection = &Rejection{Signed: r.signed(), Reason: string(r.bytes()), Code: r.u32(), Height: int64(r.u64())}
	}
	return l, r.end()
}

// txState says what became of a transaction.
type txState byte

const (
	txInFlight txState = iota + 1
	txAbandoned
	txResolved
)

// txRecord is a transaction on disk. A resolved one keeps no acknowledgements, an abandoned one no bytes: it can still
// turn out to have been included.
type txRecord struct {
	state  txState
	reason string
	tx     Tx
}

func (t *txRecord) encode() []byte {
	b := make([]byte, 0, 64+len(t.tx.Bytes)+len(t.tx.Acks)*(ack.SignedSize+16))
	b = append(b, byte(t.state))
	b = appendBytes(b, []byte(t.reason))
	b = appendBytes(b, t.tx.Hash)
	b = binary.LittleEndian.AppendUint64(b, t.tx.Epoch)
	b = binary.LittleEndian.AppendUint64(b, uint64(t.tx.TimeoutHeight))
	b = appendBytes(b, t.tx.Bytes)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(t.tx.Acks)))
	for i := range t.tx.Acks {
		b = t.tx.Acks[i].Signed.AppendEncoded(b)
		b = appendInt(b, t.tx.Acks[i].Value)
	}
	return b
}

func decodeTx(b []byte) (*txRecord, error) {
	r := &reader{b: b}
	t := &txRecord{state: txState(r.u8()), reason: string(r.bytes())}
	t.tx = Tx{Hash: r.bytes(), Epoch: r.u64(), TimeoutHeight: int64(r.u64()), Bytes: r.bytes()}
	n := r.u32()
	if r.err == nil && n > maxTxAcks {
		return nil, fmt.Errorf("%w: %d acknowledgements in a transaction", errRecord, n)
	}
	for range n {
		t.tx.Acks = append(t.tx.Acks, Submitted{Signed: r.signed(), Value: r.int()})
		if r.err != nil {
			break
		}
	}
	return t, r.end()
}

func appendAmount(dst []byte, a Amount) []byte {
	dst = appendInt(dst, a.value())
	return binary.LittleEndian.AppendUint64(dst, a.Lanes)
}

func (r *reader) amount() Amount { return Amount{Value: r.int(), Lanes: r.u64()} }

// encode writes archived totals: nothing of a deleted lane is pending or submitted.
func (t Totals) encode() []byte {
	b := appendAmount(nil, t.Acknowledged)
	b = appendAmount(b, t.Settled)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(t.Refused)))
	for reason, a := range t.Refused {
		b = appendBytes(b, []byte(reason))
		b = appendAmount(b, a)
	}
	return b
}

func decodeTotals(b []byte) (Totals, error) {
	r := &reader{b: b}
	return r.totals(), r.end()
}

func (r *reader) totals() Totals {
	t := newTotals()
	t.Acknowledged, t.Settled = r.amount(), r.amount()
	for range r.u32() {
		if r.err != nil {
			break
		}
		reason := string(r.bytes())
		t.Refused[reason] = r.amount()
	}
	return t
}
