//go:build !unix

package main

import "os/exec"

// startApart starts a process as any other: this system has no priorities that it may lower.
func startApart(cmd *exec.Cmd) error { return cmd.Start() }
