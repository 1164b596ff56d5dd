package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockFile keeps a second process out of the folder; it holds the pid of the one inside.
const lockFile = "orderly.lock"

// lock takes the folder for this process until the returned file is closed or
// the process ends. The file stays behind; only the lock on it counts.
func lock(dir string) (*os.File, error) {
	name := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		text, _ := os.ReadFile(name) // the pid only helps the reader of the message
		return nil, fmt.Errorf("data folder %s is in use by process %s; stop it, or work through the server (its API, or --target where the command has it)", dir, strings.TrimSpace(string(text)))
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return f, nil
}
