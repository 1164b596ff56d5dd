package engine_test

import (
	"os"
	"testing"

	"github.com/orderly-oms/orderly/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
