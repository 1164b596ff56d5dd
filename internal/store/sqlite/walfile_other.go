//go:build !linux

package sqlite

// walFileSystem is the platform's own.
const walFileSystem = ""

func registerWALFileSystem() {}
