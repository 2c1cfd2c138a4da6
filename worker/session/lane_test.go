package session

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
)

func TestFindHead(t *testing.T) {
	const f, a, r = receiptFinished, receiptAborted, receiptRunning
	for name, c := range map[string]struct {
		states []receiptState
		counts []int
		used   int
		ok     bool
	}{
		"nothing":                     {nil, nil, 0, true},
		"first of two":                {[]receiptState{f, f}, []int{0}, 1, true},
		"all":                         {[]receiptState{f, f, f}, []int{0, 1, 2}, 3, true},
		"running counts too":          {[]receiptState{f, r}, []int{0, 1}, 2, true},
		"without the aborted":         {[]receiptState{f, a, f}, []int{0, 2}, 3, true},
		"aborted here, not there":     {[]receiptState{f, a}, []int{0, 1}, 2, true},
		"without the running":         {[]receiptState{f, r, f}, []int{0, 2}, 3, true},
		"lost state":                  {[]receiptState{f, f, f}, []int{2}, 3, true},
		"one not received whole":      {[]receiptState{f, f, f, f}, []int{0, 1, 3}, 4, true},
		"first not received whole":    {[]receiptState{f, f, r}, []int{1}, 2, true},
		"other order":                 {[]receiptState{f, f}, []int{1, 0}, 0, false},
		"two left out in two places":  {[]receiptState{f, f, f, f, f}, []int{0, 2, 4}, 0, false},
		"twice the same":              {[]receiptState{f, f}, []int{0, 0}, 0, false},
		"more than there are":         {[]receiptState{f}, []int{0, 0, 0}, 0, false},
		"aborted and finished, mixed": {[]receiptState{a, f, a}, []int{0, 1}, 2, true},
	} {
		receipts := make([]*receipt, 0, len(c.states))
		for i, s := range c.states {
			receipts = append(receipts, &receipt{digest: ack.Digest{byte(i + 1)}, state: s})
		}
		head := [ack.HeadSize]byte{9}
		for _, i := range c.counts {
			head = ack.NextHead(head, receipts[i].digest)
		}
		used, ok := findHead([ack.HeadSize]byte{9}, head, len(c.counts), receipts)
		require.Equal(t, c.ok, ok, name)
		require.Equal(t, c.used, used, name)
	}
	used, ok := findHead([ack.HeadSize]byte{1}, [ack.HeadSize]byte{2}, 0, nil)
	require.False(t, ok)
	require.Zero(t, used)
}

// TestFindHeadIsBounded: a head that fits nowhere costs a bounded number of hashes, and an honest one is found in any
// number of receipts.
func TestFindHeadIsBounded(t *testing.T) {
	receipts := make([]*receipt, 100_000)
	head := [ack.HeadSize]byte{}
	for i := range receipts {
		receipts[i] = &receipt{digest: ack.Digest{byte(i), byte(i >> 8), byte(i >> 16)}, state: receiptFinished}
		head = ack.NextHead(head, receipts[i].digest)
	}
	used, ok := findHead([ack.HeadSize]byte{}, head, len(receipts), receipts)
	require.True(t, ok)
	require.Equal(t, len(receipts), used)
	_, ok = findHead([ack.HeadSize]byte{}, [ack.HeadSize]byte{7}, 1, receipts)
	require.False(t, ok)
}

// TestFindHeadOfANewSession: a client that lost any number of requests with its state goes on with those of its new session.
func TestFindHeadOfANewSession(t *testing.T) {
	const lost, mine = 20_000, 300
	receipts := make([]*receipt, lost+mine)
	head := [ack.HeadSize]byte{5}
	for i := range receipts {
		receipts[i] = &receipt{digest: ack.Digest{byte(i), byte(i >> 8)}, state: receiptFinished, session: 7}
		if i >= lost {
			receipts[i].session = 8
			head = ack.NextHead(head, receipts[i].digest)
		}
	}
	receipts[lost-1].state = receiptAborted
	used, ok := findHead([ack.HeadSize]byte{5}, head, mine, receipts)
	require.True(t, ok)
	require.Equal(t, len(receipts), used)
}
