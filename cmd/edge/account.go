package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	sdkmath "cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/client/chain"
)

// defaultKeyEpochs is for how many epochs a client key is registered unless told otherwise: about a year of days.
const defaultKeyEpochs = 365

func newAccountCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "account",
		Short: "Open, fund and inspect a prepaid account",
		Long: `An account holds a deposit in the settlement coin, out of which acknowledgements are paid. It belongs to an address
of the keyring and is opened by its first deposit. Client keys sign acknowledgements on its behalf, each up to a limit
per epoch.`,
		Example: `  edge account open --deposit 100000000uusd --from alice
  edge account add-key --from alice
  edge account balance --from alice`,
	}
	cmd.AddCommand(newOpenCommand(a), newDepositCommand(a), newBalanceCommand(a), newWithdrawCommand(a), newAddKeyCommand(a), newKeyListCommand(a),
		newLimitKeyCommand(a), newRevokeKeyCommand(a))
	return group(cmd)
}

func (a *app) fromFlag(cmd *cobra.Command, usage string) {
	cmd.Flags().StringVar(&a.from, flagFrom, "", usage)
}

func (a *app) txFlags(cmd *cobra.Command) {
	a.fromFlag(cmd, "name or address of the key that signs")
	cmd.Flags().StringVar(&a.feeGranter, flagFeeGranter, "", "address that pays the fees, after it has granted an allowance")
	cmd.Flags().Float64Var(&a.gasAdjustment, "gas-adjustment", 1.4, "factor on simulated gas")
	cmd.Flags().Uint64Var(&a.maxFee, "max-fee", 0, "the most that the transaction may cost, in "+chain.FeeDenom+"; 0 refuses what is far beyond the usual")
}

// txOutput is what a transaction came to.
type txOutput struct {
	AccountID uint64 `json:"account_id,omitempty"`
	Owner     string `json:"owner,omitempty"`
	Amount    string `json:"amount,omitempty"`
	PaidFrom  uint64 `json:"paid_from_epoch,omitempty"`
	KeyID     uint64 `json:"key_id,omitempty"`
	KeyFile   string `json:"key_file,omitempty"`
	LastEpoch uint64 `json:"last_epoch,omitempty"`
	chain.TxResult
}

func newOpenCommand(a *app) *cobra.Command {
	var deposit string
	cmd := &cobra.Command{
		Use:   "open",
		Short: "Open an account with its first deposit",
		Long: `Opens the account of the signing address with its first deposit. The address needs the deposit in the settlement
coin, and a little uedge for fees unless --fee-granter names an address that pays them.`,
		Example: `  edge account open --deposit 100000000uusd --from alice
  edge account open --deposit 100000000uusd --from alice --fee-granter edge1...`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.deposit(cmd, deposit, "", true)
		},
	}
	a.txFlags(cmd)
	cmd.Flags().StringVar(&deposit, "deposit", "", "first deposit, such as 100000000uusd")
	return cmd
}

func newDepositCommand(a *app) *cobra.Command {
	var owner string
	cmd := &cobra.Command{
		Use:   "deposit AMOUNT",
		Short: "Add to an account",
		Long:  `Adds to the account of the signing address, or of the address that --owner names. The first deposit opens the account.`,
		Example: `  edge account deposit 5000000uusd --from alice
  edge account deposit 5000000uusd --from alice --owner edge1...`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.deposit(cmd, args[0], owner, false)
		},
	}
	a.txFlags(cmd)
	cmd.Flags().StringVar(&owner, "owner", "", "address whose account receives the deposit; empty is the signer's")
	return cmd
}

func (a *app) deposit(cmd *cobra.Command, amount, owner string, open bool) error {
	if amount == "" {
		return usagef("say with --deposit how much, such as --deposit 100000000uusd")
	}
	if _, _, err := splitCoin(amount); err != nil {
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
	ctx := cmd.Context()
	sender, _, err := c.Address(s)
	if err != nil {
		return err
	}
	if owner == "" {
		owner = sender
	} else if _, err := c.Addresses().StringToBytes(owner); err != nil {
		return usagef("owner %q is no address: %w", owner, err)
	}
	if _, err := a.status(ctx, c); err != nil {
		return err
	}
	coin, err := settlementCoin(ctx, c, amount)
	if err != nil {
		return err
	}
	if open {
		switch acc, err := c.AccountByOwner(ctx, owner); {
		case err == nil:
			return fmt.Errorf("account %d of %s is open already; add to it with edge account deposit", acc.ID, owner)
		case !notThere(err):
			return err
		}
	}
	id, tx, err := c.Deposit(ctx, s, owner, coin)
	if err != nil {
		return err
	}
	return a.print(cmd, txOutput{AccountID: id, Owner: owner, Amount: coin.String(), TxResult: tx},
		"deposited %s into account %d of %s; fee %s, transaction %s in block %d\n", coin, id, owner, tx.Fee, tx.Hash, tx.Height)
}

func newWithdrawCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "withdraw AMOUNT",
		Short: "Ask for money of an account back",
		Long: `Asks for an amount of the signing address's account back. It is paid two epochs later, when nothing can draw on it any
more.`,
		Example: "  edge account withdraw 5000000uusd --from alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, _, err := splitCoin(args[0]); err != nil {
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
			ctx := cmd.Context()
			coin, err := settlementCoin(ctx, c, args[0])
			if err != nil {
				return err
			}
			owner, _, err := c.Address(s)
			if err != nil {
				return err
			}
			from, tx, err := c.RequestWithdrawal(ctx, s, coin)
			if err != nil {
				return err
			}
			return a.print(cmd, txOutput{Owner: owner, Amount: coin.String(), PaidFrom: from, TxResult: tx},
				"%s will be paid to %s when epoch %d opens; fee %s, transaction %s in block %d\n", coin, owner, from, tx.Fee, tx.Hash, tx.Height)
		},
	}
	a.txFlags(cmd)
	return cmd
}

func newBalanceCommand(a *app) *cobra.Command {
	var id uint64
	cmd := &cobra.Command{
		Use:   "balance [ADDRESS]",
		Short: "Show what an account holds, what its keys can spend, and its owner's coins for fees and deposits",
		Long: `Shows what workers rely on (spendable), what a settlement can draw on (payable: also withdrawals that are not paid yet), the
withdrawals with the epoch in which they are paid, the client keys with what they can still spend in this epoch, and what the
owner holds beside the account.`,
		Example: `  edge account balance --from alice
  edge account balance edge1...
  edge account balance --account 7`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.chain()
			if err != nil {
				return err
			}
			acc, owner, err := a.account(cmd, c, args, id)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			params, err := c.Params(ctx)
			if err != nil {
				return err
			}
			epoch, err := c.Epoch(ctx)
			if err != nil {
				return err
			}
			registered, err := c.Keys(ctx, acc.ID)
			if err != nil {
				return err
			}
			fees, err := c.Balance(ctx, owner, chain.FeeDenom)
			if err != nil {
				return err
			}
			coins, err := c.Balance(ctx, owner, params.SettlementDenom)
			if err != nil {
				return err
			}
			var text strings.Builder
			fmt.Fprintf(&text, "account %d of %s\nspendable %s%s\npayable   %s%s\n", acc.ID, owner,
				acc.Spendable, params.SettlementDenom, acc.Payable, params.SettlementDenom)
			for _, w := range acc.Withdrawals {
				fmt.Fprintf(&text, "withdrawal of %s%s, asked for in epoch %d, is paid when epoch %d opens\n", w.Amount, params.SettlementDenom, w.Epoch, w.Epoch+2)
			}
			keys := make([]keyState, 0, len(registered))
			for _, k := range registered {
				keys = append(keys, stateOfKey(k, epoch.Number))
				fmt.Fprintln(&text, keys[len(keys)-1].describe(epoch.Number))
			}
			fmt.Fprintf(&text, "the owner holds %s and %s beside it\n", coins, fees)
			return a.print(cmd, struct {
				chain.Account
				Epoch      uint64     `json:"epoch"`
				Denom      string     `json:"denom"`
				ClientKeys []keyState `json:"client_keys"`
				Owned      sdk.Coin   `json:"owner_balance"`
				Fees       sdk.Coin   `json:"owner_fees"`
			}{acc, epoch.Number, params.SettlementDenom, keys, coins, fees}, "%s", text.String())
		},
	}
	a.fromFlag(cmd, "name or address of the owner's key")
	cmd.Flags().Uint64Var(&id, "account", 0, "id of the account")
	return cmd
}

// account finds an account by its id, an address, or the key that --from names.
func (a *app) account(cmd *cobra.Command, c *chain.Client, args []string, id uint64) (chain.Account, string, error) {
	ctx := cmd.Context()
	if id != 0 {
		acc, err := c.Account(ctx, id)
		return acc, acc.Owner, err
	}
	var owner string
	if len(args) == 1 {
		owner = args[0]
		if _, err := c.Addresses().StringToBytes(owner); err != nil {
			return chain.Account{}, "", usagef("%q is no address: %w", owner, err)
		}
	} else {
		if a.from == "" {
			return chain.Account{}, "", usagef("say whose account: an address, --from KEY or --account ID")
		}
		s, err := a.signer(cmd)
		if err != nil {
			return chain.Account{}, "", err
		}
		if owner, _, err = c.Address(s); err != nil {
			return chain.Account{}, "", err
		}
	}
	acc, err := c.AccountByOwner(ctx, owner)
	if notThere(err) {
		return chain.Account{}, "", fmt.Errorf("%s has no account; open one with edge account open --deposit AMOUNT --from KEY", owner)
	}
	return acc, owner, err
}

func newAddKeyCommand(a *app) *cobra.Command {
	var limit string
	var lastEpoch uint64
	cmd := &cobra.Command{
		Use:   "add-key",
		Short: "Make a client key and register it with the account",
		Long: `Makes an ed25519 key on this machine, proves to the chain that this machine holds it, and registers it with the account
of the signing address. edge get signs its acknowledgements with it.

--spend-limit is the most that the key can spend in acknowledgements of one epoch, whoever steals it. By default it is
all that the account can spend now. --last-epoch is the last epoch in which the key can sign, by default 365 epochs from
now, a year at one epoch a day. The key is stored in client-keys below the home folder, readable by its owner only.`,
		Example: `  edge account add-key --from alice
  edge account add-key --from alice --spend-limit 5000000uusd --last-epoch 400`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.chain()
			if err != nil {
				return err
			}
			return a.addKey(cmd, c, limit, lastEpoch)
		},
	}
	a.txFlags(cmd)
	cmd.Flags().StringVar(&limit, "spend-limit", "", "most that the key can spend per epoch, such as 5000000uusd (default all that the account can spend now)")
	cmd.Flags().Uint64Var(&lastEpoch, "last-epoch", 0, "last epoch in which the key can sign (default the current one plus 365)")
	return cmd
}

func (a *app) addKey(cmd *cobra.Command, c *chain.Client, limit string, lastEpoch uint64) error {
	ctx := cmd.Context()
	s, err := a.signer(cmd)
	if err != nil {
		return err
	}
	st, err := a.status(ctx, c)
	if err != nil {
		return err
	}
	acc, owner, err := a.account(cmd, c, nil, 0)
	if err != nil {
		return err
	}
	epoch, err := c.Epoch(ctx)
	if err != nil {
		return err
	}
	switch {
	case lastEpoch == 0:
		lastEpoch = epoch.Number + defaultKeyEpochs
	case lastEpoch < epoch.Number:
		return usagef("last epoch %d is over, the chain is in epoch %d", lastEpoch, epoch.Number)
	}
	spend := acc.Spendable
	if limit != "" {
		coin, err := settlementCoin(ctx, c, limit)
		if err != nil {
			return err
		}
		spend = coin.Amount
	}
	if !spend.IsPositive() {
		return fmt.Errorf("account %d has nothing to spend; add to it with edge account deposit, or set --spend-limit", acc.ID)
	}
	k, err := newClientKey(st.ChainID, acc.ID, owner, lastEpoch)
	if err != nil {
		return err
	}
	private, err := k.private()
	if err != nil {
		return err
	}
	pending, err := k.savePending(a.home)
	if err != nil {
		return err
	}
	public := private.Public().(ed25519.PublicKey)
	id, tx, err := c.AddClientKey(ctx, s, public, ed25519.Sign(private, chain.KeyProof(st.ChainID, acc.ID)), spend, lastEpoch)
	if err != nil {
		if notRegistered(err) {
			return errors.Join(err, os.Remove(pending))
		}
		return fmt.Errorf("%w; the key is kept in %s until it is known whether it was registered", err, pending)
	}
	path, err := k.register(a.home, pending, id)
	if err != nil {
		return err
	}
	return a.print(cmd, txOutput{AccountID: acc.ID, Owner: owner, KeyID: id, KeyFile: path, TxResult: tx},
		"registered client key %d of account %d, good for %s per epoch until epoch %d; stored in %s; fee %s, transaction %s in block %d\n",
		id, acc.ID, spend, lastEpoch, path, tx.Fee, tx.Hash, tx.Height)
}

// notRegistered reports whether an error proves that the transaction had no effect.
func notRegistered(err error) bool {
	var refused *chain.TxError
	var funds *chain.FundsError
	var fee *chain.FeeError
	return errors.As(err, &refused) || errors.As(err, &funds) || errors.As(err, &fee) || errors.Is(err, chain.ErrExpired) || errors.Is(err, chain.ErrKey) ||
		errors.Is(err, chain.ErrSimulation)
}

// keyOutput is one client key of an account.
type keyOutput struct {
	keyState
	// Stored is true if this machine holds the key.
	Stored bool `json:"stored"`
}

func newKeyListCommand(a *app) *cobra.Command {
	var id uint64
	cmd := &cobra.Command{
		Use:   "keys [ADDRESS]",
		Short: "List the client keys of an account",
		Example: `  edge account keys --from alice
  edge account keys --account 7 --output json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.chain()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			st, err := a.status(ctx, c)
			if err != nil {
				return err
			}
			acc, _, err := a.account(cmd, c, args, id)
			if err != nil {
				return err
			}
			keys, err := c.Keys(ctx, acc.ID)
			if err != nil {
				return err
			}
			epoch, err := c.Epoch(ctx)
			if err != nil {
				return err
			}
			stored, err := clientKeys(a.home, st.ChainID)
			if err != nil {
				return err
			}
			here := make(map[string]bool)
			for _, k := range stored {
				here[k.PublicKey] = true
			}
			out := make([]keyOutput, 0, len(keys))
			var text strings.Builder
			for _, k := range keys {
				state := stateOfKey(k, epoch.Number)
				out = append(out, keyOutput{keyState: state, Stored: here[state.PublicKey]})
				where := "not on this machine"
				if here[state.PublicKey] {
					where = "on this machine"
				}
				fmt.Fprintf(&text, "%s, %s\n", state.describe(epoch.Number), where)
			}
			if len(out) == 0 {
				fmt.Fprintf(&text, "account %d has no client keys; add one with edge account add-key\n", acc.ID)
			}
			return a.print(cmd, out, "%s", text.String())
		},
	}
	a.fromFlag(cmd, "name or address of the owner's key")
	cmd.Flags().Uint64Var(&id, "account", 0, "id of the account")
	return cmd
}

// coinText is a whole number with or without the name of a coin. Fractions have no place in it: the SDK's parser would
// cut them off.
var coinText = regexp.MustCompile(`^([0-9]{1,77})([a-zA-Z][a-zA-Z0-9/:._-]{2,127})?$`)

// splitCoin reads an amount with or without the name of its coin.
func splitCoin(s string) (sdkmath.Int, string, error) {
	if m := coinText.FindStringSubmatch(s); m != nil {
		if n, ok := sdkmath.NewIntFromString(m[1]); ok && n.IsPositive() {
			return n, m[2], nil
		}
	}
	return sdkmath.Int{}, "", usagef("%q is no positive whole amount of a coin, such as 5000000uusd", s)
}

// settlementCoin reads an amount of the settlement coin.
func settlementCoin(ctx context.Context, c *chain.Client, s string) (sdk.Coin, error) {
	n, denom, err := splitCoin(s)
	if err != nil {
		return sdk.Coin{}, err
	}
	params, err := c.Params(ctx)
	if err != nil {
		return sdk.Coin{}, err
	}
	if denom != "" && denom != params.SettlementDenom {
		return sdk.Coin{}, usagef("accounts are kept in %s, not in %s", params.SettlementDenom, denom)
	}
	return sdk.Coin{Denom: params.SettlementDenom, Amount: n}, nil
}
