package sim

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
)

// maxSettledAccounts bounds the orders whose settled accounts are kept for the
// comparison; older ones are only in the sums.
const maxSettledAccounts = 100_000

// provider is a payment provider with a ledger of its own. It authorises what
// shoppers pay, books what events say has left, and gives the rest back.
type provider struct {
	seed uint64

	mu       sync.Mutex
	tokens   map[string]int64 // authorised cents, of orders it has not heard of
	accounts map[string]*account
	settled  []string // ids of settled accounts, oldest first
	sums     Ledger
	findings []string
}

// account is what the provider knows about one order.
type account struct {
	authorised, captured, voided int64
	shipping                     int64
	lines                        map[string]*sold
	settled                      bool
}

// sold is one line of an account.
type sold struct {
	total, quantity, left, cancelled int64 // cents; units
}

// Ledger is the provider's book in minor units, and how it compares with the orders.
type Ledger struct {
	Authorised int64 `json:"authorised"`
	Captured   int64 `json:"captured"`
	Voided     int64 `json:"voided"`
	Open       int64 `json:"open"` // authorised, neither captured nor voided
	Accounts   int64 `json:"accounts"`
	// Compared orders have, by the server's quantities, Due to be captured.
	Compared    int64 `json:"compared"`
	Due         int64 `json:"due"`
	Differences int64 `json:"differences"` // orders whose captured sum is not what is due
}

func newProvider(seed uint64) *provider {
	return &provider{seed: seed, tokens: map[string]int64{}, accounts: map[string]*account{}}
}

// authorise gives each tender of a new order a token.
func (p *provider) authorise(n *order.New) []order.Tender {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := append([]order.Tender(nil), n.Tenders...)
	for i := range out {
		out[i].Reference = fmt.Sprintf("tok_%016x", newChance(p.seed, "token", n.ExternalID, fmt.Sprint(i)).r.Uint64())
		p.tokens[out[i].Reference] = out[i].Amount
	}
	return out
}

// release forgets authorisations of an order that was refused.
func (p *provider) release(tenders []order.Tender) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range tenders {
		delete(p.tokens, t.Reference)
	}
}

// hear books one event.
func (p *provider) hear(e *engine.Published) {
	var event order.Event
	if json.Unmarshal(e.Data, &event) != nil {
		return // the watcher reports what cannot be read
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if event.Type == order.EventCaptured {
		p.open(e.Stream.ID, event.Order)
		return
	}
	a := p.accounts[e.Stream.ID]
	if a == nil {
		return // the marketplace collects for this order
	}
	leaves := event.Type == order.EventFulfillmentShipped || event.Type == order.EventFulfillmentHandover
	for _, q := range event.Lines {
		if l := a.lines[q.Line]; l == nil {
			p.find("order %s: an event names the unknown line %s", e.Stream.ID, q.Line)
		} else if leaves {
			l.left += q.Quantity
		} else {
			l.cancelled += q.Quantity
		}
	}
	p.book(e.Stream.ID, a)
}

// open makes the account of an order.
func (p *provider) open(id string, o *order.Order) {
	a := &account{shipping: o.Totals.Shipping, lines: make(map[string]*sold, len(o.Lines))}
	for i := range o.Lines {
		l := &o.Lines[i]
		a.lines[l.ID] = &sold{total: l.Total, quantity: l.Quantity}
	}
	if o.Channel == marketChannel {
		return
	}
	for _, t := range o.Tenders {
		if amount, ok := p.tokens[t.Reference]; ok && amount != t.Amount {
			p.find("order %s pays %d with %s, which is good for %d", id, t.Amount, t.Reference, amount)
		}
		delete(p.tokens, t.Reference)
		a.authorised += t.Amount
	}
	if a.authorised != o.Totals.Total {
		p.find("order %s costs %d and %d is authorised", id, o.Totals.Total, a.authorised)
	}
	p.accounts[id] = a
	p.sums.Accounts++
	p.sums.Authorised += a.authorised
}

// book captures what has left, and voids the rest once nothing more can leave.
func (p *provider) book(id string, a *account) {
	due, left, done := int64(0), int64(0), true
	for _, l := range a.lines {
		due += l.total * l.left / l.quantity
		left += l.left
		done = done && l.left+l.cancelled == l.quantity
	}
	if left > 0 {
		due += a.shipping
	}
	p.sums.Captured += due - a.captured
	a.captured = due
	if !done || a.settled {
		return
	}
	a.settled, a.lines = true, nil
	a.voided = a.authorised - a.captured
	p.sums.Voided += a.voided
	if p.settled = append(p.settled, id); len(p.settled) > maxSettledAccounts {
		delete(p.accounts, p.settled[0])
		p.settled = p.settled[1:]
	}
}

func (p *provider) find(format string, args ...any) {
	if len(p.findings) < maxFindings {
		p.findings = append(p.findings, fmt.Sprintf(format, args...))
	}
}

// compare checks an order of the server against its account. A difference counts
// the last time the order is looked at.
func (p *provider) compare(o *order.Order, last bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.accounts[o.ID]
	if a == nil {
		return true // the marketplace collects, or it was settled long ago
	}
	due, left := int64(0), int64(0)
	for i := range o.Lines {
		l := &o.Lines[i]
		due += l.Total * l.Fulfilled / l.Quantity
		left += l.Fulfilled
	}
	if left > 0 {
		due += o.Totals.Shipping
	}
	same := a.captured == due && (!o.Status.Final() || a.captured+a.voided == a.authorised)
	if !same && !last {
		return false
	}
	p.sums.Compared++
	if p.sums.Due += due; !same {
		p.sums.Differences++
		p.find("order %s (%s): %d captured and %d voided of %d, %d is due", o.ID, o.Status, a.captured, a.voided, a.authorised, due)
	}
	return same
}

// ledger is the book as it stands.
func (p *provider) ledger() (Ledger, []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.sums
	l.Open = l.Authorised - l.Captured - l.Voided
	return l, append([]string(nil), p.findings...)
}
