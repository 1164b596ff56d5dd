package bulk

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/problem"
)

// summary writes a report as "2 accepted, 1 rejected; 3 A on_hand malformed".
func summary(r Report) string {
	s := fmt.Sprintf("%d accepted, %d rejected", r.Accepted, r.Rejected)
	for _, e := range r.Errors {
		s += fmt.Sprintf("; %d %s %s %s", e.Line, e.ID, e.Pointer, e.Code)
	}
	return s
}

func readAll[T any](table *Table[T], format Format, text string, l limits) (Report, error) {
	return table.read(strings.NewReader(text), format, l, func(int, *T) error { return nil })
}

var defaults = limits{MaxRowBytes, MaxRows, MaxErrors}

func TestEveryRejectedRowIsNamed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		format Format
		text   string
		want   string
	}{
		{"mark, order and case of columns", CSV, "\ufeffLocation, SKU ,on_hand\r\ndc,A,1\r\n", "1 accepted, 0 rejected"},
		{"no rows", CSV, "sku,location,on_hand\n", "0 accepted, 0 rejected"},
		{"no newline at the end, blank lines", CSV, "sku,location,on_hand\n\nA,dc,1\n\n\nB,dc,2", "2 accepted, 0 rejected"},
		{"bad cells", CSV, "sku,location,on_hand,as_of\nA,dc,1.5,yesterday\n,dc,-1,\nC,dc,3,2026-01-02T03:04:05+01:00\n",
			"1 accepted, 2 rejected; 2 A on_hand malformed; 2 A as_of malformed; 3  sku required; 3  on_hand out_of_range"},
		{"no count is not a count of zero", CSV, "sku,location,on_hand\nA,dc,\n", "0 accepted, 1 rejected; 2 A on_hand required"},
		{"no count column either", CSV, "sku,location\nA,dc\n", "0 accepted, 1 rejected; 2 A on_hand required"},
		{"too few and too many cells", CSV, "sku,location,on_hand\nA,dc\nB,dc,1,2\nC,dc,1\n", "1 accepted, 2 rejected; 2 A  malformed; 3 B  malformed"},
		{"broken quote", CSV, "sku,location,on_hand\nA,d\"c,1\n\"B\"x,dc,1\nC,dc,1\n", "1 accepted, 2 rejected; 2   malformed; 3   malformed"},
		{"quote that never closes", CSV, "sku,location,on_hand\nA,dc,1\n\"B,dc,1\nC,dc,1\n", "1 accepted, 1 rejected; 3   malformed"},
		{"line of a row after a quoted newline", CSV, "sku,location,on_hand\n\"A\nB\",dc,1\nC,,1\n", "0 accepted, 2 rejected; 2 A\nB sku malformed; 4 C location required"},
		{"not UTF-8", CSV, "sku,location,on_hand\nA\xff,dc,1\n", "0 accepted, 1 rejected; 2  sku malformed"},
		{"formula mark is taken away", CSV, "sku,location,on_hand\n'=A,dc,x\n", "0 accepted, 1 rejected; 2 =A on_hand malformed"},
		{"lines", JSONLines, "\ufeff{\"sku\":\"A\",\"location\":\"dc\",\"on_hand\":1}\r\n\n{\"sku\":\"B\",\"location\":\"dc\",\"on_hand\":0}", "2 accepted, 0 rejected"},
		{"bad lines", JSONLines, strings.Join([]string{
			`{"sku":"A","location":"dc","on_hand":"1"}`, `{"sku":"B","location":"dc","on_hand":1,"onhand":1}`, `{"sku":"C","location":"dc"}`, `{"sku":"D"`,
			`{"sku":"E","location":"dc","on_hand":1} {}`, `[]`, `null`, `{"sku":"G","location":"dc","on_hand":1,"as_of":"now"}`, "\"\xff\"", `{"sku":"H","location":"dc","on_hand":1}`,
		}, "\n"), "1 accepted, 9 rejected; 1 A on_hand malformed; 2 B onhand unknown; 3 C on_hand required; 4   malformed; 5 E  malformed; 6   malformed; " +
			"7  sku required; 7  location required; 7  on_hand required; 8 G  malformed; 9   malformed"},
	}
	for _, tt := range tests {
		report, err := readAll(StockTable, tt.format, tt.text, defaults)
		if got := summary(report); err != nil || got != tt.want {
			t.Errorf("%s: %v\n got %s\nwant %s", tt.name, err, got, tt.want)
		}
	}
}

func TestFileRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		format     Format
		text, want string
	}{
		"unknown column":   {CSV, "sku,qty,location,on_hand\n", `column 2, "qty", is not known; the columns of stock are sku, location, on_hand, as_of`},
		"column twice":     {CSV, "sku,SKU\n", `the column "sku" is there twice`},
		"empty":            {CSV, "", "the first row must name the columns: sku, location, on_hand, as_of"},
		"header not CSV":   {CSV, "sk\"u\n", "the header is not CSV"},
		"UTF-16":           {CSV, "\xff\xfes\x00", "UTF-16"},
		"format not known": {"xml", "<a/>", "use csv or jsonl"},
	} {
		_, err := readAll(StockTable, tt.format, tt.text, defaults)
		var invalid problem.Invalid
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := StockTable.Write(io.Discard, "xml", func(func(Stock) bool) {}); err == nil {
		t.Error("wrote an unknown format")
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	rows := func(n int) string { return "sku,location,on_hand\n" + strings.Repeat("A,,1\n", n) }
	report, err := readAll(StockTable, CSV, rows(3), limits{1000, 3, 2})
	if err != nil || report.Rejected != 3 || len(report.Errors) != 2 || report.ErrorsOmitted != 1 {
		t.Errorf("errors are not bounded: %+v, %v", report, err)
	}
	if report, err = readAll(StockTable, CSV, rows(4), limits{1000, 3, 2}); err == nil || report.Rejected != 3 || !strings.Contains(err.Error(), "line 5") {
		t.Errorf("rows are not bounded: %+v, %v", report, err)
	}
	exact, over := `{"sku":"A","location":"dc","on_hand":1}`, `{"sku":"A","location":"dc","on_hand":10}`
	report, err = readAll(StockTable, JSONLines, exact+"\r\n"+over+"\n"+strings.Repeat("x", 200_000)+"\n"+exact, limits{len(exact), 9, 9})
	if want := "2 accepted, 2 rejected; 2   too_long; 3   too_long"; err != nil || summary(report) != want {
		t.Errorf("lines are not bounded: %s, %v", summary(report), err)
	}
	const limit = 10_000
	fits := "A," + strings.Repeat("x", limit-5) + ",1\n" // id too long, but the row is read
	report, err = readAll(StockTable, CSV, rows(0)+fits+"B,dc,1\n", limits{limit, 9, 9})
	if err != nil || summary(report) != "1 accepted, 1 rejected; 2 A location too_long" {
		t.Errorf("row at the limit: %s, %v", summary(report), err)
	}
	for _, text := range []string{"x" + fits, "\"" + strings.Repeat("x\n", 10*limit)} {
		report, err = readAll(StockTable, CSV, rows(0)+"B,dc,1\n"+text+"C,dc,1\n", limits{limit, 9, 9})
		if err == nil || !strings.Contains(err.Error(), "after line 2 has more than 10000 bytes") || report.Accepted != 1 {
			t.Errorf("row beyond the limit: %s, %v", summary(report), err)
		}
	}
	var tags []string
	for range 3 * MaxErrorsPerRow {
		tags = append(tags, " ")
	}
	report, err = readAll(SKUTable, CSV, "sku,tags\nA,"+strings.Join(tags, "|")+"\n", defaults)
	if err != nil || len(report.Errors) != MaxErrorsPerRow || report.Errors[MaxErrorsPerRow-1].Code != problem.TooMany {
		t.Errorf("errors of a row are not bounded: %d, %v", len(report.Errors), err)
	}
}

func TestOpenQuoteDoesNotPullInTheFile(t *testing.T) {
	t.Parallel()
	good := "sku,location,on_hand\n" + strings.Repeat("B,dc,1\n", 1000)
	file := strings.NewReader(good + "\"" + strings.Repeat("x\n", 1<<20))
	report, err := StockTable.read(file, CSV, limits{1000, 2000, 9}, func(int, *Stock) error { return nil })
	if err == nil || report.Accepted != 1000 {
		t.Fatalf("%s, %v", summary(report), err)
	}
	if file.Len() < 1<<20 {
		t.Errorf("only %d bytes were left unread", file.Len())
	}
}

func TestAcceptMayRejectOrStop(t *testing.T) {
	t.Parallel()
	const text = "sku,location,on_hand\nA,dc,1\nB,moon,1\nC,dc,1\n"
	report, err := StockTable.Read(strings.NewReader(text), CSV, func(_ int, s *Stock) error {
		if s.Location == "moon" {
			return fmt.Errorf("look up: %w", problem.Invalid{{Pointer: "location", Code: problem.Unknown}})
		}
		return nil
	})
	if want := "2 accepted, 1 rejected; 3 B location unknown"; err != nil || summary(report) != want {
		t.Errorf("%s, %v", summary(report), err)
	}
	full := errors.New("disk full")
	report, err = StockTable.Read(strings.NewReader(text), CSV, func(line int, _ *Stock) error {
		if line == 3 {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) || report.Accepted != 1 {
		t.Errorf("%s, %v", summary(report), err)
	}
}

func TestReadErrorIsReturned(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection lost")
	for _, format := range []Format{CSV, JSONLines} {
		r := io.MultiReader(strings.NewReader("sku,location,on_hand\n"), failing{lost})
		if _, err := StockTable.Read(r, format, func(int, *Stock) error { return nil }); !errors.Is(err, lost) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestCellsOfLocationsAndSKUs(t *testing.T) {
	t.Parallel()
	var l network.Location
	report, err := LocationTable.Read(strings.NewReader("id,type,country,time_zone,hours,exceptions,cutoffs,capabilities,orders_per_day\n"+
		"dc,dc,DE,Europe/Berlin,mon-fri 09:00-18:00; sat 10:00-16:00,2026-12-25 closed,14:00|express = 12:00,ship | pickup,0\n"+
		"bad,dc,de,Mars,mon 18:00-09:00,,25:00,fly,-1\n"+
		"worse,dc,DE,Europe/Berlin,whenever,someday,a=b=c,,many\n"),
		CSV, func(_ int, row *network.Location) error { l = *row; return nil })
	want := "1 accepted, 2 rejected; 3 bad cutoffs malformed; 3 bad country unknown; 3 bad time_zone unknown; 3 bad hours out_of_range; 3 bad capabilities unknown; 3 bad orders_per_day out_of_range; " +
		"4 worse hours malformed; 4 worse exceptions malformed; 4 worse cutoffs malformed; 4 worse orders_per_day malformed"
	if err != nil || summary(report) != want {
		t.Errorf("%v\n got %s\nwant %s", err, summary(report), want)
	}
	if len(l.Cutoffs) != 2 || l.Cutoffs[1] != (network.Cutoff{Service: "express", Time: 720}) || len(l.Capabilities) != 2 || *l.Capacity.OrdersPerDay != 0 || !l.Calendar.Exceptions[0].Closed {
		t.Errorf("read as %+v", l)
	}
	var s catalog.SKU
	report, err = SKUTable.Read(strings.NewReader("sku,price,currency,components,attributes,active\n"+
		"A,19.9,EUR,B=2|C=1,color=re\\|d|size=,FALSE\n"+"B,19.999,EUR,,,\n"+"C,1,,B,x,maybe\n"+"D,,EUR,B=x,a=1|a=2,\n"),
		CSV, func(_ int, row *catalog.SKU) error { s = *row; return nil })
	want = "1 accepted, 3 rejected; 3 B price malformed; 4 C price malformed; 4 C components malformed; 4 C active malformed; 4 C attributes malformed; 5 D components malformed; 5 D attributes malformed"
	if err != nil || summary(report) != want {
		t.Errorf("%v\n got %s\nwant %s", err, summary(report), want)
	}
	if s.Price.Amount != 1990 || s.Components[0] != (catalog.Component{SKU: "B", Quantity: 2}) || s.Attributes["color"] != "re|d" || s.Attributes["size"] != "" || s.IsActive() {
		t.Errorf("read as %+v", s)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("sku,price,currency,components,attributes\nA,1,EUR,B=2|C=1,a=b\\|\n"), true)
	f.Add([]byte("{\"sku\":\"A\",\"price\":{\"amount\":1,\"currency\":\"EUR\"}}\n"), false)
	f.Fuzz(func(t *testing.T, text []byte, isCSV bool) {
		format := JSONLines
		if isCSV {
			format = CSV
		}
		accepted := 0
		report, _ := SKUTable.read(strings.NewReader(string(text)), format, limits{200, 20, 20}, func(_ int, s *catalog.SKU) error {
			accepted++
			if err := s.Validate(); err != nil {
				t.Fatalf("accepted %+v: %v", s, err)
			}
			return nil
		})
		if report.Accepted != accepted || (report.Rejected > 0) != (len(report.Errors) > 0) || report.Accepted+report.Rejected > 20 {
			t.Fatalf("report %+v of %d accepted", report, accepted)
		}
	})
}

func BenchmarkReadStock(b *testing.B) {
	for format, row := range map[Format]string{CSV: "SKU-00000001,dc-berlin,12,2026-01-02T03:04:05Z\n", JSONLines: `{"sku":"SKU-00000001","location":"dc-berlin","on_hand":12,"as_of":"2026-01-02T03:04:05Z"}` + "\n"} {
		b.Run(string(format), func(b *testing.B) {
			text := strings.Repeat(row, 1000)
			if format == CSV {
				text = "sku,location,on_hand,as_of\n" + text
			}
			for b.Loop() {
				if r, err := readAll(StockTable, format, text, defaults); err != nil || r.Accepted != 1000 {
					b.Fatal(r, err)
				}
			}
			b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
