package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

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
	var unpinned bool
	var expect expectation
	cmd := &cobra.Command{
		Use: "add PATH|URL...", Short: "Add files to the content store", Args: args(cobra.MinimumNArgs(1)),
		Long: `add stores files, or the regular files under folders, and prints name, CID, size and path of each; with --output json one JSON
object a line. It works while the worker runs and while it does not. Content is public: whoever knows the name can fetch it.

What is added is pinned: it stays until 'edge-worker unpin' or 'edge-worker content rm'. With --unpinned it makes room when room
is needed, as content of origins does.

An https:// or http:// URL is fetched, and must be what its fragment (#sha256-...), --integrity or --blake3 says. ipfs://CID/path is
fetched from the gateways of the configuration, block by block against its CID; a folder adds all its files.`,
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
				return errors.Join(a.addRunning(cmd, client, local, !unpinned, each), a.addRemote(cmd, &c, nil, client, fetched, !unpinned, expect, each))
			}
			if err != nil {
				return err
			}
			local, fetched := split(paths)
			if err := a.addRemote(cmd, &c, s, nil, fetched, !unpinned, expect, each); err != nil {
				return errors.Join(err, s.Close())
			}
			for _, path := range local {
				if err := s.AddPath(cmd.Context(), path, !unpinned, func(added store.Added) error { return each(addedDocOf(added)) }); err != nil {
					return errors.Join(err, s.Close())
				}
			}
			return s.Close()
		},
	}
	cmd.Flags().StringVar(&expect.integrity, "integrity", "", "integrity attribute (sha256-..., sha384-..., sha512-...) of what a URL delivers")
	cmd.Flags().StringVar(&expect.name, "blake3", "", "name of what a URL delivers")
	cmd.Flags().BoolVar(&unpinned, "unpinned", false, "let it be evicted when room is needed")
	return cmd
}

// addRunning streams files to the running worker: it reads them with the rights of whoever runs the command.
func (a *app) addRunning(cmd *cobra.Command, client *adminClient, paths []string, pinned bool, each func(addedDoc) error) error {
	for _, path := range paths {
		root := path
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			root += string(filepath.Separator) // a link to a folder is followed if it is named itself
		}
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() || p != root && !d.Type().IsRegular() {
				return nil
			}
			added, err := sendFile(cmd, client, p, pinned)
			if err != nil {
				return fmt.Errorf("add %s: %w", p, err)
			}
			return each(added)
		})
		if err != nil {
			return err
		}
	}
	return nil
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
