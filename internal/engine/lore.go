package engine

import (
	"github.com/orderly-oms/orderly/internal/promise"
)

// lore is what decisions read of what was learned from history. Its methods take a
// node that has learned nothing.
type lore struct{}

func (e *Engine) lore() *lore { return nil }

// versions names the snapshots that a decision reads, for the record.
func (k *lore) versions(reads needs) []string { return nil }

func (k *lore) failureRate(location string) float64 { return 0 }

func (k *lore) velocity(sku, location string) float64 { return 0 }

func (k *lore) price(sku, location string) int64 { return 0 }

func (k *lore) prices(group []*want, location string) []int64 { return nil }

func (k *lore) delays() *promise.Delays { return nil }
