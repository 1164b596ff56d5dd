package importer_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/partner/importer"
)

var update = flag.Bool("update", false, "write the golden files")

// payloads is where the documents that the platforms publish lie beside a checkout.
const payloads = "../../../../shared/payloads"

// result is one outcome: exactly one field is set.
type result struct {
	Item      *importer.Item      `json:"item,omitempty"`
	Rejection *importer.Rejection `json:"rejection,omitempty"`
}

func read(t testing.TB, format, input string, opts importer.Options) ([]result, error) {
	t.Helper()
	var results []result
	err := importer.Read(format, "web", strings.NewReader(input), opts, func(i *importer.Item, r *importer.Rejection) error {
		if (i == nil) == (r == nil) {
			t.Fatalf("document %d has the item %v and the rejection %v", len(results), i, r)
		}
		results = append(results, result{i, r})
		return nil
	})
	return results, err
}

// one reads the single outcome of a document.
func one(t testing.TB, format, input string, opts importer.Options) result {
	t.Helper()
	results, err := read(t, format, input, opts)
	if err != nil || len(results) != 1 {
		t.Fatalf("%d outcomes, error %v; want one", len(results), err)
	}
	return results[0]
}

// String is the outcome in a line.
func (r result) String() string {
	if r.Rejection != nil {
		codes := []string{r.Rejection.Pointer + "=" + r.Rejection.Code}
		for _, f := range r.Rejection.Also {
			codes = append(codes, f.Pointer+"="+f.Code)
		}
		return fmt.Sprintf("REJECT order=%s %s: %s", r.Rejection.ExternalID, strings.Join(codes, " "), r.Rejection.Message)
	}
	i := r.Item
	s := fmt.Sprintf("%s order=%s", i.Kind, i.ExternalID)
	if i.Order != nil {
		s += fmt.Sprintf(" total=%q lines=%d tenders=%d", money.Money{Amount: *i.Order.Total, Currency: i.Order.Currency}, len(i.Order.Lines), len(i.Order.Tenders))
	}
	if i.Cancel != nil {
		s += fmt.Sprintf(" reason=%s at=%s", i.Cancel.Reason, i.Cancel.At.Format("2006-01-02T15:04:05Z"))
	}
	if i.Edit != nil {
		s += fmt.Sprintf(" added=%v removed=%v", i.Edit.Added, i.Edit.Removed)
	}
	s += fmt.Sprintf(" flags=%v", i.Flags)
	for _, n := range i.Notices {
		s += " " + n.Pointer + "~" + n.Code
	}
	return s
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s", path, got)
	}
}

// TestPublishedDocuments writes down what becomes of every document that the
// platforms publish as an example.
func TestPublishedDocuments(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		format, pattern, file string
		opts                  importer.Options
		least                 int
	}{
		{"shopify", "shopify/webhooks-2026-04/*/*.json", "shopify.txt", importer.Options{}, 65},
		{"woocommerce", "woocommerce/*.json", "woocommerce.txt", importer.Options{}, 20},
		{"woocommerce", "woocommerce/v3_orders.*.json", "woocommerce_sku_from_id.txt", importer.Options{SKUFromID: true}, 6},
	} {
		files, err := filepath.Glob(filepath.Join(payloads, tt.pattern))
		if err != nil || len(files) < tt.least {
			t.Fatalf("%s: %d files, %v; the folder of published payloads belongs beside the checkout", tt.pattern, len(files), err)
		}
		var table strings.Builder
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			results, err := read(t, tt.format, string(text), tt.opts)
			if err != nil || len(results) == 0 {
				t.Errorf("%s: %d outcomes, %v", file, len(results), err)
			}
			name := filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(file)
			for i, r := range results {
				fmt.Fprintf(&table, "%s#%d %s\n", name, i, r)
			}
		}
		golden(t, tt.file, table.String())
	}
}

// TestTopicMayComeBesideTheBody expects the same of a body and its topic as of the
// recorded webhook that holds both, and of a body alone never more than that.
func TestTopicMayComeBesideTheBody(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(payloads, "shopify/webhooks-2026-04/*/*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no published payloads, %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var webhook struct {
			Name     string          `json:"name"`
			Response json.RawMessage `json:"response"`
		}
		if err := json.Unmarshal(text, &webhook); err != nil {
			t.Fatal(err)
		}
		wrapped := one(t, "shopify", string(text), importer.Options{})
		beside := one(t, "shopify", string(webhook.Response), importer.Options{Topic: webhook.Name})
		if wrapped.String() != beside.String() {
			t.Errorf("%s: wrapped %s\nbeside its topic %s", file, wrapped, beside)
		}
		alone := one(t, "shopify", string(webhook.Response), importer.Options{})
		if wrapped.Rejection != nil && alone.Rejection == nil || wrapped.Item != nil && alone.String() != wrapped.String() {
			t.Errorf("%s: wrapped %s\nalone %s", file, wrapped, alone)
		}
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	if got := importer.Formats(); !slices.Equal(got, []string{"shopify", "woocommerce"}) {
		t.Errorf("Formats() = %v", got)
	}
	for _, tt := range []struct {
		format, channel string
		opts            importer.Options
		want            error
	}{
		{"magento", "web", importer.Options{}, importer.ErrFormat},
		{"shopify", "", importer.Options{}, importer.ErrOptions},
		{"shopify", "web", importer.Options{Topic: strings.Repeat("x", importer.MaxTopicBytes+1)}, importer.ErrOptions},
	} {
		err := importer.Read(tt.format, tt.channel, strings.NewReader("{}"), tt.opts, nil)
		if !errors.Is(err, tt.want) {
			t.Errorf("Read(%q, %q) = %v, want %v", tt.format, tt.channel, err, tt.want)
		}
	}
}

// TestContainers finds the same two documents however they are put together.
func TestContainers(t *testing.T) {
	t.Parallel()
	a := `{"id":1,"line_items":[],"total_price":"}\"{"}`
	b := `{"id":2,"line_items":[],"total_price":"0"}`
	for name, input := range map[string]string{
		"lines":         a + "\n" + b + "\n",
		"together":      a + b,
		"array":         "[" + a + ",\n" + b + "]\n",
		"mark":          "\ufeff[" + a + "," + b + "]",
		"orders":        `{"orders":[` + a + `,` + b + `]}`,
		"order":         `{"order":` + a + "}\r\n" + `{"order":` + b + `}`,
		"recorded":      `[{"name":"orders/updated","response":` + a + `},{"name":"orders/paid","response":` + b + `}]`,
		"recorded list": `{"orders":[{"name":"orders/updated","response":` + a + `},` + b + `]}`,
	} {
		results, err := read(t, "shopify", input, importer.Options{})
		if err != nil || len(results) != 2 {
			t.Errorf("%s: %d outcomes, %v", name, len(results), err)
			continue
		}
		for i, r := range results {
			if r.Rejection == nil || r.Rejection.ExternalID != fmt.Sprint(i+1) || r.Rejection.Index != i {
				t.Errorf("%s: outcome %d is %s", name, i, r)
			}
		}
	}
	for name, input := range map[string]string{"nothing": "", "spaces": " \n", "empty array": "[ ]", "no orders": `{"orders":[]}`} {
		if results, err := read(t, "shopify", input, importer.Options{}); err != nil || len(results) != 0 {
			t.Errorf("%s: %v, %v", name, results, err)
		}
	}
}

func TestBatchAnswers(t *testing.T) {
	t.Parallel()
	results, err := read(t, "woocommerce", `{"delete":[{"id":3,"line_items":[]}],"create":[{"id":1},null]}`, importer.Options{Topic: "order.deleted"})
	want := []string{"REJECT order=1 =no_order", "REJECT order= =malformed", "REJECT order=3 =deleted"}
	if err != nil || len(results) != len(want) {
		t.Fatalf("%v, %v", results, err)
	}
	for i, r := range results {
		if !strings.HasPrefix(r.String(), want[i]) {
			t.Errorf("outcome %d is %s", i, r)
		}
	}
	stop := errors.New("stop")
	if err := importer.Read("woocommerce", "web", strings.NewReader(`{"create":[{}],"delete":[{}]}`), importer.Options{}, func(i *importer.Item, r *importer.Rejection) error {
		if r.Index > 0 {
			t.Errorf("read on after the stop: %v", r)
		}
		return stop
	}); !errors.Is(err, stop) {
		t.Errorf("the stop becomes %v", err)
	}
}

func TestSyntaxErrorsEndTheReading(t *testing.T) {
	t.Parallel()
	for _, input := range []string{
		"x", "1", `"{}"`, "{", `{"a":"}`, "[", "[{}", "[{},", "[{},]", "[,{}]", "[{}{}]", "[{}]]", "[]{}", "{},{}", "]", "[[{}]]", "null", "[null]",
	} {
		results, err := read(t, "shopify", input, importer.Options{})
		if !errors.Is(err, importer.ErrSyntax) {
			t.Errorf("%s: %v, %v", input, results, err)
		}
	}
}

func TestAMalformedDocumentDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	results, err := read(t, "shopify", "{\"id\":01}\n\n{\"id\":{},\"line_items\":[],\"currency\":\"EUR\"}\n{\"order_edit\":[]}\n{\"id\":7,\"order_id\":7,\"line_items\":{}}", importer.Options{})
	if err != nil || len(results) != 4 {
		t.Fatalf("%v, %v", results, err)
	}
	for i, line := range []int{1, 3, 4, 5} {
		if r := results[i].Rejection; r == nil || r.Line != line || r.Index != i {
			t.Errorf("outcome %d is %+v", i, r)
		}
	}
	if r := results[1].Rejection; r.Code != "malformed" || r.Pointer != "id" {
		t.Errorf("a wrong type is reported as %+v", r)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	document := func(bytes int) string {
		head, tail := `{"id":1,"x":"`, `"}`
		return head + strings.Repeat("y", bytes-len(head)-len(tail)) + tail
	}
	if r := one(t, "shopify", document(importer.MaxDocumentBytes), importer.Options{}); r.Rejection.Code == "too_long" {
		t.Errorf("the largest document: %s", r)
	}
	if r := one(t, "shopify", document(importer.MaxDocumentBytes+1), importer.Options{}); r.Rejection == nil || r.Rejection.Code != "too_long" {
		t.Errorf("a document too large: %s", r)
	}
	if r := one(t, "shopify", document(importer.MaxContainerBytes), importer.Options{}); r.Rejection == nil || r.Rejection.Code != "too_long" {
		t.Errorf("the largest object: %s", r)
	}
	if _, err := read(t, "shopify", document(importer.MaxContainerBytes+1), importer.Options{}); !errors.Is(err, importer.ErrTooLarge) {
		t.Errorf("an object too large: %v", err)
	}
	results, err := read(t, "shopify", strings.Repeat("{}", importer.MaxDocuments), importer.Options{})
	if err != nil || len(results) != importer.MaxDocuments {
		t.Errorf("as many documents as allowed: %d, %v", len(results), err)
	}
	results, err = read(t, "woocommerce", strings.Repeat("{}", importer.MaxDocuments+1), importer.Options{})
	if !errors.Is(err, importer.ErrTooMany) || len(results) != importer.MaxDocuments {
		t.Errorf("one document too many: %d, %v", len(results), err)
	}
}

func TestErrorsOfOthersAreReturned(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	err := importer.Read("shopify", "web", io.MultiReader(strings.NewReader(`{"a":`), failing{broken}), importer.Options{}, nil)
	if !errors.Is(err, broken) {
		t.Errorf("an error of the reader becomes %v", err)
	}
	err = importer.Read("shopify", "web", io.MultiReader(strings.NewReader("{}\n"), failing{broken}), importer.Options{}, func(*importer.Item, *importer.Rejection) error { return nil })
	if !errors.Is(err, broken) {
		t.Errorf("an error of the reader between documents becomes %v", err)
	}
	calls := 0
	err = importer.Read("shopify", "web", strings.NewReader(`{}{}`), importer.Options{}, func(*importer.Item, *importer.Rejection) error {
		calls++
		return broken
	})
	if !errors.Is(err, broken) || calls != 1 {
		t.Errorf("an error of the caller becomes %v after %d calls", err, calls)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
