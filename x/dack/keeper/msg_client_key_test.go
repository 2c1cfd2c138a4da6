package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/dack/types"
)

func updateKeyMsg(owner string, key uint64, limit int64, last uint64) *types.MsgUpdateClientKey {
	return &types.MsgUpdateClientKey{Owner: owner, KeyId: key, SpendLimit: math.NewInt(limit), LastEpoch: last}
}

func TestUpdateAndRevokeAreRefused(t *testing.T) {
	f := newFixture(t)
	key := f.client("client", 1, 1_000)
	other := f.client("other", 2, 1_000)
	now := f.epoch.current
	update := func(owner string, id uint64, limit int64, last uint64) func() error {
		return func() error {
			_, err := f.msg.UpdateClientKey(f.ctx, updateKeyMsg(owner, id, limit, last))
			return err
		}
	}
	revoke := func(owner string, id uint64) func() error {
		return func() error {
			_, err := f.msg.RevokeClientKey(f.ctx, &types.MsgRevokeClientKey{Owner: owner, KeyId: id})
			return err
		}
	}
	for name, c := range map[string]struct {
		deliver func() error
		want    error
	}{
		"update: another account's key": {update(f.address("client"), other.id, 10, now), types.ErrKeyNotFound},
		"update: no account":            {update(f.address("stranger"), key.id, 10, now), types.ErrAccountNotFound},
		"update: no such key":           {update(f.address("client"), 99, 10, now), types.ErrKeyNotFound},
		"update: limit 0":               {update(f.address("client"), key.id, 0, now), types.ErrInvalidSpendLimit},
		"update: limit below 0":         {update(f.address("client"), key.id, -1, now), types.ErrInvalidSpendLimit},
		"update: last epoch is over":    {update(f.address("client"), key.id, 10, now-1), types.ErrInvalidLastEpoch},
		"update: last epoch too far":    {update(f.address("client"), key.id, 10, now+types.MaxKeyEpochs+1), types.ErrInvalidLastEpoch},
		"revoke: another account's key": {revoke(f.address("client"), other.id), types.ErrKeyNotFound},
		"revoke: no account":            {revoke(f.address("stranger"), key.id), types.ErrAccountNotFound},
		"revoke: no such key":           {revoke(f.address("client"), 99), types.ErrKeyNotFound},
	} {
		t.Run(name, func(t *testing.T) { f.requireRefused(c.want, c.deliver) })
	}
	t.Run("a limit that is missing", func(t *testing.T) {
		f.requireRefused(types.ErrInvalidSpendLimit, func() error {
			_, err := f.msg.UpdateClientKey(f.ctx, &types.MsgUpdateClientKey{Owner: f.address("client"), KeyId: key.id, LastEpoch: now})
			return err
		})
	})
	t.Run("an owner that is no address", func(t *testing.T) {
		_, err := f.msg.RevokeClientKey(f.ctx, &types.MsgRevokeClientKey{Owner: "client", KeyId: key.id})
		require.ErrorContains(t, err, "owner")
	})
	t.Run("bounds that are allowed", func(t *testing.T) {
		require.NoError(t, update(f.address("client"), key.id, 1, now)())
		require.NoError(t, update(f.address("client"), key.id, 1, now+types.MaxKeyEpochs)())
		f.check()
	})
	t.Run("an ended key", func(t *testing.T) {
		require.NoError(t, revoke(f.address("client"), key.id)())
		f.epoch.current++
		f.requireRefused(types.ErrKeyEnded, update(f.address("client"), key.id, 10, now+5))
		f.requireRefused(types.ErrKeyEnded, revoke(f.address("client"), key.id))
	})
}

// A limit counts from the next epoch on: acknowledgements of the epoch of the change and of the one before have theirs.
func TestLimitCountsFromTheNextEpoch(t *testing.T) {
	f := newFixture(t)
	key := f.addKey("client", f.deposit("client", 10_000), 1, 100)
	e := f.epoch.current
	_, err := f.msg.UpdateClientKey(f.ctx, updateKeyMsg(f.address("client"), key.id, 30, lastOfKey))
	require.NoError(t, err)
	require.Equal(t, "100", f.settle(e, key.ack(e, 0, 500))[0].TotalPaid.String(), "the limit of the epoch itself has not changed")

	f.epoch.current++
	_, err = f.msg.UpdateClientKey(f.ctx, updateKeyMsg(f.address("client"), key.id, 70, lastOfKey))
	require.NoError(t, err)
	require.Equal(t, "0", f.settle(e, key.ack(e, 0, 501))[0].Paid.String(), "the epoch before has used its limit up")
	require.Equal(t, "30", f.settle(e+1, key.ack(e+1, 0, 500))[0].TotalPaid.String())

	f.epoch.current++
	require.Equal(t, "0", f.settle(e+1, key.ack(e+1, 1, 500))[0].Paid.String())
	require.Equal(t, "70", f.settle(e+2, key.ack(e+2, 0, 500))[0].TotalPaid.String())
	query, err := f.query.ClientKey(f.ctx, &types.QueryClientKeyRequest{Id: key.id})
	require.NoError(t, err)
	require.Equal(t, "0", query.Left.String())
	exportedAgain(t, f)
}

// A revoked key settles what it signed up to the epoch of the revocation, in both live epochs, and nothing later.
func TestRevokedKey(t *testing.T) {
	f := newFixture(t)
	key := f.client("client", 1, 10_000)
	e := f.epoch.current
	res, err := f.msg.RevokeClientKey(f.ctx, &types.MsgRevokeClientKey{Owner: f.address("client"), KeyId: key.id})
	require.NoError(t, err)
	require.Equal(t, e, res.LastEpoch)
	require.Equal(t, types.ACK_STATUS_PAID, f.settle(e, key.ack(e, 0, 10))[0].Status)
	f.epoch.current++
	require.Equal(t, types.ACK_STATUS_PAID, f.settle(e, key.ack(e, 0, 20))[0].Status, "late, but signed in time")
	require.Equal(t, types.ACK_STATUS_KEY_EXPIRED, f.settle(e+1, key.ack(e+1, 0, 10))[0].Status)
	exportedAgain(t, f)
}

// An update within the epoch of a revocation takes it back: the key has not ended yet.
func TestRevocationCanBeTakenBackInItsEpoch(t *testing.T) {
	f := newFixture(t)
	key := f.client("client", 1, 10_000)
	e := f.epoch.current
	_, err := f.msg.RevokeClientKey(f.ctx, &types.MsgRevokeClientKey{Owner: f.address("client"), KeyId: key.id})
	require.NoError(t, err)
	_, err = f.msg.UpdateClientKey(f.ctx, updateKeyMsg(f.address("client"), key.id, limitOfKey, e+1))
	require.NoError(t, err)
	f.epoch.current++
	require.Equal(t, types.ACK_STATUS_PAID, f.settle(e+1, key.ack(e+1, 0, 10))[0].Status)
}

// exportedAgain exports the state, imports it and exports it again.
func exportedAgain(t *testing.T, f *fixture) {
	t.Helper()
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, exported.Validate())
	require.NoError(t, f.keeper.InitGenesis(f.reopen(), exported))
	again, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Equal(t, exported.String(), again.String())
	f.check()
}

// Whatever changes in whatever epochs, a live epoch has the limit that was in force when it opened, and at most two earlier
// limits are kept.
func TestLimitsOfAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := types.ClientKey{SpendLimit: math.NewInt(1)}
		var inForce []int64 // by epoch
		current, next := uint64(0), int64(1)
		inForce = append(inForce, 1)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "epoch opens") {
				current++
				inForce = append(inForce, next)
			} else {
				next = rapid.Int64Range(1, 1_000).Draw(t, "limit")
				oldest := uint64(0)
				if current > 0 {
					oldest = current - 1
				}
				key.ChangeLimit(math.NewInt(next), current+1, oldest)
			}
			require.LessOrEqual(t, len(key.EarlierLimits), 2)
			for e := max(current, 1) - 1; e <= current; e++ {
				require.Equal(t, inForce[e], key.LimitIn(e).Int64(), "epoch %d of %d", e, current)
			}
			require.Equal(t, next, key.LimitIn(current+1).Int64())
		}
	})
}
