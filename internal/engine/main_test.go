package engine_test

import (
	"flag"
	"os"
	"testing"

	"github.com/orderly-oms/orderly/internal/pgtest"
)

func TestMain(m *testing.M) {
	// A check of TestStoresAgree makes two stores; -rapid.checks asks for more.
	if err := flag.Set("rapid.checks", "12"); err != nil {
		panic(err)
	}
	os.Exit(pgtest.Main(m))
}
