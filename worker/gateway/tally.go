package gateway

// spareTallies is how many entries that count nothing a tally always may have.
const spareTallies = 64

// tally counts something by who it is of. An entry that has come down to nothing stays until there are more of those than of
// others: who comes mostly comes again, and an entry that is made for each request costs several times as much as one that is
// found. So what bounds the counts bounds its memory, twice. It is not safe for concurrent use.
type tally[K comparable] struct {
	counts map[K]*int
	// idle entries count nothing.
	idle int
}

func newTally[K comparable]() tally[K] { return tally[K]{counts: map[K]*int{}} }

// count returns what is counted.
func (t *tally[K]) count(of K) int {
	if n := t.counts[of]; n != nil {
		return *n
	}
	return 0
}

// add counts one more, and returns how many there are then.
func (t *tally[K]) add(of K) int {
	n := t.counts[of]
	switch {
	case n == nil:
		n = new(int)
		t.counts[of] = n
	case *n == 0:
		t.idle--
	}
	*n++
	return *n
}

// done counts one less.
func (t *tally[K]) done(of K) {
	n := t.counts[of]
	if n == nil || *n == 0 {
		return
	}
	if *n--; *n > 0 {
		return
	}
	if t.idle++; t.idle <= spareTallies || t.idle <= len(t.counts)/2 {
		return
	}
	for of, n := range t.counts {
		if *n == 0 {
			delete(t.counts, of)
		}
	}
	t.idle = 0
}
