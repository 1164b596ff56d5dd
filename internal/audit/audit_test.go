package audit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/audit"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store/sqlite"
)

func TestADayIsSound(t *testing.T) {
	dir := t.TempDir()
	n := openSQLite(t, dir)
	n.day()
	live := run(t, dir)
	wantFailed(t, live)
	for _, c := range live.Checks {
		if c.LookedAt == 0 {
			t.Errorf("check %d (%s) looked at nothing", c.Number, c.Name)
		}
	}
	n.close()
	wantFailed(t, run(t, dir))
}

func TestAnEmptyStoreIsSound(t *testing.T) {
	dir := t.TempDir()
	openSQLite(t, dir).close()
	wantFailed(t, run(t, dir))
}

// inLog and inBody edit JSON text behind the store's back.
func inLog(where, from, to string) string {
	return fmt.Sprintf(`UPDATE log SET events = CAST(replace(CAST(events AS TEXT), '%s', '%s') AS BLOB) WHERE %s`, from, to, where)
}

func inBody(where, from, to string) string {
	return fmt.Sprintf(`UPDATE records SET body = CAST(replace(CAST(body AS TEXT), '%s', '%s') AS BLOB) WHERE %s`, from, to, where)
}

// both edits the log and the record of an order alike.
func both(id, from, to string) []string {
	return []string{inLog(`id = `+id, from, to), inBody(`id = `+id, from, to)}
}

func orderID(external string) string {
	return fmt.Sprintf(`(SELECT id FROM records WHERE kind = 'order' AND external_id = '%s')`, external)
}

func reservationID(reference string) string {
	return fmt.Sprintf(`(SELECT id FROM records WHERE kind = 'reservation' AND instr(CAST(body AS TEXT), '"reference":"%s"'))`, reference)
}

// plants are edits of a sound store and the checks that must find them.
var plants = []struct {
	name string
	want []int
	sql  []string
}{
	{"movement to nowhere", []int{1, 34}, []string{`UPDATE movements SET target = 'nowhere' WHERE target = 'shipped'`}},
	{"units from nowhere", []int{1, 2}, []string{`UPDATE positions SET on_hand = on_hand + 1 WHERE sku = 'S2' AND location = 'L00'`}},
	{"counter off", []int{2}, []string{`UPDATE positions SET reserved = reserved + 1 WHERE sku = 'S3' AND location = 'L00'`}},
	{"movement lost", []int{2, 5, 34, 48}, []string{`UPDATE log SET moves = 0 WHERE seq = (SELECT max(seq) FROM log WHERE moves > 0)`,
		`DELETE FROM movements WHERE pk = (SELECT max(pk) FROM movements)`}},
	{"movement of another row", []int{2}, []string{`UPDATE movements SET seq = seq - 1 WHERE pk = (SELECT max(pk) FROM movements)`}},
	{"more picked than allocated", []int{2, 3}, []string{`PRAGMA ignore_check_constraints = 1`, `UPDATE positions SET picked = allocated + 1 WHERE sku = 'S3' AND location = 'L00'`}},
	{"oversell", []int{4}, []string{`UPDATE movements SET quantity = 1 WHERE source = 'supplier' AND sku = 'S2' AND location = 'L00'`,
		`UPDATE positions SET on_hand = on_hand - 9 WHERE sku = 'S2' AND location = 'L00'`}},
	{"leak of a claim's rest", []int{5}, []string{`UPDATE movements SET quantity = quantity - 1 WHERE reason = 'reservation claimed'`,
		`UPDATE positions SET reserved = reserved + 1 WHERE sku = 'S1' AND location = 'L00'`}},
	{"second end", []int{6}, []string{
		`INSERT INTO log SELECT seq + 1, 3, time, first_move + moves, 0, 'reservation', ` + reservationID("R2") + `, 'x', 'x', 'x', CAST('[{"type":"reservation.expired"}]' AS BLOB)
			FROM log ORDER BY seq DESC LIMIT 1`,
		`UPDATE records SET version = 3 WHERE id = ` + reservationID("R2")}},
	{"filed as held", []int{6}, []string{`UPDATE records SET state = 'held' WHERE id = ` + reservationID("R2")}},
	{"not all of it", []int{7}, []string{inLog(`id = `+reservationID("R1"), `"requested":2`, `"requested":3`), inBody(`id = `+reservationID("R1"), `"requested":2`, `"requested":3`)}},
	{"hold without end", []int{9}, []string{`UPDATE records SET wake = NULL WHERE id = ` + reservationID("R1")}},
	{"ended early", []int{9}, []string{`UPDATE log SET time = time - 60000000 WHERE version = 2 AND id = ` + reservationID("R4")}},
	{"picked more than asked", []int{10, 44}, []string{inBody(`id = `+orderID("C"), `"picked":1`, `"picked":2`)}},
	{"returned more than sent", []int{10, 44}, []string{inBody(`id = `+orderID("A"), `"returned":0`, `"returned":2`)}},
	{"safety below zero", []int{15}, []string{`UPDATE positions SET safety = -1`}},
	{"order twice", []int{16}, []string{`DROP INDEX records_external`,
		inLog(`id = `+orderID("D"), `"external_id":"D"`, `"external_id":"A"`), inBody(`id = `+orderID("D"), `"external_id":"D"`, `"external_id":"A"`),
		`UPDATE records SET external_id = 'A' WHERE id = ` + orderID("D")}},
	{"cancelled more than ordered", []int{17}, []string{inLog(`version = 2 AND id = `+orderID("E"), `"quantity":1`, `"quantity":2`)}},
	{"step that is none", []int{18}, []string{inLog(`id = `+orderID("B"), `fulfillment.packed`, `fulfillment.ready`)}},
	{"order without a timer", []int{19}, []string{`UPDATE records SET wake = NULL WHERE id = ` + orderID("D")}},
	{"shipped order without a timer", []int{19}, []string{`UPDATE records SET wake = NULL WHERE id = ` + orderID("B")}},
	{"fulfillment that its flow forgot", []int{19, 41, 44}, []string{inLog(`id = `+orderID("B"), `,"timers":[{"name":"deliver"`, `,"timer":[{"name":"deliver"`), inBody(`id = `+orderID("B"), `,"timers":[{"name":"deliver"`, `,"timer":[{"name":"deliver"`)}},
	{"hold without an end", []int{19, 41}, []string{inLog(`id = `+orderID("G"), `"expires_at":"2026-11-26T09:00:45Z",`, ``), inBody(`id = `+orderID("G"), `"expires_at":"2026-11-26T09:00:45Z",`, ``)}},
	{"hold that was not counted", []int{19}, []string{inLog(`id = `+orderID("G"), `"id":"h1"`, `"id":"h9"`), inBody(`id = `+orderID("G"), `"id":"h1"`, `"id":"h9"`)}},
	{"exception filed as closed", []int{34}, []string{`UPDATE records SET state = 'closed' WHERE kind = 'exception'`}},
	{"exception given to another", []int{44}, []string{inBody(`kind = 'exception'`, `"owner":"ada"`, `"owner":"bob"`)}},
	{"exception lost", []int{34}, []string{`DELETE FROM records WHERE kind = 'exception'`}},
	{"cancelled and shipped", []int{17, 20, 44}, []string{inBody(`id = `+orderID("B"), `"cancelled":0`, `"cancelled":1`)}},
	{"location gone", []int{21, 34}, []string{`DELETE FROM records WHERE kind = 'location' AND id = 'L00'`}},
	{"total off by one", []int{23}, []string{inLog(`id = `+orderID("A"), `"totals":{"subtotal":3998`, `"totals":{"subtotal":3999`),
		inBody(`id = `+orderID("A"), `"totals":{"subtotal":3998`, `"totals":{"subtotal":3999`)}},
	{"unit in two fulfillments", []int{25, 44}, []string{inBody(`id = `+orderID("C"), `"sku":"K","quantity":1,"picked"`, `"sku":"K","quantity":2,"picked"`)}},
	{"captured more than authorized", []int{26, 28}, both(orderID("H"), `"kind":"capture","tender":"t1","provider":"psp","amount":2847`, `"kind":"capture","tender":"t1","provider":"psp","amount":9999`)},
	{"operation in another currency", []int{27}, both(orderID("H"), `"amount":2847,"currency":"EUR","token":"tok_H"`, `"amount":2847,"currency":"USD","token":"tok_H"`)},
	{"refunded more than captured", []int{29}, both(orderID("H"), `"kind":"refund","tender":"t1","provider":"psp","amount":500`, `"kind":"refund","tender":"t1","provider":"psp","amount":9999`)},
	{"left authorized", []int{28, 30, 41}, both(orderID("H"), `"kind":"authorize","tender":"t1","provider":"psp","amount":2847`, `"kind":"authorize","tender":"t1","provider":"psp","amount":9999`)},
	{"never asked for", []int{31, 41}, both(orderID("I"), `,"ask_at":"2026-11-23T09:01:45Z"`, ``)},
	{"record ahead of its log", []int{34}, []string{`UPDATE records SET version = version + 1 WHERE id = ` + orderID("A")}},
	{"order lost", []int{34}, []string{`DELETE FROM records WHERE id = ` + orderID("A")}},
	{"record from nowhere", []int{34}, []string{`INSERT INTO records SELECT 99999, version, NULL, created_at, kind, 'zzz', state, channel, 'zzz', '', body FROM records WHERE id = ` + orderID("A")}},
	{"stock moved as capacity", []int{34}, []string{`UPDATE log SET kind = 'capacity' WHERE kind = 'stock' AND seq = (SELECT max(seq) FROM log WHERE kind = 'stock')`}},
	{"filed under another state", []int{34}, []string{`UPDATE records SET state = 'open' WHERE id = ` + orderID("A")}},
	{"gap in the log", []int{37}, []string{`UPDATE log SET seq = seq + 1 WHERE seq = (SELECT max(seq) FROM log)`}},
	{"gap in a stream", []int{37}, []string{`UPDATE log SET version = 3 WHERE kind = 'sku' AND id = 'S3' AND version = 2`, `UPDATE records SET version = 3 WHERE kind = 'sku' AND id = 'S3'`}},
	{"answer without status", []int{38}, []string{`UPDATE answers SET status = 0`}},
	{"timer moved", []int{41}, []string{`UPDATE records SET wake = wake + 3600000000 WHERE id = ` + orderID("D")}},
	{"document edited", []int{44}, []string{inBody(`kind = 'sku' AND id = 'S1'`, `more`, `less`)}},
	{"order edited", []int{44}, []string{inBody(`id = `+orderID("A"), `c-1`, `c-2`)}},
	{"events unreadable", []int{44}, []string{`UPDATE log SET events = CAST('{}' AS BLOB) WHERE kind = 'stock'`}},
	{"journal unlinked", []int{48}, []string{`UPDATE movements SET previous = 0 WHERE pk = (SELECT max(pk) FROM movements)`}},
	{"journal lost its place", []int{48}, []string{`UPDATE positions SET chain = x'01' WHERE sku = 'S2' AND location = 'L02'`}},
	{"nobody did it", []int{54}, []string{`UPDATE log SET actor = '' WHERE seq = 5`}},
}

func TestEachCheckFindsItsPlant(t *testing.T) {
	base := t.TempDir()
	n := openSQLite(t, base)
	n.day()
	n.close()
	file, err := os.ReadFile(filepath.Join(base, sqlite.FileName))
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]bool{}
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, sqlite.FileName), file, 0o600); err != nil {
				t.Fatal(err)
			}
			edit(t, dir, p.sql...)
			r := run(t, dir)
			wantFailed(t, r, p.want...)
			for _, number := range failed(r) {
				found[number] = true
			}
		})
	}
	for _, c := range run(t, base).Checks {
		if !found[c.Number] {
			t.Errorf("no plant made check %d fail (%s)", c.Number, c.Name)
		}
	}
}

// A file that cannot be read to its end is never called sound.
func TestDamagedFile(t *testing.T) {
	dir := t.TempDir()
	n := openSQLite(t, dir)
	n.day()
	n.close()
	name := filepath.Join(dir, sqlite.FileName)
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	unsound := 0
	for p := 2; p < len(file)/page; p++ { // the schema, on the first pages, keeps the store from opening at all
		damaged := append([]byte(nil), file...)
		copy(damaged[p*page:], strings.Repeat("\xff", page))
		if err := os.WriteFile(name, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := sqlite.OpenReadOnly(context.Background(), dir)
		if err != nil {
			unsound++
			continue
		}
		r, err := audit.Run(context.Background(), s, audit.Options{})
		s.Close()
		if err == nil && r.OK {
			t.Errorf("page %d is damaged and the audit found nothing", p)
		}
		unsound++
	}
	if unsound == 0 {
		t.Fatal("no page was damaged")
	}
}

// trade runs random commands; refusals are part of it.
func (n *node) trade(r *rand.Rand, commands int, pauses bool) {
	ctx := context.Background()
	skus := []string{"S0", "S1", "S2", "S3", "K"}
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	var orders, reservations []string
	steps := []string{"accept", "reject", "pick", "pack", "ship", "ready", "handover", "deliver", "ship", "deliver"}
	for i := range commands {
		n.clock.Add(int64(r.IntN(int(20 * time.Millisecond))))
		if pauses && i%100 == 99 { // long enough for every timer
			n.clock.Add(int64(6 * time.Minute))
			n.settle()
		}
		switch k := r.IntN(20); {
		case k < 4:
			b := basket(fmt.Sprint("o", r.Int64()), 1+r.Int64N(4), pick(skus), pick(skus))
			if r.IntN(3) == 0 && len(reservations) > 0 {
				b.ReservationID = pick(reservations)
			}
			if r.IntN(4) == 0 {
				b.Method, b.PickupLocation = order.Pickup, "L01"
			}
			if reply, ok := n.may(n.Capture(ctx, b, who)); ok {
				orders = append(orders, reply.Value.(*order.Order).ID)
			}
		case k < 7:
			reply, ok := n.may(n.Reserve(ctx, &inventory.NewReservation{
				Channel: "web", Partial: r.IntN(2) == 0, TTLSeconds: 1 + r.Int64N(200),
				Lines: []inventory.NewReservationLine{{SKU: pick(skus), Quantity: 1 + r.Int64N(6)}, {SKU: pick(skus), Quantity: 1}},
			}, who))
			if ok {
				reservations = append(reservations, reply.Value.(*inventory.Reservation).ID)
			}
		case k < 8 && len(reservations) > 0:
			n.may(n.ReleaseReservation(ctx, pick(reservations), who))
		case k < 9 && len(reservations) > 0:
			n.may(n.ExtendReservation(ctx, pick(reservations), time.Minute, who))
		case k < 10 && len(orders) > 0:
			c := order.Cancellation{Reason: "x"}
			if r.IntN(2) == 0 {
				c.Lines = []order.LineQuantity{{Line: "1", Quantity: 1}}
			}
			n.may(n.Cancel(ctx, pick(orders), c, who))
		case k < 11:
			n.may(n.Adjust(ctx, &engine.Adjustments{Reason: "receipt", Items: []engine.Adjustment{
				{SKU: pick(skus[:4]), Location: fmt.Sprintf("L%02d", r.IntN(3)), Quantity: r.Int64N(12) - 3}}}, who))
		case k < 12:
			n.may(n.Count(ctx, &engine.Count{AsOf: n.Now().Add(-time.Second), Items: []engine.CountedItem{
				{SKU: pick(skus[:4]), Location: fmt.Sprintf("L%02d", r.IntN(3)), OnHand: r.Int64N(10)}}}, who))
		case k < 13:
			n.may(n.SetSafety(ctx, []engine.SafetyItem{{SKU: pick(skus[:4]), Location: "L00", Quantity: r.Int64N(3)}}, who))
		case len(orders) > 0:
			s := order.Step{Command: pick(steps), Reason: pick([]string{"", "damaged"})}
			if r.IntN(4) == 0 {
				s.Lines = []order.LineQuantity{{Line: "1", Quantity: 1}}
				if s.Command == "pick" && r.IntN(2) == 0 {
					s.Lines[0].Quantity, s.Lines[0].Short = 0, 1
				}
			}
			n.may(n.Step(ctx, fmt.Sprintf("%s-%d", orders[max(0, len(orders)-1-r.IntN(8))], 1+r.IntN(2)), s, who))
		}
	}
}

func TestRandomTradeIsSound(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			n := openSQLite(t, dir)
			n.retailer(6)
			n.trade(rand.New(rand.NewPCG(seed, 1)), 600, true)
			wantFailed(t, run(t, dir))
		})
	}
}

// Audits beside writers see one state each, and all of them are sound.
func TestBesideWriters(t *testing.T) {
	dir := t.TempDir()
	n := openSQLite(t, dir)
	n.retailer(20)
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() { n.trade(rand.New(rand.NewPCG(uint64(i), 2)), 300, i == 0) })
	}
	stopped := make(chan struct{})
	go func() { writers.Wait(); close(stopped) }()
	var last int64
	for audits := 0; ; audits++ {
		r := run(t, dir)
		wantFailed(t, r)
		if r.Heads[0] < last {
			t.Errorf("the log went back from row %d to %d", last, r.Heads[0])
		}
		last = r.Heads[0]
		select {
		case <-stopped:
			if audits == 0 {
				t.Error("no audit ran beside the writers")
			}
			return
		default:
		}
	}
}
