// Package config is the worker's configuration file: one struct with its defaults and what each key means. A value comes
// from the command line, else from the environment (EDGE_WORKER_<SECTION>_<KEY>), else from the file, else it is the
// default. A key that does not exist is an error in the file and in the environment alike.
package config

import (
	"encoding"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"time"
)

// Config of the worker. The doc tags are the comments of the file.
type Config struct {
	Chain   Chain   `toml:"chain" doc:"The chain that the worker settles on."`
	Worker  Worker  `toml:"worker" doc:"This worker."`
	Gateway Gateway `toml:"gateway" doc:"What the worker serves over HTTP, and its bounds."`
	Credit  Credit  `toml:"credit" doc:"How much an account can owe before it has to pay, in units of the settlement coin."`
	Rollup  Rollup  `toml:"rollup" doc:"How acknowledgements become settlements."`
	Report  Report  `toml:"report" doc:"The report that the node follows the chain, which it owes once in each epoch while it takes part in elections."`
	Store   Store   `toml:"store" doc:"Content on disk."`
	Origin  Origin  `toml:"origin" doc:"Where content comes from that the worker is asked for and does not have. Whatever delivers it is not trusted: it must hash to its name."`
	Pool    Pool    `toml:"pool" doc:"The durable pool of acknowledgements."`
	Keys    Keys    `toml:"keys" doc:"The hot account that sends settlements and pays their fees."`
	Log     Log     `toml:"log" doc:"What the worker says on standard error."`
	Console Console `toml:"console" doc:"The page on the admin listener, and what it remembers."`
}

// Chain section.
type Chain struct {
	RPC           string   `toml:"rpc" doc:"CometBFT RPC of a node that you trust, best one on this machine. Several, separated by commas, stand in for each other, the first one first."`
	ChainID       string   `toml:"chain_id" doc:"Chain id that the node must have."`
	PollInterval  Duration `toml:"poll_interval" doc:"How often the node is asked for its height."`
	MaxLag        Duration `toml:"max_lag" doc:"For how long the height may stand still before the worker takes no new paid requests."`
	ProbeInterval Duration `toml:"probe_interval" doc:"How often each of several nodes is asked where it is."`
	MaxBehind     int64    `toml:"max_behind" doc:"By how many blocks a node may be behind the best of several before another one is used."`
	Failback      Duration `toml:"failback" doc:"For how long a node must have been good without a break before it is used again instead of one behind it in the list."`
	QueryTimeout  Duration `toml:"query_timeout" doc:"Bound of every query of the node."`
	CacheSize     int      `toml:"cache_size" doc:"How many client keys and accounts are remembered, each."`
	CacheTTL      Duration `toml:"cache_ttl" doc:"For how long they are."`
	MaxQueries    int      `toml:"max_queries" doc:"How many queries on behalf of clients are under way at a time."`
	MaxQueued     int      `toml:"max_queued" doc:"How many more wait for one of them to end; beyond it the answer is 503."`
	QueueTimeout  Duration `toml:"queue_timeout" doc:"How long each of those waits at most."`
	Events        bool     `toml:"events" doc:"Subscribe to new blocks over the websocket of rpc, so that each is seen at once. Without it a block is seen within poll_interval."`
}

// Worker section.
type Worker struct {
	ID          uint64   `toml:"id" doc:"Id of this worker on the chain; 0 looks it up by its peer key."`
	StopTimeout Duration `toml:"stop_timeout" doc:"How long a stop may take to finish answers and to settle what is acknowledged."`
	MemoryLimit uint64   `toml:"memory_limit" doc:"What the process may take of memory, in bytes. Bounds of caches, connections and requests must fit into it together, and memory is cleaned up more often near it."`
}

// Gateway section.
type Gateway struct {
	Listen                   string   `toml:"listen" doc:"Public address."`
	AdminListen              string   `toml:"admin_listen" doc:"Address of metrics, pprof, status and ledger. It must be a loopback address."`
	TLSCertFile              string   `toml:"tls_cert_file" doc:"PEM file of the certificate and those between it and its root. With it, or with acme_domains, the public listener speaks TLS and HTTP/2. A change is noticed within seconds. Relative paths begin in the home folder."`
	TLSKeyFile               string   `toml:"tls_key_file" doc:"PEM file of its key."`
	ACMEDomains              List     `toml:"acme_domains" doc:"Instead of files: domains, separated by commas, for which certificates are got and renewed. To name them is to accept the terms of the authority."`
	ACMEEmail                string   `toml:"acme_email" doc:"Whom the authority writes to about them; may be empty."`
	ACMEDirectory            string   `toml:"acme_directory" doc:"Directory of the authority, Let's Encrypt's by default."`
	ACMECache                string   `toml:"acme_cache" doc:"Folder of account key and certificates."`
	ACMEListen               string   `toml:"acme_listen" doc:"Address that answers HTTP-01, which must be reachable as port 80. Without it TLS-ALPN-01 proves the domains, for which listen must be reachable as port 443."`
	HTTP3                    bool     `toml:"http3" doc:"Serve HTTP/3 on the UDP port of listen while TLS is on."`
	HTTP3Port                int      `toml:"http3_port" doc:"The UDP port that clients are told, if it is another one from outside. 0 is that of listen."`
	H2C                      bool     `toml:"h2c" doc:"Speak HTTP/2 without TLS, too, for a proxy in front."`
	HSTSMaxAge               Duration `toml:"hsts_max_age" doc:"For how long browsers are told to use TLS alone for this name. 0s does not tell them."`
	CORSOrigins              List     `toml:"cors_origins" doc:"Origins whose pages may use the worker from a browser, separated by commas: * for any, which is safe because nothing rests on cookies; empty for none."`
	CORSMaxAge               Duration `toml:"cors_max_age" doc:"For how long a browser need not ask again what its pages may send."`
	TrustedProxies           List     `toml:"trusted_proxies" doc:"Addresses and networks of proxies whose X-Forwarded-For is believed, separated by commas. Their own connections are not bounded by address."`
	FreeQuotaBytes           uint64   `toml:"free_quota_bytes" doc:"Payload that an IP address (an IPv6 /64) gets without a session in each window, in bytes. 0 serves none."`
	FreeQuotaWindow          Duration `toml:"free_quota_window" doc:"Length of that window."`
	FreeQuotaTotalBytes      uint64   `toml:"free_quota_total_bytes" doc:"Payload that all addresses get together without a session in each window, in bytes."`
	FreeQuotaAddresses       int      `toml:"free_quota_addresses" doc:"How many addresses are remembered for the quota, and as many for new_connections_per_second; the one longest unseen is forgotten first."`
	MaxConnections           int      `toml:"max_connections" doc:"How many connections are served at a time; beyond it the answer is 429."`
	MaxConnectionsPerAddress int      `toml:"max_connections_per_address" doc:"How many of them may come from one IP address (an IPv6 /64). 0 is no bound, as behind a proxy."`
	MaxConnectionsPerSubnet  int      `toml:"max_connections_per_subnet" doc:"How many of them may come from one subnet (an IPv4 /24, an IPv6 /48). 0 is no bound."`
	MaxHTTP3Connections      int      `toml:"max_http3_connections" doc:"How many of them may be of HTTP/3, which take more memory; further ones are refused."`
	NewConnectionsPerSecond  int      `toml:"new_connections_per_second" doc:"How many connections an IP address may open in a second, and a quarter of what its subnet may; max_connections_per_address at once are free. 0 is no bound."`
	MaxStreams               int      `toml:"max_streams" doc:"How many requests of one connection are worked on at a time (HTTP/2 and 3)."`
	MaxRequests              int      `toml:"max_requests" doc:"How many requests are worked on at a time, but for those that bring acknowledgements."`
	MaxRequestsPerAddress    int      `toml:"max_requests_per_address" doc:"How many of them may come from one IP address (an IPv6 /64). 0 is no bound."`
	MaxRequestsPerSubnet     int      `toml:"max_requests_per_subnet" doc:"How many of them may come from one subnet (an IPv4 /24, an IPv6 /48). 0 is no bound."`
	MaxRequestsPerAccount    int      `toml:"max_requests_per_account" doc:"How many of them may be of one account, over all of its sessions. 0 is no bound."`
	MaxAckRequests           int      `toml:"max_ack_requests" doc:"How many requests that bring acknowledgements are worked on at a time."`
	RetryAfter               Duration `toml:"retry_after" doc:"What an answer of 402 or 429 tells the client to wait."`
	HeaderTimeout            Duration `toml:"header_timeout" doc:"Bound of the arrival of a request's header."`
	BodyTimeout              Duration `toml:"body_timeout" doc:"Bound of the arrival of its body."`
	IdleTimeout              Duration `toml:"idle_timeout" doc:"Bound of the silence between two requests of a connection."`
	FirstByteTimeout         Duration `toml:"first_byte_timeout" doc:"Bound of the time from a request's header to the first byte of its answer, fetches from origins and the wait for credit included."`
	WriteTimeout             Duration `toml:"write_timeout" doc:"How long a client may take for step_bytes of an answer."`
	DrainGrace               Duration `toml:"drain_grace" doc:"For how long after the last answer a stop waits for acknowledgements."`
	MaxHeaderBytes           int      `toml:"max_header_bytes" doc:"Bound of a request's header in bytes."`
	MaxBodyBytes             int      `toml:"max_body_bytes" doc:"Bound of a request's body in bytes."`
	MinUploadBytesPerSecond  int      `toml:"min_upload_bytes_per_second" doc:"The least average speed of an upload, after write_timeout and without its waits for credit; with them it may take 8 times as long."`
	StepBytes                int      `toml:"step_bytes" doc:"How much payload is reserved, read and written at a time, a multiple of 16 KiB."`
	MaxSessions              int      `toml:"max_sessions" doc:"How many sessions are open at a time."`
	MaxSessionsPerAccount    int      `toml:"max_sessions_per_account" doc:"How many of them may be of one account; a further one takes the place of the one in which no request has begun for longest."`
	SessionTimeout           Duration `toml:"session_timeout" doc:"A session that is idle for longer ends."`
	ChallengeTTL             Duration `toml:"challenge_ttl" doc:"How long a challenge can open a session."`
	MaxChallenges            int      `toml:"max_challenges" doc:"How many used challenges are remembered until they expire; beyond it no session opens."`
	CheckTimeout             Duration `toml:"check_timeout" doc:"Bound of each check of /readyz."`
}

// Credit section.
type Credit struct {
	Base                  *big.Int `toml:"base" doc:"What an account may owe that has settled nothing with this worker yet."`
	MaxUnsettled          *big.Int `toml:"max_unsettled" doc:"What any account may owe at most."`
	StallTimeout          Duration `toml:"stall_timeout" doc:"How long a stream waits for an acknowledgement at the limit before it is reset."`
	AccountTTL            Duration `toml:"account_ttl" doc:"How old an account's balance may be when a stream asks for credit."`
	MaxAccounts           int      `toml:"max_accounts" doc:"How many accounts are held in memory: those with a session or with unacknowledged bytes."`
	MaxLanes              int      `toml:"max_lanes" doc:"How many lanes of an account have their receipts kept; the one longest unused goes first."`
	MaxReceipts           int      `toml:"max_receipts" doc:"How many requests of a lane may be without an acknowledgement."`
	MaxReceiptsPerAccount int      `toml:"max_receipts_per_account" doc:"How many requests of all lanes of an account may be."`
	MaxReceiptsTotal      int      `toml:"max_receipts_total" doc:"How many requests of all accounts may be, 64 bytes of memory each; beyond it no request begins."`
}

// Rollup section.
type Rollup struct {
	GasPrice           string   `toml:"gas_price" doc:"What a unit of gas is paid with."`
	Interval           Duration `toml:"interval" doc:"How often what has reached min_value is settled, but for jitter."`
	MinValue           *big.Int `toml:"min_value" doc:"What must be pending for an interval to settle it; the end of an epoch settles less. Set it to what the fee of a settlement is worth, about 400 uedge, or more."`
	HurryValue         *big.Int `toml:"hurry_value" doc:"What an account whose stream is at half of its limit must have pending to be settled before the interval is over. 0 is a quarter of credit.base; more than half of it lets streams wait."`
	HurrySpacing       Duration `toml:"hurry_spacing" doc:"The least time between settlements before an interval is over that bring less than min_value, at most the interval."`
	MaxValue           *big.Int `toml:"max_value" doc:"What settles at once when it is pending; 0 never does."`
	RiskShare          string   `toml:"risk_share" doc:"The part of what an account or a key can still pay that its unsettled amount may reach before it is settled early, 0 to 1; 0 does not look."`
	MaxFee             *big.Int `toml:"max_fee" doc:"The most that a settlement may cost, in units of the fee coin. A larger one is cut. 0 is what 12,000,000 gas cost, a little more than the largest settlement takes."`
	FeeValue           string   `toml:"fee_value" doc:"What a unit of the fee coin is worth in units of the settlement coin; 0 does not compare fees with what they settle."`
	MaxFeeShare        string   `toml:"max_fee_share" doc:"The most of what is settled that the fee may be worth, 0 to 1; what is about to die may cost as much as it is worth. 0 does not compare."`
	Drain              Duration `toml:"drain" doc:"For how long before the end of an epoch everything is settled more often, whatever its value."`
	Alarm              Duration `toml:"alarm" doc:"How long before acknowledgements die unsettled ones are an alarm, at most a quarter of an epoch."`
	TimeoutBlocks      int64    `toml:"timeout_blocks" doc:"For how many blocks a settlement is valid."`
	Rebroadcast        Duration `toml:"rebroadcast" doc:"How long a settlement may stay out of a block before it is sent once more."`
	FirstBackoff       Duration `toml:"first_backoff" doc:"The wait after a failure, which doubles ..."`
	LastBackoff        Duration `toml:"last_backoff" doc:"... up to this."`
	PartialBackoff     Duration `toml:"partial_backoff" doc:"The wait for an account that could not pay, which doubles ..."`
	LastPartialBackoff Duration `toml:"last_partial_backoff" doc:"... up to this; a top-up ends it."`
	CallTimeout        Duration `toml:"call_timeout" doc:"Bound of every call of the node."`
}

// Report section.
type Report struct {
	Enabled      bool     `toml:"enabled" doc:"Report for the node when nobody else has, with fees of the hot account that settlements do not need. Nothing is sent while the node has not opted in."`
	Validity     Duration `toml:"validity" doc:"For how long a report may take to get into a block before it is sent anew, at most an eighth of an epoch."`
	FirstBackoff Duration `toml:"first_backoff" doc:"The wait after a failure, which doubles ..."`
	LastBackoff  Duration `toml:"last_backoff" doc:"... up to this."`
	CallTimeout  Duration `toml:"call_timeout" doc:"Bound of every call of the node."`
}

// Store section.
type Store struct {
	MaxBytes              uint64   `toml:"max_bytes" doc:"Budget on disk in bytes. Content that is neither pinned nor kept for a client makes room for new content; what does not fit then is refused."`
	MaxObjectBytes        uint64   `toml:"max_object_bytes" doc:"Bound of one object in bytes."`
	MaxObjects            int      `toml:"max_objects" doc:"How many objects are held, about 450 bytes of memory each."`
	Evict                 bool     `toml:"evict" doc:"Make room for new content. Without it whatever does not fit is refused."`
	MinFreeBytes          uint64   `toml:"min_free_bytes" doc:"How much of the disk's free space is left alone, in bytes, whatever max_bytes says."`
	UploadBytes           uint64   `toml:"upload_bytes" doc:"How much of max_bytes clients can have kept, in bytes. 0 takes no uploads."`
	UploadBytesPerAccount uint64   `toml:"upload_bytes_per_account" doc:"How much of that an account can have, in bytes. 0 is no bound of its own."`
	UploadKeepEpochs      uint64   `toml:"upload_keep_epochs" doc:"For how many epochs after that of the upload it is kept, and then evictable."`
	HotBytes              uint64   `toml:"hot_bytes" doc:"Memory for small objects that are asked for often, in bytes. 0 keeps none."`
	HotObjectBytes        uint64   `toml:"hot_object_bytes" doc:"Up to which size an object is a small one, in bytes."`
	HotFiles              int      `toml:"hot_files" doc:"How many files of larger objects are kept open. 0 keeps none."`
	HotRecheck            Duration `toml:"hot_recheck" doc:"For how long the file of an object that is kept in memory or open is not looked at. 0 keeps none."`
	VerifiedFor           Duration `toml:"verified_for" doc:"For how long an object that was verified, and whose file looks the same, is sent without being verified again."`
	ScrubBytesPerSecond   uint64   `toml:"scrub_bytes_per_second" doc:"How fast stored content is verified in the background, in bytes per second. 0 leaves it out."`
}

// Pool section.
type Pool struct {
	MaxLanes     int `toml:"max_lanes" doc:"How many lanes are held at a time, about 1 KB of memory each; beyond it acknowledgements of new lanes are refused."`
	MaxExposures int `toml:"max_exposures" doc:"How many pairs of account and epoch with unacknowledged bytes are kept; beyond it new ones are refused."`
	MaxInFlight  int `toml:"max_in_flight" doc:"How many settlements may be in flight."`
}

// Keys section.
type Keys struct {
	Backend    string `toml:"backend" doc:"Keyring: test keeps the key unencrypted in the home folder, so that the worker starts unattended; file encrypts it and asks for a password; os uses the system's."`
	Name       string `toml:"name" doc:"Name of the key in the keyring."`
	Granter    string `toml:"granter" doc:"Account that is registered for this worker and has granted the key to settle for it (x/authz). Empty if the key's own account is."`
	FeeGranter string `toml:"fee_granter" doc:"Account that pays the fees of the key by a grant of x/feegrant. Empty if the key's own account does."`
}

// Log section.
type Log struct {
	Level  string `toml:"level" doc:"debug, info, warn or error."`
	Format string `toml:"format" doc:"text or json."`
}

// Console section.
type Console struct {
	SaveInterval Duration `toml:"save_interval" doc:"How often the picture of the last hour, day and month is written to disk, besides at a stop."`
}

// Default returns the defaults.
func Default() Config {
	return Config{
		Chain: Chain{
			RPC: "http://127.0.0.1:26657", PollInterval: Duration(500 * time.Millisecond), MaxLag: Duration(30 * time.Second),
			ProbeInterval: Duration(2 * time.Second), MaxBehind: 10, Failback: Duration(time.Minute),
			QueryTimeout: Duration(5 * time.Second), CacheSize: 65_536, CacheTTL: Duration(2 * time.Second), MaxQueries: 32,
			MaxQueued: 512, QueueTimeout: Duration(time.Second), Events: true,
		},
		Worker: Worker{StopTimeout: Duration(30 * time.Second), MemoryLimit: 2 << 30},
		Gateway: Gateway{
			Listen: "0.0.0.0:8080", AdminListen: "127.0.0.1:8081", FreeQuotaBytes: 16 << 20, FreeQuotaWindow: Duration(time.Hour),
			ACMEDirectory: "https://acme-v02.api.letsencrypt.org/directory", ACMECache: "acme", HTTP3: true, CORSOrigins: List{"*"}, CORSMaxAge: Duration(2 * time.Hour),
			FreeQuotaAddresses: 65_536, FreeQuotaTotalBytes: 4 << 30, MaxConnections: 4_096, MaxConnectionsPerAddress: 512, MaxConnectionsPerSubnet: 1_024,
			MaxHTTP3Connections: 1_024, NewConnectionsPerSecond: 100, MaxStreams: 100, MaxRequests: 1_024, MaxRequestsPerAddress: 512, MaxRequestsPerSubnet: 768,
			MaxRequestsPerAccount: 512, FirstByteTimeout: Duration(time.Minute), MaxAckRequests: 64, RetryAfter: Duration(time.Second),
			HeaderTimeout: Duration(10 * time.Second), BodyTimeout: Duration(10 * time.Second), IdleTimeout: Duration(2 * time.Minute),
			WriteTimeout: Duration(30 * time.Second), DrainGrace: Duration(time.Second), MaxHeaderBytes: 16 << 10, MaxBodyBytes: 64 << 10, StepBytes: 256 << 10,
			MinUploadBytesPerSecond: 32 << 10,
			MaxSessions:             10_000, MaxSessionsPerAccount: 32, SessionTimeout: Duration(10 * time.Minute),
			ChallengeTTL: Duration(time.Minute), MaxChallenges: 100_000, CheckTimeout: Duration(2 * time.Second),
		},
		Credit: Credit{
			Base: big.NewInt(1_000), MaxUnsettled: big.NewInt(1_000_000), StallTimeout: Duration(30 * time.Second),
			AccountTTL: Duration(2 * time.Second), MaxAccounts: 50_000, MaxLanes: 256, MaxReceipts: 4_096,
			MaxReceiptsPerAccount: 16_384, MaxReceiptsTotal: 1_000_000,
		},
		Rollup: Rollup{
			GasPrice: "0.0025uedge", Interval: Duration(10 * time.Second), MinValue: big.NewInt(500), MaxValue: big.NewInt(0),
			HurryValue: big.NewInt(0), HurrySpacing: Duration(5 * time.Second),
			RiskShare: "0.5", MaxFee: big.NewInt(0), FeeValue: "0", MaxFeeShare: "0.5",
			Drain: Duration(10 * time.Minute), Alarm: Duration(time.Hour), TimeoutBlocks: 20, Rebroadcast: Duration(10 * time.Second),
			FirstBackoff: Duration(time.Second), LastBackoff: Duration(time.Minute), PartialBackoff: Duration(10 * time.Second),
			LastPartialBackoff: Duration(30 * time.Minute), CallTimeout: Duration(10 * time.Second),
		},
		Report: Report{
			Enabled: true, Validity: Duration(time.Minute), FirstBackoff: Duration(time.Second), LastBackoff: Duration(10 * time.Minute),
			CallTimeout: Duration(10 * time.Second),
		},
		Store: Store{
			MaxBytes: 64 << 30, MaxObjectBytes: 16 << 30, MaxObjects: 1_000_000, Evict: true, MinFreeBytes: 1 << 30, UploadBytesPerAccount: 1 << 30, UploadKeepEpochs: 7,
			HotBytes: 256 << 20, HotObjectBytes: 64 << 10, HotFiles: 512, HotRecheck: Duration(time.Second),
			VerifiedFor: Duration(time.Hour), ScrubBytesPerSecond: 16 << 20,
		},
		Origin:  defaultOrigin(),
		Pool:    Pool{MaxLanes: 100_000, MaxExposures: 100_000, MaxInFlight: 64},
		Keys:    Keys{Backend: "test", Name: "settler"},
		Log:     Log{Level: "info", Format: "text"},
		Console: Console{SaveInterval: Duration(5 * time.Minute)},
	}
}

// Duration is a time.Duration that reads and writes texts such as 500ms or 1h30m.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is no duration such as 500ms or 1h30m", b)
	}
	*d = Duration(v)
	return nil
}

// Std returns the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Field is one key of the configuration.
type Field struct {
	Section, Key, Doc string
	value             reflect.Value
}

// Name is section.key.
func (f Field) Name() string { return f.Section + "." + f.Key }

// String returns the value as it is written on the command line.
func (f Field) String() string {
	if m, ok := f.value.Interface().(encoding.TextMarshaler); ok {
		if b, err := m.MarshalText(); err == nil {
			return string(b)
		}
	}
	return fmt.Sprint(f.value.Interface())
}

// Set reads a value as it is written on the command line or in the environment.
func (f Field) Set(text string) error {
	var err error
	switch target := f.value.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		err = target.UnmarshalText([]byte(text))
	case **big.Int:
		if v, ok := new(big.Int).SetString(text, 10); ok {
			*target = v
			return nil
		}
		return f.wrong(strconv.Quote(text))
	case *string:
		*target = text
	case *bool:
		*target, err = strconv.ParseBool(text)
	case *int:
		*target, err = strconv.Atoi(text)
	case *int64:
		*target, err = strconv.ParseInt(text, 10, 64)
	case *uint64:
		*target, err = strconv.ParseUint(text, 10, 64)
	default:
		panic(fmt.Sprintf("config: no way to set %s of type %T", f.Name(), target))
	}
	if err != nil {
		return f.wrong(strconv.Quote(text))
	}
	return nil
}

// wantFlag is what a key that is on or off wants.
const wantFlag = "true or false"

// kind says what values a key has.
func (f Field) kind() string {
	switch f.value.Interface().(type) {
	case bool:
		return wantFlag
	case Duration:
		return `a duration such as "500ms" or "1h30m"`
	case List:
		return "one text in quotes, with commas between the entries"
	case string:
		return "a text in quotes"
	case uint64:
		return "a whole number from 0 on"
	default:
		return "a whole number"
	}
}

// wrong is the error of a value that the key cannot have.
func (f Field) wrong(value string) error {
	return fmt.Errorf("%s is %s, want %s", f.Name(), value, f.kind())
}

// quoted reports whether the value is a string in the file.
func (f Field) quoted() bool {
	switch f.value.Interface().(type) {
	case bool, int, int64, uint64:
		return false
	default:
		return true
	}
}

// Fields returns every key in the order of the file. Setting one changes c.
func (c *Config) Fields() []Field {
	var fields []Field
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		section := v.Type().Field(i).Tag.Get("toml")
		s := v.Field(i)
		for j := range s.NumField() {
			tag := s.Type().Field(j).Tag
			fields = append(fields, Field{Section: section, Key: tag.Get("toml"), Doc: tag.Get("doc"), value: s.Field(j)})
		}
	}
	return fields
}
