package types

import (
	"bytes"

	"github.com/cometbft/cometbft/crypto"
	cryptoenc "github.com/cometbft/cometbft/crypto/encoding"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/beacon"
)

// handOverSteps is the number of steps of a hand-over.
const handOverSteps = 4

// invalid is ErrInvalidGenesis with a reason.
func invalid(format string, args ...any) error {
	return errorsmod.Wrapf(ErrInvalidGenesis, format, args...)
}

// validateOperator refuses every text of an operator's address but the one that the module writes: two texts of one address
// would be two members.
func validateOperator(text string) ([]byte, error) {
	operator, err := sdk.ValAddressFromBech32(text)
	if err != nil {
		return nil, invalid("operator %.128q: %s", text, err)
	}
	if operator.String() != text {
		return nil, invalid("operator %.128q is not written as %s", text, operator)
	}
	return operator, nil
}

// validateStake checks an amount of uedge that stands behind a seat or a row.
func validateStake(tokens math.Int) error {
	if tokens.IsNil() || !tokens.IsPositive() {
		return invalid("%s tokens", tokens)
	}
	return nil
}

func (g GenesisState) validateBeaconKeys() error {
	seen := make(map[string]bool, len(g.BeaconKeys))
	for _, k := range g.BeaconKeys {
		if _, err := validateOperator(k.Operator); err != nil {
			return errorsmod.Wrap(err, "beacon key")
		}
		if seen[k.Operator] {
			return invalid("beacon key: %s stands twice", k.Operator)
		}
		seen[k.Operator] = true
		if err := beacon.CheckPubKey(k.PubKey); err != nil {
			return invalid("beacon key of %s: %s", k.Operator, err)
		}
		if k.Height < 0 {
			return invalid("beacon key of %s: height %d", k.Operator, k.Height)
		}
	}
	return nil
}

// validateCommittee checks elections, beacon, hand-over and sets of a document with epochs.
func (g GenesisState) validateCommittee() error {
	rows, err := g.validateFrozen()
	if err != nil {
		return err
	}
	if err := g.validateElections(rows); err != nil {
		return err
	}
	if err := g.validateLeavings(); err != nil {
		return err
	}
	if err := g.validateBeacon(); err != nil {
		return err
	}
	if err := g.validateHandOver(); err != nil {
		return err
	}
	if err := g.validateSets(); err != nil {
		return err
	}
	return g.validateHeaderHashes()
}

// validateFrozen checks the rows, which stand in the order of their epochs and operators' bytes, and returns them by epoch.
func (g GenesisState) validateFrozen() (map[uint64][]FrozenValidator, error) {
	rows := make(map[uint64][]FrozenValidator)
	var epoch uint64
	var before []byte
	for _, r := range g.Frozen {
		v := r.Validator
		operator, err := validateOperator(v.Operator)
		if err != nil {
			return nil, errorsmod.Wrapf(err, "record of epoch %d", r.Epoch)
		}
		if err := validateStake(v.Tokens); err != nil {
			return nil, errorsmod.Wrapf(err, "record of epoch %d: %s", r.Epoch, v.Operator)
		}
		switch {
		case r.Epoch < epoch || r.Epoch == epoch && bytes.Compare(operator, before) <= 0:
			return nil, invalid("record of epoch %d: %s is out of order", r.Epoch, v.Operator)
		case len(v.BeaconKey) != 0 && len(v.BeaconKey) != beacon.PubKeySize:
			return nil, invalid("record of epoch %d: %s has a beacon key of %d bytes", r.Epoch, v.Operator, len(v.BeaconKey))
		case v.Ineligibility < INELIGIBILITY_NONE || v.Ineligibility > INELIGIBILITY_UNHEALTHY:
			return nil, invalid("record of epoch %d: %s has ineligibility %d", r.Epoch, v.Operator, v.Ineligibility)
		case v.Participates() && len(v.BeaconKey) == 0:
			return nil, invalid("record of epoch %d: %s takes part without a beacon key", r.Epoch, v.Operator)
		}
		epoch, before = r.Epoch, operator
		rows[r.Epoch] = append(rows[r.Epoch], v)
	}
	return rows, nil
}

// validateElections checks that the elections are those of consecutive epochs up to the open one or, after a freeze, the next
// one, and that each agrees with its record and its epochs.
func (g GenesisState) validateElections(rows map[uint64][]FrozenValidator) error {
	open := g.Epochs[len(g.Epochs)-1]
	newest := open.Number
	if g.Beacon != nil {
		newest++
	}
	if n := len(g.Elections); n == 0 || g.Elections[n-1].Epoch != newest {
		return invalid("the newest election is not that of epoch %d", newest)
	}
	counted := 0
	for i, e := range g.Elections {
		if e.Epoch != newest-uint64(len(g.Elections)-1-i) || e.Epoch == 0 {
			return invalid("election of epoch %d is out of order", e.Epoch)
		}
		if err := g.validateElection(e, rows[e.Epoch]); err != nil {
			return errorsmod.Wrapf(err, "election of epoch %d", e.Epoch)
		}
		counted += len(rows[e.Epoch])
	}
	if counted != len(g.Frozen) {
		return invalid("%d rows belong to no election", len(g.Frozen)-counted)
	}
	return nil
}

func (g GenesisState) validateElection(e Election, rows []FrozenValidator) error {
	t := tally(rows)
	switch {
	case e.Seats < 1 || e.Seats > MaxSeats:
		return invalid("%d seats", e.Seats)
	case e.DrawFallback < FALLBACK_NONE || e.DrawFallback > FALLBACK_GENESIS:
		return invalid("fallback %d of the draw", e.DrawFallback)
	case e.Fallback != e.DrawFallback && (e.Fallback != FALLBACK_KEPT || !e.Drawn()):
		return invalid("fallback %d, of the draw %d", e.Fallback, e.DrawFallback)
	case (e.DrawFallback == FALLBACK_GENESIS) != (e.Epoch == 1):
		return invalid("fallback %s", e.DrawFallback)
	case e.BondedTokens.IsNil() || e.ParticipatingTokens.IsNil() || e.HealthyTokens.IsNil():
		return invalid("stakes are missing")
	case !e.BondedTokens.Equal(t.bonded) || !e.ParticipatingTokens.Equal(t.participating) || !e.HealthyTokens.Equal(t.healthy):
		return invalid("stakes are not those of the record")
	case int(e.Validators) != len(rows) || int(e.Candidates) != len(e.DrawCandidates(rows)):
		return invalid("%d validators and %d candidates are not those of the record", e.Validators, e.Candidates)
	case len(e.Start) != SeedSize && e.Epoch != 1 || len(e.Start) != 0 && e.Epoch == 1:
		return invalid("start of %d bytes", len(e.Start))
	}
	if err := g.validateElectionHeights(e); err != nil {
		return err
	}
	return g.validateDraw(e)
}

// validateElectionHeights checks the freeze against the epoch in which it took place.
func (g GenesisState) validateElectionHeights(e Election) error {
	if e.Epoch == 1 {
		if e.FreezeHeight < 0 || e.FreezeHeight != e.ClosingHeight {
			return invalid("frozen at %d, closing at %d", e.FreezeHeight, e.ClosingHeight)
		}
		return nil
	}
	if before, ok := g.epoch(e.Epoch - 1); ok && (before.FreezeHeight != e.FreezeHeight || before.ClosingHeight != e.ClosingHeight) {
		return invalid("frozen at %d, closing at %d: not as epoch %d", e.FreezeHeight, e.ClosingHeight, before.Number)
	}
	if e.FreezeHeight < 1 || e.ClosingHeight <= e.FreezeHeight {
		return invalid("frozen at %d, closing at %d", e.FreezeHeight, e.ClosingHeight)
	}
	return nil
}

// validateDraw checks the result of the draw, which is there unless the election is of the next epoch.
func (g GenesisState) validateDraw(e Election) error {
	epoch, open := g.epoch(e.Epoch)
	if !open {
		if e.Drawn() || len(e.Elected) != 0 || len(e.Spares) != 0 || e.Reveals != 0 {
			return invalid("was drawn before its epoch")
		}
		return nil
	}
	if !bytes.Equal(e.Seed, epoch.Seed) {
		return invalid("seed %X is not that of the epoch", e.Seed)
	}
	elected, err := validateRuns(e.Elected, e.FreezeHeight)
	if err != nil {
		return errorsmod.Wrap(err, "elected")
	}
	spares, err := validateRuns(e.Spares, e.FreezeHeight)
	if err != nil {
		return errorsmod.Wrap(err, "spares")
	}
	if elected != spares || e.Fallback != FALLBACK_KEPT && elected != uint64(e.Seats) {
		return invalid("%d seats, %d elected, %d spares", e.Seats, elected, spares)
	}
	return nil
}

// validateRuns checks runs that were drawn at a freeze or before it, and returns their seats.
func validateRuns(runs []SeatRun, freezeHeight int64) (seats uint64, err error) {
	seen := make(map[string]bool, len(runs))
	for _, r := range runs {
		if _, err := validateOperator(r.Operator); err != nil {
			return 0, err
		}
		if err := validateStake(r.Tokens); err != nil {
			return 0, errorsmod.Wrap(err, r.Operator)
		}
		if r.Seats == 0 || r.FreezeHeight < 0 || r.FreezeHeight > freezeHeight || seen[r.Operator] {
			return 0, invalid("run of %d seats of %s, frozen at %d", r.Seats, r.Operator, r.FreezeHeight)
		}
		seen[r.Operator] = true
		seats += uint64(r.Seats)
	}
	if seats == 0 || seats > MaxSeats {
		return 0, invalid("%d seats, want 1 to %d", seats, MaxSeats)
	}
	return seats, nil
}

// epoch returns an epoch of the document; their numbers are consecutive.
func (g GenesisState) epoch(number uint64) (Epoch, bool) {
	first := g.Epochs[0].Number
	if number < first || number-first >= uint64(len(g.Epochs)) {
		return Epoch{}, false
	}
	return g.Epochs[number-first], true
}

func (g GenesisState) validateLeavings() error {
	type id struct {
		epoch    uint64
		operator string
	}
	first, last := g.Elections[0].Epoch, g.Elections[len(g.Elections)-1].Epoch
	seen := make(map[id]bool, len(g.Leavings))
	for _, l := range g.Leavings {
		if _, err := validateOperator(l.Operator); err != nil {
			return errorsmod.Wrapf(err, "leaving of epoch %d", l.Epoch)
		}
		switch k := (id{l.Epoch, l.Operator}); {
		case l.Epoch < first || l.Epoch > last:
			return invalid("leaving of epoch %d, whose election is not kept", l.Epoch)
		case l.Reason != LEAVE_REASON_UNBONDED && l.Reason != LEAVE_REASON_MISSED_REVEAL:
			return invalid("leaving of epoch %d: %s for reason %d", l.Epoch, l.Operator, l.Reason)
		case l.Height < 0:
			return invalid("leaving of epoch %d: %s at height %d", l.Epoch, l.Operator, l.Height)
		case seen[k]:
			return invalid("leaving of epoch %d: %s stands twice", l.Epoch, l.Operator)
		default:
			seen[k] = true
		}
	}
	return nil
}

// validateBeacon checks the beacon against the frozen epoch and its election; validateEpoch has seen that it is there exactly if
// the last epoch is frozen.
func (g GenesisState) validateBeacon() error {
	if g.Beacon == nil {
		return nil
	}
	b, e, frozen := *g.Beacon, g.Elections[len(g.Elections)-1], g.Epochs[len(g.Epochs)-1]
	switch {
	case b.Epoch != e.Epoch || b.FreezeHeight != frozen.FreezeHeight || b.ClosingHeight != frozen.ClosingHeight:
		return invalid("beacon of epoch %d, frozen at %d, closing at %d: not as epoch %d", b.Epoch, b.FreezeHeight, b.ClosingHeight, frozen.Number)
	case len(b.Start) != SeedSize || len(b.Mix) != SeedSize || !bytes.Equal(b.Start, e.Start):
		return invalid("beacon with start %X and mix %X", b.Start, b.Mix)
	case (b.Reveals == 0) != bytes.Equal(b.Start, b.Mix) || int64(b.Reveals) >= b.ClosingHeight-b.FreezeHeight:
		// The block at the closing height carries none.
		return invalid("beacon with %d reveals", b.Reveals)
	}
	if p := b.Pending; p != nil {
		switch {
		case p.Height <= b.FreezeHeight || p.Height >= b.ClosingHeight:
			return invalid("beacon with a reveal pending of height %d", p.Height)
		case len(p.Proposer) != crypto.AddressSize || len(p.Reveal) != 0 && len(p.Reveal) != beacon.SignatureSize:
			return invalid("beacon with a reveal of %d bytes pending of a proposer of %d bytes", len(p.Reveal), len(p.Proposer))
		}
	}
	return nil
}

// validateHandOver checks that the seats go to the open epoch's committee, and that nothing is frozen before they are all sent.
func (g GenesisState) validateHandOver() error {
	if g.HandOver == nil {
		return invalid("no hand-over")
	}
	h, open := *g.HandOver, g.Epochs[len(g.Epochs)-1]
	switch {
	case h.Epoch != open.Number:
		return invalid("hand-over to epoch %d, the open one is %d", h.Epoch, open.Number)
	case h.Steps < 1 || h.Steps > handOverSteps || h.StepBlocks < 1 || h.StepBlocks > MaxStepBlocks:
		return invalid("hand-over with %d steps, %d blocks apart", h.Steps, h.StepBlocks)
	case (h.NextHeight == 0) != (h.Steps == handOverSteps) || h.NextHeight < 0:
		return invalid("hand-over with %d steps, the next at %d", h.Steps, h.NextHeight)
	case h.Steps < handOverSteps && (g.Beacon != nil || g.Elections[0].Epoch >= h.Epoch):
		return invalid("hand-over with %d steps while epoch %d is frozen, or without the election before", h.Steps, open.Number)
	}
	return nil
}

func (g GenesisState) validateSets() error {
	if len(g.ValidatorSets) == 0 {
		return invalid("no validator set")
	}
	var before int64
	for _, s := range g.ValidatorSets {
		switch {
		case s.Height <= before:
			return invalid("validator set of height %d is out of order", s.Height)
		case s.SentHeight < 0 || s.SentHeight >= s.Height:
			return invalid("validator set of height %d, sent at %d", s.Height, s.SentHeight)
		case s.SentTime.IsZero() || s.SentTime.Unix() == 0:
			return invalid("validator set of height %d: no time", s.Height)
		case len(s.Members) == 0:
			return invalid("validator set of height %d is empty", s.Height)
		}
		if err := s.validateMembers(); err != nil {
			return errorsmod.Wrapf(err, "validator set of height %d", s.Height)
		}
		before = s.Height
	}
	return nil
}

// validateMembers checks operators, keys and powers. While seats are handed over from one committee to the next the power is at
// most that of both.
func (s ValidatorSet) validateMembers() error {
	keys := make(map[string]bool, len(s.Members))
	var power int64
	for i, m := range s.Members {
		if _, err := validateOperator(m.Operator); err != nil {
			return err
		}
		if err := validateStake(m.Tokens); err != nil {
			return errorsmod.Wrap(err, m.Operator)
		}
		key, err := cryptoenc.PubKeyFromProto(m.PubKey)
		if err != nil {
			return invalid("%s: %s", m.Operator, err)
		}
		address := string(key.Address())
		switch {
		case i > 0 && m.Operator <= s.Members[i-1].Operator:
			return invalid("%s is out of order", m.Operator)
		case m.Power < 1 || m.Power > MaxSeats:
			return invalid("%s has power %d", m.Operator, m.Power)
		case m.FreezeHeight < 0 || m.FreezeHeight > s.SentHeight:
			return invalid("%s was frozen at %d", m.Operator, m.FreezeHeight)
		case keys[address]:
			return invalid("the key of %s stands twice", m.Operator)
		}
		keys[address] = true
		power += m.Power
	}
	if power > 2*MaxSeats {
		return invalid("power %d", power)
	}
	return nil
}

func (g GenesisState) validateHeaderHashes() error {
	var before int64
	for _, h := range g.HeaderHashes {
		if h.Height <= before || len(h.Hash) != HeaderHashSize {
			return invalid("header hash of height %d, %d bytes", h.Height, len(h.Hash))
		}
		before = h.Height
	}
	return nil
}
