package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/config"
)

func (a *app) initCommand() *cobra.Command {
	var chainID, rpc, backend, granter string
	cmd := &cobra.Command{
		Use: "init", Short: "Make the home folder: configuration, peer key, hot account", Args: args(cobra.NoArgs),
		Long: `init makes the home folder with a commented config.toml, the worker's peer key and, in the keyring, the key of the hot
account that sends settlements. Flags of the form --section.key set what the file starts with. Nothing that exists is changed.`,
		Example: "  edge-worker init --chain-id edge-1 --rpc http://127.0.0.1:26657",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := config.Default()
			for name, value := range map[string]string{"chain.chain_id": chainID, "chain.rpc": rpc, "keys.backend": backend, "keys.granter": granter, "keys.fee_granter": granter} {
				if value != "" {
					a.flags[name] = value
				}
			}
			if err := c.SetAll(a.flags); err != nil {
				return &usageError{err}
			}
			if err := validate(&c); err != nil {
				return &usageError{err}
			}
			return a.initialise(cmd, &c)
		},
	}
	cmd.Flags().StringVar(&chainID, "chain-id", "", "chain id that the node must have (chain.chain_id)")
	cmd.Flags().StringVar(&rpc, "rpc", "", "CometBFT RPC of a node that you trust (chain.rpc)")
	cmd.Flags().StringVar(&granter, "granter", "", "account that grants the hot key to settle for it and pays its fees (keys.granter, keys.fee_granter)")
	cmd.Flags().StringVar(&backend, "keyring-backend", "", "test, file or os (keys.backend)")
	return cmd
}

func (a *app) initialise(cmd *cobra.Command, c *config.Config) error {
	if _, err := os.Stat(a.home.config()); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already", a.home.config())
	}
	// The pool's folder is made here, so that it is durable before anything is acknowledged.
	for _, dir := range []string{string(a.home), a.home.store(), a.home.pool()} {
		if err := os.MkdirAll(dir, dirMode); err != nil {
			return err
		}
	}
	if err := errors.Join(syncDir(filepath.Dir(a.home.pool())), syncDir(string(a.home)), syncDir(filepath.Dir(string(a.home)))); err != nil {
		return err
	}
	enc, err := chain.NewEncoding()
	if err != nil {
		return err
	}
	keys, err := a.home.keyring(c.Keys, enc, cmd.InOrStdin())
	if err != nil {
		return err
	}
	if _, err := keys.Key(c.Keys.Name); err != nil {
		// The words are not shown: the account holds fees alone, and a lost one is replaced with update-worker.
		if _, _, err := keys.NewMnemonic(c.Keys.Name, keyring.English, sdk.FullFundraiserPath, keyring.DefaultBIP39Passphrase, hd.Secp256k1); err != nil {
			return fmt.Errorf("make the hot account: %w", err)
		}
	}
	signer, err := newSigner(c, &settings{}, keys, enc)
	if err != nil {
		return err
	}
	peerKey, err := a.home.readPeerKey()
	public := publicOf(peerKey)
	if errors.Is(err, fs.ErrNotExist) {
		public, err = a.home.makePeerKey(random)
	}
	if err != nil {
		return err
	}
	if _, err := a.home.readToken(); errors.Is(err, fs.ErrNotExist) {
		if err := a.home.makeToken(random); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	// The configuration comes last: its presence says that all of it is there.
	if err := writeNew(a.home.config(), c.Write()); err != nil {
		return err
	}
	doc := struct {
		Home    string `json:"home"`
		PeerKey string `json:"peer_key"`
		Account string `json:"account"`
	}{string(a.home), hexText(public), signer.Key()}
	next := "Next: send the hot account some coins for fees, then register the worker with the command that\n'edge-worker identity --operator edgevaloper1...' prints."
	if c.Keys.Granter != "" {
		next = "Next: register the worker and grant the hot account what it needs with the commands that\n'edge-worker identity --operator edgevaloper1...' prints. It needs no coins."
	}
	if a.output == "json" {
		return writeJSON(cmd.OutOrStdout(), doc)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), `home         %s
peer key     %s
hot account  %s

%s
`, doc.Home, doc.PeerKey, doc.Account, next)
	return err
}
