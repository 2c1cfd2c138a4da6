package devnet

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strconv"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/ack"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// clientKey is the name of a client's owner in its keyring.
const clientKey = "owner"

// Client is a client with an account of its own: a home of edge, an owner and at least one client key.
type Client struct {
	n *Network
	// Home of edge, and Owner of the account.
	Home, Owner string
	// AccountID and KeyIDs as registered.
	AccountID uint64
	KeyIDs    []uint64
}

// NewClient does what a new client does: it writes its settings, makes a key, is given money, opens an account with a
// deposit in units of the settlement coin, and registers a client key.
func (n *Network) NewClient(ctx context.Context, name string, deposit int64) (*Client, error) {
	c := &Client{n: n, Home: filepath.Join(n.cfg.Dir, name)}
	if err := os.MkdirAll(c.Home, 0o700); err != nil {
		return nil, err
	}
	settings := fmt.Sprintf("node = %q\nchain_id = %q\nkeyring_backend = \"test\"\nfrom = %q\n", n.RPC(), n.cfg.ChainID, clientKey)
	if err := os.WriteFile(filepath.Join(c.Home, "config.toml"), []byte(settings), 0o600); err != nil {
		return nil, err
	}
	var err error
	if c.Owner, err = addKey(ctx, c.Edge, clientKey); err != nil {
		return nil, err
	}
	coins := fmt.Sprintf("%d%s,%d%s", clientFees, StakeDenom, deposit, SettlementDenom)
	if err := n.Tx(ctx, "tx", "bank", "send", faucetKey, c.Owner, coins); err != nil {
		return nil, err
	}
	if _, err := c.Edge(ctx, "account", "open", "--deposit", fmt.Sprintf("%d%s", deposit, SettlementDenom)); err != nil {
		return nil, err
	}
	return c, c.AddKey(ctx)
}

// AddKey registers one more client key.
func (c *Client) AddKey(ctx context.Context) error {
	if _, err := c.Edge(ctx, "account", "add-key"); err != nil {
		return err
	}
	return c.refresh(ctx)
}

// PrivateKey reads a client key from the client's home.
func (c *Client) PrivateKey(id uint64) (ed25519.PrivateKey, error) {
	path := filepath.Join(c.Home, "client-keys", c.n.cfg.ChainID, strconv.FormatUint(id, 10)+".json")
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var key struct{ Seed string }
	if err := json.Unmarshal(b, &key); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	seed, err := hex.DecodeString(key.Seed)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s holds no key", path)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// refresh asks the chain for account and keys.
func (c *Client) refresh(ctx context.Context) error {
	dack := dacktypes.NewQueryClient(c.n.Chain.At(0))
	account, err := dack.AccountByOwner(ctx, &dacktypes.QueryAccountByOwnerRequest{Owner: c.Owner})
	if err != nil {
		return fmt.Errorf("account of %s: %w", c.Owner, err)
	}
	c.AccountID = account.Account.Id
	keys, err := dack.ClientKeys(ctx, &dacktypes.QueryClientKeysRequest{AccountId: c.AccountID})
	if err != nil {
		return fmt.Errorf("keys of account %d: %w", c.AccountID, err)
	}
	c.KeyIDs = c.KeyIDs[:0]
	for _, k := range keys.Keys {
		c.KeyIDs = append(c.KeyIDs, k.Id)
	}
	return nil
}

// Edge runs a command of edge with the client's home and returns what it printed.
func (c *Client) Edge(ctx context.Context, args ...string) (string, error) {
	return run(ctx, nil, c.n.cfg.Binaries.Edge, append(args, "--home", c.Home)...)
}

// Get fetches an object into a file with edge get and returns what it printed. More flags can follow.
func (c *Client) Get(ctx context.Context, name, file string, flags ...string) (string, error) {
	return c.Edge(ctx, append([]string{"get", name, "-o", file}, flags...)...)
}

// Balance is what the account has that is not asked back.
func (c *Client) Balance(ctx context.Context) (math.Int, error) {
	res, err := dacktypes.NewQueryClient(c.n.Chain.At(0)).Account(ctx, &dacktypes.QueryAccountRequest{Id: c.AccountID})
	if err != nil {
		return math.Int{}, fmt.Errorf("account %d: %w", c.AccountID, err)
	}
	return res.Account.Balance, nil
}

// Signed collects the newest acknowledgement of each lane that a client has signed.
type Signed map[ack.LaneID]ack.Signed

// Collect reads the client's lane states. They hold the current epoch and the one before, so a run that lasts longer
// collects as it goes.
func (s Signed) Collect(clientHome string) error {
	return filepath.WalkDir(filepath.Join(clientHome, "lanes"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var state struct{ Last, Previous string }
		if err := json.Unmarshal(b, &state); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, text := range []string{state.Previous, state.Last} {
			if text == "" {
				continue
			}
			raw, err := hex.DecodeString(text)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			var a ack.Signed
			if err := a.Decode(raw); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if old, ok := s[a.LaneID()]; !ok || a.Supersedes(&old.Ack) {
				s[a.LaneID()] = a
			}
		}
		return nil
	})
}

// Bytes that the acknowledgements add up to.
func (s Signed) Bytes() uint64 {
	var sum uint64
	for _, a := range s {
		sum += a.Bytes
	}
	return sum
}

// Requests that the acknowledgements add up to.
func (s Signed) Requests() uint64 {
	var sum uint64
	for _, a := range s {
		sum += a.Requests
	}
	return sum
}

// Price adds up what the acknowledgements cost, each lane at the prices of its epoch.
func (s Signed) Price(ctx context.Context, c *Chain) (math.Int, error) {
	prices := map[uint64]ack.Prices{}
	sum := new(big.Int)
	for _, a := range s {
		p, ok := prices[a.Epoch]
		if !ok {
			res, err := dacktypes.NewQueryClient(c.At(0)).Prices(ctx, &dacktypes.QueryPricesRequest{Epoch: a.Epoch})
			if err != nil {
				return math.Int{}, fmt.Errorf("prices of epoch %d: %w", a.Epoch, err)
			}
			p = ack.Prices{PerGiB: res.Prices.PerGib.BigInt(), PerGFuel: res.Prices.PerGfuel.BigInt()}
			prices[a.Epoch] = p
		}
		sum.Add(sum, p.Price(a.Bytes, a.Fuel))
	}
	return math.NewIntFromBigInt(sum), nil
}

// GetLine is a command that fetches an object, for people to paste.
func (n *Network) GetLine(name string) string {
	return fmt.Sprintf("%s get %s -o /tmp/edge-object --home %s", n.cfg.Binaries.Edge, name, n.Client.Home)
}

// QueryLine is a command that asks the chain for the summaries of epochs, for people to paste.
func (n *Network) QueryLine() string {
	return fmt.Sprintf("%s query rewards epochs --home %s", n.cfg.Binaries.Edged, n.Nodes[0].Home)
}

// CommitteeLine is a command that asks the chain who sits in the committee, for people to paste.
func (n *Network) CommitteeLine() string {
	return fmt.Sprintf("%s query epoch committee --home %s", n.cfg.Binaries.Edged, n.Nodes[0].Home)
}
