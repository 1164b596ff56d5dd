package jsonenc

import (
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// field is one member of an object.
type field struct {
	key    string // with quotes and colon
	offset uintptr
	write  encoder
	omit   func(p unsafe.Pointer) bool // nil: never
}

func structure(t reflect.Type) encoder {
	fields, ok := fieldsOf(t)
	if !ok {
		return other(t)
	}
	return func(b []byte, p unsafe.Pointer) ([]byte, error) {
		b = append(b, '{')
		first := true
		for i := range fields {
			f := &fields[i]
			at := unsafe.Add(p, f.offset)
			if f.omit != nil && f.omit(at) {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(b, f.key...)
			var err error
			if b, err = f.write(b, at); err != nil {
				return b, err
			}
		}
		return append(b, '}'), nil
	}
}

// fieldsOf compiles the members of a struct. False: there is something in it that only
// encoding/json knows, like two fields of one name.
func fieldsOf(t reflect.Type) (fields []field, ok bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if f.Anonymous && name == "" {
			if f.Type.Kind() != reflect.Struct || own(f.Type) {
				return nil, false
			}
			inner, ok := fieldsOf(f.Type)
			if !ok {
				return nil, false
			}
			for _, x := range inner {
				x.offset += f.Offset
				fields = append(fields, x)
			}
			continue
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		x := field{key: string(appendString(nil, name)) + ":", offset: f.Offset, write: encoderOf(f.Type)}
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "":
			case "omitempty":
				x.omit = either(x.omit, empty(f.Type))
			case "omitzero":
				x.omit = either(x.omit, zero(f.Type))
			default:
				return nil, false
			}
		}
		if slices.ContainsFunc(fields, func(y field) bool { return y.key == x.key }) {
			return nil, false
		}
		fields = append(fields, x)
	}
	return fields, true
}

func either(a, b func(unsafe.Pointer) bool) func(unsafe.Pointer) bool {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(p unsafe.Pointer) bool { return a(p) || b(p) }
}

// empty is what omitempty leaves out; nil: nothing.
func empty(t reflect.Type) func(unsafe.Pointer) bool {
	switch t.Kind() {
	case reflect.Slice:
		return func(p unsafe.Pointer) bool { return (*header)(p).len == 0 }
	case reflect.String:
		return func(p unsafe.Pointer) bool { return len(*(*string)(p)) == 0 }
	case reflect.Map:
		return func(p unsafe.Pointer) bool { return reflect.NewAt(t, p).Elem().Len() == 0 }
	case reflect.Struct, reflect.Array:
		return nil
	}
	return zero(t)
}

// isZeroer is a type that says itself what its zero value is.
type isZeroer interface{ IsZero() bool }

var zeroer = reflect.TypeFor[isZeroer]()

// zero is what omitzero leaves out.
func zero(t reflect.Type) func(unsafe.Pointer) bool {
	if t == timeType {
		return func(p unsafe.Pointer) bool { return (*stamp)(p).IsZero() }
	}
	if t.Implements(zeroer) {
		return func(p unsafe.Pointer) bool {
			v := reflect.NewAt(t, p).Elem()
			return t.Kind() == reflect.Pointer && v.IsNil() || v.Interface().(isZeroer).IsZero()
		}
	}
	if reflect.PointerTo(t).Implements(zeroer) {
		return func(p unsafe.Pointer) bool { return reflect.NewAt(t, p).Interface().(isZeroer).IsZero() }
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Map:
		return func(p unsafe.Pointer) bool { return *(*unsafe.Pointer)(p) == nil }
	case reflect.Slice:
		return func(p unsafe.Pointer) bool { return (*header)(p).data == nil }
	case reflect.String:
		return func(p unsafe.Pointer) bool { return len(*(*string)(p)) == 0 }
	case reflect.Bool:
		return func(p unsafe.Pointer) bool { return !*(*bool)(p) }
	case reflect.Int, reflect.Int64:
		return func(p unsafe.Pointer) bool { return *(*int64)(p) == 0 }
	case reflect.Float64:
		return func(p unsafe.Pointer) bool { return *(*float64)(p) == 0 }
	}
	return func(p unsafe.Pointer) bool { return reflect.NewAt(t, p).Elem().IsZero() }
}
