package api

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/network"
)

func init() {
	huma.DefaultArrayNullable = false // answers have [] for an empty list; the library has no other way to say so
}

// describe writes the OpenAPI 3.1 document of the routes. Schemas come from the
// very types that requests are decoded into and answers encoded from.
func describe(routes []Route, version string) []byte {
	registry := huma.NewMapRegistry("#/components/schemas/", schemaName)
	for _, t := range []reflect.Type{reflect.TypeFor[network.Date](), reflect.TypeFor[network.Clock]()} {
		registry.RegisterTypeAlias(t, reflect.TypeFor[string]())
	}
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Orderly", Version: version,
			Description: "Order management: what to promise, who fulfils, and what happens next. Amounts are integer minor units of the ISO 4217 currency beside them; quantities are integers; times are RFC 3339 in UTC.",
			License:     &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		Servers: []*huma.Server{{URL: "/"}}, // the one that this document came from
		Components: &huma.Components{
			Schemas:         registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{"key": {Type: "http", Scheme: "bearer", Description: "An API key, made by orderly key create"}},
		},
		Paths: map[string]*huma.PathItem{},
	}
	problem := registry.Schema(reflect.TypeFor[Problem](), true, "Problem")
	for i := range routes {
		addOperation(doc, registry, problem, &routes[i])
	}
	body, err := json.Marshal(doc)
	if err != nil {
		panic(err) // the routes are fixed at build time, and a test reads the document
	}
	return body
}

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// schemaName names generic pages by their element: Page[order.Order] is OrderPage.
// Two types of one name from different packages get the package in front.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	name := t.Name()
	if name == "" {
		return hint
	}
	if head, rest, ok := strings.Cut(name, "["); ok {
		inner := rest[strings.LastIndexAny(rest, "./")+1 : len(rest)-1]
		return inner + head
	}
	pkg := t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]
	if known, ok := schemaNames[pkg+"."+name]; ok {
		return known
	}
	if pkg == "plancase" {
		return "Case" + strings.TrimPrefix(name, "Case")
	}
	if pkg == "sourcing" && name != "Decision" {
		return "Sourcing" + name
	}
	if pkg == "promise" && !strings.HasPrefix(name, "Promise") {
		return "Promise" + name
	}
	if pkg == "roi" {
		return "ROI" + name
	}
	if pkg == "payment" {
		return "Payment" + name
	}
	if prefix, ok := schemaPrefixes[pkg]; ok {
		return prefix + name
	}
	if pkg == "webhook" && !strings.HasPrefix(name, "Webhook") {
		return "Webhook" + name
	}
	return name
}

// schemaPrefixes tell types of packages apart whose names are short.
var schemaPrefixes = map[string]string{"replay": "Replay", "reassess": "Reassess", "past": "History", "stats": "Measured"}

// schemaNames are names that say more outside their package than the Go name does.
var schemaNames = map[string]string{
	"inventory.Hold": "ReservationHold",
	"exception.Type": "ExceptionType", "exception.Fix": "ExceptionFix", "exception.Args": "FixArguments", "exception.Price": "ExceptionPrice",
	"experiment.Guardrails": "ExperimentGuardrails", "experiment.Test": "ExperimentTest", "experiment.Stop": "ExperimentStop", "experiment.Breach": "ExperimentBreach", "experiment.Guard": "ExperimentGuard",
	"experiment.Answer": "ExperimentAnswer", "experiment.Result": "ExperimentResult", "experiment.GroupResult": "ExperimentGroup", "experiment.Figure": "ExperimentFigure", "experiment.ShadowResult": "ExperimentShadow",
	"order.Trial": "OrderTrial", "order.Opinion": "PolicyOpinion", "order.Compared": "PolicyComparison",
	"order.Baseline": "OrderBaseline",
	"kpi.Value":      "KPIValue", "kpi.Definition": "KPIDefinition",
	"job.Job": "ReassessmentJob", "job.Request": "ReassessmentRequest", "job.Progress": "ReassessmentProgress",
	"order.Edit": "OrderEditFields", "order.Adjustment": "OrderAdjustment", "api.Decision": "AdjustmentDecision",
	"order.New": "NewOrder", "order.Decision": "FulfillmentDecision", "sourcing.Decision": "SourcingDecision", "order.Line": "OrderLine", "order.NewLine": "NewOrderLine", "order.Step": "FulfillmentStep",
	"problem.Field": "ProblemField", "network.Service": "CarrierService", "network.Exception": "CalendarException",
	"network.Interval": "OpeningHours", "bulk.Report": "ImportReport", "importer.Rejection": "ImportRejection",
	"engine.Published": "Event", "engine.PublishedStream": "EventStream", "api.KeyView": "Key", "api.PositionView": "Position",
	"policy.Problem": "PolicyProblem", "policy.Change": "PolicyChange", "policy.Difference": "PolicyDifference", "policy.ExampleResult": "PolicyExample",
	"engine.MigrateRequest": "FlowMigration", "engine.Migrated": "FlowMigrationResult", "engine.FlowMapping": "FlowMigrationState",
	"engine.Publication": "PolicyPublication", "engine.PolicyView": "Policy",
}

func addOperation(doc *huma.OpenAPI, registry huma.Registry, problem *huma.Schema, rt *Route) {
	op := &huma.Operation{
		Method: rt.Method, Path: rt.Path, OperationID: rt.ID, Summary: rt.Summary, Tags: []string{rt.Tag},
		Responses: map[string]*huma.Response{},
	}
	if rt.Scope == auth.Public {
		op.Security = []map[string][]string{{}} // said, so that nobody takes it for forgotten
	} else {
		op.Security = []map[string][]string{{"key": {}}}
		op.Description = "Scope: " + string(rt.Scope)
		for _, s := range auth.GrantedBy(rt.Scope) {
			op.Description += ", or " + string(s)
		}
	}
	for _, m := range pathParameter.FindAllStringSubmatch(rt.Path, -1) {
		op.Parameters = append(op.Parameters, &huma.Param{Name: m[1], In: "path", Required: true, Schema: &huma.Schema{Type: "string"}})
	}
	for _, q := range rt.Query {
		typ := "string"
		if q.Integer {
			typ = "integer"
		}
		op.Parameters = append(op.Parameters, &huma.Param{Name: q.Name, In: "query", Description: q.Doc, Schema: &huma.Schema{Type: typ}})
	}
	if rt.Method != "GET" && rt.Scope != auth.Public {
		op.Parameters = append(op.Parameters,
			&huma.Param{Name: "Idempotency-Key", In: "header", Description: "the answer is remembered for 72 hours and given again to the same request", Schema: &huma.Schema{Type: "string"}},
			&huma.Param{Name: "If-Match", In: "header", Description: "the ETag of the version to change", Schema: &huma.Schema{Type: "string"}},
		)
	}
	if rt.In != nil {
		op.RequestBody = &huma.RequestBody{Required: true, Content: content(registry, rt.In, "application/json")}
	}
	for _, media := range rt.RawIn {
		if op.RequestBody == nil {
			op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
		}
		op.RequestBody.Content[media] = &huma.MediaType{}
	}
	ok := &huma.Response{Description: "Success"}
	if rt.Out != nil {
		ok.Content = content(registry, rt.Out, "application/json")
	}
	for _, media := range rt.RawOut {
		if ok.Content == nil {
			ok.Content = map[string]*huma.MediaType{}
		}
		ok.Content[media] = &huma.MediaType{}
	}
	op.Responses[strconv.Itoa(rt.Status)] = ok
	op.Responses["default"] = &huma.Response{
		Description: "A problem document (RFC 9457). code is stable; errors names the fields",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: problem}},
	}
	doc.AddOperation(op)
}

func content(registry huma.Registry, v any, media string) map[string]*huma.MediaType {
	t := reflect.TypeOf(v)
	return map[string]*huma.MediaType{media: {Schema: registry.Schema(t, true, t.Name())}}
}
