package types

import (
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// NewHeld returns books of nothing, or a change of them that changes nothing.
func NewHeld() Held {
	return Held{Queued: math.ZeroInt(), SetAside: math.ZeroInt(), EmissionSetAside: math.ZeroInt()}
}

// Add returns the books after a change, whose parts can be negative.
func (h Held) Add(o Held) Held {
	return Held{
		Queued:           h.Queued.Add(o.Queued),
		SetAside:         h.SetAside.Add(o.SetAside),
		EmissionSetAside: h.EmissionSetAside.Add(o.EmissionSetAside),
	}
}

// Sub returns what has changed since other books, whose parts can be negative.
func (h Held) Sub(o Held) Held {
	return Held{
		Queued:           h.Queued.Sub(o.Queued),
		SetAside:         h.SetAside.Sub(o.SetAside),
		EmissionSetAside: h.EmissionSetAside.Sub(o.EmissionSetAside),
	}
}

// Equal says whether all parts are equal.
func (h Held) Equal(o Held) bool {
	return h.Queued.Equal(o.Queued) && h.SetAside.Equal(o.SetAside) && h.EmissionSetAside.Equal(o.EmissionSetAside)
}

// Settlement is what the module's account holds in units of the settlement coin.
func (h Held) Settlement() math.Int { return h.Queued.Add(h.SetAside) }

// Validate returns ErrBooks if a part is negative: more was paid than there was.
func (h Held) Validate() error {
	for _, part := range []struct {
		name   string
		amount math.Int
	}{{"queued", h.Queued}, {"set aside", h.SetAside}, {"emission set aside", h.EmissionSetAside}} {
		if part.amount.IsNil() || part.amount.IsNegative() {
			return errorsmod.Wrapf(ErrBooks, "%s: %s", part.name, part.amount)
		}
	}
	return nil
}
