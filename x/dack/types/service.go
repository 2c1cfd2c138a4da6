package types

import (
	"bytes"
	stdmath "math"
	"strings"
	"unicode/utf8"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// Bounds of services.
const (
	// MaxServiceNameLength bounds a name in characters: it is for lists that people read.
	MaxServiceNameLength = 64
	// CodeHashSize is the length of a BLAKE3 hash in bytes.
	CodeHashSize = 32
	// MaxReplicas bounds how many workers an owner can ask to hold a service ready, far above what a service can use.
	MaxReplicas = 1_000
)

// ContentService is the built-in service that serves content by its hash. The protocol owns it, and no message changes it.
func ContentService() Service {
	return Service{Id: ContentServiceID, Name: "content", Kind: SERVICE_KIND_CONTENT, Status: SERVICE_STATUS_ACTIVE, Deposit: math.ZeroInt()}
}

// At returns the service as it is in an epoch: with the pending change if that counts by then, without it otherwise.
func (s Service) At(epoch uint64) Service {
	if next := s.Next; next != nil && next.Epoch <= epoch {
		s.Owner, s.CodeHash, s.Replicas, s.Status = next.Owner, next.CodeHash, next.Replicas, next.Status
	}
	s.Next = nil
	return s
}

// AsOf returns the service as it is in an epoch, with the pending change only as long as that is to come: what people are shown.
func (s Service) AsOf(epoch uint64) Service {
	if s.Next != nil && s.Next.Epoch > epoch {
		return s
	}
	return s.At(epoch)
}

// Newest returns the service with its pending change: whoever owns that may change it, so that a seller cannot touch what he
// has sold.
func (s Service) Newest() Service { return s.At(stdmath.MaxUint64) }

// Accepts reports whether acknowledgements of an epoch can name the service: all of epochs before its removal can.
func (s Service) Accepts(epoch uint64) bool { return s.RemovedEpoch == 0 || epoch < s.RemovedEpoch }

// PrunedFrom is the epoch from which no acknowledgement can name a removed service, because all that it accepts have died. From
// then on its record goes, and its deposit back. It returns 0 for one that is not removed.
//
// Example: removed in epoch 7, it refuses from 8 on; the acknowledgements of 7 live in 8 and are dead when 9 opens.
func (s Service) PrunedFrom() uint64 {
	if s.RemovedEpoch == 0 {
		return 0
	}
	return s.RemovedEpoch + 1
}

// Schedule returns the service with a change that counts from the epoch after the current one. A change that counts already
// becomes the state that it is; one that is still to come is the start of this one. Nothing is left to come if all is as it
// was.
func (s Service) Schedule(current uint64, change func(*ServiceChange)) Service {
	newest := s.Newest()
	now := s.At(current)
	next := ServiceChange{
		Epoch: current + 1, Owner: newest.Owner, CodeHash: newest.CodeHash, Replicas: newest.Replicas, Status: newest.Status,
	}
	change(&next)
	if next.Owner != now.Owner || !bytes.Equal(next.CodeHash, now.CodeHash) || next.Replicas != now.Replicas || next.Status != now.Status {
		now.Next = &next
	}
	return now
}

// ValidateServiceName returns ErrInvalidServiceName unless the name has 1 to 64 characters of valid UTF-8, all of which are
// seen, and no blank at either end: two names that look alike should be alike.
func ValidateServiceName(name string) error {
	switch n := utf8.RuneCountInString(name); {
	case !utf8.ValidString(name):
		return errorsmod.Wrap(ErrInvalidServiceName, "not UTF-8")
	case n < 1 || n > MaxServiceNameLength:
		return errorsmod.Wrapf(ErrInvalidServiceName, "%d characters, want 1 to %d", n, MaxServiceNameLength)
	case strings.HasPrefix(name, " ") || strings.HasSuffix(name, " "):
		return errorsmod.Wrap(ErrInvalidServiceName, "a blank at the beginning or end")
	}
	for _, r := range name {
		if isUnseen(r) {
			return errorsmod.Wrapf(ErrInvalidServiceName, "character %U is not seen", r)
		}
	}
	return nil
}

// unseen are control characters, blanks other than the plain one, characters that have no width or change the direction of
// those around them, those for private use, and the end of the code space, as ranges. They are spelled out because the tables
// of package unicode change with the version of Go, and nodes that are built by different ones must agree.
var unseen = [...][2]rune{
	{0x00, 0x1f},
	{0x7f, 0xa0},
	{0xad, 0xad},
	{0x034f, 0x034f},
	{0x061c, 0x061c},
	{0x115f, 0x1160},
	{0x1680, 0x1680},
	{0x17b4, 0x17b5},
	{0x180b, 0x180f},
	{0x2000, 0x200f},
	{0x2028, 0x202f},
	{0x205f, 0x206f},
	{0x2800, 0x2800},
	{0x3000, 0x3000},
	{0x3164, 0x3164},
	{0xe000, 0xf8ff},
	{0xfdd0, 0xfdef},
	{0xfe00, 0xfe0f},
	{0xfeff, 0xfeff},
	{0xffa0, 0xffa0},
	{0xfff0, 0xffff},
	{0xe0000, 0x10ffff},
}

func isUnseen(r rune) bool {
	for _, block := range unseen {
		if block[0] <= r && r <= block[1] {
			return true
		}
	}
	return false
}

// ValidateFunction returns ErrInvalidCodeHash or ErrInvalidReplicas unless these can be those of a function.
func ValidateFunction(codeHash []byte, replicas uint32) error {
	if len(codeHash) != CodeHashSize {
		return errorsmod.Wrapf(ErrInvalidCodeHash, "%d bytes, want %d", len(codeHash), CodeHashSize)
	}
	if bytes.Equal(codeHash, make([]byte, CodeHashSize)) {
		return errorsmod.Wrap(ErrInvalidCodeHash, "all zero")
	}
	if replicas < 1 || replicas > MaxReplicas {
		return errorsmod.Wrapf(ErrInvalidReplicas, "%d, want 1 to %d", replicas, MaxReplicas)
	}
	return nil
}

// ValidateServiceStatus returns ErrInvalidServiceStatus unless an owner can give this status to a service. To remove it there
// is a message of its own.
func ValidateServiceStatus(status ServiceStatus) error {
	if status != SERVICE_STATUS_ACTIVE && status != SERVICE_STATUS_PAUSED {
		return errorsmod.Wrapf(ErrInvalidServiceStatus, "%s, want active or paused", status)
	}
	return nil
}

// Validate returns ErrInvalidGenesis if no message could have left the service so.
func (s Service) Validate() error {
	if s.Id == ContentServiceID {
		if s.Kind != SERVICE_KIND_CONTENT || s.Owner != "" || len(s.CodeHash) != 0 || s.Replicas != 0 ||
			s.Status != SERVICE_STATUS_ACTIVE || s.RemovedEpoch != 0 || s.Next != nil || (!s.Deposit.IsNil() && !s.Deposit.IsZero()) {
			return errorsmod.Wrap(ErrInvalidGenesis, "service 0 is not the built-in content service")
		}
		return nil
	}
	if s.Kind != SERVICE_KIND_FUNCTION {
		return errorsmod.Wrapf(ErrInvalidGenesis, "service %d: kind %s", s.Id, s.Kind)
	}
	if err := ValidateServiceName(s.Name); err != nil {
		return errorsmod.Wrapf(ErrInvalidGenesis, "service %d: %s", s.Id, err)
	}
	states := []Service{s}
	if s.Next != nil {
		if s.Next.Epoch == 0 {
			return errorsmod.Wrapf(ErrInvalidGenesis, "service %d: a change from epoch 0 on", s.Id)
		}
		states = append(states, s.Newest())
	}
	for i, state := range states {
		if err := ValidateFunction(state.CodeHash, state.Replicas); err != nil {
			return errorsmod.Wrapf(ErrInvalidGenesis, "service %d: %s", s.Id, err)
		}
		if state.Owner == "" {
			return errorsmod.Wrapf(ErrInvalidGenesis, "service %d has no owner", s.Id)
		}
		removed := s.RemovedEpoch != 0 && i == len(states)-1
		if err := ValidateServiceStatus(state.Status); (err == nil) == removed || (removed && state.Status != SERVICE_STATUS_REMOVED) {
			return errorsmod.Wrapf(ErrInvalidGenesis, "service %d: %s, removed from epoch %d on", s.Id, state.Status, s.RemovedEpoch)
		}
	}
	switch {
	case s.RemovedEpoch != 0 && s.Next != nil && s.Next.Epoch != s.RemovedEpoch:
		return errorsmod.Wrapf(ErrInvalidGenesis, "service %d is removed from epoch %d on and changes in %d", s.Id, s.RemovedEpoch, s.Next.Epoch)
	case s.Deposit.IsNil() || !s.Deposit.IsPositive() || s.Deposit.GT(MaxServiceDeposit):
		return errorsmod.Wrapf(ErrInvalidGenesis, "service %d: deposit %s", s.Id, s.Deposit)
	}
	return nil
}
