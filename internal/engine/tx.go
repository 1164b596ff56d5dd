package engine

import (
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/store"
)

// Command is one thing to decide.
type Command struct {
	// Stream is the record the command is about; it is loaded before Decide.
	Stream store.Key
	// Needs are further records to load before Decide.
	Needs []store.Key
	Actor string
	// Manual, when not nil, says that a person did it: a touch of the order it changes.
	Manual *Manual
	// Key makes the command idempotent when not nil.
	Key *IdempotencyKey
	// Unique names the record that must not exist twice, for commands that create one.
	Unique *Unique
	// Decide reads and writes through tx only. On error nothing of it stays.
	Decide func(tx *Tx) (*Reply, error)
}

// lane is where the command is decided: with everything else that changes the record it is about. A
// command that creates one and takes another along (an order that claims a reservation) is
// decided with what changes that other one, which exists already.
func (c *Command) lane() int {
	if len(c.Needs) > 0 {
		return c.Needs[0].Bucket
	}
	return c.Stream.Bucket
}

// IdempotencyKey identifies a request for as long as its answer is remembered.
type IdempotencyKey struct {
	Key  string // scoped to the caller and the route
	Hash []byte // of the request
}

// Unique is a channel's own id for something.
type Unique struct {
	Kind                store.Kind
	Channel, ExternalID string
}

// Reply is what a command answers.
type Reply struct {
	Status int
	Header map[string]string
	Body   []byte // JSON; nil: that of Entry, else Value is encoded
	Value  any
	// Entry is the record the reply shows, when it shows one.
	Entry *Entry
	// Repeated marks the answer to a request whose effect was there already.
	Repeated bool
}

// batch is what one lane decides and commits together.
type batch struct {
	store   store.Batch
	loaded  map[store.Key]*Entry // what the commands named, as stored
	entries map[store.Key]*Entry // newest state of records changed in the batch
	terms   map[store.Key][]string
	deleted map[store.Key]bool
	unique  map[Unique]store.Key
	net     inventory.Netting
	marks   map[inventory.PositionKey]mark
	undo    []func() // in reverse order restores memory beside the movements
	after   []func() // run once the batch is durable
}

// mark is a change of a position that no movement makes.
type mark struct {
	safety        *int64
	lowered       int64 // by how much it was lowered
	asOf, changed time.Time
	had           *int64 // stored on_hand that it was worked out from
}

func newBatch(bucket int, loaded map[store.Key]*Entry) *batch {
	return &batch{
		store: store.Batch{Bucket: bucket}, loaded: loaded,
		entries: map[store.Key]*Entry{}, unique: map[Unique]store.Key{},
		terms: map[store.Key][]string{}, deleted: map[store.Key]bool{}, marks: map[inventory.PositionKey]mark{},
	}
}

// Tx is what a decision sees and changes: memory as of the commands decided
// before it, committed or about to be.
type Tx struct {
	e       *Engine
	b       *batch
	Now     time.Time
	Command string // id of the command
	actor   string
	manual  *Manual
	past    lookedUp

	entries map[store.Key]*Entry // written by this command
	deleted map[store.Key]bool
	terms   map[store.Key][]string
	commits []store.Commit
	moves   []inventory.Movement
	marks   map[inventory.PositionKey]mark
	undo    []func()
	after   []func()
}

// Book is the stock.
func (tx *Tx) Book() *inventory.Book { return tx.e.book.Load() }

// Entry returns a record, or nil when it does not exist. It must have been named in Stream or Needs.
func (tx *Tx) Entry(k store.Key) *Entry {
	if tx.deleted[k] {
		return nil
	}
	if en, ok := tx.entries[k]; ok {
		return en
	}
	if tx.b.deleted[k] {
		return nil
	}
	if en, ok := tx.b.entries[k]; ok {
		return en
	}
	if en, ok := tx.past.entries[k]; ok {
		return en
	}
	return tx.b.loaded[k]
}

// Put writes the next version of a record. The record's Version and Body are filled in.
func (tx *Tx) Put(r store.Record, value any) *Entry {
	version := int64(1)
	if was := tx.Entry(r.Key); was != nil {
		version = was.Version + 1
		r.CreatedAt = was.CreatedAt
	}
	r.Version = version
	if len(r.Terms) > 0 {
		if tx.terms == nil {
			tx.terms = map[store.Key][]string{}
		}
		tx.terms[r.Key] = append(tx.terms[r.Key], r.Terms...)
		r.Terms = nil
	}
	if tx.entries == nil {
		tx.entries = map[store.Key]*Entry{}
	}
	delete(tx.deleted, r.Key)
	en := &Entry{Record: r, Value: value}
	tx.entries[r.Key] = en
	return en
}

// Delete removes a record.
func (tx *Tx) Delete(k store.Key) {
	if tx.deleted == nil {
		tx.deleted = map[store.Key]bool{}
	}
	tx.deleted[k] = true
	delete(tx.entries, k)
}

// Emit adds the log row of a stream. events is encoded at once; version is that
// of the stream after the command.
func (tx *Tx) Emit(stream store.Key, version int64, events any, moves []inventory.Movement) error {
	if err := tx.move(moves); err != nil {
		return err
	}
	return tx.record(stream, version, events, moves)
}

// record is Emit for movements that have been applied to the book already.
func (tx *Tx) record(stream store.Key, version int64, events any, moves []inventory.Movement) error {
	body, err := jsonenc.Marshal(events)
	if err != nil {
		return fmt.Errorf("encoding events of %s %s: %w", stream.Kind, stream.ID, err)
	}
	tx.commits = append(tx.commits, store.Commit{
		Stream: stream, Version: version, Time: tx.Now, Actor: tx.actor, Command: tx.Command,
		Node: tx.e.opt.Node, Events: body, Movements: moves,
	})
	return nil
}

// move applies movements to the book. A take of more than there is fails; what
// was applied before it is taken back with the rest of the command.
func (tx *Tx) move(moves []inventory.Movement) error {
	book := tx.Book()
	for _, m := range moves {
		if err := m.Validate(); err != nil {
			return err
		}
		k, d := inventory.PositionKey{SKU: m.SKU, Location: m.Location}, m.Delta()
		p := book.Apply(k, d)
		tx.moves = append(tx.moves, m)
		if d.OnHand != 0 {
			book.SetChanged(k, tx.Now)
		}
		if m.IsTake() && p.Available() < 0 {
			return fmt.Errorf("engine: decision takes %d of %s at %s, more than there is", m.Quantity, m.SKU, m.Location)
		}
		if p.OnHand < 0 || p.Reserved < 0 || p.Allocated < 0 || p.Picked < 0 || p.OnHand > inventory.MaxQuantity {
			return fmt.Errorf("%w: movement of %d %s at %s from %s to %s", errImpossible, m.Quantity, m.SKU, m.Location, m.From, m.To)
		}
	}
	return nil
}

// Mark changes what no movement changes: safety stock, time of the last count,
// time of the last change. Nil and zero leave the value.
func (tx *Tx) Mark(k inventory.PositionKey, safety *int64, asOf, changed time.Time) {
	if tx.marks == nil {
		tx.marks = map[inventory.PositionKey]mark{}
	}
	book := tx.Book()
	was, _ := book.Get(k)
	m := tx.marks[k]
	if safety != nil {
		m.safety, m.lowered = safety, m.lowered+was.Safety-*safety
		book.SetSafety(k, *safety)
		tx.undo = append(tx.undo, func() { book.SetSafety(k, was.Safety) })
	}
	if !asOf.IsZero() {
		m.asOf = asOf
		book.SetCounted(k, asOf)
		tx.undo = append(tx.undo, func() { book.SetCounted(k, was.AsOf) })
	}
	if !changed.IsZero() {
		m.changed = changed
		book.SetChanged(k, changed)
		tx.undo = append(tx.undo, func() { book.SetChanged(k, was.Changed) })
	}
	tx.marks[k] = m
}

// expect guards positions on a store that other nodes write to as well: the batch is decided again
// unless what is stored of them is what memory says now, less what the batch itself did.
func (tx *Tx) expect(positions []inventory.Position) {
	if tx.e.store.Exclusive() || plant.On(plant.StaleCount) {
		return
	}
	if tx.marks == nil {
		tx.marks = map[inventory.PositionKey]mark{}
	}
	own := map[inventory.PositionKey]int64{}
	for i := range tx.b.store.Commits {
		for _, m := range tx.b.store.Commits[i].Movements {
			own[inventory.PositionKey{SKU: m.SKU, Location: m.Location}] += m.Delta().OnHand
		}
	}
	for i := range positions {
		k := positions[i].Key()
		m, had := tx.marks[k], positions[i].OnHand-own[k]
		m.had = &had
		tx.marks[k] = m
	}
}

// After runs f once the command is durable, before its answer leaves.
func (tx *Tx) After(f func()) { tx.after = append(tx.after, f) }

// Existing returns the record that already has the channel's id, or nil: one of
// this batch, or one that the store knows. A first attempt does not ask the store: its
// unique key refuses the batch then, and the next attempt does.
func (tx *Tx) Existing(u Unique) *Entry {
	k, ok := tx.b.unique[u]
	if !ok {
		k, ok = tx.past.unique[u]
	}
	if !ok || u.ExternalID == "" {
		return nil
	}
	return tx.Entry(k)
}

// rollback takes back what the command did to memory.
func (tx *Tx) rollback() {
	book := tx.Book()
	for i := len(tx.moves) - 1; i >= 0; i-- {
		m := tx.moves[i]
		book.Apply(inventory.PositionKey{SKU: m.SKU, Location: m.Location}, inventory.Delta{}.Minus(m.Delta()))
	}
	for i := len(tx.undo) - 1; i >= 0; i-- {
		tx.undo[i]()
	}
}

// keep adds the command to the batch.
func (tx *Tx) keep(u *Unique, key *IdempotencyKey, reply *Reply) error {
	b := tx.b
	for k, en := range tx.entries {
		b.entries[k] = en
		delete(b.deleted, k)
	}
	for k := range tx.deleted {
		delete(b.entries, k)
		b.deleted[k] = true
	}
	for k, t := range tx.terms {
		b.terms[k] = append(b.terms[k], t...)
	}
	for k, m := range tx.marks {
		was := b.marks[k]
		if m.safety != nil {
			was.safety = m.safety
			b.net.Lower(k, m.lowered)
		}
		if !m.asOf.IsZero() {
			was.asOf = m.asOf
		}
		if !m.changed.IsZero() {
			was.changed = m.changed
		}
		if m.had != nil {
			was.had = m.had
		}
		b.marks[k] = was
	}
	for _, m := range tx.moves {
		b.net.Add(m)
	}
	b.store.Commits = append(b.store.Commits, tx.commits...)
	b.undo = append(b.undo, tx.undo...)
	b.after = append(b.after, tx.after...)
	if u != nil && u.ExternalID != "" {
		// Not the first commit: a claimed reservation, or capacity that was opened, comes before the order.
		for i := range tx.commits {
			if k := tx.commits[i].Stream; k.Kind == u.Kind {
				b.unique[*u] = k
			}
		}
	}
	if key != nil && !plant.On(plant.KeyIgnored) {
		if reply.Body == nil {
			body, err := jsonenc.Marshal(reply.Value)
			if err != nil {
				return err
			}
			reply.Body = body
		}
		b.store.Answers = append(b.store.Answers, store.Answer{
			Bucket: tx.e.answerBucket(key.Key), Key: key.Key, Hash: key.Hash, Status: reply.Status, Header: reply.Header,
			Body: reply.Body, Expires: tx.Now.Add(answerRetention),
		})
		if plant.On(plant.KeyForgotten) {
			b.store.Answers[len(b.store.Answers)-1].Expires = tx.Now.Add(time.Minute)
		}
	}
	return nil
}

// base is the stored version of a record before the batch; 0: it does not exist.
func (b *batch) base(k store.Key) int64 {
	if en := b.loaded[k]; en != nil {
		return en.Version
	}
	return 0
}

// writes reports whether there is something to commit. The answer to a command that changed nothing
// is remembered as well: its repetition must not change anything either.
func (b *batch) writes() bool { return len(b.store.Commits)+len(b.store.Answers) > 0 }

// seal fills in what the store writes: encoded records and net position changes.
func (b *batch) seal() error {
	for k, en := range b.entries {
		if en.Body == nil {
			body, err := jsonenc.Marshal(en.Value)
			if err != nil {
				return fmt.Errorf("encoding %s %s: %w", k.Kind, k.ID, err)
			}
			en.Body = body
		}
		r := en.Record
		r.Terms = b.terms[k]
		b.store.Puts = append(b.store.Puts, store.Put{Record: r, Base: b.base(k)})
	}
	for k := range b.deleted {
		if b.base(k) > 0 {
			b.store.Puts = append(b.store.Puts, store.Put{Record: store.Record{Key: k}, Base: b.base(k), Delete: true})
		}
	}
	changes := b.net.Changes()
	b.store.Positions = make([]store.PositionChange, 0, len(changes))
	var at time.Time
	if n := len(b.store.Commits); n > 0 {
		at = b.store.Commits[n-1].Time
	}
	for _, c := range changes {
		pc := store.PositionChange{PositionKey: c.PositionKey, Delta: c.Delta, Need: c.Need}
		if plant.On(plant.CheckThenAct) {
			pc.Need = 0
		}
		if c.OnHand != 0 {
			pc.Changed = at
		}
		if m, ok := b.marks[c.PositionKey]; ok {
			pc.Safety, pc.AsOf, pc.Had = m.safety, m.asOf, m.had
			if m.changed.After(pc.Changed) {
				pc.Changed = m.changed
			}
			delete(b.marks, c.PositionKey)
		}
		b.store.Positions = append(b.store.Positions, pc)
	}
	for k, m := range b.marks {
		b.store.Positions = append(b.store.Positions, store.PositionChange{PositionKey: k, Safety: m.safety, AsOf: m.asOf, Changed: m.changed, Had: m.had})
	}
	return nil
}

// takeBack restores memory to what it was before the batch.
func (b *batch) takeBack(e *Engine) {
	e.decide.Lock()
	defer e.decide.Unlock()
	book := e.book.Load()
	for _, c := range b.net.Changes() {
		book.Apply(c.PositionKey, inventory.Delta{}.Minus(c.Delta))
	}
	for i := len(b.undo) - 1; i >= 0; i-- {
		b.undo[i]()
	}
}
