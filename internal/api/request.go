package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/problem"
)

// read brings the request's body into memory, within the route's limit.
func (c *Call) read(rt *Route) error {
	c.scratch.body = c.scratch.body[:0]
	if c.R.Body == nil || c.R.Body == http.NoBody {
		return nil
	}
	if ct := c.R.Header.Get("Content-Type"); ct != "" && ct != "application/json" {
		if media, _, err := mime.ParseMediaType(ct); err != nil || (media != "application/json" && !strings.HasSuffix(media, "+json")) {
			return newProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", "send application/json, not "+ct)
		}
	}
	if c.R.ContentLength > rt.MaxBytes {
		return tooLarge(rt.MaxBytes)
	}
	body, err := readAll(c.scratch.body, c.R.Body, rt.MaxBytes)
	c.scratch.body = body
	return err
}

// checkText refuses text in an address or a key that is not UTF-8 or has a zero byte. Not
// every store takes such text, and looking for one would fail the requests that are looked up with it.
func checkText(r *http.Request) error {
	query := r.URL.RawQuery
	if strings.IndexByte(query, '%') >= 0 {
		if plain, err := url.QueryUnescape(query); err == nil { // else the parameter is ignored
			query = plain
		}
	}
	for _, text := range []string{r.URL.Path, query, r.Header.Get("Idempotency-Key"), r.Header.Get("Last-Event-ID")} {
		if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
			return newProblem(http.StatusBadRequest, "malformed_text", "address and headers must be UTF-8 without zero bytes")
		}
	}
	return nil
}

func tooLarge(limit int64) error {
	return newProblem(http.StatusRequestEntityTooLarge, "body_too_large", fmt.Sprintf("the body may have at most %d bytes; split the request", limit))
}

func readAll(dst []byte, r io.Reader, limit int64) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if int64(len(dst)) > limit {
			return dst, tooLarge(limit)
		}
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, newProblem(http.StatusBadRequest, "unreadable_body", "the body ended early: "+err.Error())
		}
	}
}

// Decode reads the body into v. Unknown fields, duplicate fields, wrong types and
// anything after the document are refused with the field's place.
func (c *Call) Decode(v any) error {
	if len(c.scratch.body) == 0 {
		return newProblem(http.StatusBadRequest, "missing_body", "send a JSON document")
	}
	return decodeJSON(c.scratch.body, v)
}

// DecodeOptional is Decode, but no body leaves v as it is.
func (c *Call) DecodeOptional(v any) error {
	if len(c.scratch.body) == 0 {
		return nil
	}
	return decodeJSON(c.scratch.body, v)
}

func decodeJSON(body []byte, v any) error {
	err := json.Unmarshal(body, v, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		at := dotted(string(semantic.JSONPointer))
		var bad problem.Invalid
		if errors.Is(err, json.ErrUnknownName) {
			bad.Add(at, problem.Unknown, "there is no such field")
		} else {
			bad.Add(at, problem.Malformed, "%s", reasonOf(semantic))
		}
		return bad.Err()
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		return newProblem(http.StatusBadRequest, "malformed_json",
			fmt.Sprintf("the body is not a JSON document: %v, at byte %d", syntactic.Err, syntactic.ByteOffset))
	}
	return newProblem(http.StatusBadRequest, "malformed_json", "the body is not a JSON document: "+err.Error())
}

func reasonOf(e *json.SemanticError) string {
	want := "another type"
	if e.GoType != nil {
		switch k := e.GoType.Kind().String(); {
		case strings.HasPrefix(k, "int"):
			want = "an integer"
		case k == "slice":
			want = "a list"
		case k == "struct" && e.GoType == timeType:
			want = "a time as in RFC 3339, like 2026-11-23T09:00:00Z"
		case k == "struct" || k == "map":
			want = "an object"
		case k == "bool":
			want = "true or false"
		case k == "string":
			want = "a string"
		}
	}
	got := ""
	if e.JSONKind != 0 {
		got = fmt.Sprintf(", got %s", kindName(e.JSONKind))
	}
	return "must be " + want + got
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 'n':
		return "null"
	}
	return "true or false"
}

// dotted turns a JSON pointer into the form that all problems use: lines[2].quantity.
func dotted(pointer string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		if _, err := strconv.Atoi(part); err == nil {
			b.WriteString("[" + part + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(part)
	}
	return b.String()
}

// Context bounds how long the caller waits.
func (c *Call) Context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.R.Context(), requestTimeout)
}

// meta is who sends the command, with its guards from the headers.
func (c *Call) meta() (engine.Meta, error) {
	m := engine.Meta{Actor: c.Principal.Name}
	if v := c.R.Header.Get("If-Match"); v != "" && v != "*" {
		n, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(v, "W/"), `"`), 10, 64)
		if err != nil || n < 1 {
			return m, newProblem(http.StatusPreconditionFailed, "version_mismatch", "If-Match must be an ETag of this document")
		}
		m.IfVersion = n
	}
	if key := c.R.Header.Get("Idempotency-Key"); key != "" {
		if len(key) > 200 {
			return m, newProblem(http.StatusBadRequest, "bad_idempotency_key", "an Idempotency-Key has at most 200 bytes")
		}
		sum := sha256.New()
		io.WriteString(sum, c.R.Method+" "+c.R.URL.RequestURI()+"\n"+c.R.Header.Get("If-Match")+"\n")
		sum.Write(c.scratch.body)
		m.Key = &engine.IdempotencyKey{Key: c.Principal.ID + " " + key, Hash: sum.Sum(nil)[:16]}
	}
	var err error
	m.Manual, err = c.manual()
	return m, err
}

// Headers with which a tool that people work with says who did something, how long it took, and why.
const (
	headerOperator = "Orderly-Operator"
	headerSeconds  = "Orderly-Seconds"
	headerCause    = "Orderly-Cause"
	maxSeconds     = 24 * 3600
)

// manual is the person behind the request; nil: it was a system.
func (c *Call) manual() (*engine.Manual, error) {
	h := c.R.Header
	m := &engine.Manual{Operator: h.Get(headerOperator), Cause: h.Get(headerCause), Action: c.Operation}
	if m.Operator == "" {
		return nil, nil
	}
	var bad problem.Invalid
	bad.Text(headerOperator, m.Operator, 200)
	bad.Text(headerCause, m.Cause, 200)
	if v := h.Get(headerSeconds); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 1 || n > maxSeconds {
			bad.Add(headerSeconds, problem.OutOfRange, "must be between 1 and %d", maxSeconds)
		}
		m.Seconds = n
	}
	return m, bad.Err()
}

// query returns a query parameter.
func (c *Call) query(name string) string { return c.R.URL.Query().Get(name) }

// limit returns the page size asked for.
func (c *Call) limit() (int, error) {
	v := c.query("limit")
	if v == "" {
		return defaultPageSize, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxPageSize {
		var bad problem.Invalid
		bad.Add("limit", problem.OutOfRange, "must be between 1 and %d", maxPageSize)
		return 0, bad.Err()
	}
	return n, nil
}

// instant returns a query parameter that is a time.
func (c *Call) instant(name string) (time.Time, error) {
	v := c.query(name)
	if v == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		var bad problem.Invalid
		bad.Add(name, problem.Malformed, "must be a time as in RFC 3339, like 2026-11-23T09:00:00Z")
		return t, bad.Err()
	}
	return t.UTC(), nil
}
