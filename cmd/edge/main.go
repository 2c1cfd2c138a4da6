// Command edge is the client of an Edge network: it keeps a prepaid account on the chain and fetches content from
// workers, which it verifies and pays for as it arrives.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/edgechain/edge/client/chain"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run executes the command line and returns the exit code. Whatever fails is told in one line on stderr.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal ends the work in good order, which can take a while with a worker that does not answer; a second one ends the
	// program.
	context.AfterFunc(ctx, stop)
	return runContext(ctx, args, in, out, errOut)
}

func runContext(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	text := sourcePlace.ReplaceAllString(err.Error(), "")
	if errors.Is(err, chain.ErrUnavailable) {
		text += "; --node URL names another node"
	}
	fmt.Fprintln(errOut, "edge: "+strings.Join(strings.Fields(text), " "))
	var usage *usageError
	if errors.As(err, &usage) || strings.HasPrefix(err.Error(), "unknown command ") {
		return exitUsage
	}
	return exitFailure
}

// sourcePlace is how the SDK's keyring names the place in its source where an error arose.
var sourcePlace = regexp.MustCompile(` \[[^\] ]*\.go:\d+\]`)

// usageError is a command line that cannot be carried out as written.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }
