package policy

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Uses says which sections of Facts something reads.
type Uses uint16

// The sections.
const (
	UsesOrder Uses = 1 << iota
	UsesLine
	UsesSKU
	UsesLocation
	UsesCandidate
	UsesStock
	UsesReturned
	UsesNow
	UsesSubject
)

var sections = []struct {
	use  Uses
	name string
}{
	{UsesOrder, "order"}, {UsesLine, "line"}, {UsesSKU, "sku"}, {UsesLocation, "location"},
	{UsesCandidate, "candidate"}, {UsesStock, "stock"}, {UsesReturned, "returned"}, {UsesNow, "now"}, {UsesSubject, "subject"},
	{UsesException, "exception"},
}

// String lists the sections, like "order, now".
func (u Uses) String() string {
	var names []string
	for _, s := range sections {
		if u&s.use != 0 {
			names = append(names, s.name)
		}
	}
	return strings.Join(names, ", ")
}

// sections of f that are there.
func (f *Facts) sections() Uses {
	u := UsesNow
	if f.Order != nil {
		u |= UsesOrder
	}
	if f.Line != nil {
		u |= UsesLine
	}
	if f.SKU != nil {
		u |= UsesSKU
	}
	if f.Location != nil {
		u |= UsesLocation
	}
	if f.Candidate != nil {
		u |= UsesCandidate
	}
	if f.Stock != nil {
		u |= UsesStock
	}
	if f.Returned != nil {
		u |= UsesReturned
	}
	if f.Subject != nil {
		u |= UsesSubject
	}
	if f.Exception != nil {
		u |= UsesException
	}
	return u
}

// fact is one name that expressions can read. Exactly one of its readers is set;
// it may only be called when the section is there.
type fact struct {
	name   string
	use    Uses
	text   func(*Facts) string
	number func(*Facts) int64
	double func(*Facts) float64
	truth  func(*Facts) bool
	texts  func(*Facts) []string
	table  func(*Facts) map[string]string
	time   func(*Facts) time.Time
}

// facts are all of them, in the order of the reference in docs/policies.md.
var facts = append([]fact{
	{name: "now", use: UsesNow, time: func(f *Facts) time.Time { return f.Now }},

	{name: "order.channel", use: UsesOrder, text: func(f *Facts) string { return f.Order.Channel }},
	{name: "order.method", use: UsesOrder, text: func(f *Facts) string { return f.Order.Method }},
	{name: "order.service", use: UsesOrder, text: func(f *Facts) string { return f.Order.Service }},
	{name: "order.currency", use: UsesOrder, text: func(f *Facts) string { return f.Order.Currency }},
	{name: "order.value", use: UsesOrder, number: func(f *Facts) int64 { return f.Order.Value }},
	{name: "order.units", use: UsesOrder, number: func(f *Facts) int64 { return f.Order.Units }},
	{name: "order.weight_g", use: UsesOrder, number: func(f *Facts) int64 { return f.Order.WeightG }},
	{name: "order.lines", use: UsesOrder, number: func(f *Facts) int64 { return f.Order.Lines }},
	{name: "order.customer", use: UsesOrder, text: func(f *Facts) string { return f.Order.Customer }},
	{name: "order.country", use: UsesOrder, text: func(f *Facts) string { return f.Order.Country }},
	{name: "order.postal_code", use: UsesOrder, text: func(f *Facts) string { return f.Order.PostalCode }},
	{name: "order.region", use: UsesOrder, text: func(f *Facts) string { return f.Order.Region }},
	{name: "order.city", use: UsesOrder, text: func(f *Facts) string { return f.Order.City }},
	{name: "order.attributes", use: UsesOrder, table: func(f *Facts) map[string]string { return f.Order.Attributes }},
	{name: "order.placed_at", use: UsesOrder, time: func(f *Facts) time.Time { return f.Order.PlacedAt }},
	{name: "order.attempt", use: UsesOrder, number: func(f *Facts) int64 { return f.Order.Attempt }},

	{name: "line.sku", use: UsesLine, text: func(f *Facts) string { return f.Line.SKU }},
	{name: "line.quantity", use: UsesLine, number: func(f *Facts) int64 { return f.Line.Quantity }},
	{name: "line.unit_price", use: UsesLine, number: func(f *Facts) int64 { return f.Line.UnitPrice }},
	{name: "line.value", use: UsesLine, number: func(f *Facts) int64 { return f.Line.Value }},
	{name: "line.weight_g", use: UsesLine, number: func(f *Facts) int64 { return f.Line.WeightG }},

	{name: "sku.id", use: UsesSKU, text: func(f *Facts) string { return f.SKU.ID }},
	{name: "sku.category", use: UsesSKU, text: func(f *Facts) string { return f.SKU.Category }},
	{name: "sku.tags", use: UsesSKU, texts: func(f *Facts) []string { return f.SKU.Tags }},
	{name: "sku.attributes", use: UsesSKU, table: func(f *Facts) map[string]string { return f.SKU.Attributes }},
	{name: "sku.weight_g", use: UsesSKU, number: func(f *Facts) int64 { return f.SKU.WeightG }},
	{name: "sku.price", use: UsesSKU, number: func(f *Facts) int64 { return f.SKU.Price }},
	{name: "sku.kit", use: UsesSKU, truth: func(f *Facts) bool { return f.SKU.Kit }},

	{name: "location.id", use: UsesLocation, text: func(f *Facts) string { return f.Location.ID }},
	{name: "location.type", use: UsesLocation, text: func(f *Facts) string { return f.Location.Type }},
	{name: "location.country", use: UsesLocation, text: func(f *Facts) string { return f.Location.Country }},
	{name: "location.postal_code", use: UsesLocation, text: func(f *Facts) string { return f.Location.PostalCode }},
	{name: "location.region", use: UsesLocation, text: func(f *Facts) string { return f.Location.Region }},
	{name: "location.city", use: UsesLocation, text: func(f *Facts) string { return f.Location.City }},
	{name: "location.time_zone", use: UsesLocation, text: func(f *Facts) string { return f.Location.TimeZone }},
	{name: "location.tags", use: UsesLocation, texts: func(f *Facts) []string { return f.Location.Tags }},
	{name: "location.capabilities", use: UsesLocation, texts: func(f *Facts) []string { return f.Location.Capabilities }},
	{name: "location.priority", use: UsesLocation, number: func(f *Facts) int64 { return f.Location.Priority }},

	{name: "candidate.distance_km", use: UsesCandidate, double: func(f *Facts) float64 { return f.Candidate.DistanceKm }},
	{name: "candidate.distance_known", use: UsesCandidate, truth: func(f *Facts) bool { return f.Candidate.DistanceKnown }},
	{name: "candidate.complete", use: UsesCandidate, truth: func(f *Facts) bool { return f.Candidate.Complete }},
	{name: "candidate.fill", use: UsesCandidate, double: func(f *Facts) float64 { return f.Candidate.Fill }},
	{name: "candidate.preferred", use: UsesCandidate, truth: func(f *Facts) bool { return f.Candidate.Preferred }},
	{name: "candidate.orders_left", use: UsesCandidate, number: func(f *Facts) int64 { return f.Candidate.OrdersLeft }},
	{name: "candidate.capacity_used", use: UsesCandidate, double: func(f *Facts) float64 { return f.Candidate.CapacityUsed }},
	{name: "candidate.failure_rate", use: UsesCandidate, double: func(f *Facts) float64 { return f.Candidate.FailureRate }},
	{name: "candidate.days", use: UsesCandidate, number: func(f *Facts) int64 { return f.Candidate.DaysToDeliver }},
	{name: "candidate.days_late", use: UsesCandidate, number: func(f *Facts) int64 { return f.Candidate.DaysLate }},
	{name: "candidate.carrier", use: UsesCandidate, number: func(f *Facts) int64 { return f.Candidate.Carrier }},

	{name: "stock.available", use: UsesStock, number: func(f *Facts) int64 { return f.Stock.Available }},
	{name: "stock.on_hand", use: UsesStock, number: func(f *Facts) int64 { return f.Stock.OnHand }},
	{name: "stock.safety", use: UsesStock, number: func(f *Facts) int64 { return f.Stock.Safety }},
	{name: "stock.velocity", use: UsesStock, double: func(f *Facts) float64 { return f.Stock.Velocity }},
	{name: "stock.weeks_of_supply", use: UsesStock, double: func(f *Facts) float64 { return f.Stock.WeeksOfSupply }},
	{name: "stock.broken_run", use: UsesStock, truth: func(f *Facts) bool { return f.Stock.BrokenRun }},
	{name: "stock.opportunity_price", use: UsesStock, number: func(f *Facts) int64 { return f.Stock.Price }},

	{name: "returned.reason", use: UsesReturned, text: func(f *Facts) string { return f.Returned.Reason }},
	{name: "returned.condition", use: UsesReturned, text: func(f *Facts) string { return f.Returned.Condition }},
	{name: "returned.method", use: UsesReturned, text: func(f *Facts) string { return f.Returned.Method }},
	{name: "returned.quantity", use: UsesReturned, number: func(f *Facts) int64 { return f.Returned.Quantity }},
	{name: "returned.days", use: UsesReturned, number: func(f *Facts) int64 { return f.Returned.Days }},

	{name: "subject.state", use: UsesSubject, text: func(f *Facts) string { return f.Subject.State }},
	{name: "subject.status", use: UsesSubject, text: func(f *Facts) string { return f.Subject.Status }},
	{name: "subject.reason", use: UsesSubject, text: func(f *Facts) string { return f.Subject.Reason }},
	{name: "subject.payment", use: UsesSubject, text: func(f *Facts) string { return f.Subject.Payment }},
	{name: "subject.method", use: UsesSubject, text: func(f *Facts) string { return f.Subject.Method }},
	{name: "subject.via", use: UsesSubject, text: func(f *Facts) string { return f.Subject.Via }},
	{name: "subject.attempts", use: UsesSubject, number: func(f *Facts) int64 { return f.Subject.Attempts }},
	{name: "subject.tries", use: UsesSubject, number: func(f *Facts) int64 { return f.Subject.Tries }},
	{name: "subject.hours", use: UsesSubject, number: func(f *Facts) int64 { return f.Subject.Hours }},
	{name: "subject.units", use: UsesSubject, number: func(f *Facts) int64 { return f.Subject.Units }},
	{name: "subject.units_open", use: UsesSubject, number: func(f *Facts) int64 { return f.Subject.UnitsOpen }},
	{name: "subject.units_backordered", use: UsesSubject, number: func(f *Facts) int64 { return f.Subject.UnitsBackordered }},
	{name: "subject.value", use: UsesSubject, number: func(f *Facts) int64 { return f.Subject.Value }},
	{name: "subject.promised", use: UsesSubject, truth: func(f *Facts) bool { return f.Subject.Promised }},
	{name: "subject.promise_hours", use: UsesSubject, number: func(f *Facts) int64 { return f.Subject.PromiseHours }},
	{name: "subject.holds", use: UsesSubject, texts: func(f *Facts) []string { return f.Subject.Holds }},
	{name: "subject.exceptions", use: UsesSubject, texts: func(f *Facts) []string { return f.Subject.Exceptions }},
}, exceptionFacts...)

var factByName = func() map[string]*fact {
	m := make(map[string]*fact, len(facts))
	for i := range facts {
		m[facts[i].name] = &facts[i]
	}
	return m
}()

// FactName is one name that expressions can read.
type FactName struct {
	Name string // order.channel
	Type string // string, int, double, bool, list(string), map(string, string) or timestamp
}

// FactNames lists all of them, by section.
func FactNames() []FactName {
	out := make([]FactName, len(facts))
	for i := range facts {
		_, out[i].Type = facts[i].types()
		out[i].Name = facts[i].name
	}
	return out
}

func (x *fact) types() (*cel.Type, string) {
	switch {
	case x.text != nil:
		return cel.StringType, "string"
	case x.number != nil:
		return cel.IntType, "int"
	case x.double != nil:
		return cel.DoubleType, "double"
	case x.truth != nil:
		return cel.BoolType, "bool"
	case x.texts != nil:
		return cel.ListType(cel.StringType), "list(string)"
	case x.table != nil:
		return cel.MapType(cel.StringType, cel.StringType), "map(string, string)"
	}
	return cel.TimestampType, "timestamp"
}

// value is the fact as CEL sees it; nil when its section is missing.
func (x *fact) value(f *Facts) ref.Val {
	if f.sections()&x.use == 0 {
		return nil
	}
	switch {
	case x.text != nil:
		return types.String(x.text(f))
	case x.number != nil:
		return types.Int(x.number(f))
	case x.double != nil:
		return types.Double(x.double(f))
	case x.truth != nil:
		return types.Bool(x.truth(f))
	case x.texts != nil:
		return types.NewStringList(types.DefaultTypeAdapter, x.texts(f))
	case x.table != nil:
		return types.NewStringStringMap(types.DefaultTypeAdapter, x.table(f))
	}
	return types.Timestamp{Time: x.time(f).UTC()}
}

// maxValueBytes bounds a fact's value as it is printed.
const maxValueBytes = 200

// Fact prints a fact as name=value, for explanations: texts as they are ("" when
// empty), numbers with at most three decimals. A fact that is not there has the value "unknown".
func Fact(name string, f *Facts) string {
	x, ok := factByName[name]
	if !ok || f.sections()&x.use == 0 {
		return name + "=unknown"
	}
	return name + "=" + x.print(f)
}

func (x *fact) print(f *Facts) string {
	s := ""
	switch {
	case x.text != nil:
		s = plainText(x.text(f))
	case x.number != nil:
		return strconv.FormatInt(x.number(f), 10)
	case x.double != nil:
		return strconv.FormatFloat(math.Round(x.double(f)*1000)/1000, 'f', -1, 64)
	case x.truth != nil:
		return strconv.FormatBool(x.truth(f))
	case x.texts != nil:
		s = "[" + strings.Join(x.texts(f), " ") + "]"
	case x.table != nil:
		var parts []string
		m := x.table(f)
		for _, k := range slices.Sorted(maps.Keys(m)) {
			parts = append(parts, k+":"+m[k])
		}
		s = "{" + strings.Join(parts, " ") + "}"
	default:
		return x.time(f).UTC().Format(time.RFC3339)
	}
	if len(s) > maxValueBytes {
		s = strings.ToValidUTF8(s[:maxValueBytes], "") + "…"
	}
	return s
}

func plainText(s string) string {
	if s == "" {
		return `""`
	}
	return s
}
