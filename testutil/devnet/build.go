package devnet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// BinEnv names the environment variable with the folder of programs that are already built.
const BinEnv = "EDGE_BIN"

// Binaries are the paths of the three programs.
type Binaries struct {
	Edged, Worker, Edge string
}

// Build returns the programs in the folder that BinEnv names, or else builds them into dir.
func Build(ctx context.Context, dir string) (Binaries, error) {
	given := os.Getenv(BinEnv)
	if given != "" {
		dir = given
	}
	b := Binaries{
		Edged:  filepath.Join(dir, "edged"),
		Worker: filepath.Join(dir, "edge-worker"),
		Edge:   filepath.Join(dir, "edge"),
	}
	for _, path := range []string{b.Edged, b.Worker, b.Edge} {
		if given != "" {
			if _, err := os.Stat(path); err != nil {
				return b, fmt.Errorf("%s has no %s: %w", BinEnv, filepath.Base(path), err)
			}
			continue
		}
		const v = "github.com/cosmos/cosmos-sdk/version"
		cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", "-X "+v+".Name=edge -X "+v+".AppName="+filepath.Base(path),
			"-o", path, "./cmd/"+filepath.Base(path))
		cmd.Dir = Root()
		if out, err := cmd.CombinedOutput(); err != nil {
			return b, fmt.Errorf("go build ./cmd/%s: %w\n%s", filepath.Base(path), err, out)
		}
	}
	return b, nil
}

// Root is the folder of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}
