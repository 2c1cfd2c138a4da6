package ipfs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car/v2"
	"github.com/multiformats/go-multihash"

	"github.com/edgechain/edge/worker/origin/outbound"
)

const (
	// maxBlock bounds a block in bytes, as implementations of IPFS do.
	maxBlock = 2 << 20
	// maxCached bounds the blocks in memory, in bytes: those that repeat, and those that a CAR has earlier than they are
	// needed. maxAhead bounds how far a CAR is read for one block, so that nothing that is read ahead falls out of memory.
	maxCached = 32 << 20
	maxAhead  = 12 << 20
	// maxCarHeader bounds the header of a CAR in bytes.
	maxCarHeader = 64 << 10
	// minCost is what a block counts for at least, in bytes: what remembering it takes.
	minCost = 512
)

// Limits bound one reference.
type Limits struct {
	// FileBytes bounds a file, TotalBytes what gateways deliver for it and its blocks, in bytes.
	FileBytes, TotalBytes uint64
	// Blocks bounds how many blocks are looked at, one that repeats each time; Entries how many files and folders there are.
	Blocks, Entries int
}

// Validate returns an error that names the bound at fault.
func (l Limits) Validate() error {
	if l.FileBytes == 0 || l.TotalBytes == 0 || l.Blocks < 1 || l.Entries < 1 {
		return errors.New("bounds of IPFS content must be positive")
	}
	return nil
}

// blocks delivers verified blocks. It is not safe for concurrent use.
type blocks struct {
	c   *Client
	ctx context.Context //nolint:containedctx // that of the one call which it serves

	car    *carStream
	cache  *simplelru.LRU[string, []byte]
	cached int
	looked int
	read   uint64 // by all gateways
}

func (c *Client) newBlocks(ctx context.Context) *blocks {
	b := &blocks{c: c, ctx: ctx}
	b.cache, _ = simplelru.NewLRU(1+maxCached/minCost, func(_ string, block []byte) { b.cached -= cost(block) }) // fails for a size of 0 only
	return b
}

func cost(block []byte) int { return max(len(block), minCost) }

func (b *blocks) keep(id cid.Cid, block []byte) {
	if b.cache.Contains(id.KeyString()) {
		return
	}
	b.cache.Add(id.KeyString(), block)
	for b.cached += cost(block); b.cached > maxCached; {
		b.cache.RemoveOldest()
	}
}

// count takes n bytes of what gateways may deliver.
func (b *blocks) count(n uint64) error {
	if b.read += n; b.read > b.c.limits.TotalBytes {
		return fmt.Errorf("%w: gateways delivered over %d bytes", ErrLimit, b.c.limits.TotalBytes)
	}
	return nil
}

// get returns the block of a CID: from the CAR, if it comes next or soon, else from memory or a request of its own.
func (b *blocks) get(id cid.Cid) ([]byte, error) {
	if err := b.ctx.Err(); err != nil {
		return nil, err
	}
	if b.looked++; b.looked > b.c.limits.Blocks {
		return nil, fmt.Errorf("%w: over %d blocks", ErrLimit, b.c.limits.Blocks)
	}
	digest, err := digestOf(id)
	if err != nil {
		return nil, err
	}
	if id.Prefix().MhType == multihash.IDENTITY {
		return digest, nil
	}
	block, err := b.fromCar(id)
	if err != nil || block != nil {
		return block, err
	}
	return b.single(id)
}

// fromCar returns nil for a block that neither the CAR nor memory has.
func (b *blocks) fromCar(id cid.Cid) ([]byte, error) {
	for ahead := 0; ; {
		next, err := b.peek()
		if err != nil {
			return nil, err
		}
		if next != nil && next.id.Equals(id) {
			b.car.next = nil
			b.keep(id, next.bytes)
			return next.bytes, nil
		}
		if block, ok := b.cache.Get(id.KeyString()); ok {
			return block, nil
		}
		if next == nil || ahead+cost(next.bytes) > maxAhead {
			return nil, nil
		}
		ahead += cost(next.bytes)
		b.car.next = nil
		b.keep(next.id, next.bytes)
	}
}

// peek returns the next block of the CAR, verified, or nil if there is none. A CAR that fails is given up; what it lacks is
// asked for block by block.
func (b *blocks) peek() (*block, error) {
	if b.car == nil || b.car.next != nil {
		if b.car == nil {
			return nil, nil
		}
		return b.car.next, nil
	}
	next, err := b.car.read()
	if err == nil {
		b.car.next = next
		return next, b.count(uint64(len(next.bytes)))
	}
	if b.ctx.Err() != nil {
		return nil, b.ctx.Err()
	}
	if !errors.Is(err, io.EOF) {
		b.c.log.Warn("a gateway's CAR ended early", "gateway", b.car.gateway, "err", err)
	}
	b.close()
	return nil, nil
}

// open asks the gateways for a CAR of a reference, one after the other. Without one there are single blocks still.
func (b *blocks) open(ref Reference) {
	for _, gateway := range b.c.gateways {
		answer, err := b.c.http.Get(b.ctx, gateway+"/ipfs/"+ref.urlPath()+"?format=car&dag-scope=all", http.Header{
			"Accept": {"application/vnd.ipld.car; version=1; order=dfs; dups=y"},
		})
		if err == nil {
			if b.car, err = newCar(gateway, answer); err == nil {
				return
			}
			err = errors.Join(err, answer.Body.Close())
		}
		b.c.log.Info("a gateway has no CAR", "gateway", gateway, "err", err)
		if b.ctx.Err() != nil {
			return
		}
	}
}

func (b *blocks) close() {
	if b.car != nil {
		_ = b.car.body.Close() // it was read as far as it was of use
		b.car = nil
	}
}

// single asks the gateways for one block, one after the other.
func (b *blocks) single(id cid.Cid) ([]byte, error) {
	errs := []error{fmt.Errorf("%w: %s", ErrMissing, id)}
	for _, gateway := range b.c.gateways {
		block, err := b.ask(gateway, id)
		switch {
		case err == nil:
			b.keep(id, block)
			return block, nil
		case b.ctx.Err() != nil:
			return nil, b.ctx.Err()
		case errors.Is(err, ErrLimit):
			return nil, err
		}
		errs = append(errs, fmt.Errorf("%s: %w", gateway, err))
	}
	return nil, errors.Join(errs...)
}

func (b *blocks) ask(gateway string, id cid.Cid) (_ []byte, err error) {
	answer, err := b.c.http.Get(b.ctx, gateway+"/ipfs/"+id.String()+"?format=raw", http.Header{"Accept": {"application/vnd.ipld.raw"}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.Status != http.StatusOK {
		return nil, fmt.Errorf("status %d", answer.Status)
	}
	block, err := io.ReadAll(io.LimitReader(answer.Body, maxBlock+1))
	if err != nil {
		return nil, err
	}
	if err := b.count(uint64(len(block))); err != nil {
		return nil, err
	}
	if len(block) > maxBlock {
		return nil, fmt.Errorf("block of over %d bytes", maxBlock)
	}
	return block, verify(id, block)
}

// block is a verified block.
type block struct {
	id    cid.Cid
	bytes []byte
}

// carStream is a CAR that arrives.
type carStream struct {
	gateway string
	body    io.Closer
	reader  *car.BlockReader
	next    *block
}

func newCar(gateway string, answer *outbound.Answer) (*carStream, error) {
	if answer.Status != http.StatusOK {
		return nil, fmt.Errorf("status %d", answer.Status)
	}
	if kind, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/vnd.ipld.car" {
		return nil, fmt.Errorf("content type %q", kind)
	}
	reader, err := readCar(answer.Body)
	if err != nil {
		return nil, err
	}
	return &carStream{gateway: gateway, body: answer.Body, reader: reader}, nil
}

// readCar reads the header of a CAR of version 1. Blocks are verified here, by the hashes that this package knows.
func readCar(r io.Reader) (*car.BlockReader, error) {
	reader, err := car.NewBlockReader(bufio.NewReaderSize(r, 64<<10), car.WithTrustedCAR(true),
		car.MaxAllowedHeaderSize(maxCarHeader), car.MaxAllowedSectionSize(maxBlock+maxIdentity+64))
	if err != nil {
		return nil, fmt.Errorf("CAR: %w", err)
	}
	if reader.Version != 1 {
		return nil, fmt.Errorf("CAR of version %d, want 1", reader.Version)
	}
	return reader, nil
}

// read returns the next block, verified, or io.EOF.
func (s *carStream) read() (*block, error) {
	b, err := s.reader.Next()
	if err != nil {
		return nil, err
	}
	if err := verify(b.Cid(), b.RawData()); err != nil {
		return nil, err
	}
	return &block{b.Cid(), b.RawData()}, nil
}
