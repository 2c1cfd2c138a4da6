package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/store"
)

// addedDoc is one added file.
type addedDoc struct {
	Name string `json:"name"`
	CID  string `json:"cid"`
	// Size in bytes.
	Size uint64 `json:"size"`
	Path string `json:"path,omitempty"`
	// Existed says that the store had it already.
	Existed bool `json:"existed"`
}

func addedDocOf(a store.Added) addedDoc {
	return addedDoc{Name: a.Name.String(), CID: a.Name.CID(), Size: a.Size, Path: a.Path, Existed: a.Existed}
}

func (a *app) addCommand() *cobra.Command {
	var unpinned, filesOnly bool
	var expect expectation
	cmd := &cobra.Command{
		Use: "add PATH|URL...", Short: "Add files to the content store", Args: args(cobra.MinimumNArgs(1)),
		Long: `add stores files, or the regular files under folders, and prints name, CID, size and path of each; with --output json one JSON
object a line. A folder's own line comes after those of its files: under its name a worker serves them as a website, at
/b3/NAME/path (--files-only leaves it out). It works while the worker runs and while it does not. Content is public: whoever knows the name can fetch it.

What is added is pinned: it stays until 'edge-worker unpin' or 'edge-worker content rm'. With --unpinned it makes room when room
is needed, as content of origins does.

An https:// or http:// URL is fetched, and must be what its fragment (#sha256-...), --integrity or --blake3 says. ipfs://CID/path is
fetched from the gateways of the configuration, block by block against its CID; a folder adds all its files, and gets a name of its
own like one of this machine, without those of its folders that are empty.`,
		Example: "  edge-worker add ./public\n  edge-worker add file.iso --output json\n  edge-worker add --unpinned mirror/\n  edge-worker add https://example.com/file.iso --integrity sha384-...\n  edge-worker add ipfs://CID/path",
		RunE: func(cmd *cobra.Command, paths []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			each := func(added addedDoc) error {
				if a.output == "json" {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(added)
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s  %s  %d  %s\n", added.Name, added.CID, added.Size, added.Path)
				return err
			}
			s, err := store.Open(storeConfig(&c, a.home.store()), slog.New(slog.DiscardHandler))
			if errors.Is(err, store.ErrLocked) {
				client := a.adminClient(&c)
				if client.token, err = a.home.readToken(); err != nil {
					return err
				}
				local, fetched := split(paths)
				return errors.Join(addLocal(cmd.Context(), runningAdder(cmd, client, !unpinned), local, !filesOnly, each), a.addRemote(cmd, &c, nil, client, fetched, !unpinned, !filesOnly, expect, each))
			}
			if err != nil {
				return err
			}
			local, fetched := split(paths)
			if err := a.addRemote(cmd, &c, s, nil, fetched, !unpinned, !filesOnly, expect, each); err != nil {
				return errors.Join(err, s.Close())
			}
			if err := addLocal(cmd.Context(), storeAdder(s, !unpinned), local, !filesOnly, each); err != nil {
				return errors.Join(err, s.Close())
			}
			return s.Close()
		},
	}
	cmd.Flags().StringVar(&expect.integrity, "integrity", "", "integrity attribute (sha256-..., sha384-..., sha512-...) of what a URL delivers")
	cmd.Flags().StringVar(&expect.name, "blake3", "", "name of what a URL delivers")
	cmd.Flags().BoolVar(&filesOnly, "files-only", false, "add the files of folders alone, without names for the folders")
	cmd.Flags().BoolVar(&unpinned, "unpinned", false, "let it be evicted when room is needed")
	return cmd
}

// adder puts content into the store.
type adder struct {
	file     func(ctx context.Context, path string) (addedDoc, error)
	manifest func(ctx context.Context, manifest []byte) (addedDoc, error)
}

// storeAdder adds to the store of a worker that does not run.
func storeAdder(s *store.Store, pinned bool) adder {
	add := s.Add
	if pinned {
		add = s.AddPinned
	}
	return adder{
		file: func(ctx context.Context, path string) (doc addedDoc, err error) {
			err = s.AddPath(ctx, path, pinned, func(added store.Added) error {
				doc = addedDocOf(added)
				return nil
			})
			return doc, err
		},
		manifest: func(ctx context.Context, manifest []byte) (addedDoc, error) {
			added, err := add(ctx, bytes.NewReader(manifest))
			return addedDocOf(added), err
		},
	}
}

// runningAdder streams to the running worker: it reads files with the rights of whoever runs the command.
func runningAdder(cmd *cobra.Command, client *adminClient, pinned bool) adder {
	return adder{
		file: func(_ context.Context, path string) (addedDoc, error) {
			doc, err := sendFile(cmd, client, path, pinned)
			if err != nil {
				err = fmt.Errorf("add %s: %w", path, err)
			}
			return doc, err
		},
		manifest: func(ctx context.Context, manifest []byte) (doc addedDoc, err error) {
			err = client.post(ctx, fmt.Sprintf("%s?pinned=%t", pathObjects, pinned), io.NopCloser(bytes.NewReader(manifest)), &doc)
			return doc, err
		},
	}
}

// addLocal adds files and folders. With roots, each folder that is named gets a name itself, and its line comes last.
func addLocal(ctx context.Context, to adder, paths []string, roots bool, each func(addedDoc) error) error {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err == nil && info.IsDir() && roots {
			err = addFolder(ctx, to, path, each)
			if err != nil {
				return err
			}
			continue
		}
		root := path
		if err == nil && info.IsDir() {
			root += string(filepath.Separator) // a link to a folder is followed if it is named itself
		}
		err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() || p != root && !d.Type().IsRegular() {
				return nil
			}
			added, err := to.file(ctx, p)
			if err != nil {
				return err
			}
			return each(added)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func addFolder(ctx context.Context, to adder, dir string, each func(addedDoc) error) error {
	var root addedDoc
	_, err := content.ManifestOf(ctx, dir, content.FolderSink{
		File: func(ctx context.Context, path string) (content.Name, uint64, error) {
			doc, err := to.file(ctx, path)
			if err != nil {
				return content.Name{}, 0, err
			}
			name, err := content.ParseName(doc.Name)
			return name, doc.Size, errors.Join(err, each(doc))
		},
		Manifest: func(ctx context.Context, path string, name content.Name, manifest []byte) (err error) {
			if root, err = to.manifest(ctx, manifest); err != nil {
				return fmt.Errorf("add folder %s: %w", path, err)
			}
			if root.Name != name.String() {
				return fmt.Errorf("add folder %s: stored as %s, not %s", path, root.Name, name)
			}
			root.Path = dir
			return nil
		},
	})
	if err != nil {
		if errors.Is(err, content.ErrManifest) {
			err = fmt.Errorf("%w; --files-only adds the files without a name for the folder", err)
		}
		return err
	}
	return each(root)
}

func sendFile(cmd *cobra.Command, client *adminClient, path string, pinned bool) (added addedDoc, err error) {
	f, err := os.Open(path)
	if err != nil {
		return addedDoc{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return addedDoc{}, err
	}
	if !info.Mode().IsRegular() {
		return addedDoc{}, errors.New("not a regular file")
	}
	// A plain reader, so that the transport does not close the file.
	err = client.post(cmd.Context(), fmt.Sprintf("%s?pinned=%t", pathObjects, pinned), io.NopCloser(f), &added)
	added.Path = path
	return added, err
}
