// Package browser drives a headless Chromium through its DevTools protocol, for tests of pages. It speaks over two pipes, so that no
// port is open for others to drive it.
package browser

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

// ErrMissing reports that there is no Chromium on this machine.
var ErrMissing = errors.New("no chromium is installed (apt-get install chromium)")

// names of the program, and the variable that says where it is.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// Env names the variable with the path of the program.
const Env = "EDGE_CHROMIUM"

// maxMessage bounds a message of the browser in bytes: a screenshot of a long page.
const maxMessage = 64 << 20

// Find returns the program, or ErrMissing.
func Find() (string, error) {
	if path := os.Getenv(Env); path != "" {
		return path, nil
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrMissing
}

// Browser is a running Chromium.
type Browser struct {
	cmd *exec.Cmd
	in  *os.File
	out *os.File

	mu      sync.Mutex
	next    int
	answers map[int]chan message
	pages   map[string]*Page
	// ended is closed when the browser says nothing any more.
	ended chan struct{}
}

type message struct {
	ID        int             `json:"id,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    json.RawMessage `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// Start starts the program with a profile folder of its own, which must be empty.
func Start(program, profile string) (_ *Browser, err error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, theirIn.Close(), in.Close())
	}
	//nolint:noctx // Close ends it
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars",
		"--force-color-profile=srgb", "--remote-debugging-pipe", "--user-data-dir="+profile, "about:blank")
	// The browser reads from 3 and writes to 4.
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	cmd.Env = append(os.Environ(), "LANG=en_US.UTF-8", "HOME="+profile)
	err = cmd.Start()
	err = errors.Join(err, theirIn.Close(), theirOut.Close())
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	b := &Browser{cmd: cmd, in: in, out: out, answers: map[int]chan message{}, pages: map[string]*Page{}, ended: make(chan struct{})}
	go b.listen()
	return b, nil
}

// Close ends the browser.
func (b *Browser) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = b.call(ctx, "", "Browser.close", nil, nil) // it may end before it answers
	select {
	case <-b.ended:
	case <-ctx.Done():
		_ = b.cmd.Process.Kill()
		<-b.ended
	}
	_ = b.cmd.Wait() // how it ends is its own business
	return errors.Join(b.in.Close(), b.out.Close())
}

// listen takes what the browser says: answers, and events of pages.
func (b *Browser) listen() {
	defer close(b.ended)
	scanner := bufio.NewScanner(b.out)
	scanner.Buffer(nil, maxMessage)
	scanner.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		for i, c := range data {
			if c == 0 {
				return i + 1, data[:i], nil
			}
		}
		return 0, nil, nil
	})
	for scanner.Scan() {
		var m message
		if json.Unmarshal(scanner.Bytes(), &m) != nil {
			continue
		}
		b.mu.Lock()
		answer, page := b.answers[m.ID], b.pages[m.SessionID]
		delete(b.answers, m.ID)
		b.mu.Unlock()
		switch {
		case answer != nil:
			answer <- m
		case page != nil:
			page.event(m)
		}
	}
}

// call sends a command to a page, or to the browser if session is empty, and decodes the answer.
func (b *Browser) call(ctx context.Context, session, method string, params, into any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	if params == nil {
		raw = []byte("{}")
	}
	answer := make(chan message, 1)
	b.mu.Lock()
	b.next++
	m := message{ID: b.next, SessionID: session, Method: method, Params: raw}
	b.answers[m.ID] = answer
	out, err := json.Marshal(m)
	if err == nil {
		_, err = b.in.Write(append(out, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		}
		if into == nil {
			return nil
		}
		return json.Unmarshal(m.Result, into)
	case <-b.ended:
		return fmt.Errorf("%s: the browser has ended", method)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// Page is a tab.
type Page struct {
	b       *Browser
	session string

	mu     sync.Mutex
	errors []string
}

// Open opens a tab of a width and height in CSS pixels, in a dark or light scheme, and goes to an address.
func (b *Browser) Open(ctx context.Context, address string, width, height int, dark bool) (*Page, error) {
	var target struct{ TargetID string }
	if err := b.call(ctx, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &target); err != nil {
		return nil, err
	}
	var attached struct{ SessionID string }
	if err := b.call(ctx, "", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached); err != nil {
		return nil, err
	}
	p := &Page{b: b, session: attached.SessionID}
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	for _, c := range []struct {
		method string
		params any
	}{
		{"Runtime.enable", nil},
		{"Log.enable", nil},
		{"Page.enable", nil},
		{"Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}},
		{"Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}},
		{"Page.navigate", map[string]any{"url": address}},
	} {
		if err := p.call(ctx, c.method, c.params, nil); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Page) call(ctx context.Context, method string, params, into any) error {
	return p.b.call(ctx, p.session, method, params, into)
}

// event keeps what goes wrong on the page: exceptions, errors on its console, and what its policy or the network refuse.
func (p *Page) event(m message) {
	var text string
	switch m.Method {
	case "Runtime.exceptionThrown":
		text = string(m.Params)
	case "Runtime.consoleAPICalled":
		var e struct{ Type string }
		if json.Unmarshal(m.Params, &e) == nil && (e.Type == "error" || e.Type == "warning") {
			text = string(m.Params)
		}
	case "Log.entryAdded":
		var e struct {
			Entry struct{ Level, Text, URL string }
		}
		if json.Unmarshal(m.Params, &e) == nil && (e.Entry.Level == "error" || e.Entry.Level == "warning") {
			text = e.Entry.Text + " " + e.Entry.URL
		}
	}
	if text != "" {
		p.mu.Lock()
		p.errors = append(p.errors, text)
		p.mu.Unlock()
	}
}

// Errors returns what went wrong on the page so far.
func (p *Page) Errors() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.errors...)
}

// Eval evaluates an expression on the page, waits for it if it is a promise, and decodes its value.
func (p *Page) Eval(ctx context.Context, expression string, into any) error {
	var res struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	if err := p.call(ctx, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &res); err != nil {
		return err
	}
	if res.ExceptionDetails != nil {
		return fmt.Errorf("%s: %s", expression, res.ExceptionDetails)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(res.Result.Value, into)
}

// Wait evaluates an expression until it is true.
func (p *Page) Wait(ctx context.Context, expression string) error {
	for {
		var ok bool
		err := p.Eval(ctx, "Boolean("+expression+")", &ok)
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not true: %w", expression, errors.Join(ctx.Err(), err))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Screenshot returns a picture of the whole page as PNG.
func (p *Page) Screenshot(ctx context.Context) ([]byte, error) {
	var res struct{ Data string }
	if err := p.call(ctx, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &res); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(res.Data)
}

// Move moves the mouse to a place of the viewport.
func (p *Page) Move(ctx context.Context, x, y float64) error {
	return p.call(ctx, "Input.dispatchMouseEvent", map[string]any{"type": "mouseMoved", "x": x, "y": y}, nil)
}

// Close closes the tab.
func (p *Page) Close(ctx context.Context) error { return p.call(ctx, "Page.close", nil, nil) }
