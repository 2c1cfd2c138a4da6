package devnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/testutil/accounting"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

// Object is a file in the worker's store.
type Object struct {
	// Path of the file, Name of its content.
	Path, Name string
	Size       int64
}

// Fetched is what the client fetched.
type Fetched struct {
	Files int
	Bytes uint64
	Took  time.Duration
}

// Outcome is the whole path, from the fetch to the payouts.
type Outcome struct {
	Fetched Fetched
	Signed  Signed
	Ledger  Ledger
	accounting.Report
	// Tokens is what became of the coin that is staked, in the same epochs.
	Tokens Tokens
	// FromHeight and ToHeight are the heights between which the balances were compared.
	FromHeight, ToHeight int64
	Share                math.LegacyDec
}

// Tokens is what became of the coin that is staked and pays fees.
type Tokens struct {
	SupplyBefore, SupplyAfter math.Int
	Minted, Burned            math.Int
	// Checks counts the equations that were tried.
	Checks int
}

// Files lists the regular files below a folder in order.
func Files(folder string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("there is no file in %s", folder)
	}
	return files, err
}

// PlantEnv names the environment variable that plants a fault into the balances as they were read, so that a test can see
// that the sums notice: "PARTY+N" or "PARTY-N", the party being accounts, rewards, operator, community or supply.
const PlantEnv = "EDGE_DEVNET_PLANT"

// Prove fetches every object through the client into dir, waits until the worker has settled what was acknowledged and the
// epochs are closed and paid, and reconciles. The outcome is as complete as it got, also with an error.
func (n *Network) Prove(ctx context.Context, objects []Object, dir string) (Outcome, error) {
	out := Outcome{Signed: Signed{}}
	before, err := n.Chain.Epoch(ctx)
	if err != nil {
		return out, err
	}
	if out.FromHeight, err = n.Chain.Height(ctx); err != nil {
		return out, err
	}
	first, err := n.Chain.Snapshot(ctx, out.FromHeight, SettlementDenom)
	if err != nil {
		return out, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return out, err
	}
	for i, o := range objects {
		file := filepath.Join(dir, strconv.Itoa(i))
		began := time.Now()
		if _, err := n.Client.Get(ctx, o.Name, file); err != nil {
			return out, fmt.Errorf("fetch %s: %w", o.Path, err)
		}
		out.Fetched.Took += time.Since(began)
		if err := SameContent(o.Path, file); err != nil {
			return out, err
		}
		out.Fetched.Files++
		out.Fetched.Bytes += uint64(o.Size)
		if err := out.Signed.Collect(n.Client.Home); err != nil {
			return out, err
		}
	}
	n.cfg.logf("fetched %d files; waiting for the worker to settle", out.Fetched.Files)
	if out.Ledger, err = n.WaitDrained(ctx); err != nil {
		return out, err
	}
	after, err := n.Chain.Epoch(ctx)
	if err != nil {
		return out, err
	}
	n.cfg.logf("settled; waiting for epoch %d to be closed and paid (%s left)", after.Epoch.Number, after.TimeLeft.Round(time.Second))

	snapshots, epochs := []accounting.Snapshot{first}, []uint64{}
	for number := before.Epoch.Number; number <= after.Epoch.Number; number++ {
		record, err := n.WaitEpochDone(ctx, number)
		if err != nil {
			return out, err
		}
		s, err := n.Chain.Snapshot(ctx, record.DoneHeight, SettlementDenom)
		if err != nil {
			return out, err
		}
		snapshots, epochs, out.ToHeight = append(snapshots, s), append(epochs, number), record.DoneHeight
	}
	if err := plant(os.Getenv(PlantEnv), n.Parties(), &snapshots[len(snapshots)-1]); err != nil {
		return out, err
	}
	price, err := out.Signed.Price(ctx, n.Chain)
	if err != nil {
		return out, err
	}
	params, err := rewardstypes.NewQueryClient(n.Chain.At(0)).Params(ctx, &rewardstypes.QueryParamsRequest{})
	if err != nil {
		return out, err
	}
	out.Share = params.Params.Shares.Node
	out.Report, err = accounting.Reconcile(n.Parties(), out.Share, snapshots, epochs, accounting.Statement{
		Delivered: out.Fetched.Bytes, AcknowledgedBytes: out.Signed.Bytes(), Price: price,
		Acknowledged: out.Ledger.Acknowledged, Pending: out.Ledger.Pending, Submitted: out.Ledger.Submitted,
		Settled: out.Ledger.Settled, Refused: out.Ledger.Refused,
	})
	heights := make([]int64, len(snapshots))
	for i, s := range snapshots {
		heights[i] = s.Height
	}
	tokens, tokensErr := n.proveTokens(ctx, out.Epochs, heights)
	out.Tokens = tokens
	return out, errors.Join(err, tokensErr)
}

// proveTokens reconciles the tokens between the heights, of which there is one more than epochs.
func (n *Network) proveTokens(ctx context.Context, epochs []accounting.Epoch, heights []int64) (Tokens, error) {
	t := Tokens{Minted: math.ZeroInt(), Burned: math.ZeroInt()}
	if len(epochs) == 0 || len(heights) != len(epochs)+1 {
		return t, nil // the settlement coin has not been reconciled, which is an error of its own
	}
	snapshots, supplies := make([]accounting.Snapshot, len(heights)), make([]rewardstypes.Supply, len(heights))
	for i, height := range heights {
		var err error
		if snapshots[i], err = n.Chain.Snapshot(ctx, height, StakeDenom); err != nil {
			return t, err
		}
		res, err := rewardstypes.NewQueryClient(n.Chain.At(height)).Emission(ctx, &rewardstypes.QueryEmissionRequest{})
		if err != nil {
			return t, fmt.Errorf("supply of tokens at height %d: %w", height, err)
		}
		supplies[i] = res.Supply
	}
	t.SupplyBefore, t.SupplyAfter = snapshots[0].Supply, snapshots[len(snapshots)-1].Supply
	var errs []error
	for i, e := range epochs {
		rewards := rewardstypes.NewQueryClient(n.Chain.At(heights[i+1]))
		res, err := rewards.EpochSummary(ctx, &rewardstypes.QueryEpochSummaryRequest{Epoch: e.Number})
		if err != nil {
			return t, fmt.Errorf("summary of epoch %d: %w", e.Number, err)
		}
		aside, err := tokensSetAside(ctx, rewards)
		if err != nil {
			return t, fmt.Errorf("payouts set aside in epoch %d: %w", e.Number, err)
		}
		s := res.Summary
		epoch := accounting.TokenEpoch{
			Number: e.Number, Paid: e.Paid, SetAside: aside,
			Minted: supplies[i+1].Minted.Sub(supplies[i].Minted), Burned: supplies[i+1].Burned.Sub(supplies[i].Burned),
		}
		// The service is the protocol's: nobody gets its owner share back.
		terms := accounting.Terms{Guard: s.Emission.Terms.Guard, Lost: s.Shares.Protocol.Add(s.Shares.Owner), Price: s.Emission.TokenPrice}
		_, checks, err := accounting.ReconcileTokens(n.Parties(), terms, snapshots[i:i+2], []accounting.TokenEpoch{epoch})
		t.Checks += checks
		t.Minted, t.Burned = t.Minted.Add(epoch.Minted), t.Burned.Add(epoch.Burned)
		errs = append(errs, err)
	}
	return t, errors.Join(errs...)
}

// tokensSetAside adds up the tokens that were minted and could not be paid.
func tokensSetAside(ctx context.Context, rewards rewardstypes.QueryClient) (math.Int, error) {
	sum := math.ZeroInt()
	page := &query.PageRequest{Limit: 100}
	for {
		res, err := rewards.SetAside(ctx, &rewardstypes.QuerySetAsideRequest{Pagination: page})
		if err != nil {
			return sum, err
		}
		for _, p := range res.Payouts {
			if p.Denom == StakeDenom {
				sum = sum.Add(p.Amount)
			}
		}
		if len(res.Pagination.GetNextKey()) == 0 {
			return sum, nil
		}
		page = &query.PageRequest{Limit: 100, Key: res.Pagination.NextKey}
	}
}

// plant moves one observed number.
func plant(fault string, parties accounting.Parties, s *accounting.Snapshot) error {
	if fault == "" {
		return nil
	}
	at := bytes.IndexAny([]byte(fault), "+-")
	if at < 0 {
		return fmt.Errorf("%s=%q, want PARTY+N or PARTY-N", PlantEnv, fault)
	}
	delta, err := strconv.ParseInt(fault[at:], 10, 64)
	if err != nil {
		return fmt.Errorf("%s=%q: %w", PlantEnv, fault, err)
	}
	if fault[:at] == "supply" {
		s.Supply = s.Supply.AddRaw(delta)
		return nil
	}
	address, ok := map[string]string{
		"accounts": parties.Accounts, "rewards": parties.Rewards, "operator": parties.Operator, "community": parties.Community,
	}[fault[:at]]
	if !ok {
		return fmt.Errorf("%s=%q: there is no such party", PlantEnv, fault)
	}
	balance, ok := s.Balances[address]
	if !ok {
		balance = math.ZeroInt()
	}
	s.Balances[address] = balance.AddRaw(delta)
	return nil
}

// SameContent returns an error unless both files hold the same bytes.
func SameContent(want, got string) error {
	a, err := os.Open(want)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := os.Open(got)
	if err != nil {
		return err
	}
	defer b.Close()
	bufA, bufB := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		na, errA := io.ReadFull(a, bufA)
		nb, errB := io.ReadFull(b, bufB)
		if !bytes.Equal(bufA[:na], bufB[:nb]) {
			return fmt.Errorf("%s was fetched with other bytes than %s has", got, want)
		}
		endA, endB := errors.Is(errA, io.EOF) || errors.Is(errA, io.ErrUnexpectedEOF), errors.Is(errB, io.EOF) || errors.Is(errB, io.ErrUnexpectedEOF)
		if endA && endB {
			return nil
		}
		if errA != nil && !endA {
			return errA
		}
		if errB != nil && !endB {
			return errB
		}
	}
}
