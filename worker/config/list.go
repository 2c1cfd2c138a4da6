package config

import "strings"

// List of texts, on the command line and in the environment separated by commas. The file has either that or an array.
type List []string

// MarshalText implements encoding.TextMarshaler.
func (l List) MarshalText() ([]byte, error) { return []byte(strings.Join(l, ",")), nil }

// UnmarshalText implements encoding.TextUnmarshaler. White space around an entry is left out, and so are empty ones.
func (l *List) UnmarshalText(b []byte) error {
	var list List
	for entry := range strings.SplitSeq(string(b), ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			list = append(list, entry)
		}
	}
	*l = list
	return nil
}
