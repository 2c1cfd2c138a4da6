package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/testutil/devnet"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// The validators of the network for stakers and operators, by what happens to them. The first one answers the queries and
// keeps its stake and its key.
const (
	steady = iota
	// guilty signs twice while it is a member.
	guilty
	// gone signed twice, and is no member any more when that comes out.
	gone
	// rotating changes its consensus key while it is a member, outside while it is none.
	rotating
	outside
)

// stakersStep is a step of the hand-over, in blocks.
const stakersStep = 3

// TestStakersAndOperators holds the tests that share a network in which operators report, change their keys and cheat. They
// take turns, and the model of the committee is followed through all of them.
func TestStakersAndOperators(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, 15*time.Minute)
	n := startNetwork(ctx, t, devnet.Config{
		ChainID: "edge-stakers-1", PortOffset: offsetStakers, Validators: 5,
		Stakes: []string{"200000", "100000", "60000", "100000", "80000"},
		Seats:  16, StepBlocks: stakersStep, BeaconBlocks: 4,
		EpochDuration: 4 * time.Second, BlockTime: 300 * time.Millisecond, Reports: true,
		// Nodes are away while they change their keys.
		Genesis: map[string]any{"app_state.slashing.params.signed_blocks_window": "500"},
		Prepare: hurry,
	})
	s := &stakersTest{committeeTest{n: n, f: newFollower(n)}}
	t.Run("reports", s.reports)
	t.Run("rotate consensus key", s.rotateConsensusKey)
	t.Run("double sign slashed", s.doubleSignSlashed)
	newest := s.f.follow(ctx, t)
	for _, v := range n.Nodes {
		waitFor(ctx, t, v, newest)
	}
	s.f.sameHashes(ctx, t, 1, newest, n.Nodes...)
}

type stakersTest struct{ committeeTest }

// node asks what the chain says of a validator's participation.
func (s *stakersTest) node(ctx context.Context, t *testing.T, v *devnet.Node) nodetypes.QueryNodeResponse {
	t.Helper()
	res, err := nodetypes.NewQueryClient(s.n.Chain.At(0)).Node(ctx, &nodetypes.QueryNodeRequest{Operator: v.Valoper})
	require.NoError(t, err)
	return *res
}

// reports sends the report of a node by the operator's command, and by the command of another key to which it has granted the
// message, as the timer that is shipped does.
func (s *stakersTest) reports(t *testing.T) {
	ctx := bounded(t, 5*time.Minute)
	v := s.n.Nodes[steady]
	operator := purseOf(t, s.n, v, "operator")
	_, _, err := operator.keys.NewMnemonic("reporter", keyring.English, sdk.FullFundraiserPath, keyring.DefaultBIP39Passphrase, hd.Secp256k1)
	require.NoError(t, err)
	reporter := purseOf(t, s.n, v, "reporter")
	purseOf(t, s.n, v, "faucet").send(ctx, t, &banktypes.MsgSend{
		FromAddress: purseOf(t, s.n, v, "faucet").address, ToAddress: reporter.address,
		Amount: sdk.NewCoins(sdk.NewInt64Coin(devnet.StakeDenom, 1_000_000)),
	})
	operator.grant(ctx, t, reporter.address, &nodetypes.MsgReport{})
	await(ctx, t, "a report of the network's own", func() error {
		if s.node(ctx, t, v).ReportDue {
			return errNotYet
		}
		return nil
	})
	v.SetReports(false)
	defer v.SetReports(true)

	for _, command := range [][]string{
		{"tx", "node", "report", "--from", "operator"},
		{"tx", "node", "report", "--operator", v.Valoper, "--authz", "--if-due", "--from", "reporter"},
	} {
		s.waitTurn(ctx, t)
		await(ctx, t, "a report", func() error {
			before := s.node(ctx, t, v)
			if before.EpochsLeft == 0 { // epochs are short, and this machine may be slow
				operator.send(ctx, t, &nodetypes.MsgOptIn{Operator: v.Valoper})
			}
			if !before.ReportDue {
				return errNotYet
			}
			if err := v.Tx(ctx, command...); err != nil {
				return err // the epoch turned in between
			}
			require.Greater(t, s.node(ctx, t, v).Node.LastReportEpoch, before.Node.LastReportEpoch)
			return nil
		})
	}
	require.Equal(t, "ok", s.node(ctx, t, v).Standing)
	s.f.follow(ctx, t)
}

// grant lets another account send a message in the name of this one.
func (p *purse) grant(ctx context.Context, t *testing.T, grantee string, msg sdk.Msg) {
	t.Helper()
	authorization, err := codectypes.NewAnyWithValue(authz.NewGenericAuthorization(sdk.MsgTypeURL(msg)))
	require.NoError(t, err)
	expiration := time.Now().Add(time.Hour)
	p.send(ctx, t, &authz.MsgGrant{
		Granter: p.address, Grantee: grantee, Grant: authz.Grant{Authorization: authorization, Expiration: &expiration},
	})
}

// rotateConsensusKey changes the key of a member by the operator's command, and that of a validator without a seat by another
// account to which the message was granted. Both go on with the new key.
func (s *stakersTest) rotateConsensusKey(t *testing.T) {
	ctx := bounded(t, 6*time.Minute)
	member, outsider := s.n.Nodes[rotating], s.n.Nodes[outside]
	require.NoError(t, outsider.Tx(ctx, "tx", "node", "opt-out", "--from", "operator"))

	// The member.
	s.f.follow(ctx, t)
	before, key := validatorKey(member).GetAddress().String(), s.newKey(t, member)
	address := key.GetAddress().String()
	began, err := s.n.Chain.Height(ctx)
	require.NoError(t, err)
	require.NoError(t, member.Tx(ctx, "tx", "staking", "rotate-cons-pub-key", keyJSON(key), "--from", "operator"))
	sent := s.rotationHeight(ctx, t, began, member.Valoper)
	old, now := int64(-1), int64(-1)
	results, err := s.n.Chain.RPC.BlockResults(ctx, &sent)
	require.NoError(t, err)
	for _, u := range results.ValidatorUpdates {
		switch ed25519Address(u.PubKey.GetEd25519()) {
		case before:
			old = u.Power
		case address:
			now = u.Power
		}
	}
	require.Zero(t, old, "power of the old key in the block of the rotation")
	require.Positive(t, now, "power of the new key in the block of the rotation")
	s.restartWith(ctx, t, member, key)
	waitFor(ctx, t, s.n.Nodes[steady], sent+2)
	require.Contains(t, s.addresses(ctx, t, sent+1), before)
	require.NotContains(t, s.addresses(ctx, t, sent+2), before)
	require.Contains(t, s.addresses(ctx, t, sent+2), address)
	s.waitSignature(ctx, t, member, address)

	// The outsider.
	outsiderRaw := rawOperator(t, outsider.Valoper)
	for s.f.seen[s.f.follow(ctx, t)][outsiderRaw] != 0 {
		_, closing := s.waitTurn(ctx, t)
		waitFor(ctx, t, s.n.Nodes[steady], closing+3*stakersStep+2)
	}
	before, key = validatorKey(outsider).GetAddress().String(), s.newKey(t, outsider)
	address = key.GetAddress().String()
	grantee := newPurse(ctx, t, s.n, 10_000_000)
	purseOf(t, s.n, outsider, "operator").grant(ctx, t, grantee.address, &stakingtypes.MsgRotateConsPubKey{})
	packedKey, err := codectypes.NewAnyWithValue(&ed25519.PubKey{Key: publicKey(t, key)})
	require.NoError(t, err)
	packed, err := codectypes.NewAnyWithValue(&stakingtypes.MsgRotateConsPubKey{ValidatorAddress: outsider.Valoper, NewPubkey: packedKey})
	require.NoError(t, err)
	sent = grantee.send(ctx, t, &authz.MsgExec{Grantee: grantee.address, Msgs: []*codectypes.Any{packed}})
	waitFor(ctx, t, s.n.Nodes[steady], sent+3)
	for h := sent; h <= sent+2; h++ {
		results, err := s.n.Chain.RPC.BlockResults(ctx, &h)
		require.NoError(t, err)
		for _, u := range results.ValidatorUpdates {
			require.NotContains(t, []string{before, address}, ed25519Address(u.PubKey.GetEd25519()), "CometBFT does not know the outsider: height %d", h)
		}
	}
	s.restartWith(ctx, t, outsider, key)
	purseOf(t, s.n, outsider, "operator").send(ctx, t, &nodetypes.MsgOptIn{Operator: outsider.Valoper})
	s.waitSignature(ctx, t, outsider, address)

	// The member sits with its new key in committees that were elected since.
	require.Contains(t, s.addresses(ctx, t, s.f.follow(ctx, t)), validatorKey(member).GetAddress().String())
	for _, v := range []*devnet.Node{member, outsider} {
		require.False(t, jailed(ctx, t, s.n, v))
	}
}

// newKey makes another consensus key for a validator, and tells the model of it.
func (s *stakersTest) newKey(t *testing.T, v *devnet.Node) *privval.FilePV {
	t.Helper()
	dir := t.TempDir()
	key := privval.GenFilePV(filepath.Join(dir, "key"), filepath.Join(dir, "state"))
	s.f.operatorOf[key.GetAddress().String()] = rawOperator(t, v.Valoper)
	return key
}

func publicKey(t *testing.T, key *privval.FilePV) []byte {
	t.Helper()
	pub, err := key.GetPubKey()
	require.NoError(t, err)
	return pub.Bytes()
}

func keyJSON(key *privval.FilePV) string {
	return fmt.Sprintf(`{"@type":"/cosmos.crypto.ed25519.PubKey","key":%q}`, base64.StdEncoding.EncodeToString(key.Key.PubKey.Bytes()))
}

// ed25519Address returns the address of a key as CometBFT writes it.
func ed25519Address(key []byte) string { return (&ed25519.PubKey{Key: key}).Address().String() }

// restartWith restarts a validator with another consensus key.
func (s *stakersTest) restartWith(ctx context.Context, t *testing.T, v *devnet.Node, key *privval.FilePV) {
	t.Helper()
	require.NoError(t, v.Stop(ctx))
	privval.NewFilePV(key.Key.PrivKey, filepath.Join(v.Home, "config", "priv_validator_key.json"),
		filepath.Join(v.Home, "data", "priv_validator_state.json")).Save()
	require.NoError(t, v.Start(ctx))
}

// rotationHeight returns the height of the block with the rotation of a validator's key, looking from a height on.
func (s *stakersTest) rotationHeight(ctx context.Context, t *testing.T, from int64, valoper string) int64 {
	t.Helper()
	to, err := s.n.Chain.Height(ctx)
	require.NoError(t, err)
	for h := from; h <= to; h++ {
		for _, tx := range s.f.block(ctx, t, h).Txs {
			if bytes.Contains(tx, []byte(sdk.MsgTypeURL(&stakingtypes.MsgRotateConsPubKey{}))) && bytes.Contains(tx, []byte(valoper)) {
				return h
			}
		}
	}
	require.FailNow(t, "no block has the rotation")
	return 0
}

// addresses of CometBFT's validators at a height.
func (s *stakersTest) addresses(ctx context.Context, t *testing.T, height int64) []string {
	t.Helper()
	page, limit := 1, 100
	res, err := s.n.Chain.RPC.Validators(ctx, &height, &page, &limit)
	require.NoError(t, err)
	var addresses []string
	for _, v := range res.Validators {
		addresses = append(addresses, v.Address.String())
	}
	return addresses
}

// waitSignature waits until a signature of a consensus address stands in a block.
func (s *stakersTest) waitSignature(ctx context.Context, t *testing.T, v *devnet.Node, address string) {
	t.Helper()
	await(ctx, t, "a signature of the new key of "+v.Moniker, func() error {
		res, err := s.n.Chain.RPC.Commit(ctx, nil)
		if err != nil {
			return err
		}
		for _, sig := range res.Commit.Signatures {
			if sig.BlockIDFlag == cmttypes.BlockIDFlagCommit && sig.ValidatorAddress.String() == address {
				return nil
			}
		}
		return fmt.Errorf("none at height %d", res.Height)
	})
}

// delegator is one of three who delegated as much to a validator before a freeze.
type delegator struct {
	*purse
	// undelegated, redelegated: right after the freeze.
	undelegated, redelegated bool
}

// stake that each delegator gives to a validator, in uedge. It is no round number, so that rounding shows.
const delegated = 12_345_678_901

// doubleSignSlashed proves two double signatures, of a member and of a former one. What is burnt is the fraction of the stake at
// the freeze, and who took his stake out right after the freeze has lost what those have lost who stayed.
func (s *stakersTest) doubleSignSlashed(t *testing.T) {
	ctx := bounded(t, 6*time.Minute)
	chain := s.n.Chain
	to := s.n.Nodes[steady]
	staking := stakingtypes.NewQueryClient(chain.At(0))
	accused := []*devnet.Node{s.n.Nodes[guilty], s.n.Nodes[gone]}
	coin := sdk.NewInt64Coin(devnet.StakeDenom, delegated)
	stakers := make(map[*devnet.Node][]delegator)
	for _, v := range accused {
		for i := range 3 {
			p := newPurse(ctx, t, s.n, delegated+10_000_000)
			p.send(ctx, t, &stakingtypes.MsgDelegate{DelegatorAddress: p.address, ValidatorAddress: v.Valoper, Amount: coin})
			stakers[v] = append(stakers[v], delegator{p, i == 1, i == 2})
		}
	}
	// A freeze that has all of it on record.
	s.waitTurn(ctx, t)
	freeze := s.waitBeacon(ctx, t)
	frozen := make(map[*devnet.Node]math.Int)
	for _, row := range s.f.frozen(ctx, t, freeze.Epoch) {
		for _, v := range accused {
			if row.Operator == v.Valoper {
				frozen[v] = row.Tokens
			}
		}
	}
	for _, v := range accused {
		for _, d := range stakers[v] {
			switch {
			case d.undelegated:
				at := d.send(ctx, t, &stakingtypes.MsgUndelegate{DelegatorAddress: d.address, ValidatorAddress: v.Valoper, Amount: coin})
				require.Greater(t, at, freeze.FreezeHeight)
			case d.redelegated:
				at := d.send(ctx, t, &stakingtypes.MsgBeginRedelegate{
					DelegatorAddress: d.address, ValidatorSrcAddress: v.Valoper, ValidatorDstAddress: to.Valoper, Amount: coin,
				})
				require.Greater(t, at, freeze.FreezeHeight)
			}
		}
		res, err := staking.Validator(ctx, &stakingtypes.QueryValidatorRequest{ValidatorAddr: v.Valoper})
		require.NoError(t, err)
		require.Equal(t, frozen[v].SubRaw(2*delegated), res.Validator.Tokens)
	}
	require.NoError(t, s.n.Nodes[gone].Tx(ctx, "tx", "node", "opt-out", "--from", "operator"))

	// A height at which all seats are those of that freeze.
	full := freeze.ClosingHeight + 3*stakersStep + 2
	waitFor(ctx, t, s.n.Nodes[steady], full+1)
	set, err := s.f.query().ValidatorSet(ctx, &epochtypes.QueryValidatorSetRequest{Height: full})
	require.NoError(t, err)
	for _, v := range accused {
		i := slices.IndexFunc(set.Set.Members, func(m epochtypes.Member) bool { return m.Operator == v.Valoper })
		require.NotEqual(t, -1, i, "%s has no seat", v.Moniker)
		require.Equal(t, frozen[v], set.Set.Members[i].Tokens)
		require.Equal(t, freeze.FreezeHeight, set.Set.Members[i].FreezeHeight)
	}

	at := s.prove(ctx, t, accused[0], full, frozen[accused[0]])
	address := validatorKey(accused[0]).GetAddress().String()
	waitFor(ctx, t, s.n.Nodes[steady], at+2)
	require.Contains(t, s.addresses(ctx, t, at+1), address)
	require.NotContains(t, s.addresses(ctx, t, at+2), address, "whoever is tombstoned leaves with the same block")
	s.lostAlike(ctx, t, accused[0], to, stakers[accused[0]])

	former := rawOperator(t, accused[1].Valoper)
	for s.f.seen[s.f.follow(ctx, t)][former] != 0 {
		_, closing := s.waitTurn(ctx, t)
		waitFor(ctx, t, s.n.Nodes[steady], closing+3*stakersStep+2)
	}
	s.prove(ctx, t, accused[1], full, frozen[accused[1]])
	s.lostAlike(ctx, t, accused[1], to, stakers[accused[1]])
	s.f.follow(ctx, t)
}

// prove broadcasts the proof that a validator has signed twice at a height, waits for the block with it and returns its height.
// What was burnt in it must be the fraction of the stake at the freeze.
func (s *stakersTest) prove(ctx context.Context, t *testing.T, v *devnet.Node, height int64, stake math.Int) int64 {
	t.Helper()
	key := validatorKey(v).Key
	page, limit := 1, 100
	res, err := s.n.Chain.RPC.Validators(ctx, &height, &page, &limit)
	require.NoError(t, err)
	set, err := cmttypes.ValidatorSetFromExistingValidators(res.Validators)
	require.NoError(t, err)
	block := s.f.block(ctx, t, height)
	vote := func(text string) *cmttypes.Vote {
		hash := sha256.Sum256([]byte(text))
		index, _ := set.GetByAddress(key.Address)
		vote := &cmttypes.Vote{
			Type: cmtproto.PrevoteType, Height: height, Timestamp: block.Time, ValidatorAddress: key.Address, ValidatorIndex: index,
			BlockID: cmttypes.BlockID{Hash: hash[:], PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: hash[:]}},
		}
		vote.Signature, err = key.PrivKey.Sign(cmttypes.VoteSignBytes(s.n.ChainID(), vote.ToProto()))
		require.NoError(t, err)
		return vote
	}
	evidence, err := cmttypes.NewDuplicateVoteEvidence(vote("one block"), vote("another"), block.Time, set)
	require.NoError(t, err)
	from, err := s.n.Chain.Height(ctx)
	require.NoError(t, err)
	_, err = s.n.Chain.RPC.BroadcastEvidence(ctx, evidence)
	require.NoError(t, err)
	var at int64
	await(ctx, t, "the block with the evidence", func() error {
		to, err := s.n.Chain.Height(ctx)
		if err != nil {
			return err
		}
		for ; from <= to; from++ {
			for _, e := range s.f.block(ctx, t, from).Evidence.Evidence {
				if bytes.Equal(e.Hash(), evidence.Hash()) {
					at = from
					return nil
				}
			}
		}
		return fmt.Errorf("height %d", to)
	})
	waitFor(ctx, t, s.n.Nodes[steady], at+1)

	params, err := slashingtypes.NewQueryClient(s.n.Chain.At(0)).Params(ctx, &slashingtypes.QueryParamsRequest{})
	require.NoError(t, err)
	want := params.Params.SlashFractionDoubleSign.MulInt(stake).TruncateInt()
	require.True(t, want.IsPositive())
	burnt := stakeSupply(ctx, t, s.n, at-1).Sub(stakeSupply(ctx, t, s.n, at))
	const entries = 3 // the validator's own tokens, an undelegation, a redelegation
	require.True(t, want.Sub(burnt).Abs().LTE(math.NewInt(entries)), "burnt %s, want %s of %s", burnt, want, stake)

	t.Logf("%s signed twice at height %d: %s of %s burnt at height %d", v.Moniker, height, burnt, stake, at)

	info, err := slashingtypes.NewQueryClient(s.n.Chain.At(0)).SigningInfo(ctx, &slashingtypes.QuerySigningInfoRequest{ConsAddress: consensusOf(t, v)})
	require.NoError(t, err)
	require.True(t, info.ValSigningInfo.Tombstoned)
	require.True(t, jailed(ctx, t, s.n, v))
	return at
}

// lostAlike requires that all three delegators of a validator have lost the same fraction.
func (s *stakersTest) lostAlike(ctx context.Context, t *testing.T, v, to *devnet.Node, stakers []delegator) {
	t.Helper()
	staking := stakingtypes.NewQueryClient(s.n.Chain.At(0))
	params, err := slashingtypes.NewQueryClient(s.n.Chain.At(0)).Params(ctx, &slashingtypes.QueryParamsRequest{})
	require.NoError(t, err)
	want := params.Params.SlashFractionDoubleSign.MulInt(math.NewInt(delegated)).TruncateInt()
	for _, d := range stakers {
		var left math.Int
		switch {
		case d.undelegated:
			res, err := staking.UnbondingDelegation(ctx, &stakingtypes.QueryUnbondingDelegationRequest{DelegatorAddr: d.address, ValidatorAddr: v.Valoper})
			require.NoError(t, err)
			require.Len(t, res.Unbond.Entries, 1)
			left = res.Unbond.Entries[0].Balance
		case d.redelegated:
			res, err := staking.Delegation(ctx, &stakingtypes.QueryDelegationRequest{DelegatorAddr: d.address, ValidatorAddr: to.Valoper})
			require.NoError(t, err)
			left = res.DelegationResponse.Balance.Amount
		default:
			res, err := staking.Delegation(ctx, &stakingtypes.QueryDelegationRequest{DelegatorAddr: d.address, ValidatorAddr: v.Valoper})
			require.NoError(t, err)
			left = res.DelegationResponse.Balance.Amount
		}
		lost := math.NewInt(delegated).Sub(left)
		require.True(t, lost.Sub(want).Abs().LTE(math.OneInt()), "undelegated %t, redelegated %t: lost %s, want %s", d.undelegated, d.redelegated, lost, want)
	}
}
