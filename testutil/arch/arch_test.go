// Package arch_test holds the rules about which package may import which. They keep the parts replaceable: a worker or a
// client that linked keepers could come to depend on state that only the chain has.
package arch_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/edgechain/edge"

// listed is what the rules need of the output of go list.
type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

// rule forbids packages below From (paths within the module) to depend on packages that Forbidden matches.
type rule struct {
	name string
	from func(path string) bool
	// forbidden tells for a full import path whether the dependency breaks the rule.
	forbidden func(path string) bool
	// direct looks at imports alone, not at what they import in turn.
	direct bool
	why    string
}

func within(prefixes ...string) func(string) bool {
	return func(path string) bool {
		for _, p := range prefixes {
			if path == module+"/"+p || strings.HasPrefix(path, module+"/"+p+"/") {
				return true
			}
		}
		return false
	}
}

func isKeeper(path string) bool {
	return strings.HasPrefix(path, module+"/x/") && strings.HasSuffix(path, "/keeper")
}

func isTypes(path string) bool {
	return strings.HasPrefix(path, module+"/x/") && strings.HasSuffix(path, "/types")
}

func isSDK(path string) bool {
	return strings.HasPrefix(path, "github.com/cosmos/") || strings.HasPrefix(path, "cosmossdk.io/") ||
		strings.HasPrefix(path, "github.com/cometbft/")
}

// doesIO names the packages of the standard library that reach outside of the process.
func doesIO(path string) bool {
	switch path {
	case "os", "net", "net/http", "io/ioutil", "os/exec", "syscall", "log", "log/slog", "time", "database/sql":
		return true
	}
	return strings.HasPrefix(path, "os/") || strings.HasPrefix(path, "net/")
}

func either(fs ...func(string) bool) func(string) bool {
	return func(path string) bool {
		for _, f := range fs {
			if f(path) {
				return true
			}
		}
		return false
	}
}

func moduleOf(name string) func(string) bool { return within("x/" + name) }

var rules = []rule{
	{
		name: "worker and client link no keeper and no app", from: within("worker", "client", "cmd/edge-worker", "cmd/edge"),
		forbidden: either(isKeeper, within("app")),
		why:       "they see the chain through its queries alone",
	},
	{
		name: "ack knows no SDK", from: within("ack"), forbidden: either(isSDK, within("x", "app", "worker", "client")),
		why: "chain, worker and client share the rules of proof; another implementation can take the package",
	},
	{
		name: "ack does no I/O", from: within("ack"), forbidden: doesIO, direct: true,
		why: "verification is a function of its input",
	},
	{
		name: "types of modules know neither worker nor client nor app", from: isTypes,
		forbidden: either(within("worker", "client", "app", "testutil"), isKeeper),
		why:       "everybody imports the types",
	},
	{
		name: "the chain knows neither worker nor client", from: within("x", "app", "cmd/edged"),
		forbidden: within("worker", "client"),
		why:       "the chain must not depend on what runs beside it",
	},
	{
		name: "keepers are wired by the app alone", from: isKeeper,
		forbidden: isKeeper, direct: true,
		why: "a module calls the interface that it declares in its expected_keepers.go",
	},
	{
		name: "x/node is the lowest module", from: moduleOf("node"), forbidden: within("x/epoch", "x/dack", "x/rewards"),
		why: "dependencies point downwards: rewards, dack, epoch, node",
	},
	{
		name: "x/epoch knows nothing above it", from: moduleOf("epoch"), forbidden: within("x/dack", "x/rewards"),
		why: "dependencies point downwards: rewards, dack, epoch, node",
	},
	{
		name: "x/dack knows nothing above it", from: moduleOf("dack"), forbidden: within("x/rewards"),
		why: "dependencies point downwards: rewards, dack, epoch, node",
	},
	{
		name: "programs do not link the testing helpers", from: within("cmd", "app", "worker", "client", "x", "ack"),
		forbidden: within("testutil", "e2e"),
		why:       "helpers for tests must not reach production",
	},
}

func TestImports(t *testing.T) {
	packages := list(t)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			require.Empty(t, r.broken(packages), r.why)
		})
	}
}

// TestRulesBite plants a violation of every rule, so that a rule that matches nothing is noticed.
func TestRulesBite(t *testing.T) {
	planted := map[string]listed{
		"worker and client link no keeper and no app":             {ImportPath: module + "/worker/rollup", Deps: []string{module + "/x/dack/keeper"}},
		"ack knows no SDK":                                        {ImportPath: module + "/ack", Deps: []string{"cosmossdk.io/math"}},
		"ack does no I/O":                                         {ImportPath: module + "/ack", Imports: []string{"os"}},
		"types of modules know neither worker nor client nor app": {ImportPath: module + "/x/node/types", Deps: []string{module + "/worker/chain"}},
		"the chain knows neither worker nor client":               {ImportPath: module + "/app", Deps: []string{module + "/client"}},
		"keepers are wired by the app alone":                      {ImportPath: module + "/x/dack/keeper", Imports: []string{module + "/x/node/keeper"}},
		"x/node is the lowest module":                             {ImportPath: module + "/x/node/keeper", Deps: []string{module + "/x/epoch/types"}},
		"x/epoch knows nothing above it":                          {ImportPath: module + "/x/epoch", Deps: []string{module + "/x/dack/types"}},
		"x/dack knows nothing above it":                           {ImportPath: module + "/x/dack/keeper", Deps: []string{module + "/x/rewards/types"}},
		"programs do not link the testing helpers":                {ImportPath: module + "/cmd/edge", Deps: []string{module + "/testutil/devnet"}},
	}
	for _, r := range rules {
		p, ok := planted[r.name]
		require.True(t, ok, "no violation planted for %q", r.name)
		require.Len(t, r.broken([]listed{p}), 1, r.name)
	}
	require.Len(t, planted, len(rules))
}

// broken returns "package -> dependency" for every violation of the rule.
func (r rule) broken(packages []listed) []string {
	var found []string
	for _, p := range packages {
		if !r.from(p.ImportPath) {
			continue
		}
		deps := p.Deps
		if r.direct {
			deps = p.Imports
		}
		for _, d := range deps {
			if d != p.ImportPath && r.forbidden(d) {
				found = append(found, p.ImportPath+" -> "+d)
			}
		}
	}
	return found
}

// list asks the go command for the packages of the module with all that they link, tests left out.
func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps=false", "-json=ImportPath,Imports,Deps", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var packages []listed
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
	require.NotEmpty(t, packages)
	return packages
}
