package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/edgechain/edge/ack"
)

const (
	// maxHeaderBytes bounds the header of an answer.
	maxHeaderBytes = 32 << 10
	// maxAnswerBytes bounds the body of an answer that is no stream.
	maxAnswerBytes = 64 << 10
	// maxText bounds what is shown of a worker's text.
	maxText = 200
	// problemPrefix stands before the types of problems.
	problemPrefix = "https://edge.network/problems/"
	// maxRetryAfter bounds the pause that a worker can ask for at a time.
	maxRetryAfter = time.Minute

	authScheme  = "Edge-Session "
	acceptBao   = "application/vnd.edge.bao"
	typeAck     = "application/vnd.edge.ack"
	typeProblem = "application/problem+json"
)

// newHTTPClient returns a client of workers. Unless it may go to any address it uses no proxy: a proxy would resolve the
// name itself, and nothing here would see where that leads.
func newHTTPClient(cfg Config, anyAddress bool) *http.Client {
	transport := cfg.Transport
	if transport == nil {
		var proxy func(*http.Request) (*url.URL, error)
		if anyAddress {
			proxy = http.ProxyFromEnvironment
		}
		transport = &http.Transport{
			Proxy:                  proxy,
			DialContext:            dialer(anyAddress),
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  cfg.CallTimeout,
			ExpectContinueTimeout:  time.Second,
			IdleConnTimeout:        time.Minute,
			MaxIdleConns:           64,
			MaxIdleConnsPerHost:    ack.MaxLanes,
			MaxResponseHeaderBytes: maxHeaderBytes,
			DisableCompression:     true,
			ReadBufferSize:         64 << 10,
			ForceAttemptHTTP2:      true,
		}
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Problem is an error that a worker reports. All its text is the worker's, cut to one short line.
type Problem struct {
	Status int
	// Type is one of docs/protocol.md, section 6, without the prefix; empty if the worker did not say.
	Type   string
	Detail string
	// RetryAfter is the pause that the worker asks for, 0 if it does not.
	RetryAfter time.Duration
	// Size of the object in bytes as the worker says, beside range-not-satisfiable; -1 if it does not.
	Size int64
	// Refused are the indexes of refused acknowledgements and why.
	Refused map[int]string
	// Credit stands beside credit-exhausted.
	Credit *Credit
}

// Error implements error.
func (p *Problem) Error() string {
	var b strings.Builder
	if p.Type != "" {
		fmt.Fprintf(&b, "%s (%d)", p.Type, p.Status)
	} else {
		fmt.Fprintf(&b, "status %d", p.Status)
	}
	if p.Detail != "" && p.Type != "session-required" {
		// In quotes: it is the worker's word, and not this program's advice. What to do without a session, and at what
		// price, the chain says and not a worker.
		fmt.Fprintf(&b, ": %q", p.Detail)
	}
	return b.String()
}

type problemBody struct {
	Type              string  `json:"type"`
	Title             string  `json:"title"`
	Detail            string  `json:"detail"`
	RetryAfterSeconds float64 `json:"retry_after_seconds"`
	Results           []struct {
		Index  int    `json:"index"`
		Reason string `json:"reason"`
	} `json:"results"`
	Credit *Credit `json:"credit"`
}

// clean makes a worker's text fit to be shown on one line of a terminal: without control characters, and without format
// characters, which can turn a text around or hide a part of it.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > maxText {
		s = string(r[:maxText]) + "..."
	}
	return strings.TrimSpace(s)
}

// problem reads the error that an answer carries.
func problem(resp *http.Response) error {
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return fmt.Errorf("%w (status %d)", ErrRedirect, resp.StatusCode)
	}
	p := &Problem{Status: resp.StatusCode, Size: -1}
	if after, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 32); err == nil {
		p.RetryAfter = min(time.Duration(after)*time.Second, maxRetryAfter)
	}
	if size, ok := strings.CutPrefix(resp.Header.Get("Content-Range"), "bytes */"); ok {
		if n, err := strconv.ParseInt(size, 10, 64); err == nil && n >= 0 {
			p.Size = n
		}
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	if err != nil || len(b) > maxAnswerBytes || kind != typeProblem {
		return p
	}
	var body problemBody
	if json.Unmarshal(b, &body) != nil {
		return p
	}
	if t, ok := strings.CutPrefix(body.Type, problemPrefix); ok {
		p.Type = clean(t)
	}
	if p.Detail = clean(body.Detail); p.Detail == "" {
		p.Detail = clean(body.Title)
	}
	if p.RetryAfter == 0 {
		p.RetryAfter = seconds(body.RetryAfterSeconds, maxRetryAfter)
	}
	for _, r := range body.Results {
		if r.Reason != "" {
			if p.Refused == nil {
				p.Refused = make(map[int]string)
			}
			p.Refused[r.Index] = clean(r.Reason)
		}
	}
	p.Credit = body.Credit
	return p
}

// call makes a bounded exchange and decodes the JSON answer of the wanted status into out.
func (s *link) call(ctx context.Context, method, path, contentType string, body []byte, want int, out any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.client.cfg.CallTimeout, fmt.Errorf("no answer to %s %s in %s", method, path, s.client.cfg.CallTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWorkerURL, err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if token := s.token(); token != "" {
		req.Header.Set("Authorization", authScheme+token)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return transportError(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != want {
		return problem(resp)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	if err != nil {
		return transportError(ctx, err)
	}
	if len(b) > maxAnswerBytes {
		return fmt.Errorf("%w: the answer to %s %s is over %d bytes", ErrProtocol, method, path, maxAnswerBytes)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%w: the answer to %s %s is no JSON of its kind: %s", ErrProtocol, method, path, clean(err.Error()))
	}
	return nil
}

// transportError says why an exchange failed, without the request line that net/http repeats.
func transportError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	if errors.Is(err, ErrAddress) {
		return err
	}
	if strings.Contains(err.Error(), "server response headers exceeded") {
		return fmt.Errorf("%w: header of over %d bytes", ErrProtocol, maxHeaderBytes)
	}
	return errors.New(clean(err.Error()))
}
