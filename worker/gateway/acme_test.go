package gateway_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/acme"

	"github.com/edgechain/edge/worker/gateway"
)

// authority is a small ACME server (RFC 8555): one account, orders of one name, one kind of challenge, which it checks
// itself against the worker before it issues. It does not check who signs the requests.
type authority struct {
	*httptest.Server
	t    *testing.T
	kind string
	// worker is asked for the proof: what dial connects to.
	dial func(ctx context.Context) (net.Conn, error)

	key  *ecdsa.PrivateKey
	root *x509.Certificate

	mu         sync.Mutex
	thumbprint string
	valid      bool
	chain      []byte
	issued     int
	fault      string
}

const challengeToken = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"

func newAuthority(t *testing.T, kind string) *authority {
	t.Helper()
	a := &authority{t: t, kind: kind}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour * 1000),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	require.NoError(t, err)
	a.root, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *authority) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Replay-Nonce", "nonce")
	at := func(path string) string { return a.URL + path }
	answer := func(status int, doc any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(doc)
	}
	var jws struct{ Protected, Payload string }
	if r.Method == http.MethodPost {
		_ = json.NewDecoder(r.Body).Decode(&jws)
	}
	payload, _ := base64.RawURLEncoding.DecodeString(jws.Payload)
	order := func() map[string]any {
		doc := map[string]any{"status": "pending", "authorizations": []string{at("/authz")}, "finalize": at("/finalize"), "identifiers": []any{map[string]string{"type": "dns", "value": "worker.example"}}}
		if a.valid {
			doc["status"] = "ready"
		}
		if a.chain != nil {
			doc["status"], doc["certificate"] = "valid", at("/cert")
		}
		return doc
	}
	challenge := func() map[string]any {
		doc := map[string]any{"type": a.kind, "url": at("/challenge"), "token": challengeToken, "status": "pending"}
		if a.valid {
			doc["status"] = "valid"
		}
		return doc
	}
	switch r.URL.Path {
	case "/directory":
		answer(200, map[string]string{"newNonce": at("/nonce"), "newAccount": at("/account"), "newOrder": at("/order"), "revokeCert": at("/revoke"), "keyChange": at("/key")})
	case "/nonce":
	case "/account":
		protected, _ := base64.RawURLEncoding.DecodeString(jws.Protected)
		var header struct {
			JWK struct{ Crv, Kty, X, Y string }
		}
		_ = json.Unmarshal(protected, &header)
		sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"%s","kty":"%s","x":"%s","y":"%s"}`, header.JWK.Crv, header.JWK.Kty, header.JWK.X, header.JWK.Y))
		a.thumbprint = base64.RawURLEncoding.EncodeToString(sum[:])
		w.Header().Set("Location", at("/account/1"))
		answer(201, map[string]string{"status": "valid"})
	case "/order":
		w.Header().Set("Location", at("/order/1"))
		answer(201, order())
	case "/order/1":
		answer(200, order())
	case "/authz":
		status := "pending"
		if a.valid {
			status = "valid"
		}
		answer(200, map[string]any{"status": status, "identifier": map[string]string{"type": "dns", "value": "worker.example"}, "challenges": []any{challenge()}})
	case "/challenge":
		if err := a.check(r.Context()); err != nil {
			a.fault = err.Error()
		} else {
			a.valid = true
		}
		answer(200, challenge())
	case "/finalize":
		var doc struct{ CSR string }
		_ = json.Unmarshal(payload, &doc)
		if err := a.issue(doc.CSR); err != nil {
			a.fault = err.Error()
		}
		w.Header().Set("Location", at("/order/1"))
		answer(200, order())
	case "/cert":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		_, _ = w.Write(a.chain)
	default:
		answer(404, map[string]string{"type": "urn:ietf:params:acme:error:malformed", "detail": r.URL.Path})
	}
}

// check looks for the proof that the worker has the name.
func (a *authority) check(ctx context.Context) error {
	want := challengeToken + "." + a.thumbprint
	if a.kind == "http-01" {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return a.dial(ctx) }}}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://worker.example/.well-known/acme-challenge/"+challengeToken, nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		if b, err := io.ReadAll(answer.Body); err != nil || string(b) != want {
			return fmt.Errorf("HTTP-01 answers %q, %w", b, err)
		}
		return nil
	}
	raw, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }()
	conn := tls.Client(raw, &tls.Config{ServerName: "worker.example", NextProtos: []string{acme.ALPNProto}, InsecureSkipVerify: true})
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(want))
	for _, extension := range conn.ConnectionState().PeerCertificates[0].Extensions {
		if extension.Id.String() == "1.3.6.1.5.5.7.1.31" && strings.HasSuffix(string(extension.Value), string(sum[:])) {
			return nil
		}
	}
	return fmt.Errorf("no proof in the certificate")
}

func (a *authority) issue(encoded string) error {
	der, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return err
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return err
	}
	if err := csr.CheckSignature(); err != nil || !a.valid {
		return fmt.Errorf("not authorised: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), DNSNames: csr.DNSNames, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leaf, err := x509.CreateCertificate(rand.Reader, template, a.root, csr.PublicKey.(crypto.PublicKey), a.key)
	if err != nil {
		return err
	}
	a.chain = append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})...)
	a.issued++
	return nil
}

func (a *authority) faults() (int, string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.issued, a.fault
}

// TestACME gets a certificate from an authority, which checks the domain by each kind of challenge, and keeps it.
func TestACME(t *testing.T) {
	for _, kind := range []string{"tls-alpn-01", "http-01"} {
		t.Run(kind, func(t *testing.T) {
			a := newAuthority(t, kind)
			cache := t.TempDir()
			begin := func() *bench {
				return newBench(t, func(c *gateway.Config, _ *gateway.Deps) {
					c.ACMEDomains, c.ACMEDirectory, c.ACMECache, c.ACMEEmail = []string{"worker.example"}, a.URL+"/directory", cache, "a@b.example"
					if kind == "http-01" {
						c.ACMEListen = "127.0.0.1:0"
					}
				})
			}
			b := begin()
			a.dial = func(ctx context.Context) (net.Conn, error) {
				addr := b.Addr()
				if kind == "http-01" {
					addr = b.ACMEAddr().String()
				}
				return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			}
			b.start(t)
			roots := x509.NewCertPool()
			roots.AddCert(a.root)
			get := func(b *bench, name string) error {
				conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: name}}).DialContext(t.Context(), "tcp", b.Addr())
				if err != nil {
					return err
				}
				return conn.Close()
			}
			require.Eventually(t, func() bool {
				issued, fault := a.faults()
				require.Empty(t, fault)
				return issued == 1 && get(b, "worker.example") == nil
			}, patience, 10*tick)
			require.Greater(t, b.metric(t, "edge_gateway_certificate_expiry_timestamp_seconds"), float64(time.Now().Unix()))
			if kind == "http-01" {
				taken := newBench(t, func(c *gateway.Config, _ *gateway.Deps) {
					c.ACMEDomains, c.ACMEDirectory, c.ACMECache, c.ACMEListen = []string{"worker.example"}, a.URL+"/directory", cache, b.ACMEAddr().String()
				})
				require.ErrorContains(t, taken.Start(t.Context()), "listen for ACME")
			}
			// A stranger's name orders nothing.
			require.Error(t, get(b, "evil.example"))
			// The next start has it from disk, before anything is asked for.
			next := begin()
			next.start(t)
			require.Eventually(t, func() bool { return get(next, "worker.example") == nil }, patience, 10*tick)
			issued, fault := a.faults()
			require.Equal(t, 1, issued)
			require.Empty(t, fault)
		})
	}
}
