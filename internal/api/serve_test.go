package api_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/store/sqlite"
)

// serve opens an engine on an empty store and returns it with its API, open to
// everybody, until the test ends.
func serve(t *testing.T, clock func() time.Time) (*engine.Engine, http.Handler) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	log := slog.New(slog.DiscardHandler)
	e, err := engine.Open(t.Context(), db, engine.Options{Log: log, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	e.Run()
	t.Cleanup(e.Close)
	return e, api.New(e, api.Options{Open: true, Log: log}).Handler()
}
