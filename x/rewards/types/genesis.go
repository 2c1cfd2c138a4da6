package types

import (
	"time"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// DefaultGenesis returns the genesis of a new network: the shares and emission terms of its parameters count from the first
// epoch on, and no price of the token is set, so that nothing is minted until governance sets one.
func DefaultGenesis() *GenesisState {
	return &GenesisState{Params: DefaultParams()}
}

// Validate checks that the state is one that the module can have written. It returns ErrInvalidGenesis, ErrInvalidParams,
// ErrInvalidShares, ErrInvalidPrice, ErrInvalidLock or ErrBooks.
func (g GenesisState) Validate() error {
	if err := g.Params.Validate(); err != nil {
		return err
	}
	if err := g.validateShareChanges(); err != nil {
		return err
	}
	if err := g.validateEmission(); err != nil {
		return err
	}
	if err := g.validateLocks(); err != nil {
		return err
	}
	summaries, err := g.validateSummaries()
	if err != nil {
		return err
	}
	return g.validatePayouts(summaries)
}

// Phases returns the phase of each epoch that is being paid.
func (g GenesisState) Phases() map[uint64]PayPhase {
	phases := make(map[uint64]PayPhase, len(g.Cursors))
	for _, c := range g.Cursors {
		phases[c.Epoch] = c.Phase
	}
	return phases
}

// Held is what the summaries say is in the module's account.
func (g GenesisState) Held() Held {
	held, phases := NewHeld(), g.Phases()
	for _, s := range g.Summaries {
		held = held.Add(s.Held(phases[s.Epoch]))
	}
	return held
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

// validateEmission checks the schedule of the terms, as that of the shares, the prices and the emission year.
func (g GenesisState) validateEmission() error {
	for i, c := range g.EmissionChanges {
		if err := c.Terms.Validate(); err != nil {
			return err
		}
		if i == 0 && c.Epoch != 1 || i > 0 && c.Epoch <= g.EmissionChanges[i-1].Epoch {
			return errorsmod.Wrapf(ErrInvalidGenesis, "emission change of epoch %d: they ascend from epoch 1", c.Epoch)
		}
	}
	if n := len(g.EmissionChanges); n > 0 && !g.EmissionChanges[n-1].Terms.Equal(g.Params.Emission) {
		return errorsmod.Wrap(ErrInvalidGenesis, "the last emission change is not that of the parameters")
	}
	for i, p := range g.TokenPrices {
		if err := ValidateTokenPrice(p.Price); err != nil {
			return err
		}
		if p.Epoch == 0 || i > 0 && p.Epoch <= g.TokenPrices[i-1].Epoch {
			return errorsmod.Wrapf(ErrInvalidGenesis, "token price of epoch %d: they ascend", p.Epoch)
		}
	}
	if y := g.Year; y != nil && (y.Number == 0 || y.Start.Before(time.Unix(0, 0)) || y.Supply.IsNil() || y.Supply.IsNegative()) {
		return errorsmod.Wrapf(ErrInvalidGenesis, "emission year %d from %s with a supply of %s", y.Number, y.Start, y.Supply)
	}
	if g.Supply != nil {
		return g.Supply.Validate()
	}
	return nil
}

// validateSummaries checks the books, that exactly the epochs that are being paid have a cursor, and that what they say was
// minted is what the history of the supply says. It returns the epochs that have books.
func (g GenesisState) validateSummaries() (map[uint64]bool, error) {
	phases := g.Phases()
	for _, c := range g.Cursors {
		if !c.Phase.Valid() {
			return nil, errorsmod.Wrapf(ErrInvalidGenesis, "cursor of epoch %d: phase %d", c.Epoch, c.Phase)
		}
	}
	minted, paying := math.ZeroInt(), 0
	epochs := make(map[uint64]bool, len(g.Summaries))
	for i, s := range g.Summaries {
		phase, has := phases[s.Epoch]
		if has == s.Done {
			return nil, errorsmod.Wrapf(ErrInvalidGenesis, "epoch %d has a cursor exactly while it is being paid", s.Epoch)
		}
		if has {
			paying++
		}
		if err := s.Validate(phase); err != nil {
			return nil, err
		}
		if i > 0 && s.Epoch <= g.Summaries[i-1].Epoch {
			return nil, errorsmod.Wrapf(ErrInvalidGenesis, "summary of epoch %d is out of order", s.Epoch)
		}
		minted = minted.Add(s.Emission.Minted(s.Done))
		epochs[s.Epoch] = true
	}
	if paying != len(g.Cursors) {
		return nil, errorsmod.Wrap(ErrInvalidGenesis, "a cursor stands twice or has no summary")
	}
	history := math.ZeroInt()
	if g.Supply != nil {
		history = g.Supply.Minted
	}
	if !history.Equal(minted) {
		return nil, errorsmod.Wrapf(ErrBooks, "%s minted, the summaries say %s", history, minted)
	}
	return epochs, nil
}

// payoutSums are what the payouts of an epoch add up to that are set aside, in the settlement coin and in tokens.
type payoutSums struct{ settlement, emission math.Int }

// validatePayouts checks each payout and that those set aside add up to what the summaries say.
func (g GenesisState) validatePayouts(epochs map[uint64]bool) error {
	type id struct {
		epoch uint64
		kind  PayoutKind
		id    uint64
	}
	seen := make(map[id]bool, len(g.Payouts))
	setAside := make(map[uint64]payoutSums, len(epochs))
	for _, s := range g.Summaries {
		setAside[s.Epoch] = payoutSums{math.ZeroInt(), math.ZeroInt()}
	}
	settlement := ""
	for _, p := range g.Payouts {
		k := id{p.Epoch, p.Kind, p.Id}
		if !p.Kind.Emission() && settlement == "" {
			settlement = p.Denom
		}
		switch {
		case !epochs[p.Epoch], !p.Kind.Valid(), p.Kind.Community() && p.Id != 0, seen[k]:
			return errorsmod.Wrapf(ErrInvalidGenesis, "payout of epoch %d kind %d id %d", p.Epoch, p.Kind, p.Id)
		case p.Amount.IsNil() || !p.Amount.IsPositive():
			return errorsmod.Wrapf(ErrInvalidGenesis, "payout of epoch %d kind %s id %d: amount %s", p.Epoch, p.Kind, p.Id, p.Amount)
		case p.Kind.Emission() != (p.Denom == EmissionDenom), !p.Kind.Emission() && p.Denom != settlement, p.Denom == "":
			return errorsmod.Wrapf(ErrInvalidGenesis, "payout of epoch %d kind %s id %d: denom %q", p.Epoch, p.Kind, p.Id, p.Denom)
		case !p.SetAside && p.Cause != "" || len(p.Cause) > epochtypes.MaxCause:
			return errorsmod.Wrapf(ErrInvalidGenesis, "payout of epoch %d kind %s id %d: cause", p.Epoch, p.Kind, p.Id)
		}
		seen[k] = true
		if !p.SetAside {
			continue
		}
		sums := setAside[p.Epoch]
		if p.Kind.Emission() {
			sums.emission = sums.emission.Add(p.Amount)
		} else {
			sums.settlement = sums.settlement.Add(p.Amount)
		}
		setAside[p.Epoch] = sums
	}
	for _, s := range g.Summaries {
		sums := setAside[s.Epoch]
		if !sums.settlement.Equal(s.SetAside) || !sums.emission.Equal(s.Emission.SetAside) {
			return errorsmod.Wrapf(ErrBooks, "epoch %d: %s and %s set aside, the payouts say %s and %s",
				s.Epoch, s.SetAside, s.Emission.SetAside, sums.settlement, sums.emission)
		}
	}
	return nil
}
