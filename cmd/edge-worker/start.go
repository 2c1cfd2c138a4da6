package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgechain/edge/worker/config"
)

func (a *app) startCommand() *cobra.Command {
	return &cobra.Command{
		Use: "start", Short: "Run the worker", Args: args(cobra.NoArgs),
		Long: `start runs the worker until it is told to stop (SIGINT, SIGTERM). It then takes no new requests, lets answers under way
come to their end, settles what is acknowledged, and ends, at the latest after worker.stop_timeout. What is not settled by then
is settled after the next start. A second signal ends it at once; nothing that was acknowledged is lost by that.`,
		Example: "  edge-worker start\n  EDGE_WORKER_CREDIT_BASE=5000 edge-worker start --log.format json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			log, err := newLogger(c.Log, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			limitMemory(&c)
			w, err := newWorker(cmd.Context(), a.home, &c, cmd.InOrStdin(), log)
			if err != nil {
				return err
			}
			log.Info("worker starts", "version", versionText(), "home", string(a.home), "peer_key", hexText(w.peerKey), "account", w.rollup.Status().Account)
			if len(w.nodes.Endpoints()) == 1 {
				log.Warn(aloneText + "; name a second one that somebody else runs")
			}
			if err := w.start(cmd.Context()); err != nil {
				// Nothing was served: what is in the pool can wait for a start that goes well.
				return errors.Join(err, w.stop(time.Second))
			}
			<-cmd.Context().Done()
			log.Info("worker stops; a second signal ends it at once")
			if err := w.stop(c.Worker.StopTimeout.Std()); err != nil {
				return fmt.Errorf("stop: %w", err)
			}
			log.Info("worker has stopped")
			return nil
		},
	}
}

func newLogger(c config.Log, out io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, options)), nil
	}
	return slog.New(slog.NewTextHandler(out, options)), nil
}
