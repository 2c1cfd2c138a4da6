package store

import "github.com/prometheus/client_golang/prometheus"

var (
	objectsDesc      = prometheus.NewDesc("edge_store_objects", "Objects in the content store.", nil, nil)
	usedDesc         = prometheus.NewDesc("edge_store_used_bytes", "Bytes that the content store takes on disk, quarantine and adds under way included.", nil, nil)
	budgetDesc       = prometheus.NewDesc("edge_store_budget_bytes", "Bytes that the content store may take on disk.", nil, nil)
	quarantinedDesc  = prometheus.NewDesc("edge_store_quarantined_objects", "Damaged files that are kept aside.", nil, nil)
	scrubBytesDesc   = prometheus.NewDesc("edge_store_scrubbed_bytes_total", "Bytes read in the background to verify them.", nil, nil)
	scrubRoundsDesc  = prometheus.NewDesc("edge_store_scrub_rounds_total", "How often the whole content store was verified in the background.", nil, nil)
	scrubDamagedDesc = prometheus.NewDesc("edge_store_scrub_damaged_objects_total", "Damaged objects that verification in the background found.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *Store) Describe(ch chan<- *prometheus.Desc) {
	ch <- objectsDesc
	ch <- usedDesc
	ch <- budgetDesc
	ch <- quarantinedDesc
	ch <- scrubBytesDesc
	ch <- scrubRoundsDesc
	ch <- scrubDamagedDesc
}

// Collect implements prometheus.Collector.
func (s *Store) Collect(ch chan<- prometheus.Metric) {
	stats := s.Stats()
	gauge := func(d *prometheus.Desc, v uint64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v))
	}
	gauge(objectsDesc, stats.Objects)
	gauge(usedDesc, stats.Used+stats.Reserved)
	gauge(budgetDesc, stats.Max)
	gauge(quarantinedDesc, stats.Quarantined)
	for d, v := range map[*prometheus.Desc]uint64{
		scrubBytesDesc: stats.ScrubBytes, scrubRoundsDesc: stats.ScrubRounds, scrubDamagedDesc: stats.ScrubDamaged,
	} {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
}
