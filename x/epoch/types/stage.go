package types

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	errorsmod "cosmossdk.io/errors"
)

// Names of closing stages, in the order in which the application registers them.
const (
	// StageSum adds up the revenue of the closed epoch (x/dack).
	StageSum = "sum"
	// StagePay pays it out (x/rewards).
	StagePay = "pay"
	// StageOpen stands for the announcement of a new epoch to x/node. It is not registered: x/epoch runs it itself when an
	// epoch opens, and uses the name if it fails.
	StageOpen = "open"
)

// Bounds of what a stage can leave in the state.
const (
	// MaxStages bounds the stages of the machine.
	MaxStages = 16
	// MaxStageName is the longest name of a stage, in bytes.
	MaxStageName = 16
	// MaxItemKey is the longest key of an item that is set aside, in bytes.
	MaxItemKey = 64
	// MaxCause is the longest cause that is kept of a failure, in bytes.
	MaxCause = 256
)

// Closer works on a closed epoch, a bounded number of items at a time.
type Closer interface {
	// Close works on up to budget items (at least 1) of a closed epoch and returns how many it used. It is called once a
	// block until done is true; it keeps its own cursor, one for each epoch, and calling it after that changes nothing. An
	// item that fails is reported with SetAside and passed over. An error (or a panic) undoes the call and sets the stage
	// as a whole aside, and so does a call that neither used an item nor is done.
	Close(ctx context.Context, epoch uint64, budget uint32) (used uint32, done bool, err error)
	// RetryItem tries an item again that the stage had set aside. It is called within a transaction.
	RetryItem(ctx context.Context, epoch uint64, key []byte) error
}

// Stage is one step of the closing machine.
type Stage struct {
	// Name is unique, never changes, and has at most MaxStageName bytes of a-z.
	Name   string
	Closer Closer
}

// ValidateStages checks what the application registers.
func ValidateStages(stages []Stage) error {
	if len(stages) > MaxStages {
		return fmt.Errorf("%d closing stages, at most %d", len(stages), MaxStages)
	}
	for i, s := range stages {
		if err := ValidateStageName(s.Name); err != nil {
			return err
		}
		if s.Name == StageOpen {
			return fmt.Errorf("the stage name %q is reserved", StageOpen)
		}
		if s.Closer == nil {
			return fmt.Errorf("stage %q has no closer", s.Name)
		}
		for _, t := range stages[:i] {
			if t.Name == s.Name {
				return fmt.Errorf("stage %q is registered twice", s.Name)
			}
		}
	}
	return nil
}

// ValidateStageName checks the form of a stage's name. It returns ErrUnknownStage.
func ValidateStageName(name string) error {
	if name == "" || len(name) > MaxStageName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") != "" {
		return errorsmod.Wrapf(ErrUnknownStage, "%.32q is not 1 to %d letters a-z", name, MaxStageName)
	}
	return nil
}

// Cause returns the text of an error as it is kept in the state: valid UTF-8 and at most MaxCause bytes.
func Cause(err error) string {
	if err == nil {
		return ""
	}
	return cut(strings.ToValidUTF8(err.Error(), "?"), MaxCause)
}

// cut shortens valid UTF-8 to at most n bytes without splitting a rune.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
