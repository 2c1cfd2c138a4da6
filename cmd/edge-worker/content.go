package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/store"
)

// contentPage is how many objects an answer lists at most.
const contentPage = 1000

// contentDoc is what the store knows of an object.
type contentDoc struct {
	Name string `json:"name"`
	CID  string `json:"cid"`
	// Size in bytes, and with hash tree and trailer on disk.
	Size uint64 `json:"size"`
	Disk uint64 `json:"disk_bytes"`
	// State is pinned, kept (for accounts) or evictable.
	State string `json:"state"`
	// Holds are the accounts that have it kept.
	Holds []holdDoc `json:"holds,omitempty"`
	Added time.Time `json:"added"`
	// Used is the last use, give or take a minute.
	Used time.Time `json:"used"`
}

type holdDoc struct {
	Account uint64 `json:"account"`
	// UntilEpoch is the last epoch of it.
	UntilEpoch uint64 `json:"until_epoch"`
}

// States of content.
const (
	statePinned    = "pinned"
	stateKept      = "kept"
	stateEvictable = "evictable"
	stateRemoved   = "removed"
)

func contentDocOf(e *store.Entry) contentDoc {
	doc := contentDoc{
		Name: e.Name.String(), CID: e.Name.CID(), Size: e.Size, Disk: e.Disk, State: stateEvictable,
		Added: e.Added.UTC().Truncate(time.Second), Used: e.Used.UTC(),
	}
	for _, h := range e.Holds {
		doc.Holds = append(doc.Holds, holdDoc{h.Owner, h.Until})
		doc.State = stateKept
	}
	if e.Pinned {
		doc.State = statePinned
	}
	return doc
}

// contents is the content of the worker, whether it runs or not.
type contents interface {
	// list returns a page behind a name; an empty one begins at the beginning.
	list(ctx context.Context, after string) ([]contentDoc, error)
	// change does one of changes.
	change(ctx context.Context, name content.Name, action string) (contentDoc, error)
	io.Closer
}

// Changes of an object.
const (
	actionPin    = "pin"
	actionUnpin  = "unpin"
	actionRemove = "remove"
)

// storedContents is the store itself.
type storedContents struct{ *store.Store }

func (c storedContents) list(_ context.Context, after string) ([]contentDoc, error) {
	var from content.Name
	if after != "" {
		var err error
		if from, err = content.ParseName(after); err != nil {
			return nil, err
		}
	}
	entries, err := c.List(from, contentPage)
	docs := make([]contentDoc, len(entries))
	for i := range entries {
		docs[i] = contentDocOf(&entries[i])
	}
	return docs, err
}

func (c storedContents) change(_ context.Context, name content.Name, action string) (contentDoc, error) {
	before, err := c.Lookup(name)
	if err != nil {
		return contentDoc{}, err
	}
	switch action {
	case actionPin:
		err = c.Pin(name)
	case actionUnpin:
		err = c.Unpin(name)
	case actionRemove:
		err = c.Delete(name)
	default:
		err = fmt.Errorf("%q is no change of content", action)
	}
	if err != nil {
		return contentDoc{}, err
	}
	after, err := c.Lookup(name)
	if err != nil { // removed, or evicted as soon as it could be
		doc := contentDocOf(&before)
		doc.State, doc.Holds = stateRemoved, nil
		return doc, nil //nolint:nilerr // that it is gone is what was asked for
	}
	return contentDocOf(&after), nil
}

// runningContents is the store of the running worker.
type runningContents struct{ *adminClient }

func (c runningContents) list(ctx context.Context, after string) (docs []contentDoc, err error) {
	err = c.get(ctx, pathContent+"?after="+url.QueryEscape(after), &docs)
	return docs, err
}

func (c runningContents) change(ctx context.Context, name content.Name, action string) (doc contentDoc, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = c.post(ctx, pathContent+"/"+name.String()+"/"+action, http.NoBody, &doc)
	return doc, err
}

func (c runningContents) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// contents opens the store, or asks the worker that has it open.
func (a *app) contents() (contents, error) {
	c, err := a.load()
	if err != nil {
		return nil, err
	}
	s, err := store.Open(storeConfig(&c, a.home.store()), slog.New(slog.DiscardHandler))
	if err == nil {
		return storedContents{s}, nil
	}
	if !errors.Is(err, store.ErrLocked) {
		return nil, err
	}
	client := a.adminClient(&c)
	if client.token, err = a.home.readToken(); err != nil {
		return nil, err
	}
	return runningContents{client}, nil
}

func (a *app) pinCommand() *cobra.Command {
	return a.changeCommand(actionPin, &cobra.Command{
		Use: "pin NAME...", Short: "Keep content from being evicted",
		Long: `pin keeps content until 'edge-worker unpin' or 'edge-worker content rm', whatever room is needed. What 'edge-worker add' adds
is pinned. It works while the worker runs and while it does not.`,
		Example: "  edge-worker pin 04e0bb39f30b1a3feb89f536c93be15055482df748674b00d26e5a75777702e9",
	})
}

func (a *app) unpinCommand() *cobra.Command {
	return a.changeCommand(actionUnpin, &cobra.Command{
		Use: "unpin NAME...", Short: "Let content be evicted when room is needed",
		Long: `unpin takes back 'edge-worker pin' and what 'edge-worker add' does. What clients have paid to be kept is kept all the same.
It works while the worker runs and while it does not.`,
		Example: "  edge-worker unpin 04e0bb39f30b1a3feb89f536c93be15055482df748674b00d26e5a75777702e9",
	})
}

func (a *app) contentCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "content", Short: "List and remove stored content", Args: args(cobra.NoArgs), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.contentListCommand(), a.changeCommand(actionRemove, &cobra.Command{
		Use: "rm NAME...", Short: "Remove content",
		Long: `rm removes content, pinned or not, and kept for clients or not. Answers under way come to their end. It works while the
worker runs and while it does not.`,
		Example: "  edge-worker content rm 04e0bb39f30b1a3feb89f536c93be15055482df748674b00d26e5a75777702e9",
	}))
	return cmd
}

// changeCommand completes a command that does the same to each of its names. One that fails does not keep the others from it.
func (a *app) changeCommand(action string, cmd *cobra.Command) *cobra.Command {
	cmd.Args = args(cobra.MinimumNArgs(1))
	cmd.RunE = func(cmd *cobra.Command, given []string) error {
		names := make([]content.Name, len(given))
		for i, text := range given {
			var err error
			if names[i], err = content.ParseName(text); err != nil {
				return &usageError{err}
			}
		}
		c, err := a.contents()
		if err != nil {
			return err
		}
		var errs []error
		for _, name := range names {
			doc, err := c.change(cmd.Context(), name, action)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s %s: %w", action, name, err))
				continue
			}
			errs = append(errs, a.printContent(cmd.OutOrStdout(), &doc))
		}
		return errors.Join(append(errs, c.Close())...)
	}
	return cmd
}

func (a *app) contentListCommand() *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use: "ls", Short: "List stored content", Args: args(cobra.NoArgs),
		Long: `ls prints name, state, size in bytes and last use of what is stored, in the order of names; with --output json one JSON object
a line. It works while the worker runs and while it does not.`,
		Example: "  edge-worker content ls\n  edge-worker content ls --state pinned --output json",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			switch state {
			case "", statePinned, stateKept, stateEvictable:
			default:
				return usagef("--state %q, want %s, %s or %s", state, statePinned, stateKept, stateEvictable)
			}
			c, err := a.contents()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.Close()) }()
			for after := ""; ; {
				page, err := c.list(cmd.Context(), after)
				if err != nil || len(page) == 0 {
					return err
				}
				for i := range page {
					if state != "" && page[i].State != state {
						continue
					}
					if err := a.printContent(cmd.OutOrStdout(), &page[i]); err != nil {
						return err
					}
				}
				after = page[len(page)-1].Name
			}
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only what is pinned, kept (for clients) or evictable")
	return cmd
}

func (a *app) printContent(w io.Writer, doc *contentDoc) error {
	if a.output == "json" {
		return json.NewEncoder(w).Encode(doc)
	}
	_, err := fmt.Fprintf(w, "%s  %-9s  %d  %s\n", doc.Name, doc.State, doc.Size, doc.Used.Format(time.RFC3339))
	return err
}

// pathContent is where the running worker lists and changes its content.
const pathContent = "/v1/admin/content"

// handleContent answers what the commands ask about content. All of it needs the secret of the home folder.
func (w *worker) handleContent(mux *http.ServeMux) {
	mux.HandleFunc("POST "+pathObjects, w.withToken(w.addObject))
	mux.HandleFunc("GET "+pathContent, w.withToken(w.listContent))
	mux.HandleFunc("POST "+pathContent+"/{name}/{action}", w.withToken(w.changeContent))
}

// withToken refuses requests without the admin token.
func (w *worker) withToken(next http.HandlerFunc) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		if !sameToken(r.Header.Get(tokenHeader), w.token) {
			answer(rw, http.StatusForbidden, adminError{"the admin token of the home folder is needed"})
			return
		}
		next(rw, r)
	}
}

// addObject stores the body of a request, pinned unless it says otherwise. The bytes come from the command, which reads with
// the rights of its user.
func (w *worker) addObject(rw http.ResponseWriter, r *http.Request) {
	pinned := true
	if text := r.URL.Query().Get("pinned"); text != "" {
		var err error
		if pinned, err = strconv.ParseBool(text); err != nil {
			answer(rw, http.StatusBadRequest, adminError{fmt.Sprintf("pinned is %q, want true or false", text)})
			return
		}
	}
	add := w.store.Add
	if pinned {
		add = w.store.AddPinned
	}
	added, err := add(r.Context(), r.Body)
	switch {
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrTooLarge):
		answer(rw, http.StatusInsufficientStorage, adminError{err.Error()})
	case err != nil:
		w.log.Warn("content was not added", "err", err)
		answer(rw, http.StatusInternalServerError, adminError{err.Error()})
	default:
		answer(rw, http.StatusCreated, addedDocOf(added))
	}
}

func (w *worker) listContent(rw http.ResponseWriter, r *http.Request) {
	docs, err := storedContents{w.store}.list(r.Context(), r.URL.Query().Get("after"))
	switch {
	case errors.Is(err, content.ErrName):
		answer(rw, http.StatusBadRequest, adminError{err.Error()})
	case err != nil:
		answer(rw, http.StatusInternalServerError, adminError{err.Error()})
	default:
		answer(rw, http.StatusOK, docs)
	}
}

func (w *worker) changeContent(rw http.ResponseWriter, r *http.Request) {
	name, err := content.ParseName(r.PathValue("name"))
	if err != nil {
		answer(rw, http.StatusBadRequest, adminError{err.Error()})
		return
	}
	action := r.PathValue("action")
	if !slices.Contains([]string{actionPin, actionUnpin, actionRemove}, action) {
		answer(rw, http.StatusNotFound, adminError{fmt.Sprintf("%q is no change of content", action)})
		return
	}
	doc, err := storedContents{w.store}.change(r.Context(), name, action)
	switch {
	case errors.Is(err, store.ErrNotFound):
		answer(rw, http.StatusNotFound, adminError{err.Error()})
	case errors.Is(err, store.ErrDiskFull):
		answer(rw, http.StatusInsufficientStorage, adminError{err.Error()})
	case err != nil:
		w.log.Warn("content was not changed", "action", action, "name", name.String(), "err", err)
		answer(rw, http.StatusInternalServerError, adminError{err.Error()})
	default:
		w.log.Info("changed content", "action", action, "name", name.String())
		answer(rw, http.StatusOK, doc)
	}
}
