package types_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/beacon"
	"github.com/edgechain/edge/x/epoch/types"
)

// seed returns 32 equal bytes.
func seed(b byte) []byte { return bytes.Repeat([]byte{b}, types.SeedSize) }

// operator returns an operator's address; their order is that of the letters.
func operator(letter byte) string { return sdk.ValAddress(bytes.Repeat([]byte{letter}, 20)).String() }

// closingGenesis has epoch 1 done, epoch 2 being closed with an item set aside, and epoch 3 open, whose committee has been handed
// two quarters of the seats.
func closingGenesis() types.GenesisState {
	at := func(h int) time.Time { return time.Date(2026, 1, 1, h, 0, 0, 0, time.UTC) }
	end := func(h int) *time.Time { t := at(h); return &t }
	g := types.GenesisState{
		Params: types.DefaultParams(),
		Epochs: []types.Epoch{
			{
				Number: 1, Phase: types.PHASE_DONE, StartTime: at(0), StartHeight: 1, Duration: time.Hour, EndTime: end(1), EndHeight: 10, DoneHeight: 12,
				Seed: seed(1), FreezeHeight: 5, ClosingHeight: 9,
			},
			{
				Number: 2, Phase: types.PHASE_CLOSING, Stage: "pay", StartTime: at(1), StartHeight: 11, Duration: time.Hour, EndTime: end(2), EndHeight: 20, SetAside: 1,
				Seed: seed(2), FreezeHeight: 15, ClosingHeight: 20,
			},
			{Number: 3, Phase: types.PHASE_OPEN, StartTime: at(2), StartHeight: 21, Duration: time.Hour, Seed: seed(3)},
		},
		Closing:    types.ClosingState{Epoch: 2, StageIndex: 1},
		SetAside:   []types.SetAsideItem{{Epoch: 2, Stage: "pay", Key: []byte{1}, Cause: "boom", Height: 21, Tries: 1}},
		BeaconKeys: []types.BeaconKey{{Operator: operator('a'), PubKey: beaconKey(1), Height: 2}},
		HandOver:   &types.HandOver{Epoch: 3, Steps: 2, NextHeight: 30, StepBlocks: 5},
		Leavings:   []types.Leaving{{Epoch: 3, Operator: operator('b'), Reason: types.LEAVE_REASON_MISSED_REVEAL, Height: 17}},
		ValidatorSets: []types.ValidatorSet{
			{Height: 1, SentTime: at(0), Members: []types.Member{member('a', 4, 0), member('b', 4, 0)}},
			{Height: 22, SentHeight: 20, SentTime: at(2), Members: []types.Member{member('a', 4, 15), member('b', 2, 5)}},
		},
		HeaderHashes: []types.HeaderHash{{Height: 20, Hash: seed(7)}, {Height: 21, Hash: seed(8)}},
	}
	for i, freeze := range []int64{0, 5, 15} {
		e := types.Election{Epoch: uint64(i) + 1, FreezeHeight: freeze, ClosingHeight: []int64{0, 9, 20}[i]}
		var rows []types.FrozenValidator
		for j, letter := range []byte("ab") {
			v := types.FrozenValidator{
				Operator: operator(letter), Tokens: math.NewInt(100), BeaconKey: beaconKey(byte(j)), Ineligibility: types.INELIGIBILITY_NONE,
			}
			rows = append(rows, v)
			g.Frozen = append(g.Frozen, types.FrozenRow{Epoch: e.Epoch, Validator: v})
			run := types.SeatRun{Operator: v.Operator, Seats: 4, Tokens: v.Tokens, FreezeHeight: freeze}
			e.Elected, e.Spares = append(e.Elected, run), append(e.Spares, run)
		}
		params := types.DevelopmentParams()
		params.Seats = 8
		if i == 0 {
			e = e.RecordGenesis(rows, params)
		} else {
			e = e.Record(rows, params)
			e.Start = seed(9)
		}
		e.Seed = g.Epochs[i].Seed
		g.Elections = append(g.Elections, e)
	}
	return g
}

// frozenGenesis has epoch 1 frozen, with one reveal that counts and one that is pending.
func frozenGenesis() types.GenesisState {
	g := closingGenesis()
	g.Epochs, g.Elections, g.Frozen, g.ValidatorSets = g.Epochs[:1], g.Elections[:2], g.Frozen[:4], g.ValidatorSets[:1]
	g.Closing, g.SetAside, g.HandOver = types.ClosingState{}, nil, &types.HandOver{Epoch: 1, Steps: 4, StepBlocks: 5}
	e := &g.Epochs[0]
	e.Phase, e.EndTime, e.EndHeight, e.DoneHeight = types.PHASE_FROZEN, nil, 0, 0
	next := &g.Elections[1]
	next.Seed, next.Elected, next.Spares = nil, nil, nil
	g.Leavings[0].Epoch = 2
	g.Beacon = &types.Beacon{Epoch: 2, FreezeHeight: 5, ClosingHeight: 9, Start: seed(9), Mix: seed(10), Reveals: 1}
	g.Beacon.Pending = &types.PendingReveal{
		Height: 7, Proposer: bytes.Repeat([]byte{1}, crypto.AddressSize), Reveal: bytes.Repeat([]byte{2}, beacon.SignatureSize),
	}
	return g
}

// beaconKey returns a beacon key.
func beaconKey(b byte) []byte {
	key, err := beacon.GenerateKey(bytes.NewReader(seed(b)))
	if err != nil {
		panic(err)
	}
	return key.PubKey()
}

// member returns a member with a key of its own.
func member(letter byte, power, freezeHeight int64) types.Member {
	key := cmtcrypto.PublicKey{Sum: &cmtcrypto.PublicKey_Ed25519{Ed25519: bytes.Repeat([]byte{letter}, 32)}}
	return types.Member{Operator: operator(letter), PubKey: key, Power: power, Tokens: math.NewInt(100), FreezeHeight: freezeHeight}
}

func TestGenesisValidate(t *testing.T) {
	require.NoError(t, types.DefaultGenesis().Validate())
	require.NoError(t, closingGenesis().Validate())
	require.NoError(t, frozenGenesis().Validate())

	for name, spoil := range map[string]func(*types.GenesisState){
		"closing without epochs":   func(g *types.GenesisState) { g.Epochs = nil },
		"epoch 0":                  func(g *types.GenesisState) { g.Epochs[0].Number = 0 },
		"a gap":                    func(g *types.GenesisState) { g.Epochs[2].Number = 4 },
		"no open epoch":            func(g *types.GenesisState) { g.Epochs = g.Epochs[:2] },
		"two open epochs":          func(g *types.GenesisState) { g.Epochs[0].Phase = types.PHASE_OPEN },
		"closing of another epoch": func(g *types.GenesisState) { g.Closing.Epoch = 1 },
		"closing of the open one":  func(g *types.GenesisState) { g.Closing.Epoch = 3 },
		"stage without closing":    func(g *types.GenesisState) { g.Closing.Epoch = 0 },
		"stage out of range":       func(g *types.GenesisState) { g.Closing.StageIndex = types.MaxStages },
		"closing without a stage":  func(g *types.GenesisState) { g.Epochs[1].Stage = "" },
		"done with a stage":        func(g *types.GenesisState) { g.Epochs[0].Stage = "pay" },
		"no duration":              func(g *types.GenesisState) { g.Epochs[2].Duration = 0 },
		"no start time":            func(g *types.GenesisState) { g.Epochs[2].StartTime = time.Time{} },
		"no start height":          func(g *types.GenesisState) { g.Epochs[2].StartHeight = 0 },
		"open with an end":         func(g *types.GenesisState) { g.Epochs[2].EndHeight = 30 },
		"closed without an end":    func(g *types.GenesisState) { g.Epochs[1].EndTime = nil },
		"ends before its start":    func(g *types.GenesisState) { g.Epochs[0].EndHeight = 0 },
		"done before its end":      func(g *types.GenesisState) { g.Epochs[0].DoneHeight = 9 },
		"closing and done":         func(g *types.GenesisState) { g.Epochs[1].DoneHeight = 22 },
		"item of an open epoch":    func(g *types.GenesisState) { g.SetAside[0].Epoch = 3 },
		"item of no epoch":         func(g *types.GenesisState) { g.SetAside[0].Epoch = 9 },
		"item without a stage":     func(g *types.GenesisState) { g.SetAside[0].Stage = "" },
		"item with a long key":     func(g *types.GenesisState) { g.SetAside[0].Key = make([]byte, types.MaxItemKey+1) },
		"item with a long cause":   func(g *types.GenesisState) { g.SetAside[0].Cause = string(make([]byte, types.MaxCause+1)) },
		"item never tried":         func(g *types.GenesisState) { g.SetAside[0].Tries = 0 },
		"item not counted":         func(g *types.GenesisState) { g.Epochs[1].SetAside = 0 },
		"no seed":                  func(g *types.GenesisState) { g.Epochs[0].Seed = nil },
		"a long seed":              func(g *types.GenesisState) { g.Epochs[2].Seed = append(g.Epochs[2].Seed, 0) },
		"open with a freeze":       func(g *types.GenesisState) { g.Epochs[2].FreezeHeight, g.Epochs[2].ClosingHeight = 25, 30 },
		"closed without a freeze":  func(g *types.GenesisState) { g.Epochs[0].FreezeHeight, g.Epochs[0].ClosingHeight = 0, 0 },
		"ends before its closing":  func(g *types.GenesisState) { g.Epochs[1].ClosingHeight, g.Elections[2].ClosingHeight = 21, 21 },
		"frozen without a beacon":  func(g *types.GenesisState) { g.Epochs[2].Phase = types.PHASE_FROZEN },
		"item twice": func(g *types.GenesisState) {
			g.SetAside = append(g.SetAside, g.SetAside[0])
			g.Epochs[1].SetAside = 2
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := closingGenesis()
			spoil(&g)
			require.ErrorIs(t, g.Validate(), types.ErrInvalidGenesis)
		})
	}

	for name, spoil := range map[string]func(*types.GenesisState){
		"a state without epochs":  func(g *types.GenesisState) { *g = types.GenesisState{Params: g.Params, Elections: g.Elections} },
		"a set without epochs":    func(g *types.GenesisState) { *g = types.GenesisState{Params: g.Params, ValidatorSets: g.ValidatorSets} },
		"frozen while closing":    func(g *types.GenesisState) { g.Beacon = frozenGenesis().Beacon },
		"beacon key twice":        func(g *types.GenesisState) { g.BeaconKeys = append(g.BeaconKeys, g.BeaconKeys[0]) },
		"no beacon key":           func(g *types.GenesisState) { g.BeaconKeys[0].PubKey = seed(1) },
		"beacon key of nobody":    func(g *types.GenesisState) { g.BeaconKeys[0].Operator = "" },
		"operator in upper case":  func(g *types.GenesisState) { g.BeaconKeys[0].Operator = strings.ToUpper(g.BeaconKeys[0].Operator) },
		"an account":              func(g *types.GenesisState) { g.BeaconKeys[0].Operator = sdk.AccAddress(seed(1)).String() },
		"no elections":            func(g *types.GenesisState) { g.Elections, g.Frozen, g.Leavings = nil, nil, nil },
		"newest election missing": func(g *types.GenesisState) { g.Elections, g.Frozen = g.Elections[:2], g.Frozen[:4] },
		"an election missing":     func(g *types.GenesisState) { g.Elections = slices.Delete(g.Elections, 1, 2) },
		"a row missing":           func(g *types.GenesisState) { g.Frozen = g.Frozen[1:] },
		"rows out of order":       func(g *types.GenesisState) { g.Frozen[0], g.Frozen[1] = g.Frozen[1], g.Frozen[0] },
		"rows of no election": func(g *types.GenesisState) {
			g.Elections = g.Elections[1:]
			g.HandOver.Steps, g.HandOver.NextHeight = 4, 0
		},
		"a row twice":             func(g *types.GenesisState) { g.Frozen[1] = g.Frozen[0] },
		"a row without stake":     func(g *types.GenesisState) { g.Frozen[0].Validator.Tokens = math.ZeroInt() },
		"a row without a reason":  func(g *types.GenesisState) { g.Frozen[0].Validator.Ineligibility = 0 },
		"a row for a query":       func(g *types.GenesisState) { g.Frozen[0].Validator.Ineligibility = types.INELIGIBILITY_NOT_BONDED },
		"a candidate with no key": func(g *types.GenesisState) { g.Frozen[0].Validator.BeaconKey = nil },
		"a row with a short key":  func(g *types.GenesisState) { g.Frozen[0].Validator.BeaconKey = seed(1) },
		"another stake":           func(g *types.GenesisState) { g.Frozen[0].Validator.Tokens = math.NewInt(7) },
		"stakes missing":          func(g *types.GenesisState) { g.Elections[1].HealthyTokens = math.Int{} },
		"other candidates":        func(g *types.GenesisState) { g.Elections[1].Candidates = 1 },
		"no seats":                func(g *types.GenesisState) { g.Elections[1].Seats = 0 },
		"other seats":             func(g *types.GenesisState) { g.Elections[1].Seats = 9 },
		"no fallback":             func(g *types.GenesisState) { g.Elections[1].DrawFallback = 0 },
		"another fallback":        func(g *types.GenesisState) { g.Elections[1].Fallback = types.FALLBACK_HEALTH },
		"genesis twice":           func(g *types.GenesisState) { g.Elections[1].DrawFallback, g.Elections[1].Fallback = 5, 5 },
		"no start":                func(g *types.GenesisState) { g.Elections[1].Start = nil },
		"another freeze":          func(g *types.GenesisState) { g.Elections[1].FreezeHeight = 4 },
		"a freeze of the genesis": func(g *types.GenesisState) { g.Elections[0].ClosingHeight = 1 },
		"another seed":            func(g *types.GenesisState) { g.Elections[1].Seed = seed(1) },
		"not drawn":               func(g *types.GenesisState) { g.Elections[2].Seed = nil },
		"nobody elected":          func(g *types.GenesisState) { g.Elections[1].Elected = nil },
		"elected twice":           func(g *types.GenesisState) { g.Elections[1].Elected[1] = g.Elections[1].Elected[0] },
		"elected with no seats":   func(g *types.GenesisState) { g.Elections[1].Elected[0].Seats = 0 },
		"spares with no stake":    func(g *types.GenesisState) { g.Elections[1].Spares[0].Tokens = math.ZeroInt() },
		"spares of later":         func(g *types.GenesisState) { g.Elections[1].Spares[0].FreezeHeight = 6 },
		"leaving of no election":  func(g *types.GenesisState) { g.Leavings[0].Epoch = 4 },
		"leaving twice":           func(g *types.GenesisState) { g.Leavings = append(g.Leavings, g.Leavings[0]) },
		"leaving for no reason":   func(g *types.GenesisState) { g.Leavings[0].Reason = 0 },
		"leaving before":          func(g *types.GenesisState) { g.Leavings[0].Height = -1 },
		"leaving of nobody":       func(g *types.GenesisState) { g.Leavings[0].Operator = "x" },
		"no hand-over":            func(g *types.GenesisState) { g.HandOver = nil },
		"hand-over to another":    func(g *types.GenesisState) { g.HandOver.Epoch = 2 },
		"hand-over of no step":    func(g *types.GenesisState) { g.HandOver.Steps = 0 },
		"hand-over of five":       func(g *types.GenesisState) { g.HandOver.Steps, g.HandOver.NextHeight = 5, 0 },
		"hand-over with no next":  func(g *types.GenesisState) { g.HandOver.NextHeight = 0 },
		"hand-over without steps": func(g *types.GenesisState) { g.HandOver.StepBlocks = 0 },
		"hand-over from nobody":   func(g *types.GenesisState) { g.Elections, g.Frozen = g.Elections[2:], g.Frozen[4:] },
		"no sets":                 func(g *types.GenesisState) { g.ValidatorSets = nil },
		"sets out of order":       func(g *types.GenesisState) { slices.Reverse(g.ValidatorSets) },
		"set at no height":        func(g *types.GenesisState) { g.ValidatorSets[0].Height = 0 },
		"set sent late":           func(g *types.GenesisState) { g.ValidatorSets[1].SentHeight = 22 },
		"set without a time":      func(g *types.GenesisState) { g.ValidatorSets[1].SentTime = time.Time{} },
		"empty set":               func(g *types.GenesisState) { g.ValidatorSets[1].Members = nil },
		"member with no power":    func(g *types.GenesisState) { g.ValidatorSets[1].Members[0].Power = 0 },
		"member with all power":   func(g *types.GenesisState) { g.ValidatorSets[1].Members[0].Power = types.MaxSeats + 1 },
		"member with no stake":    func(g *types.GenesisState) { g.ValidatorSets[1].Members[0].Tokens = math.Int{} },
		"member with no key":      func(g *types.GenesisState) { g.ValidatorSets[1].Members[0].PubKey = cmtcrypto.PublicKey{} },
		"member of later":         func(g *types.GenesisState) { g.ValidatorSets[1].Members[0].FreezeHeight = 21 },
		"members out of order":    func(g *types.GenesisState) { slices.Reverse(g.ValidatorSets[1].Members) },
		"members with one key":    func(g *types.GenesisState) { g.ValidatorSets[1].Members[0].PubKey = member('b', 1, 1).PubKey },
		"member is nobody":        func(g *types.GenesisState) { g.ValidatorSets[1].Members[0].Operator = "" },
		"hashes out of order":     func(g *types.GenesisState) { slices.Reverse(g.HeaderHashes) },
		"a short hash":            func(g *types.GenesisState) { g.HeaderHashes[0].Hash = []byte{1} },
	} {
		t.Run(name, func(t *testing.T) {
			g := closingGenesis()
			spoil(&g)
			require.ErrorIs(t, g.Validate(), types.ErrInvalidGenesis)
		})
	}
	for name, spoil := range map[string]func(*types.GenesisState){
		"no beacon":             func(g *types.GenesisState) { g.Beacon = nil },
		"beacon of another":     func(g *types.GenesisState) { g.Beacon.Epoch = 1 },
		"another freeze":        func(g *types.GenesisState) { g.Beacon.FreezeHeight = 4 },
		"another closing":       func(g *types.GenesisState) { g.Beacon.ClosingHeight = 10 },
		"another start":         func(g *types.GenesisState) { g.Beacon.Start = seed(8) },
		"a short mix":           func(g *types.GenesisState) { g.Beacon.Mix = []byte{1} },
		"reveals and no mix":    func(g *types.GenesisState) { g.Beacon.Mix = g.Beacon.Start },
		"a mix and no reveals":  func(g *types.GenesisState) { g.Beacon.Reveals = 0 },
		"more than blocks":      func(g *types.GenesisState) { g.Beacon.Reveals = 4 },
		"pending at the freeze": func(g *types.GenesisState) { g.Beacon.Pending.Height = 5 },
		"pending at the end":    func(g *types.GenesisState) { g.Beacon.Pending.Height = 9 },
		"pending at no height":  func(g *types.GenesisState) { g.Beacon.Pending.Height = 0 },
		"pending of nobody":     func(g *types.GenesisState) { g.Beacon.Pending.Proposer = nil },
		"pending of many":       func(g *types.GenesisState) { g.Beacon.Pending.Proposer = seed(1) },
		"pending, cut":          func(g *types.GenesisState) { g.Beacon.Pending.Reveal = g.Beacon.Pending.Reveal[1:] },
		"pending, longer":       func(g *types.GenesisState) { g.Beacon.Pending.Reveal = append(g.Beacon.Pending.Reveal, 1) },
		"drawn already":         func(g *types.GenesisState) { g.Elections[1].Seed = seed(1) },
		"elected already":       func(g *types.GenesisState) { g.Elections[1].Elected = g.Elections[0].Elected },
		"election missing":      func(g *types.GenesisState) { g.Elections, g.Frozen, g.Leavings = g.Elections[:1], g.Frozen[:2], nil },
		"hand-over under way":   func(g *types.GenesisState) { g.HandOver.Steps, g.HandOver.NextHeight = 3, 7 },
	} {
		t.Run("frozen, "+name, func(t *testing.T) {
			g := frozenGenesis()
			spoil(&g)
			require.ErrorIs(t, g.Validate(), types.ErrInvalidGenesis)
		})
	}

	// What may be pending.
	for name, change := range map[string]func(*types.Beacon){
		"nothing":          func(b *types.Beacon) { b.Pending = nil },
		"no reveal":        func(b *types.Beacon) { b.Pending.Reveal = nil },
		"the first block":  func(b *types.Beacon) { b.Pending.Height = 6 },
		"the last block":   func(b *types.Beacon) { b.Pending.Height = 8 },
		"all have counted": func(b *types.Beacon) { b.Reveals, b.Pending = 3, nil },
	} {
		t.Run("frozen, "+name, func(t *testing.T) {
			g := frozenGenesis()
			change(g.Beacon)
			require.NoError(t, g.Validate())
		})
	}

	g := closingGenesis()
	g.Params.Duration = time.Second
	require.ErrorIs(t, g.Validate(), types.ErrInvalidParams)
	g.Development = true
	require.NoError(t, g.Validate())
}
