package sqlite

import (
	"os"
	"testing"
)

// TestLogStaysBounded commits many times the checkpoint's size. Each completed
// checkpoint lets the log start over, so the file stops growing.
func TestLogStaysBounded(t *testing.T) {
	s := openTemp(t)
	n := 0
	var sizes []int64
	for range 5 {
		for range 200 {
			n++
			mustCommit(t, s, order(n))
		}
		if !s.checkpoint.pass() {
			t.Fatal("the checkpoint was not completed though nobody reads")
		}
		info, err := os.Stat(s.file + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, info.Size())
	}
	if sizes[4] > 2*sizes[0] {
		t.Fatalf("the write-ahead log grew: %v bytes after each round", sizes)
	}
}

// TestCheckpointWaitsForReaders holds a view open: the checkpoint must report
// that it is not complete, the view must not change, and the next one completes.
func TestCheckpointWaitsForReaders(t *testing.T) {
	s := openTemp(t)
	mustCommit(t, s, order(1))
	err := s.view(t.Context(), func(c *conn) error {
		before, err := readHead(c)
		if err != nil {
			return err
		}
		mustCommit(t, s, order(2))
		if s.checkpoint.pass() {
			t.Error("the checkpoint completed although a view needs the log")
		}
		after, err := readHead(c)
		if before != 1 || after != 1 {
			t.Errorf("the view changed from head %d to %d", before, after)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !s.checkpoint.pass() {
		t.Fatal("the checkpoint was not completed after the view ended")
	}
	if got := head(t, s); got != 2 {
		t.Fatalf("head %d, want 2", got)
	}
}

// TestCheckpointInBackground commits until the goroutine has checkpointed by itself.
func TestCheckpointInBackground(t *testing.T) {
	s, err := Open(t.Context(), t.TempDir(), Options{CheckpointPages: 50})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	pages := func() int64 {
		s.write.Lock()
		defer s.write.Unlock()
		return s.checkpoint.pages
	}
	for n, last := 1, int64(0); ; n++ {
		mustCommit(t, s, order(n))
		now := pages()
		if now < last {
			return // it was set back: a checkpoint completed
		}
		last = now
		if n == 50_000 {
			t.Fatalf("%d pages written and never a checkpoint", now)
		}
	}
}
