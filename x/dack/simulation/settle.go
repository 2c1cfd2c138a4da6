package simulation

import (
	"cmp"
	"context"
	"slices"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/dack/keeper"
	"github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

const (
	// minWorkerBits and maxWorkerBits bound the length of the ids among which a worker that may settle is looked for: ids are never
	// used again, so those of a long run are large, and those of a short one must be met, too.
	minWorkerBits, maxWorkerBits = 4, 11
	// maxSimAcks bounds the acknowledgements of a settlement.
	maxSimAcks = 12
)

// MsgSettleFactory settles acknowledgements of random clients for a random worker: new ones, old ones, some of the epoch before,
// some that no client has signed.
func MsgSettleFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgSettle] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgSettle) {
		_, current, err := k.SettleRules(ctx)
		if err != nil {
			reporter.Skip(err.Error())
			return nil, nil
		}
		r := data.Rand()
		epoch := current
		if r.Intn(3) == 0 {
			epoch = epochtypes.OldestLive(current)
		}
		msg := &types.MsgSettle{Epoch: epoch}
		var sender simsx.SimAccount
		found := false
		for range maxTries {
			worker, err := k.Worker(ctx, 1+uint64(r.Intn(1<<(minWorkerBits+r.Intn(maxWorkerBits-minWorkerBits+1)))))
			if err != nil || !worker.MaySettle(epoch) {
				continue
			}
			msg.WorkerId, msg.Account = worker.Id, worker.Account
			account, err := sdk.AccAddressFromBech32(worker.Account)
			if err != nil {
				continue
			}
			if sender = data.GetAccountbyAccAddr(reporter, account); reporter.IsSkipped() {
				return nil, nil
			}
			found = true
			break
		}
		if !found {
			reporter.Skip("no worker may settle")
			return nil, nil
		}
		services, err := keeper.NewQueryServerImpl(k).Services(ctx, &types.QueryServicesRequest{})
		if err != nil {
			reporter.Skip(err.Error())
			return nil, nil
		}
		chain := ack.HashChainID(sdk.UnwrapSDKContext(ctx).ChainID())
		for range 1 + r.Intn(maxSimAcks) {
			owner, key, ok := anyKey(ctx, k, data, reporter)
			if !ok {
				return nil, nil
			}
			private := privateKey(owner.AddressBech32, key.PublicKey)
			if private == nil {
				continue
			}
			a := ack.Ack{
				Epoch: epoch, KeyID: key.Id, WorkerID: msg.WorkerId, Lane: uint8(r.Intn(ack.MaxLanes)),
				Requests: uint64(r.Intn(1_000)), Bytes: uint64(r.Int63n(1 << 34)),
			}
			if r.Intn(2) == 0 {
				a.ServiceID = simsx.OneOf(r, services.Services).Id
				if r.Intn(20) == 0 {
					a.ServiceID++ // of another, or of none
				}
				a.Fuel = uint64(r.Int63n(1 << 34))
			}
			signed := ack.Sign(private, chain, &a)
			if r.Intn(20) == 0 {
				signed.Signature[0] ^= 1
			}
			msg.Acks = append(msg.Acks, types.NewAcknowledgement(&signed))
		}
		slices.SortFunc(msg.Acks, compareLanes)
		msg.Acks = slices.CompactFunc(msg.Acks, func(a, b types.Acknowledgement) bool { return compareLanes(a, b) == 0 })
		var settled types.SettledServices
		msg.Acks = slices.DeleteFunc(msg.Acks, func(a types.Acknowledgement) bool { return !settled.Add(a.ServiceId) })
		if len(msg.Acks) == 0 {
			reporter.Skip("no acknowledgements")
			return nil, nil
		}
		return []simsx.SimAccount{sender}, msg
	}
}

func compareLanes(a, b types.Acknowledgement) int {
	return cmp.Or(cmp.Compare(a.KeyId, b.KeyId), cmp.Compare(a.ServiceId, b.ServiceId), cmp.Compare(a.Lane, b.Lane))
}

// MsgUpdateParamsFactory creates a governance proposal with random parameters.
func MsgUpdateParamsFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgUpdateParams] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgUpdateParams) {
		params, err := k.Params(ctx)
		if err != nil {
			reporter.Skip(err.Error())
			return nil, nil
		}
		return nil, &types.MsgUpdateParams{
			Authority: data.ModuleAccountAddress(reporter, "gov"), Params: randomParams(data.Rand().Rand, params),
		}
	}
}
