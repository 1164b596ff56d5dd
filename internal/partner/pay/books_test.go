package pay_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/partner/pay"
	"github.com/orderly-oms/orderly/internal/store"
)

var (
	meta       = engine.Meta{Actor: "test"}
	publishNow = engine.Publish{}
)

// Books that agree are quiet; each way in which they differ is one exception, however often they are compared.
func TestBooks(t *testing.T) {
	stores(t, func(t *testing.T, open func(t *testing.T) store.Store) {
		db := open(t)
		s := newShop(t, db)
		var orders []*order.Order
		for range 4 {
			o := s.order("card")
			orders = append(orders, s.until(o.ID, "authorized", authorized))
		}
		books := pay.NewBooks(s.Engine, pay.Options{Transport: s.psp, Log: quiet})
		if _, err := books.Reconcile(t.Context(), "psp", "2026-11-23", meta); err == nil || !strings.Contains(err.Error(), "not over") {
			t.Errorf("a day that is not over: %v", err)
		}
		s.worker.Stop()
		// The order did not hear of this: the connection broke, and nobody asks before the report comes.
		lost := s.order("card")
		s.psp.mu.Lock()
		for _, op := range s.read(lost.ID).Payment.Operations {
			s.psp.do(&pay.Request{ID: op.ID, Kind: op.Kind, Amount: op.Amount, Currency: op.Currency})
		}
		s.psp.mu.Unlock()
		s.mu.Lock()
		s.at = s.at.Add(24 * time.Hour)
		s.mu.Unlock()
		r, err := books.Reconcile(t.Context(), "psp", "2026-11-23", meta)
		if err != nil || r.Entries != 10 || r.Matched != 8 || r.Booked != 2 || r.Count != 0 || r.Theirs["EUR"]["authorize"] != 15000 || r.Ours["EUR"]["authorize"] != 12000 {
			t.Fatalf("%+v, %v", r, err)
		}
		if o := s.read(lost.ID); !authorized(o) {
			t.Errorf("the report was no answer: %s", o.PaymentStanding())
		}

		id := func(i, op int) string { return orders[i].Payment.Operations[op].ID }
		s.psp.change = func(_ string, all []pay.Entry) []pay.Entry {
			out := slices.DeleteFunc(slices.Clone(all), func(e pay.Entry) bool { return e.ID == id(0, 0) })
			for i := range out {
				switch out[i].ID {
				case id(1, 0):
					out[i].Amount++
				case id(2, 0):
					out[i].Kind = "capture"
				case id(3, 0):
					out[i].Currency = "USD"
				}
			}
			return append(out, pay.Entry{ID: "stranger", Kind: "capture", Amount: 7, Currency: "EUR", At: s.now()})
		}
		delete(s.psp.done, id(0, 0))
		want := []string{pay.DiffAmount, pay.DiffCurrency, pay.DiffKind, pay.DiffUnknownHere, pay.DiffUnknownThere}
		for range 2 {
			r, err = books.Reconcile(t.Context(), "psp", "2026-11-23", meta)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range r.Differences {
				got = append(got, d.What)
			}
			if slices.Sort(got); !slices.Equal(got, want) || r.Count != 5 {
				t.Fatalf("differences %v, want %v", got, want)
			}
			open, err := db.Find(context.Background(), store.Query{Kind: engine.KindException, State: exception.StateOpen, Limit: 100})
			if err != nil || len(open) != 5 {
				t.Fatalf("%d exceptions, %v", len(open), err)
			}
		}
		if kept, err := books.Last(t.Context(), "psp", "2026-11-23"); err != nil || kept.Count != 5 {
			t.Errorf("kept: %+v, %v", kept, err)
		}
		if _, err := books.Last(t.Context(), "psp", "2026-11-22"); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("a day that was not compared: %v", err)
		}
	})
}

// While a report cannot be read whole, nothing is compared.
func TestReportsThatCannotBeRead(t *testing.T) {
	stores(t, func(t *testing.T, open func(t *testing.T) store.Store) {
		s := newShop(t, open(t))
		o := s.order("card")
		s.until(o.ID, "authorized", authorized)
		s.mu.Lock()
		s.at = s.at.Add(24 * time.Hour)
		s.mu.Unlock()
		if _, err := pay.NewProviders(s.Engine).Put(t.Context(), "psp", pay.Settings{URL: "https://psp.example/gate", Secret: "wrong"}, meta); err != nil {
			t.Fatal(err)
		}
		var bad *pay.ReportError
		books := pay.NewBooks(s.Engine, pay.Options{Transport: s.psp, Log: quiet})
		if _, err := books.Reconcile(t.Context(), "psp", "2026-11-23", meta); !errors.As(err, &bad) {
			t.Errorf("with the wrong secret: %v", err)
		}
		if _, err := books.Last(t.Context(), "psp", "2026-11-23"); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("something was kept: %v", err)
		}
		shown, err := pay.NewProviders(s.Engine).Get(t.Context(), "psp")
		if err != nil || shown.Secret != "" || !shown.HasSecret {
			t.Errorf("shown: %+v, %v", shown, err)
		}
	})
}
