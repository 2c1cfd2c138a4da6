package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// onWindows is where some names are those of devices, and others cannot be written.
const onWindows = runtime.GOOS == "windows"

// unusable says why a file or folder of this machine cannot have a name that an entry has, empty if it can. Slashes,
// backslashes, control characters, . and .. are in no manifest (content.ValidEntryName).
func unusable(name string, windows bool) string {
	if !windows {
		return ""
	}
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return "is the name of a device"
	}
	if port := []rune(stem); len(port) == 4 && (strings.HasPrefix(stem, "COM") || strings.HasPrefix(stem, "LPT")) && strings.ContainsRune("0123456789¹²³", port[3]) {
		return "is the name of a device"
	}
	if strings.ContainsAny(name, `<>:"|?*`) {
		return `has one of <>:"|?*, which no file here can have`
	}
	if strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") {
		return "ends in a dot or a space, which is dropped here"
	}
	return ""
}

// foldName returns what two names share that a file system with folding names may take for the same.
func foldName(name string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))
}

// foldsNames reports whether the file system takes names for the same that differ in case or in the form of their
// characters. The folder must be empty of what begins with "probe".
func foldsNames(dir string) (bool, error) {
	made := filepath.Join(dir, "probe-\u00e9")
	f, err := os.OpenFile(made, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return false, err
	}
	if err := f.Close(); err != nil {
		return false, err
	}
	folds := false
	for _, other := range []string{"PROBE-\u00e9", "probe-e\u0301"} {
		if _, err := os.Lstat(filepath.Join(dir, other)); err == nil {
			folds = true
		}
	}
	return folds, os.Remove(made)
}

// shown makes a path fit to be shown on one line of a terminal: with format characters it stands in quotes, and escaped.
func shown(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return strconv.QuoteToGraphic(path)
	}
	return path
}
