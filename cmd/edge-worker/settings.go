package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/config"
	"github.com/edgechain/edge/worker/console"
	"github.com/edgechain/edge/worker/gateway"
	"github.com/edgechain/edge/worker/report"
	"github.com/edgechain/edge/worker/rollup"
	"github.com/edgechain/edge/worker/session"
)

// settings are the configurations of the parts, as the file has them.
type settings struct {
	chain    chain.Config
	nodes    chain.NodesConfig
	gateway  gateway.Config
	session  session.Config
	rollup   rollup.Config
	report   report.Config
	gasPrice sdk.DecCoin
}

// newSettings turns the file into the configurations of the parts. Fee account and peer key are not known yet.
func newSettings(c *config.Config) (settings, error) {
	price, err := sdk.ParseDecCoin(c.Rollup.GasPrice)
	if err != nil || !price.Amount.GT(math.LegacyZeroDec()) {
		return settings{}, fmt.Errorf("rollup.gas_price %q, want a positive amount with a denomination such as 0.0025uedge", c.Rollup.GasPrice)
	}
	s := settings{gasPrice: price, session: session.DefaultConfig()}
	s.chain = chain.Config{
		ChainID: c.Chain.ChainID, WorkerID: c.Worker.ID, FeeDenom: price.Denom, PollInterval: c.Chain.PollInterval.Std(),
		MaxLag: c.Chain.MaxLag.Std(), QueryTimeout: c.Chain.QueryTimeout.Std(), CacheSize: c.Chain.CacheSize,
		CacheTTL: c.Chain.CacheTTL.Std(), MaxQueries: c.Chain.MaxQueries,
		MaxQueued: c.Chain.MaxQueued, QueueTimeout: c.Chain.QueueTimeout.Std(), Events: c.Chain.Events,
	}
	g := &c.Gateway
	s.gateway = gateway.DefaultConfig()
	s.gateway.Listen, s.gateway.AdminListen = g.Listen, g.AdminListen
	s.gateway.FreeQuotaBytes, s.gateway.FreeQuotaWindow, s.gateway.FreeQuotaAddresses = g.FreeQuotaBytes, g.FreeQuotaWindow.Std(), g.FreeQuotaAddresses
	s.gateway.FreeQuotaTotalBytes, s.gateway.DrainGrace = g.FreeQuotaTotalBytes, g.DrainGrace.Std()
	s.gateway.MaxConnections, s.gateway.MaxRequests, s.gateway.RetryAfter = g.MaxConnections, g.MaxRequests, g.RetryAfter.Std()
	s.gateway.MaxConnectionsPerAddress, s.gateway.MaxRequestsPerAddress, s.gateway.MaxAckRequests = g.MaxConnectionsPerAddress, g.MaxRequestsPerAddress, g.MaxAckRequests
	s.gateway.HeaderTimeout, s.gateway.BodyTimeout, s.gateway.IdleTimeout = g.HeaderTimeout.Std(), g.BodyTimeout.Std(), g.IdleTimeout.Std()
	s.gateway.WriteTimeout, s.gateway.CheckTimeout = g.WriteTimeout.Std(), g.CheckTimeout.Std()
	setProtocols(&s.gateway, g)
	s.gateway.MaxHeaderBytes, s.gateway.MaxBodyBytes, s.gateway.StepBytes = g.MaxHeaderBytes, g.MaxBodyBytes, g.StepBytes
	s.gateway.MinUploadBytesPerSecond = g.MinUploadBytesPerSecond
	s.session.Base, s.session.MaxUnsettled, s.session.StallTimeout = c.Credit.Base, c.Credit.MaxUnsettled, c.Credit.StallTimeout.Std()
	s.session.MaxSessions, s.session.IdleTimeout, s.session.RetryAfter = g.MaxSessions, g.SessionTimeout.Std(), g.RetryAfter.Std()
	s.session.ChallengeTTL, s.session.MaxChallenges = g.ChallengeTTL.Std(), g.MaxChallenges
	s.session.AccountTTL, s.session.MaxAccounts = c.Credit.AccountTTL.Std(), c.Credit.MaxAccounts
	s.session.MaxLanes, s.session.MaxReceipts = c.Credit.MaxLanes, c.Credit.MaxReceipts
	s.session.MaxSessionsPerAccount = g.MaxSessionsPerAccount
	s.session.MaxAccountReceipts, s.session.MaxTotalReceipts = c.Credit.MaxReceiptsPerAccount, c.Credit.MaxReceiptsTotal
	r := &c.Rollup
	s.rollup = rollup.Config{
		Interval: r.Interval.Std(), MinValue: r.MinValue, MaxValue: r.MaxValue, Drain: r.Drain.Std(), Alarm: r.Alarm.Std(),
		TimeoutBlocks: r.TimeoutBlocks, Rebroadcast: r.Rebroadcast.Std(), FirstBackoff: r.FirstBackoff.Std(),
		LastBackoff: r.LastBackoff.Std(), PartialBackoff: r.PartialBackoff.Std(), LastPartialBackoff: r.LastPartialBackoff.Std(),
		CallTimeout: r.CallTimeout.Std(),
	}
	s.rollup.MaxFee = maxFee(c, price)
	s.rollup.HurryValue, s.rollup.HurrySpacing = hurryValue(c), r.HurrySpacing.Std()
	if s.rollup.HurrySpacing < leastHurrySpacing {
		return settings{}, fmt.Errorf("rollup.hurry_spacing %s, want at least %s", s.rollup.HurrySpacing, leastHurrySpacing)
	}
	for _, number := range []struct {
		name, text string
		value      **big.Rat
	}{
		{"risk_share", r.RiskShare, &s.rollup.RiskShare},
		{"fee_value", r.FeeValue, &s.rollup.FeeValue},
		{"max_fee_share", r.MaxFeeShare, &s.rollup.MaxFeeShare},
	} {
		if *number.value, err = decimal(number.text); err != nil {
			return settings{}, fmt.Errorf("rollup.%s: %w", number.name, err)
		}
	}
	s.nodes = chain.DefaultNodesConfig()
	s.nodes.ChainID, s.nodes.ProbeInterval, s.nodes.MaxBehind, s.nodes.Failback = c.Chain.ChainID, c.Chain.ProbeInterval.Std(), c.Chain.MaxBehind, c.Chain.Failback.Std()
	if _, err := chain.SplitEndpoints(c.Chain.RPC); err != nil {
		return settings{}, fmt.Errorf("chain.rpc: %w", err)
	}
	s.report = report.Config{
		Validity: c.Report.Validity.Std(), FirstBackoff: c.Report.FirstBackoff.Std(), LastBackoff: c.Report.LastBackoff.Std(),
		CallTimeout: c.Report.CallTimeout.Std(),
	}
	return s, nil
}

const (
	// leastHurrySpacing is about a block.
	leastHurrySpacing = time.Second
	// hurryShare is the part of the base credit that is settled early by default: a stream hints at half of its limit.
	hurryShare = 4
)

// maxSettleGas is the gas of a settlement that may be paid for by default: a little more than the largest takes by the default
// parameters of the chain.
const maxSettleGas = 12_000_000

// maxFee is what a settlement may cost at most.
func maxFee(c *config.Config, price sdk.DecCoin) *big.Int {
	if c.Rollup.MaxFee == nil || c.Rollup.MaxFee.Sign() != 0 {
		return c.Rollup.MaxFee
	}
	return price.Amount.MulInt64(maxSettleGas).Ceil().TruncateInt().BigInt()
}

// hurryValue is what is settled early at least.
func hurryValue(c *config.Config) *big.Int {
	if c.Rollup.HurryValue.Sign() != 0 || c.Credit.Base == nil {
		return c.Rollup.HurryValue
	}
	share := new(big.Int).Quo(c.Credit.Base, big.NewInt(hurryShare))
	if share.Sign() == 0 {
		share.SetInt64(1)
	}
	return share
}

// validate returns all faults of a configuration, by section.
func validate(c *config.Config) error {
	s, err := newSettings(c)
	if err != nil {
		return err
	}
	// Any key serves to check the rest.
	s.chain.PeerKey = make([]byte, 32)
	_, originErr := originConfig(c, "")
	errs := []error{
		within("chain", s.chain.Validate()),
		within("chain", s.nodes.Validate()),
		within("keys", checkGranters(c.Keys)),
		within("gateway", s.gateway.Validate()),
		checkSessions(c, &s.session),
		within("rollup", s.rollup.Validate()),
		within("report", s.report.Validate()),
		within("store", storeConfig(c, "x").Validate()),
		within("console", console.Config{SaveInterval: c.Console.SaveInterval.Std()}.Validate()),
		within("origin", originErr),
		within("log", checkLevel(c.Log.Level)),
	}
	errs = append(errs, within("worker", checkMemory(c)))
	if c.Worker.StopTimeout <= 0 {
		errs = append(errs, errors.New("worker: stop_timeout must be positive"))
	}
	for _, bound := range []struct {
		name  string
		value int
	}{{"max_lanes", c.Pool.MaxLanes}, {"max_exposures", c.Pool.MaxExposures}, {"max_in_flight", c.Pool.MaxInFlight}} {
		if bound.value <= 0 {
			errs = append(errs, fmt.Errorf("pool: %s must be positive", bound.name))
		}
	}
	backends := []string{keyring.BackendTest, keyring.BackendFile, keyring.BackendOS}
	if !slices.Contains(backends, c.Keys.Backend) {
		errs = append(errs, fmt.Errorf("keys: backend %q, want one of %v", c.Keys.Backend, backends))
	}
	if c.Keys.Name == "" {
		errs = append(errs, errors.New("keys: name is empty"))
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		errs = append(errs, fmt.Errorf("log: format %q, want text or json", c.Log.Format))
	}
	return errors.Join(errs...)
}

// checkSessions returns what is wrong with the bounds of sessions, by the keys that they have in the file: those of two sections.
func checkSessions(c *config.Config, s *session.Config) error {
	var errs []error
	g, cr := &c.Gateway, &c.Credit
	for _, bound := range []struct {
		name string
		ok   bool
	}{
		{"credit: base", cr.Base.Sign() > 0},
		{"credit: max_unsettled", cr.MaxUnsettled.Sign() > 0},
		{"credit: stall_timeout", cr.StallTimeout > 0},
		{"credit: account_ttl", cr.AccountTTL > 0},
		{"credit: max_accounts", cr.MaxAccounts > 0},
		{"credit: max_lanes", cr.MaxLanes > 0},
		{"credit: max_receipts", cr.MaxReceipts > 0},
		{"credit: max_receipts_per_account", cr.MaxReceiptsPerAccount > 0},
		{"credit: max_receipts_total", cr.MaxReceiptsTotal > 0},
		{"gateway: challenge_ttl", g.ChallengeTTL > 0},
		{"gateway: max_challenges", g.MaxChallenges > 0},
		{"gateway: session_timeout", g.SessionTimeout > 0},
		{"gateway: max_sessions", g.MaxSessions > 0},
		{"gateway: max_sessions_per_account", g.MaxSessionsPerAccount > 0},
	} {
		if !bound.ok {
			errs = append(errs, fmt.Errorf("%s must be positive", bound.name))
		}
	}
	if g.RetryAfter <= 0 || len(errs) > 0 { // the gateway's own check names retry_after
		return errors.Join(errs...)
	}
	return within("credit", s.Validate())
}

// checkLevel returns an error unless a text is a level of the log.
func checkLevel(text string) error {
	var level slog.Level
	if level.UnmarshalText([]byte(text)) != nil {
		return fmt.Errorf("level %q, want debug, info, warn or error", text)
	}
	return nil
}

// poolOptions are those of the pool, for the worker and for the commands that read it while the worker does not run.
func poolOptions(c *config.Config, log *slog.Logger) ackpool.Options {
	return ackpool.Options{MaxLanes: c.Pool.MaxLanes, MaxExposures: c.Pool.MaxExposures, MaxInFlight: c.Pool.MaxInFlight, Logger: log}
}

// decimal reads a number such as 0.25 that is not negative.
func decimal(text string) (*big.Rat, error) {
	if len(text) > 32 || strings.Trim(text, "0123456789.") != "" {
		return nil, fmt.Errorf("%q is no number such as 0.25", text)
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, fmt.Errorf("%q is no number such as 0.25", text)
	}
	return value, nil
}

// checkGranters returns an error unless the accounts that grant are addresses of this chain, or empty.
func checkGranters(c config.Keys) error {
	enc, err := chain.NewEncoding()
	if err != nil {
		return err
	}
	for _, granter := range []struct{ name, address string }{{"granter", c.Granter}, {"fee_granter", c.FeeGranter}} {
		if granter.address == "" {
			continue
		}
		if _, err := enc.Addresses.StringToBytes(granter.address); err != nil {
			return fmt.Errorf("%s %q is no address such as edge1...: %w", granter.name, granter.address, err)
		}
	}
	return nil
}

// newNodes returns the nodes of the chain.
func newNodes(c *config.Config, s *settings, enc chain.Encoding, log *slog.Logger, reg prometheus.Registerer) (*chain.Nodes, error) {
	endpoints, err := chain.Dial(c.Chain.RPC, enc)
	if err != nil {
		return nil, err
	}
	return chain.NewNodes(s.nodes, endpoints, log, reg)
}

// newSigner returns who signs for the worker's account.
func newSigner(c *config.Config, s *settings, keys keyring.Keyring, enc chain.Encoding) (*rollup.KeyringSigner, error) {
	signer, err := rollup.NewKeyringSigner(keys, c.Keys.Name, enc, s.gasPrice)
	if err != nil {
		return nil, err
	}
	return signer.Delegate(c.Keys.Granter, c.Keys.FeeGranter)
}

func within(section string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", section, err)
}
