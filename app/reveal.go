package app

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"cosmossdk.io/log/v2"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/app/beaconkey"
	"github.com/edgechain/edge/x/epoch/beacon"
	epochkeeper "github.com/edgechain/edge/x/epoch/keeper"
)

// Reasons for which a reveal that was due is not in a block that this node proposed: the closed set of the metric's label.
const (
	missedNoKey  = "no_key"
	missedNoRoom = "no_room"
	missedError  = "error"
)

// revealer gives the reveals of this node's validator. It takes part in making proposals alone: what it does not give, the
// block does not have, and the chain goes on.
type revealer struct {
	logger log.Logger
	// path of the key file, empty for an application that is no node.
	path string

	sent   prometheus.Counter
	missed *prometheus.CounterVec

	mu   sync.Mutex
	keys []beacon.Key
}

// newRevealer reads the key file of a node; home is its folder, empty for none. A node without the file gives no reveals. An
// error says what is wrong with a file that is there: a validator that lost its reveals unseen would lose its seats.
func newRevealer(logger log.Logger, home string) (*revealer, error) {
	r := &revealer{logger: logger.With("module", "beacon")}
	var err error
	if r.sent, err = registered(prometheus.NewCounter(prometheus.CounterOpts{
		Name: "edge_beacon_reveals_total", Help: "Reveals put into proposed blocks",
	})); err != nil {
		return nil, err
	}
	if r.missed, err = registered(prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "edge_beacon_missed_reveals_total", Help: "Reveals that were due in a proposed block and are not in it, by reason",
	}, []string{"reason"})); err != nil {
		return nil, err
	}
	if home == "" {
		return r, nil
	}
	r.path = filepath.Join(home, "config", beaconkey.FileName)
	r.keys, err = beaconkey.Load(r.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.logger.Warn("no beacon key: this node gives no reveals, and its validator wins no seats", "path", r.path)
	case err != nil:
		return nil, fmt.Errorf("beacon key: %w", err)
	}
	return r, nil
}

// registered puts a metric into the registry that CometBFT's listener serves, or returns the one that is there already: tests
// build many applications in a process.
func registered[C prometheus.Collector](c C) (C, error) {
	err := prometheus.DefaultRegisterer.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing, nil
		}
	}
	return c, err
}

// tx returns the reveal that is due from the proposer of the block at a height, as it stands in the block, or nil if none is
// due or none can be given. room is what is left in the block, in bytes.
func (r *revealer) tx(ctx sdk.Context, k *epochkeeper.Keeper, height int64, proposer []byte, room int64) (tx []byte) {
	// A proposal without the reveal costs its seats; a panic would have BaseApp propose the whole mempool unseen.
	defer func() {
		if p := recover(); p != nil {
			r.miss(missedError, "reveal failed", "height", height, "panic", p)
			tx = nil
		}
	}()
	duty, due, err := k.RevealDuty(ctx, height, proposer)
	if err != nil {
		r.miss(missedError, "reveal failed", "height", height, "err", err)
		return nil
	}
	if !due {
		return nil
	}
	key, ok := r.key(duty.PubKey)
	if !ok {
		r.miss(missedNoKey, "reveal is due and the key is not in the key file: the seats of this election are lost",
			"height", height, "epoch", duty.Epoch, "pub_key", hex.EncodeToString(duty.PubKey), "path", r.path)
		return nil
	}
	tx = beacon.EncodeTx(key.Reveal(ctx.ChainID(), duty.Seed, height))
	if txSize(tx) > room {
		r.miss(missedNoRoom, "reveal does not fit into a block", "height", height, "epoch", duty.Epoch, "max_bytes", room)
		return nil
	}
	r.sent.Inc()
	r.logger.Info("reveal proposed", "height", height, "epoch", duty.Epoch)
	return tx
}

func (r *revealer) miss(reason, message string, fields ...any) {
	r.missed.WithLabelValues(reason).Inc()
	r.logger.Error(message, fields...)
}

// key returns the key with a public key. It reads the file again before it gives up, so that a key that was added counts
// without a restart.
func (r *revealer) key(pubKey []byte) (beacon.Key, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if key, ok := findKey(r.keys, pubKey); ok || r.path == "" {
		return key, ok
	}
	keys, err := beaconkey.Load(r.path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			r.logger.Error("beacon key file cannot be read", "err", err)
		}
		return beacon.Key{}, false
	}
	r.keys = keys
	return findKey(keys, pubKey)
}

func findKey(keys []beacon.Key, pubKey []byte) (beacon.Key, bool) {
	for _, key := range keys {
		if bytes.Equal(key.PubKey(), pubKey) {
			return key, true
		}
	}
	return beacon.Key{}, false
}
