package ipfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-unixfsnode/hamt"
	"github.com/ipld/go-ipld-prime"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/schema"

	"github.com/edgechain/edge/worker/origin/outbound"
)

// maxFolders bounds the folders above a file, and the shards above a name.
const maxFolders = 64

// Client reads from gateways. It is safe for concurrent use.
type Client struct {
	http     *outbound.Client
	gateways []string
	limits   Limits
	log      *slog.Logger
}

// New returns a client of gateways, base URLs that are asked in order.
func New(http *outbound.Client, gateways []string, limits Limits, log *slog.Logger) (*Client, error) {
	if len(gateways) == 0 {
		return nil, errors.New("no IPFS gateway is configured")
	}
	if err := limits.Validate(); err != nil {
		return nil, err
	}
	c := &Client{http: http, limits: limits, log: log}
	for _, gateway := range gateways {
		if _, err := outbound.ParseURL(gateway); err != nil {
			return nil, fmt.Errorf("IPFS gateway: %w: %q", err, gateway)
		}
		c.gateways = append(c.gateways, strings.TrimRight(gateway, "/"))
	}
	return c, nil
}

// Found says what a reference turned out to be.
type Found struct {
	// Folder is true if it is one.
	Folder bool
	// Links counts the symbolic links that were left out, as they can lead out of the folder.
	Links int
}

// Each calls each for the file of a reference, or for every file under its folder in the order of the folders, with its path
// from there. The path of a single file is its name, or its CID. What each reads is verified; it must read to io.EOF before
// it keeps anything.
func (c *Client) Each(ctx context.Context, ref Reference, each func(path string, file io.Reader) error) (Found, error) {
	b := c.newBlocks(ctx)
	defer b.close()
	b.open(ref)
	id, err := b.resolve(ref)
	if err != nil {
		return Found{}, fmt.Errorf("%s: %w", ref, err)
	}
	w := &walk{blocks: b, each: each}
	name := id.String()
	if len(ref.Path) > 0 {
		name = ref.Path[len(ref.Path)-1]
	}
	if err := w.root(id, name); err != nil {
		return w.found, fmt.Errorf("%s: %w", ref, err)
	}
	return w.found, nil
}

func (b *blocks) node(id cid.Cid) (*node, error) {
	block, err := b.get(id)
	if err != nil {
		return nil, err
	}
	return parse(id, block)
}

// resolve follows the path of a reference.
func (b *blocks) resolve(ref Reference) (cid.Cid, error) {
	id := ref.Root
	for _, name := range ref.Path {
		n, err := b.node(id)
		if err != nil {
			return cid.Undef, err
		}
		if id, err = b.lookup(n, name); err != nil {
			return cid.Undef, err
		}
	}
	return id, nil
}

// lookup finds a name in a folder.
func (b *blocks) lookup(n *node, name string) (cid.Cid, error) {
	switch n.kind {
	case directory:
		for _, l := range n.links {
			if l.name == name {
				return l.id, nil
			}
		}
	case shard:
		system := cidlink.DefaultLinkSystem()
		system.TrustedStorage = true // get has verified it
		system.StorageReadOpener = func(_ ipld.LinkContext, l ipld.Link) (io.Reader, error) {
			to, ok := l.(cidlink.Link)
			if !ok {
				return nil, fmt.Errorf("%w: a link without a CID", ErrFormat)
			}
			block, err := b.get(to.Cid)
			if err != nil {
				return nil, err
			}
			if child, err := parse(to.Cid, block); err != nil || child.kind != shard || child.prefix != n.prefix {
				return nil, fmt.Errorf("%w: a part of a sharded folder is none: %w", ErrFormat, errors.Join(err))
			}
			return bytes.NewReader(block), nil
		}
		folder, err := hamt.NewUnixFSHAMTShard(b.ctx, n.pb, n.unixfs, &system)
		if err != nil {
			return cid.Undef, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		found, err := folder.LookupByString(name)
		var missing schema.ErrNoSuchField
		switch {
		case errors.As(err, &missing):
			return cid.Undef, fmt.Errorf("%w: %q", ErrNotFound, name)
		case err != nil:
			return cid.Undef, err
		}
		to, err := found.AsLink()
		if err != nil {
			return cid.Undef, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		if l, ok := to.(cidlink.Link); ok {
			return l.Cid, nil
		}
	default:
		return cid.Undef, fmt.Errorf("%w: %q, what should hold it is no folder", ErrNotFound, name)
	}
	return cid.Undef, fmt.Errorf("%w: %q", ErrNotFound, name)
}

// walk goes through a folder.
type walk struct {
	blocks  *blocks
	each    func(string, io.Reader) error
	entries int
	found   Found
}

func (w *walk) root(id cid.Cid, name string) error {
	n, err := w.blocks.node(id)
	if err != nil {
		return err
	}
	switch n.kind {
	case file:
		return w.file(n, name)
	case symlink:
		return fmt.Errorf("%w: it is a symbolic link", ErrFormat)
	}
	w.found.Folder = true
	return w.folder(n, "", 0)
}

func (w *walk) file(n *node, at string) error {
	f, err := w.blocks.newFile(n)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return w.each(at, f)
}

// folder goes through a folder, whose path is empty for the root.
func (w *walk) folder(n *node, at string, depth int) error {
	if depth > maxFolders {
		return fmt.Errorf("%w: folders over %d levels deep", ErrLimit, maxFolders)
	}
	seen := map[string]bool{}
	entry := func(l link, name string) error {
		if err := checkName(name); err != nil {
			return fmt.Errorf("folder %q: %w", at, err)
		}
		if seen[name] {
			return fmt.Errorf("%w: folder %q has %q twice", ErrFormat, at, name)
		}
		seen[name] = true
		if w.entries++; w.entries > w.blocks.c.limits.Entries {
			return fmt.Errorf("%w: over %d files and folders", ErrLimit, w.blocks.c.limits.Entries)
		}
		child, err := w.blocks.node(l.id)
		if err != nil {
			return fmt.Errorf("%s: %w", path.Join(at, name), err)
		}
		switch child.kind {
		case file:
			return w.file(child, path.Join(at, name))
		case symlink:
			w.found.Links++
			return nil
		}
		return w.folder(child, path.Join(at, name), depth+1)
	}
	if n.kind == shard {
		return w.shard(n, entry, 0)
	}
	for _, l := range n.links {
		if err := entry(l, l.name); err != nil {
			return err
		}
	}
	return nil
}

// shard goes through a part of a sharded folder.
func (w *walk) shard(n *node, entry func(link, string) error, depth int) error {
	if depth > maxFolders {
		return fmt.Errorf("%w: a folder's shards over %d levels deep", ErrLimit, maxFolders)
	}
	for _, l := range n.links {
		if len(l.name) < n.prefix {
			return fmt.Errorf("%w: a shard has the name %q", ErrFormat, l.name)
		}
		if name := l.name[n.prefix:]; name != "" {
			if err := entry(l, name); err != nil {
				return err
			}
			continue
		}
		child, err := w.blocks.node(l.id)
		if err != nil {
			return err
		}
		if child.kind != shard || child.prefix != n.prefix {
			return fmt.Errorf("%w: a part of a sharded folder is none", ErrFormat)
		}
		if err := w.shard(child, entry, depth+1); err != nil {
			return err
		}
	}
	return nil
}
