// Package e2e holds the tests that drive the real program from outside: the
// built binary as child processes, over HTTP, on real SQLite and PostgreSQL.
//
// They prove what no test inside one process can: that what was acknowledged
// survives kill -9, a crash of the database and a full disk; that several nodes
// never sell a unit twice; that histories of concurrent requests are
// linearizable; that a node drains on SIGTERM; and that nobody gets past the
// scopes or brings a node down with rubbish.
//
// `go test` runs short versions. ORDERLY_E2E_KILLS sets how often the crash tests
// kill (make crash), ORDERLY_E2E_ROUNDS how many rounds of random concurrent
// requests are checked (make soak).
//
// The package has no code beside its tests and measures nothing: cmd/orderly
// bench does that.
package e2e
