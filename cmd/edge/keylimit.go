package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	sdkmath "cosmossdk.io/math"

	"github.com/edgechain/edge/client/chain"
)

// keyID reads the id of a client key.
func keyID(s string) (uint64, error) {
	id, err := strconv.ParseUint(s, 10, 64)
	if err != nil || id == 0 {
		return 0, usagef("%q is no id of a client key; edge account keys lists them", s)
	}
	return id, nil
}

// ownKey returns a client key of the signer's account, and the current epoch.
func (a *app) ownKey(cmd *cobra.Command, c *chain.Client, s chain.Signer, id uint64) (chain.Key, uint64, error) {
	ctx := cmd.Context()
	if _, err := a.status(ctx, c); err != nil {
		return chain.Key{}, 0, err
	}
	acc, owner, err := a.account(cmd, c, nil, 0)
	if err != nil {
		return chain.Key{}, 0, err
	}
	k, _, err := c.Key(ctx, id)
	switch {
	case notThere(err):
		return chain.Key{}, 0, fmt.Errorf("there is no client key %d; edge account keys lists those of an account", id)
	case err != nil:
		return chain.Key{}, 0, err
	case k.AccountID != acc.ID:
		return chain.Key{}, 0, fmt.Errorf("client key %d is of account %d, and %s owns account %d", id, k.AccountID, owner, acc.ID)
	}
	epoch, err := c.Epoch(ctx)
	if err != nil {
		return chain.Key{}, 0, err
	}
	if k.LastEpoch < epoch.Number {
		return chain.Key{}, 0, fmt.Errorf("client key %d has ended with epoch %d; register another with edge account add-key", id, k.LastEpoch)
	}
	return k, epoch.Number, nil
}

func newLimitKeyCommand(a *app) *cobra.Command {
	var limit string
	var lastEpoch uint64
	cmd := &cobra.Command{
		Use:   "limit-key KEY",
		Short: "Change what a client key can spend per epoch, and for how long",
		Long: `Changes the spend limit of a client key from the next epoch on, and the last epoch in which it can sign. What is not named
stays. The limit of this epoch stays as it is; edge account revoke-key ends a key with this epoch.`,
		Example: `  edge account limit-key 7 --spend-limit 5000000uusd --from alice
  edge account limit-key 7 --last-epoch 400 --from alice`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := keyID(args[0])
			if err != nil {
				return err
			}
			if limit == "" && lastEpoch == 0 {
				return usagef("say with --spend-limit or --last-epoch what is to change")
			}
			if limit != "" {
				if _, _, err := splitCoin(limit); err != nil {
					return err
				}
			}
			c, err := a.chain()
			if err != nil {
				return err
			}
			return a.limitKey(cmd, c, id, limit, lastEpoch)
		},
	}
	a.txFlags(cmd)
	cmd.Flags().StringVar(&limit, "spend-limit", "", "most that the key can spend per epoch, such as 5000000uusd")
	cmd.Flags().Uint64Var(&lastEpoch, "last-epoch", 0, "last epoch in which the key can sign")
	return cmd
}

func (a *app) limitKey(cmd *cobra.Command, c *chain.Client, id uint64, limit string, lastEpoch uint64) error {
	s, err := a.signer(cmd)
	if err != nil {
		return err
	}
	k, epoch, err := a.ownKey(cmd, c, s, id)
	if err != nil {
		return err
	}
	spend := k.SpendLimit
	if limit != "" {
		coin, err := settlementCoin(cmd.Context(), c, limit)
		if err != nil {
			return err
		}
		spend = coin.Amount
	}
	switch {
	case lastEpoch == 0:
		lastEpoch = k.LastEpoch
	case lastEpoch < epoch:
		return usagef("last epoch %d is over, the chain is in epoch %d", lastEpoch, epoch)
	}
	tx, err := c.UpdateClientKey(cmd.Context(), s, id, spend, lastEpoch)
	if err != nil {
		return err
	}
	return a.print(cmd, txOutput{AccountID: k.AccountID, KeyID: id, Amount: spend.String(), LastEpoch: lastEpoch, TxResult: tx},
		"client key %d can spend %s per epoch from epoch %d on, until epoch %d; fee %s, transaction %s in block %d\n",
		id, spend, epoch+1, lastEpoch, tx.Fee, tx.Hash, tx.Height)
}

func newRevokeKeyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke-key KEY",
		Short: "End a client key with this epoch",
		Long: `Ends a client key with this epoch: it signs for no later one. What it has acknowledged until then is still settled, up to
its limit. Until the epoch is over edge account limit-key --last-epoch takes that back; from then on nothing does. Its file on this
machine stays.`,
		Example: "  edge account revoke-key 7 --from alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := keyID(args[0])
			if err != nil {
				return err
			}
			c, err := a.chain()
			if err != nil {
				return err
			}
			s, err := a.signer(cmd)
			if err != nil {
				return err
			}
			k, _, err := a.ownKey(cmd, c, s, id)
			if err != nil {
				return err
			}
			last, tx, err := c.RevokeClientKey(cmd.Context(), s, id)
			if err != nil {
				return err
			}
			return a.print(cmd, txOutput{AccountID: k.AccountID, KeyID: id, LastEpoch: last, TxResult: tx},
				"client key %d ends with epoch %d, after which nothing revives it; fee %s, transaction %s in block %d\n", id, last, tx.Fee, tx.Hash, tx.Height)
		},
	}
	a.txFlags(cmd)
	return cmd
}

// keyState is a client key with what it can spend now.
type keyState struct {
	chain.Key
	PublicKey string `json:"public_key"`
	// Limit counts in the current epoch, and Left of it is left. SpendLimit counts from LimitFrom on.
	Limit sdkmath.Int `json:"limit"`
	Left  sdkmath.Int `json:"left"`
	// Ended is true if the key can sign for no epoch any more.
	Ended bool `json:"ended"`
}

func stateOfKey(k chain.Key, epoch uint64) keyState {
	return keyState{
		Key: k, PublicKey: fmt.Sprintf("%x", k.PublicKey), Limit: k.LimitIn(epoch), Left: k.Left(epoch), Ended: k.LastEpoch < epoch,
	}
}

// describe says on one line what a key can spend.
func (k *keyState) describe(epoch uint64) string {
	var text strings.Builder
	fmt.Fprintf(&text, "key %d  %s  ", k.ID, k.PublicKey)
	if k.Ended {
		fmt.Fprintf(&text, "ended with epoch %d", k.LastEpoch)
		return text.String()
	}
	fmt.Fprintf(&text, "%s of %s left in epoch %d", k.Left, k.Limit, epoch)
	if k.LimitFrom > epoch {
		fmt.Fprintf(&text, ", %s per epoch from epoch %d on", k.SpendLimit, k.LimitFrom)
	}
	fmt.Fprintf(&text, ", until epoch %d", k.LastEpoch)
	return text.String()
}
