package devnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"cosmossdk.io/math"

	nodetypes "github.com/edgechain/edge/x/node/types"
)

// setUpWorker does what an operator does: init, the identity's proof, the registration that identity prints, and fees for
// the hot account.
func (n *Network) setUpWorker(ctx context.Context) error {
	if _, err := n.workerCommand(ctx, "init", "--chain-id", n.cfg.ChainID, "--rpc", n.RPC(), "--keyring-backend", "test",
		"--gateway.listen", loopback(n.Ports.Worker), "--gateway.admin_listen", loopback(n.Ports.WorkerAdmin),
		// The defaults are for epochs of a day, and for fees that cost something.
		"--rollup.interval", "2s", "--rollup.min_value", "1", "--rollup.drain", (n.cfg.EpochDuration / 4).String()); err != nil {
		return err
	}
	out, err := n.workerCommand(ctx, "identity", "--operator", n.Valoper, "--endpoint", n.WorkerURL(), "--output", "json")
	if err != nil {
		return err
	}
	var identity struct{ Account, Command string }
	if err := json.Unmarshal([]byte(out), &identity); err != nil {
		return fmt.Errorf("edge-worker identity: %w: %q", err, out)
	}
	n.Settler = identity.Account
	// The command runs as it is printed, in a shell; only where the keys lie and that nobody is asked is added.
	path := "PATH=" + filepath.Dir(n.cfg.Binaries.Edged) + string(os.PathListSeparator) + os.Getenv("PATH")
	out, err = run(ctx, []string{path}, "/bin/sh", "-c", identity.Command+` "$@"`, "register",
		"--home", n.Nodes[0].Home, "--keyring-backend", "test", "--yes", "--output", "json")
	if err != nil {
		return err
	}
	if err := n.included(ctx, out); err != nil {
		return fmt.Errorf("%s: %w", identity.Command, err)
	}
	res, err := nodetypes.NewQueryClient(n.Chain.At(0)).WorkersByOperator(ctx, &nodetypes.QueryWorkersByOperatorRequest{Operator: n.Valoper})
	if err != nil {
		return fmt.Errorf("workers of %s: %w", n.Valoper, err)
	}
	if len(res.Workers) != 1 {
		return fmt.Errorf("%s has %d workers after the registration, want 1", n.Valoper, len(res.Workers))
	}
	n.WorkerID = res.Workers[0].Id
	return n.Tx(ctx, "tx", "bank", "send", operatorKey, n.Settler, fmt.Sprintf("%d%s", workerFees, StakeDenom))
}

// StartWorker starts the worker and waits until it is ready.
func (n *Network) StartWorker(ctx context.Context) error {
	p, err := start("edge-worker", filepath.Join(n.cfg.Dir, "edge-worker.log"), environment(n.cfg.WorkerEnv),
		n.cfg.Binaries.Worker, "start", "--home", n.cfg.workerHome())
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.worker = p
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return n.WaitReady(ctx)
}

// WaitReady waits until the worker says that it is ready.
func (n *Network) WaitReady(ctx context.Context) error {
	return n.poll(ctx, "the worker to be ready", func(ctx context.Context) error {
		status, body, err := get(ctx, n.AdminURL()+"/readyz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err
	})
}

// StopWorker stops the worker, which drains first.
func (n *Network) StopWorker(ctx context.Context) error {
	p, err := n.takeWorker()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return p.stop(ctx)
}

// KillWorker ends the worker without warning.
func (n *Network) KillWorker() error {
	p, err := n.takeWorker()
	if err != nil {
		return err
	}
	return p.kill()
}

func (n *Network) takeWorker() (*process, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.worker == nil {
		return nil, errors.New("the worker does not run")
	}
	p := n.worker
	n.worker = nil
	return p, nil
}

// workerCommand runs a command of edge-worker with the worker's home and settings.
func (n *Network) workerCommand(ctx context.Context, args ...string) (string, error) {
	return run(ctx, environment(n.cfg.WorkerEnv), n.cfg.Binaries.Worker, append(args, "--home", n.cfg.workerHome())...)
}

// Worker runs a command of edge-worker with the worker's home and returns what it printed.
func (n *Network) Worker(ctx context.Context, args ...string) (string, error) {
	return n.workerCommand(ctx, args...)
}

// Ledger is what the worker says of the acknowledgements that it holds. Amounts are in units of the settlement coin.
type Ledger struct {
	Acknowledged, Pending, Submitted, Settled, Refused math.Int
}

// Drained tells whether everything acknowledged is settled or refused.
func (l Ledger) Drained() bool { return l.Pending.IsZero() && l.Submitted.IsZero() }

// get fetches a small document.
func get(ctx context.Context, url string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, strings.TrimSpace(string(body)), err
}

// Ledger asks the running worker.
func (n *Network) Ledger(ctx context.Context) (Ledger, error) {
	out, err := n.workerCommand(ctx, "ledger", "--output", "json")
	if err != nil {
		return Ledger{}, err
	}
	var doc struct {
		Total struct {
			Acknowledged, Pending, Submitted, Settled amount
			Refused                                   map[string]amount
		}
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		return Ledger{}, fmt.Errorf("edge-worker ledger: %w: %q", err, out)
	}
	l := Ledger{Refused: math.ZeroInt()}
	for _, p := range []struct {
		to   *math.Int
		from amount
	}{
		{&l.Acknowledged, doc.Total.Acknowledged},
		{&l.Pending, doc.Total.Pending},
		{&l.Submitted, doc.Total.Submitted},
		{&l.Settled, doc.Total.Settled},
	} {
		v, ok := math.NewIntFromString(p.from.Amount)
		if !ok {
			return l, fmt.Errorf("ledger: amount %q", p.from.Amount)
		}
		*p.to = v
	}
	for reason, a := range doc.Total.Refused {
		v, ok := math.NewIntFromString(a.Amount)
		if !ok {
			return l, fmt.Errorf("ledger: amount %q refused as %s", a.Amount, reason)
		}
		l.Refused = l.Refused.Add(v)
	}
	return l, nil
}

type amount struct{ Amount string }

// WaitDrained waits until nothing that was acknowledged is pending or submitted.
func (n *Network) WaitDrained(ctx context.Context) (Ledger, error) {
	var l Ledger
	err := n.poll(ctx, "the worker to settle", func(ctx context.Context) error {
		var err error
		if l, err = n.Ledger(ctx); err == nil && !l.Drained() {
			err = fmt.Errorf("acknowledged %s, pending %s, submitted %s, settled %s, refused %s",
				l.Acknowledged, l.Pending, l.Submitted, l.Settled, l.Refused)
		}
		return err
	})
	return l, err
}

// Add adds files to the worker's store and returns them with their names.
func (n *Network) Add(ctx context.Context, files ...string) ([]Object, error) {
	objects := make([]Object, 0, len(files))
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		out, err := n.workerCommand(ctx, "add", file)
		if err != nil {
			return nil, err
		}
		name := contentName.FindString(out)
		if name == "" {
			return nil, fmt.Errorf("edge-worker add %s printed no name: %q", file, out)
		}
		objects = append(objects, Object{Path: file, Name: name, Size: info.Size()})
	}
	return objects, nil
}

// contentName is a name as edge-worker prints it.
var contentName = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
