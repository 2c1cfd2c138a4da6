package fetch

import (
	"context"
	"encoding/hex"
	"errors"
	"math/big"
	"net/http"
	"slices"
	"sync"

	"github.com/edgechain/edge/ack"
)

// errClosed reports a batch that is over.
var errClosed = errors.New("batch is closed")

// Batch makes many transfers over few sessions. A transfer goes on with a session that an earlier one has left, on its lane; no
// more of them are open with a worker than transfers have run at a time. What arrives is acknowledged beside the transfers, and
// the rest of it by Close. It is safe for concurrent use.
type Batch struct {
	client *Client

	mu sync.Mutex
	// open are all links, and idle those that no transfer uses, by the worker that was asked for, the last used last.
	open   map[*link]struct{}
	idle   map[Worker][]*link
	closed bool
	// ledger is what workers hold acknowledgements of, and failed are links that could not deliver all when they were closed.
	ledger ledger
	failed []*link
	// prices of the epochs that were asked for. They do not change.
	prices map[uint64]ack.Prices
}

// Batch begins a batch. The caller has to close it.
func (c *Client) Batch() *Batch {
	return &Batch{client: c, open: make(map[*link]struct{}), idle: make(map[Worker][]*link), prices: make(map[uint64]ack.Prices)}
}

// Payment is what was acknowledged, and its price.
type Payment struct {
	// AcknowledgedBytes is the payload that workers hold new acknowledgements of, in bytes.
	AcknowledgedBytes uint64 `json:"acknowledged_bytes"`
	// Price of that, in units of the settlement coin; empty if the chain did not tell its prices.
	Price string `json:"price,omitempty"`
	// Acknowledged are the newest acknowledgements by lane and epoch.
	Acknowledged []Acknowledged `json:"acknowledged,omitempty"`
	// Unacknowledged is verified payload whose acknowledgement could not be delivered, in bytes. The next transfer with
	// the worker delivers it. AckError says why.
	Unacknowledged uint64 `json:"unacknowledged_bytes,omitempty"`
	AckError       string `json:"acknowledge_error,omitempty"`
}

// Get is Client.Get within the batch. The Payment of the report stays empty: Close tells it.
func (b *Batch) Get(ctx context.Context, req Request) (Report, error) {
	t := b.transfer(req)
	err := t.run(ctx)
	return t.finish(), err
}

// Put is Client.Put within the batch. What an upload has sent is acknowledged before Put returns, and the Payment of the report is
// that of its own lanes, whatever else the batch transfers meanwhile.
func (b *Batch) Put(ctx context.Context, req PutRequest) (PutReport, error) {
	t, report, err := b.put(ctx, req)
	if t == nil || len(t.links) == 0 {
		return report, err
	}
	report.Payment = b.payment(ctx, t.links)
	report.Unacknowledged += t.unsent
	if t.unsaid != nil && report.AckError == "" {
		report.AckError = clean(t.unsaid.Error())
	}
	return report, err
}

// put uploads and leaves the payment of the report empty. The transfer is nil if none was made.
func (b *Batch) put(ctx context.Context, req PutRequest) (*transfer, PutReport, error) {
	t, err := b.sending(req)
	if err != nil {
		return nil, PutReport{}, err
	}
	err = t.try(ctx)
	report := PutReport{Report: t.finish(), Existed: t.upload.existed, KeptUntilEpoch: t.upload.until}
	report.Verified = err == nil && !t.upload.existed
	return t, report, err
}

// take returns a link to a worker, one that rests if there is any.
func (b *Batch) take(w Worker) (*link, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errClosed
	}
	if n := len(b.idle[w]); n > 0 {
		l := b.idle[w][n-1]
		b.idle[w] = b.idle[w][:n-1]
		return l, nil
	}
	l, err := newLink(b, w)
	if err != nil {
		return nil, err
	}
	b.open[l] = struct{}{}
	return l, nil
}

// giveBack takes a link back behind a transfer with an error. It rests, unless the error may lie with its worker or its session.
func (b *Batch) giveBack(ctx context.Context, l *link, err error) error {
	l.usedBy(nil)
	if err == nil || lacks(err) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.idle[l.asked] = append(b.idle[l.asked], l)
		return nil
	}
	err = l.close(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, l)
	return err
}

// lacks reports whether an error says that a worker does not have an object, and nothing else.
func lacks(err error) bool {
	var p *Problem
	return errors.As(err, &p) && (p.Status == http.StatusNotFound || p.Status == http.StatusGone)
}

// busy is how many links are used by transfers, at least 1.
func (b *Batch) busy() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.open)
	for _, list := range b.idle {
		n -= len(list)
	}
	return max(n, 1)
}

// poke makes acknowledgements due on all links: what any of them has not acknowledged holds up the account's credit.
func (b *Batch) poke() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.open {
		if l.acker != nil {
			l.acker.poke()
		}
	}
}

// resting takes all links that no transfer uses.
func (b *Batch) resting() (all []*link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, list := range b.idle {
		all = append(all, list...)
	}
	clear(b.idle)
	return all
}

// Close delivers what is not acknowledged, within FinalAckTimeout, and lets the lanes go. It returns what was acknowledged and
// not told before. No transfer of the batch may be under way, and none can begin any more. What could not be delivered stays in
// the lanes' files, and the next transfer with the worker delivers it.
func (b *Batch) Close(ctx context.Context) (Payment, error) {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	list := b.resting()
	var all sync.WaitGroup
	faults := make([]error, len(list))
	for i, l := range list {
		all.Go(func() { faults[i] = l.close(ctx) })
	}
	all.Wait()
	b.mu.Lock()
	for _, l := range list {
		delete(b.open, l)
	}
	b.mu.Unlock()
	return b.payment(ctx, nil), errors.Join(faults...)
}

// confirmed takes up what a worker holds of a link's lanes.
func (b *Batch) confirmed(of *link, list []ack.Signed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range list {
		b.ledger.confirm(&list[i].Ack, of)
	}
}

// undelivered takes up what a link that is closed could not deliver, in bytes, and why.
func (b *Batch) undelivered(of *link, n uint64, why error) {
	if n == 0 && why == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	of.left, of.fault = n, why
	b.failed = append(b.failed, of)
}

// acknowledged is how many bytes workers hold new acknowledgements of.
func (b *Batch) acknowledged() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ledger.acknowledged()
}

// payment tells what was acknowledged on these links, nil for all, and not told before, and asks the chain for its price.
func (b *Batch) payment(ctx context.Context, of []*link) (p Payment) {
	if b.client.payer == nil {
		return p
	}
	b.mu.Lock()
	fresh := b.ledger.tell(of)
	b.failed = slices.DeleteFunc(b.failed, func(l *link) bool {
		if of != nil && !slices.Contains(of, l) {
			return false
		}
		p.Unacknowledged += l.left
		if l.fault != nil {
			p.AckError = clean(l.fault.Error())
		}
		return true
	})
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.client.cfg.CallTimeout)
	defer cancel()
	total, known := new(big.Int), true
	for i := range fresh {
		from, to := &fresh[i].base, &fresh[i].newest
		p.AcknowledgedBytes += to.Bytes - from.Bytes
		p.Acknowledged = append(p.Acknowledged, Acknowledged{
			WorkerID: to.WorkerID, Epoch: to.Epoch, Lane: to.Lane, Requests: to.Requests, Bytes: to.Bytes,
			New: to.Bytes - from.Bytes, Head: hex.EncodeToString(to.Head[:]),
		})
		if !known {
			continue
		}
		prices, err := b.pricesOf(ctx, to.Epoch)
		if err != nil {
			known = false
			continue
		}
		total.Add(total, prices.Price(to.Bytes, to.Fuel))
		total.Sub(total, prices.Price(from.Bytes, from.Fuel))
	}
	if known {
		p.Price = total.String()
	}
	return p
}

// pricesOf asks the chain for the prices of an epoch once.
func (b *Batch) pricesOf(ctx context.Context, epoch uint64) (ack.Prices, error) {
	b.mu.Lock()
	prices, ok := b.prices[epoch]
	b.mu.Unlock()
	if ok {
		return prices, nil
	}
	prices, err := b.client.payer.Chain.Prices(ctx, epoch)
	if err != nil {
		return ack.Prices{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prices[epoch] = prices
	return prices, nil
}
