package types

import (
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// DefaultGenesis returns the genesis of a new network: the shares of its parameters count from the first epoch on.
func DefaultGenesis() *GenesisState {
	return &GenesisState{Params: DefaultParams()}
}

// Validate checks that the state is one that the module can have written. It returns ErrInvalidGenesis, ErrInvalidParams,
// ErrInvalidShares or ErrBooks.
func (g GenesisState) Validate() error {
	if err := g.Params.Validate(); err != nil {
		return err
	}
	if err := g.validateShareChanges(); err != nil {
		return err
	}
	cursors := make(map[uint64]bool, len(g.Cursors))
	for _, c := range g.Cursors {
		if cursors[c.Epoch] || !PayoutKind(c.Phase).Valid() {
			return errorsmod.Wrapf(ErrInvalidGenesis, "cursor of epoch %d", c.Epoch)
		}
		cursors[c.Epoch] = true
	}
	summaries := make(map[uint64]EpochSummary, len(g.Summaries))
	for i, s := range g.Summaries {
		if err := s.Validate(); err != nil {
			return err
		}
		if i > 0 && s.Epoch <= g.Summaries[i-1].Epoch {
			return errorsmod.Wrapf(ErrInvalidGenesis, "summary of epoch %d is out of order", s.Epoch)
		}
		if cursors[s.Epoch] == s.Done {
			return errorsmod.Wrapf(ErrInvalidGenesis, "epoch %d has a cursor exactly while it is being paid", s.Epoch)
		}
		delete(cursors, s.Epoch)
		summaries[s.Epoch] = s
	}
	if len(cursors) != 0 {
		return errorsmod.Wrap(ErrInvalidGenesis, "cursor of an epoch without a summary")
	}
	return g.validatePayouts(summaries)
}

// validateShareChanges checks that the schedule covers every epoch and ends with the shares of the parameters.
func (g GenesisState) validateShareChanges() error {
	for i, c := range g.ShareChanges {
		if err := c.Shares.Validate(); err != nil {
			return err
		}
		if i == 0 && c.Epoch != 1 || i > 0 && c.Epoch <= g.ShareChanges[i-1].Epoch {
			return errorsmod.Wrapf(ErrInvalidGenesis, "share change of epoch %d: they ascend from epoch 1", c.Epoch)
		}
	}
	if n := len(g.ShareChanges); n > 0 && !g.ShareChanges[n-1].Shares.Equal(g.Params.Shares) {
		return errorsmod.Wrap(ErrInvalidGenesis, "the last share change is not that of the parameters")
	}
	return nil
}

// validatePayouts checks each payout and that those set aside add up to what the summaries say.
func (g GenesisState) validatePayouts(summaries map[uint64]EpochSummary) error {
	type id struct {
		epoch uint64
		kind  PayoutKind
		id    uint64
	}
	seen := make(map[id]bool, len(g.Payouts))
	setAside := make(map[uint64]math.Int)
	for _, p := range g.Payouts {
		k := id{p.Epoch, p.Kind, p.Id}
		_, known := summaries[p.Epoch]
		switch {
		case !known, !p.Kind.Valid(), p.Kind == PAYOUT_KIND_COMMUNITY && p.Id != 0, seen[k]:
			return errorsmod.Wrapf(ErrInvalidGenesis, "payout of epoch %d kind %d id %d", p.Epoch, p.Kind, p.Id)
		case p.Amount.IsNil() || !p.Amount.IsPositive():
			return errorsmod.Wrapf(ErrInvalidGenesis, "payout of epoch %d kind %s id %d: amount %s", p.Epoch, p.Kind, p.Id, p.Amount)
		case !p.SetAside && p.Cause != "" || len(p.Cause) > epochtypes.MaxCause:
			return errorsmod.Wrapf(ErrInvalidGenesis, "payout of epoch %d kind %s id %d: cause", p.Epoch, p.Kind, p.Id)
		}
		seen[k] = true
		if p.SetAside {
			if sum, ok := setAside[p.Epoch]; ok {
				setAside[p.Epoch] = sum.Add(p.Amount)
			} else {
				setAside[p.Epoch] = p.Amount
			}
		}
	}
	for _, s := range g.Summaries {
		sum, ok := setAside[s.Epoch]
		if !ok {
			sum = math.ZeroInt()
		}
		if !sum.Equal(s.SetAside) {
			return errorsmod.Wrapf(ErrBooks, "epoch %d: %s set aside, the payouts say %s", s.Epoch, s.SetAside, sum)
		}
	}
	return nil
}
