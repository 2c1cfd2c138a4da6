package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/config"
	"github.com/edgechain/edge/worker/origin"
	"github.com/edgechain/edge/worker/origin/folder"
	"github.com/edgechain/edge/worker/origin/integrity"
	"github.com/edgechain/edge/worker/origin/ipfs"
	"github.com/edgechain/edge/worker/origin/outbound"
	"github.com/edgechain/edge/worker/store"
)

// bytesPerBlock is the least that a block of IPFS counts for on average, so that a bound in bytes bounds blocks.
const bytesPerBlock = 1 << 10

// originConfig turns the section of the file into the configuration of the origins. The index of folders is kept in a file.
func originConfig(c *config.Config, indexFile string) (origin.Config, error) {
	o := &c.Origin
	cfg := origin.Config{
		Workers: o.Workers, HTTP: o.HTTP, Folders: o.Folders, MaxObjectBytes: o.MaxObjectBytes, MaxFetches: o.MaxFetches, MaxQueued: o.MaxQueued,
		QueueTimeout: o.QueueTimeout.Std(), Linger: o.Linger.Std(), FirstByteTimeout: o.FirstByteTimeout.Std(), IdleTimeout: o.IdleTimeout.Std(),
		TotalTimeout: o.TotalTimeout.Std(), MinBytesPerSecond: o.MinBytesPerSecond, MissingTTL: o.MissingTTL.Std(), MaxMissing: o.MaxMissing,
		FirstBackoff: o.FirstBackoff.Std(), LastBackoff: o.LastBackoff.Std(),
		Index: folder.Config{
			CacheFile: indexFile, MaxFiles: o.MaxFiles, RescanInterval: o.RescanInterval.Std(), BytesPerSecond: o.ScanBytesPerSecond,
		},
	}
	for _, text := range o.AllowNetworks {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return cfg, fmt.Errorf("allow_networks: %q is no network such as 10.1.0.0/16", text)
		}
		cfg.AllowNetworks = append(cfg.AllowNetworks, network)
	}
	if err := cfg.Validate(); err != nil {
		return cfg, err
	}
	for _, gateway := range o.IPFSGateways {
		if _, err := outbound.ParseURL(gateway); err != nil {
			return cfg, fmt.Errorf("ipfs_gateways: %w: %q", err, gateway)
		}
	}
	if err := ipfsLimits(c).Validate(); err != nil {
		return cfg, fmt.Errorf("max_reference_bytes, max_reference_entries: %w", err)
	}
	return cfg, nil
}

func ipfsLimits(c *config.Config) ipfs.Limits {
	o := &c.Origin
	return ipfs.Limits{
		FileBytes: o.MaxObjectBytes, TotalBytes: o.MaxReferenceBytes, Entries: o.MaxReferenceEntries,
		Blocks: int(min(o.MaxReferenceBytes/bytesPerBlock+uint64(max(o.MaxReferenceEntries, 0)), 1<<31)),
	}
}

// remote reports whether an argument of add is fetched, and not a path.
func remote(argument string) bool {
	for _, scheme := range []string{"http://", "https://", ipfs.Scheme} {
		if strings.HasPrefix(argument, scheme) {
			return true
		}
	}
	return false
}

// split parts the arguments of add into paths and what is fetched.
func split(arguments []string) (local, fetched []string) {
	for _, argument := range arguments {
		if remote(argument) {
			fetched = append(fetched, argument)
		} else {
			local = append(local, argument)
		}
	}
	return local, fetched
}

// expectation is what the flags of add say about what is fetched.
type expectation struct {
	integrity, name string
}

// of returns what the bytes of a URL must be, and the URL without its fragment, which can say so too.
func (e expectation) of(address string) (string, integrity.Expected, error) {
	address, fragment, _ := strings.Cut(address, "#")
	attribute := e.integrity
	if fragment != "" {
		text, err := url.PathUnescape(fragment)
		if err != nil || attribute != "" {
			return "", integrity.Expected{}, usagef("the fragment of %s must be the integrity attribute, and --integrity is not given beside it", address)
		}
		attribute = text
	}
	var expected integrity.Expected
	if attribute != "" {
		var err error
		if expected, err = integrity.Parse(attribute); err != nil {
			return "", expected, usagef("%v", err)
		}
	}
	if e.name != "" {
		name, err := content.ParseName(e.name)
		if err != nil {
			return "", expected, usagef("--blake3: %v", err)
		}
		expected = expected.WithName(name)
	}
	if !expected.Known() {
		return "", expected, usagef("%s: what it must be is not given: add #sha256-... to the URL, or --integrity or --blake3", address)
	}
	return address, expected, nil
}

// fetcher adds what is fetched.
type fetcher struct {
	config *config.Config
	client origin.Config
	expect expectation
	log    *slog.Logger
	// put stores a stream, and keeps nothing if it fails.
	put  func(io.Reader) (addedDoc, error)
	each func(addedDoc) error
	// roots gives each folder a name of its own.
	roots bool
	warn  io.Writer
}

// add fetches an argument that is remote. Nothing is stored before all of a file has verified.
func (f *fetcher) add(ctx context.Context, argument string) error {
	if strings.HasPrefix(argument, ipfs.Scheme) {
		return f.addIPFS(ctx, argument)
	}
	address, expected, err := f.expect.of(argument)
	if err != nil {
		return err
	}
	client, err := outbound.New(f.client.Outbound(), address)
	if err != nil {
		return &usageError{err}
	}
	defer client.Close()
	answer, err := client.Get(ctx, address, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.Status != 200 {
		return fmt.Errorf("%s answers with status %d", address, answer.Status)
	}
	_, err = f.stream(expected.Reader(f.bounded(answer.Body)), path.Base(address))
	return err
}

func (f *fetcher) addIPFS(ctx context.Context, argument string) error {
	if f.expect.integrity != "" {
		return usagef("--integrity has no meaning beside ipfs://, the CID says what the content is")
	}
	ref, err := ipfs.ParseReference(argument)
	if err != nil {
		return &usageError{err}
	}
	var expected integrity.Expected
	if f.expect.name != "" {
		name, err := content.ParseName(f.expect.name)
		if err != nil {
			return usagef("--blake3: %v", err)
		}
		expected = expected.WithName(name)
	}
	gateways := f.config.Origin.IPFSGateways
	client, err := outbound.New(f.client.Outbound(), gateways...)
	if err != nil {
		return err
	}
	defer client.Close()
	gateway, err := ipfs.New(client, gateways, ipfsLimits(f.config), f.log)
	if err != nil {
		return err
	}
	files := make(map[string]content.Entry)
	found, err := gateway.Each(ctx, ref, func(at string, r io.Reader) error {
		added, err := f.stream(expected.Reader(r), at)
		if err != nil {
			return err
		}
		name, err := content.ParseName(added.Name)
		files[at] = content.Entry{Size: added.Size, Hash: name}
		return err
	})
	if err != nil {
		return err
	}
	if found.Links > 0 {
		if _, err = fmt.Fprintf(f.warn, "%d symbolic links were left out\n", found.Links); err != nil {
			return err
		}
	}
	if !found.Folder || !f.roots {
		return nil
	}
	return f.addManifests(argument, files)
}

// addManifests gives a folder whose files are stored a name of its own.
func (f *fetcher) addManifests(argument string, files map[string]content.Entry) error {
	var root addedDoc
	_, err := content.ManifestOfFiles(files, func(name content.Name, manifest []byte) (err error) {
		if root, err = f.put(bytes.NewReader(manifest)); err == nil && root.Name != name.String() {
			err = fmt.Errorf("stored as %s, not %s", root.Name, name)
		}
		return err
	})
	if err != nil {
		if errors.Is(err, content.ErrManifest) {
			err = fmt.Errorf("%w; --files-only adds the files without a name for the folder", err)
		}
		return fmt.Errorf("add folder %s: %w", argument, err)
	}
	root.Path = argument
	return f.each(root)
}

// bounded ends a stream over the bound of an object.
func (f *fetcher) bounded(r io.Reader) io.Reader {
	return &boundedReader{r: r, left: f.config.Origin.MaxObjectBytes}
}

type boundedReader struct {
	r    io.Reader
	left uint64
}

// Read implements io.Reader.
func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if uint64(n) > b.left {
		return 0, fmt.Errorf("%w: over origin.max_object_bytes", store.ErrTooLarge)
	}
	b.left -= uint64(n)
	return n, err
}

// stream stores one file.
func (f *fetcher) stream(r io.Reader, at string) (addedDoc, error) {
	watched := &remembering{r: r}
	added, err := f.put(watched)
	// The worker says no more than that the stream broke.
	if watched.err != nil {
		err = watched.err
	}
	if err != nil {
		return addedDoc{}, fmt.Errorf("add %s: %w", at, err)
	}
	added.Path = at
	return added, f.each(added)
}

// remembering remembers how a stream failed.
type remembering struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (r *remembering) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// addRemote fetches arguments into a store or, if s is nil, into the running worker.
func (a *app) addRemote(cmd *cobra.Command, c *config.Config, s *store.Store, client *adminClient, arguments []string, pinned, roots bool, expect expectation, each func(addedDoc) error) error {
	cfg, err := originConfig(c, "")
	if err != nil {
		return err
	}
	f := &fetcher{
		config: c, client: cfg, expect: expect, each: each, roots: roots, warn: cmd.ErrOrStderr(),
		log: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	f.put = func(r io.Reader) (added addedDoc, err error) {
		if s == nil {
			err = client.post(cmd.Context(), fmt.Sprintf("%s?pinned=%t", pathObjects, pinned), io.NopCloser(r), &added)
			return added, err
		}
		add := s.Add
		if pinned {
			add = s.AddPinned
		}
		done, err := add(cmd.Context(), r)
		return addedDocOf(done), err
	}
	var errs []error
	for _, argument := range arguments {
		if err := f.add(cmd.Context(), argument); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
