package arch_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMetricsAreDocumented compares the metrics that the code of worker and chain names with docs/metrics.md, both ways.
func TestMetricsAreDocumented(t *testing.T) {
	root := filepath.Join("..", "..")
	literal := regexp.MustCompile(`"(edge_[a-z]+_[a-z0-9_]+)"`)
	var inCode []string
	for _, folder := range []string{"worker", filepath.Join("cmd", "edge-worker"), "app"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			for _, m := range literal.FindAllSubmatch(b, -1) {
				inCode = append(inCode, string(m[1]))
			}
			return err
		})
		require.NoError(t, err)
	}
	b, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	require.NoError(t, err)
	var inDocs []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(edge_[a-z0-9_]+)` \\|").FindAllSubmatch(b, -1) {
		inDocs = append(inDocs, string(m[1]))
	}
	slices.Sort(inCode)
	slices.Sort(inDocs)
	require.NotEmpty(t, inCode)
	require.Equal(t, slices.Compact(inCode), inDocs)
}
