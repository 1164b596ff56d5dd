package jsonenc_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/order"
)

// filler fills values of any type at random, often with what is left out or escaped.
type filler struct{ *rand.Rand }

var texts = []string{"", "a", "Hauptstraße 28", `say "no"`, "a\\b", "<b>&</b>", "\u2028x", "line\nbreak", "\xff\xfe", "日本", "\x00", "\u007f"}

func (f filler) fill(v reflect.Value, depth int) {
	if f.IntN(4) == 0 {
		v.SetZero()
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts[f.IntN(len(texts))])
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(f.Int64() >> f.IntN(64))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(f.Uint64() >> f.IntN(64))
	case reflect.Float64, reflect.Float32:
		v.SetFloat([]float64{0, .1, -1, 1e-7, 1e21, 123456.789, math.MaxFloat64, f.Float64()}[f.IntN(8)])
	case reflect.Pointer:
		if depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem(), depth-1)
		}
	case reflect.Slice:
		n := f.IntN(3)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(v.Index(i), depth-1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range f.IntN(4) {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(k, depth-1)
			f.fill(e, depth-1)
			v.SetMapIndex(k, e)
		}
	case reflect.Struct:
		f.structure(v, depth)
	}
}

func (f filler) structure(v reflect.Value, depth int) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		at := time.Unix(f.Int64N(4e9), f.Int64N(1e9)).UTC()
		if f.IntN(8) == 0 {
			at = at.In(time.FixedZone("", 3600))
		}
		v.Set(reflect.ValueOf(at))
		return
	}
	for i := range v.NumField() {
		if v.Field(i).CanSet() {
			f.fill(v.Field(i), depth)
		}
	}
}

// odd has what the types of the product do not have, or hardly.
type odd struct {
	Named    string
	Inner    `json:",omitempty"`
	Skipped  string `json:"-"`
	Dash     string `json:"-,"`
	hidden   int
	Any      any
	Raw      json.RawMessage `json:"raw,omitempty"`
	Bytes    []byte          `json:"bytes"`
	Small    int8            `json:"small,omitempty"`
	Big      uint64          `json:"big,omitzero"`
	Half     float32         `json:"half,omitempty"`
	Numbers  map[int]string  `json:"numbers,omitempty"`
	Array    [2]string       `json:"array,omitempty"`
	Both     string          `json:"both,omitempty,omitzero"`
	Times    []time.Time     `json:"times"`
	ZeroTime *time.Time      `json:"zero_time,omitzero"`
	Self     *odd            `json:"self,omitempty"`
	Worded   worded          `json:"worded"`
	Struct   Inner           `json:"struct,omitzero"`
}

type Inner struct {
	Deep string `json:"deep"`
	More int    `json:"more,omitempty"`
}

type worded struct{ n int }

func (w worded) MarshalText() ([]byte, error) { return []byte(strings.Repeat("w", w.n)), nil }

// clash has two members of one name, of which encoding/json takes neither or the less deep.
type clash struct {
	Inner
	Deep string `json:"deep"`
}

// quoted has an option of its own.
type quoted struct {
	N int `json:"n,string"`
}

func TestSameAsEncodingJSON(t *testing.T) {
	f := filler{rand.New(rand.NewPCG(1, 2))}
	for _, of := range []reflect.Type{
		reflect.TypeFor[order.Order](), reflect.TypeFor[order.Event](), reflect.TypeFor[[]order.Event](), reflect.TypeFor[inventory.Reservation](),
		reflect.TypeFor[odd](), reflect.TypeFor[clash](), reflect.TypeFor[quoted](), reflect.TypeFor[map[string]string](), reflect.TypeFor[[]any](),
		reflect.TypeFor[string](), reflect.TypeFor[float64](), reflect.TypeFor[time.Time](),
	} {
		t.Run(of.String(), func(t *testing.T) {
			for range 2000 {
				v := reflect.New(of)
				f.fill(v.Elem(), 3)
				want, failed := json.Marshal(v.Interface())
				for _, x := range []any{v.Interface(), v.Elem().Interface()} {
					got, err := jsonenc.Marshal(x)
					if (err != nil) != (failed != nil) {
						t.Fatalf("error %v, want %v", err, failed)
					}
					if err == nil && string(got) != string(want) {
						t.Fatalf("got\n%s\nwant\n%s", got, want)
					}
					again, standard := reflect.New(of), reflect.New(of)
					if a, b := jsonenc.Unmarshal(want, again.Interface()), json.Unmarshal(want, standard.Interface()); (a != nil) != (b != nil) || a == nil && !reflect.DeepEqual(again.Interface(), standard.Interface()) {
						t.Fatalf("read back as\n%+v, %v\nand by encoding/json\n%+v, %v", again.Elem(), a, standard.Elem(), b)
					}
				}
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, v := range []any{math.NaN(), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), make(chan int), []any{func() {}}} {
		if got, err := jsonenc.Marshal(v); err == nil {
			t.Errorf("%v gives %s", v, got)
		}
	}
	for _, v := range []any{nil, (*order.Order)(nil), []string(nil), map[string]string(nil)} {
		if got, err := jsonenc.Marshal(v); err != nil || string(got) != "null" {
			t.Errorf("%T gives %s, %v", v, got, err)
		}
	}
}

func BenchmarkOrder(b *testing.B) {
	o := order.Order{ID: "01a217f5-0da4-7af4-8dee-6c63ada1d6c5", Channel: "web", CreatedAt: time.Unix(1e9, 0).UTC(), Lines: make([]order.Line, 4), Fulfillments: make([]order.Fulfillment, 1)}
	for name, marshal := range map[string]func(any) ([]byte, error){"jsonenc": jsonenc.Marshal, "encoding": json.Marshal} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := marshal(&o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
