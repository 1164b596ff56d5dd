package folder

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/past"
)

var small = map[string]string{
	"orders.csv":        "\xef\xbb\xbfOrder ID;Placed At;Country;Zip;Promised_By\r\na;2026-03-01 10:00;DE;80331;2026-03-04 18:00\r\nb;2026-03-02 10:00;DE;10115;2026-03-05 18:00\r\na;2026-03-02 11:00;DE;1;\r\n",
	"lines.csv":         "order,sku,qty,price\na,x,2,9.90\na,y,1,\"5,00\"\nb,x,1,9.90\nb,x,-1,9.90\nzz,x,1,1\n",
	"locations.csv":     "location,country,postal_code\ndc,DE,80000\nstore,DE,10000\n",
	"shipments.csv":     "order,location,shipped_at,sku,cost\na,dc,2026-03-01 15:00,x,5.10\na,store,2026-03-02 15:00,,\nb,moon,2026-03-03 9:00,,\n",
	"deliveries.csv":    "order,delivered_at\na,2026-03-04 12:00\n",
	"cancellations.csv": "order,cancelled_at,reason\nb,2026-03-03 08:00,changed mind\n",
}

func convert(t *testing.T, files map[string]string) (*past.Header, []past.Entry, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w, open := past.NewMemory()
	h, err := Convert(t.Context(), dir, w)
	if err != nil {
		return nil, nil, err
	}
	r, err := open()
	if err != nil {
		t.Fatal(err)
	}
	var entries []past.Entry
	for {
		var e past.Entry
		if err := r.Next(&e); err == io.EOF {
			return h, entries, nil
		} else if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
}

func TestConvert(t *testing.T) {
	h, entries, err := convert(t, small)
	if err != nil {
		t.Fatal(err)
	}
	var placed []past.Placed
	kinds := map[past.StepKind]int{}
	for i, e := range entries {
		if i > 0 && e.At.Before(entries[i-1].At) {
			t.Errorf("entry %d goes back in time", i)
		}
		if e.Decision != nil {
			placed = append(placed, e.Decision.Placed...)
		}
		if e.Step != nil {
			kinds[e.Step.Kind]++
		}
	}
	if h.Orders != 2 || h.Recorded || h.Source != "csv" {
		t.Errorf("header %+v", h)
	}
	if len(placed) != 2 || placed[0].Cost != 510 || placed[1].Cost != 490 || placed[1].Location != "store" {
		t.Errorf("placed %+v: want 5.10 as charged and 4.90 by the stated tariff", placed)
	}
	if kinds[past.StepShipped] != 2 || kinds[past.StepDelivered] != 2 || kinds[past.StepCancelled] != 1 || kinds[past.StepDone] != 2 {
		t.Errorf("steps %v", kinds)
	}
	var all strings.Builder
	for _, f := range h.Quality {
		all.WriteString(f.Subject + ": " + f.Missing + "\n")
	}
	for _, want := range []string{"orders.csv:4: order a is there twice", "lines.csv:5: quantity -1", "lines.csv:6: order \"zz\"", "shipments.csv:4: location \"moon\"", "stock.csv: the file is not there"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no finding %q in\n%s", want, all.String())
		}
	}
}

func TestEveryOptionalFileMayBeMissing(t *testing.T) {
	for _, f := range Files {
		some := map[string]string{}
		for name, text := range small {
			if name != f.Name {
				some[name] = text
			}
		}
		h, _, err := convert(t, some)
		switch {
		case f.Need && (err == nil || !strings.Contains(err.Error(), f.Name)):
			t.Errorf("without %s: %v", f.Name, err)
		case !f.Need && err != nil:
			t.Errorf("without %s: %v", f.Name, err)
		case !f.Need:
			found := false
			for _, q := range h.Quality {
				found = found || q.Subject == f.Name && q.Missing == "the file is not there" && q.Assumed == f.Default
			}
			if !found {
				t.Errorf("without %s: no finding says so", f.Name)
			}
		}
	}
}
