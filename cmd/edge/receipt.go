package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/client/flags"

	"github.com/edgechain/edge/client/chain"
	"github.com/edgechain/edge/client/fetch"
	"github.com/edgechain/edge/client/lane"
	"github.com/edgechain/edge/client/receipt"
	"github.com/edgechain/edge/client/receipt/onchain"
)

func newReceiptCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "receipt",
		Short: "Show, check and write receipts of what was acknowledged",
		Long: `A receipt is a signed acknowledgement with the requests behind it. Whoever holds the file can check it: the client that
paid, the node that served, and anybody else. edge get --receipt FILE writes one, and edge-worker receipts writes those that
a worker holds.`,
		Example: `  edge get NAME -o file.iso --receipt receipt.json
  edge receipt verify receipt.json
  edge receipt verify receipt.json --node http://localhost:26657`,
	}
	cmd.AddCommand(newReceiptShowCommand(a), newReceiptVerifyCommand(a), newReceiptExportCommand(a))
	return group(cmd)
}

// readReceipts reads a file of receipts; - is standard input.
func readReceipts(cmd *cobra.Command, path string) (*receipt.File, error) {
	if path == "-" {
		f, err := receipt.Read(cmd.InOrStdin())
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		return f, nil
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := receipt.Read(in)
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func newReceiptShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show FILE",
		Short:   "Show what receipts say, without checking it",
		Long:    `Shows what the receipts in FILE say; - is standard input. Nothing of it is checked: edge receipt verify does that.`,
		Example: "  edge receipt show receipt.json\n  edge receipt show receipt.json --output json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := readReceipts(cmd, args[0])
			if err != nil {
				return err
			}
			var text strings.Builder
			fmt.Fprintf(&text, "chain %s, %d receipts; nothing is checked, edge receipt verify does that\n", f.ChainID, len(f.Receipts))
			for i := range f.Receipts {
				showReceipt(&text, &f.Receipts[i])
			}
			return a.print(cmd, f, "%s", text.String())
		},
	}
}

func receiptTitle(r *receipt.Receipt) string {
	k := &r.Acknowledgement
	return fmt.Sprintf("epoch %d, worker %d, key %d of account %d, service %d, lane %d", k.Epoch, k.WorkerID, k.KeyID, r.AccountID, k.ServiceID, k.Lane)
}

func showReceipt(w io.Writer, r *receipt.Receipt) {
	k := &r.Acknowledgement
	fmt.Fprintf(w, "%s\n  %d bytes and %d fuel in %d finished requests\n  head %s\n  signed by %s\n", receiptTitle(r), k.Bytes, k.Fuel, k.Requests, k.Head, r.PublicKey)
	if r.Requests == nil {
		fmt.Fprintln(w, "  chain not included: the requests are not listed")
		return
	}
	for i := range r.Requests.List {
		q := &r.Requests.List[i]
		what := "request " + q.Request.String() + " answered with " + q.Response.String()
		if q.Content != nil {
			what = fmt.Sprintf("content %s, %d bytes from %d on", q.Response, q.Content.Length, q.Content.Offset)
		}
		fmt.Fprintf(w, "  %d: %s; took %d bytes and %d fuel", i+1, what, q.Bytes, q.Fuel)
		if q.EarlierBytes > 0 {
			fmt.Fprintf(w, ", %d bytes of it in earlier epochs", q.EarlierBytes)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "  unfinished requests took %d bytes and %d fuel\n", r.Requests.UnfinishedBytes, r.Requests.UnfinishedFuel)
}

// verifyOutput is what became of the receipts of a file.
type verifyOutput struct {
	File     string          `json:"file"`
	ChainID  string          `json:"chain_id"`
	Valid    bool            `json:"valid"`
	Receipts []verifiedEntry `json:"receipts"`
}

type verifiedEntry struct {
	AccountID       uint64                  `json:"account_id"`
	PublicKey       receipt.Digest          `json:"public_key"`
	Acknowledgement receipt.Acknowledgement `json:"acknowledgement"`
	Valid           bool                    `json:"valid"`
	Checks          receipt.Checks          `json:"checks"`
	// Chain is what the chain knows; missing if it was not asked.
	Chain *onchain.Found `json:"chain,omitempty"`
}

func newReceiptVerifyCommand(a *app) *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check receipts, and ask the chain what was settled and paid for them",
		Long: `Checks the receipts in FILE; - is standard input. It needs no home, no key and no network: that the key has signed the
acknowledgement for this chain and for its account, that the receipts of the listed requests lead to the head, and that what
they took adds up to what was acknowledged.

If a node is named, by --node, EDGE_NODE or config.toml, the chain is asked as well: whether key and account are the
registered ones, who operates the worker, whether the acknowledgement is settled, an older or a newer one is, what was paid
on its lane, and where the money of its epoch went once that is paid out. --offline leaves the chain out.

The exit code is 0 if everything that could be checked holds, and 1 if not.`,
		Example: `  edge receipt verify receipt.json
  edge receipt verify receipt.json --node http://localhost:26657
  edge receipt verify - --offline --output json < receipt.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var c *chain.Client
			if !offline && cmd.Flags().Changed(flags.FlagNode) {
				var err error
				if c, err = a.chain(); err != nil {
					return err
				}
			}
			f, err := readReceipts(cmd, args[0])
			if err != nil {
				return err
			}
			return a.verifyReceipts(cmd, f, args[0], c)
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "do not ask the chain even if a node is configured")
	return cmd
}

func (a *app) verifyReceipts(cmd *cobra.Command, f *receipt.File, path string, c *chain.Client) error {
	out := verifyOutput{File: path, ChainID: f.ChainID, Valid: true}
	var text strings.Builder
	fmt.Fprintf(&text, "chain %s\n", f.ChainID)
	var fault error
	note := func(i int, err error) {
		if err == nil {
			return
		}
		out.Receipts[i].Valid, out.Valid = false, false
		if fault == nil {
			fault = fmt.Errorf("receipt %d of %d is not valid: %w", i+1, len(f.Receipts), err)
		}
	}
	for i := range f.Receipts {
		r := &f.Receipts[i]
		e := verifiedEntry{AccountID: r.AccountID, PublicKey: r.PublicKey, Acknowledgement: r.Acknowledgement, Valid: true, Checks: f.Verify(i)}
		out.Receipts = append(out.Receipts, e)
		note(i, e.Checks.Err())
		fmt.Fprintln(&text, receiptTitle(r))
		writeChecks(&text, e.Checks)
		if c == nil {
			continue
		}
		found, err := onchain.Look(cmd.Context(), c, f, i)
		if err != nil {
			return err
		}
		out.Receipts[i].Chain = found
		note(i, found.Checks.Err())
		writeFound(&text, found)
	}
	return errors.Join(a.print(cmd, out, "%s", text.String()), fault)
}

func writeChecks(w io.Writer, checks receipt.Checks) {
	for _, c := range checks {
		fmt.Fprintf(w, "  %-12s  %s: %s\n", c.Outcome, c.Name, c.Detail)
	}
}

func writeFound(w io.Writer, found *onchain.Found) {
	fmt.Fprintf(w, "  on the chain at height %d:\n", found.Height)
	writeChecks(w, found.Checks)
	switch found.Settled {
	case onchain.SettledNot:
		fmt.Fprintln(w, "  nothing of the lane is settled")
	case onchain.SettledGone:
		fmt.Fprintln(w, "  the epoch is dead; what was settled of its lanes is not kept any more")
	case onchain.SettledAt:
		fmt.Fprintln(w, "  this acknowledgement is settled")
	case onchain.SettledBelow:
		fmt.Fprintln(w, "  an older acknowledgement of the lane is settled")
	case onchain.SettledAbove:
		fmt.Fprintln(w, "  a newer acknowledgement of the lane is settled, which replaces this one")
	case onchain.SettledOther:
		fmt.Fprintln(w, "  what is settled of the lane is of another chain of receipts")
	}
	if found.Paid != "" {
		fmt.Fprintf(w, "  paid on the lane %s%s", found.Paid, found.Denom)
		if found.Price != "" {
			fmt.Fprintf(w, "; this acknowledgement costs %s%s, of which %s%s are owed", found.Price, found.Denom, found.Owed, found.Denom)
		}
		fmt.Fprintln(w)
	}
	for _, s := range found.Summaries {
		fmt.Fprintf(w, "  epoch %d: debited %s%s from all clients; nodes got %s, owners %s, the community pool %s, set aside %s\n",
			s.Epoch, s.Debited, found.Denom, s.Nodes, s.Owners, s.Community, s.SetAside)
	}
}

type exportOptions struct {
	file        string
	key, worker uint64
	epoch       uint64
}

func newReceiptExportCommand(a *app) *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the receipts of the lanes on this machine",
		Long: `Writes receipts of what the client keys on this machine have acknowledged: of each lane its newest epoch and the one
before. Flags narrow them. It needs no network. A lane whose requests are not all known, because its state was lost or they
were too many, has a receipt without them.`,
		Example: `  edge receipt export -o receipts.json
  edge receipt export --worker 3 --epoch 12`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.exportReceipts(cmd, &o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "o", "-", "file to write, - for standard output")
	f.Uint64Var(&o.key, flagKey, 0, "only of this client key")
	f.Uint64Var(&o.worker, "worker-id", 0, "only of this worker")
	f.Uint64Var(&o.epoch, "epoch", 0, "only of this epoch")
	return cmd
}

func (a *app) exportReceipts(cmd *cobra.Command, o *exportOptions) error {
	chainID, err := a.keyChain()
	if err != nil {
		return err
	}
	keys, err := clientKeys(a.home, chainID)
	if err != nil {
		return err
	}
	var receipts []receipt.Receipt
	for _, k := range keys {
		if o.key != 0 && k.KeyID != o.key {
			continue
		}
		ids, err := lane.List(a.laneHome, chainID, k.KeyID)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if o.worker != 0 && id.WorkerID != o.worker {
				continue
			}
			list, err := a.laneReceipts(k, id)
			if err != nil {
				return err
			}
			for _, r := range list {
				if o.epoch == 0 || r.Acknowledgement.Epoch == o.epoch {
					receipts = append(receipts, r)
				}
			}
		}
	}
	if len(receipts) == 0 {
		return errors.New("the lanes on this machine have acknowledged nothing like that")
	}
	return a.writeReceipts(cmd, o.file, receipt.New(chainID, receipts))
}

// keyChain is the chain whose client keys are meant: the configured one, or the only one that has any.
func (a *app) keyChain() (string, error) {
	if a.chainID != "" {
		return a.chainID, nil
	}
	chains, err := keyChains(a.home)
	switch {
	case err != nil:
		return "", err
	case len(chains) == 0:
		return "", errors.New("there are no client keys on this machine")
	case len(chains) > 1:
		return "", usagef("there are client keys of %s; say with --chain-id which chain is meant", strings.Join(chains, ", "))
	}
	return chains[0], nil
}

// laneReceipts returns the receipts of a lane, oldest epoch first.
func (a *app) laneReceipts(k *clientKey, id lane.ID) ([]receipt.Receipt, error) {
	private, err := k.private()
	if err != nil {
		return nil, err
	}
	public := private.Public().(ed25519.PublicKey)
	held, err := lane.Read(a.laneHome, id, public)
	if err != nil {
		return nil, fmt.Errorf("lane %d of key %d with worker %d: %w", id.Lane, id.KeyID, id.WorkerID, err)
	}
	proof := receipt.Signature(ed25519.Sign(private, chain.KeyProof(k.ChainID, k.AccountID)))
	var out []receipt.Receipt
	for i := range held {
		out = append(out, receipt.Of(k.AccountID, [32]byte(public), &proof, &held[i]))
	}
	return out, nil
}

func (a *app) writeReceipts(cmd *cobra.Command, path string, f *receipt.File) error {
	b, err := f.Encode()
	if err != nil {
		return err
	}
	if path == "-" {
		_, err := cmd.OutOrStdout().Write(b)
		return err
	}
	return writeFile(path, b, 0o600)
}

// saveReceipts writes the receipts of what a fetch has acknowledged.
func (a *app) saveReceipts(cmd *cobra.Command, path string, p *fetch.Payer, report *fetch.Report) error {
	keys, err := clientKeys(a.home, p.ChainID)
	if err != nil {
		return err
	}
	var key *clientKey
	for _, k := range keys {
		if k.KeyID == p.KeyID {
			key = k
		}
	}
	if key == nil {
		return fmt.Errorf("client key %d is gone", p.KeyID)
	}
	var receipts []receipt.Receipt
	for _, acked := range report.Acknowledged {
		list, err := a.laneReceipts(key, lane.ID{
			ChainID: p.ChainID, KeyID: p.KeyID, WorkerID: acked.WorkerID, ServiceID: chain.ContentService, Lane: acked.Lane,
		})
		if err != nil {
			return err
		}
		for _, r := range list {
			// Another fetch on the lane may have acknowledged more since.
			if r.Acknowledgement.Epoch == acked.Epoch {
				receipts = append(receipts, r)
			}
		}
	}
	if len(receipts) == 0 {
		return errors.New("no receipt is written: nothing was acknowledged")
	}
	return a.writeReceipts(cmd, path, receipt.New(p.ChainID, receipts))
}

// checkReceiptFile finds out before anything is paid whether a receipt can be written.
func checkReceiptFile(o *getOptions, p *plan) error {
	if o.receipt == "" {
		return nil
	}
	if p.payer == nil {
		return errors.New("a receipt is of what was paid, and there is no client key to pay with; register one with edge account add-key")
	}
	info, err := os.Stat(filepath.Dir(o.receipt))
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no folder", filepath.Dir(o.receipt))
	}
	return nil
}
