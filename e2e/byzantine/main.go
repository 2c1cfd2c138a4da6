// Command byzantine is edged as a cheat would build it: a node that, when it is told to, proposes blocks with a wrong reveal of
// the randomness beacon, or without the one that is due. Everything else of it is the real program. It is for the end-to-end
// tests alone; nothing of it is in edged.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/spf13/cast"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/server"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"

	"github.com/edgechain/edge/app"
	"github.com/edgechain/edge/app/beaconkey"
	"github.com/edgechain/edge/cmd/edged/cmd"
	"github.com/edgechain/edge/x/epoch/beacon"
)

// The file "byzantine" in the node's home says how it cheats. Without it, or with another text in it, it is honest.
const (
	fileName = "byzantine"
	// modeWrong proposes reveals that are not the one that is due: at even heights a signature of another seed, which is well
	// formed, at odd ones bytes that are no signature.
	modeWrong = "wrong"
	// modeSilent proposes blocks without the reveal.
	modeSilent = "silent"
)

func main() {
	root := cmd.NewRootCmd()
	honest, _, err := root.Find([]string{"start"})
	if err != nil {
		fmt.Fprintln(os.Stderr, "byzantine:", err)
		os.Exit(1)
	}
	root.RemoveCommand(honest)
	root.AddCommand(server.StartCmd(newCheat, app.DefaultHome()))
	ctx := context.WithValue(context.Background(), client.ClientContextKey, &client.Context{})
	ctx = context.WithValue(ctx, server.ServerContextKey, server.NewDefaultContext())
	if err := root.ExecuteContext(ctx); err != nil {
		os.Exit(1) // cobra has printed it
	}
}

// cheat is the application with another way to make proposals.
type cheat struct {
	*app.App

	home   string
	logger log.Logger
}

func newCheat(logger log.Logger, db dbm.DB, opts servertypes.AppOptions) servertypes.Application {
	return &cheat{
		App:    app.New(logger, db, true, opts, server.DefaultBaseappOptions(opts)...),
		home:   cast.ToString(opts.Get(flags.FlagHome)),
		logger: logger,
	}
}

// PrepareProposal replaces the reveal that the application has put first.
func (c *cheat) PrepareProposal(req *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	res, err := c.App.PrepareProposal(req)
	if err != nil || len(res.Txs) == 0 {
		return res, err
	}
	reveal, due := beacon.DecodeTx(res.Txs[0])
	if !due {
		return res, nil
	}
	raw, err := os.ReadFile(filepath.Join(c.home, fileName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	switch mode := strings.TrimSpace(string(raw)); mode {
	case modeWrong:
		if req.Height%2 == 0 {
			keys, err := beaconkey.Load(filepath.Join(c.home, "config", beaconkey.FileName))
			if err != nil {
				return nil, err
			}
			reveal = keys[len(keys)-1].Reveal(c.ChainID(), make([]byte, 32), req.Height)
		} else {
			reveal[len(reveal)/2] ^= 1
		}
		res.Txs[0] = beacon.EncodeTx(reveal)
		c.logger.Info("cheated", "mode", mode, "height", req.Height)
	case modeSilent:
		res.Txs = res.Txs[1:]
		c.logger.Info("cheated", "mode", mode, "height", req.Height)
	}
	return res, nil
}
