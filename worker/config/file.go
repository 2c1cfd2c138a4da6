package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// maxFile bounds the file in bytes.
const maxFile = 256 << 10

// EnvPrefix stands before every variable of the environment.
const EnvPrefix = "EDGE_WORKER_"

// otherVariables of the prefix are no keys of the file.
var otherVariables = map[string]bool{EnvPrefix + "HOME": true}

// Write returns the file of a configuration, with a comment on every key.
func (c *Config) Write() []byte {
	var b bytes.Buffer
	b.WriteString("# Configuration of edge-worker. A flag --section.key and a variable EDGE_WORKER_SECTION_KEY take precedence.\n")
	t := reflect.TypeFor[Config]()
	docs := map[string]string{}
	for field := range t.Fields() {
		docs[field.Tag.Get("toml")] = field.Tag.Get("doc")
	}
	section := ""
	for _, f := range c.Fields() {
		if f.Section != section {
			section = f.Section
			fmt.Fprintf(&b, "\n# %s\n[%s]\n", docs[section], section)
		}
		value := f.String()
		if f.quoted() {
			value = quote(value)
		}
		fmt.Fprintf(&b, "# %s\n%s = %s\n", f.Doc, f.Key, value)
	}
	return b.Bytes()
}

// quote writes a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Read sets what a file says. A key that does not exist is an error, and so is a value that its key cannot have: all of those are
// named, as they stand in the file.
func (c *Config) Read(b []byte) error {
	if len(b) > maxFile {
		return fmt.Errorf("configuration of %d bytes, want at most %d", len(b), maxFile)
	}
	var doc map[string]any
	if err := toml.Unmarshal(b, &doc); err != nil {
		return syntaxError(b, err)
	}
	if err := checkValues(doc); err != nil {
		return err
	}
	err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(c)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		line, _ := unknown.Errors[0].Position()
		return fmt.Errorf("line %d: unknown key %s", line, strings.Join(unknown.Errors[0].Key(), "."))
	}
	return err
}

// syntaxError says where a file is no TOML, and what its author most likely forgot. The value is not shown: addresses hold secrets.
func syntaxError(b []byte, err error) error {
	var wrong *toml.DecodeError
	if !errors.As(err, &wrong) {
		return err
	}
	line, _ := wrong.Position()
	lines := bytes.Split(b, []byte("\n"))
	why := strings.TrimPrefix(wrong.Error(), "toml: ")
	if key, _, ok := bytes.Cut(lines[min(line, len(lines))-1], []byte("=")); ok {
		return fmt.Errorf("line %d: what %s is set to is no TOML: everything but numbers, true and false stands in quotes (%s)", line, bytes.TrimSpace(key), why)
	}
	return fmt.Errorf("line %d is no TOML, want [section], key = value or # comment (%s)", line, why)
}

// checkValues returns all values of a file that are not of the kind that their keys have.
func checkValues(doc map[string]any) error {
	var errs []error
	scratch := Default()
	misplaced := ""
	for _, f := range scratch.Fields() {
		section, ok := doc[f.Section].(map[string]any)
		if value, given := doc[f.Section]; given && !ok && misplaced != f.Section {
			misplaced = f.Section
			errs = append(errs, fmt.Errorf("%s is %s, want a section: [%s] in a line of its own, and its keys below", f.Section, written(value), f.Section))
		}
		if value, given := section[f.Key]; given {
			errs = append(errs, f.check(value))
		}
	}
	return errors.Join(errs...)
}

// check sets a value as a file has it.
func (f Field) check(value any) error {
	switch v := value.(type) {
	case string:
		if f.quoted() {
			return f.Set(v)
		}
	case int64:
		if _, plain := f.value.Interface().(string); !plain && f.kind() != wantFlag {
			if f.Set(written(v)) == nil {
				return nil
			}
		}
	case bool:
		if f.kind() == wantFlag {
			return nil
		}
	}
	return f.wrong(written(value))
}

// written is a value of a file as it stands there, as far as it is short.
func written(value any) string {
	switch v := value.(type) {
	case string:
		return strconv.Quote(v)
	case []any:
		return "a list"
	case map[string]any:
		return "a section"
	default:
		return fmt.Sprint(v)
	}
}

// ReadEnv sets what the environment says, given as os.Environ gives it. A variable that starts with the prefix and names no
// key is an error, because it is most likely a spelling mistake.
func (c *Config) ReadEnv(environ []string) error {
	fields := map[string]Field{}
	for _, f := range c.Fields() {
		fields[EnvPrefix+strings.ToUpper(f.Section+"_"+f.Key)] = f
	}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, EnvPrefix) || otherVariables[name] {
			continue
		}
		f, ok := fields[name]
		if !ok {
			return fmt.Errorf("environment variable %s names no key", name)
		}
		if err := f.Set(value); err != nil {
			return fmt.Errorf("environment variable %s: %w", name, err)
		}
	}
	return nil
}

// Load returns the configuration of a file, an environment and the flags that were given, by the names of the fields. The
// latter take precedence.
func Load(path string, environ []string, flags map[string]string) (Config, error) {
	c := Default()
	b, err := readFile(path)
	if err != nil {
		return Config{}, err
	}
	if err := c.Read(b); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := c.ReadEnv(environ); err != nil {
		return Config{}, err
	}
	return c, c.SetAll(flags)
}

// SetAll sets fields by their names.
func (c *Config) SetAll(values map[string]string) error {
	for _, f := range c.Fields() {
		if text, ok := values[f.Name()]; ok {
			if err := f.Set(text); err != nil {
				return err
			}
		}
	}
	return nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	return b, errors.Join(err, f.Close())
}
