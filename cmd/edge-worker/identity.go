package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/config"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

func hexText(b []byte) string { return hex.EncodeToString(b) }

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey {
	if len(key) != ed25519.PrivateKeySize {
		return nil
	}
	return key.Public().(ed25519.PublicKey)
}

// identity is what an operator needs to register a worker.
type identity struct {
	ChainID  string `json:"chain_id"`
	Operator string `json:"operator"`
	PeerKey  string `json:"peer_key"`
	// PeerProof is the peer key's signature over chain and operator.
	PeerProof string `json:"peer_proof"`
	Account   string `json:"account"`
	// Command registers the worker.
	Command string `json:"command"`
	// Key is the hot key, if another account grants it to settle, and Grants are the commands with which that does so.
	Key    string   `json:"key,omitempty"`
	Grants []string `json:"grants,omitempty"`
}

func (a *app) identityCommand() *cobra.Command {
	var operator, region, feeLimit string
	var grantDays uint16
	var endpoints []string
	var capacity uint64
	cmd := &cobra.Command{
		Use: "identity --operator ADDR", Short: "Print the proof and the command that registers this worker", Args: args(cobra.NoArgs),
		Long: `identity signs with the peer key that this worker belongs to an operator on this chain, and prints the command with which
the operator registers it. The proof is of no use to anybody else.

With keys.granter set it also prints the commands by which that account lets the hot key settle for it and pays its fees. The
key then holds no coins and can do nothing else.`,
		Example: "  edge-worker identity --operator edgevaloper1... --endpoint https://worker.example --region eu-central",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if operator == "" {
				return usagef("--operator is needed: the operator address of your validator, edgevaloper1...")
			}
			c, err := a.load()
			if err != nil {
				return err
			}
			id, err := a.identify(cmd, &c, operator, endpoints, region, capacity)
			if err != nil {
				return err
			}
			if err := id.grant(&c, feeLimit, grantDays, time.Now()); err != nil {
				return err
			}
			if a.output == "json" {
				return writeJSON(cmd.OutOrStdout(), id)
			}
			if _, err = fmt.Fprintf(cmd.OutOrStdout(), "peer key     %s\npeer proof   %s\nhot account  %s\n\nRegister the worker with the operator's key:\n\n  %s\n",
				id.PeerKey, id.PeerProof, id.Account, id.Command); err != nil || len(id.Grants) == 0 {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "\nLet the hot key %s settle for that account, and nothing else:\n\n  %s\n", id.Key, strings.Join(id.Grants, "\n  "))
			return err
		},
	}
	cmd.Flags().StringVar(&operator, "operator", "", "operator address of the validator, edgevaloper1...")
	cmd.Flags().StringSliceVar(&endpoints, "endpoint", nil, "multiaddr or http(s) URL under which clients reach this worker; may be repeated, best first")
	cmd.Flags().StringVar(&region, "region", "", "short label such as eu-central")
	cmd.Flags().StringVar(&feeLimit, "fee-limit", "1000000uedge", "fees that the hot key may spend in a day, for the printed grant")
	cmd.Flags().Uint16Var(&grantDays, "grant-days", 365, "days after which the printed grants end")
	cmd.Flags().Uint64Var(&capacity, "capacity", 0, "declared capacity in bytes per second, 0 is unknown")
	return cmd
}

func (a *app) identify(cmd *cobra.Command, c *config.Config, operator string, endpoints []string, region string, capacity uint64) (identity, error) {
	enc, err := chain.NewEncoding()
	if err != nil {
		return identity{}, err
	}
	raw, err := enc.Operators.StringToBytes(operator)
	if err != nil {
		return identity{}, usagef("--operator %q is no operator address: %w", operator, err)
	}
	from, err := enc.Addresses.BytesToString(raw)
	if err != nil {
		return identity{}, err
	}
	chainID := c.Chain.ChainID
	if chainID == "" {
		if chainID, err = askChainID(cmd.Context(), c, enc); err != nil {
			return identity{}, fmt.Errorf("chain.chain_id is not set and the node does not answer: %w", err)
		}
	}
	s, err := newSettings(c)
	if err != nil {
		return identity{}, err
	}
	keys, err := a.home.keyring(c.Keys, enc, cmd.InOrStdin())
	if err != nil {
		return identity{}, err
	}
	signer, err := newSigner(c, &s, keys, enc)
	if err != nil {
		return identity{}, err
	}
	peerKey, err := a.home.readPeerKey()
	if err != nil {
		return identity{}, err
	}
	id := identity{
		ChainID: chainID, Operator: operator, PeerKey: hexText(publicOf(peerKey)), Account: signer.Address(),
		PeerProof: hexText(ed25519.Sign(peerKey, ack.AppendPeerProofSignBytes(nil, ack.HashChainID(chainID), raw))),
	}
	words := []string{"edged", "tx", "node", "register-worker", id.PeerKey, id.PeerProof, id.Account}
	if len(endpoints) > 0 {
		words = append(words, "--endpoints", strings.Join(endpoints, ","))
	}
	if region != "" {
		words = append(words, "--region", region)
	}
	if capacity > 0 {
		words = append(words, "--capacity", strconv.FormatUint(capacity, 10))
	}
	if signer.Key() != signer.Address() || signer.Key() != signer.FeePayer() {
		id.Key = signer.Key()
	}
	id.Command = id.send(c, from, words...)
	return id, nil
}

// send is the command that sends a transaction of edged.
func (id *identity) send(c *config.Config, from string, words ...string) string {
	node, _, _ := strings.Cut(c.Chain.RPC, ",")
	words = append(words, "--from", from, "--chain-id", id.ChainID, "--node", strings.TrimSpace(node), "--gas", "auto", "--gas-adjustment", "1.5", "--gas-prices", c.Rollup.GasPrice)
	for i, w := range words {
		words[i] = shellWord(w)
	}
	return strings.Join(words, " ")
}

// grant adds the commands that let the hot key settle, and report, for another account, and have its fees paid.
func (id *identity) grant(c *config.Config, feeLimit string, days uint16, now time.Time) error {
	if id.Key == "" {
		return nil
	}
	if limit, err := sdk.ParseCoinNormalized(feeLimit); err != nil || !limit.IsPositive() {
		return usagef("--fee-limit %q is no positive amount of a coin such as 1000000uedge", feeLimit)
	}
	if days == 0 {
		return usagef("--grant-days must be positive")
	}
	ends := now.Add(time.Duration(days) * 24 * time.Hour).UTC().Truncate(time.Second)
	if id.Key != id.Account {
		for _, msg := range []sdk.Msg{&dacktypes.MsgSettle{}, &nodetypes.MsgReport{}} {
			id.Grants = append(id.Grants, id.send(c, id.Account, "edged", "tx", "authz", "grant", id.Key, "generic",
				"--msg-type", sdk.MsgTypeURL(msg), "--expiration", strconv.FormatInt(ends.Unix(), 10)))
		}
	}
	if payer := c.Keys.FeeGranter; payer != "" && payer != id.Key {
		words := []string{"edged", "tx", "feegrant", "grant", payer, id.Key, "--period", "86400", "--period-limit", feeLimit, "--expiration", ends.Format(time.RFC3339)}
		if id.Key != id.Account {
			words = append(words, "--allowed-messages", sdk.MsgTypeURL(&authz.MsgExec{}))
		} else {
			words = append(words, "--allowed-messages", sdk.MsgTypeURL(&dacktypes.MsgSettle{})+","+sdk.MsgTypeURL(&nodetypes.MsgReport{}))
		}
		id.Grants = append(id.Grants, id.send(c, payer, words...))
	}
	return nil
}

// shellWord quotes a word that a shell would not take as it is.
func shellWord(w string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,=@%+", r)
	}
	if w != "" && strings.IndexFunc(w, func(r rune) bool { return !plain(r) }) < 0 {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

func askChainID(ctx context.Context, c *config.Config, enc chain.Encoding) (string, error) {
	s, err := newSettings(c)
	if err != nil {
		return "", err
	}
	node, err := newNodes(c, &s, enc, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.Chain.QueryTimeout))
	defer cancel()
	node.Probe(ctx)
	status, err := node.Status(ctx)
	return status.ChainID, err
}
