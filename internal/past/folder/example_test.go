package folder

import (
	"testing"

	"github.com/orderly-oms/orderly/internal/past"
)

func TestExampleIsUsable(t *testing.T) {
	dir := t.TempDir()
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	w, _ := past.NewMemory()
	h, err := Convert(t.Context(), dir, w)
	if err != nil {
		t.Fatal(err)
	}
	if h.Orders != exampleOrders {
		t.Errorf("%d orders, want %d", h.Orders, exampleOrders)
	}
	for _, f := range h.Quality {
		if f.Matters == "high" || f.Missing[0] == 'r' {
			t.Errorf("the example lacks something: %+v", f)
		}
	}
	if err := Init(dir); err == nil {
		t.Error("a folder with files in it was overwritten")
	}
}
