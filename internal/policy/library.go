package policy

import (
	"embed"
	"fmt"
	"path"
	"strings"
	"sync"
)

//go:embed library/*.yaml
var libraryFiles embed.FS

// LibraryEntry is a ready policy.
type LibraryEntry struct {
	File     string // nearest.yaml
	Text     string
	Compiled *Compiled
	// Default marks the policy of its kind that is in force while none is published.
	Default bool
}

// defaultFiles are the policies in force while none of their kind is published.
var defaultFiles = map[Kind]string{
	KindSourcing: "nearest.yaml", KindPromise: "promise.yaml", KindAvailability: "availability.yaml", KindReturns: "returns.yaml", KindHolds: "holds.yaml", KindExceptions: "exceptions.yaml", KindPayment: "payment.yaml",
}

// Library returns the ready policies, by file name.
var Library = sync.OnceValue(func() []LibraryEntry {
	files, err := libraryFiles.ReadDir("library")
	if err != nil {
		panic(err) // they are part of the program
	}
	var out []LibraryEntry
	for _, f := range files {
		text, err := libraryFiles.ReadFile(path.Join("library", f.Name()))
		if err != nil {
			panic(err)
		}
		c, err := CompileText(text)
		if err != nil {
			panic(fmt.Sprintf("%s:\n%s", f.Name(), err)) // a test compiles all of them
		}
		out = append(out, LibraryEntry{File: f.Name(), Text: string(text), Compiled: c, Default: defaultFiles[c.Kind] == f.Name()})
	}
	return out
})

// Default is the policy of a kind that is in force while none is published; its version is 0.
func Default(kind Kind) *Compiled {
	for _, e := range Library() {
		if e.Default && e.Compiled.Kind == kind {
			return e.Compiled
		}
	}
	panic("policy: unknown kind " + strings.ToValidUTF8(string(kind), ""))
}
