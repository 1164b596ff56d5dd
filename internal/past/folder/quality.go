package folder

import (
	"fmt"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/past"
)

// maxNamed is how many wrong rows of a file are named.
const maxNamed = 5

// badRows are the rows of a file that were left out.
type badRows struct {
	count int64
	named []string
}

func (l *loader) find(subject, missing, assumed string, count, of int64, matters, why string) {
	l.findings = append(l.findings, past.Finding{Subject: subject, Missing: missing, Assumed: assumed, Count: count, Of: of, Matters: matters, Why: why})
}

func (l *loader) badRow(name string, line int, reason string) {
	b := l.bad[name]
	if b == nil {
		b = &badRows{}
		l.bad[name] = b
	}
	b.count++
	if len(b.named) < maxNamed {
		b.named = append(b.named, fmt.Sprintf("%s:%d: %s", name, line, reason))
	}
}

// quality is all findings: what matters most first, then by file.
func (l *loader) quality() []past.Finding {
	for _, f := range Files {
		if b := l.bad[f.Name]; b != nil {
			of := l.counts[f.Name]
			matters := "little"
			if b.count*20 > of {
				matters = "high"
			} else if b.count*200 > of {
				matters = "some"
			}
			l.find(f.Name, "rows are wrong: "+strings.Join(b.named, "; "), "these rows were left out", b.count, of, matters, "everything that the rows would count in")
		}
	}
	weight := map[string]int{"high": 0, "some": 1, "little": 2}
	slices.SortStableFunc(l.findings, func(a, b past.Finding) int { return weight[a.Matters] - weight[b.Matters] })
	return l.findings
}
