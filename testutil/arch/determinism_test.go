package arch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// consensus tells whether a package is part of the state machine. Simulation, genesis tools and command lines are not run
// by validators in consensus.
func consensus(path string) bool {
	if !within("x", "app", "ack")(path) {
		return false
	}
	return !strings.Contains(path+"/", "/simulation/") && !strings.Contains(path+"/", "/client/")
}

// allowed are the findings ("file: what") that are right as they are, each with its reason.
var allowed = map[string]string{
	"app/beaconkey/beaconkey.go: imports crypto/rand: validators would draw different numbers": "makes the keys of one operator, outside of consensus",

	"app/statedb/pace.go: reads the wall clock with time.Now":      whenTablesAreWritten,
	"app/statedb/pace.go: reads the wall clock with time.NewTimer": whenTablesAreWritten,
	"app/statedb/pace.go: uses select":                             whenTablesAreWritten,
}

// whenTablesAreWritten is why app/statedb may look at the clock.
const whenTablesAreWritten = "the files of the database are written sooner or later, and hold the same"

// TestDeterminism scans the state machine for what differs between machines: ranging over a map, floating point, the wall
// clock, randomness, goroutines and select.
func TestDeterminism(t *testing.T) {
	var findings []string
	for _, p := range listExported(t) {
		if consensus(p.ImportPath) {
			findings = append(findings, scan(t, p)...)
		}
	}
	for _, f := range findings {
		file, _, _ := strings.Cut(f, ":")
		_, what, _ := strings.Cut(f, ": ")
		if _, ok := allowed[file+": "+what]; !ok {
			t.Error(f)
		}
	}
}

// TestDeterminismBites scans a file that does everything that is forbidden.
func TestDeterminismBites(t *testing.T) {
	const src = `package planted

import (
	"math/rand"
	"time"
)

func f(m map[string]int, c chan int) float64 {
	for range m {
	}
	go func() { c <- rand.Int() }()
	select {
	case <-c:
	}
	_ = time.Now()
	return 1.5
}
`
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "f.go"), []byte(src), 0o600))
	found := strings.Join(scan(t, exported{listed: listed{ImportPath: "planted"}, Dir: dir, GoFiles: []string{"f.go"}}), "\n")
	for _, want := range []string{"ranges over a map", "goroutine", "select", "time.Now", "math/rand", "floating point"} {
		require.Contains(t, found, want)
	}
}

// exported is a package with its files and the compiler's export data of everything it imports.
type exported struct {
	listed
	Dir     string
	GoFiles []string
	Export  string
}

var exportFiles = map[string]string{}

func listExported(t *testing.T) []exported {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-json=ImportPath,Dir,GoFiles,Export"}
	for _, p := range list(t) {
		if consensus(p.ImportPath) {
			args = append(args, p.ImportPath)
		}
	}
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var packages []exported
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p exported
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		require.NoError(t, err)
		exportFiles[p.ImportPath] = p.Export
		if strings.HasPrefix(p.ImportPath, module) {
			packages = append(packages, p)
		}
	}
}

// scan returns "file:line: what" for everything in the package that is not deterministic. Generated code is left out.
func scan(t *testing.T, p exported) []string {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, f)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{
		Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
			file, ok := exportFiles[path]
			if !ok {
				out, err := exec.CommandContext(t.Context(), "go", "list", "-export", "-f", "{{.Export}}", path).Output()
				if err != nil {
					return nil, err
				}
				file = strings.TrimSpace(string(out))
				exportFiles[path] = file
			}
			return os.Open(file)
		}),
	}
	_, err := conf.Check(p.ImportPath, fset, files, info)
	require.NoError(t, err)

	var found []string
	for _, f := range files {
		if ast.IsGenerated(f) {
			continue
		}
		report := func(pos token.Pos, format string, args ...any) {
			at := fset.Position(pos)
			found = append(found, fmt.Sprintf("%s/%s:%d: %s", strings.TrimPrefix(p.ImportPath, module+"/"), filepath.Base(at.Filename), at.Line, fmt.Sprintf(format, args...)))
		}
		for _, imp := range f.Imports {
			path, err := strconv.Unquote(imp.Path.Value)
			require.NoError(t, err)
			switch path {
			case "math/rand", "math/rand/v2", "crypto/rand":
				report(imp.Pos(), "imports %s: validators would draw different numbers", path)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.RangeStmt:
				if _, ok := info.TypeOf(n.X).Underlying().(*types.Map); ok && !sortedAfter(n) {
					report(n.Pos(), "ranges over a map: the order differs between machines")
				}
			case *ast.GoStmt:
				report(n.Pos(), "starts a goroutine")
			case *ast.SelectStmt:
				report(n.Pos(), "uses select")
			case *ast.BasicLit:
				if n.Kind == token.FLOAT {
					report(n.Pos(), "uses floating point")
				}
			case *ast.Ident:
				obj := info.Uses[n]
				if obj == nil {
					return true
				}
				// Functions of the package alone: the method After of a time compares.
				if obj.Pkg() != nil && obj.Pkg().Path() == "time" && obj.Parent() == obj.Pkg().Scope() {
					switch obj.Name() {
					case "Now", "Since", "Until", "Sleep", "After", "NewTimer", "NewTicker":
						report(n.Pos(), "reads the wall clock with time.%s", obj.Name())
					}
				}
				if obj == types.Universe.Lookup("float64") || obj == types.Universe.Lookup("float32") {
					report(n.Pos(), "uses floating point")
				}
			}
			return true
		})
	}
	return found
}

// sortedAfter accepts the one harmless use of a map's order: a body that only collects, as in "keys = append(keys, k)".
// What is collected has to be sorted, which reviewers see.
func sortedAfter(n *ast.RangeStmt) bool {
	if len(n.Body.List) != 1 {
		return false
	}
	assign, ok := n.Body.List[0].(*ast.AssignStmt)
	if !ok || len(assign.Rhs) != 1 {
		return false
	}
	call, ok := assign.Rhs[0].(*ast.CallExpr)
	if !ok {
		return false
	}
	name, ok := call.Fun.(*ast.Ident)
	return ok && name.Name == "append"
}
