package tune

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Journal keeps what was tried, by a key of the policies' texts and of all else that the outcome depends on.
type Journal interface {
	Known() map[string]Trial
	Add(key string, t Trial) error
}

// keyOf names a trial: the same texts, period and seed give the same outcome.
func keyOf(texts []string, o Options) string {
	h := sha256.New()
	fmt.Fprintln(h, o.From.UTC().Format(time.RFC3339Nano), o.Middle.UTC().Format(time.RFC3339Nano), o.Seed)
	for _, t := range texts {
		fmt.Fprintln(h, len(t), t)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// File is a journal in a file, one line of JSON per trial. A line that was not written whole is left out.
type File struct {
	path  string
	of    string // what it is a journal of, like the history and the program
	known map[string]Trial
}

type journalLine struct {
	Of    string `json:"of"`
	Key   string `json:"key"`
	Trial Trial  `json:"trial"`
}

// OpenFile reads the journal of something; lines about anything else stay and are not looked at.
func OpenFile(path, of string) (*File, error) {
	f := &File{path: path, of: of, known: map[string]Trial{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		var l journalLine
		if json.Unmarshal(lines.Bytes(), &l) == nil && l.Of == of {
			f.known[l.Key] = l.Trial
		}
	}
	return f, lines.Err()
}

// Known returns what was tried.
func (f *File) Known() map[string]Trial { return f.known }

// Add writes a trial, durably.
func (f *File) Add(key string, t Trial) error {
	line, err := json.Marshal(journalLine{f.of, key, t})
	if err != nil {
		return err
	}
	out, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = out.Write(append(line, '\n'))
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}
