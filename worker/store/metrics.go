package store

import "github.com/prometheus/client_golang/prometheus"

// metric is a number of Stats that is exported.
type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(Stats) uint64
}

func newMetric(name, help string, kind prometheus.ValueType, value func(Stats) uint64) metric {
	return metric{prometheus.NewDesc(name, help, nil, nil), kind, value}
}

var metrics = []metric{
	newMetric("edge_store_objects", "Objects in the content store.", prometheus.GaugeValue, func(s Stats) uint64 { return s.Objects }),
	newMetric("edge_store_used_bytes", "Bytes that the content store takes on disk, quarantine and adds under way included.", prometheus.GaugeValue, func(s Stats) uint64 { return s.Used + s.Reserved }),
	newMetric("edge_store_budget_bytes", "Bytes that the content store may take on disk.", prometheus.GaugeValue, func(s Stats) uint64 { return s.Max }),
	newMetric("edge_store_pinned_bytes", "Bytes that pinned objects take on disk.", prometheus.GaugeValue, func(s Stats) uint64 { return s.Pinned }),
	newMetric("edge_store_held_bytes", "Bytes on disk that clients have had kept.", prometheus.GaugeValue, func(s Stats) uint64 { return s.Held }),
	newMetric("edge_store_evictable_bytes", "Bytes on disk of objects that may be evicted.", prometheus.GaugeValue, func(s Stats) uint64 { return s.Evictable }),
	newMetric("edge_store_evicted_objects_total", "Objects evicted to make room.", prometheus.CounterValue, func(s Stats) uint64 { return s.Evicted }),
	newMetric("edge_store_evicted_bytes_total", "Bytes on disk of objects evicted to make room.", prometheus.CounterValue, func(s Stats) uint64 { return s.EvictedBytes }),
	newMetric("edge_store_refused_adds_total", "Adds refused for want of space, of the budget or of the disk.", prometheus.CounterValue, func(s Stats) uint64 { return s.Refused }),
	newMetric("edge_store_disk_errors_total", "Writes that the disk refused, because it is full or failed.", prometheus.CounterValue, func(s Stats) uint64 { return s.DiskErrors }),
	newMetric("edge_store_quarantined_objects", "Damaged files that are kept aside.", prometheus.GaugeValue, func(s Stats) uint64 { return s.Quarantined }),
	newMetric("edge_store_hot_bytes", "Bytes of small objects in memory.", prometheus.GaugeValue, func(s Stats) uint64 { return s.HotBytes }),
	newMetric("edge_store_open_files", "Files of objects that are open.", prometheus.GaugeValue, func(s Stats) uint64 { return s.OpenFiles }),
	newMetric("edge_store_hot_hits_total", "Opens that found their object in memory or open.", prometheus.CounterValue, func(s Stats) uint64 { return s.HotHits }),
	newMetric("edge_store_hot_misses_total", "Opens that opened a file.", prometheus.CounterValue, func(s Stats) uint64 { return s.HotMisses }),
	newMetric("edge_store_scrubbed_bytes_total", "Bytes read in the background to verify them.", prometheus.CounterValue, func(s Stats) uint64 { return s.ScrubBytes }),
	newMetric("edge_store_scrub_rounds_total", "How often the whole content store was verified in the background.", prometheus.CounterValue, func(s Stats) uint64 { return s.ScrubRounds }),
	newMetric("edge_store_scrub_damaged_objects_total", "Damaged objects that verification in the background found.", prometheus.CounterValue, func(s Stats) uint64 { return s.ScrubDamaged }),
}

var (
	freeDesc   = prometheus.NewDesc("edge_store_disk_free_bytes", "Bytes that the worker may still write to the disk of the content store.", nil, nil)
	failedDesc = prometheus.NewDesc("edge_store_disk_failed", "1 while the disk of the content store refuses to be written to.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *Store) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range metrics {
		ch <- m.desc
	}
	ch <- freeDesc
	ch <- failedDesc
}

// Collect implements prometheus.Collector.
func (s *Store) Collect(ch chan<- prometheus.Metric) {
	stats := s.Stats()
	for _, m := range metrics {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, float64(m.value(stats)))
	}
	// A disk that does not answer has no number.
	if free, err := s.disk.Free(s.cfg.Dir); err == nil {
		ch <- prometheus.MustNewConstMetric(freeDesc, prometheus.GaugeValue, float64(free))
	}
	failed := 0.0
	if stats.Fault != nil {
		failed = 1
	}
	ch <- prometheus.MustNewConstMetric(failedDesc, prometheus.GaugeValue, failed)
}
