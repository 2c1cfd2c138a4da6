package app_test

import (
	"encoding/binary"
	"testing"
	"time"

	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/cosmos/cosmos-sdk/store/v2"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/edgechain/edge/app/statedb"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// worstPageBytes bounds a page in which all accounts have all the keys that they may have, each of which has spent in both live epochs.
const worstPageBytes = 20 << 10

// fullPurse is a purse with so many keys, all of which have spent, and so many withdrawals, in large amounts and with large ids.
func fullPurse(account uint64, keys, withdrawals int) dacktypes.Purse {
	amount := math.NewInt(999_999_999_999_999_999)
	p := dacktypes.NewPurse(account)
	p.Balance = amount
	for i := range withdrawals {
		p.Withdrawals = append(p.Withdrawals, dacktypes.Withdrawal{Epoch: 1<<20 + uint64(i), Amount: amount})
	}
	for i := range keys {
		for e := range uint64(2) {
			p.Spend(1<<34+uint64(i), 1<<20+e, 0, amount)
		}
	}
	return p
}

// page returns the encoded page of a number in which all purses are alike.
func page(t testing.TB, number uint64, keys, withdrawals int) []byte {
	t.Helper()
	var purses []dacktypes.Purse
	for i := range uint64(dacktypes.PursesPerPage) {
		purses = append(purses, fullPurse(number*dacktypes.PursesPerPage+i+1, keys, withdrawals))
	}
	encoded, err := dacktypes.ReplacePurses(nil, purses)
	require.NoError(t, err)
	return encoded
}

// measuredNsPerWorstPage is what a block takes for a page of the largest purses, and measuredNsPerSignatureThen what a signature
// took in the same run: that of four runs of BenchmarkPursePage with the highest ratio (480 to 1,400 gas, beside 150 to 180 for an
// ordinary page), on the machine and in the company of BenchmarkGasPrice.
const (
	measuredNsPerWorstPage     = 518_298
	measuredNsPerSignatureThen = 369_449
)

// TestGasPerAcknowledgementCoversAWorstPage: the price of an acknowledgement does not depend on the page that the purse of its account stands
// in, because strangers could make it dearer then. So it covers the worst page: that has a bound, and every acknowledgement of a
// block may hit another one. At x/auth's price of time it has paid for that, and for a signature that is verified alone, five times, and once at the
// lowest price that governance can set.
func TestGasPerAcknowledgementCoversAWorstPage(t *testing.T) {
	require.Less(t, len(page(t, 1<<30, dacktypes.MaxKeysPerAccount, dacktypes.MaxPendingWithdrawals)), worstPageBytes)
	auth := authtypes.DefaultParams()
	need := uint64(measuredNsPerAck)*auth.SigVerifyCostSecp256k1/measuredNsPerSignature +
		uint64(measuredNsPerWorstPage)*auth.SigVerifyCostSecp256k1/measuredNsPerSignatureThen
	require.EqualValues(t, 1_792, need)
	require.GreaterOrEqual(t, dacktypes.DefaultSettleGasPerAck, 5*need)
	require.GreaterOrEqual(t, dacktypes.MinSettleGasPerAck, need)
}

// BenchmarkPursePage measures what the end of a block takes for each page that it changes, on disk and in the tree: ordinary ones,
// whose accounts have one key, and the worst; and the gas for that at x/auth's price of time.
func BenchmarkPursePage(b *testing.B) {
	const pages, changed = 4_000, 1_000
	for name, size := range map[string]struct{ keys, withdrawals int }{
		"ordinary": {1, 0}, "worst": {dacktypes.MaxKeysPerAccount, dacktypes.MaxPendingWithdrawals},
	} {
		b.Run(name, func(b *testing.B) {
			db, err := statedb.Open("application", b.TempDir(), dbm.PebbleDBBackend)
			require.NoError(b, err)
			defer db.Close()
			cms := store.NewCommitMultiStore(db, log.NewNopLogger())
			cms.SetIAVLDisableFastNode(true)
			cms.SetInterBlockCache(statedb.NewRecords(db, 256<<20, dacktypes.PurseStoreKeys()...))
			keys := storetypes.NewKVStoreKeys(dacktypes.PurseStoreKeys()...)
			for _, key := range keys {
				cms.MountStoreWithDB(key, storetypes.StoreTypeIAVL, nil)
			}
			require.NoError(b, cms.LoadLatestVersion())
			place := func(number uint64) (*storetypes.KVStoreKey, []byte) {
				return keys[dacktypes.PurseStoreKey(dacktypes.PurseStoreOf(number))], binary.BigEndian.AppendUint64(nil, number)
			}
			for number := range uint64(pages) {
				key, at := place(number)
				cms.GetKVStore(key).Set(at, page(b, number, size.keys, size.withdrawals))
			}
			cms.WorkingHash()
			cms.Commit()
			signer, message := secp256k1.GenPrivKeyFromSecret([]byte("benchmark")), make([]byte, 300)
			signature, err := signer.Sign(message)
			require.NoError(b, err)
			const signatures = 200
			var writing, verifying time.Duration
			for b.Loop() {
				start := time.Now()
				block := cms.CacheMultiStore()
				for i := range uint64(changed) {
					key, at := place(i * 2_654_435_761 % pages)
					kv := block.GetKVStore(key)
					number := binary.BigEndian.Uint64(at)
					purse := fullPurse(number*dacktypes.PursesPerPage+5, size.keys, size.withdrawals)
					replaced, err := dacktypes.ReplacePurses(kv.Get(at), []dacktypes.Purse{purse})
					require.NoError(b, err)
					kv.Set(at, replaced)
				}
				block.Write()
				cms.WorkingHash()
				cms.Commit()
				writing += time.Since(start)
				start = time.Now()
				for range signatures {
					if !signer.PubKey().VerifySignature(message, signature) {
						b.Fatal("signature does not verify")
					}
				}
				verifying += time.Since(start)
			}
			perPage := float64(writing.Nanoseconds()) / float64(b.N*changed)
			perSignature := float64(verifying.Nanoseconds()) / float64(b.N*signatures)
			b.ReportMetric(perPage, "ns/page")
			b.ReportMetric(perSignature, "ns/signature")
			b.ReportMetric(1_000*perPage/perSignature, "needed-gas/page")
			b.ReportMetric(0, "ns/op")
		})
	}
}
