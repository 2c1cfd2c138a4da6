package ackpool

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
)

func sampleLane() *lane {
	signed := ack.Signed{Ack: ack.Ack{Epoch: 5, KeyID: 6, WorkerID: 7, ServiceID: 8, Lane: 9, Requests: 10, Bytes: 11, Fuel: 12}}
	signed.Signature[3] = 4
	return &lane{
		signed: signed, account: 3, value: new(big.Int).Lsh(big.NewInt(1), 200), settled: big.NewInt(5), height: 77,
		refusals:  []Refusal{{"a", big.NewInt(1)}, {"b", big.NewInt(300)}},
		rejection: &Rejection{Signed: signed, Reason: "b", Code: 4, Height: 76}, short: true,
	}
}

// TestRecordsRoundTrip also cuts every record at every byte: a part of one is an error.
func TestRecordsRoundTrip(t *testing.T) {
	l := sampleLane()
	got, err := decodeLane(l.encode())
	require.NoError(t, err)
	require.Equal(t, l, got)
	tx := &txRecord{state: txInFlight, reason: "r", tx: Tx{
		Hash: []byte("h"), Epoch: 5, TimeoutHeight: 9, Bytes: []byte("bytes"), Acks: []Submitted{{l.signed, l.value}, {l.signed, l.settled}},
	}}
	gotTx, err := decodeTx(tx.encode())
	require.NoError(t, err)
	require.Equal(t, tx, gotTx)
	totals := l.totals()
	totals.Pending, totals.Submitted = newTotals().Pending, newTotals().Submitted
	gotTotals, err := decodeTotals(totals.encode())
	require.NoError(t, err)
	require.Equal(t, totals, gotTotals)
	forfeit := Forfeit{Bytes: 7, Value: big.NewInt(300), Since: 3}
	archive := forfeit.append(totals.encode())
	gotTotals, gotForfeit, err := decodeArchive(archive)
	require.NoError(t, err)
	require.Equal(t, totals, gotTotals)
	require.Equal(t, forfeit, gotForfeit)
	gotTotals, gotForfeit, err = decodeArchive(totals.encode())
	require.NoError(t, err)
	require.Equal(t, totals, gotTotals)
	require.Zero(t, gotForfeit)
	for name, c := range map[string]struct {
		record []byte
		decode func([]byte) error
	}{
		"lane":   {l.encode(), func(b []byte) error { _, err := decodeLane(b); return err }},
		"tx":     {tx.encode(), func(b []byte) error { _, err := decodeTx(b); return err }},
		"totals": {totals.encode(), func(b []byte) error { _, err := decodeTotals(b); return err }},
	} {
		for cut := range c.record {
			require.ErrorIs(t, c.decode(c.record[:cut]), errRecord, "%s cut at %d", name, cut)
		}
		require.ErrorIs(t, c.decode(append(c.record, 0)), errRecord, name)
	}
}

func FuzzDecode(f *testing.F) {
	l := sampleLane()
	f.Add(l.encode())
	f.Add((&txRecord{state: txAbandoned, tx: Tx{Hash: []byte("h"), Epoch: 5, Acks: []Submitted{{l.signed, l.value}}}}).encode())
	f.Add(l.totals().encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := decodeLane(b); err == nil {
			again, err := decodeLane(l.encode())
			require.NoError(t, err)
			require.Equal(t, l, again)
		}
		if tx, err := decodeTx(b); err == nil {
			again, err := decodeTx(tx.encode())
			require.NoError(t, err)
			require.Equal(t, tx, again)
		}
		_, _ = decodeTotals(b)
		_, _, _ = decodeArchive(b)
	})
}
