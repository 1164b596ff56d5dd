package postgres_test

import (
	"sync"
	"testing"

	"github.com/orderly-oms/orderly/internal/pgtest"
	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/store/postgres"
	"github.com/orderly-oms/orderly/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	var urls sync.Map // of the database by store
	openURL := func(t *testing.T, url string) store.Store {
		s := open(t, url, postgres.Options{Buckets: 4})
		urls.Store(s, url)
		return s
	}
	storetest.Run(t,
		func(t *testing.T) store.Store { return openURL(t, pgtest.NewDatabase(t)) },
		storetest.Again(func(t *testing.T, s store.Store) store.Store {
			url, _ := urls.Load(s.(*postgres.Store))
			return openURL(t, url.(string))
		}))
}
