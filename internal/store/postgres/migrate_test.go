package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"

	"github.com/orderly-oms/orderly/internal/pgtest"
)

func TestNodesStartTogetherOnAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	url := pgtest.NewDatabase(t)
	errs := make([]error, 6)
	buckets := make([]int, len(errs))
	var nodes sync.WaitGroup
	for i := range errs {
		nodes.Go(func() {
			s, err := Open(context.Background(), url, Options{Buckets: 2 + i})
			if errs[i] = err; err == nil {
				buckets[i] = s.Buckets()
				errs[i] = s.Close()
			}
		})
	}
	nodes.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, n := range buckets {
		if n != buckets[0] || n < 2 || n >= 2+len(errs) {
			t.Errorf("the nodes disagree on the number of buckets: %v", buckets)
		}
	}
}

func TestOtherSchemaVersionsAreRefused(t *testing.T) {
	t.Parallel()
	url := pgtest.NewDatabase(t)
	if err := Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	newer := fstest.MapFS{"00099_more.sql": {Data: []byte("-- +goose Up\ncreate table more (n int);\n")}}
	first, err := migrationFiles.ReadFile("migrations/00001_create_store.sql")
	if err != nil {
		t.Fatal(err)
	}
	newer["00001_create_store.sql"] = &fstest.MapFile{Data: first}

	err = prepareSchema(t.Context(), url, newer)
	if err == nil || !strings.Contains(err.Error(), "run orderly migrate") || !strings.Contains(err.Error(), "version 1 ") {
		t.Errorf("an older schema: %v", err)
	}
	err = withProvider(url, newer, func(p *goose.Provider) error { return migrateUp(t.Context(), p) })
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), url, Options{})
	if err == nil || !strings.Contains(err.Error(), "version 99 ") || !strings.Contains(err.Error(), "up to 1:") {
		t.Errorf("a newer schema: %v", err)
	}
}

// TestPlansUseIndexes reads the plan of every statement of a batch as a fresh store makes it:
// the rows of the batch one by one, each looked up through an index. Any other
// plan gets slow, or locks in another order, once tables have grown.
func TestPlansUseIndexes(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), pgtest.NewDatabase(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := s.writes.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, st := range writeStatements {
		if st.name == begin.name || st.name == commit.name {
			continue
		}
		description, err := conn.Conn().Prepare(t.Context(), st.name+"_described", st.sql)
		if err != nil {
			t.Fatal(err)
		}
		nulls := strings.TrimSuffix(strings.Repeat("null,", len(description.ParamOIDs)), ",")
		rows, err := conn.Query(t.Context(), "explain execute "+st.name+"("+nulls+")", pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(lines, "\n")
		for _, bad := range []string{"Seq Scan", "Hash Join", "Merge Join", "Bitmap"} {
			if strings.Contains(plan, bad) {
				t.Errorf("%s has a %s:\n%s", st.name, bad, plan)
			}
		}
		batch, index := strings.Index(plan, "ProjectSet"), strings.Index(plan, "positions_pkey")
		if st.name == changePositions.name && (batch < 0 || index < batch) {
			t.Errorf("%s does not take its rows in the order of the batch:\n%s", st.name, plan)
		}
	}
}
