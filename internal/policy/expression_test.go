package policy

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"pgregory.net/rapid"
)

func everything() *Facts {
	return &Facts{
		Order: &Order{
			Channel: "web", Method: "ship", Service: "express", Currency: "EUR", Value: 12_000, Units: 3, WeightG: 900, Lines: 2, Customer: "c-1",
			Country: "DE", PostalCode: "10115", Region: "BE", City: "Berlin", Attributes: map[string]string{"gift": "yes", "note": ""},
			PlacedAt: time.Date(2026, 1, 4, 23, 0, 0, 0, time.UTC), Attempt: 1,
		},
		Line:      &Line{SKU: "shirt", Quantity: 2, UnitPrice: 3000, Value: 6000, WeightG: 600},
		SKU:       &SKU{ID: "shirt", Category: "tops", Tags: []string{"clearance", "summer"}, Attributes: map[string]string{"size": "M"}, WeightG: 300, Price: 3500, Kit: true},
		Location:  &Location{ID: "store-1", Type: "store", Country: "DE", Region: "BE", City: "Berlin", TimeZone: "Europe/Berlin", Tags: []string{"flagship"}, Capabilities: []string{"ship", "pickup"}, Priority: 4},
		Candidate: &Candidate{DistanceKm: 12.3456, DistanceKnown: true, Fill: 0.5, OrdersLeft: -1, CapacityUsed: 0.25, FailureRate: 0.02, DaysToDeliver: 2, Carrier: 490},
		Stock:     &Stock{Available: 7, OnHand: 9, Safety: 2, Velocity: 0.5, WeeksOfSupply: 2, BrokenRun: true, Price: 120},
		Returned:  &Returned{Reason: "too_small", Condition: "new", Method: "mail", Quantity: 1, Days: 9},
		Subject:   &Subject{State: "open", Status: "open", Payment: "none", Method: "ship", Units: 2, Holds: []string{"fraud"}, Exceptions: []string{"flow_missed"}},
		Exception: &Exception{Type: "stock_short", By: "core", Status: "open", Money: 100, Data: map[string]string{"sku": "A"}},
		Now:       time.Date(2026, 1, 5, 9, 30, 0, 0, time.UTC),
	}
}

func mustCompile(t testing.TB, want result, text string) *Expr {
	t.Helper()
	c := &compiler{doc: &Document{}}
	e := c.expression("x", text, scope{want: want, allowed: ^Uses(0)})
	if err := c.bad.Err(); err != nil || e == nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

func TestConditions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`location.type == "store" && candidate.distance_km < 500.0`:            true,
		`location.type == "store" && candidate.distance_km < 10`:               false,
		`"clearance" in sku.tags`:                                              true,
		`sku.tags.exists(t, t.startsWith("sum"))`:                              true,
		`"gift" in order.attributes && order.attributes["gift"] == "yes"`:      true,
		`has(order.attributes.wrap) && order.attributes.wrap == "yes"`:         false,
		`order.attributes.gift == "yes"`:                                       true,
		`order.postal_code.startsWith("10") || order.region in ["BE", "BB"]`:   true,
		`order.postal_code.matches("^1[0-4]")`:                                 true,
		`now - order.placed_at > duration("10h")`:                              true,
		`now.getDayOfWeek("Europe/Berlin") == 1`:                               true,
		`stock.available - line.quantity >= 5 && !candidate.complete`:          true,
		`stock.broken_run ? stock.available > 5 : stock.available > 50`:        true,
		`double(order.value) / double(order.units) > 3999.5`:                   true,
		`returned.reason == "too_small" && returned.days <= 14`:                true,
		`(order.attempt > 0 || order.value / (order.attempt - 1) > 1) == true`: true,
	} {
		e := mustCompile(t, condition, text)
		got, err := e.Bool(everything())
		if err != nil || got != want {
			t.Errorf("%s = %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		`220`:                              220,
		`2.5`:                              3,
		`-2.5`:                             -3,
		`2.4999`:                           2,
		`line.quantity * 110`:              220,
		`candidate.distance_km * 3.0`:      37,
		`location.type == "dc" ? 90 : 220`: 220,
		`sku.kit ? double(sku.price) * 0.1 : 0.0`: 350,
		`1000000000000000`:                        MaxAmount,
	} {
		if got, err := mustCompile(t, number, text).Int(everything()); err != nil || got != want {
			t.Errorf("%s = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{`1000000000000001`, `-1e16`, `1.0 / 0.0`, `0.0 / 0.0`, `stock.available / (order.attempt - 1)`, `9223372036854775807 + order.attempt`} {
		if got, err := mustCompile(t, number, text).Int(everything()); err == nil {
			t.Errorf("%s = %d, but it is no amount", text, got)
		}
	}
	if v, err := mustCompile(t, number, `1.0 / 0.0`).Number(everything()); err == nil {
		t.Errorf("1/0 is the number %g", v)
	}
}

func TestMissingFactsAreErrors(t *testing.T) {
	t.Parallel()
	f := everything()
	f.Stock = nil
	e := mustCompile(t, condition, `stock.available > 1 && candidate.distance_km > 1.0`)
	if _, err := e.Bool(f); err == nil {
		t.Error("a condition on a missing section is no error")
	}
	if got, err := mustCompile(t, condition, `candidate.distance_km > 1.0 || stock.available > 1`).Bool(f); err != nil || !got {
		t.Errorf("a true side does not decide: %v %v", got, err)
	}
	if _, err := mustCompile(t, condition, `candidate.complete || line.quantity / (order.attempt - 1) > 1`).Bool(f); err == nil {
		t.Error("dividing by zero is no error")
	}
	delete(f.Order.Attributes, "gift")
	if _, err := mustCompile(t, condition, `order.attributes["gift"] == "yes"`).Bool(f); err == nil {
		t.Error("a missing key is no error")
	}
}

func TestExprTellsWhatItReads(t *testing.T) {
	t.Parallel()
	e := mustCompile(t, condition, `has(order.attributes.gift) && sku.tags.exists(t, t == location.type) && now > order.placed_at`)
	if got := strings.Join(e.Reads(), " "); got != "location.type now order.attributes order.placed_at sku.tags" {
		t.Errorf("reads %s", got)
	}
	if e.Uses() != UsesOrder|UsesSKU|UsesLocation|UsesNow {
		t.Errorf("uses %s", e.Uses())
	}
	f := everything()
	var values []string
	for _, name := range append(e.Reads(), "candidate.distance_km", "stock.available", "sku.kit", "nothing.such") {
		values = append(values, e.Value(f, name))
	}
	want := "location.type=store now=2026-01-05T09:30:00Z order.attributes={gift:yes note:} order.placed_at=2026-01-04T23:00:00Z sku.tags=[clearance summer] " +
		"candidate.distance_km=12.346 stock.available=7 sku.kit=true nothing.such=unknown"
	if got := strings.Join(values, " "); got != want {
		t.Errorf("values\n%s, want\n%s", got, want)
	}
	f.Location.Type, f.Order.City, f.Stock = "", strings.Repeat("x", 300), nil
	if got := Fact("location.type", f) + Fact("stock.available", f); got != `location.type=""stock.available=unknown` {
		t.Errorf("values %s", got)
	}
	if got := Fact("order.city", f); len(got) > maxValueBytes+len("order.city=…") {
		t.Errorf("a value of %d bytes", len(got))
	}
}

// generated writes a random expression of a type, of the kind that people write.
func generated(t *rapid.T, typ string, depth int) string {
	pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	leaf := depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0
	next := func(typ string) string { return generated(t, typ, depth-1) }
	switch typ {
	case "bool":
		if leaf {
			return pick("bool", "true", "false", "sku.kit", "candidate.complete", "stock.broken_run", `"gift" in order.attributes`, "has(order.attributes.note)",
				`"summer" in sku.tags`, `location.type in ["dc", "store"]`, `order.country in sku.tags`)
		}
		switch pick("form", "&&", "||", "!", "?", "int", "double", "mixed", "string", "test") {
		case "&&":
			return "(" + next("bool") + " && " + next("bool") + ")"
		case "||":
			return "(" + next("bool") + " || " + next("bool") + ")"
		case "!":
			return "!(" + next("bool") + ")"
		case "?":
			return "(" + next("bool") + " ? " + next("bool") + " : " + next("bool") + ")"
		case "int":
			return "(" + next("int") + pick("cmp", " == ", " != ", " < ", " <= ", " > ", " >= ") + next("int") + ")"
		case "double":
			return "(" + next("double") + pick("cmp", " == ", " != ", " < ", " <= ", " > ", " >= ") + next("double") + ")"
		case "mixed":
			return "(" + next("int") + pick("cmp", " < ", " <= ", " > ", " >= ") + next("double") + ")"
		case "test":
			return "(" + next("string") + ")." + pick("test", "startsWith", "endsWith", "contains") + "(" + next("string") + ")"
		}
		return "(" + next("string") + pick("cmp", " == ", " != ", " < ", " >= ") + next("string") + ")"
	case "int":
		if leaf {
			return pick("int", "0", "1", "-7", "9223372036854775807", "4294967296", "order.value", "stock.available", "line.quantity", "candidate.orders_left")
		}
		if pick("form", "op", "?", "-") == "op" {
			return "(" + next("int") + pick("op", " + ", " - ", " * ", " / ") + next("int") + ")"
		}
		return "(" + next("bool") + " ? " + next("int") + " : -(" + next("int") + "))"
	case "double":
		if leaf {
			return pick("double", "0.0", "2.5", "1e300", "candidate.distance_km", "stock.velocity", "double(order.units)")
		}
		return "(" + next("double") + pick("op", " + ", " - ", " * ", " / ") + next("double") + ")"
	}
	if leaf {
		return pick("string", `"store"`, `""`, "location.type", "order.channel", "sku.id", `order.attributes["gift"]`, "order.attributes.absent")
	}
	return "(" + next("bool") + " ? " + next("string") + " : " + next("string") + ")"
}

// TestQuickFormAgreesWithCEL compares the two evaluators on random expressions and facts.
func TestQuickFormAgreesWithCEL(t *testing.T) {
	t.Parallel()
	quicks := 0
	rapid.Check(t, func(t *rapid.T) {
		f := everything()
		f.Order.Value = rapid.SampledFrom([]int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1 << 53, 1<<53 + 1, 1 << 31}).Draw(t, "value")
		f.Candidate.DistanceKm = rapid.SampledFrom([]float64{0, 5, math.NaN(), math.Inf(1), 1 << 53}).Draw(t, "km")
		if rapid.Bool().Draw(t, "no stock") {
			f.Stock = nil
		}
		if rapid.Bool().Draw(t, "no gift") {
			delete(f.Order.Attributes, "gift")
		}
		typ := rapid.SampledFrom([]string{"bool", "int", "double"}).Draw(t, "type")
		text := generated(t, typ, 3)
		env := environment()
		checked, issues := env.Compile(text)
		if issues.Err() != nil {
			t.Fatalf("%s: %v", text, issues.Err())
		}
		slow, err := env.Program(checked)
		if err != nil {
			t.Fatal(err)
		}
		c := &compiler{doc: &Document{}}
		want := number
		if typ == "bool" {
			want = condition
		}
		e := c.expression("x", text, scope{want: want, allowed: ^Uses(0)})
		if c.bad != nil {
			t.Fatalf("%s: %v", text, c.bad)
		}
		if e.quick.truth != nil || e.quick.number != nil || e.quick.double != nil {
			quicks++
		}
		out, _, failed := slow.Eval((*activation)(f))
		switch typ {
		case "bool":
			got, err := e.Bool(f)
			if (err != nil) != (failed != nil) || err == nil && types.Bool(got) != out {
				t.Fatalf("%s: quick %v %v, CEL %v %v", text, got, err, out, failed)
			}
		case "int":
			got, err := e.Int(f)
			if failed != nil && err == nil || err == nil && types.Int(got) != out || failed == nil && err != nil && err != errAmount {
				t.Fatalf("%s: quick %v %v, CEL %v %v", text, got, err, out, failed)
			}
		case "double":
			got, err := e.Number(f)
			if failed != nil && err == nil || err == nil && types.Double(got) != out || failed == nil && err == nil != finite(float64(out.(types.Double))) {
				t.Fatalf("%s: quick %v %v, CEL %v %v", text, got, err, out, failed)
			}
		}
	})
	if quicks == 0 {
		t.Error("no expression had a quick form")
	}
}

func TestCostIsBounded(t *testing.T) {
	t.Parallel()
	compile := func(text string) Problems {
		c := &compiler{doc: &Document{}}
		c.expression("x", text, scope{want: condition, allowed: ^Uses(0)})
		return c.bad
	}
	if bad := compile(`sku.tags.all(t, location.tags.exists(u, u == t && sku.tags.exists(v, v == u)))`); len(bad) == 0 {
		t.Error("three loops inside each other compile")
	}
	if bad := compile(`sku.tags.exists(t, location.tags.exists(u, u.contains(t)))`); len(bad) != 1 || bad[0].Code != CodeCost {
		t.Errorf("a costly expression: %v", bad)
	}
	if bad := compile(`order.city == "` + strings.Repeat("x", MaxExpressionBytes) + `"`); len(bad) != 1 || !strings.Contains(bad[0].Message, "at most 4096") {
		t.Errorf("a long expression: %v", bad)
	}
	// Facts larger than the estimate takes them to be meet the limit when they are evaluated.
	f := everything()
	f.SKU.Tags = slices.Repeat([]string{strings.Repeat("a", 50)}, 50_000)
	if _, err := mustCompile(t, condition, `sku.tags.exists(t, t.startsWith("b"))`).Bool(f); err == nil || !strings.Contains(err.Error(), "cost limit") {
		t.Errorf("a long loop ends with %v", err)
	}
}

func TestEveryFactCanBeRead(t *testing.T) {
	t.Parallel()
	f := everything()
	for i := range facts {
		x := &facts[i]
		v, ok := (*activation)(f).ResolveName(x.name)
		if !ok {
			t.Errorf("%s has no value", x.name)
			continue
		}
		if typ, name := x.types(); !typ.IsAssignableRuntimeType(v.(ref.Val)) {
			t.Errorf("%s is not %s", x.name, name)
		}
		if x.print(f) == "" {
			t.Errorf("%s prints as nothing", x.name)
		}
		if (*Facts)(&Facts{}).sections()&x.use != 0 && x.use != UsesNow {
			t.Errorf("%s is there without facts", x.name)
		}
	}
	if _, ok := (*activation)(f).ResolveName("order.nothing"); ok {
		t.Error("a fact that is not there has a value")
	}
	if len(FactNames()) != len(facts) || FactNames()[1].Type != "string" {
		t.Error("FactNames does not list the facts")
	}
}

func BenchmarkBool(b *testing.B) {
	f := everything()
	for name, text := range map[string]string{
		"plain":     `location.type == "dc" && candidate.distance_km < 500.0`,
		"both":      `location.type == "store" && candidate.distance_km < 500.0`,
		"tags":      `"summer" in sku.tags`,
		"attribute": `has(order.attributes.gift) && order.attributes.gift == "yes"`,
		"loop":      `sku.tags.exists(t, t == "summer")`,
	} {
		e := mustCompile(b, condition, text)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Bool(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
