// Package cmd is the command line of edged.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/server"

	"github.com/edgechain/edge/app"
)

// Exit codes.
const (
	exitOK = iota
	// exitFailure: the command could not do what it was asked.
	exitFailure
	// exitUsage: the command was not asked in a way that it understands.
	exitUsage
)

// Main runs a command line and returns its exit code. An error is one line on stderr.
func Main(args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(stderr, "%s: %s\n", app.Name, oneLine(fmt.Sprint(r)))
			code = exitFailure
		}
	}()
	app.LimitHeap()
	root := NewRootCmd()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	run := newRunTracker(root)

	ctx := context.WithValue(context.Background(), client.ClientContextKey, &client.Context{})
	ctx = context.WithValue(ctx, server.ServerContextKey, server.NewDefaultContext())
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "%s: %s\n", app.Name, oneLine(err.Error()))
	if run.isUsage(err) {
		return exitUsage
	}
	return exitFailure
}

// oneLine joins the lines of a message.
func oneLine(s string) string {
	return strings.Join(strings.Fields(s), " ")
}

// runTracker tells a command line that was not understood from a command that failed: the former never gets to run.
type runTracker struct {
	started bool
}

// errUsage wraps what is wrong with a command line.
type errUsage struct{ error }

func (e errUsage) Unwrap() error { return e.error }

// newRunTracker wraps what all commands run.
func newRunTracker(root *cobra.Command) *runTracker {
	t := &runTracker{}
	t.wrap(root)
	if pre := root.PersistentPreRunE; pre != nil {
		root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
			err := pre(cmd, args)
			t.started = err != nil
			return err
		}
	}
	return t
}

func (t *runTracker) wrap(cmd *cobra.Command) {
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			t.started = true
			err := run(cmd, args)
			// A group of commands runs only to say that it does not know one.
			if err != nil && cmd.HasAvailableSubCommands() && len(args) > 0 {
				return errUsage{err}
			}
			return err
		}
	} else if run := cmd.Run; run != nil {
		cmd.Run = func(cmd *cobra.Command, args []string) {
			t.started = true
			run(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		t.wrap(sub)
	}
}

func (t *runTracker) isUsage(err error) bool {
	return !t.started || errors.As(err, &errUsage{})
}
