package engine

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/policy"
)

const keepText = "kind: returns\nname: main\nreturns: {rules: [{name: all, to: keep}]}\n"

func keepPolicy(name, text string, versions int) *Policy {
	p := &Policy{Kind: policy.KindReturns, Name: name, Publications: []Publication{{Version: int64(versions), Text: text}}}
	for i := range versions {
		p.Versions = append(p.Versions, PolicyVersion{Version: int64(i + 1)})
	}
	return p
}

func TestAnOlderStateDoesNotReplaceANewerOne(t *testing.T) {
	t.Parallel()
	e := &Engine{log: slog.New(slog.DiscardHandler)}
	e.opt.Clock = func() time.Time { return time.Time{} }
	e.replacePolicies(nil)
	if e.Policies() == nil || len(e.StoredPolicies()) != 0 {
		t.Fatal("a store without policies has some")
	}
	e.keepPolicies([]*Policy{keepPolicy("main", keepText, 2)})
	set := e.Policies()
	e.keepPolicies([]*Policy{keepPolicy("main", keepText, 1)}) // read before the newer one was written
	if _, version, _ := e.Policies().Choose(policy.KindReturns, &policy.Facts{}); version != 2 {
		t.Errorf("version %d is in force", version)
	}
	e.keepPolicies(nil)
	a, _, _ := set.Choose(policy.KindReturns, &policy.Facts{})
	b, _, _ := e.Policies().Choose(policy.KindReturns, &policy.Facts{})
	if a != b {
		t.Error("a policy that did not change was compiled again")
	}
	e.replacePolicies([]*Policy{keepPolicy("main", keepText, 1)}) // after a reload the store is right
	if _, version, _ := e.Policies().Choose(policy.KindReturns, &policy.Facts{}); version != 1 {
		t.Errorf("version %d is in force after a reload", version)
	}
}

func TestAPolicyThatNoLongerCompilesIsLeftOut(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	e := &Engine{log: slog.New(slog.NewTextHandler(&log, nil))}
	broken := strings.Replace(keepText, "all, to", "all, when: order.gone, to", 1)
	e.replacePolicies([]*Policy{keepPolicy("broken", broken, 1), keepPolicy("main", keepText, 1)})
	if c, _, ok := e.Policies().Choose(policy.KindReturns, &policy.Facts{}); !ok || c.Name != "main" {
		t.Errorf("chose %v", c)
	}
	if !strings.Contains(log.String(), "returns/broken/1") || !strings.Contains(log.String(), "order.gone") {
		t.Errorf("logged %s", log.String())
	}
}
