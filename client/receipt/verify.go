package receipt

import (
	"fmt"

	"github.com/edgechain/edge/ack"
)

// Outcome of a check.
type Outcome string

// The outcomes.
const (
	// OK: it was checked and holds.
	OK Outcome = "ok"
	// Failed: it was checked and does not hold.
	Failed Outcome = "failed"
	// NotIncluded: the file does not hold what the check needs.
	NotIncluded Outcome = "not-included"
)

// Check is one check with what it found.
type Check struct {
	Name    string  `json:"name"`
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail"`
}

// The names of checks that need the file alone.
const (
	// CheckKey: the public key is one that the chain registers.
	CheckKey = "public-key"
	// CheckSignature: the fields are in their bounds, and the key has signed them for the chain.
	CheckSignature = "signature"
	// CheckAccount: the key has signed for the account.
	CheckAccount = "account"
	// CheckChain: the receipts of the requests lead to the head, in their number.
	CheckChain = "receipt-chain"
	// CheckContent: what was asked of objects is what the requests commit to, and what they cost.
	CheckContent = "content"
	// CheckTotals: what the requests took and what is named as unfinished adds up to what was acknowledged.
	CheckTotals = "totals"
)

// Checks are what became of a receipt.
type Checks []Check

// Err returns the first check that failed as an error, nil if none did.
func (c Checks) Err() error {
	for i := range c {
		if c[i].Outcome == Failed {
			return fmt.Errorf("%s: %s", c[i].Name, c[i].Detail)
		}
	}
	return nil
}

// Add appends what a check found.
func (c *Checks) Add(name string, outcome Outcome, format string, args ...any) {
	*c = append(*c, Check{Name: name, Outcome: outcome, Detail: fmt.Sprintf(format, args...)})
}

// Verify checks all that the file itself proves of a receipt.
func (f *File) Verify(i int) Checks {
	r := &f.Receipts[i]
	chain := ack.HashChainID(f.ChainID)
	var c Checks
	if err := ack.CheckPublicKey(r.PublicKey[:]); err != nil {
		c.Add(CheckKey, Failed, "%s: %s", r.PublicKey, err)
	} else {
		c.Add(CheckKey, OK, "%s", r.PublicKey)
	}
	signed := r.Acknowledgement.Signed()
	if err := signed.Verify(r.PublicKey[:], chain); err != nil {
		c.Add(CheckSignature, Failed, "of chain %s: %s", f.ChainID, err)
	} else {
		c.Add(CheckSignature, OK, "key %d acknowledges %d bytes and %d fuel in %d requests of epoch %d to worker %d, on chain %s",
			signed.KeyID, signed.Bytes, signed.Fuel, signed.Requests, signed.Epoch, signed.WorkerID, f.ChainID)
	}
	switch {
	case r.AccountID == 0:
		c.Add(CheckAccount, Failed, "there is no account 0")
	case r.AccountProof == nil:
		c.Add(CheckAccount, NotIncluded, "that the key is of account %d is not proven here; the chain knows", r.AccountID)
	case !ack.VerifyMessage(r.PublicKey[:], ack.AppendKeyProofSignBytes(nil, chain, r.AccountID), r.AccountProof[:]):
		c.Add(CheckAccount, Failed, "the key has not signed for account %d", r.AccountID)
	default:
		c.Add(CheckAccount, OK, "the key has signed for account %d", r.AccountID)
	}
	r.verifyChain(&c)
	r.verifyContent(&c)
	r.verifyTotals(&c)
	return c
}

func (r *Receipt) verifyChain(c *Checks) {
	a := &r.Acknowledgement
	if r.Requests == nil {
		if a.Requests == 0 && a.Head != (Digest{}) {
			c.Add(CheckChain, Failed, "the head of no requests is not zero")
			return
		}
		c.Add(CheckChain, NotIncluded, "chain not included: the file does not list the %d requests behind the head", a.Requests)
		return
	}
	if n := uint64(len(r.Requests.List)); n != a.Requests {
		c.Add(CheckChain, Failed, "%d requests are listed, %d are acknowledged", n, a.Requests)
		return
	}
	var head [ack.HeadSize]byte
	for i := range r.Requests.List {
		q := &r.Requests.List[i]
		head = ack.NextHead(head, ack.Receipt(ack.Digest(q.Request), ack.Digest(q.Response), q.Bytes, q.Fuel))
	}
	if head != a.Head {
		c.Add(CheckChain, Failed, "the listed requests lead to head %s, %s is acknowledged", Digest(head), a.Head)
		return
	}
	c.Add(CheckChain, OK, "%d requests lead to head %s", len(r.Requests.List), a.Head)
}

// contentService is the service id of content.
const contentService = 0

func (r *Receipt) verifyContent(c *Checks) {
	if r.Requests == nil {
		return
	}
	known := 0
	for i := range r.Requests.List {
		q := &r.Requests.List[i]
		if q.Content == nil {
			continue
		}
		known++
		switch {
		case r.Acknowledgement.ServiceID != contentService:
			c.Add(CheckContent, Failed, "request %d is of service %d and names a range of content", i, r.Acknowledgement.ServiceID)
			return
		case ack.ContentRequestDigest(ack.Digest(q.Response), q.Content.Offset, q.Content.Length) != ack.Digest(q.Request):
			c.Add(CheckContent, Failed, "request %d is not for %d bytes from %d on of %s", i, q.Content.Length, q.Content.Offset, q.Response)
			return
		case !costs(q):
			c.Add(CheckContent, Failed, "request %d takes %d bytes for %d from %d on", i, q.Bytes, q.Content.Length, q.Content.Offset)
			return
		}
	}
	if known > 0 {
		c.Add(CheckContent, OK, "%d of %d requests name what was asked", known, len(r.Requests.List))
	}
}

// costs reports whether a range can take the bytes of its request. The object can end within its last group, so that the
// bytes are between those of the range itself and those of all its groups.
func costs(q *Request) bool {
	if q.Content.Length == 0 {
		return q.Bytes == 0
	}
	end := q.Content.Offset + q.Content.Length
	if end < q.Content.Offset || end > 1<<63 {
		return false
	}
	first := q.Content.Offset / ack.GroupSize * ack.GroupSize
	return q.Fuel == 0 && q.Bytes >= end-first && q.Bytes <= ack.ContentBytes(1<<63, q.Content.Offset, q.Content.Length)
}

func (r *Receipt) verifyTotals(c *Checks) {
	a := &r.Acknowledgement
	if r.Requests == nil {
		return
	}
	bytes, fuel := r.Requests.UnfinishedBytes, r.Requests.UnfinishedFuel
	for i := range r.Requests.List {
		q := &r.Requests.List[i]
		switch {
		case q.EarlierBytes > q.Bytes:
			c.Add(CheckTotals, Failed, "request %d has %d bytes, %d of them in earlier epochs", i, q.Bytes, q.EarlierBytes)
			return
		case bytes > a.Bytes || q.Bytes-q.EarlierBytes > a.Bytes-bytes:
			c.Add(CheckTotals, Failed, "the requests up to %d and what is unfinished come to more than the %d bytes acknowledged", i, a.Bytes)
			return
		case fuel > a.Fuel || q.Fuel > a.Fuel-fuel:
			c.Add(CheckTotals, Failed, "the requests up to %d and what is unfinished come to more than the %d fuel acknowledged", i, a.Fuel)
			return
		}
		bytes += q.Bytes - q.EarlierBytes
		fuel += q.Fuel
	}
	if bytes != a.Bytes || fuel != a.Fuel {
		c.Add(CheckTotals, Failed, "requests and what is unfinished come to %d bytes and %d fuel, %d and %d are acknowledged", bytes, fuel, a.Bytes, a.Fuel)
		return
	}
	c.Add(CheckTotals, OK, "finished requests took %d bytes and %d fuel; %d bytes and %d fuel are of requests that were broken off or under way",
		a.Bytes-r.Requests.UnfinishedBytes, a.Fuel-r.Requests.UnfinishedFuel, r.Requests.UnfinishedBytes, r.Requests.UnfinishedFuel)
}
