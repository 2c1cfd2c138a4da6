package keeper_test

import (
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/node/types"
)

func TestRegisterWorker(t *testing.T) {
	tests := []struct {
		name   string
		change func(f *fixture, m *types.MsgRegisterWorker)
		err    error
	}{
		{"valid", func(*fixture, *types.MsgRegisterWorker) {}, nil},
		{"upper case operator is the same operator", func(_ *fixture, m *types.MsgRegisterWorker) {
			m.Operator = strings.ToUpper(m.Operator)
		}, nil},
		{"eight endpoints", func(_ *fixture, m *types.MsgRegisterWorker) {
			m.Endpoints = nil
			for i := range types.MaxEndpoints {
				m.Endpoints = append(m.Endpoints, endpoint+"/"+strings.Repeat("a", i+1))
			}
		}, nil},
		{"no region, no capacity", func(_ *fixture, m *types.MsgRegisterWorker) { m.Region, m.Capacity = "", 0 }, nil},
		{"operator without a validator", func(f *fixture, m *types.MsgRegisterWorker) {
			clear(f.staking)
		}, types.ErrNotValidator},
		{"operator is an account", func(_ *fixture, m *types.MsgRegisterWorker) { m.Operator = m.Account }, types.ErrAddress},
		{"no operator", func(_ *fixture, m *types.MsgRegisterWorker) { m.Operator = "" }, types.ErrAddress},
		{"another validator's proof", func(f *fixture, m *types.MsgRegisterWorker) {
			m.PeerProof = f.registration(f.operator()).PeerProof
		}, types.ErrPeerProof},
		{"proof for another operator", func(f *fixture, m *types.MsgRegisterWorker) {
			m.Operator = f.operatorText(f.operator())
		}, types.ErrPeerProof},
		{"proof for another chain", func(f *fixture, m *types.MsgRegisterWorker) {
			peer := ed25519.NewKeyFromSeed(f.bytes(ed25519.SeedSize))
			operator, err := f.operators.StringToBytes(m.Operator)
			require.NoError(f.t, err)
			m.PeerKey = peer.Public().(ed25519.PublicKey)
			m.PeerProof = ed25519.Sign(peer, ack.AppendPeerProofSignBytes(nil, ack.HashChainID("edge-other-1"), operator))
		}, types.ErrPeerProof},
		{"no proof", func(_ *fixture, m *types.MsgRegisterWorker) { m.PeerProof = nil }, types.ErrPeerProof},
		{"short peer key", func(_ *fixture, m *types.MsgRegisterWorker) { m.PeerKey = m.PeerKey[:31] }, types.ErrPeerKey},
		{"peer key of small order", func(_ *fixture, m *types.MsgRegisterWorker) {
			// The neutral element: under ZIP-215 anyone can sign for it.
			m.PeerKey = append([]byte{1}, make([]byte, 31)...)
			m.PeerProof = append([]byte{1}, make([]byte, 63)...)
		}, types.ErrPeerKey},
		{"no account", func(_ *fixture, m *types.MsgRegisterWorker) { m.Account = "" }, types.ErrAddress},
		{"account of another chain", func(_ *fixture, m *types.MsgRegisterWorker) {
			m.Account = "cosmos1qypqxpq9qcrsszgszyfpx9q4zct3sxfq0fzduj"
		}, types.ErrAddress},
		{"no endpoint", func(_ *fixture, m *types.MsgRegisterWorker) { m.Endpoints = nil }, types.ErrEndpoint},
		{"nine endpoints", func(_ *fixture, m *types.MsgRegisterWorker) {
			m.Endpoints = slices.Repeat([]string{endpoint}, types.MaxEndpoints+1)
		}, types.ErrEndpoint},
		{"an endpoint twice", func(_ *fixture, m *types.MsgRegisterWorker) { m.Endpoints = []string{endpoint, endpoint} }, types.ErrEndpoint},
		{"region in upper case", func(_ *fixture, m *types.MsgRegisterWorker) { m.Region = "EU" }, types.ErrRegion},
		{"long region", func(_ *fixture, m *types.MsgRegisterWorker) { m.Region = strings.Repeat("a", 33) }, types.ErrRegion},
		{"no coins for the deposit", func(f *fixture, m *types.MsgRegisterWorker) {
			poor := sdk.ValAddress(f.bytes(20))
			f.staking[string(poor)] = true
			*m = *f.registration(poor)
		}, sdkerrors.ErrInsufficientFunds},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.register(f.operator()) // somebody else's, which must not change
			operator := f.operator()
			msg := f.registration(operator)
			tt.change(f, msg)
			before, held := f.state(), f.balance(operator)
			f.events("")

			res, err := f.msgs.RegisterWorker(f.ctx, msg)
			f.check()
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
				require.Equal(t, before, f.state())
				require.Equal(t, held, f.balance(operator))
				return
			}
			require.NoError(t, err)
			require.EqualValues(t, 2, res.WorkerId)
			require.Equal(t, held-types.DefaultWorkerDeposit, f.balance(operator))
			require.Equal(t, 1, f.events("edge.node.v1.EventWorkerRegistered"))
			w, err := f.k.Worker(f.ctx, res.WorkerId)
			require.NoError(t, err)
			require.Equal(t, types.Worker{
				Id: 2, Operator: f.operatorText(operator), PeerKey: msg.PeerKey, Account: msg.Account, Endpoints: msg.Endpoints,
				Region: msg.Region, Capacity: msg.Capacity, Status: types.WORKER_STATUS_ACTIVE, RegisteredEpoch: 1,
				Deposit: types.DefaultParams().WorkerDeposit,
			}, w)
		})
	}
}

func TestPeerKeyIsUnique(t *testing.T) {
	f := newFixture(t)
	first, second := f.operator(), f.operator()
	peer := ed25519.NewKeyFromSeed(f.bytes(ed25519.SeedSize))
	msg := f.registration(first)
	msg.PeerKey, msg.PeerProof = peer.Public().(ed25519.PublicKey), f.proof(peer, first)
	res, err := f.msgs.RegisterWorker(f.ctx, msg)
	require.NoError(t, err)

	again := f.registration(second)
	again.PeerKey, again.PeerProof = msg.PeerKey, f.proof(peer, second)
	_, err = f.msgs.RegisterWorker(f.ctx, again)
	require.ErrorIs(t, err, types.ErrPeerKeyTaken)

	// A retiring worker still has its key: what it served must not be claimed by another.
	f.remove(first, res.WorkerId)
	_, err = f.msgs.RegisterWorker(f.ctx, again)
	require.ErrorIs(t, err, types.ErrPeerKeyTaken)

	f.open(types.RetirementDue(1))
	f.endBlock()
	_, err = f.msgs.RegisterWorker(f.ctx, again)
	require.NoError(t, err)
	f.check()
}

func TestWorkersPerNodeAreBounded(t *testing.T) {
	f := newFixture(t)
	operator, other := f.operator(), f.operator()
	var last uint64
	for range types.DefaultMaxWorkersPerNode {
		last = f.register(operator)
	}
	before := f.state()
	_, err := f.msgs.RegisterWorker(f.ctx, f.registration(operator))
	require.ErrorIs(t, err, types.ErrTooManyWorkers)
	require.Equal(t, before, f.state())
	f.register(other)

	// A retiring worker counts until its record is deleted.
	f.remove(operator, last)
	_, err = f.msgs.RegisterWorker(f.ctx, f.registration(operator))
	require.ErrorIs(t, err, types.ErrTooManyWorkers)
	f.open(4)
	f.endBlock()
	f.register(operator)
}

func TestUpdateWorker(t *testing.T) {
	tests := []struct {
		name   string
		change func(f *fixture, m *types.MsgUpdateWorker)
		err    error
	}{
		{"valid", func(*fixture, *types.MsgUpdateWorker) {}, nil},
		{"nothing declared", func(_ *fixture, m *types.MsgUpdateWorker) { m.Region, m.Capacity = "", 0 }, nil},
		{"another operator", func(f *fixture, m *types.MsgUpdateWorker) { m.Operator = f.operatorText(f.operator()) }, types.ErrNotOperator},
		{"no operator", func(_ *fixture, m *types.MsgUpdateWorker) { m.Operator = "" }, types.ErrAddress},
		{"no such worker", func(_ *fixture, m *types.MsgUpdateWorker) { m.WorkerId = 2 }, types.ErrWorkerNotFound},
		{"worker 0", func(_ *fixture, m *types.MsgUpdateWorker) { m.WorkerId = 0 }, types.ErrWorkerNotFound},
		{"bad account", func(_ *fixture, m *types.MsgUpdateWorker) { m.Account = "edge1" }, types.ErrAddress},
		{"no endpoint", func(_ *fixture, m *types.MsgUpdateWorker) { m.Endpoints = nil }, types.ErrEndpoint},
		{"bad region", func(_ *fixture, m *types.MsgUpdateWorker) { m.Region = "eu_central" }, types.ErrRegion},
	}
	for _, retiring := range []bool{false, true} {
		for _, tt := range tests {
			name := "active: " + tt.name
			if retiring {
				name = "retiring: " + tt.name
			}
			t.Run(name, func(t *testing.T) {
				f := newFixture(t)
				operator := f.operator()
				id := f.register(operator)
				if retiring {
					f.remove(operator, id)
				}
				old, err := f.k.Worker(f.ctx, id)
				require.NoError(t, err)
				msg := &types.MsgUpdateWorker{
					Operator: f.operatorText(operator), WorkerId: id, Account: f.account(),
					Endpoints: []string{"/ip4/192.0.2.1/tcp/4001"}, Region: "us-east", Capacity: 7,
				}
				tt.change(f, msg)
				before, held := f.state(), f.balance(operator)
				f.events("")
				_, err = f.msgs.UpdateWorker(f.ctx, msg)
				f.check()
				require.Equal(t, held, f.balance(operator))
				if tt.err != nil {
					require.ErrorIs(t, err, tt.err)
					require.Equal(t, before, f.state())
					return
				}
				require.NoError(t, err)
				require.Equal(t, 1, f.events("edge.node.v1.EventWorkerUpdated"))
				want := old
				want.Account, want.Endpoints, want.Region, want.Capacity = msg.Account, msg.Endpoints, msg.Region, msg.Capacity
				got, err := f.k.Worker(f.ctx, id)
				require.NoError(t, err)
				require.Equal(t, want, got)
			})
		}
	}
}

func TestRemoveWorker(t *testing.T) {
	f := newFixture(t)
	operator, other := f.operator(), f.operator()
	id := f.register(operator)
	f.open(5)
	before := f.state()
	for name, tt := range map[string]struct {
		msg *types.MsgRemoveWorker
		err error
	}{
		"another operator": {&types.MsgRemoveWorker{Operator: f.operatorText(other), WorkerId: id}, types.ErrNotOperator},
		"no operator":      {&types.MsgRemoveWorker{WorkerId: id}, types.ErrAddress},
		"no such worker":   {&types.MsgRemoveWorker{Operator: f.operatorText(operator), WorkerId: id + 1}, types.ErrWorkerNotFound},
	} {
		_, err := f.msgs.RemoveWorker(f.ctx, tt.msg)
		require.ErrorIs(t, err, tt.err, name)
		require.Equal(t, before, f.state(), name)
	}
	f.events("")

	msg := &types.MsgRemoveWorker{Operator: f.operatorText(operator), WorkerId: id}
	res, err := f.msgs.RemoveWorker(f.ctx, msg)
	require.NoError(t, err)
	f.check()
	require.EqualValues(t, 5, res.LastEpoch)
	require.Equal(t, 1, f.events("edge.node.v1.EventWorkerRetiring"))
	w, err := f.k.Worker(f.ctx, id)
	require.NoError(t, err)
	require.Equal(t, types.WORKER_STATUS_RETIRING, w.Status)
	require.EqualValues(t, 5, w.RetiredEpoch)
	require.True(t, w.MaySettle(5))
	require.False(t, w.MaySettle(6))

	_, err = f.msgs.RemoveWorker(f.ctx, msg)
	require.ErrorIs(t, err, types.ErrWorkerRetiring)
}

func TestUpdateParams(t *testing.T) {
	valid := types.Params{MaxWorkersPerNode: 2, WorkerDeposit: sdk.NewInt64Coin(types.StakingDenom, 5), RetirementsPerBlock: 3, EligibilityEpochs: 4}
	with := func(change func(*types.Params)) types.Params {
		p := valid
		change(&p)
		return p
	}
	f := newFixture(t)
	for name, tt := range map[string]struct {
		authority string
		params    types.Params
		err       error
	}{
		"an account":              {f.account(), valid, sdkerrors.ErrUnauthorized},
		"nobody":                  {"", valid, sdkerrors.ErrUnauthorized},
		"no workers":              {f.authority, with(func(p *types.Params) { p.MaxWorkersPerNode = 0 }), types.ErrParams},
		"too many workers":        {f.authority, with(func(p *types.Params) { p.MaxWorkersPerNode = types.MaxWorkersPerNodeLimit + 1 }), types.ErrParams},
		"no retirements":          {f.authority, with(func(p *types.Params) { p.RetirementsPerBlock = 0 }), types.ErrParams},
		"too many retirements":    {f.authority, with(func(p *types.Params) { p.RetirementsPerBlock = types.RetirementsPerBlockLimit + 1 }), types.ErrParams},
		"deposit in another coin": {f.authority, with(func(p *types.Params) { p.WorkerDeposit.Denom = "uusd" }), types.ErrParams},
		"deposit without a coin":  {f.authority, with(func(p *types.Params) { p.WorkerDeposit = sdk.Coin{} }), types.ErrParams},
		"negative deposit":        {f.authority, with(func(p *types.Params) { p.WorkerDeposit.Amount = p.WorkerDeposit.Amount.Neg() }), types.ErrParams},
		"too long a wait":         {f.authority, with(func(p *types.Params) { p.EligibilityEpochs = types.EligibilityEpochsLimit + 1 }), types.ErrParams},
		"no wait":                 {f.authority, with(func(p *types.Params) { p.EligibilityEpochs = 0 }), nil},
		"valid":                   {f.authority, valid, nil},
		"no deposit":              {f.authority, with(func(p *types.Params) { p.WorkerDeposit.Amount = p.WorkerDeposit.Amount.SubRaw(5) }), nil},
		"the upper bounds": {f.authority, with(func(p *types.Params) {
			p.MaxWorkersPerNode, p.RetirementsPerBlock = types.MaxWorkersPerNodeLimit, types.RetirementsPerBlockLimit
			p.EligibilityEpochs = types.EligibilityEpochsLimit
		}), nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			before := f.state()
			_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: tt.authority, Params: tt.params})
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
				require.Equal(t, before, f.state())
				return
			}
			require.NoError(t, err)
			got, err := f.k.Params.Get(f.ctx)
			require.NoError(t, err)
			require.Equal(t, tt.params.String(), got.String())
		})
	}
}

// A change of the deposit must not change what is returned for workers that are registered.
func TestDepositIsWhatWasTaken(t *testing.T) {
	f := newFixture(t)
	operator := f.operator()
	id := f.register(operator)
	params := types.DefaultParams()
	params.WorkerDeposit.Amount = params.WorkerDeposit.Amount.SubRaw(types.DefaultWorkerDeposit)
	_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: f.authority, Params: params})
	require.NoError(t, err)
	free := f.register(operator)
	require.EqualValues(t, wealth-types.DefaultWorkerDeposit, f.balance(operator))
	f.remove(operator, id)
	f.remove(operator, free)
	f.open(4)
	f.endBlock()
	require.EqualValues(t, wealth, f.balance(operator))
}

// The proof is paid for before the key is looked at.
func TestRegisterWorkerPaysForTheProof(t *testing.T) {
	const peerProofGas = 6_000
	f := newFixture(t)
	msg := f.registration(f.operator())
	msg.PeerKey = make([]byte, ed25519.PublicKeySize) // a point of small order
	meter := storetypes.NewGasMeter(1_000_000)
	_, err := f.msgs.RegisterWorker(f.ctx.WithGasMeter(meter), msg)
	require.ErrorIs(t, err, types.ErrPeerKey)
	require.EqualValues(t, peerProofGas, meter.GasConsumed())
	require.Panics(t, func() {
		_, _ = f.msgs.RegisterWorker(f.ctx.WithGasMeter(storetypes.NewGasMeter(peerProofGas-1)), msg)
	})
}
