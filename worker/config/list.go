package config

import (
	"errors"
	"strings"
)

// List of texts, written as one text with commas between them, in the file as on the command line and in the environment.
type List []string

// MarshalText implements encoding.TextMarshaler.
func (l List) MarshalText() ([]byte, error) { return []byte(strings.Join(l, ",")), nil }

// UnmarshalText implements encoding.TextUnmarshaler. White space around an entry is left out, and so are empty ones.
func (l *List) UnmarshalText(b []byte) error {
	if b == nil { // what the decoder of the file gives for an array, which would pass for no entries
		return errors.New("want one text with commas between the entries")
	}
	var list List
	for entry := range strings.SplitSeq(string(b), ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			list = append(list, entry)
		}
	}
	*l = list
	return nil
}
