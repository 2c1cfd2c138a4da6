package app_test

import (
	"cmp"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/app"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

const (
	// gasClients have 16 lanes each, enough for the largest settlement.
	gasClients = 64
	gasRich    = 1_000_000_000
	// gasPoor covers a part of one acknowledgement.
	gasPoor = 7
	// gasOwned and gasRemoved are services besides content; nobody has published gasUnknown.
	gasOwned, gasRemoved, gasUnknown = 1, 2, 99
)

// newGasMarket starts a chain in whose genesis are the clients, rich ones and poor ones, and in which a worker is registered.
// Key 1 has ended with epoch 1, and the chain is in a later one.
func newGasMarket(t testing.TB) *market {
	t.Helper()
	test, ok := t.(*testing.T)
	if !ok {
		test = new(testing.T) // the fixture fails by panic in a benchmark
	}
	var clients []marketClient
	c := newChainFrom(test, nil, func(c *chain, state app.GenesisState) {
		cdc := c.app.AppCodec()
		var dack dacktypes.GenesisState
		cdc.MustUnmarshalJSON(state[dacktypes.ModuleName], &dack)
		held := math.ZeroInt()
		for i := range gasClients {
			id, balance := uint64(i+1), math.NewInt(gasRich)
			if i%4 == 3 {
				balance = math.NewInt(gasPoor)
			}
			lastEpoch := uint64(1_000)
			if i == 0 {
				lastEpoch = 1
			}
			k := marketClient{owner: newKey(fmt.Sprintf("gas-owner-%d", i)), key: ed25519Key(fmt.Sprintf("gas-client-%d", i)), keyID: id}
			dack.Accounts = append(dack.Accounts, dacktypes.Account{Id: id, Owner: addressOf(k.owner).String(), Balance: balance, Keys: 1})
			dack.Keys = append(dack.Keys, dacktypes.ClientKey{
				Id: id, AccountId: id, PublicKey: k.key.Public().(ed25519.PublicKey), SpendLimit: math.NewInt(gasRich), LastEpoch: lastEpoch,
			})
			clients = append(clients, k)
			held = held.Add(balance)
		}
		dack.NextAccountId, dack.NextKeyId = gasClients+1, gasClients+1
		state[dacktypes.ModuleName] = cdc.MustMarshalJSON(&dack)
		var bank banktypes.GenesisState
		cdc.MustUnmarshalJSON(state[banktypes.ModuleName], &bank)
		bank.Balances = append(bank.Balances, banktypes.Balance{
			Address: authtypes.NewModuleAddress(dacktypes.ModuleName).String(), Coins: sdk.NewCoins(sdk.NewCoin(settlement, held)),
		})
		state[banktypes.ModuleName] = cdc.MustMarshalJSON(&bank)
	})
	m := newMarket(c, nil, 1)
	m.clients = clients
	publish := func(name string) {
		owner := addressOf(c.validator).String()
		c.send(c.validator, 500_000, nil, &dacktypes.MsgPublishService{Owner: owner, Name: name, CodeHash: make32(1), Replicas: 1})
	}
	publish("owned")
	publish("removed")
	c.send(c.validator, 500_000, nil, &dacktypes.MsgRemoveService{Owner: addressOf(c.validator).String(), ServiceId: gasRemoved})
	c.closeEpoch()
	return m
}

func make32(b byte) []byte {
	out := make([]byte, 32)
	out[0] = b
	return out
}

// gasKind is what becomes of an acknowledgement.
type gasKind int

const (
	kindGood gasKind = iota
	kindBadSignature
	kindOutOfRange
	kindNothing
	kindKinds
)

// gasAck returns an acknowledgement of a client's lane.
func (m *market) gasAck(epoch uint64, client int, service uint64, lane uint8, kind gasKind) dacktypes.Acknowledgement {
	k := m.clients[client]
	a := ack.Ack{Epoch: epoch, KeyID: k.keyID, WorkerID: m.workers[0].id, ServiceID: service, Lane: lane, Requests: 1, Bytes: 1 << 30, Head: [32]byte{1}}
	switch kind {
	case kindOutOfRange:
		a.Bytes = ack.MaxBytes + 1
	case kindNothing:
		a.Bytes = 1
	}
	signed := ack.Sign(k.key, ack.HashChainID(chainID), &a)
	if kind == kindBadSignature {
		signed.Signature[lane] ^= 1
	}
	return dacktypes.NewAcknowledgement(&signed)
}

// gasMix returns 1,000 acknowledgements in random order that meet every status, with their number.
func (m *market) gasMix(epoch uint64) []dacktypes.Acknowledgement {
	var mix []dacktypes.Acknowledgement
	for client := range gasClients {
		for lane := range uint8(9) {
			mix = append(mix, m.gasAck(epoch, client, dacktypes.ContentServiceID, lane, gasKind(client+int(lane))%kindKinds))
		}
		if client%4 == 1 {
			for lane := uint8(10); lane < ack.MaxLanes; lane++ {
				mix = append(mix, m.gasAck(epoch, client, dacktypes.ContentServiceID, lane, kindGood))
			}
			for lane := range uint8(10) { // beyond 16 lanes over all services
				mix = append(mix, m.gasAck(epoch, client, gasOwned, lane, kindGood))
			}
		}
		mix = append(mix, m.gasAck(epoch, client, gasUnknown, 0, kindGood), m.gasAck(epoch, client, gasRemoved, 0, kindGood))
	}
	for id := uint64(10_000); len(mix) < int(dacktypes.DefaultMaxAcks); id++ {
		unknown := m.gasAck(epoch, 2, dacktypes.ContentServiceID, 0, kindGood)
		unknown.KeyId = id
		mix = append(mix, unknown)
	}
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(mix), func(i, j int) { mix[i], mix[j] = mix[j], mix[i] })
	return mix[:dacktypes.DefaultMaxAcks]
}

// gasMessage is a settlement of acknowledgements in the order that it must have.
func (m *market) gasMessage(epoch uint64, acks []dacktypes.Acknowledgement) *dacktypes.MsgSettle {
	sorted := slices.Clone(acks)
	slices.SortFunc(sorted, func(a, b dacktypes.Acknowledgement) int {
		return cmp.Or(cmp.Compare(a.KeyId, b.KeyId), cmp.Compare(a.ServiceId, b.ServiceId), cmp.Compare(a.Lane, b.Lane))
	})
	return &dacktypes.MsgSettle{Account: addressOf(m.workers[0].hot).String(), WorkerId: m.workers[0].id, Epoch: epoch, Acks: sorted}
}

// TestSettlementGasIsExact executes settlements of every size from 1 to 1,000 on the whole application: each takes exactly
// settle_gas_base + n * settle_gas_per_ack, whatever becomes of its acknowledgements, and emits one event of one shape.
func TestSettlementGasIsExact(t *testing.T) {
	m := newGasMarket(t)
	epoch := m.c.epoch().Number
	mix := m.gasMix(epoch)
	params := dacktypes.DefaultParams()
	handle := m.c.app.MsgServiceRouter().Handler(&dacktypes.MsgSettle{})
	seen := map[dacktypes.AckStatus]int{}
	attributes := 0
	run := func(acks []dacktypes.Acknowledgement) {
		n := len(acks)
		msg := m.gasMessage(epoch, acks)
		ctx, _ := m.c.ctx().CacheContext()
		ctx = ctx.WithGasMeter(storetypes.NewGasMeter(maxTxGas)).WithEventManager(sdk.NewEventManager())
		before := ctx.GasMeter().GasConsumed()
		res, err := handle(ctx, msg)
		require.NoError(t, err, n)
		require.Equal(t, params.SettleGasBase+uint64(n)*params.SettleGasPerAck, ctx.GasMeter().GasConsumed()-before, "%d acknowledgements", n)
		require.Len(t, res.Events, 1, "one event whatever the number")
		require.Equal(t, proto.MessageName(&dacktypes.EventSettled{}), res.Events[0].Type)
		if attributes == 0 {
			attributes = len(res.Events[0].Attributes)
		}
		require.Len(t, res.Events[0].Attributes, attributes)
		if &acks[0] == &mix[0] && n == len(mix) {
			var settled dacktypes.MsgSettleResponse
			require.NoError(t, settled.Unmarshal(res.MsgResponses[0].Value))
			for _, r := range settled.Results {
				seen[r.Status]++
			}
		}
	}
	// Every number with few signatures to verify, and some with many.
	var quick []dacktypes.Acknowledgement
	for i, client := 0, 0; i < len(mix); i, client = i+1, (client+1)%gasClients {
		a := m.gasAck(epoch, client, gasUnknown, 0, kindGood)
		if i >= gasClients {
			a.KeyId = 10_000 + uint64(i)
		}
		quick = append(quick, a)
	}
	quick[1] = m.gasAck(epoch, 1, dacktypes.ContentServiceID, 0, kindGood)
	quick[2] = m.gasAck(epoch, 2, dacktypes.ContentServiceID, 0, kindBadSignature)
	quick[3] = m.gasAck(epoch, 3, dacktypes.ContentServiceID, 0, kindGood) // paid in part
	for n := 1; n <= len(mix); n++ {
		run(quick[:n])
	}
	for n := 1; n < len(mix); n = n*5/4 + 1 {
		run(mix[:n])
	}
	run(mix)
	t.Log(seen)
	for number, name := range dacktypes.AckStatus_name {
		if status := dacktypes.AckStatus(number); status != dacktypes.ACK_STATUS_UNSPECIFIED {
			require.Positive(t, seen[status], name)
		}
	}
}

// workerOverhead is what edge-worker adds to its formula for the ante handlers, besides bytes and signature
// (worker/rollup.baseOverhead).
const workerOverhead = 80_000

// TestGasOfTransactions settles in blocks: what a transaction takes besides its message, its bytes at 10 each and its
// signature of 1,000 is the same for every number of acknowledgements, and at most half way to what the worker allows for.
func TestGasOfTransactions(t *testing.T) {
	m := newGasMarket(t)
	epoch := m.c.epoch().Number
	params := dacktypes.DefaultParams()
	auth := authtypes.DefaultParams()
	mix := m.gasMix(epoch)
	var shape []string
	first, rest := uint64(0), map[uint64]bool{}
	for i, n := range []int{1, 1, 2, 10, 100, 1_000} {
		tx := m.c.tx(m.workers[0].hot, maxTxGas, 0, m.gasMessage(epoch, mix[:n]))
		res := m.c.block(tx)[0]
		require.Zero(t, res.Code, res.Log)
		over := uint64(res.GasUsed) - params.SettleGas(n) - uint64(len(tx))*auth.TxSizeCostPerByte - auth.SigVerifyCostSecp256k1
		t.Logf("%d acknowledgements: %d gas, %d of them for ante handlers", n, res.GasUsed, over)
		if i == 0 {
			first = over
		} else {
			rest[over/1_000] = true
		}
		got := eventShape(res)
		if i == 1 {
			shape = got
		}
		if i > 0 {
			require.Equal(t, shape, got, "events do not depend on the number of acknowledgements")
		}
	}
	require.Len(t, rest, 1, "what the ante handlers use does not depend on the number of acknowledgements")
	highest := first
	for over := range rest {
		highest = max(highest, (over+1)*1_000)
	}
	require.Greater(t, highest, uint64(20_000), "the formula of the worker leaves out what it should not")
	require.Less(t, highest, uint64(36_000+workerOverhead)/2, "edge-worker's overhead is getting too small")
}

// eventShape is the types of the events of a transaction with their attributes' names.
func eventShape(res *abci.ExecTxResult) (shape []string) {
	for _, e := range res.Events {
		for _, a := range e.Attributes {
			shape = append(shape, e.Type+"."+a.Key)
		}
	}
	return shape
}

// measuredNsPerAck and measuredNsPerSignature are those of four runs of BenchmarkGasPrice with the highest ratio (348 to 390
// gas), on two cores of an AMD EPYC that were busy with other work, so that the ratio counts and not the times: what an
// acknowledgement takes that opens a lane while every signature of its settlement is verified alone, because one of them is
// bad, and what the SDK's verification of a secp256k1 signature takes, for which x/auth charges 1,000 gas.
const (
	measuredNsPerAck       = 357_892
	measuredNsPerSignature = 916_722
)

// TestGasPerAcknowledgementCoversItsCost holds settle_gas_per_ack against the price that x/auth sets for the same machine's
// time: at the measured cost a gas of ours buys no more time than a gas of x/auth, even at the lowest that governance can set.
func TestGasPerAcknowledgementCoversItsCost(t *testing.T) {
	auth := authtypes.DefaultParams()
	require.EqualValues(t, 1_000, auth.SigVerifyCostSecp256k1)
	need := uint64(measuredNsPerAck) * auth.SigVerifyCostSecp256k1 / measuredNsPerSignature
	require.EqualValues(t, 390, need)
	require.GreaterOrEqual(t, dacktypes.DefaultSettleGasPerAck, 20*need)
	require.GreaterOrEqual(t, dacktypes.MinSettleGasPerAck, 5*need)
}

// BenchmarkGasPrice measures both in one run: ns/ack and ns/signature, and the gas that an acknowledgement would have to cost
// at x/auth's price of time.
func BenchmarkGasPrice(b *testing.B) {
	m := newGasMarket(b)
	epoch := m.c.epoch().Number
	var acks []dacktypes.Acknowledgement
	for client := 1; client < gasClients; client++ {
		if client%4 == 3 {
			continue
		}
		for lane := range uint8(ack.MaxLanes) {
			kind := kindGood
			if client == 1 && lane == 0 {
				kind = kindBadSignature // the batch fails, and each is verified alone
			}
			acks = append(acks, m.gasAck(epoch, client, dacktypes.ContentServiceID, lane, kind))
		}
	}
	msg := m.gasMessage(epoch, acks)
	handle := m.c.app.MsgServiceRouter().Handler(msg)
	key := secp256k1.GenPrivKeyFromSecret([]byte("benchmark"))
	message := make([]byte, 300)
	signature, err := key.Sign(message)
	require.NoError(b, err)
	public := key.PubKey()
	const signatures = 200
	var settling, verifying time.Duration
	for b.Loop() {
		ctx, _ := m.c.ctx().CacheContext()
		ctx = ctx.WithEventManager(sdk.NewEventManager())
		start := time.Now()
		res, err := handle(ctx, msg)
		settling += time.Since(start)
		require.NoError(b, err)
		var settled dacktypes.MsgSettleResponse
		require.NoError(b, settled.Unmarshal(res.MsgResponses[0].Value))
		for i, r := range settled.Results {
			want := dacktypes.ACK_STATUS_PAID
			if i == 0 {
				want = dacktypes.ACK_STATUS_BAD_SIGNATURE
			}
			require.Equal(b, want, r.Status)
		}
		start = time.Now()
		for range signatures {
			if !public.VerifySignature(message, signature) {
				b.Fatal("signature does not verify")
			}
		}
		verifying += time.Since(start)
	}
	perAck := float64(settling.Nanoseconds()) / float64(b.N*len(acks))
	perSignature := float64(verifying.Nanoseconds()) / float64(b.N*signatures)
	b.ReportMetric(perAck, "ns/ack")
	b.ReportMetric(perSignature, "ns/signature")
	b.ReportMetric(1_000*perAck/perSignature, "needed-gas/ack")
	b.ReportMetric(0, "ns/op")
}
