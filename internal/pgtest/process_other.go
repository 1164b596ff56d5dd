//go:build !linux

package pgtest

import "syscall"

// childAttributes makes a child run as own.
func childAttributes(own *owner) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if own != nil {
		a.Credential = &syscall.Credential{Uid: own.uid, Gid: own.gid}
	}
	return a
}
