package sqlite

import (
	"time"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// checkpointer copies pages from the write-ahead log into the database beside
// the writer. A passive checkpoint copies what was committed when it began; the
// log starts over only when it has been copied completely and no reader needs
// it, which never happens while commits keep coming. So after passing over the
// bulk beside the writer, it makes one last short pass with the writer held.
type checkpointer struct {
	store *Store
	conn  *conn
	wake  chan struct{}
	stop  chan struct{}
	done  chan struct{}
	// pages is how many pages the writer wrote since the log last started over; guarded by Store.write.
	pages int64
}

const (
	// freePasses bounds the passes beside the writer before it is held.
	freePasses = 3
	// heldPages is how many pages may remain for the pass with the writer held
	// when further passes beside it could still reduce them.
	heldPages = 512
	// retryAfter is the pause after a checkpoint that a reader kept from completing.
	retryAfter = 100 * time.Millisecond
)

func startCheckpointer(s *Store) (*checkpointer, error) {
	c, err := openConn(s.file, sqlite3.SQLITE_OPEN_READWRITE)
	if err != nil {
		return nil, mapped(err)
	}
	for _, p := range []string{"PRAGMA synchronous = FULL", "PRAGMA cache_size = -1024", "PRAGMA wal_autocheckpoint = 0"} {
		if err := c.exec(p); err != nil {
			c.close()
			return nil, mapped(err)
		}
	}
	k := &checkpointer{store: s, conn: c, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go k.run()
	return k, nil
}

// committed counts the pages of a commit and wakes the goroutine when it is
// time. The caller holds Store.write.
func (k *checkpointer) committed(w *conn) {
	k.pages += w.pagesWritten()
	if k.pages >= k.store.options.CheckpointPages {
		select {
		case k.wake <- struct{}{}:
		default:
		}
	}
}

func (k *checkpointer) run() {
	defer close(k.done)
	for {
		select {
		case <-k.stop:
			return
		case <-k.wake:
		}
		if k.pass() {
			continue
		}
		select {
		case <-k.stop:
			return
		case <-time.After(retryAfter):
		}
	}
}

// pass checkpoints once and reports whether the log was copied completely.
// Running out of space or being blocked by a reader leaves the rest for later;
// a failing device breaks the store.
func (k *checkpointer) pass() bool {
	for range freePasses {
		left, err := k.conn.checkpoint()
		if err != nil {
			k.store.noteBroken(mapped(err))
			return false
		}
		if left <= heldPages {
			break
		}
	}
	k.store.write.Lock()
	defer k.store.write.Unlock()
	left, err := k.conn.checkpoint()
	if err != nil {
		k.store.noteBroken(mapped(err))
		return false
	}
	if left > 0 {
		return false
	}
	k.pages = 0
	return true
}

func (k *checkpointer) close() error {
	close(k.stop)
	<-k.done
	return k.conn.close()
}

// checkpoint runs a passive checkpoint and returns how many pages of the log
// it could not copy because they were written meanwhile or a reader needs them.
func (c *conn) checkpoint() (left int64, err error) {
	out := libc.Xcalloc(c.tls, 2, 4)
	defer libc.Xfree(c.tls, out)
	rc := sqlite3.Xsqlite3_wal_checkpoint_v2(c.tls, c.db, 0, sqlite3.SQLITE_CHECKPOINT_PASSIVE, out, out+4)
	if rc == sqlite3.SQLITE_BUSY {
		return 1, nil // another process checkpoints
	}
	if rc != sqlite3.SQLITE_OK {
		return 0, c.failure(rc)
	}
	sizes := (*[2]int32)(pointer(out))
	return int64(sizes[0] - sizes[1]), nil
}

// pagesWritten is how many pages the connection wrote to the log since it was last asked.
func (c *conn) pagesWritten() int64 {
	out := libc.Xcalloc(c.tls, 2, 4)
	defer libc.Xfree(c.tls, out)
	sqlite3.Xsqlite3_db_status(c.tls, c.db, sqlite3.SQLITE_DBSTATUS_CACHE_WRITE, out, out+4, 1)
	return int64((*[2]int32)(pointer(out))[0])
}
