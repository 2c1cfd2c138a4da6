package gateway

import (
	"errors"
	"fmt"
	"math/big"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/session"
)

const (
	baoType   = "application/vnd.edge.bao"
	plainType = "application/octet-stream"

	// immutable: what stands under a hash never changes. An answer within a session names the session's sequence number and
	// is for one client only.
	immutable        = "public, max-age=31536000, immutable"
	immutablePrivate = "private, max-age=31536000, immutable"
)

// serveContent answers GET and HEAD /b3/{name} (docs/protocol.md, section 3) in this order:
//
//  1. acknowledgements of the Edge-Ack header are stored, whatever becomes of the request,
//  2. the name, the form and the session are read,
//  3. If-Match and If-None-Match are answered with 412 and 304, which bill nothing,
//  4. the range is settled, and the payload of the groups that carry it,
//  5. HEAD ends here: it bills nothing and needs no session,
//  6. payload is taken from the session's credit or the address' free quota, else 402,
//  7. the answer is written in steps. From its first byte on, a failure resets the connection.
func (s *Server) serveContent(w http.ResponseWriter, r *http.Request) error {
	if err := s.storeAckHeader(r); err != nil {
		return err
	}
	text, path, inFolder := strings.Cut(strings.TrimPrefix(r.URL.Path, contentPrefix), "/")
	name, err := content.ParseName(text)
	if err != nil {
		return err
	}
	if inFolder {
		return s.serveFolder(w, r, name, path)
	}
	return s.serveObject(w, r, target{name: name})
}

// serveObject does what follows the name: steps 2 to 7 of serveContent.
func (s *Server) serveObject(w http.ResponseWriter, r *http.Request, t target) (err error) {
	name := t.name
	bao, err := wantsBao(r)
	if err != nil {
		return err
	}
	client, err := s.sessionOf(r)
	if err != nil {
		return err
	}
	object, err := s.openOrFill(r, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, object.Close()) }()

	h := w.Header()
	fixed := linesOf(object)
	tagLine := fixed.plainTag
	if bao {
		tagLine = fixed.baoTag
	}
	h["Etag"] = tagLine
	tag := tagLine[0]
	if bao {
		// The slice of a range is another answer under the same address, with status 200: a cache must not mix them up.
		vary(h, varyBao)
	} else {
		vary(h, varyPlain)
	}
	h["Cache-Control"] = cachePublic
	if client != nil {
		h["Cache-Control"] = cachePrivate
	}
	if t.status == 0 {
		switch heldBack(r.Header.Values("If-Match"), r.Header.Values("If-None-Match"), tag) {
		case http.StatusPreconditionFailed:
			return newProblem(preconditionFailed, "the content is %s", tag)
		case http.StatusNotModified:
			s.extend(http.NewResponseController(w))
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	rng := span{length: object.Size}
	if t.status == 0 {
		var bad *problem
		if rng, bad = spanOf(r, object.Size, tag); bad != nil {
			return bad
		}
	}
	payload := ack.ContentBytes(object.Size, rng.offset, rng.length)
	h["Edge-Payload-Bytes"] = fixed.number(payload)
	answer := answer{object: object, span: rng, bao: bao, payload: payload}
	status := http.StatusOK
	if t.status != 0 {
		status = t.status
	}
	h["Accept-Ranges"] = rangesBytes
	if bao {
		h["Content-Type"] = typeBao
		h["Content-Length"] = []string{strconv.FormatUint(content.SliceSize(object.Size, rng.offset, rng.length), 10)}
		if rng.partial {
			h.Set("Edge-Range", rng.contentRange(object.Size))
		}
	} else {
		h["Content-Type"] = typePlain
		// Foreign content must not run as a page of the worker's own origin.
		h["Content-Security-Policy"] = sandboxed
		if t.mediaType != nil {
			h["Content-Type"], h["Content-Security-Policy"] = t.mediaType, t.policy
		}
		h["Content-Length"] = fixed.number(rng.length)
		if rng.partial {
			status = http.StatusPartialContent
			h.Set("Content-Range", rng.contentRange(object.Size))
		}
	}
	if r.Method == http.MethodHead {
		s.extend(http.NewResponseController(w))
		w.WriteHeader(status)
		return nil
	}
	var m meter
	if client == nil {
		m, err = s.takeFree(r, payload)
	} else {
		m, err = s.takePaid(w, r, client, fixed.about(rng, payload))
	}
	if err != nil {
		return err
	}
	return s.stream(w, r, status, answer, m)
}

// wantsBao settles the form: ?format=bao or plain decides, else an Accept header that names the Bao type.
func wantsBao(r *http.Request) (bool, error) {
	if r.URL.RawQuery != "" {
		switch format := r.URL.Query().Get("format"); format {
		case "":
		case "bao":
			return true, nil
		case "plain":
			return false, nil
		default:
			return false, newProblem(badRequest, "format %q is unknown, want bao or plain", format)
		}
	}
	for _, line := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			if !strings.Contains(part, baoType) {
				continue
			}
			mediaType, params, err := mime.ParseMediaType(part)
			if err != nil {
				return false, newProblem(badRequest, "accept %q does not parse", part)
			}
			q, err := strconv.ParseFloat(params["q"], 64)
			if mediaType == baoType && (params["q"] == "" || err == nil && q > 0) {
				return true, nil
			}
		}
	}
	return false, nil
}

// takeFree takes payload from the free quota of the client's address, or asks for a session.
func (s *Server) takeFree(r *http.Request, payload uint64) (meter, error) {
	from := s.originOf(r, peerOf(r.Context())).address
	wait, ok := s.quota.take(from, payload, s.now())
	if ok {
		return &freeMeter{s: s, from: from, left: payload}, nil
	}
	denom := "uusd"
	info, unseen := s.info()
	if unseen == nil {
		denom = info.SettlementDenom
	}
	p := newProblem(sessionRequired, "%d bytes are not left of the %d that an address gets in %s, or of what all addresses get together", payload, s.cfg.FreeQuotaBytes, s.cfg.FreeQuotaWindow).
		with("how", howToPay(denom)).
		with("retry_after_seconds", int64(max(1, wait.Seconds()))).
		set("Retry-After", seconds(wait))
	// A worker that has never seen the chain cannot name a price, and would not take money either.
	if unseen == nil {
		p = p.with("price_per_gib", info.Prices.PerGiB.String()).with("settlement_denom", info.SettlementDenom)
	}
	return nil, p
}

// howToPay returns the commands after which a client can pay.
func howToPay(denom string) string {
	return "edge account open --deposit AMOUNT" + denom + " --from NAME && edge account add-key --from NAME"
}

// takePaid begins a request of a session and announces its number.
func (s *Server) takePaid(w http.ResponseWriter, r *http.Request, client Session, about session.Meta) (meter, error) {
	request, err := client.Begin(r.Context(), about)
	if err != nil {
		return nil, withCredit(err, client)
	}
	h := w.Header()
	h.Set("Edge-Sequence", strconv.FormatUint(request.Sequence(), 10))
	h.Set("Edge-Epoch", strconv.FormatUint(request.Epoch(), 10))
	return &paidMeter{s: s, client: client, request: request, most: s.share(client, about.Bytes, max(straightStep, uint64(s.cfg.StepBytes)))}, nil
}

// metaOf is what the receipt of an answer commits to.
func metaOf(name content.Name, rng span, payload uint64) session.Meta {
	return session.Meta{
		RequestDigest:  ack.ContentRequestDigest(name.Digest(), rng.offset, rng.length),
		ResponseDigest: name.Digest(),
		Bytes:          payload,
	}
}

// paidStep returns how much payload of a paid answer or upload goes in one step of at most Config.StepBytes, in bytes.
func (s *Server) paidStep(client Session, payload uint64) uint64 {
	return s.share(client, payload, uint64(s.cfg.StepBytes))
}

// sharer is implemented by sessions that know what one step may need without computing the account's credit anew.
type sharer interface {
	Share() (uint64, error)
}

// share returns how much payload one step may have, in bytes, but no more than most: an eighth of what the account's whole
// credit buys, a group at least. A client acknowledges every quarter of its limit, so a step must not need more than the
// rest. An answer of one group goes in one step anyway.
func (s *Server) share(client Session, payload, most uint64) uint64 {
	if payload <= content.GroupSize {
		return content.GroupSize
	}
	if of, ok := client.(boundedSession); ok {
		client = of.Session
	}
	if known, ok := client.(sharer); ok {
		share, err := known.Share()
		if err != nil {
			return content.GroupSize
		}
		return max(min(most, share)/content.GroupSize, 1) * content.GroupSize
	}
	most = min(most, uint64(s.cfg.StepBytes))
	credit, err := client.Credit()
	if err != nil {
		return content.GroupSize
	}
	info, err := s.info()
	if err != nil {
		return content.GroupSize
	}
	if info.Prices.PerGiB.Sign() <= 0 {
		return most
	}
	eighth := new(big.Int).Lsh(credit.Limit, 30-3)
	if eighth.Quo(eighth, info.Prices.PerGiB); eighth.IsUint64() {
		most = min(most, eighth.Uint64())
	}
	return max(most/content.GroupSize, 1) * content.GroupSize
}

// withCredit puts the account's credit beside a problem that is about it.
func withCredit(err error, client Session) error {
	p := problemOf(err)
	if p.kind != creditExhausted && p.kind != accountEmpty || p.members["credit"] != nil {
		return err
	}
	credit, cerr := client.Credit()
	if cerr != nil {
		return fmt.Errorf("%w (%w)", err, cerr)
	}
	return p.with("credit", creditJSON(credit))
}
