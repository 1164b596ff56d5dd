package order

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
)

// TestFingerprintSeesEveryField changes each field of a request, however deep,
// and expects another fingerprint: a field that is added later and forgotten fails here.
func TestFingerprintSeesEveryField(t *testing.T) {
	whole := func() *New {
		total := int64(1)
		degrees := func() *float64 { v := 1.5; return &v }
		return &New{
			Total: &total, Lines: []NewLine{{Gift: &Gift{}}}, Tenders: []Tender{{}}, Attributes: map[string]string{"k": "v"},
			ShipTo: &network.Address{Latitude: degrees(), Longitude: degrees()}, BillTo: &network.Address{Latitude: degrees(), Longitude: degrees()},
		}
	}
	seen := map[string]string{whole().Fingerprint(): "the request itself"}
	var walk func(path string, find func(reflect.Value) reflect.Value, typ reflect.Type)
	walk = func(path string, find func(reflect.Value) reflect.Value, typ reflect.Type) {
		switch {
		case typ == reflect.TypeFor[time.Time]():
		case typ.Kind() == reflect.Struct:
			for i := range typ.NumField() {
				walk(path+"."+typ.Field(i).Name, func(v reflect.Value) reflect.Value { return find(v).Field(i) }, typ.Field(i).Type)
			}
			return
		case typ.Kind() == reflect.Pointer:
			walk(path, func(v reflect.Value) reflect.Value { return find(v).Elem() }, typ.Elem())
			return
		case typ.Kind() == reflect.Slice:
			walk(path+"[0]", func(v reflect.Value) reflect.Value { return find(v).Index(0) }, typ.Elem())
			return
		}
		n := whole()
		change(t, find(reflect.ValueOf(n).Elem()))
		got := n.Fingerprint()
		if other, ok := seen[got]; ok {
			t.Errorf("%s changed and the fingerprint is that of %s", path, other)
		}
		seen[got] = path
	}
	walk("", func(v reflect.Value) reflect.Value { return v }, reflect.TypeFor[New]())
	for what, n := range map[string]*New{"no total": whole(), "no ship_to": whole(), "two lines": whole(), "no attributes": whole()} {
		switch what {
		case "no total":
			n.Total = nil
		case "no ship_to":
			n.ShipTo = nil
		case "two lines":
			n.Lines = append(n.Lines, NewLine{})
		case "no attributes":
			n.Attributes = nil
		}
		if other, ok := seen[n.Fingerprint()]; ok {
			t.Errorf("%s has the fingerprint of %s", what, other)
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d fields were changed", len(seen))
	}
}

func change(t *testing.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int64:
		v.SetInt(v.Int() + 7)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Float64:
		v.SetFloat(v.Float() + 1)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"k": fmt.Sprint(v.Interface(), "x")}))
	case reflect.Struct:
		v.Set(reflect.ValueOf(time.Unix(5, 0)))
	default:
		t.Fatalf("a field of kind %s: extend the test", v.Kind())
	}
}
