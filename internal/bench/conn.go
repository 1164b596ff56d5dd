package bench

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"sync"
	"time"
)

const (
	maxAnswerBytes = 64 << 20
	dialTimeout    = 10 * time.Second
	firstReadBytes = 16 << 10
)

// hostOf returns host and port of a target.
func hostOf(target string) (string, error) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" || u.Host == "" || (u.Path != "" && u.Path != "/") {
		return "", fmt.Errorf("%q is not like http://127.0.0.1:8080", target)
	}
	if u.Port() == "" {
		return u.Host + ":80", nil
	}
	return u.Host, nil
}

// head builds requests for one server.
type head struct {
	fixed []byte // the part of the head that is the same for all, up to the length
}

func newHead(host, key string) *head {
	b := append([]byte(" HTTP/1.1\r\nHost: "), host...)
	if key != "" {
		b = append(append(b, "\r\nAuthorization: Bearer "...), key...)
	}
	return &head{append(b, "\r\nContent-Type: application/json\r\nContent-Length: "...)}
}

// request appends a request whose body consists of the parts.
func (h *head) request(dst []byte, method, path string, body ...[]byte) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, path...)
	dst = append(dst, h.fixed...)
	n := 0
	for _, part := range body {
		n += len(part)
	}
	dst = strconv.AppendInt(dst, int64(n), 10)
	dst = append(dst, "\r\n\r\n"...)
	for _, part := range body {
		dst = append(dst, part...)
	}
	return dst
}

// conn is a connection that is asked one request at a time. It dials when it has to.
type conn struct {
	host string
	buf  []byte

	mu     sync.Mutex // guards net against close
	net    net.Conn
	closed bool
}

var errClosed = errors.New("the run is over")

// close ends the connection for good, also while a request waits.
func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.dropLocked()
}

func (c *conn) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked()
}

func (c *conn) dropLocked() {
	if c.net != nil {
		c.net.Close()
		c.net = nil
	}
}

func (c *conn) dial() (net.Conn, error) {
	c.mu.Lock()
	n, closed := c.net, c.closed
	c.mu.Unlock()
	if closed {
		return nil, errClosed
	}
	if n != nil {
		return n, nil
	}
	n, err := net.DialTimeout("tcp", c.host, dialTimeout)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		n.Close()
		return nil, errClosed
	}
	c.net = n
	return n, nil
}

// do sends a request and returns the answer. The body is valid until the next call.
func (c *conn) do(request []byte) (status int, body []byte, err error) {
	n, err := c.dial()
	if err != nil {
		return 0, nil, err
	}
	if c.buf == nil {
		c.buf = make([]byte, firstReadBytes)
	}
	a, err := c.exchange(n, request)
	if err != nil || a.close {
		c.drop()
	}
	return a.status, a.body, err
}

func (c *conn) exchange(n net.Conn, request []byte) (answer, error) {
	if _, err := n.Write(request); err != nil {
		return answer{}, err
	}
	for have := 0; ; {
		if have == len(c.buf) {
			if have >= maxAnswerBytes {
				return answer{}, fmt.Errorf("an answer of more than %d bytes", maxAnswerBytes)
			}
			c.buf = append(c.buf, make([]byte, len(c.buf))...)
		}
		got, err := n.Read(c.buf[have:])
		have += got
		if got > 0 {
			a, used, err := parse(c.buf[:have])
			if err != nil {
				return answer{}, err
			}
			if used > 0 && used != have {
				return answer{}, errors.New("bytes after the end of the answer")
			}
			if used > 0 {
				return a, nil
			}
		}
		if err != nil {
			return answer{}, err
		}
	}
}

// answer is what the generator needs of an HTTP response.
type answer struct {
	status int
	body   []byte
	close  bool // the server closes the connection
}

var (
	errMalformed = errors.New("not an HTTP/1.1 answer")
	endOfHead    = []byte("\r\n\r\n")
	endOfLine    = []byte("\r\n")
)

// parse reads an answer from the beginning of b. used is its length, 0 when more
// bytes are needed.
func parse(b []byte) (a answer, used int, err error) {
	end := bytes.Index(b, endOfHead)
	if end < 0 {
		return a, 0, nil
	}
	line, fields, _ := bytes.Cut(b[:end], endOfLine)
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || line[8] != ' ' {
		return a, 0, errMalformed
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil || a.status < 100 {
		return a, 0, errMalformed
	}
	end += len(endOfHead)
	if a.status < 200 { // 100 Continue and the like come before the answer
		a, used, err = parse(b[end:])
		if used > 0 {
			used += end
		}
		return a, used, err
	}
	length, chunked := 0, false
	for len(fields) > 0 {
		var field []byte
		field, fields, _ = bytes.Cut(fields, endOfLine)
		switch name, value := fieldOf(field); {
		case is(name, "content-length"):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > maxAnswerBytes {
				return a, 0, errMalformed
			}
		case is(name, "transfer-encoding"):
			chunked = is(value, "chunked")
		case is(name, "connection"):
			a.close = is(value, "close")
		}
	}
	if a.status == 204 || a.status == 304 {
		return a, end, nil
	}
	if chunked {
		body, n, err := dechunk(b[end:])
		if n > 0 {
			a.body, n = body, end+n
		}
		return a, n, err
	}
	if len(b) < end+length {
		return a, 0, nil
	}
	a.body = b[end : end+length]
	return a, end + length, nil
}

func fieldOf(line []byte) (name, value []byte) {
	name, value, _ = bytes.Cut(line, []byte(":"))
	return name, bytes.TrimSpace(value)
}

// is compares without regard to case; want is in lower case.
func is(got []byte, want string) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		b := got[i]
		if b >= 'A' && b <= 'Z' {
			b |= 0x20
		}
		if b != want[i] {
			return false
		}
	}
	return true
}

// dechunk joins the chunks of a body. used is 0 when more bytes are needed.
func dechunk(b []byte) (body []byte, used int, err error) {
	for at := 0; ; {
		n := bytes.Index(b[at:], endOfLine)
		if n < 0 {
			return nil, 0, nil
		}
		digits, _, _ := bytes.Cut(b[at:at+n], []byte(";"))
		size, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 32)
		if err != nil || size > maxAnswerBytes {
			return nil, 0, errMalformed
		}
		at += n + len(endOfLine)
		if size == 0 {
			return skipTrailer(body, b, at)
		}
		if len(b) < at+int(size)+len(endOfLine) {
			return nil, 0, nil
		}
		body = append(body, b[at:at+int(size)]...)
		at += int(size)
		if !bytes.HasPrefix(b[at:], endOfLine) {
			return nil, 0, errMalformed
		}
		at += len(endOfLine)
	}
}

// skipTrailer passes over the fields after the last chunk, up to an empty line.
func skipTrailer(body, b []byte, at int) ([]byte, int, error) {
	for {
		n := bytes.Index(b[at:], endOfLine)
		if n < 0 {
			return nil, 0, nil
		}
		at += n + len(endOfLine)
		if n == 0 {
			return body, at, nil
		}
	}
}
