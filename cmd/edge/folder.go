package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/gofrs/flock"
	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/fetch"
)

const (
	// partsFolder holds what is under way, within the folder that is fetched.
	partsFolder = ".edge-part"
	// maxFetches bounds the files that are fetched at a time. Each takes a lane of the sixteen that a key has with a worker.
	maxFetches = 8
	// maxListedFaults bounds the failures that are told one by one.
	maxListedFaults = 20
)

// maxFolderEntries bounds the files and folders of a whole tree, as edge put does: manifests that name each other's folders
// again and again would grow without end. A test lowers it.
var maxFolderEntries = 100_000

var (
	// errIncomplete is in the chain of the error of a folder of which something is missing.
	errIncomplete = errors.New("the folder is not complete")
	errOtherKind  = errors.New("is there and of another kind")
	errTooLarge   = errors.New("too many files and folders")
)

// folderFile is one object of a folder, and where it goes: the same bytes may stand at several places.
type folderFile struct {
	hash  content.Name
	size  uint64
	paths []string
}

// folderGet fetches a folder.
type folderGet struct {
	*getting
	dir string
	// root keeps all writing below dir, whatever links lie there.
	root  *os.Root
	lock  *flock.Flock
	folds bool
	show  *folderShow

	// folders are below dir, each behind the one that it lies in. files are by path.
	folders []string
	files   []*folderFile
	entries int

	mu sync.Mutex
	// faults are the paths that are missing, and why.
	faults map[string]error
}

// folder fetches all that is below a folder with these entries.
func (g *getting) folder(ctx context.Context, entries []content.Entry) (err error) {
	f := &folderGet{getting: g, dir: g.o.file, faults: make(map[string]error)}
	f.show = newFolderShow(g.show)
	g.end = func(err error) error { return f.show.end(f, err) }
	if err := f.open(); err != nil {
		return err
	}
	defer func() {
		if errors.Is(err, errTooLarge) {
			err = errors.Join(err, f.kept.forget())
		}
		err = errors.Join(err, f.close(err == nil))
	}()
	if err := f.walk(ctx, entries); err != nil {
		return err
	}
	if err := f.makeFolders(); err != nil {
		return err
	}
	if err := f.fetchAll(ctx); err != nil {
		return err
	}
	if n := len(f.faults); n > 0 {
		return fmt.Errorf("%w: %d of its files and folders are missing", errIncomplete, n)
	}
	return nil
}

// open makes the folder and the one for parts, and takes them for this process.
func (f *folderGet) open() (err error) {
	if info, err := os.Stat(f.dir); err == nil && !info.IsDir() {
		return usagef("%s is a file, and what is fetched is a folder: name another one with -o", f.dir)
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return err
	}
	if f.root, err = os.OpenRoot(f.dir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close(false))
		}
	}()
	if err := f.root.Mkdir(partsFolder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if info, err := f.root.Lstat(partsFolder); err != nil {
		return err
	} else if !info.IsDir() {
		return fmt.Errorf("%s: %w, and edge get needs it for what is under way", filepath.Join(f.dir, partsFolder), errOtherKind)
	}
	lock := flock.New(f.part("lock"), flock.SetPermissions(0o644), flock.SetFlag(os.O_CREATE|os.O_RDWR))
	ok, err := lock.TryLock()
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%s is being written by another edge get", f.dir)
	}
	f.lock = lock
	if err := f.kept.keepIn(f.root); err != nil {
		return err
	}
	f.folds, err = foldsNames(filepath.Join(f.dir, partsFolder))
	return err
}

// part is the path of something under way.
func (f *folderGet) part(name string) string { return filepath.Join(f.dir, partsFolder, name) }

// close lets the folder go. When it is whole, nothing of what was under way is left.
func (f *folderGet) close(whole bool) error {
	var err error
	if f.lock != nil {
		if whole {
			err = f.root.RemoveAll(partsFolder)
		} else {
			// Only if nothing is left to go on from.
			err = removeIfThere(f.part("lock"))
			_ = f.root.Remove(partsFolder)
		}
		err = errors.Join(err, f.lock.Unlock())
	}
	return errors.Join(err, f.root.Close())
}

// fail notes what is missing.
func (f *folderGet) fail(at string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[at] = err
}

// onlyThis reports whether an error concerns one object and says nothing about the next one.
func onlyThis(err error) bool {
	var all *fetch.WorkersError
	if errors.As(err, &all) {
		return !slices.ContainsFunc(all.Errors, func(err error) bool { return !onlyThis(err) })
	}
	var p *fetch.Problem
	if errors.As(err, &p) {
		return p.Status == http.StatusNotFound || p.Status == http.StatusGone
	}
	for _, e := range []error{content.ErrCorrupt, content.ErrSize, content.ErrManifest} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// level is a folder whose entries are to be looked at.
type level struct {
	path  string
	entry content.Entry
}

// walk reads the manifests, a depth at a time, and collects what has to be made. What cannot be is noted and left out.
func (f *folderGet) walk(ctx context.Context, entries []content.Entry) error {
	files := make(map[content.Name]*folderFile)
	known := map[content.Name][]content.Entry{{}: entries}
	at := []level{{}}
	for depth := 1; len(at) > 0; depth++ {
		if depth > 1 {
			if err := f.manifests(ctx, at, known); err != nil {
				return err
			}
		}
		var next []level
		for _, l := range at {
			list, ok := known[l.entry.Hash]
			if !ok {
				continue // noted
			}
			if f.entries += len(list); f.entries > maxFolderEntries {
				return fmt.Errorf("%w, want at most %d", errTooLarge, maxFolderEntries)
			}
			for _, e := range f.usable(l.path, list) {
				p := path.Join(l.path, e.Name)
				switch {
				case e.Kind == content.KindFolder && depth >= content.MaxFolderDepth:
					f.fail(p, fmt.Errorf("%w: deeper than %d folders", content.ErrManifest, content.MaxFolderDepth))
				case e.Kind == content.KindFolder:
					f.folders = append(f.folders, p)
					next = append(next, level{p, e})
				case e.Size > content.MaxSize:
					f.fail(p, fmt.Errorf("%w: %d bytes, an object has at most %d", content.ErrSize, e.Size, uint64(content.MaxSize)))
				default:
					f.want(files, e, p)
				}
			}
		}
		at = next
	}
	slices.SortFunc(f.files, func(a, b *folderFile) int { return strings.Compare(a.paths[0], b.paths[0]) })
	return nil
}

// want adds a file.
func (f *folderGet) want(files map[content.Name]*folderFile, e content.Entry, p string) {
	if have := files[e.Hash]; have != nil {
		if have.size == e.Size {
			have.paths = append(have.paths, p)
		} else {
			f.fail(p, fmt.Errorf("%w: the folder gives %d bytes here, and %d at %s", content.ErrSize, e.Size, have.size, have.paths[0]))
		}
		return
	}
	file := &folderFile{hash: e.Hash, size: e.Size, paths: []string{p}}
	files[e.Hash] = file
	f.files = append(f.files, file)
	f.show.expect(e.Size)
}

// usable leaves out the entries of a folder whose names cannot be written, and all of those that would be one file.
func (f *folderGet) usable(in string, list []content.Entry) []content.Entry {
	same := make(map[string]int, len(list))
	fold := func(name string) string {
		if f.folds {
			return foldName(name)
		}
		return name
	}
	for i := range list {
		same[fold(list[i].Name)]++
	}
	return slices.DeleteFunc(slices.Clone(list), func(e content.Entry) bool {
		why := unusable(e.Name, onWindows)
		switch {
		case why != "":
		case same[fold(e.Name)] > 1:
			why = "cannot be kept apart from another name in this folder on this file system"
		case in == "" && foldName(e.Name) == partsFolder:
			why = "is where edge get keeps what is under way"
		default:
			return false
		}
		f.fail(path.Join(in, e.Name), fmt.Errorf("%w: %q %s", content.ErrManifest, e.Name, why))
		return true
	})
}

// manifests fetches those of a depth, each once.
func (f *folderGet) manifests(ctx context.Context, at []level, known map[content.Name][]content.Entry) error {
	first := make(map[content.Name]level)
	for _, l := range at {
		if _, ok := known[l.entry.Hash]; !ok {
			if _, ok := first[l.entry.Hash]; !ok {
				first[l.entry.Hash] = l
			}
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(f.o.parallel)
	var mu sync.Mutex
	bad := make(map[content.Name]error)
	for hash, l := range first {
		g.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			entries, report, err := f.batch.Folder(ctx, fetch.Request{
				Name: hash, Size: &l.entry.Size, Workers: f.plan.workers, Manifests: f.kept, Progress: f.show.look,
			})
			f.sum.add(report)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				known[hash] = entries
			case onlyThis(err):
				bad[hash] = err
			default:
				return fmt.Errorf("folder %s: %w", shown(l.path), err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, l := range at {
		if err := bad[l.entry.Hash]; err != nil {
			f.fail(l.path, err)
		}
	}
	return nil
}

// makeFolders makes the folders. What lies in one that cannot be made is noted with it.
func (f *folderGet) makeFolders() error {
	for _, p := range f.folders {
		err := f.root.Mkdir(filepath.FromSlash(p), 0o755)
		if errors.Is(err, fs.ErrExist) {
			var info fs.FileInfo
			if info, err = f.root.Stat(filepath.FromSlash(p)); err == nil && !info.IsDir() {
				err = errOtherKind
			}
		}
		if err != nil {
			// The files in it will say so too.
			f.fail(p, err)
		}
	}
	return nil
}

// fetchAll brings all files to their places. It goes on after a failure that concerns one file.
func (f *folderGet) fetchAll(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(f.o.parallel)
	for _, file := range f.files {
		g.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			there, err := f.bring(ctx, file)
			if err != nil {
				return fmt.Errorf("%s: %w", shown(file.paths[0]), err)
			}
			f.show.file(file, there, f.firstFault(file))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return f.syncFolders()
}

// bring puts a file at its places. Those that have it already are left alone; it says how many had. What concerns
// this file only is noted; an error is one that ends it all.
func (f *folderGet) bring(ctx context.Context, file *folderFile) (there int, err error) {
	var missing []string
	have := ""
	for _, p := range file.paths {
		ok, err := f.has(ctx, p, file)
		switch {
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		case err != nil:
			f.fail(p, err)
		case ok:
			have = p
			there++
		default:
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return there, nil
	}
	if have != "" {
		err = f.copy(ctx, have, file.hash.String())
	} else {
		err = f.fetch(ctx, file)
	}
	if err != nil {
		for _, p := range missing {
			f.fail(p, err)
		}
		if onlyThis(err) {
			err = nil
		}
		return there, err
	}
	whole := file.hash.String()
	for i, p := range missing {
		from := whole
		if i < len(missing)-1 {
			from = whole + ".copy"
			if err := f.copy(ctx, path.Join(partsFolder, whole), from); err != nil {
				return there, err
			}
		}
		if err := f.place(from, p); err != nil {
			f.fail(p, err)
		}
	}
	return there, nil
}

// firstFault returns why one of the places of a file lacks it.
func (f *folderGet) firstFault(file *folderFile) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range file.paths {
		if err := f.faults[p]; err != nil {
			return err
		}
	}
	return nil
}

// has reports whether a file with the right bytes is at a path. It returns errOtherKind if a file cannot be put there.
func (f *folderGet) has(ctx context.Context, p string, file *folderFile) (bool, error) {
	info, err := f.root.Lstat(filepath.FromSlash(p))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case info.IsDir():
		return false, errOtherKind
	case !info.Mode().IsRegular() || uint64(info.Size()) != file.size:
		return false, nil
	}
	r, err := f.root.Open(filepath.FromSlash(p))
	if err != nil {
		return false, nil //nolint:nilerr // what cannot be read is replaced
	}
	h := blake3.New()
	if err := errors.Join(copyAll(ctx, h, r), r.Close()); err != nil {
		return false, err
	}
	return content.Name(h.Sum(nil)) == file.hash, nil
}

// fetch makes the file whole among the parts.
func (f *folderGet) fetch(ctx context.Context, file *folderFile) error {
	// A run that was killed may have left it whole.
	if ok, err := f.has(ctx, path.Join(partsFolder, file.hash.String()), file); ok || err != nil {
		return err
	}
	show := f.show.transfer()
	req := fetch.Request{Name: file.hash, Length: content.ToEnd, Workers: f.plan.workers, Progress: func(e fetch.Event) { show(0, e) }}
	if _, err := f.root.Lstat(filepath.Join(partsFolder, file.hash.String()+".part")); file.size <= smallFile && errors.Is(err, fs.ErrNotExist) {
		return f.fetchSmall(ctx, file, req)
	}
	t, err := f.target(file)
	if err != nil {
		return err
	}
	req.Progress = func(e fetch.Event) { show(t.kept, e) }
	report, err := t.fetch(ctx, f.batch, req)
	f.sum.add(report)
	return err
}

// target is what a file is fetched into among the parts.
func (f *folderGet) target(file *folderFile) (*target, error) {
	o := *f.o
	o.file = f.part(file.hash.String())
	return openTarget(f.cmd, &o, &content.Entry{Hash: file.hash, Size: file.size}, true, 0, content.ToEnd)
}

// smallFile is up to which size in bytes a file is fetched into memory. What makes large ones go on after a crash, a note beside
// them and its way to the disk, would take longer than the file.
const smallFile = 256 << 10

// fetchSmall is fetch for a small file of which nothing is there.
func (f *folderGet) fetchSmall(ctx context.Context, file *folderFile, req fetch.Request) error {
	var got bytes.Buffer
	req.Size, req.Out = &file.size, &got
	report, err := f.batch.Get(ctx, req)
	f.sum.add(report)
	switch {
	case err == nil:
		return f.writePart(file.hash.String(), func(w io.Writer) error {
			_, err := got.WriteTo(w)
			return err
		})
	case got.Len() == 0:
		return err
	}
	// What has verified is paid, and kept like that of a large file.
	t, openErr := f.target(file)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	_, writeErr := t.Write(got.Bytes())
	_, err = t.finish(report, errors.Join(err, writeErr))
	return errors.Join(err, t.close())
}

// writePart makes a part, durable.
func (f *folderGet) writePart(name string, write func(io.Writer) error) error {
	w, err := f.root.OpenFile(filepath.Join(partsFolder, name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	err = write(w)
	if err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}

// copy makes a part of a file of the folder, durable.
func (f *folderGet) copy(ctx context.Context, from, to string) (err error) {
	r, err := f.root.Open(filepath.FromSlash(from))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return f.writePart(to, func(w io.Writer) error { return copyAll(ctx, w, r) })
}

// place gives a whole part its name. Renaming replaces a file or a link, and does not follow it.
func (f *folderGet) place(part, p string) error {
	err := f.root.Rename(filepath.Join(partsFolder, part), filepath.FromSlash(p))
	if err != nil {
		return fmt.Errorf("name the file: %w", err)
	}
	return nil
}

// syncFolders makes the names durable.
func (f *folderGet) syncFolders() error {
	in := map[string]bool{".": true}
	for _, file := range f.files {
		for _, p := range file.paths {
			in[path.Dir(p)] = true
		}
	}
	for _, p := range f.folders {
		in[path.Dir(p)] = true
	}
	for _, p := range slices.Sorted(maps.Keys(in)) {
		d, err := f.root.Open(filepath.FromSlash(p))
		if errors.Is(err, fs.ErrNotExist) {
			continue // noted
		}
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return fmt.Errorf("name the files: %w", err)
		}
	}
	return nil
}

// copyAll copies until the end, unless the context ends before.
func copyAll(ctx context.Context, to io.Writer, from io.Reader) error {
	buf := make([]byte, 1<<20)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := from.Read(buf)
		if _, werr := to.Write(buf[:n]); werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// addBytes adds sizes that a folder claims, without running over.
func addBytes(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}
