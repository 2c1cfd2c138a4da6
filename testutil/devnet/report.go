package devnet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cosmos/cosmos-sdk/client/tx"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/edgechain/edge/worker/chain"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const (
	// reportInterval is how often the open epoch is looked at.
	reportInterval = 500 * time.Millisecond
	reportGas      = 300_000
	reportFee      = reportGas / 400
	// reportTimeout is for how long a report that is not in a block can still get there.
	reportTimeout = time.Minute
)

// reporter sends the reports of the validators that run. It signs within this process, because a run of edged for each report
// would take a good part of a small machine, and without a sequence, so that it never gets between what a test sends with the
// same key.
type reporter struct {
	n       *Network
	enc     chain.Encoding
	keys    map[int]keyring.Keyring
	account map[int]uint64
	// sent is the epoch of the last report of each validator.
	sent map[int]uint64
}

// startReports begins to send reports in the background.
func (n *Network) startReports(ctx context.Context) error {
	enc, err := chain.NewEncoding()
	if err != nil {
		return err
	}
	enc.Registry.RegisterImplementations((*sdk.Msg)(nil), &nodetypes.MsgReport{})
	r := &reporter{n: n, enc: enc, keys: map[int]keyring.Keyring{}, account: map[int]uint64{}, sent: map[int]uint64{}}
	for _, v := range n.Nodes {
		if r.keys[v.Index], err = keyring.New("edge", keyring.BackendTest, v.Home, strings.NewReader(""), enc.Codec); err != nil {
			return err
		}
		info, err := authtypes.NewQueryClient(n.Chain.At(0)).AccountInfo(ctx, &authtypes.QueryAccountInfoRequest{Address: v.Operator})
		if err != nil {
			return fmt.Errorf("account of %s: %w", v.Moniker, err)
		}
		r.account[v.Index] = info.Info.AccountNumber
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(ctx)
	}()
	n.endReports = func() error {
		cancel()
		<-done
		return nil
	}
	return nil
}

// run sends a report for each validator in each epoch until ctx ends. One that fails is tried again; a validator that is not
// there, or takes no part, is passed over.
func (r *reporter) run(ctx context.Context) {
	ticker := time.NewTicker(reportInterval)
	defer ticker.Stop()
	said := map[int]string{}
	for {
		for _, v := range r.n.Nodes {
			if !v.reports() {
				continue
			}
			if err := r.report(ctx, v); err != nil && ctx.Err() == nil && said[v.Index] != err.Error() {
				said[v.Index] = err.Error()
				r.n.cfg.logf("report of %s: %v", v.Moniker, err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// report sends the report of a validator, with what it itself has seen, if one is due.
func (r *reporter) report(ctx context.Context, v *Node) error {
	res, err := nodetypes.NewQueryClient(v.Chain.At(0)).Node(ctx, &nodetypes.QueryNodeRequest{Operator: v.Valoper})
	if err != nil || !res.ReportDue || r.sent[v.Index] == res.Epoch {
		return nil //nolint:nilerr // it is not up yet, or never opted in
	}
	status, err := v.Chain.RPC.Status(ctx)
	if err != nil || status.SyncInfo.CatchingUp {
		return nil //nolint:nilerr // it is not up yet
	}
	height := status.SyncInfo.LatestBlockHeight - 1 // the newest block may not be executed yet
	if height < res.EpochHeight {
		return nil // the first block of the epoch is still to come
	}
	commit, err := v.Chain.RPC.Commit(ctx, &height)
	if err != nil {
		return err
	}
	builder := r.enc.TxConfig.NewTxBuilder()
	if err := builder.SetMsgs(&nodetypes.MsgReport{
		Sender: v.Operator, Operator: v.Valoper, Epoch: res.Epoch, Height: height, HeaderHash: commit.Header.Hash(),
	}); err != nil {
		return err
	}
	builder.SetGasLimit(reportGas)
	builder.SetFeeAmount(sdk.NewCoins(sdk.NewInt64Coin(StakeDenom, reportFee)))
	builder.SetUnordered(true)
	builder.SetTimeoutTimestamp(time.Now().Add(reportTimeout))
	factory := tx.Factory{}.WithChainID(r.n.cfg.ChainID).WithKeybase(r.keys[v.Index]).WithTxConfig(r.enc.TxConfig).
		WithAccountNumber(r.account[v.Index]).WithUnordered(true)
	if err := tx.Sign(ctx, factory, operatorKey, builder, true); err != nil {
		return err
	}
	raw, err := r.enc.TxConfig.TxEncoder()(builder.GetTx())
	if err != nil {
		return err
	}
	sent, err := v.Chain.RPC.BroadcastTxSync(ctx, raw)
	if err != nil {
		return err
	}
	if sent.Code != 0 {
		return errors.New(sent.Log)
	}
	r.sent[v.Index] = res.Epoch
	return nil
}
