package app_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// The model is a second implementation of the beacon, the draw, the spares and the hand-over, written from their description.
// Of the chain it knows the answers to queries and the blocks.

// query asks the application over ABCI, at its last height.
func (c *chain) query(method string, req, res proto.Message) {
	c.t.Helper()
	raw, err := proto.Marshal(req)
	require.NoError(c.t, err)
	answer, err := c.app.Query(c.t.Context(), &abci.RequestQuery{Path: "/edge.epoch.v1.Query/" + method, Data: raw})
	require.NoError(c.t, err)
	require.Zero(c.t, answer.Code, "%s: %s", method, answer.Log)
	require.NoError(c.t, proto.Unmarshal(answer.Value, res))
}

func (c *chain) election(epoch uint64) epochtypes.Election {
	c.t.Helper()
	var res epochtypes.QueryElectionResponse
	c.query("Election", &epochtypes.QueryElectionRequest{Epoch: epoch}, &res)
	return res.Election
}

func (c *chain) frozen(epoch uint64) []epochtypes.FrozenValidator {
	c.t.Helper()
	var res epochtypes.QueryFrozenResponse
	c.query("Frozen", &epochtypes.QueryFrozenRequest{Epoch: epoch}, &res)
	return res.Validators
}

func (c *chain) committee(epoch uint64) epochtypes.QueryCommitteeResponse {
	c.t.Helper()
	var res epochtypes.QueryCommitteeResponse
	c.query("Committee", &epochtypes.QueryCommitteeRequest{Epoch: epoch}, &res)
	return res
}

// domain16 is a domain as it stands in front of what is hashed.
func domain16(name string) []byte { return append([]byte(name), make([]byte, 16-len(name))...) }

func sha(parts ...[]byte) []byte {
	digest := sha256.Sum256(bytes.Join(parts, nil))
	return digest[:]
}

// modelRandom draws a number below total.
func modelRandom(domain string, seed []byte, total *big.Int) *big.Int {
	one := big.NewInt(1)
	width := new(big.Int).Sub(total, one).BitLen()
	mask := new(big.Int).Sub(new(big.Int).Lsh(one, uint(width)), one)
	for k := uint64(0); ; k++ {
		block := sha(domain16(domain), seed, binary.LittleEndian.AppendUint64(nil, k))
		r := new(big.Int).And(new(big.Int).SetBytes(block), mask)
		if r.Cmp(total) < 0 {
			return r
		}
	}
}

type modelStake struct {
	operator string // raw bytes
	stake    *big.Int
}

// modelDraw returns who gets each seat.
func modelDraw(domain string, seed []byte, stakes []modelStake, seats int) []string {
	stakes = slices.Clone(stakes)
	slices.SortFunc(stakes, func(a, b modelStake) int {
		return bytes.Compare(sha(seed, []byte(a.operator)), sha(seed, []byte(b.operator)))
	})
	total := new(big.Int)
	for _, s := range stakes {
		total.Add(total, s.stake)
	}
	r := modelRandom(domain, seed, total)
	drawn := make([]string, seats)
	for i := range drawn {
		point := new(big.Int).Mul(big.NewInt(int64(i)), total)
		point.Add(point, r).Div(point, big.NewInt(int64(seats)))
		for _, s := range stakes {
			if point.Cmp(s.stake) < 0 {
				drawn[i] = s.operator
				break
			}
			point.Sub(point, s.stake)
		}
	}
	return drawn
}

// TestModelReproducesTheVectors ties the model to the published vectors of the draw and of the beacon.
func TestModelReproducesTheVectors(t *testing.T) {
	type run struct {
		Operator string
		Seats    int
	}
	var draws []struct {
		Name, Seed string
		Candidates []struct{ Operator, Stake string }
		Seats      int
		Runs       []run
		Spares     []run
	}
	readVectors(t, "draw", &draws)
	for _, v := range draws {
		var stakes []modelStake
		for _, c := range v.Candidates {
			stake, ok := new(big.Int).SetString(c.Stake, 10)
			require.True(t, ok)
			stakes = append(stakes, modelStake{string(unhex(t, c.Operator)), stake})
		}
		for domain, want := range map[string][]run{"edge/draw/seats": v.Runs, "edge/draw/spares": v.Spares} {
			var seats []string
			for _, r := range want {
				for range r.Seats {
					seats = append(seats, string(unhex(t, r.Operator)))
				}
			}
			require.Equal(t, seats, modelDraw(domain, unhex(t, v.Seed), stakes, v.Seats), "%s: %s", v.Name, domain)
		}
	}
	var beacons []struct {
		Seed, Start, Reveal, Mix string
		HeaderHash               string `json:"header_hash"`
	}
	readVectors(t, "beacon", &beacons)
	for _, v := range beacons {
		start := sha(unhex(t, v.Seed), unhex(t, v.HeaderHash))
		require.Equal(t, v.Start, hex.EncodeToString(start))
		require.Equal(t, v.Mix, hex.EncodeToString(sha(start, unhex(t, v.Reveal))))
	}
}

func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "x", "epoch", name, "testdata", "vectors.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, into))
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// model follows a chain.
type model struct {
	c *chain
	// seeds, seats and spares by epoch, one operator for each seat.
	seeds  map[uint64][]byte
	seats  map[uint64][]string
	spares map[uint64][]string
	// wrong are heights of blocks whose reveal does not count.
	wrong map[int64]bool
}

func newModel(c *chain) *model {
	return &model{
		c: c, seeds: map[uint64][]byte{1: sha(domain16("edge/seed"), []byte(chainID))},
		seats: make(map[uint64][]string), spares: make(map[uint64][]string),
	}
}

// seed works out the seed of an epoch from the one before and the reveals in the blocks.
func (m *model) seed(epoch uint64) []byte {
	if seed, ok := m.seeds[epoch]; ok {
		return seed
	}
	e := m.c.election(epoch)
	mix := sha(m.seed(epoch-1), m.c.comet.hashes[e.FreezeHeight-1])
	for _, b := range m.c.comet.blocks {
		if b.Height <= e.FreezeHeight || b.Height > e.ClosingHeight || len(b.Txs) == 0 || m.wrong[b.Height] {
			continue
		}
		if reveal, ok := bytes.CutPrefix(b.Txs[0], domain16("edge/reveal-tx")); ok {
			mix = sha(mix, reveal)
		}
	}
	m.seeds[epoch] = mix
	return mix
}

// draw works out the committee of an epoch from the record of its freeze.
func (m *model) draw(epoch uint64) {
	if m.seats[epoch] != nil {
		return
	}
	e := m.c.election(epoch)
	rows := m.c.frozen(epoch)
	var candidates, unjailed []modelStake
	bonded, participating, healthy := new(big.Int), new(big.Int), new(big.Int)
	for _, v := range rows {
		operator, err := sdk.ValAddressFromBech32(v.Operator)
		require.NoError(m.c.t, err)
		s := modelStake{string(operator), v.Tokens.BigInt()}
		bonded.Add(bonded, s.stake)
		if v.Ineligibility != epochtypes.INELIGIBILITY_JAILED {
			unjailed = append(unjailed, s)
		}
		switch v.Ineligibility {
		case epochtypes.INELIGIBILITY_NONE:
			require.NotEmpty(m.c.t, v.BeaconKey)
			candidates = append(candidates, s)
			healthy.Add(healthy, s.stake)
			participating.Add(participating, s.stake)
		case epochtypes.INELIGIBILITY_UNHEALTHY:
			participating.Add(participating, s.stake)
		}
	}
	times := func(x *big.Int, n int64) *big.Int { return new(big.Int).Mul(x, big.NewInt(n)) }
	var params epochtypes.QueryParamsResponse
	m.c.query("Params", &epochtypes.QueryParamsRequest{}, &params)
	fallback := epochtypes.FALLBACK_NONE
	switch {
	case epoch == 1:
		fallback = epochtypes.FALLBACK_GENESIS
	case times(participating, 3).Cmp(times(bonded, 2)) < 0:
		fallback = epochtypes.FALLBACK_PARTICIPATION
	case times(healthy, 10).Cmp(times(participating, 9)) < 0: // min_committee_stake 0.9
		fallback = epochtypes.FALLBACK_HEALTH
	case len(candidates) < int(params.Params.MinCommittee):
		fallback = epochtypes.FALLBACK_COMMITTEE
	}
	require.Equal(m.c.t, fallback, e.Fallback, "epoch %d", epoch)
	if fallback != epochtypes.FALLBACK_NONE {
		candidates = unjailed
		slices.SortFunc(candidates, func(a, b modelStake) int {
			if c := b.stake.Cmp(a.stake); c != 0 {
				return c
			}
			return strings.Compare(a.operator, b.operator)
		})
		if fallback != epochtypes.FALLBACK_GENESIS {
			candidates = candidates[:min(len(candidates), int(e.Seats))]
		}
	}
	m.seats[epoch] = modelDraw("edge/draw/seats", m.seed(epoch), candidates, int(e.Seats))
	m.spares[epoch] = modelDraw("edge/draw/spares", m.seed(epoch), candidates, int(e.Seats))
}

// holders works out who holds the seats of an election, "" for nobody.
func (m *model) holders(epoch uint64) []string {
	m.draw(epoch)
	left := make(map[string]bool)
	for _, l := range m.c.committee(epoch).Leavings {
		operator, err := sdk.ValAddressFromBech32(l.Operator)
		require.NoError(m.c.t, err)
		left[string(operator)] = true
	}
	seats := slices.Clone(m.seats[epoch])
	vacant := 0
	for i, operator := range seats {
		if left[operator] {
			seats[i] = ""
			vacant++
		}
	}
	if (len(seats)-vacant)*4 >= len(seats)*3 {
		return seats
	}
	for _, spare := range m.spares[epoch] {
		if i := slices.Index(seats, ""); i >= 0 && !left[spare] {
			seats[i] = spare
		}
	}
	return seats
}

// powers works out the powers of the set that was sent last, by the validators' names.
func (m *model) powers() map[string]int64 {
	var current epochtypes.QueryCurrentResponse
	m.c.query("Current", &epochtypes.QueryCurrentRequest{}, &current)
	h := current.HandOver
	names := make(map[string]string)
	for _, v := range m.c.validators {
		names[string(v.address())] = v.name
	}
	powers := make(map[string]int64)
	count := func(seats []string, takes func(i int) bool) {
		for i, operator := range seats {
			if operator != "" && takes(i) {
				powers[names[operator]]++
			}
		}
	}
	count(m.holders(h.Epoch), func(i int) bool { return i%4 < int(h.Steps) })
	if h.Steps < 4 {
		count(m.holders(h.Epoch-1), func(i int) bool { return i%4 >= int(h.Steps) })
	}
	return powers
}
