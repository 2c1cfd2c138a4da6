package economics

import "fmt"

// gene is one number of a play with its bounds.
type gene struct {
	name      string
	value     *int64
	low, high int64
	// wide is whether the number is drawn by its magnitude.
	wide bool
}

// genes lists all numbers of a play. The bounds of parameters are those of x/rewards.
func genes(p *Play) []gene {
	var all []gene
	add := func(name string, value *int64, low, high int64, wide bool) {
		all = append(all, gene{name, value, low, high, wide})
	}
	for i := range 2 {
		add(fmt.Sprintf("node share %d", i+1), &p.NodeShare[i], 0, million, false)
		add(fmt.Sprintf("owner share %d", i+1), &p.OwnerShare[i], 0, million, false)
		add(fmt.Sprintf("guard %d", i+1), &p.Guard[i], 0, million/2, false)
		add(fmt.Sprintf("max_boost %d", i+1), &p.Boost[i], million, 10*million, false)
		add(fmt.Sprintf("max_lock_epochs %d", i+1), &p.Lock[i], 1, 3650, true)
		add(fmt.Sprintf("inflation %d", i+1), &p.Inflation[i], 0, million/2, true)
	}
	add("change", &p.Change, 0, Epochs, false)
	add("supply digits", &p.SupplyDigits, 1, million, true)
	add("supply zeros", &p.SupplyZeros, 0, 24, false)
	add("minutes", &p.Minutes, 10, 365*24*60, true)
	add("year", &p.Year, 0, Epochs, false)
	add("growth", &p.Growth, 0, 2*million, false)
	add("price digits", &p.PriceDigits, 1, million, false)
	add("price zeros", &p.PriceZeros, 0, 24, false)
	add("volatility", &p.Volatility, 0, 200_000, true)
	add("drift", &p.Drift, -100_000, 100_000, false)
	add("walk", &p.WalkSeed, 0, million, false)
	add("crash", &p.Crash, 0, Epochs, false)
	add("crash length", &p.CrashLength, 0, 40, false)
	add("crash depth", &p.CrashDepth, 1, 1_000, true)
	add("lag", &p.Lag, 0, 13, false)
	add("period", &p.Period, 1, 14, false)
	add("silent from", &p.SilentFrom, 0, Epochs, false)
	add("silence", &p.Silence, 0, Epochs, false)
	add("honest traffic", &p.HonestTraffic, 0, 1_000_000_000_000, true)
	add("own traffic", &p.OwnTraffic, 0, 1_000_000_000_000, true)
	add("workers", &p.Workers, 1, maxWorkers, false)
	for n := range nodes {
		add(fmt.Sprintf("others %d", n), &p.Others[n], 0, 1_000_000_000_000_000, true)
		add(fmt.Sprintf("stake %d", n), &p.Stake[n], 0, 1_000_000_000_000_000, true)
		add(fmt.Sprintf("commission %d", n), &p.Commission[n], 0, million, false)
	}
	for i := range p.Purchases {
		b := &p.Purchases[i]
		name := func(what string) string { return fmt.Sprintf("purchase %d %s", i, what) }
		add(name("times"), &b.Times, 0, Epochs, true)
		add(name("from"), &b.From, 0, Epochs-1, false)
		add(name("every"), &b.Every, 1, 20, true)
		add(name("node"), &b.Node, 0, nodes-1, false)
		add(name("service"), &b.Service, 0, services-1, false)
		add(name("amount"), &b.Amount, 0, 1_000_000_000_000, true)
		add(name("spread"), &b.Spread, 0, 1, false)
		add(name("late"), &b.Late, 0, 1, false)
	}
	for i := range p.Actions {
		a := &p.Actions[i]
		name := func(what string) string { return fmt.Sprintf("action %d %s", i, what) }
		add(name("kind"), &a.Kind, noAction, moveStake, false)
		add(name("epoch"), &a.Epoch, 0, Epochs, false)
		add(name("when"), &a.When, afterOpening, beforeClosing, false)
		add(name("every"), &a.Every, 0, 20, true)
		add(name("node"), &a.Node, 0, nodes-1, false)
		add(name("to"), &a.To, 0, nodes-1, false)
		add(name("part"), &a.Part, 0, million, false)
		add(name("length"), &a.Length, 1, 3650, true)
	}
	add("remove", &p.Remove, 0, Epochs, false)
	add("delay", &p.Delay, 0, margin-1, false)
	return all
}

// draw gives a gene a new value: any, a bound, or one near the present one.
func (g gene) draw(rand *source) {
	switch rand.between(0, 5) {
	case 0:
		*g.value = g.low
	case 1:
		*g.value = g.high
	case 2:
		step := (g.high-g.low)/50 + 1
		*g.value += rand.between(-step, step)
	case 3:
		if g.wide {
			*g.value = *g.value*rand.between(50, 200)/100 + rand.between(-1, 1)
			break
		}
		*g.value += rand.between(-2, 2)
	default:
		g.any(rand)
	}
	*g.value = max(g.low, min(g.high, *g.value))
}

// any gives a gene any value.
func (g gene) any(rand *source) {
	if g.wide {
		*g.value = rand.magnitude(g.low, g.high)
		return
	}
	*g.value = rand.between(g.low, g.high)
}
