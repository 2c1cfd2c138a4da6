package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/edgechain/edge/worker/config"
)

// errNotRunning reports that no worker listens on the admin address.
var errNotRunning = errors.New("the worker does not run")

// maxAdminAnswer bounds an answer of the running worker in bytes: a ledger of 100,000 accounts.
const maxAdminAnswer = 256 << 20

// adminClient asks the running worker.
type adminClient struct {
	base  string
	token string
	http  *http.Client
}

func (a *app) adminClient(c *config.Config) *adminClient {
	// The proxy of the environment has no business on loopback.
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext, ResponseHeaderTimeout: 5 * time.Minute}
	return &adminClient{base: "http://" + c.Gateway.AdminListen, http: &http.Client{Transport: transport}}
}

// get fetches a document. It returns errNotRunning if nobody listens.
func (c *adminClient) get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return c.do(ctx, http.MethodGet, path, http.NoBody, into)
}

// post sends bytes and decodes the answer.
func (c *adminClient) post(ctx context.Context, path string, body io.Reader, into any) error {
	return c.do(ctx, http.MethodPost, path, body, into)
}

func (c *adminClient) do(ctx context.Context, method, path string, body io.Reader, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	if c.token != "" {
		req.Header.Set(tokenHeader, c.token)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	res, err := c.http.Do(req)
	if err != nil {
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" {
			return fmt.Errorf("%w: %w", errNotRunning, err)
		}
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAdminAnswer))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		var failed adminError
		if json.Unmarshal(answer, &failed) == nil && failed.Error != "" {
			return errors.New(failed.Error)
		}
		return fmt.Errorf("the worker answers %s: %s", res.Status, bytes.TrimSpace(answer[:min(len(answer), 200)]))
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s%s is no edge-worker: %w", c.base, path, err)
	}
	return nil
}
