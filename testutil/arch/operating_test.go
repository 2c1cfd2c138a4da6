package arch_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// metricNames are the names in an expression of Prometheus that are ours or the process's.
func metricNames(expr string) []string {
	var names []string
	for _, name := range regexp.MustCompile(`\b(edge|process|go)_[a-z0-9_]+`).FindAllString(expr, -1) {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, suffix)
		}
		names = append(names, name)
	}
	return names
}

// knownMetrics are those of docs/metrics.md, and those of the process that every Go program has.
func knownMetrics(t *testing.T, root string) map[string]bool {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	require.NoError(t, err)
	known := map[string]bool{"process_open_fds": true, "process_max_fds": true, "process_resident_memory_bytes": true}
	for _, m := range regexp.MustCompile("(?m)^\\| `(edge_[a-z0-9_]+)` \\|").FindAllSubmatch(b, -1) {
		known[string(m[1])] = true
	}
	return known
}

// TestAlerts reads the alerts that are handed to operators: every metric in them is one that the worker has, and the page for operators
// says what to do about every one.
func TestAlerts(t *testing.T) {
	root := filepath.Join("..", "..")
	b, err := os.ReadFile(filepath.Join(root, "scripts", "prometheus", "edge-worker.rules.yml"))
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(b)))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&file))
	guide, err := os.ReadFile(filepath.Join(root, "docs", "operating-a-worker.md"))
	require.NoError(t, err)
	known := knownMetrics(t, root)
	seen := map[string]bool{}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			require.Regexp(t, `^EdgeWorker[A-Z][A-Za-z]+$`, rule.Alert)
			require.False(t, seen[rule.Alert], "%s stands twice", rule.Alert)
			seen[rule.Alert] = true
			require.Contains(t, []string{"page", "ticket"}, rule.Labels["severity"], rule.Alert)
			require.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
			require.Equal(t, "docs/operating-a-worker.md#"+strings.ToLower(rule.Alert), rule.Annotations["runbook"])
			require.Contains(t, string(guide), "\n### "+rule.Alert+"\n", "what to do about %s", rule.Alert)
			names := metricNames(rule.Expr)
			require.True(t, len(names) > 0 || strings.HasPrefix(rule.Expr, "up{"), rule.Expr)
			for _, name := range names {
				require.True(t, known[name], "%s: no metric %s", rule.Alert, name)
			}
			require.Equal(t, strings.Count(rule.Expr, "("), strings.Count(rule.Expr, ")"), rule.Expr)
		}
	}
	require.Greater(t, len(seen), 10)
	for _, heading := range regexp.MustCompile(`(?m)^### (EdgeWorker\w+)$`).FindAllStringSubmatch(string(guide), -1) {
		require.True(t, seen[heading[1]], "the page explains %s, which is no alert", heading[1])
	}
}

// TestBoard reads the board of Grafana: its metrics exist, and no two panels lie on each other.
func TestBoard(t *testing.T) {
	root := filepath.Join("..", "..")
	b, err := os.ReadFile(filepath.Join(root, "scripts", "grafana", "edge-worker.json"))
	require.NoError(t, err)
	var board struct {
		Title, UID string
		Panels     []struct {
			ID      int
			Title   string
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(b, &board))
	require.NotEmpty(t, board.UID)
	known := knownMetrics(t, root)
	ids, taken := map[int]bool{}, map[[2]int]string{}
	queries := 0
	for _, p := range board.Panels {
		require.False(t, ids[p.ID], "panel %d stands twice", p.ID)
		ids[p.ID] = true
		require.NotEmpty(t, p.Title)
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				require.Less(t, x, 24, p.Title)
				require.Empty(t, taken[[2]int{x, y}], "%s lies on another panel", p.Title)
				taken[[2]int{x, y}] = p.Title
			}
		}
		require.True(t, len(p.Targets) > 0 || p.Type == "row", p.Title)
		for _, target := range p.Targets {
			queries++
			names := metricNames(target.Expr)
			require.NotEmpty(t, names, target.Expr)
			for _, name := range names {
				require.True(t, known[name], "%s: no metric %s", p.Title, name)
			}
			require.Contains(t, target.Expr, "$instance")
		}
	}
	require.Greater(t, queries, 20)
}

// TestUnit holds the systemd unit to what the page for operators promises of it.
func TestUnit(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "scripts", "systemd", "edge-worker.service"))
	require.NoError(t, err)
	for _, line := range []string{
		"ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "Restart=always", "MemoryMax=4G", "TimeoutStopSec=60s",
	} {
		require.Contains(t, string(b), "\n"+line+"\n")
	}
}
