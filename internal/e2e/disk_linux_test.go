package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// diskBytes is the size of the small disk: the program's tables and some orders.
const diskBytes = 24 << 20

// startOnSmallDisk starts a node whose data folder is a file system of its own that
// only the node's mount namespace has, so that it goes with the node. It returns
// the folder as this process reaches it, and the command that enters the namespace.
func startOnSmallDisk(t *testing.T, dir string) (n *node, outside string, enter []string) {
	t.Helper()
	mount := fmt.Sprintf(`mount -t tmpfs -o size=%d none "$0" && exec "$@"`, diskBytes)
	start := func(user bool) (*node, error) {
		cmd := exec.Command("sh", "-c", mount, dir, binary, "serve", "--listen", "127.0.0.1:0", "--log-json", "--data", dir)
		a := childAttributes()
		a.Unshareflags = syscall.CLONE_NEWNS
		if user { // a user without rights may mount in a user namespace of its own
			a.Cloneflags = syscall.CLONE_NEWUSER
			a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
		return launch(cmd, a)
	}
	enter = []string{"nsenter", "--mount"}
	n, err := start(false)
	if err != nil {
		enter = append(enter, "--user", "--preserve-credentials")
		var again error
		if n, again = start(true); again != nil {
			t.Fatalf("no way to make a small disk: %v", errors.Join(err, again))
		}
	}
	t.Cleanup(n.kill)
	pid := fmt.Sprint(n.cmd.Process.Pid)
	return n, filepath.Join("/proc", pid, "root", dir), append(enter, "--target", pid)
}

// TestDiskFull fills the disk of a node's data. Writes are refused with 507 while
// reads go on, nothing is damaged, and writes work again once there is room.
func TestDiskFull(t *testing.T) {
	data := t.TempDir()
	n, dir, enter := startOnSmallDisk(t, data)
	c := &client{url: n.url}
	c.seed(t, []string{"dc1"}, []string{"A"}, 1_000_000)
	filler := filepath.Join(dir, "filler")
	buy := func(i int) answer {
		return c.do(t.Context(), "POST", "/v1/orders", fmt.Sprintf(`{"channel":"web","external_id":"d%d","note":%q,"lines":[{"sku":"A","quantity":1}]}`, i, note))
	}
	bought := 0
	for round := range 3 {
		for range 20 {
			bought++
			buy(bought).into(t, http.StatusCreated, nil)
		}
		fillDisk(t, filler)
		refused := false
		for range 100_000 { // what is left of the last page and of the write-ahead log
			a := buy(bought + 1)
			if a.status == http.StatusCreated {
				bought++
				continue
			}
			if a.status != http.StatusInsufficientStorage || a.code() != "storage_full" {
				t.Fatalf("round %d, disk full: %s", round, a)
			}
			refused = true
			break
		}
		if !refused {
			t.Fatal("the disk was full and every write was accepted")
		}
		if got := len(c.orders(t)); got != bought {
			t.Errorf("%d orders while the disk is full, want %d", got, bought)
		}
		want := stock{OnHand: 1_000_000, Allocated: int64(bought)}
		if got := c.positions(t, []string{"A"})[spot{"A", "dc1"}]; got != want {
			t.Errorf("position %+v while the disk is full, want %+v", got, want)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		bought++
		eventually(t, 30*time.Second, func() string {
			if a := buy(bought); a.status != http.StatusCreated {
				return a.String()
			}
			return ""
		})
	}
	if got := len(c.orders(t)); got != bought {
		t.Errorf("%d orders, want %d", got, bought)
	}
	audit := append(enter, binary, "verify", "--data", data)
	if out, err := exec.CommandContext(t.Context(), audit[0], audit[1:]...).CombinedOutput(); err != nil {
		t.Errorf("orderly verify: %v\n%s", err, out)
	}
	n.stop(t)
	t.Logf("%d orders kept", bought)
}

// note makes orders large enough that a disk is soon full.
var note = fmt.Sprintf("%01500d", 0)

// fillDisk writes to a file until there is no room left.
func fillDisk(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
