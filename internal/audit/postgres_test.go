package audit_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/orderly-oms/orderly/internal/pgtest"
	"github.com/orderly-oms/orderly/internal/store/postgres"
)

// pgPlants are edits in SQL, each with the one that takes it back.
var pgPlants = []struct {
	name     string
	want     []int
	sql, end string
}{
	{"counter off", []int{2}, "update positions set reserved = reserved + 1 where sku = 'S3' and location = 'L00'", "update positions set reserved = reserved - 1 where sku = 'S3' and location = 'L00'"},
	{"movement of another row", []int{2}, "update movements set log_seq = log_seq + 1000000 where reason = 'damage'", "update movements set log_seq = log_seq - 1000000 where reason = 'damage'"},
	{"picked to nowhere", []int{1, 34}, "update movements set to_account = 'nowhere' where to_account = 'shipped'", "update movements set to_account = 'shipped' where to_account = 'nowhere'"},
	{"timer moved", []int{41}, "update records set wake = -wake where kind = 'reservation' and state = 'held'", "update records set wake = -wake where kind = 'reservation' and state = 'held'"},
	{"order lost", []int{34}, "update records set kind = 'order?' where kind = 'order' and external_id = 'A'", "update records set kind = 'order' where kind = 'order?'"},
	{"log counted on", []int{37}, "update log_heads set seq = seq + 1 where bucket = 1", "update log_heads set seq = seq - 1 where bucket = 1"},
	{"answer without hash", []int{38}, "update answers set hash = ''", "update answers set hash = 'x'"},
	{"document edited", []int{44}, "update records set body = body || ' ' where kind = 'sku' and id = 'S1'", "update records set body = substring(body for length(body) - 1) where kind = 'sku' and id = 'S1'"},
	{"nobody did it", []int{54}, "update log set command = '' where seq = 1 and bucket = 0", "update log set command = 'x' where seq = 1 and bucket = 0"},
}

func TestPostgres(t *testing.T) {
	url := pgtest.NewDatabase(t)
	ctx := context.Background()
	s, err := postgres.Open(ctx, url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := open(t, s)
	n.day()
	wantFailed(t, runStore(t, s))
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(ctx)
	for _, p := range pgPlants {
		if _, err := db.Exec(ctx, p.sql); err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		t.Run(p.name, func(t *testing.T) { wantFailed(t, runStore(t, s), p.want...) })
		if _, err := db.Exec(ctx, p.end); err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
	}
	wantFailed(t, runStore(t, s))
	if _, err := db.Exec(ctx, "create extension amcheck"); err != nil {
		t.Fatal(err)
	}
	r := runStore(t, s)
	wantFailed(t, r)
	for _, c := range r.Checks {
		if c.Number == 48 && c.LookedAt == 0 {
			t.Errorf("amcheck did not run: %v", c.Notes)
		}
	}
}

func TestPostgresTradeIsSound(t *testing.T) {
	s, err := postgres.Open(context.Background(), pgtest.NewDatabase(t), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := open(t, s)
	n.retailer(6)
	done := make(chan struct{})
	go func() { defer close(done); n.trade(rand.New(rand.NewPCG(3, 3)), 400, true) }()
	for {
		wantFailed(t, runStore(t, s))
		select {
		case <-done:
			return
		default:
		}
	}
}
