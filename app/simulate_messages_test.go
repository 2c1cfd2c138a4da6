package app_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

const (
	// simGas is the limit of gas of a transaction that is not a settlement.
	simGas = 700_000
	// simSettleGas and simAckGas bound a settlement of n acknowledgements: simSettleGas + n * simAckGas.
	simSettleGas, simAckGas = 600_000, 40_000
	// simBlockGas leaves room for the reports that the fixture adds.
	simBlockGas = 30_000_000
	// simTxs is the most that a block has of transactions by factories.
	simTxs = 24
)

// messages are the factories of the modules.
type messages struct {
	ours, others []simsx.WeightedFactory
	future       futures
	reporter     *simsx.BasicSimulationReporter
}

// newMessages collects the factories.
func newMessages(a *app.App) messages {
	m := messages{reporter: simsx.NewBasicSimulationReporter()}
	weights := simsx.WeightSourceFn(func(_ string, weight uint32) uint32 { return weight })
	registry := simsx.NewUnorderedRegistry()
	for _, mod := range a.SimulationManager().Modules {
		switch mod := mod.(type) {
		case simsx.HasWeightedOperationsX:
			mod.WeightedOperationsX(weights, registry)
		case simsx.HasWeightedOperationsXWithProposals:
			// The governor proposes, so that something passes.
			mod.WeightedOperationsX(weights, registry, func(func(uint32, simsx.FactoryMethod) bool) {}, nil)
		}
	}
	for _, f := range registry.Elements() {
		if isOurs(sdk.MsgTypeURL(f.Factory.MsgType())) {
			m.ours = append(m.ours, f)
		} else {
			m.others = append(m.others, f)
		}
	}
	return m
}

// leaveOut sends no messages of a type.
func (m *messages) leaveOut(msg sdk.Msg) { m.ours = withoutType(m.ours, msg) }

func withoutType(list []simsx.WeightedFactory, msg sdk.Msg) []simsx.WeightedFactory {
	return slices.DeleteFunc(list, func(f simsx.WeightedFactory) bool {
		return sdk.MsgTypeURL(f.Factory.MsgType()) == sdk.MsgTypeURL(msg)
	})
}

// isOurs reports whether a message is one of our modules.
func isOurs(url string) bool { return strings.HasPrefix(url, "/edge.") }

// ourMessages returns the types of all messages of our modules.
func ourMessages(a *app.App) (urls []string) {
	for _, url := range a.InterfaceRegistry().ListImplementations(sdk.MsgInterfaceProtoName) {
		if isOurs(url) {
			urls = append(urls, url)
		}
	}
	slices.Sort(urls)
	return urls
}

// futures are factories that are to run later; x/gov has votes scheduled.
type futures []futureFactory

type futureFactory struct {
	at      time.Time
	factory simsx.SimMsgFactoryX
}

// Add implements simsx.FutureOpsRegistry.
func (f *futures) Add(at time.Time, factory simsx.SimMsgFactoryX) {
	*f = append(*f, futureFactory{at, factory})
}

// due takes the factories out whose time has come.
func (f *futures) due(now time.Time) (due []simsx.SimMsgFactoryX) {
	var later futures
	for _, x := range *f {
		if x.at.After(now) {
			later = append(later, x)
		} else {
			due = append(due, x.factory)
		}
	}
	*f = later
	return due
}

// choose returns a factory by its weight, in two of three cases one of ours.
func (m *messages) choose(r interface{ Intn(int) int }) simsx.SimMsgFactoryX {
	list := m.ours
	if r.Intn(3) == 0 {
		list = m.others
	}
	sum := 0
	for _, f := range list {
		sum += int(f.Weight)
	}
	n := r.Intn(sum)
	for _, f := range list {
		if n -= int(f.Weight); n < 0 {
			return f.Factory
		}
	}
	panic("unreachable: the weights add up to more")
}

// simTx is a transaction that is on its way.
type simTx struct {
	raw    []byte
	msg    sdk.Msg
	handle simsx.SimDeliveryResultHandler
}

// packer signs transactions for one block: the sequences of a sender follow each other, and the gas has room.
type packer struct {
	s       *simulation
	offsets map[string]uint64
	gas     uint64
	txs     []simTx
}

// gasOf returns the limit that a sender would set.
func gasOf(msg sdk.Msg) uint64 {
	if settle, ok := msg.(*dacktypes.MsgSettle); ok {
		return simSettleGas + simAckGas*uint64(len(settle.Acks))
	}
	return simGas
}

// add puts a message into the block if there is room and its sender can pay the fees.
func (p *packer) add(sender simtypes.Account, msg sdk.Msg, handle simsx.SimDeliveryResultHandler) bool {
	gas := gasOf(msg)
	if p.gas+gas > simBlockGas {
		return false
	}
	offset := p.offsets[string(sender.Address)]
	fees := int64(gas/400+1) * int64(offset+1)
	if p.s.app.BankKeeper.SpendableCoins(p.s.ctx(), sender.Address).AmountOf(app.BondDenom).LT(sdk.NewInt64Coin(app.BondDenom, fees).Amount) {
		return false
	}
	p.txs = append(p.txs, simTx{p.s.tx(sender.PrivKey, gas, offset, msg), msg, handle})
	p.offsets[string(sender.Address)]++
	p.gas += gas
	return true
}

// transactions returns those of the next block.
func (s *simulation) transactions() []simTx {
	s.t.Helper()
	p := &packer{s: s, offsets: make(map[string]uint64)}
	ctx, data := s.dataSource()
	s.governor.act(ctx, s, data, p)
	for _, f := range s.messages.future.due(s.now) {
		s.make(ctx, data, p, f)
	}
	for range s.r.Intn(simTxs) {
		s.make(ctx, data, p, s.messages.choose(s.r))
	}
	if s.r.Intn(40) == 0 {
		s.rotate(p)
	}
	return p.txs
}

// make runs a factory and puts its message into the block.
func (s *simulation) make(ctx sdk.Context, data *simsx.ChainDataSource, p *packer, f simsx.SimMsgFactoryX) {
	s.t.Helper()
	if lazy, ok := f.(simsx.HasFutureOpsRegistry); ok {
		lazy.SetFutureOpsRegistry(&s.messages.future)
	}
	// A factory that gives up goes on with values that are nil, and may panic: it runs where that can be caught.
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	counts := s.tally.of(f.MsgType())
	reporter := s.messages.reporter.WithScope(f.MsgType(), simsx.SkipHookFn(func(args ...any) {
		counts.skipped[fmt.Sprint(args...)]++
		cancel()
	}))
	signers, msg := simsx.SafeRunFactoryMethod(stop, data, reporter, f.Create())
	if reporter.IsSkipped() {
		return
	}
	require.Len(s.t, signers, 1, "%T", msg)
	if !p.add(signers[0].Account, msg, f.DeliveryResultHandler()) {
		counts.skipped["no room in the block, or no money for the fee"]++
	}
}

// rotate has a validator ask for its next consensus key. Most of these come too early after the one before.
func (s *simulation) rotate(p *packer) {
	v := s.validators[s.r.Intn(len(s.validators))]
	known, err := s.app.StakingKeeper.GetValidator(s.ctx(), v.address())
	if err != nil {
		return
	}
	current, err := known.ConsPubKey()
	require.NoError(s.t, err)
	i := slices.IndexFunc(s.validators, func(o *validator) bool { return o == v })
	for n, key := range v.consensus[:len(v.consensus)-1] {
		if key.PubKey().Equals(current) {
			msg, err := stakingtypes.NewMsgRotateConsPubKey(v.address().String(), v.consensus[n+1].PubKey())
			require.NoError(s.t, err)
			p.add(s.people[i], msg, nil)
			return
		}
	}
}

// delivered counts a result.
func (s *simulation) delivered(tx simTx, res *abci.ExecTxResult) {
	s.t.Helper()
	counts := s.tally.of(tx.msg)
	require.NotEqual(s.t, sdkerrors.ErrPanic.ABCICode(), res.Code, "height %d: %T: %s\n%v", s.height()-1, tx.msg, res.Log, tx.msg)
	if res.Code == 0 {
		counts.ok++
	} else {
		// The end of the text is the registered error, what stands before it names ids.
		counts.failed[fmt.Sprintf("%s/%d %.90s", res.Codespace, res.Code, res.Log[strings.LastIndex(res.Log, ": ")+1:])]++
	}
}

// tally says what became of the messages of each type.
type tally map[string]*counts

type counts struct {
	ok int
	// failed and skipped by their reason.
	failed, skipped map[string]int
}

func (t tally) of(msg sdk.Msg) *counts {
	url := sdk.MsgTypeURL(msg)
	if t[url] == nil {
		t[url] = &counts{failed: make(map[string]int), skipped: make(map[string]int)}
	}
	return t[url]
}

// add takes in another tally.
func (t tally) add(other tally) {
	for url, c := range other {
		if t[url] == nil {
			t[url] = &counts{failed: make(map[string]int), skipped: make(map[string]int)}
		}
		t[url].ok += c.ok
		for reason, n := range c.failed {
			t[url].failed[reason] += n
		}
		for reason, n := range c.skipped {
			t[url].skipped[reason] += n
		}
	}
}

// String returns a table: messages that were delivered, that failed, and that were not made, with the reasons of the most.
func (t tally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-52s %7s %7s %7s\n", "message", "ok", "failed", "not made")
	for _, url := range slices.Sorted(maps.Keys(t)) {
		c := t[url]
		fmt.Fprintf(&b, "%-52s %7d %7d %7d\n", url, c.ok, total(c.failed), total(c.skipped))
		if !isOurs(url) {
			continue
		}
		for _, reasons := range []map[string]int{c.failed, c.skipped} {
			most := slices.SortedFunc(maps.Keys(reasons), func(x, y string) int {
				if d := reasons[y] - reasons[x]; d != 0 {
					return d
				}
				return strings.Compare(x, y)
			})
			for _, reason := range most[:min(3, len(most))] {
				fmt.Fprintf(&b, "    %6d  %s\n", reasons[reason], reason)
			}
		}
	}
	return b.String()
}

func total(reasons map[string]int) (n int) {
	for _, c := range reasons {
		n += c
	}
	return n
}
