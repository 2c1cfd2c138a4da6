package types_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/dack/types"
)

// function is a service as its publication leaves it.
func function() types.Service {
	return types.Service{
		Id: 7, Owner: "a", Name: "f", Kind: types.SERVICE_KIND_FUNCTION, CodeHash: hashOf(1), Replicas: 3,
		Status: types.SERVICE_STATUS_ACTIVE, Deposit: math.NewInt(10),
	}
}

func hashOf(n byte) []byte { return bytes.Repeat([]byte{n}, types.CodeHashSize) }

func TestServiceAt(t *testing.T) {
	s := function()
	s.Next = &types.ServiceChange{Epoch: 6, Owner: "b", CodeHash: hashOf(2), Replicas: 4, Status: types.SERVICE_STATUS_PAUSED}
	before := function()
	after := before
	after.Owner, after.CodeHash, after.Replicas, after.Status = "b", hashOf(2), 4, types.SERVICE_STATUS_PAUSED
	for _, epoch := range []uint64{0, 1, 5} {
		require.Equal(t, before, s.At(epoch))
	}
	for _, epoch := range []uint64{6, 7, ^uint64(0)} {
		require.Equal(t, after, s.At(epoch))
	}
	require.Equal(t, after, s.Newest())
	require.NotNil(t, s.Next, "reading changes nothing")
	require.Equal(t, before, before.At(9))
}

func TestServiceAccepts(t *testing.T) {
	s := function()
	require.True(t, s.Accepts(0))
	require.True(t, s.Accepts(^uint64(0)))
	require.Zero(t, s.PrunedFrom())
	s.RemovedEpoch = 8
	require.True(t, s.Accepts(7))
	require.False(t, s.Accepts(8))
	require.False(t, s.Accepts(9))
	require.EqualValues(t, 9, s.PrunedFrom())
}

// TestScheduleAnyHistory: whatever is changed in whatever epochs, a service is in every epoch what the last change before it has
// made of it, and what is stored is valid.
func TestScheduleAnyHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := function()
		current := uint64(5)
		now, next := s, s // what it is in the current epoch, and from the next one on
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			if rapid.Bool().Draw(rt, "epoch opens") {
				current += rapid.Uint64Range(1, 3).Draw(rt, "epochs")
				now = next
			} else {
				owner := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "owner")
				hash := hashOf(rapid.ByteRange(1, 2).Draw(rt, "code"))
				status := rapid.SampledFrom([]types.ServiceStatus{types.SERVICE_STATUS_ACTIVE, types.SERVICE_STATUS_PAUSED}).Draw(rt, "status")
				transfer := rapid.Bool().Draw(rt, "transfer")
				s = s.Schedule(current, func(c *types.ServiceChange) {
					if transfer {
						c.Owner = owner
					} else {
						c.CodeHash, c.Status = hash, status
					}
				})
				if transfer {
					next.Owner = owner
				} else {
					next.CodeHash, next.Status = hash, status
				}
			}
			require.Equal(rt, now, s.At(current))
			require.Equal(rt, next, s.At(current+1))
			require.Equal(rt, next, s.Newest())
			require.NoError(rt, s.Validate())
			require.True(rt, s.Next == nil || s.Next.Epoch <= current+1)
		}
	})
}

// TestScheduleNothing: a change that is taken back in its epoch leaves nothing behind.
func TestScheduleNothing(t *testing.T) {
	s := function()
	changed := s.Schedule(5, func(c *types.ServiceChange) { c.Owner = "b" })
	require.Equal(t, &types.ServiceChange{Epoch: 6, Owner: "b", CodeHash: s.CodeHash, Replicas: 3, Status: s.Status}, changed.Next)
	require.Equal(t, s, changed.Schedule(5, func(c *types.ServiceChange) { c.Owner = "a" }))
}

func TestValidateServiceName(t *testing.T) {
	for _, name := range []string{"a", "edge functions v2", "граница", "端", "naïve", strings.Repeat("x", 64), strings.Repeat("端", 64), "a-b_c.d/e", "😀"} {
		require.NoError(t, types.ValidateServiceName(name), "%q", name)
	}
	for _, name := range []string{
		"", " ", " a", "a ", strings.Repeat("x", 65), strings.Repeat("端", 65), "a\nb", "a\tb", "\x00", "a\x7fb", "a\u0085b", "\xff", "a\xc3",
		"a\u00a0b", "a\u200bb", "a\u202eb", "a\u2066b", "\ufeffa", "a\u3000b", "a\ufffdb", "a\ue000b", "a\u00adb", "a\u2028b", "\U000e0041",
	} {
		require.ErrorIs(t, types.ValidateServiceName(name), types.ErrInvalidServiceName, "%q", name)
	}
}

func TestValidateFunction(t *testing.T) {
	for _, replicas := range []uint32{1, 1_000} {
		require.NoError(t, types.ValidateFunction(hashOf(1), replicas))
	}
	for _, hash := range [][]byte{nil, hashOf(0), hashOf(1)[:31], append(hashOf(1), 1)} {
		require.ErrorIs(t, types.ValidateFunction(hash, 1), types.ErrInvalidCodeHash)
	}
	for _, replicas := range []uint32{0, 1_001, ^uint32(0)} {
		require.ErrorIs(t, types.ValidateFunction(hashOf(1), replicas), types.ErrInvalidReplicas)
	}
}

func TestServiceValidate(t *testing.T) {
	require.NoError(t, types.ContentService().Validate())
	pending := func(s *types.Service, status types.ServiceStatus) {
		s.Next = &types.ServiceChange{Epoch: 6, Owner: "b", CodeHash: hashOf(2), Replicas: 1, Status: status}
	}
	remove := func(s *types.Service) {
		pending(s, types.SERVICE_STATUS_REMOVED)
		s.RemovedEpoch = 6
	}
	for name, change := range map[string]func(s *types.Service){
		"published":      func(*types.Service) {},
		"paused":         func(s *types.Service) { s.Status = types.SERVICE_STATUS_PAUSED },
		"to be paused":   func(s *types.Service) { pending(s, types.SERVICE_STATUS_PAUSED) },
		"being removed":  remove,
		"removed paused": func(s *types.Service) { remove(s); s.Status = types.SERVICE_STATUS_PAUSED },
		"dearest":        func(s *types.Service) { s.Deposit = types.MaxServiceDeposit },
	} {
		t.Run(name, func(t *testing.T) {
			s := function()
			change(&s)
			require.NoError(t, s.Validate())
		})
	}
	for name, change := range map[string]func(s *types.Service){
		"no kind":                     func(s *types.Service) { s.Kind = 0 },
		"another content service":     func(s *types.Service) { s.Kind = types.SERVICE_KIND_CONTENT },
		"bad name":                    func(s *types.Service) { s.Name = "" },
		"bad code":                    func(s *types.Service) { s.CodeHash = nil },
		"no replicas":                 func(s *types.Service) { s.Replicas = 0 },
		"no owner":                    func(s *types.Service) { s.Owner = "" },
		"no status":                   func(s *types.Service) { s.Status = 0 },
		"status from the future":      func(s *types.Service) { s.Status = 9 },
		"removed without epoch":       func(s *types.Service) { s.Status = types.SERVICE_STATUS_REMOVED },
		"to be removed without epoch": func(s *types.Service) { pending(s, types.SERVICE_STATUS_REMOVED) },
		"removed before the change":   func(s *types.Service) { remove(s); s.RemovedEpoch = 5 },
		"removed and active":          func(s *types.Service) { remove(s); s.Next.Status = types.SERVICE_STATUS_ACTIVE },
		"removed twice":               func(s *types.Service) { remove(s); s.Status = types.SERVICE_STATUS_REMOVED },
		"removed without deposit":     func(s *types.Service) { remove(s); s.Deposit = math.ZeroInt() },
		"next: epoch 0":               func(s *types.Service) { pending(s, types.SERVICE_STATUS_PAUSED); s.Next.Epoch = 0 },
		"next: no owner":              func(s *types.Service) { pending(s, types.SERVICE_STATUS_PAUSED); s.Next.Owner = "" },
		"next: bad code":              func(s *types.Service) { pending(s, types.SERVICE_STATUS_PAUSED); s.Next.CodeHash = hashOf(0) },
		"next: too many replicas":     func(s *types.Service) { pending(s, types.SERVICE_STATUS_PAUSED); s.Next.Replicas = 1_001 },
		"no deposit":                  func(s *types.Service) { s.Deposit = math.ZeroInt() },
		"deposit is missing":          func(s *types.Service) { s.Deposit = math.Int{} },
		"negative deposit":            func(s *types.Service) { s.Deposit = math.NewInt(-1) },
		"deposit too high":            func(s *types.Service) { s.Deposit = types.MaxServiceDeposit.AddRaw(1) },
	} {
		t.Run(name, func(t *testing.T) {
			s := function()
			change(&s)
			require.ErrorIs(t, s.Validate(), types.ErrInvalidGenesis)
		})
	}
	for name, change := range map[string]func(s *types.Service){
		"content: owned":    func(s *types.Service) { s.Owner = "a" },
		"content: paused":   func(s *types.Service) { s.Status = types.SERVICE_STATUS_PAUSED },
		"content: function": func(s *types.Service) { s.Kind = types.SERVICE_KIND_FUNCTION },
		"content: code":     func(s *types.Service) { s.CodeHash = hashOf(1) },
		"content: deposit":  func(s *types.Service) { s.Deposit = math.OneInt() },
		"content: removed":  func(s *types.Service) { s.RemovedEpoch = 1 },
		"content: changes":  func(s *types.Service) { s.Next = &types.ServiceChange{Epoch: 1} },
	} {
		t.Run(name, func(t *testing.T) {
			s := types.ContentService()
			change(&s)
			require.ErrorIs(t, s.Validate(), types.ErrInvalidGenesis)
		})
	}
}

// TestServiceDepositBounds: a record that all nodes keep is never free, and never dearer than a typing error can be.
func TestServiceDepositBounds(t *testing.T) {
	for _, c := range []struct {
		deposit math.Int
		ok      bool
	}{
		{math.Int{}, false},
		{math.NewInt(-1), false},
		{math.ZeroInt(), false},
		{math.OneInt(), true},
		{types.MaxServiceDeposit, true},
		{types.MaxServiceDeposit.AddRaw(1), false},
	} {
		p := types.DefaultParams()
		require.EqualValues(t, 10_000_000, p.ServiceDeposit.Int64())
		p.ServiceDeposit = c.deposit
		if c.ok {
			require.NoError(t, p.Validate())
		} else {
			require.ErrorIs(t, p.Validate(), types.ErrInvalidParams)
		}
	}
}

// TestServiceMessagesValidateBasic: what can be refused without the state is. The handlers refuse it too.
func TestServiceMessagesValidateBasic(t *testing.T) {
	update := func() *types.MsgUpdateService {
		return &types.MsgUpdateService{ServiceId: 1, Name: "f", CodeHash: hashOf(1), Replicas: 1, Status: types.SERVICE_STATUS_PAUSED}
	}
	require.NoError(t, update().ValidateBasic())
	for _, c := range []struct {
		change func(m *types.MsgUpdateService)
		want   error
	}{
		{func(m *types.MsgUpdateService) { m.ServiceId = 0 }, types.ErrProtocolService},
		{func(m *types.MsgUpdateService) { m.Name = "\n" }, types.ErrInvalidServiceName},
		{func(m *types.MsgUpdateService) { m.CodeHash = nil }, types.ErrInvalidCodeHash},
		{func(m *types.MsgUpdateService) { m.Replicas = 0 }, types.ErrInvalidReplicas},
		{func(m *types.MsgUpdateService) { m.Status = 0 }, types.ErrInvalidServiceStatus},
		{func(m *types.MsgUpdateService) { m.Status = types.SERVICE_STATUS_REMOVED }, types.ErrInvalidServiceStatus},
		{func(m *types.MsgUpdateService) { m.Status = 4 }, types.ErrInvalidServiceStatus},
	} {
		m := update()
		c.change(m)
		require.ErrorIs(t, m.ValidateBasic(), c.want)
	}
	require.NoError(t, (&types.MsgPublishService{Name: "f", CodeHash: hashOf(1), Replicas: 1}).ValidateBasic())
	require.ErrorIs(t, (&types.MsgPublishService{}).ValidateBasic(), types.ErrInvalidServiceName)
	require.NoError(t, (&types.MsgTransferService{ServiceId: 1}).ValidateBasic())
	require.ErrorIs(t, (&types.MsgTransferService{}).ValidateBasic(), types.ErrProtocolService)
	require.NoError(t, (&types.MsgRemoveService{ServiceId: 1}).ValidateBasic())
	require.ErrorIs(t, (&types.MsgRemoveService{}).ValidateBasic(), types.ErrProtocolService)
}
