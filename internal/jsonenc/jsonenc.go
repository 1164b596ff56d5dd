// Package jsonenc writes Go values as JSON, byte for byte as encoding/json does, several times
// faster. Every commit encodes the whole order and its events in the one place where commits are
// made in turn, so what encoding costs bounds how many there are.
//
// A type is compiled once to a list of steps with field offsets and ready keys. Tags mean what they
// mean to encoding/json: name, "-", omitempty, omitzero; embedded structs are flattened.
//
// It promises the same bytes and leaves everything it does not know itself (interfaces, maps other than
// of strings, types with methods of their own, the string option) to encoding/json. Unmarshal reads it back with
// the faster decoder that is to become Go's. Nothing here indents, and values that contain themselves cannot be written.
package jsonenc

import (
	"encoding/json"
	"reflect"
	"sync"
	"unsafe"
)

// encoder appends the value at p.
type encoder func(b []byte, p unsafe.Pointer) ([]byte, error)

var encoders sync.Map // reflect.Type → encoder

// scratch are buffers to encode into; what is returned is a copy without spare room, because it is often kept.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }}

// maxScratch bounds the buffers that are kept.
const maxScratch = 1 << 20

// Marshal returns v as JSON. v is best a pointer: other values are copied first. Errors are those of encoding/json.
func Marshal(v any) ([]byte, error) {
	p := scratch.Get().(*[]byte)
	b, err := Append((*p)[:0], v)
	var out []byte
	if err == nil {
		out = append(make([]byte, 0, len(b)), b...)
	}
	if cap(b) <= maxScratch {
		*p = b
		scratch.Put(p)
	}
	return out, err
}

// Append appends v as JSON to b.
func Append(b []byte, v any) ([]byte, error) {
	r := reflect.ValueOf(v)
	if !r.IsValid() {
		return append(b, "null"...), nil
	}
	if r.Kind() == reflect.Pointer {
		if r.IsNil() {
			return append(b, "null"...), nil
		}
		return encoderOf(r.Type().Elem())(b, r.UnsafePointer())
	}
	c := reflect.New(r.Type())
	c.Elem().Set(r)
	return encoderOf(r.Type())(b, c.UnsafePointer())
}

func encoderOf(t reflect.Type) encoder {
	if e, ok := encoders.Load(t); ok {
		return e.(encoder)
	}
	e, _ := encoders.LoadOrStore(t, compile(t))
	return e.(encoder)
}

// compile makes the encoder of a type.
func compile(t reflect.Type) encoder {
	if t == timeType {
		return appendTime
	}
	if own(t) {
		return other(t)
	}
	switch t.Kind() {
	case reflect.String:
		return appendStringAt
	case reflect.Bool:
		return appendBool
	case reflect.Int, reflect.Int64:
		return func(b []byte, p unsafe.Pointer) ([]byte, error) { return appendInt(b, *(*int64)(p)), nil }
	case reflect.Int32:
		return func(b []byte, p unsafe.Pointer) ([]byte, error) { return appendInt(b, int64(*(*int32)(p))), nil }
	case reflect.Float64:
		return appendFloat
	case reflect.Pointer:
		return pointer(t)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return other(t) // base64
		}
		return slice(t)
	case reflect.Struct:
		return structure(t)
	case reflect.Map:
		if t == stringsType {
			return appendStrings
		}
	}
	return other(t)
}

var (
	marshaler = reflect.TypeFor[json.Marshaler]()
	textual   = reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]()
)

// own reports that a type, or a pointer to it, says itself how it is written.
func own(t reflect.Type) bool {
	for _, t := range []reflect.Type{t, reflect.PointerTo(t)} {
		if t.Implements(marshaler) || t.Implements(textual) {
			return true
		}
	}
	return false
}

// other leaves a type to encoding/json.
func other(t reflect.Type) encoder {
	return func(b []byte, p unsafe.Pointer) ([]byte, error) {
		raw, err := json.Marshal(reflect.NewAt(t, p).Interface())
		return append(b, raw...), err
	}
}

// later compiles a type when it is first met, so that types may refer to themselves.
func later(t reflect.Type) func() encoder {
	return sync.OnceValue(func() encoder { return encoderOf(t) })
}

func pointer(t reflect.Type) encoder {
	elem := later(t.Elem())
	return func(b []byte, p unsafe.Pointer) ([]byte, error) {
		to := *(*unsafe.Pointer)(p)
		if to == nil {
			return append(b, "null"...), nil
		}
		return elem()(b, to)
	}
}

// header is how a slice lies in memory.
type header struct {
	data     unsafe.Pointer
	len, cap int
}

func slice(t reflect.Type) encoder {
	elem, size := later(t.Elem()), t.Elem().Size()
	return func(b []byte, p unsafe.Pointer) ([]byte, error) {
		h := (*header)(p)
		if h.data == nil {
			return append(b, "null"...), nil
		}
		b = append(b, '[')
		write := elem()
		for i := range h.len {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = write(b, unsafe.Add(h.data, uintptr(i)*size)); err != nil {
				return b, err
			}
		}
		return append(b, ']'), nil
	}
}
