package origin

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/origin/folder"
	"github.com/edgechain/edge/worker/origin/outbound"
)

// Placeholders of a URL template.
const (
	placeName = "{name}"
	placeCID  = "{cid}"
)

// maxOrigins bounds each kind of origin: a miss asks all of them.
const maxOrigins = 16

// Config says where content comes from and bounds it.
type Config struct {
	// Workers are base URLs of other workers.
	Workers []string
	// HTTP are URL templates with {name} (64 hex digits) or {cid}.
	HTTP []string
	// Folders are absolute paths.
	Folders []string
	// AllowNetworks are networks outside of the public Internet where Workers and HTTP may be.
	AllowNetworks []netip.Prefix
	// MaxObjectBytes bounds what is fetched for one name, in bytes.
	MaxObjectBytes uint64
	// MaxFetches run at a time, MaxQueued more wait for at most QueueTimeout.
	MaxFetches, MaxQueued int
	QueueTimeout          time.Duration
	// Linger is for how long a fetch goes on that nobody waits for. 0 ends it at once.
	Linger time.Duration
	// FirstByteTimeout, IdleTimeout, MinBytesPerSecond and TotalTimeout are those of outbound.Config.
	FirstByteTimeout, IdleTimeout, TotalTimeout time.Duration
	MinBytesPerSecond                           int64
	// MissingTTL is for how long a name that no origin has is not asked for again; MaxMissing names are remembered.
	MissingTTL time.Duration
	MaxMissing int
	// FirstBackoff and LastBackoff bound for how long a failing origin is left alone.
	FirstBackoff, LastBackoff time.Duration
	// Index of the folders. Its Folders are those above.
	Index folder.Config
}

// DefaultConfig returns the defaults, without any origin.
func DefaultConfig() Config {
	return Config{
		MaxObjectBytes: 4 << 30, MaxFetches: 32, MaxQueued: 256, QueueTimeout: 10 * time.Second, Linger: 30 * time.Second,
		FirstByteTimeout: 15 * time.Second, IdleTimeout: 20 * time.Second, TotalTimeout: 30 * time.Minute, MinBytesPerSecond: 4 << 10,
		MissingTTL: 10 * time.Second, MaxMissing: 65_536, FirstBackoff: time.Second, LastBackoff: 2 * time.Minute,
		Index: folder.Config{MaxFiles: 100_000, RescanInterval: 5 * time.Minute, BytesPerSecond: 64 << 20},
	}
}

// Enabled reports whether there is any origin.
func (c Config) Enabled() bool { return len(c.Workers)+len(c.HTTP)+len(c.Folders) > 0 }

// Outbound returns what bounds requests to the origins.
func (c Config) Outbound() outbound.Config {
	return outbound.Config{
		Networks: c.AllowNetworks, FirstByteTimeout: c.FirstByteTimeout, IdleTimeout: c.IdleTimeout, TotalTimeout: c.TotalTimeout,
		MinBytesPerSecond: c.MinBytesPerSecond, MaxConnsPerHost: c.MaxFetches,
	}
}

// index returns the configuration of the folders' index.
func (c Config) index() folder.Config {
	x := c.Index
	x.Folders = c.Folders
	return x
}

// Validate returns all faults of the configuration.
func (c Config) Validate() error {
	errs := []error{c.Outbound().Validate(), c.index().Validate()}
	for _, list := range []struct {
		name   string
		values []string
	}{{"workers", c.Workers}, {"http", c.HTTP}, {"folders", c.Folders}} {
		if len(list.values) > maxOrigins {
			errs = append(errs, fmt.Errorf("%s has %d entries, want at most %d", list.name, len(list.values), maxOrigins))
		}
	}
	for _, base := range c.Workers {
		if u, err := outbound.ParseURL(base); err != nil {
			errs = append(errs, fmt.Errorf("workers: %w: %q", err, base))
		} else if u.RawQuery != "" || u.Fragment != "" {
			errs = append(errs, fmt.Errorf("workers: %q, want a URL without query and fragment", base))
		}
	}
	for _, template := range c.HTTP {
		u, err := outbound.ParseURL(expand(template, content.EmptyName))
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("http: %w: %q", err, template))
		case !strings.Contains(template, placeName) && !strings.Contains(template, placeCID):
			errs = append(errs, fmt.Errorf("http: %q, want a URL with %s or %s", template, placeName, placeCID))
		case strings.Contains(u.Host, content.EmptyName.String()), strings.Contains(u.Host, content.EmptyName.CID()):
			errs = append(errs, fmt.Errorf("http: %q, the name must stand behind the host", template))
		}
	}
	if c.MaxObjectBytes == 0 || c.MaxObjectBytes > content.MaxSize {
		errs = append(errs, fmt.Errorf("max_object_bytes is %d, want 1 to %d", c.MaxObjectBytes, uint64(content.MaxSize)))
	}
	for _, bound := range []struct {
		name       string
		value, low int
	}{{"max_fetches", c.MaxFetches, 1}, {"max_queued", c.MaxQueued, 0}, {"max_missing", c.MaxMissing, 1}} {
		if bound.value < bound.low {
			errs = append(errs, fmt.Errorf("%s is %d, want at least %d", bound.name, bound.value, bound.low))
		}
	}
	for _, bound := range []struct {
		name  string
		value time.Duration
	}{{"queue_timeout", c.QueueTimeout}, {"first_backoff", c.FirstBackoff}} {
		if bound.value < time.Millisecond {
			errs = append(errs, fmt.Errorf("%s is %s, want at least 1ms", bound.name, bound.value))
		}
	}
	if c.MissingTTL < 0 || c.Linger < 0 {
		errs = append(errs, fmt.Errorf("missing_ttl is %s and linger %s, want 0 or more", c.MissingTTL, c.Linger))
	}
	if c.LastBackoff < c.FirstBackoff {
		errs = append(errs, errors.New("last_backoff is below first_backoff"))
	}
	return errors.Join(errs...)
}

// expand puts a name into a template.
func expand(template string, name content.Name) string {
	return strings.NewReplacer(placeName, name.String(), placeCID, name.CID()).Replace(template)
}
