//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// lowest is the priority of what may wait for everything else.
const lowest = 19

// startApart starts a process with the lowest priority, which signals of the terminal do not reach. It is a group of its own, because a
// priority of a group is that of all its threads. A system that refuses the priority has it run as others do.
func startApart(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	syscall.Setpriority(syscall.PRIO_PGRP, cmd.Process.Pid, lowest)
	return nil
}
