package sqlite

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/store"
)

const (
	insertRecord = `INSERT INTO records (version, wake, created_at, kind, id, state, channel, external_id, terms, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	selectRecordForUpdate = `SELECT pk, version, wake, created_at, state, channel, external_id, terms FROM records WHERE kind = ? AND id = ?`
	deleteTerm            = `DELETE FROM record_terms WHERE kind = ? AND term = ? AND id = ?`

	// An UPDATE rewrites the index entries of every column it names, so the
	// columns that seldom change have statements of their own.
	updateBody   = `UPDATE records SET version = ?, body = ? WHERE pk = ?`
	updateState  = `UPDATE records SET version = ?, body = ?, state = ? WHERE pk = ?`
	updateWake   = `UPDATE records SET version = ?, body = ?, wake = ? WHERE pk = ?`
	updateSearch = `UPDATE records SET version = ?, body = ?, state = ?, wake = ? WHERE pk = ?`
	updateAll    = `UPDATE records SET version = ?, body = ?, state = ?, wake = ?, created_at = ?, channel = ?, external_id = ?, terms = ? WHERE pk = ?`
)

var insertTerm = bulk(`INSERT OR IGNORE INTO record_terms (kind, term, id) VALUES`, 3)

// termEnd ends each term in records.terms.
const termEnd = "\x00"

// putRecords writes the records in the order of their keys: neighbours share pages.
// Deletions come first, so that what they free can be taken in the same batch.
func (t *transaction) putRecords() error {
	puts := make([]*store.Put, len(t.batch.Puts))
	for i := range t.batch.Puts {
		puts[i] = &t.batch.Puts[i]
	}
	slices.SortStableFunc(puts, func(a, b *store.Put) int {
		if a.Delete != b.Delete {
			if a.Delete {
				return -1
			}
			return 1
		}
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
	})
	for _, p := range puts {
		var err error
		switch {
		case p.Delete:
			err = t.delete(p)
		case p.Base == 0:
			err = t.insert(p)
		default:
			err = t.replace(p)
		}
		if err != nil {
			return fmt.Errorf("record %s %s: %w", p.Kind, p.ID, err)
		}
	}
	return t.addTerms(puts)
}

func (t *transaction) insert(p *store.Put) error {
	s, err := t.prepare(insertRecord)
	if err != nil {
		return err
	}
	s.int(p.Version)
	s.time(p.Wake)
	s.int(p.CreatedAt.UnixMicro())
	s.text(string(p.Kind))
	s.text(p.ID)
	s.text(p.State)
	s.text(p.Channel)
	s.text(p.ExternalID)
	s.text(joinTerms("", p.Terms))
	s.blob(p.Body)
	return s.run()
}

// stored is what decides how a record is replaced.
type stored struct {
	pk, version, created              int64
	wake                              time.Time
	state, channel, externalID, terms string
}

// find reads the record a Put is based on, or returns ErrConflict.
func (t *transaction) find(p *store.Put) (r stored, err error) {
	s, err := t.prepare(selectRecordForUpdate)
	if err != nil {
		return r, err
	}
	s.text(string(p.Kind))
	s.text(p.ID)
	more, err := s.step()
	if err != nil {
		return r, err
	}
	if !more {
		if p.Base == 0 {
			return r, nil
		}
		return r, fmt.Errorf("%w: based on version %d of a record that is not there", store.ErrConflict, p.Base)
	}
	r = stored{
		pk: s.colInt(0), version: s.colInt(1), wake: s.colTime(2), created: s.colInt(3),
		state: s.colText(4), channel: s.colText(5), externalID: s.colText(6), terms: s.colText(7),
	}
	s.reset()
	if r.version != p.Base {
		return r, fmt.Errorf("%w: based on version %d but has %d", store.ErrConflict, p.Base, r.version)
	}
	return r, nil
}

func (t *transaction) replace(p *store.Put) error {
	r, err := t.find(p)
	if err != nil {
		return err
	}
	terms := joinTerms(r.terms, p.Terms)
	wake := !p.Wake.Truncate(time.Microsecond).Equal(r.wake)
	state := p.State != r.state
	text := updateBody
	all := terms != r.terms || p.Channel != r.channel || p.ExternalID != r.externalID || p.CreatedAt.UnixMicro() != r.created
	switch {
	case all:
		text = updateAll
	case wake && state:
		text = updateSearch
	case wake:
		text = updateWake
	case state:
		text = updateState
	}
	s, err := t.prepare(text)
	if err != nil {
		return err
	}
	s.int(p.Version)
	s.blob(p.Body)
	if state || all {
		s.text(p.State)
	}
	if wake || all {
		s.time(p.Wake)
	}
	if all {
		s.int(p.CreatedAt.UnixMicro())
		s.text(p.Channel)
		s.text(p.ExternalID)
		s.text(terms)
	}
	s.int(r.pk)
	return s.run()
}

func (t *transaction) delete(p *store.Put) error {
	r, err := t.find(p)
	if err != nil || r.pk == 0 {
		return err
	}
	return t.deleteRecord(r.pk, string(p.Kind), p.ID, r.terms)
}

func (c *conn) deleteRecord(pk int64, kind, id, terms string) error {
	for term := range strings.SplitSeq(strings.TrimSuffix(terms, termEnd), termEnd) {
		if err := c.exec(deleteTerm, kind, term, id); err != nil {
			return err
		}
	}
	return c.exec(`DELETE FROM records WHERE pk = ?`, pk)
}

// addTerms indexes the terms that the records bring, in the order of the index.
func (t *transaction) addTerms(puts []*store.Put) error {
	type entry struct{ kind, term, id string }
	var entries []entry
	for _, p := range puts {
		if p.Delete {
			continue
		}
		for _, term := range p.Terms {
			entries = append(entries, entry{string(p.Kind), term, p.ID})
		}
	}
	if len(entries) == 0 {
		return nil
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(strings.Compare(a.kind, b.kind), strings.Compare(a.term, b.term), strings.Compare(a.id, b.id))
	})
	entries = slices.Compact(entries)
	return t.insertRows(insertTerm, len(entries), func(s *stmt, i int) {
		s.text(entries[i].kind)
		s.text(entries[i].term)
		s.text(entries[i].id)
	})
}

// joinTerms appends to a record's terms those it does not have yet.
func joinTerms(have string, add []string) string {
	if len(add) == 0 {
		return have
	}
	var b strings.Builder
	b.WriteString(have)
	for _, term := range add {
		if !hasTerm(b.String(), term) {
			b.WriteString(term)
			b.WriteString(termEnd)
		}
	}
	return b.String()
}

func hasTerm(terms, term string) bool {
	for have := range strings.SplitSeq(terms, termEnd) {
		if have == term {
			return true
		}
	}
	return false
}
