package flow

import (
	"embed"
	"fmt"
	"path"
	"sync"

	"github.com/orderly-oms/orderly/internal/policy"
)

//go:embed library/*.yaml
var libraryFiles embed.FS

// LibraryEntry is a ready flow.
type LibraryEntry struct {
	File string // ship-from-store.yaml
	Text string
	Flow *Compiled
	// Default marks the flow of its subject that is in force while none is published.
	Default bool
}

// Library returns the ready flows, by file name.
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
		p, err := CompileText(text)
		if err != nil {
			panic(fmt.Sprintf("%s:\n%s", f.Name(), err)) // a test compiles all of them
		}
		out = append(out, LibraryEntry{File: f.Name(), Text: string(text), Flow: Of(p), Default: p.Name == DefaultName})
	}
	return out
})

// DefaultName is the name of the flows in force while none is published.
const DefaultName = "default"

var defaults = sync.OnceValue(func() map[policy.Kind]*Compiled {
	out := map[policy.Kind]*Compiled{}
	for _, e := range Library() {
		if e.Default {
			out[e.Flow.Policy.Kind] = e.Flow
		}
	}
	return out
})

// Default is the flow of a kind that is in force while none is published; its version is 0. Nil for a
// kind that is not one of flows.
func Default(kind policy.Kind) *Compiled { return defaults()[kind] }
