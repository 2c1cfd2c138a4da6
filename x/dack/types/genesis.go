package types

import (
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// DefaultGenesis returns the genesis state of a new chain: the content service and no accounts. It has no price changes, so
// that the prices of the parameters, also edited ones, count from the first epoch on.
func DefaultGenesis() *GenesisState {
	return &GenesisState{
		Params:        DefaultParams(),
		Services:      []Service{ContentService()},
		NextAccountId: 1,
		NextKeyId:     1,
		NextServiceId: ContentServiceID + 1,
	}
}

// laneSetKey and pairKey name records of a genesis state in sets of those seen.
type (
	laneSetKey struct{ epoch, worker, key uint64 }
	pairKey    struct{ epoch, id uint64 }
)

// Validate returns ErrInvalidParams or ErrInvalidGenesis if the state contradicts itself.
func (gs *GenesisState) Validate() error {
	if err := gs.Params.Validate(); err != nil {
		return err
	}
	if gs.NextAccountId == 0 || gs.NextKeyId == 0 || gs.NextServiceId == 0 {
		return errorsmod.Wrap(ErrInvalidGenesis, "ids count from 1")
	}
	if err := gs.validatePrices(); err != nil {
		return err
	}
	if err := gs.validateServices(); err != nil {
		return err
	}
	if err := gs.validateAccounts(); err != nil {
		return err
	}
	if err := gs.validateLanes(); err != nil {
		return err
	}
	return gs.validateRevenue()
}

// validatePrices checks that the schedule ascends and ends with the prices of the parameters. An empty one stands for
// those.
func (gs *GenesisState) validatePrices() error {
	last := uint64(0)
	for _, c := range gs.PriceChanges {
		if c.Epoch <= last {
			return errorsmod.Wrapf(ErrInvalidGenesis, "prices from epoch %d after epoch %d", c.Epoch, last)
		}
		if err := c.Prices.Validate(); err != nil {
			return err
		}
		last = c.Epoch
	}
	if n := len(gs.PriceChanges); n > 0 && !gs.PriceChanges[n-1].Prices.Equal(gs.Params.Prices) {
		return errorsmod.Wrapf(ErrInvalidGenesis, "the last price change, of epoch %d, is not params.prices", last)
	}
	return nil
}

// validateServices checks that the content service comes first, and every service by itself.
func (gs *GenesisState) validateServices() error {
	if len(gs.Services) == 0 || gs.Services[0].Id != ContentServiceID {
		return errorsmod.Wrap(ErrInvalidGenesis, "the content service is missing")
	}
	for i, s := range gs.Services {
		if i > 0 && s.Id <= gs.Services[i-1].Id {
			return errorsmod.Wrap(ErrInvalidGenesis, "services are not strictly ascending")
		}
		if s.Id >= gs.NextServiceId {
			return errorsmod.Wrapf(ErrInvalidGenesis, "service %d, the next is %d", s.Id, gs.NextServiceId)
		}
		if err := s.Validate(); err != nil {
			return err
		}
	}
	return nil
}

func (gs *GenesisState) validateAccounts() error {
	accounts := make(map[uint64]uint32, len(gs.Accounts)) // keys that the account says it has, counted down below
	owners := make(map[string]bool, len(gs.Accounts))
	for i := range gs.Accounts {
		a := &gs.Accounts[i]
		if err := a.validate(); err != nil {
			return err
		}
		if _, ok := accounts[a.Id]; ok || owners[a.Owner] {
			return errorsmod.Wrapf(ErrInvalidGenesis, "account %d of %s is there twice", a.Id, a.Owner)
		}
		if a.Id >= gs.NextAccountId {
			return errorsmod.Wrapf(ErrInvalidGenesis, "account %d, the next is %d", a.Id, gs.NextAccountId)
		}
		if a.Keys > MaxKeysPerAccount {
			return errorsmod.Wrapf(ErrInvalidGenesis, "account %d has %d keys", a.Id, a.Keys)
		}
		accounts[a.Id] = a.Keys
		owners[a.Owner] = true
	}
	keys := make(map[uint64]bool, len(gs.Keys))
	public := make(map[string]bool, len(gs.Keys))
	for i := range gs.Keys {
		k := &gs.Keys[i]
		if err := k.validate(); err != nil {
			return err
		}
		if keys[k.Id] || public[string(k.PublicKey)] {
			return errorsmod.Wrapf(ErrInvalidGenesis, "key %d is there twice", k.Id)
		}
		if k.Id >= gs.NextKeyId {
			return errorsmod.Wrapf(ErrInvalidGenesis, "key %d, the next is %d", k.Id, gs.NextKeyId)
		}
		left, ok := accounts[k.AccountId]
		if !ok || left == 0 {
			return errorsmod.Wrapf(ErrInvalidGenesis, "key %d: account %d is missing or counts fewer keys", k.Id, k.AccountId)
		}
		accounts[k.AccountId] = left - 1
		keys[k.Id], public[string(k.PublicKey)] = true, true
	}
	for i := range gs.Accounts {
		if accounts[gs.Accounts[i].Id] != 0 {
			return errorsmod.Wrapf(ErrInvalidGenesis, "account %d counts more keys than it has", gs.Accounts[i].Id)
		}
	}
	return nil
}

func (gs *GenesisState) validateLanes() error {
	seen := make(map[laneSetKey]bool, len(gs.LaneSets))
	for i := range gs.LaneSets {
		r := &gs.LaneSets[i]
		key := laneSetKey{r.Epoch, r.WorkerId, r.KeyId}
		if r.Epoch == 0 || r.WorkerId == 0 || r.KeyId == 0 || r.KeyId >= gs.NextKeyId || seen[key] {
			return errorsmod.Wrapf(ErrInvalidGenesis, "lanes of epoch %d, worker %d, key %d", r.Epoch, r.WorkerId, r.KeyId)
		}
		if err := r.Lanes.validate(); err != nil {
			return errorsmod.Wrapf(err, "lanes of epoch %d, worker %d, key %d", r.Epoch, r.WorkerId, r.KeyId)
		}
		if last := r.Lanes.Lanes[len(r.Lanes.Lanes)-1].ServiceId; last >= gs.NextServiceId {
			return errorsmod.Wrapf(ErrInvalidGenesis, "lanes of epoch %d, worker %d, key %d: service %d, the next is %d",
				r.Epoch, r.WorkerId, r.KeyId, last, gs.NextServiceId)
		}
		seen[key] = true
	}
	return nil
}

func (gs *GenesisState) validateRevenue() error {
	records := make(map[laneSetKey]bool, len(gs.Revenue))
	for _, r := range gs.Revenue {
		key := laneSetKey{r.Epoch, r.WorkerId, r.ServiceId}
		if r.Epoch == 0 || r.WorkerId == 0 || records[key] {
			return errorsmod.Wrapf(ErrInvalidGenesis, "revenue of epoch %d, worker %d, service %d", r.Epoch, r.WorkerId, r.ServiceId)
		}
		if r.Operator == "" {
			return errorsmod.Wrapf(ErrInvalidGenesis, "revenue of epoch %d, worker %d: no operator", r.Epoch, r.WorkerId)
		}
		if err := gs.validateEarned(r); err != nil {
			return err
		}
		if err := r.validateOwner(); err != nil {
			return err
		}
		records[key] = true
	}
	epochs := make(map[uint64]math.Int, len(gs.EpochTotals))
	for _, t := range gs.EpochTotals {
		if _, ok := epochs[t.Epoch]; ok || t.Epoch == 0 || (t.Collected && !t.Summed) || (t.Released && !t.Collected) {
			return errorsmod.Wrapf(ErrInvalidGenesis, "total of epoch %d", t.Epoch)
		}
		if err := t.Revenue.validate(); err != nil {
			return err
		}
		epochs[t.Epoch] = t.Revenue.Amount
	}
	var ofProtocol [2]map[uint64]math.Int // what services of the protocol earned, by worker and by service
	for i, totals := range []struct {
		name    string
		records []RevenueRecord
	}{{"worker", gs.WorkerTotals}, {"service", gs.ServiceTotals}} {
		sums := make(map[uint64]math.Int, len(epochs))
		ofProtocol[i] = make(map[uint64]math.Int, len(epochs))
		seen := make(map[pairKey]bool, len(totals.records))
		for _, r := range totals.records {
			id := r.WorkerId
			if totals.name == "service" {
				id = r.ServiceId
			}
			key := pairKey{r.Epoch, id}
			if _, ok := epochs[r.Epoch]; !ok || seen[key] || (r.Operator == "") != (totals.name == "service") {
				return errorsmod.Wrapf(ErrInvalidGenesis, "total of epoch %d, %s %d", r.Epoch, totals.name, id)
			}
			if err := gs.validateEarned(r); err != nil {
				return err
			}
			if totals.name == "service" {
				if err := r.validateOwner(); err != nil {
					return err
				}
			} else if r.Owner != "" {
				return errorsmod.Wrapf(ErrInvalidGenesis, "total of epoch %d, worker %d names an owner", r.Epoch, id)
			}
			seen[key] = true
			addSum(sums, r.Epoch, r.Revenue.Amount)
			addSum(ofProtocol[i], r.Epoch, r.ProtocolAmount)
		}
		for _, t := range gs.EpochTotals {
			sum := sumOf(sums, t.Epoch)
			// Pruning takes the parts of a released epoch away before the epoch itself.
			if !sum.Equal(t.Revenue.Amount) && (!t.Released || sum.GT(t.Revenue.Amount)) {
				return errorsmod.Wrapf(ErrInvalidGenesis, "epoch %d: %s totals are %s, the total is %s", t.Epoch, totals.name, sum, t.Revenue.Amount)
			}
		}
	}
	for _, t := range gs.EpochTotals {
		if workers, services := sumOf(ofProtocol[0], t.Epoch), sumOf(ofProtocol[1], t.Epoch); !t.Released && !workers.Equal(services) {
			return errorsmod.Wrapf(ErrInvalidGenesis, "epoch %d: the protocol's services earned %s by worker, %s by service", t.Epoch, workers, services)
		}
	}
	cursors := make(map[uint64]bool, len(gs.SumCursors))
	for _, c := range gs.SumCursors {
		if _, ok := epochs[c.Epoch]; !ok || cursors[c.Epoch] {
			return errorsmod.Wrapf(ErrInvalidGenesis, "sum cursor of epoch %d", c.Epoch)
		}
		cursors[c.Epoch] = true
	}
	return nil
}

// validateEarned checks a revenue with whom it is owed to: a record of a worker and a service, a total of a worker, which names an
// operator and no owner, or a total of a service.
func (gs *GenesisState) validateEarned(r RevenueRecord) error {
	if err := r.Revenue.validate(); err != nil {
		return err
	}
	if r.ServiceId >= gs.NextServiceId {
		return errorsmod.Wrapf(ErrInvalidGenesis, "revenue of epoch %d, service %d, the next is %d", r.Epoch, r.ServiceId, gs.NextServiceId)
	}
	if p := r.ProtocolAmount; p.IsNil() || p.IsNegative() || p.GT(r.Revenue.Amount) {
		return errorsmod.Wrapf(ErrInvalidGenesis, "revenue of epoch %d, worker %d, service %d: %s of %s is the protocol's", r.Epoch, r.WorkerId, r.ServiceId, p, r.Revenue.Amount)
	}
	return nil
}

func addSum(sums map[uint64]math.Int, epoch uint64, amount math.Int) {
	sums[epoch] = sumOf(sums, epoch).Add(amount)
}

func sumOf(sums map[uint64]math.Int, epoch uint64) math.Int {
	if sum, ok := sums[epoch]; ok {
		return sum
	}
	return math.ZeroInt()
}

// validateOwner checks that all that a service has earned is the protocol's if the protocol owns it, and nothing else is.
func (r RevenueRecord) validateOwner() error {
	want := NewWorkerRevenue(r.Revenue, r.Operator, r.Owner).ProtocolAmount
	if !r.ProtocolAmount.Equal(want) {
		return errorsmod.Wrapf(ErrInvalidGenesis, "revenue of epoch %d, worker %d, service %d of owner %q: %s is the protocol's, want %s",
			r.Epoch, r.WorkerId, r.ServiceId, r.Owner, r.ProtocolAmount, want)
	}
	return nil
}
