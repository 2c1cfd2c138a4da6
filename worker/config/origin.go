package config

import "time"

// Origin section.
type Origin struct {
	Workers             List     `toml:"workers" doc:"Base URLs of other workers that are asked for content which this one lacks, within their free quota, separated by commas."`
	HTTP                List     `toml:"http" doc:"URLs at which content may lie, with {name} for its 64 hex digits or {cid}, such as https://cdn.example/{name}."`
	Folders             List     `toml:"folders" doc:"Absolute paths of folders whose files are served under their hashes. Names that begin with a dot are left out, links are not followed."`
	IPFSGateways        List     `toml:"ipfs_gateways" doc:"Base URLs of the trustless gateways that 'edge-worker add ipfs://...' asks, in order."`
	AllowNetworks       List     `toml:"allow_networks" doc:"Networks such as 10.1.0.0/16 where the hosts named above may be besides the public Internet. Redirects never lead there."`
	MaxObjectBytes      uint64   `toml:"max_object_bytes" doc:"Bound of one object that is fetched, in bytes."`
	MaxFetches          int      `toml:"max_fetches" doc:"How many objects are fetched at a time."`
	MaxQueued           int      `toml:"max_queued" doc:"How many more wait for one of them to end; beyond it the answer is 503."`
	QueueTimeout        Duration `toml:"queue_timeout" doc:"How long each of those waits at most."`
	Linger              Duration `toml:"linger" doc:"For how long a fetch goes on that no request waits for any more, so that a client can come again for a large object."`
	FirstByteTimeout    Duration `toml:"first_byte_timeout" doc:"Bound of the time to the header of an answer, redirects included."`
	IdleTimeout         Duration `toml:"idle_timeout" doc:"In which time a body must bring min_bytes_per_second for each of its seconds."`
	MinBytesPerSecond   int64    `toml:"min_bytes_per_second" doc:"That speed in bytes per second; whatever it is, a byte must come."`
	TotalTimeout        Duration `toml:"total_timeout" doc:"Bound of a whole answer."`
	MissingTTL          Duration `toml:"missing_ttl" doc:"For how long a name that no origin has is not asked for again."`
	MaxMissing          int      `toml:"max_missing" doc:"How many of these are remembered, about 200 bytes of memory each."`
	FirstBackoff        Duration `toml:"first_backoff" doc:"How long an origin is left alone that fails three times in a row, which doubles ..."`
	LastBackoff         Duration `toml:"last_backoff" doc:"... up to this."`
	MaxFiles            int      `toml:"max_files" doc:"How many files of folders are indexed, about 400 bytes of memory each."`
	RescanInterval      Duration `toml:"rescan_interval" doc:"The pause between two looks at all files of folders."`
	ScanBytesPerSecond  int64    `toml:"scan_bytes_per_second" doc:"How fast new files of folders are read to hash them, in bytes per second; 0 is no bound."`
	MaxReferenceBytes   uint64   `toml:"max_reference_bytes" doc:"Bound of what 'edge-worker add ipfs://...' fetches for one reference, in bytes."`
	MaxReferenceEntries int      `toml:"max_reference_entries" doc:"How many files and folders one reference may have."`
}

func defaultOrigin() Origin {
	return Origin{
		IPFSGateways: List{"https://trustless-gateway.link"}, MaxObjectBytes: 4 << 30, MaxFetches: 32, MaxQueued: 256,
		QueueTimeout: Duration(10 * time.Second), Linger: Duration(30 * time.Second), FirstByteTimeout: Duration(15 * time.Second), IdleTimeout: Duration(20 * time.Second),
		MinBytesPerSecond: 4 << 10, TotalTimeout: Duration(30 * time.Minute), MissingTTL: Duration(10 * time.Second), MaxMissing: 65_536,
		FirstBackoff: Duration(time.Second), LastBackoff: Duration(2 * time.Minute), MaxFiles: 100_000,
		RescanInterval: Duration(5 * time.Minute), ScanBytesPerSecond: 64 << 20, MaxReferenceBytes: 64 << 30, MaxReferenceEntries: 100_000,
	}
}
