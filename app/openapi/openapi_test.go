package openapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	dbm "github.com/cosmos/cosmos-db"
	gogoproto "github.com/cosmos/gogoproto/proto"
	"github.com/gorilla/mux"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/server/api"
	"github.com/cosmos/cosmos-sdk/server/config"

	"github.com/edgechain/edge/app"
	"github.com/edgechain/edge/app/openapi"
)

type noOptions struct{}

func (noOptions) Get(string) any { return nil }

func get(h http.Handler, method, path string, header ...string) *http.Response {
	req := httptest.NewRequest(method, path, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec.Result()
}

func TestServe(t *testing.T) {
	r := mux.NewRouter()
	openapi.Register(r)
	for path, contentType := range map[string]string{"/openapi.json": "application/json", "/openapi": "text/html; charset=utf-8"} {
		res := get(r, http.MethodGet, path)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, contentType, res.Header.Get("Content-Type"))
		require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
		etag := res.Header.Get("ETag")
		require.NotEmpty(t, etag)
		require.Equal(t, http.StatusNotModified, get(r, http.MethodGet, path, "If-None-Match", etag).StatusCode)
		require.Equal(t, res.ContentLength, get(r, http.MethodHead, path).ContentLength)
		require.Equal(t, http.StatusMethodNotAllowed, get(r, http.MethodPost, path).StatusCode)
	}
}

// TestPageLoadsNothing keeps the page readable where there is no way out of the machine.
func TestPageLoadsNothing(t *testing.T) {
	r := mux.NewRouter()
	openapi.Register(r)
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/openapi", http.NoBody))
	require.NotRegexp(t, `<script|<link|<img|<iframe|@import|url\(|src=`, rec.Body.String())
	for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(rec.Body.String(), -1) {
		require.Regexp(t, `^[#/]`, m[1])
	}
}

// TestRoutes compares the document with what the application serves, in both directions: every route of a schema that the
// program knows stands in the document if and only if the REST server has it.
func TestRoutes(t *testing.T) {
	a := app.New(log.NewNopLogger(), dbm.NewMemDB(), true, noOptions{})
	clientCtx := client.Context{}.WithCodec(a.AppCodec()).WithInterfaceRegistry(a.InterfaceRegistry())
	server := api.New(clientCtx, log.NewNopLogger(), nil)
	a.RegisterAPIRoutes(server, config.APIConfig{})

	// A route that the server has fails for want of a node, but not with one of the gateway's two ways to say no.
	served := func(method, path string) bool {
		rec := httptest.NewRecorder()
		req := httptest.NewRequest(method, regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "1"), strings.NewReader("{}"))
		server.GRPCGatewayRouter.ServeHTTP(rec, req)
		return rec.Code != http.StatusNotFound && rec.Code != http.StatusNotImplemented && rec.Code != http.StatusMethodNotAllowed
	}
	require.False(t, served(http.MethodGet, "/edge/nothing"))

	rec := httptest.NewRecorder()
	server.Router.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/openapi.json", http.NoBody))
	require.Equal(t, http.StatusOK, rec.Code, "the REST server hands out the document")
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Tags        []string
		}
	}
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &doc))

	// The document writes {denom=**} as {denom}.
	pattern := regexp.MustCompile(`\{([^}=]*)=[^}]*\}`)
	files, err := gogoproto.MergedRegistry()
	require.NoError(t, err)
	known, ours := map[string]bool{}, 0
	files.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			if name := string(s.FullName()); !strings.HasPrefix(name, "edge.") && !strings.HasPrefix(name, "cosmos.") {
				continue // linked by something else
			}
			for j := range s.Methods().Len() {
				m := s.Methods().Get(j)
				if !proto.HasExtension(m.Options(), annotations.E_Http) {
					continue
				}
				rule, ok := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
				require.True(t, ok)
				for _, r := range append([]*annotations.HttpRule{rule}, rule.AdditionalBindings...) {
					method, path := "get", r.GetGet()
					if path == "" {
						method, path = "post", r.GetPost()
					}
					path = pattern.ReplaceAllString(path, "{$1}")
					documented, has := doc.Paths[path][method]
					require.Equal(t, served(strings.ToUpper(method), path), has, "%s %s of %s", method, path, m.FullName())
					if !has {
						continue
					}
					known[method+" "+path] = true
					require.Equal(t, []string{string(s.FullName())}, documented.Tags)
					if strings.HasPrefix(string(s.FullName()), "edge.") {
						ours++
					}
				}
			}
		}
		return true
	})
	require.Greater(t, ours, 40, "the routes of our modules were looked at")
	ids := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			require.True(t, known[method+" "+path], "%s %s stands in the document alone", method, path)
			require.False(t, ids[o.OperationID], "%s stands twice", o.OperationID)
			ids[o.OperationID] = true
		}
	}
}
