package exception

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestDictionary(t *testing.T) {
	t.Parallel()
	if !slices.IsSortedFunc(types, func(a, b Type) int { return compareText(a.ID, b.ID) }) {
		t.Error("the types are not sorted, so that some are not found")
	}
	for _, x := range types {
		if got := Lookup(x.ID); got.ID != x.ID || !Known(x.ID) {
			t.Errorf("%s is not found", x.ID)
		}
		if x.Title == "" || x.Meaning == "" || x.Team == "" || x.Seconds < 1 || x.Concern == "" {
			t.Errorf("%s is not whole: %+v", x.ID, x)
		}
		seen := map[string]bool{}
		for _, id := range x.Fixes {
			if _, ok := FixOf(id); !ok || seen[id] {
				t.Errorf("%s suggests %s, which is unknown or there twice", x.ID, id)
			}
			seen[id] = true
		}
		if !seen[FixClose] || !seen[FixWait] {
			t.Errorf("%s cannot be closed or set aside", x.ID)
		}
	}
	custom := Lookup("gift_card_lost")
	if Known(custom.ID) || custom.Title != "Gift card lost" || !slices.Contains(custom.Fixes, FixClose) || custom.Team == "" {
		t.Errorf("a type of the retailer's own: %+v", custom)
	}
}

// Types that the program or a ready flow opens are in the dictionary.
func TestEveryTypeIsKnown(t *testing.T) {
	t.Parallel()
	found := 0
	look := func(pattern string, is *regexp.Regexp) {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range is.FindAllSubmatch(text, -1) {
				if found++; !Known(string(m[1])) {
					t.Errorf("%s opens exceptions of type %s, which is not in types.go", file, m[1])
				}
			}
		}
	}
	look("../flow/library/*.yaml", regexp.MustCompile(`\bexception: *\{ *type: *([a-z_]+)`))
	look("../order/*.go", regexp.MustCompile(`\b[eE]xception[A-Z]\w* += "([a-z_]+)"`))
	look("../order/*.go", regexp.MustCompile(`\bException\{\s*Type: "([a-z_]+)"`))
	look("../engine/*.go", regexp.MustCompile(`\bexception[A-Z]\w* += "([a-z_]+)"`))
	look("../engine/*.go", regexp.MustCompile(`\bException\{\s*Type: "([a-z_]+)"`))
	if found < 15 {
		t.Errorf("only %d types were found", found)
	}
}

// TestDocumentation finds every type, team and fix in docs/exceptions.md.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/exceptions.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range types {
		row := fmt.Sprintf("| `%s` | %s | %s | %d | %s |", x.ID, x.Meaning, x.Team, x.Seconds, strings.Join(x.Fixes, ", "))
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/exceptions.md lacks\n%s", row)
		}
	}
	for _, f := range fixes {
		if !strings.Contains(string(page), "| `"+f.ID+"` |") {
			t.Errorf("docs/exceptions.md lacks the fix %s", f.ID)
		}
	}
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// What rules may apply is said in two places, which must agree.
func TestRuleFixes(t *testing.T) {
	t.Parallel()
	var can []string
	for _, f := range Fixes() {
		if f.Rule {
			can = append(can, f.ID)
		}
		for _, name := range append(slices.Clone(f.Needs), f.Takes...) {
			if !slices.Contains([]string{"location", "service", "hold", "hours", "amount", "lines", "reason"}, name) {
				t.Errorf("%s takes %s, which there is not", f.ID, name)
			}
		}
	}
	slices.Sort(can)
	if !slices.Equal(can, policy.RuleFixes) {
		t.Errorf("rules may apply %v, policies allow %v", can, policy.RuleFixes)
	}
	if d := policy.Default(policy.KindExceptions).Exceptions; d.PromiseValue != DefaultPromiseValue || d.LateHourValue != DefaultLateHourValue || d.AgePercentPerDay != DefaultAgePercentPerDay {
		t.Errorf("the default policy prices otherwise: %+v", d)
	}
}

func TestArgumentsAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fix     string
		args    Args
		pointer string
	}{
		{"burn", Args{}, "fix"},
		{FixShipFrom, Args{}, "location"},
		{FixClose, Args{Location: "dc"}, "location"},
		{FixWait, Args{Hours: 721}, "hours"},
		{FixWait, Args{Hours: -1}, "hours"},
		{FixRefund, Args{Amount: -1}, "amount"},
		{FixReship, Args{Lines: []order.LineQuantity{{Line: "1"}}}, "lines[0].quantity"},
		{FixReship, Args{Lines: []order.LineQuantity{{Line: "1", Quantity: 1, Short: 1}}}, "lines[0]"},
	} {
		var bad problem.Invalid
		if err := Check(c.fix, &c.args); !errors.As(err, &bad) || len(bad) != 1 || bad[0].Pointer != c.pointer {
			t.Errorf("%s %+v: %v, want %s", c.fix, c.args, err, c.pointer)
		}
	}
}

func anyStake(t *rapid.T) (Stake, Terms, time.Time) {
	s := Stake{
		Money: rapid.Int64Range(0, order.MaxAmount).Draw(t, "money"), Promises: rapid.Int64Range(0, 1).Draw(t, "promises"),
		due: noon.Add(time.Duration(rapid.Int64Range(-2000, 2000).Draw(t, "due")) * time.Hour), opened: noon,
	}
	s.hundredth = hundredths(s.Money, rapid.SampledFrom([]string{"EUR", "JPY", "KWD", ""}).Draw(t, "currency"))
	terms := Terms{
		PromiseValue: rapid.Int64Range(0, 100_000_000).Draw(t, "promise value"), LateHourValue: rapid.Int64Range(0, 1_000_000).Draw(t, "late value"),
		AgePercentPerDay: rapid.Int64Range(0, 1000).Draw(t, "age"),
	}
	return s, terms, noon.Add(time.Duration(rapid.Int64Range(0, 3000).Draw(t, "now")) * time.Hour)
}

// TestRankNeverFalls holds the order of the queue: more money, more promises, more lateness or more age never
// rank lower, and no amount overflows.
func TestRankNeverFalls(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, terms, now := anyStake(t)
		rank := s.Price(terms, now).Rank
		if rank < 1 {
			t.Fatalf("rank %d of %+v", rank, s)
		}
		more := s
		more.hundredth += rapid.Int64Range(0, order.MaxAmount).Draw(t, "more money")
		promised := s
		promised.Promises = 1
		later := s
		later.expected = s.due.Add(time.Duration(rapid.Int64Range(0, 5000).Draw(t, "later")) * time.Hour)
		for what, p := range map[string]Price{
			"more money": more.Price(terms, now), "a promise": promised.Price(terms, now), "later": later.Price(terms, now),
			"older": s.Price(terms, now.Add(time.Duration(rapid.Int64Range(0, 5000).Draw(t, "older"))*time.Hour)),
		} {
			if p.Rank < rank {
				t.Fatalf("%s ranks %d, less than %d", what, p.Rank, rank)
			}
		}
	})
}

// TestRankFormula follows docs/exceptions.md by hand.
func TestRankFormula(t *testing.T) {
	t.Parallel()
	terms := Terms{PromiseValue: 1500, LateHourValue: 50, AgePercentPerDay: 20}
	s := Stake{Money: 80_00, hundredth: 80_00, Promises: 1, due: noon, opened: noon.Add(-12 * time.Hour)}
	p := s.Price(terms, noon.Add(36*time.Hour))
	// (8000 + 1500 + 36 × 50) × (100 % + 20 % × 2 days)
	if p.Rank != 11300*140/100 || p.HoursLate != 36 {
		t.Errorf("%+v", p)
	}
	if yen, euro := hundredths(80, "JPY"), hundredths(8000, "EUR"); yen != euro {
		t.Errorf("80 yen count %d, 80 euros %d", yen, euro)
	}
}

// The money of an exception is that of the units it is about.
func TestMoneyAtRisk(t *testing.T) {
	t.Parallel()
	o := &order.Order{
		Currency: "EUR", Promise: order.Promise{DeliverBy: noon},
		Lines: []order.Line{{ID: "1", Quantity: 4, Total: 4000, Fulfilled: 2, Allocated: 1, Backordered: 1}},
		Fulfillments: []order.Fulfillment{
			{ID: "f1", Status: order.FulfillmentDelivered, DeliveredAt: noon, Lines: []order.FulfillmentLine{{Line: "1", Quantity: 2, Shipped: 2}}},
			{ID: "f2", Lines: []order.FulfillmentLine{{Line: "1", Quantity: 1}}, Promise: order.Promise{DeliverBy: noon}},
		},
	}
	for _, c := range []struct {
		x        order.Exception
		money    int64
		promises int64
	}{
		{order.Exception{Type: "acceptance_overdue", FulfillmentID: "f2"}, 1000, 1},
		{order.Exception{Type: "delivery_overdue", FulfillmentID: "f1"}, 0, 0},
		{order.Exception{Type: "stock_short"}, 1000, 1},
		{order.Exception{Type: "flow_missed"}, 2000, 0},
		{order.Exception{Type: "missing_there", Data: map[string]string{"amount": "77"}}, 77, 0},
		{order.Exception{Type: "stock_short", Data: map[string]string{"penalty": "500"}}, 1500, 1},
		{order.Exception{Type: "missing_there", Data: map[string]string{"amount": "-5"}}, 0, 0},
	} {
		if s := StakeOf(o, &c.x); s.Money != c.money || s.Promises != c.promises {
			t.Errorf("%+v: %d, %d promises; want %d, %d", c.x, s.Money, s.Promises, c.money, c.promises)
		}
	}
}

func TestParseLines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1:2,3:1": "[{1 2 0 0} {3 1 0 0}]", "": "[]", "1": "[]", "1:x": "[]", "1:-2": "[]", "1:99999999": "[]", "a:1,,": "[{a 1 0 0}]",
	} {
		if got := fmt.Sprint(parseLines(text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
