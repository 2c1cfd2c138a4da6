package devnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// process is a running program whose output goes to a log file.
type process struct {
	name    string
	cmd     *exec.Cmd
	logPath string
	// done is closed when the program has ended; err is valid from then on.
	done chan struct{}
	err  error
}

// start runs a program in a process group of its own, so that an interrupt from the terminal reaches the owner alone and
// the programs can be stopped in order.
func start(name, logPath string, env []string, bin string, args ...string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(bin, args...) //nolint:noctx // the process outlives the call; stop and kill end it
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, logPath: logPath, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// ended returns an error with the end of the log if the program is no longer running.
func (p *process) ended() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s has ended (%v); the end of %s:\n%s", p.name, p.cmd.ProcessState, p.logPath, p.tail(20))
	default:
		return nil
	}
}

// stop asks the program to end and waits. If ctx ends first the program is killed and that is an error.
func (p *process) stop(ctx context.Context) error {
	select {
	case <-p.done:
		return p.ended()
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s did not stop in time and was killed; the end of %s:\n%s", p.name, p.logPath, p.tail(20)), p.kill())
	}
	if p.err != nil {
		return fmt.Errorf("%s stopped with %w; the end of %s:\n%s", p.name, p.err, p.logPath, p.tail(20))
	}
	return nil
}

// kill ends the program without warning, as a power cut would, and waits until it is gone.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.done
	return nil
}

// tail returns the last lines of the log.
func (p *process) tail(lines int) string {
	b, err := os.ReadFile(p.logPath)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// run runs a command to its end and returns what it printed on stdout. The error holds what it printed on stderr.
func run(ctx context.Context, env []string, bin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), &CommandError{Args: append([]string{bin}, args...), Stdout: stdout.String(), Stderr: stderr.String(), Err: err}
	}
	return stdout.String(), nil
}

// CommandError is a command that failed.
type CommandError struct {
	Args           []string
	Stdout, Stderr string
	Err            error
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("%s: %v\n%s%s", strings.Join(e.Args, " "), e.Err, e.Stdout, e.Stderr)
}

func (e *CommandError) Unwrap() error { return e.Err }

// ExitCode of the command, -1 if it did not end by itself.
func (e *CommandError) ExitCode() int {
	var exit *exec.ExitError
	if errors.As(e.Err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// pollInterval is how often conditions are looked at.
const pollInterval = 100 * time.Millisecond

// final is an error that no waiting can mend.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// poll calls f until it returns nil. An error says what is still missing; a final one ends the wait, and so does the end of
// ctx, with what was waited for and what f last said.
func poll(ctx context.Context, what string, f func(ctx context.Context) error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		last := f(ctx)
		if last == nil {
			return nil
		}
		if errors.As(last, &final{}) {
			return fmt.Errorf("waiting for %s: %w", what, last)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; last seen: %w", what, context.Cause(ctx), last)
		case <-ticker.C:
		}
	}
}
