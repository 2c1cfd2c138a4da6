package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
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

// Read sets what a file says. A key that does not exist is an error.
func (c *Config) Read(b []byte) error {
	if len(b) > maxFile {
		return fmt.Errorf("configuration of %d bytes, want at most %d", len(b), maxFile)
	}
	decoder := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	err := decoder.Decode(c)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		line, _ := unknown.Errors[0].Position()
		return fmt.Errorf("line %d: unknown key %s", line, strings.Join(unknown.Errors[0].Key(), "."))
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		line, _ := wrong.Position()
		return fmt.Errorf("line %d: %w", line, err)
	}
	return err
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
