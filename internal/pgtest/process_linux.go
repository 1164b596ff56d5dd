package pgtest

import "syscall"

// childAttributes makes a child run as own and end with the thread that started it.
func childAttributes(own *owner) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	if own != nil {
		a.Credential = &syscall.Credential{Uid: own.uid, Gid: own.gid}
	}
	return a
}
