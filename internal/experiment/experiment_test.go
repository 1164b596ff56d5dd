package experiment_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/experiment"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

func ptr[T any](v T) *T { return &v }

func shared(percent int64) *experiment.Experiment {
	s := experiment.Setup{Name: "x", Policy: "p@1", Mode: experiment.Share, Percent: percent, Currency: "EUR"}
	return &experiment.Experiment{ID: "x1", Setup: s.Filled(), State: experiment.Running}
}

// A customer stays in a group, whatever else is in the order, and groups are as large as was asked for within five
// standard deviations; two experiments split independently.
func TestSplitIsStableAndEven(t *testing.T) {
	t.Parallel()
	const customers = 20_000
	for _, percent := range []int64{1, 10, 50, 90} {
		one, two := shared(percent), shared(percent)
		two.ID = "x2"
		var in, both int
		for i := range customers {
			o := &order.Order{Customer: order.Customer{ID: fmt.Sprint("c", i)}}
			again := &order.Order{ID: "other", ExternalID: "e", Customer: order.Customer{ID: fmt.Sprint("c", i), Email: "a@b.c"}}
			g := one.Group(o)
			if one.Group(again) != g {
				t.Fatalf("customer %d changes the group", i)
			}
			if g == order.GroupChallenger {
				in++
				if two.Group(o) == order.GroupChallenger {
					both++
				}
			}
		}
		p := float64(percent) / 100
		near := func(what string, n int, p float64, of int) {
			if mean, spread := p*float64(of), math.Sqrt(p*(1-p)*float64(of)); math.Abs(float64(n)-mean) > 5*spread {
				t.Errorf("%d %%: %s has %d of %d", percent, what, n, of)
			}
		}
		near("the group", in, p, customers)
		near("the group of both", both, p, in)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	x := shared(50)
	group := func(o order.Order) string { return x.Group(&o) }
	same := func(what string, a, b func(i int) order.Order, want bool) {
		t.Helper()
		differ := 0
		for i := range 64 {
			if group(a(i)) != group(b(i)) {
				differ++
			}
		}
		if (differ == 0) != want {
			t.Errorf("%s: %d of 64 differ", what, differ)
		}
	}
	mail := func(format string) func(int) order.Order {
		return func(i int) order.Order { return order.Order{Customer: order.Customer{Email: fmt.Sprintf(format, i)}} }
	}
	same("capitals of an address", mail("a%d@b.c"), mail("A%d@B.C"), true)
	nobody := func(id string) func(int) order.Order {
		return func(i int) order.Order { return order.Order{ID: fmt.Sprint(id, i)} }
	}
	same("orders of nobody", nobody("o"), nobody("p"), false)
	external := func(id string) func(int) order.Order {
		return func(i int) order.Order { return order.Order{ID: id, Channel: "web", ExternalID: fmt.Sprint(i)} }
	}
	same("an order that is sent again", external("o"), external("p"), true)
	x.Split = experiment.ByRegion
	to := func(code string) func(int) order.Order {
		return func(i int) order.Order {
			return order.Order{Customer: order.Customer{ID: code}, ShipTo: &network.Address{Country: "DE", PostalCode: fmt.Sprintf("%03d%s", i, code)}}
		}
	}
	same("one region", to("95"), to("1"), true)
	pickup := func(country string) func(int) order.Order {
		return func(i int) order.Order {
			return order.Order{PickupLocation: fmt.Sprint("s", i), ShipTo: &network.Address{Country: country}}
		}
	}
	same("pickup locations", pickup("DE"), pickup("AT"), true)
}

func TestSetups(t *testing.T) {
	t.Parallel()
	good := experiment.Setup{Name: "x", Mode: experiment.Share, Percent: 10}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for pointer, change := range map[string]func(*experiment.Setup){
		"name":                                func(s *experiment.Setup) { s.Name = " " },
		"mode":                                func(s *experiment.Setup) { s.Mode = "ab" },
		"percent":                             func(s *experiment.Setup) { s.Percent = 100 },
		"split":                               func(s *experiment.Setup) { s.Split = "moon" },
		"currency":                            func(s *experiment.Setup) { s.Currency = "EURO" },
		"channels":                            func(s *experiment.Setup) { s.Channels = make([]string, 101) },
		"guardrails":                          func(s *experiment.Setup) { s.Guardrails = &experiment.Guardrails{} },
		"guardrails.cancel_percent_max":       func(s *experiment.Setup) { s.Guardrails = &experiment.Guardrails{CancelPercentMax: ptr(math.NaN())} },
		"guardrails.promise_kept_percent_min": func(s *experiment.Setup) { s.Guardrails = &experiment.Guardrails{PromiseKeptPercentMin: ptr(100.1)} },
		"guardrails.min_orders": func(s *experiment.Setup) {
			s.Guardrails = &experiment.Guardrails{CostMorePercentMax: ptr(5.0), MinOrders: 1}
		},
		"test.metric":          func(s *experiment.Setup) { s.Test.Metric = experiment.PromiseDays },
		"test.level_percent":   func(s *experiment.Setup) { s.Test.LevelPercent = 100 },
		"test.expected_orders": func(s *experiment.Setup) { s.Test.ExpectedOrders = -1 },
		"test.stop_when_sure":  func(s *experiment.Setup) { s.Split, s.Test.StopWhenSure = experiment.ByRegion, true },
	} {
		s := good
		change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), pointer) {
			t.Errorf("%s: %v", pointer, err)
		}
	}
	for _, pointer := range []string{"percent", "split", "guardrails"} {
		s := experiment.Setup{Name: "x", Mode: experiment.Shadow, Percent: 1, Split: experiment.ByCustomer, Guardrails: &experiment.Guardrails{CancelPercentMax: ptr(1.0)}}
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), pointer) {
			t.Errorf("%s in the shadow: %v", pointer, err)
		}
	}
}

func TestOverlaps(t *testing.T) {
	t.Parallel()
	all, web, shop := experiment.Setup{Currency: "EUR"}, experiment.Setup{Currency: "EUR", Channels: []string{"web", "app"}}, experiment.Setup{Currency: "EUR", Channels: []string{"shop"}}
	pounds := experiment.Setup{Currency: "GBP"}
	if !all.Overlaps(&web) || !web.Overlaps(&all) || !web.Overlaps(&web) || web.Overlaps(&shop) || all.Overlaps(&pounds) {
		t.Error("experiments overlap that share no order, or the other way round")
	}
}

// outcomes draws finished orders.
func outcomes(t *rapid.T, name string) (c experiment.Tally, all []experiment.Outcome) {
	for range rapid.IntRange(0, 300).Draw(t, name) {
		o := experiment.Outcome{
			Cost: rapid.Int64Range(0, 900).Draw(t, "cost"), Shipments: rapid.Int64Range(0, 2).Draw(t, "shipments"),
			Promised: rapid.Bool().Draw(t, "promised"), Units: 2, Cancelled: rapid.Int64Range(0, 2).Draw(t, "cancelled"),
		}
		o.Kept = o.Promised && rapid.IntRange(0, 9).Draw(t, "kept") > 0
		c.Finish(&o)
		all = append(all, o)
	}
	return c, all
}

// An experiment is stopped by a guardrail exactly when the figure, added up anew, is beyond the limit over enough orders.
func TestGuardrailsStopWhatIsBeyondThem(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := shared(50)
		x.Guardrails = &experiment.Guardrails{
			PromiseKeptPercentMin: ptr(rapid.Float64Range(80, 100).Draw(t, "kept")), CancelPercentMax: ptr(rapid.Float64Range(40, 60).Draw(t, "cancel")),
			CostMorePercentMax: ptr(rapid.Float64Range(0, 10).Draw(t, "more")), MinOrders: rapid.Int64Range(10, 200).Draw(t, "orders"),
		}
		var c experiment.Counts
		var a, b []experiment.Outcome
		c.Incumbent, a = outcomes(t, "incumbent")
		c.Challenger, b = outcomes(t, "challenger")
		cost := func(all []experiment.Outcome) (n, sum float64) {
			for _, o := range all {
				if o.Shipments > 0 {
					n, sum = n+1, sum+float64(o.Cost)
				}
			}
			return n, sum
		}
		var promised, kept, cancelled float64
		for _, o := range b {
			if o.Promised {
				promised++
				if o.Kept {
					kept++
				}
			}
			cancelled += float64(o.Cancelled) / 2
		}
		least := float64(x.Guardrails.MinOrders)
		want := ""
		nb, sb := cost(b)
		if na, sa := cost(a); min(na, nb) >= least && sa > 0 && (sb/nb)/(sa/na) > 1+*x.Guardrails.CostMorePercentMax/100+1e-7 {
			want = experiment.CostGuard
		}
		if float64(len(b)) >= least && 100*cancelled/float64(len(b)) > *x.Guardrails.CancelPercentMax+1e-5 {
			want = experiment.CancelGuard
		}
		if promised >= least && 100*kept/promised < *x.Guardrails.PromiseKeptPercentMin-1e-5 {
			want = experiment.PromiseKeptGuard
		}
		got := ""
		if stop := x.Ends(&c, nil); stop != nil {
			if stop.Cause != experiment.StopGuardrail || stop.Breach == nil || stop.Reason == "" {
				t.Fatalf("stopped by %+v", stop)
			}
			got = stop.Breach.Name
		}
		if got != want {
			t.Fatalf("stopped by %q, want %q: %+v", got, want, x.Guards(&c))
		}
	})
}

// Experiments that are looked at after every tenth order, and whose groups are alike, find a difference in at most five of a hundred.
func TestLooksAtNothingFindNothing(t *testing.T) {
	t.Parallel()
	for _, metric := range []string{experiment.Cost, experiment.PromiseKept} {
		const runs = 300
		wrong, naive := 0, 0 // naive: what a test for one look finds
		for seed := range uint64(runs) {
			x := shared(50)
			x.Test.Metric, x.Test.StopWhenSure = metric, true
			r := rand.New(rand.NewPCG(seed, 7))
			var c experiment.Counts
			found, once := false, false
			for i := range 3000 {
				group := order.GroupIncumbent
				if r.IntN(2) == 0 {
					group = order.GroupChallenger
				}
				c.Of(group).Finish(&experiment.Outcome{Cost: int64(400 + 150*r.NormFloat64()), Shipments: 1, Promised: true, Kept: r.IntN(20) > 0, Units: 1})
				if i%10 == 9 {
					found = found || x.Ends(&c, nil) != nil
					once = once || i >= 200 && plain(&c, metric)
				}
			}
			if found {
				wrong++
			}
			if once {
				naive++
			}
		}
		if wrong > runs*5/100 {
			t.Errorf("%s: %d of %d experiments found a difference that is not there", metric, wrong, runs)
		}
		if naive < runs*25/100 { // else the looks are too few to tell such tests apart
			t.Errorf("%s: a test for one look is wrong in %d of %d experiments only", metric, naive, runs)
		}
		t.Logf("%s: wrong in %d of %d experiments, a test for one look in %d", metric, wrong, runs, naive)
	}
}

// plain is the usual test at 95 %, which holds when it is looked at once.
func plain(c *experiment.Counts, metric string) bool {
	a, b := c.Incumbent.Cost, c.Challenger.Cost
	if metric == experiment.PromiseKept {
		a, b = c.Incumbent.PromiseKept, c.Challenger.PromiseKept
	}
	spread := a.Square/float64(a.N-1)/float64(a.N) + b.Square/float64(b.N-1)/float64(b.N)
	return math.Abs(a.Mean-b.Mean) > 1.96*math.Sqrt(spread)
}

// A difference that is there is found, and about when it was said to be.
func TestAnswerComesIn(t *testing.T) {
	t.Parallel()
	x := shared(50)
	x.Test.StopWhenSure = true
	r := rand.New(rand.NewPCG(3, 4))
	var c experiment.Counts
	order1 := func() {
		c.Incumbent.Finish(&experiment.Outcome{Cost: int64(500 + 100*r.NormFloat64()), Shipments: 1})
		c.Challenger.Finish(&experiment.Outcome{Cost: int64(480 + 100*r.NormFloat64()), Shipments: 1})
	}
	order1()
	if a := x.Answer(&c); a.Difference != nil || !strings.HasPrefix(a.Text, "Too few orders") {
		t.Errorf("after two orders: %+v", a)
	}
	for range 299 {
		order1()
	}
	a := x.Answer(&c)
	if a.Sure || a.MoreOrders == 0 || !strings.Contains(a.Text, "more orders are needed") {
		t.Fatalf("after 600 orders: %+v", a)
	}
	for x.Ends(&c, nil) == nil {
		if order1(); c.Incumbent.Finished > 20_000 {
			t.Fatal("the answer never came in")
		}
	}
	a = x.Answer(&c)
	if !strings.HasPrefix(a.Text, "The answer is in: the challenger costs 0.") || !strings.Contains(a.Text, "EUR less per order (") || *a.High >= 0 {
		t.Errorf("the answer: %s", a.Text)
	}
	if -20 < *a.Low || -20 > *a.High {
		t.Errorf("20 cents less is not between %f and %f", *a.Low, *a.High)
	}
}

// In the shadow, orders of which the two leave different units with nobody are counted and not compared.
func TestShadow(t *testing.T) {
	t.Parallel()
	s := experiment.Setup{Name: "x", Mode: experiment.Shadow, Currency: "EUR"}
	x := &experiment.Experiment{ID: "x1", Setup: s.Filled(), State: experiment.Running}
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	r := rand.New(rand.NewPCG(1, 2))
	var c experiment.Counts
	for i := range 400 {
		cost := int64(500 + 200*r.NormFloat64())
		pair := &order.Compared{
			Incumbent:  order.Opinion{Cost: cost, Shipments: 1, DeliverBy: at.Add(48 * time.Hour), Locations: []string{"a"}},
			Challenger: order.Opinion{Cost: cost - 30 + int64(i%7), Shipments: 1, DeliverBy: at.Add(36 * time.Hour), Locations: []string{"b"}},
		}
		switch i % 100 {
		case 0:
			pair.Challenger.Unplaced = 1
		case 1:
			pair.Incumbent.Unplaced = 1
		case 2:
			pair.Challenger = pair.Incumbent
		}
		c.Compared.Add(pair, at)
	}
	got := x.Result(&c)
	if *got.Shadow != (experiment.ShadowResult{Orders: 400, Same: 4, Worse: 4, Better: 4}) {
		t.Errorf("compared %+v", got.Shadow)
	}
	// Order by order the difference varies little, though orders cost very different amounts.
	if a := got.Answer; !a.Sure || a.Orders != 392 || *a.Low > -26 || *a.High < -28 {
		t.Errorf("the answer: %+v", a)
	}
	if days := got.Groups[1].Figures[2]; days.Metric != experiment.PromiseDays || math.Abs(days.Mean-1.5) > 0.01 {
		t.Errorf("the challenger promises %+v", days)
	}
}
