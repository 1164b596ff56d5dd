package main

import (
	"log/slog"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/webhook"
)

// webhookFlags configure the deliveries of a node.
type webhookFlags struct {
	AllowPrivate bool `help:"Let webhooks go to private addresses (loopback, 10.x, 192.168.x, …) and over plain http." env:"ORDERLY_WEBHOOK_ALLOW_PRIVATE"`
	Attempts     int  `help:"Attempts before a delivery is dead, 1 to 20; 10 take about two days." default:"10" env:"ORDERLY_WEBHOOK_ATTEMPTS"`
}

// make returns the subscriptions and the worker of an engine; the worker does not run yet.
func (f webhookFlags) make(e *engine.Engine, log *slog.Logger) (*webhook.Subscriptions, *webhook.Worker) {
	sender := webhook.NewSender(webhook.SenderOptions{AllowPrivate: f.AllowPrivate})
	return webhook.NewSubscriptions(e, sender), webhook.NewWorker(e, sender, webhook.Options{Attempts: f.Attempts, Log: log})
}
