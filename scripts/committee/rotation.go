package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"
)

const (
	// steps in which seats are handed over.
	steps = 4
	// chunk is the number of blocks after which priorities are centred and scaled. CometBFT does it with every block, which
	// makes no difference to their order and takes most of the time.
	chunk = 25
)

// rotation is CometBFT's validator set through the hand-overs of many epochs: the real one, with the real priorities.
type rotation struct {
	scenario
	// ground says that the attacker made keys until it had the lowest addresses, which win where priorities are equal.
	ground bool
	random *rand.Rand
	set    *cmttypes.ValidatorSet
	key    cmted25519.PubKey
	// stakes of all nodes, addresses by node, nodes by address.
	stakes    []int64
	addresses [][]byte
	nodes     map[string]int
	// newest and older are the holders of the seats of the last two elections, sent the powers in the set.
	newest, older []int
	sent          []int64
}

func newRotation(s scenario, ground bool, random *rand.Rand) (*rotation, error) {
	key, ok := cmted25519.GenPrivKeyFromSecret([]byte("committee")).PubKey().(cmted25519.PubKey)
	if !ok {
		return nil, fmt.Errorf("no ed25519 key")
	}
	r := &rotation{
		scenario: s, ground: ground, random: random, key: key,
		set: cmttypes.NewValidatorSet(nil), stakes: s.stakes(), nodes: map[string]int{},
	}
	r.sent = make([]int64, len(r.stakes))
	for i := range r.stakes {
		address := make([]byte, 20)
		for j := range address {
			address[j] = byte(random.Uint32())
		}
		binary.BigEndian.PutUint16(address[18:], uint16(i))
		if address[0] |= 1; ground && i < s.identities {
			address[0] = 0
		}
		r.addresses = append(r.addresses, address)
		r.nodes[string(address)] = i
	}
	r.newest = s.holders(random, r.stakes)
	return r, r.send(steps)
}

// send brings the set to where a number of steps of the hand-over are done.
func (r *rotation) send(done int) error {
	powers := make([]int64, len(r.stakes))
	for i := range r.newest {
		if i%steps < done {
			powers[r.newest[i]]++
		} else {
			powers[r.older[i]]++
		}
	}
	var changes []*cmttypes.Validator
	for i, p := range powers {
		if p != r.sent[i] {
			changes = append(changes, &cmttypes.Validator{Address: r.addresses[i], PubKey: r.key, VotingPower: p})
		}
	}
	r.sent = powers
	return r.set.UpdateWithChangeSet(changes)
}

// blocks lets one and a half rotations go by on average, so that an epoch ends anywhere in one.
func (r *rotation) blocks() {
	n := int(r.seats) + r.random.IntN(int(r.seats))
	for ; n > chunk; n -= chunk {
		r.set.IncrementProposerPriority(chunk)
	}
	r.set.IncrementProposerPriority(int32(n))
}

// epoch elects and hands over, and returns the attacker's turns at the end of the epoch's window.
func (r *rotation) epoch() (run, error) {
	r.older, r.newest = r.newest, r.holders(r.random, r.stakes)
	for done := 1; done <= steps; done++ {
		if err := r.send(done); err != nil {
			return run{}, err
		}
		r.blocks()
	}
	var last run
	for range longestRun {
		r.set.IncrementProposerPriority(1)
		node, err := r.proposer(r.set)
		if err != nil {
			return run{}, err
		}
		if last.blocks = append(last.blocks, node); node >= r.identities {
			last.blocks = last.blocks[:0]
		}
	}
	// The rounds of a block go on in the same rotation, on a copy of it.
	for set := r.set.Copy(); len(last.blocks) != 0 && len(last.rounds) < longestRun; {
		set.IncrementProposerPriority(1)
		node, err := r.proposer(set)
		if err != nil {
			return run{}, err
		}
		if node >= r.identities {
			break
		}
		last.rounds = append(last.rounds, node)
	}
	return last, nil
}

// proposer returns the node that has the turn.
func (r *rotation) proposer(set *cmttypes.ValidatorSet) (int, error) {
	address := set.GetProposer().Address
	node, ok := r.nodes[string(address)]
	if !ok {
		return 0, fmt.Errorf("unknown proposer %s", address)
	}
	return node, nil
}
