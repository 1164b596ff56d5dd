package e2e

import "syscall"

// childAttributes makes a node end with the thread that started it, so that a
// test that is killed leaves nothing behind.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
