package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/edgechain/edge/client/receipt"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/config"
)

// receiptFilter says of which lanes receipts are wanted.
type receiptFilter struct {
	key uint64
	// epoch, 0 for all that are held. service and lane below 0 are any.
	epoch         uint64
	service, lane int64
}

func (a *app) receiptsCommand() *cobra.Command {
	var f receiptFilter
	var file string
	cmd := &cobra.Command{
		Use: "receipts", Short: "Write receipts of what a client key has acknowledged", Args: args(cobra.NoArgs),
		Long: `receipts writes the newest acknowledgements that the pool holds of a client key, with the key as the chain has it, in the
format that 'edge receipt verify' checks. The worker does not keep the requests behind them: the receipt chain is not
included, only its head. Files that clients write have it. The chain has to be in sight. It works while the worker runs and
while it does not.`,
		Example: "  edge-worker receipts --key 7 --file receipts.json\n  edge-worker receipts --key 7 --epoch 12 --lane 0",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.key == 0 {
				return usagef("--key must name a client key")
			}
			c, err := a.load()
			if err != nil {
				return err
			}
			out, err := a.receipts(cmd.Context(), &c, f)
			if err != nil {
				return err
			}
			b, err := out.Encode()
			if err != nil {
				return err
			}
			if file == "-" {
				_, err := cmd.OutOrStdout().Write(b)
				return err
			}
			if err := writeNew(file, b); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%d receipts in %s; chain not included: the worker does not keep requests\n", len(out.Receipts), file)
			return err
		},
	}
	set := cmd.Flags()
	set.StringVar(&file, "file", "-", "file to write, which must not exist; - for standard output")
	set.Uint64Var(&f.key, "key", 0, "id of the client key")
	set.Uint64Var(&f.epoch, "epoch", 0, "only of this epoch")
	set.Int64Var(&f.service, "service", -1, "only of this service")
	set.Int64Var(&f.lane, "lane", -1, "only of this lane")
	return cmd
}

// receipts asks the running worker, or reads the pool of one that does not run.
func (a *app) receipts(ctx context.Context, c *config.Config, f receiptFilter) (_ *receipt.File, err error) {
	admin := a.adminClient(c)
	if admin.token, err = a.home.readToken(); err != nil {
		return nil, err
	}
	var doc json.RawMessage
	err = admin.get(ctx, pathReceipts+"?"+f.values().Encode(), &doc)
	if err == nil {
		return receipt.Decode(doc)
	}
	if !errors.Is(err, errNotRunning) {
		return nil, err
	}
	if _, err := os.Stat(a.home.pool()); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no pool in %s", a.home.pool())
	}
	pool, err := ackpool.Open(a.home.pool(), poolOptions(c, slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	follower, err := a.observe(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, follower.Stop(ctx)) }()
	return heldReceipts(ctx, pool, follower, f)
}

func (f *receiptFilter) values() url.Values {
	return url.Values{
		"key": {strconv.FormatUint(f.key, 10)}, "epoch": {strconv.FormatUint(f.epoch, 10)},
		"service": {strconv.FormatInt(f.service, 10)}, "lane": {strconv.FormatInt(f.lane, 10)},
	}
}

func parseFilter(v url.Values) (f receiptFilter, err error) {
	var errs [4]error
	f.key, errs[0] = strconv.ParseUint(v.Get("key"), 10, 64)
	f.epoch, errs[1] = strconv.ParseUint(v.Get("epoch"), 10, 64)
	f.service, errs[2] = strconv.ParseInt(v.Get("service"), 10, 64)
	f.lane, errs[3] = strconv.ParseInt(v.Get("lane"), 10, 64)
	return f, errors.Join(errs[:]...)
}

// takes reports whether a lane is wanted.
func (f *receiptFilter) takes(e *ackpool.Entry) bool {
	return (f.service < 0 || uint64(f.service) == e.Signed.ServiceID) && (f.lane < 0 || f.lane == int64(e.Signed.Lane))
}

// heldPool is what receipts are read from.
type heldPool interface {
	Ledger() ackpool.Ledger
	LaneEntries(epoch, keyID uint64) []ackpool.Entry
}

// keyChain answers what the chain has of a key.
type keyChain interface {
	View() (chain.View, bool)
	Stale() error
	Key(ctx context.Context, id uint64) (chain.Key, error)
}

// heldReceipts returns the receipts of a key's lanes, by epoch, service and lane.
func heldReceipts(ctx context.Context, pool heldPool, c keyChain, f receiptFilter) (*receipt.File, error) {
	view, ok := c.View()
	if !ok {
		return nil, fmt.Errorf("the chain is not in sight: %w", c.Stale())
	}
	key, err := c.Key(ctx, f.key)
	if err != nil {
		return nil, fmt.Errorf("client key %d: %w", f.key, err)
	}
	if len(key.PublicKey) != len(receipt.Digest{}) {
		return nil, fmt.Errorf("client key %d: public key of %d bytes", f.key, len(key.PublicKey))
	}
	var list []receipt.Receipt
	for _, e := range pool.Ledger().Epochs {
		if f.epoch != 0 && e.Epoch != f.epoch {
			continue
		}
		for _, entry := range pool.LaneEntries(e.Epoch, f.key) {
			if f.takes(&entry) && len(list) < receipt.MaxReceipts {
				list = append(list, receipt.Receipt{
					AccountID: key.AccountID, PublicKey: receipt.Digest(key.PublicKey), Acknowledgement: receipt.NewAcknowledgement(&entry.Signed),
				})
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("the pool holds no acknowledgement like that of client key %d", f.key)
	}
	return receipt.New(view.ChainID, list), nil
}

// serveReceipts answers the command. Signatures of clients are not for everybody on this machine.
func (w *worker) serveReceipts(rw http.ResponseWriter, r *http.Request) {
	if !sameToken(r.Header.Get(tokenHeader), w.token) {
		answer(rw, http.StatusForbidden, adminError{"the admin token of the home folder is needed"})
		return
	}
	f, err := parseFilter(r.URL.Query())
	if err != nil {
		answer(rw, http.StatusBadRequest, adminError{err.Error()})
		return
	}
	out, err := heldReceipts(r.Context(), w.pool, w.follower, f)
	if err != nil {
		answer(rw, http.StatusNotFound, adminError{err.Error()})
		return
	}
	b, err := out.Encode()
	if err != nil {
		answer(rw, http.StatusInternalServerError, adminError{err.Error()})
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-store")
	// A client that went away is no fault of the worker.
	_, _ = rw.Write(b)
}
