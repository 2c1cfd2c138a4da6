package keeper_test

import (
	"bytes"
	"crypto/sha256"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/x/epoch/beacon"
	"github.com/edgechain/edge/x/epoch/types"
)

// beaconKeys has every beacon key that a test made, by its public key.
var beaconKeys = map[string]beacon.Key{}

// address is the consensus address of a validator.
func (v *validator) address() []byte { return v.key.Address() }

// newBeaconKey returns the beacon key of a validator with a name.
func (f *fixture) newBeaconKey(v *validator, name string) beacon.Key {
	f.t.Helper()
	material := sha256.Sum256([]byte(v.operator.String() + name))
	key, err := beacon.GenerateKey(bytes.NewReader(material[:]))
	require.NoError(f.t, err)
	beaconKeys[string(key.PubKey())] = key
	return key
}

// register registers a beacon key for a validator.
func (f *fixture) register(v *validator, name string) {
	f.t.Helper()
	key := f.newBeaconKey(v, name)
	_, err := f.msgs.RegisterBeaconKey(f.ctx, &types.MsgRegisterBeaconKey{
		Operator: v.operator.String(), PubKey: key.PubKey(), Proof: key.Prove(chainID, v.operator),
	})
	require.NoError(f.t, err)
}

// reveal returns the reveal that a validator may give in the next block, nil if none.
func (f *fixture) reveal(v *validator) []byte {
	f.t.Helper()
	return f.revealBy(v.address())
}

// revealBy returns the reveal that the holder of a consensus address may give in the next block, nil if none.
func (f *fixture) revealBy(address []byte) []byte {
	f.t.Helper()
	height := f.ctx.BlockHeight() + 1
	duty, ok, err := f.k.RevealDuty(f.ctx, height, address)
	require.NoError(f.t, err)
	if !ok {
		return nil
	}
	if v := f.staking.holder(address); v != nil {
		require.EqualValues(f.t, v.operator, duty.Operator)
	}
	return beaconKeys[string(duty.PubKey)].Reveal(chainID, duty.Seed, height)
}

// txs returns the transactions of a block whose first entry is a reveal, none without a reveal.
func txs(reveal []byte) [][]byte {
	if reveal == nil {
		return nil
	}
	return [][]byte{beacon.EncodeTx(reveal)}
}

// verdict says what has to come of the next block: whether its reveal counts, and who has missed it.
func (f *fixture) verdict(p proposal) (revealed bool, missed string) {
	f.t.Helper()
	own := f.revealBy(p.named)
	valid := own != nil && len(p.txs) != 0 && bytes.Equal(p.txs[0], beacon.EncodeTx(own))
	if p.round != 0 {
		for round := range p.round + 1 {
			if valid && bytes.Equal(f.comet.turnOf(round), p.named) {
				return true, ""
			}
		}
		return false, ""
	}
	turn := f.comet.turnOf(0)
	switch {
	case valid && bytes.Equal(turn, p.named):
		return true, ""
	case f.revealBy(turn) != nil:
		return false, f.staking.holder(turn).operator.String()
	}
	return false, ""
}

func (f *fixture) election(epoch uint64) types.Election {
	f.t.Helper()
	e, err := f.k.Election(f.ctx, epoch)
	require.NoError(f.t, err)
	return e
}
