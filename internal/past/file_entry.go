package past

import (
	"fmt"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
)

// The kinds of entries in the file. Stored: add at the end.
const (
	kindDocument = iota + 1
	kindPolicy
	kindLearned
	kindStock
	kindDecision
	kindStep
)

func (e *Entry) kind() (uint64, error) {
	var kind uint64
	n := 0
	for k, is := range [...]bool{
		kindDocument: e.Document != nil, kindPolicy: e.Policy != nil, kindLearned: e.Learned != nil,
		kindStock: e.Stock != nil, kindDecision: e.Decision != nil, kindStep: e.Step != nil,
	} {
		if is {
			kind, n = uint64(k), n+1
		}
	}
	if n != 1 {
		return 0, fmt.Errorf("past: an entry of %s is %d things; it must be one", e.At, n)
	}
	return kind, nil
}

// entry is one entry; since is what its time counts from.
func (c *coder) entry(e *Entry, since int64) error {
	kind := uint64(0)
	if c.reading {
		*e = Entry{}
	} else {
		var err error
		if kind, err = e.kind(); err != nil {
			return err
		}
	}
	c.uint(&kind)
	c.time(&e.At, since)
	at := e.At.Unix()
	switch kind {
	case kindDocument:
		some(c, &e.Document, func(d *Document) { c.word(&d.Kind); c.word(&d.ID); c.bool(&d.Removed); c.bytes(&d.JSON) })
	case kindPolicy:
		some(c, &e.Policy, func(p *Policy) {
			c.word(&p.Kind)
			c.word(&p.Name)
			c.int(&p.Version)
			c.time(&p.From, at)
			c.bool(&p.Withdrawn)
			c.raw(&p.Text)
		})
	case kindLearned:
		some(c, &e.Learned, func(l *Learned) { c.word(&l.ID); c.int(&l.Version); c.bytes(&l.State) })
	case kindStock:
		list(c, &e.Stock, c.stock)
	case kindDecision:
		var err error
		some(c, &e.Decision, func(d *Decision) { err = c.decision(d, at) })
		return err
	case kindStep:
		some(c, &e.Step, c.step)
	default:
		c.fail()
	}
	return nil
}

func (c *coder) stock(s *Stock) {
	c.word(&s.SKU)
	c.word(&s.Location)
	c.int(&s.OnHand)
	c.int(&s.Reserved)
	c.int(&s.Allocated)
	c.int(&s.Picked)
	some(c, &s.Safety, c.int)
	c.word(&s.Why)
}

func (c *coder) decision(d *Decision, at int64) error {
	c.int(&d.Order)
	flags := uint64(0)
	for i, v := range [...]bool{d.First, d.Asked, d.Reject, d.Joint} {
		if v {
			flags |= 1 << i
		}
	}
	c.uint(&flags)
	d.First, d.Asked, d.Reject, d.Joint = flags&1 != 0, flags&2 != 0, flags&4 != 0, flags&8 != 0
	if err := c.order(&d.State, at); err != nil {
		return err
	}
	c.bytes(&d.Held)
	list(c, &d.Placed, func(p *Placed) {
		c.word(&p.Location)
		c.word(&p.Service)
		c.word(&p.Via)
		c.lines(&p.Lines)
		c.int(&p.Cost)
		c.promise(&p.Promise, at)
	})
	c.lines(&d.Unplaced)
	c.word(&d.Waiting)
	list(c, &d.Facts, c.word)
	list(c, &d.Hashes, c.fixed)
	c.moves(&d.Moves)
	c.small(&d.Bucket)
	c.int(&d.Seq)
	return nil
}

func (c *coder) step(s *Step) {
	c.int(&s.Order)
	kind := uint64(s.Kind)
	c.uint(&kind)
	s.Kind = StepKind(kind)
	c.small(&s.Fulfillment)
	c.lines(&s.Lines)
	c.bool(&s.Lost)
	c.bool(&s.Exclude)
	c.int(&s.Seconds)
	c.word(&s.Reason)
	c.moves(&s.Moves)
}

func (c *coder) lines(l *[]order.LineQuantity) {
	list(c, l, func(q *order.LineQuantity) {
		c.word(&q.Line)
		c.int(&q.Quantity)
		c.int(&q.Short)
		c.int(&q.Picked)
	})
}

func (c *coder) moves(m *[]inventory.Movement) {
	list(c, m, func(v *inventory.Movement) {
		c.word(&v.SKU)
		c.word(&v.Location)
		c.word((*string)(&v.From))
		c.word((*string)(&v.To))
		c.int(&v.Quantity)
		c.word(&v.Reason)
	})
}
