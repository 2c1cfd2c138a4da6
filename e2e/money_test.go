package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/testutil/devnet"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

// TestMoney follows money by the commands of an operator, an owner of a service and governance: a price of the token is voted
// for, stake is locked and stays locked, a client pays, and the epoch mints; the audit holds at every step.
func TestMoney(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, 6*time.Minute)
	n, err := devnet.Start(ctx, devnet.Config{
		Dir: t.TempDir(), Binaries: shared.bins, ChainID: "edge-money-1", PortOffset: offsetMoney, EpochDuration: 12 * time.Second,
		Genesis: map[string]any{
			"app_state.gov.params.voting_period":           "4s",
			"app_state.gov.params.expedited_voting_period": "2s",
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		stop, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, n.Stop(stop))
	})
	m := moneyTest{n}
	t.Run("services", m.services)
	t.Run("locked stake", m.lockedStake)
	t.Run("token price by vote", m.tokenPrice)
	t.Run("emission", m.emission)
}

type moneyTest struct{ n *devnet.Network }

// query runs a query of edged and decodes its answer.
func (m moneyTest) query(ctx context.Context, t *testing.T, into any, args ...string) {
	t.Helper()
	out, err := m.n.Edged(ctx, append(append([]string{"query"}, args...), "--node", "tcp://"+strings.TrimPrefix(m.n.RPC(), "http://"), "--output", "json")...)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal([]byte(out), into), "%s", out)
}

// audit asks for the audit by the command, as anybody can, and requires every equation to hold.
func (m moneyTest) audit(ctx context.Context, t *testing.T, args ...string) {
	t.Helper()
	var res struct {
		Equations []struct {
			Name, Left, Right string
			Holds             bool
		}
		Holds bool
	}
	m.query(ctx, t, &res, append([]string{"rewards", "audit"}, args...)...)
	require.NotEmpty(t, res.Equations)
	for _, e := range res.Equations {
		require.True(t, e.Holds, "%v", e)
	}
	require.True(t, res.Holds)
}

// services publishes, changes, gives away and removes a service, and meets the errors of bad input.
func (m moneyTest) services(t *testing.T) {
	ctx := bounded(t, 2*time.Minute)
	heir := newClientOf(ctx, t, m.n, "heir", 1_000_000)
	require.NoError(t, m.n.Tx(ctx, "tx", "bank", "send", "faucet", m.n.Operator, "30000000"+devnet.SettlementDenom))
	hash := strings.Repeat("ab", 32)
	require.NoError(t, m.n.Tx(ctx, "tx", "dack", "publish-service", "resize images", hash, "3", "--from", "operator"))
	service := func() (s dacktypes.Service) {
		res, err := dacktypes.NewQueryClient(m.n.Chain.At(0)).Service(ctx, &dacktypes.QueryServiceRequest{Id: 1})
		require.NoError(t, err)
		return res.Service
	}
	require.Equal(t, m.n.Operator, service().Owner)
	require.Equal(t, strings.Repeat("\xab", 32), string(service().CodeHash))
	m.audit(ctx, t)

	err := m.n.Tx(ctx, "tx", "dack", "publish-service", "short hash", "abcd", "3", "--from", "operator")
	require.ErrorContains(t, err, "invalid code hash")
	err = m.n.Tx(ctx, "tx", "dack", "remove-service", "0", "--from", "operator")
	require.ErrorContains(t, err, "the protocol owns the service")
	err = m.n.Tx(ctx, "tx", "dack", "remove-service", "1", "--from", "faucet")
	require.ErrorContains(t, err, "not the owner")

	require.NoError(t, m.n.Tx(ctx, "tx", "dack", "transfer-service", "1", heir.Owner, "--from", "operator"))
	err = m.n.Tx(ctx, "tx", "dack", "update-service", "1", "mine again", hash, "3", "active", "--from", "operator")
	require.ErrorContains(t, err, "not the owner", "a seller must not change what he has given away")
	m.audit(ctx, t)

	before := m.balance(ctx, t, m.n.Operator, devnet.SettlementDenom)
	require.NoError(t, m.n.Tx(ctx, "tx", "dack", "publish-service", "short lived", hash, "1", "--from", "operator"))
	deposited := before.SubRaw(dacktypes.DefaultServiceDeposit).String()
	require.Equal(t, deposited, m.balance(ctx, t, m.n.Operator, devnet.SettlementDenom).String())
	require.NoError(t, m.n.Tx(ctx, "tx", "dack", "remove-service", "2", "--from", "operator"))
	require.Equal(t, deposited, m.balance(ctx, t, m.n.Operator, devnet.SettlementDenom).String(),
		"the deposit stays until no acknowledgement can name the service")
	m.audit(ctx, t)
}

func newClientOf(ctx context.Context, t *testing.T, n *devnet.Network, name string, deposit int64) *devnet.Client {
	t.Helper()
	c, err := n.NewClient(ctx, name, deposit)
	require.NoError(t, err)
	return c
}

func (m moneyTest) balance(ctx context.Context, t *testing.T, address, denom string) math.Int {
	t.Helper()
	height, err := m.n.Chain.Height(ctx)
	require.NoError(t, err)
	var res struct {
		Balance struct{ Amount math.Int }
	}
	m.query(ctx, t, &res, "bank", "balance", address, denom, "--height", fmt.Sprint(height))
	return res.Balance.Amount
}

// lockedStake locks half of the operator's stake: it cannot be taken out, in no epoch of the lock, while the other half can.
func (m moneyTest) lockedStake(t *testing.T) {
	ctx := bounded(t, 2*time.Minute)
	var delegation struct {
		DelegationResponse struct {
			Balance struct{ Amount math.Int }
		} `json:"delegation_response"`
	}
	m.query(ctx, t, &delegation, "staking", "delegation", m.n.Operator, m.n.Valoper)
	stake := delegation.DelegationResponse.Balance.Amount
	half := stake.QuoRaw(2)
	require.NoError(t, m.n.Tx(ctx, "tx", "rewards", "lock-stake", half.String()+devnet.StakeDenom, "1000", "--from", "operator"))
	err := m.n.Tx(ctx, "tx", "staking", "unbond", m.n.Valoper, half.AddRaw(1_000).String()+devnet.StakeDenom, "--from", "operator")
	require.ErrorContains(t, err, "locked")
	err = m.n.Tx(ctx, "tx", "rewards", "lock-stake", half.QuoRaw(2).String()+devnet.StakeDenom, "1000", "--from", "operator")
	require.ErrorContains(t, err, "locked are "+half.String())
	err = m.n.Tx(ctx, "tx", "rewards", "lock-stake", half.String()+devnet.StakeDenom, "2000", "--from", "operator")
	require.ErrorContains(t, err, "1 to 1460")
	require.NoError(t, m.n.Tx(ctx, "tx", "staking", "unbond", m.n.Valoper, "1000"+devnet.StakeDenom, "--from", "operator"))

	current, err := m.n.Chain.Epoch(ctx)
	require.NoError(t, err)
	require.NoError(t, m.n.WaitEpoch(ctx, current.Epoch.Number+1))
	await(ctx, t, "the boost of the next epoch", func() error {
		res, err := rewardstypes.NewQueryClient(m.n.Chain.At(0)).Lock(ctx, &rewardstypes.QueryLockRequest{Operator: m.n.Valoper})
		if err != nil {
			return err
		}
		if !res.Boost.GT(math.LegacyNewDec(3)) { // 1,000 of 1,460 epochs: 1 + 3 * 0.68
			return errNotYet
		}
		return nil
	})
	m.audit(ctx, t)
}

// tokenPrice has the price voted for by the only validator.
func (m moneyTest) tokenPrice(t *testing.T) {
	ctx := bounded(t, 2*time.Minute)
	require.NoError(t, m.n.Tx(ctx, "tx", "rewards", "set-token-price-proposal", "0.5", "--title", "a price", "--summary", "what the market says",
		"--deposit", "50000000"+devnet.StakeDenom, "--from", "operator"))
	require.NoError(t, m.n.Tx(ctx, "tx", "gov", "vote", "1", "yes", "--from", "operator"))
	await(ctx, t, "the price", func() error {
		res, err := rewardstypes.NewQueryClient(m.n.Chain.At(0)).TokenPrice(ctx, &rewardstypes.QueryTokenPriceRequest{})
		if err != nil {
			return err
		}
		if !res.Counted.Equal(math.LegacyNewDecWithPrec(5, 1)) {
			return errNotYet
		}
		return nil
	})
}

// emission pays for content and finds the tokens of its epoch with the node and its delegators, and nowhere else.
func (m moneyTest) emission(t *testing.T) {
	ctx := bounded(t, 3*time.Minute)
	payer := newClientOf(ctx, t, m.n, "payer", 100_000_000)
	o, _ := object(ctx, t, m.n, 64<<20, 77)
	from, err := m.n.Chain.Height(ctx)
	require.NoError(t, err)
	before := stakeSupply(ctx, t, m.n, from)
	outstanding := m.outstanding(ctx, t)

	_, err = payer.Get(ctx, o.Name, t.TempDir()+"/object")
	require.NoError(t, err)
	_, err = m.n.WaitDrained(ctx)
	require.NoError(t, err)
	current, err := m.n.Chain.Epoch(ctx)
	require.NoError(t, err)
	rewards := rewardstypes.NewQueryClient(m.n.Chain.At(0))
	for e := max(current.Epoch.Number, 2) - 1; e <= current.Epoch.Number; e++ {
		_, err = m.n.WaitEpochDone(ctx, e)
		require.NoError(t, err)
	}
	minted, debited := math.ZeroInt(), math.ZeroInt()
	var paid uint64
	for e := uint64(1); e <= current.Epoch.Number; e++ {
		res, err := rewards.EpochSummary(ctx, &rewardstypes.QueryEpochSummaryRequest{Epoch: e})
		require.NoError(t, err)
		s := res.Summary.Emission
		sum := s.Nodes.Add(s.Owners).Add(s.Community).Add(s.SetAside)
		require.True(t, sum.LTE(s.Cap), "epoch %d: minted %s of %s", e, sum, s.Cap)
		minted, debited = minted.Add(sum), debited.Add(res.Summary.Debited)
		if sum.IsPositive() {
			paid = e
		}
		m.audit(ctx, t, "--epoch", fmt.Sprint(e))
	}
	require.True(t, debited.IsPositive())
	require.True(t, minted.IsPositive(), "%s was debited and nothing minted", debited)
	to, err := m.n.Chain.Height(ctx)
	require.NoError(t, err)
	require.Equal(t, minted.String(), stakeSupply(ctx, t, m.n, to).Sub(before).String(), "nothing else makes tokens")

	res, err := rewards.EpochSummary(ctx, &rewardstypes.QueryEpochSummaryRequest{Epoch: paid})
	require.NoError(t, err)
	s := res.Summary
	// The content service is the protocol's: 0.20 of what was debited can be got back by nobody. Half of it in tokens of 0.5.
	u := rewardstypes.Unrecoverable(s.Debited, s.Debited, s.Shares)
	require.True(t, s.Emission.Earned.LTE(u), "earned %s for %s", s.Emission.Earned, u)
	require.True(t, m.outstanding(ctx, t).GTE(outstanding.Add(s.Emission.Nodes.ToLegacyDec())), "the node's tokens are its delegators'")
	m.audit(ctx, t)
}

// outstanding is what x/distribution owes to the node and its delegators, in uedge.
func (m moneyTest) outstanding(ctx context.Context, t *testing.T) math.LegacyDec {
	t.Helper()
	out, err := m.n.Edged(ctx, "query", "distribution", "validator-outstanding-rewards", m.n.Valoper,
		"--node", "tcp://"+strings.TrimPrefix(m.n.RPC(), "http://"), "--output", "json")
	require.NoError(t, err)
	var res struct {
		Rewards struct{ Rewards []string }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &res), "%s", out)
	for _, coin := range res.Rewards.Rewards {
		if amount, ok := strings.CutSuffix(coin, devnet.StakeDenom); ok {
			d, err := math.LegacyNewDecFromStr(amount)
			require.NoError(t, err)
			return d
		}
	}
	return math.LegacyZeroDec()
}
