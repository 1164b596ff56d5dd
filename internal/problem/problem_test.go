package problem_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/problem"
)

func TestErrIsNilOnlyWhenNothingWasAdded(t *testing.T) {
	t.Parallel()
	var v problem.Invalid
	if err := v.Err(); err != nil {
		t.Fatalf("empty list is an error: %v", err)
	}
	v.Add("lines[2].quantity", problem.OutOfRange, "is %d", 0)
	v.Add("", problem.Conflict, "contradicts itself")
	err := v.Err()
	if err == nil {
		t.Fatal("no error after Add")
	}
	if want := "lines[2].quantity: is 0; contradicts itself"; err.Error() != want {
		t.Errorf("Error() = %q, want %q", err, want)
	}
	var got problem.Invalid
	if !errors.As(fmt.Errorf("create: %w", err), &got) || len(got) != 2 {
		t.Errorf("errors.As lost the fields: %v", got)
	}
}

func TestNestPutsPointersUnderPrefix(t *testing.T) {
	t.Parallel()
	part := problem.Invalid{{Pointer: "city", Code: problem.Required, Message: "100% needed"}, {Pointer: "[1]"}, {Pointer: ""}}
	var v problem.Invalid
	v.Nest("address", part)
	v.Nest("x", nil)
	v.Nest("y", errors.New("odd"))
	var pointers []string
	for _, f := range v {
		pointers = append(pointers, f.Pointer)
	}
	if got := strings.Join(pointers, " "); got != "address.city address[1] address y" {
		t.Errorf("pointers = %q", got)
	}
	if v[0].Message != "100% needed" {
		t.Errorf("message was formatted twice: %q", v[0].Message)
	}
}

func TestListIsBounded(t *testing.T) {
	t.Parallel()
	var v problem.Invalid
	for range problem.MaxFields + 50 {
		v.Add("a", problem.Required, "is required")
	}
	if len(v) != problem.MaxFields {
		t.Fatalf("%d fields listed", len(v))
	}
	if last := v[len(v)-1]; last.Code != problem.TooMany {
		t.Errorf("last entry does not tell that there are more: %+v", last)
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", problem.MaxIDBytes)
	tests := []struct {
		name  string
		check func(v *problem.Invalid)
		want  string // codes
	}{
		{"id", func(v *problem.Invalid) { v.ID("p", "Größe/12 a") }, ""},
		{"longest id", func(v *problem.Invalid) { v.ID("p", long) }, ""},
		{"id too long", func(v *problem.Invalid) { v.ID("p", long+"x") }, "too_long"},
		{"no id", func(v *problem.Invalid) { v.ID("p", "") }, "required"},
		{"id with space", func(v *problem.Invalid) { v.ID("p", " a") }, "malformed"},
		{"control character", func(v *problem.Invalid) { v.Text("p", "a\r\nb", 10) }, "malformed"},
		{"not UTF-8", func(v *problem.Invalid) { v.Text("p", "a\xff", 10) }, "malformed"},
		{"range", func(v *problem.Invalid) { v.Range("p", 5, 5, 5) }, ""},
		{"below", func(v *problem.Invalid) { v.Range("p", 4, 5, 5) }, "out_of_range"},
		{"above", func(v *problem.Invalid) { v.Range("p", 6, 5, 5) }, "out_of_range"},
		{"ids", func(v *problem.Invalid) { v.IDs("p", []string{"a", "b"}, 2) }, ""},
		{"ids twice", func(v *problem.Invalid) { v.IDs("p", []string{"a", "a"}, 2) }, "duplicate"},
		{"too many ids", func(v *problem.Invalid) { v.IDs("p", []string{"a", "b"}, 1) }, "too_long"},
		{"one of", func(v *problem.Invalid) { problem.OneOf(v, "p", "b", "a", "b") }, ""},
		{"none of", func(v *problem.Invalid) { problem.OneOf(v, "p", "c", "a", "b") }, "unknown"},
		{"nothing of", func(v *problem.Invalid) { problem.OneOf(v, "p", "", "a", "b") }, "required"},
	}
	for _, tt := range tests {
		var v problem.Invalid
		tt.check(&v)
		var codes []string
		for _, f := range v {
			codes = append(codes, f.Code)
		}
		if got := strings.Join(codes, " "); got != tt.want {
			t.Errorf("%s: codes %q, want %q", tt.name, got, tt.want)
		}
	}
}
