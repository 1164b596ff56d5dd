package policy

import (
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// place is where something is in a document, from 1; zero: unknown.
type place struct{ line, column int }

// places remembers where each setting of a parsed document is.
type places struct {
	lines [][]rune // of the document
	at    map[string]place
	style map[string]yaml.Style // of texts
}

// of returns the place of a pointer, or of the nearest setting around it.
func (p *places) of(pointer string) place {
	if p == nil {
		return place{}
	}
	for {
		if at, ok := p.at[pointer]; ok {
			return at
		}
		cut := strings.LastIndexAny(pointer, ".[")
		if cut < 0 {
			return p.at[""]
		}
		pointer = pointer[:cut]
	}
}

// within returns the place of character offset of a text value. It follows the
// text through the document, so that quotes, escapes, folding and indentation
// do not shift it: characters of the document that are not the text's next are skipped.
func (p *places) within(pointer, value string, offset int) place {
	at := p.of(pointer)
	if p == nil || at.line == 0 {
		return at
	}
	line, column := at.line-1, at.column-1
	switch style := p.style[pointer]; {
	case style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		line, column = line+1, 0
	case style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		column++
	}
	for i, want := range []rune(value) {
		if unicode.IsSpace(want) {
			if i == offset {
				break
			}
			continue
		}
		for line < len(p.lines) && (column >= len(p.lines[line]) || p.lines[line][column] != want) {
			if column++; column >= len(p.lines[line]) {
				line, column = line+1, 0
			}
		}
		if line >= len(p.lines) {
			return at
		}
		if i >= offset {
			break
		}
		column++
	}
	return place{line + 1, column + 1}
}
