// Package webhook sends events of the log to subscribers: subscriptions,
// signing, the guard against private addresses, and the worker that delivers.
//
// The life of an event: the worker reads it from the log behind the
// subscription's cursor, sends it as a signed POST (the Standard Webhooks
// scheme), and on a 2xx answer forgets it. When an attempt fails, the event and
// all later ones of its stream (an order, a reservation, …) are written down as pending
// deliveries; the first is tried again after a growing delay, the others wait
// behind it, and other streams go on. When its last attempt failed it is dead:
// it stays visible, can be tried again by hand, and the stream goes on.
//
// What it promises: every event that matches an active subscription is
// answered 2xx, or is a pending or dead delivery that an operator can list; nothing is
// skipped, across crashes and across nodes. The cursor, pending deliveries and
// counters of a subscription change in one commit, guarded by the version and
// the epoch of the worker that owns it, so a worker that was paused and then
// replaced cannot write. An event may arrive more than once, always with
// the same webhook-id; within one stream events are first sent in their order.
//
// What it does not do: deliver exactly once, transform payloads, keep order
// between streams, or follow redirects.
package webhook
