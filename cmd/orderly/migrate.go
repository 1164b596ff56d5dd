package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/orderly-oms/orderly/internal/store/postgres"
	"github.com/orderly-oms/orderly/internal/store/sqlite"
)

type migrateCommand struct {
	where `embed:""`
}

// Run migrates. No node of the older version may run meanwhile.
func (c *migrateCommand) Run(ctx context.Context, m *Main) error {
	var err error
	switch {
	case c.Database != "":
		err = postgres.Migrate(ctx, c.Database)
	case c.Data != "":
		err = sqlite.Migrate(ctx, c.Data)
	default:
		err = errors.New("say where the store is: --data DIR or --database URL")
	}
	if err == nil {
		fmt.Fprintln(m.Stdout, "the store has this version's schema")
	}
	return err
}
