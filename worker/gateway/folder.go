package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/client/content"
)

const (
	indexFile   = "index.html"
	missingFile = "404.html"

	// manifestMemory bounds the decoded manifests that are kept, in bytes.
	manifestMemory = 16 << 20
	// manifestReads is how many manifests are read and decoded at a time, one of an address.
	manifestReads = 4
	// FolderMemory is what folders take of memory at most, in bytes: manifests that are kept, and those that are being decoded, each
	// with its entries beside its bytes.
	FolderMemory = manifestMemory + manifestReads*(2*content.MaxManifestSize+content.MaxManifestEntries*entryMemory)
	// entryMemory is what an entry takes beside its strings, in bytes.
	entryMemory = 96
)

// siteSandboxed lets the pages of folders run scripts. All folders share the worker's origin, so pages get an opaque one of their
// own: without allow-same-origin they see no cookies, storage, service workers or frames of each other.
var siteSandboxed = []string{"sandbox allow-scripts allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-downloads"}

// target is what an answer shows: an object, and as what.
type target struct {
	name content.Name
	// mediaType and policy are header lines, those of content without a type if nil.
	mediaType, policy []string
	// status replaces 200 if it is not 0. Such an answer is whole and unconditional.
	status int
}

// folders are the decoded manifests that were asked for last.
type folders struct {
	mu    sync.Mutex
	lru   *simplelru.LRU[content.Name, *folder]
	bytes int
	reads chan struct{}
}

type folder struct {
	entries []content.Entry
	bytes   int
}

func newFolders() (*folders, error) {
	// The bytes are the bound; no manifest takes fewer than entryMemory.
	lru, err := simplelru.NewLRU[content.Name, *folder](manifestMemory/entryMemory, nil)
	return &folders{lru: lru, reads: make(chan struct{}, manifestReads)}, err
}

func (f *folders) get(name content.Name) *folder {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, _ := f.lru.Get(name)
	return d
}

func (f *folders) put(name content.Name, d *folder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lru.Contains(name) {
		return
	}
	for f.bytes+d.bytes > manifestMemory || f.lru.Len() >= manifestMemory/entryMemory {
		_, old, ok := f.lru.RemoveOldest()
		if !ok {
			break
		}
		f.bytes -= old.bytes
	}
	f.lru.Add(name, d)
	f.bytes += d.bytes
}

// errNoFolder says that content is no manifest.
var errNoFolder = errors.New("not a folder")

// openFolder returns the entries of a folder. The manifest is opened also if it is kept, so that what was removed from the store is
// served no longer and what is used stays.
func (s *Server) openFolder(r *http.Request, name content.Name) (_ *folder, err error) {
	object, err := s.openOrFill(r, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	if d := s.folders.get(name); d != nil {
		return d, nil
	}
	if object.Size > content.MaxManifestSize {
		return nil, errNoFolder
	}
	magic := make([]byte, len(content.ManifestMagic))
	if _, err := io.ReadFull(object.Data(), magic); err != nil || !content.IsManifest(magic) {
		return nil, errNoFolder
	}
	done, err := s.quota.reads.take(r.Context(), s.originOf(r, peerOf(r.Context())).address)
	if err != nil {
		return nil, err
	}
	defer done()
	if d := s.folders.get(name); d != nil {
		return d, nil
	}
	if err := s.takeManifest(r, object.Size); err != nil {
		return nil, err
	}
	select {
	case s.folders.reads <- struct{}{}:
		defer func() { <-s.folders.reads }()
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
	b := make([]byte, object.Size)
	if _, err := io.ReadFull(object.Data(), b); err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", name, err)
	}
	if got := content.Name(blake3.Sum256(b)); got != name {
		return nil, object.Damaged(fmt.Errorf("manifest hashes to %s", got))
	}
	entries, err := content.DecodeManifest(b)
	if err != nil {
		return nil, errNoFolder
	}
	d := &folder{entries: entries, bytes: len(b) + entryMemory*(len(entries)+1)}
	s.folders.put(name, d)
	return d, nil
}

// takeManifest takes the bytes of a manifest that has to be read from what the client gets free. Within a session it takes them
// from what its address has aside, because no client acknowledges what a worker read to find a path.
func (s *Server) takeManifest(r *http.Request, size uint64) error {
	client, err := s.sessionOf(r)
	if err != nil {
		return err
	}
	if client != nil {
		if err := s.inCredit(r.Context(), client); err != nil {
			return err
		}
		return s.takeAside(r, size)
	}
	m, err := s.takeFree(r, size)
	if err == nil {
		m.finish()
	}
	return err
}

// serveFolder answers GET and HEAD /b3/{root}/{path} (docs/protocol.md, section 14). Files are served like objects of their own;
// manifests of the path that are not in memory count against the free quota.
func (s *Server) serveFolder(w http.ResponseWriter, r *http.Request, root content.Name, path string) error {
	if r.Header.Get("Service-Worker") != "" {
		return newProblem(badRequest, "folders share an origin, so they register no service workers")
	}
	top, err := s.openFolder(r, root)
	if errors.Is(err, errNoFolder) {
		return newProblem(notFound, "%s is not a folder", root)
	}
	if err != nil {
		return err
	}
	at := top
	parts := strings.Split(path, "/")
	if len(parts) > content.MaxFolderDepth {
		return newProblem(notFound, "%d folders deep, want at most %d", len(parts), content.MaxFolderDepth)
	}
	for _, part := range parts[:len(parts)-1] {
		e := content.FindEntry(at.entries, part)
		if e == nil || e.Kind != content.KindFolder {
			return s.serveMissing(w, r, top)
		}
		if at, err = s.openFolder(r, e.Hash); errors.Is(err, errNoFolder) {
			// The folder above says what is not so.
			return newProblem(notFound, "%q is not a folder", part)
		} else if err != nil {
			return err
		}
	}
	last := parts[len(parts)-1]
	if last == "" {
		if e := content.FindEntry(at.entries, indexFile); e != nil && e.Kind == content.KindFile {
			return s.serveObject(w, r, fileTarget(e))
		}
		vary(w.Header(), varyPlain)
		if wantsJSON(r) {
			return s.serveList(w, r, at)
		}
		return s.serveMissing(w, r, top)
	}
	e := content.FindEntry(at.entries, last)
	switch {
	case e == nil:
		return s.serveMissing(w, r, top)
	case e.Kind == content.KindFolder:
		// The dot keeps a colon in the name from being read as a scheme.
		to := "./" + url.PathEscape(last) + "/"
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		h := w.Header()
		h.Set("Location", to)
		h["Cache-Control"] = cachePublic
		h.Set("Content-Length", "0")
		s.extend(http.NewResponseController(w))
		w.WriteHeader(http.StatusPermanentRedirect)
		return nil
	}
	return s.serveObject(w, r, fileTarget(e))
}

func fileTarget(e *content.Entry) target {
	return target{name: e.Hash, mediaType: []string{e.MediaType}, policy: siteSandboxed}
}

// serveMissing answers with the root's 404.html, and else with a problem. A client that wants the verified form wants no page.
func (s *Server) serveMissing(w http.ResponseWriter, r *http.Request, top *folder) error {
	bao, err := wantsBao(r)
	if err != nil {
		return err
	}
	if e := content.FindEntry(top.entries, missingFile); e != nil && e.Kind == content.KindFile && !bao {
		t := fileTarget(e)
		t.status = http.StatusNotFound
		return s.serveObject(w, r, t)
	}
	return newProblem(notFound, "the folder has no such path")
}

// wantsJSON reports whether the Accept header names JSON.
func wantsJSON(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			mediaType, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(mediaType), "application/json") {
				return true
			}
		}
	}
	return false
}

// maxListed bounds the entries of a list.
const maxListed = 1000

// serveList answers with the first entries of a folder; the manifest has them all. It counts against the free quota.
func (s *Server) serveList(w http.ResponseWriter, r *http.Request, at *folder) error {
	doc := struct {
		Entries []content.Entry `json:"entries"`
		Total   int             `json:"total"`
	}{at.entries[:min(len(at.entries), maxListed)], len(at.entries)}
	if r.Method != http.MethodHead {
		m, err := s.takeFree(r, uint64(min(at.bytes, maxListed*(content.MaxEntryName+entryMemory))))
		if err != nil {
			return err
		}
		m.finish()
	}
	s.extend(http.NewResponseController(w))
	return writeJSON(w, r, http.StatusOK, "application/json", doc)
}
