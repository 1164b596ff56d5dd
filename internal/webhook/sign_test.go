package webhook

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// The vector that the libraries of the Standard Webhooks project test themselves with.
func TestSignVector(t *testing.T) {
	got, err := Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if _, err := Secret("whsec_???").Sign("a", time.Now(), nil); err == nil || strings.Contains(err.Error(), "???") {
		t.Errorf("a secret that is not base64: %v", err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	s := subscriptionTo("https://example.com")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s.Secrets[0].Secret, "subscription", s)
	key := strings.TrimPrefix(string(s.Secrets[0].Secret), secretPrefix)
	for _, out := range []string{fmt.Sprintf("%v %+v %#v %s", s, *s, *s, s.Secrets[0].Secret), log.String()} {
		if strings.Contains(out, key) {
			t.Errorf("a secret is printed: %s", out)
		}
	}
	if v, err := json.Marshal(s.view(nil)); err != nil || strings.Contains(string(v), key) {
		t.Errorf("the view shows the secret: %s %v", v, err)
	}
}

func TestRotationKeepsAtMostTwoSecrets(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	s := subscriptionTo("https://example.com")
	signatures := func(now time.Time) int {
		v, err := s.sign("id", now, nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(strings.Fields(v))
	}
	for range 3 {
		s.rotate(NewSecret(), at, time.Hour)
	}
	if signatures(at) != 2 || signatures(at.Add(59*time.Minute)) != 2 || signatures(at.Add(time.Hour)) != 1 {
		t.Error("two secrets sign during the overlap and one after it")
	}
	s.rotate(NewSecret(), at, 0)
	if signatures(at) != 1 {
		t.Error("without an overlap only the new secret signs")
	}
}

func TestBackoff(t *testing.T) {
	var total time.Duration
	for n := 1; n < DefaultAttempts; n++ {
		total += backoff(DefaultWaits, n, 0, 0)
	}
	if total < 46*time.Hour || total > 48*time.Hour {
		t.Errorf("%d attempts take %v, documented as about two days", DefaultAttempts, total)
	}
	if d := backoff(DefaultWaits, 1, 0.999, 0); d <= 5*time.Second || d > 6*time.Second {
		t.Errorf("jitter makes 5 s into %v", d)
	}
	if d := backoff(DefaultWaits, MaxAttempts, 0, 0); d != 24*time.Hour {
		t.Errorf("the last wait repeats, got %v", d)
	}
	now := time.Now()
	for v, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-3": 0, "99999999999": maxRetryAfter, "soon": 0,
		now.Add(-time.Hour).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"):       0,
		now.Add(1000 * time.Hour).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"): maxRetryAfter,
	} {
		if got := retryAfter(v, now); got != want {
			t.Errorf("Retry-After %q is %v, want %v", v, got, want)
		}
	}
}

func TestTypePatterns(t *testing.T) {
	for _, c := range []struct {
		types []string
		event string
		want  bool
	}{
		{nil, "order.captured", true},
		{[]string{"*"}, "order.captured", true},
		{[]string{"order.*"}, "order.captured", true},
		{[]string{"order.*"}, "fulfillment.created", false},
		{[]string{"order.captured"}, "order.captured2", false},
		{[]string{"sku.updated", "order.captured"}, "order.captured", true},
	} {
		if got := (&Subscription{Types: c.types}).Wants(c.event); got != c.want {
			t.Errorf("%v wants %s: %v", c.types, c.event, got)
		}
	}
	for list, ok := range map[string]bool{"order.*": true, "*": true, "supply.removed": true, "order.capturd": false, "ordr.*": false, "": false} {
		n := Settings{Types: &[]string{list}}
		if err := n.check(t.Context(), &SenderOptions{}, false); (err == nil) != ok {
			t.Errorf("type %q: %v", list, err)
		}
	}
}
