package engine

import (
	"encoding/json"
	"fmt"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/experiment"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

// The kinds of records. They are part of the stored format.
const (
	KindOrder       store.Kind = "order"
	KindReservation store.Kind = "reservation"
	KindChannel     store.Kind = "channel"
	KindLocation    store.Kind = "location"
	KindNetwork     store.Kind = "network"
	KindCarrier     store.Kind = "carrier"
	KindSKU         store.Kind = "sku"
	KindSupply      store.Kind = "supply"
	KindKey         store.Kind = "api_key"
	KindWebhook     store.Kind = "webhook"
	KindDelivery    store.Kind = "delivery"
	// KindWebhookProgress holds each subscription's place in the log and the lease of the node that delivers.
	KindWebhookProgress store.Kind = "webhook_progress"
	// KindPaymentProvider is where a payment provider is reached, with its secret. KindReconciliation is what came of comparing
	// the books with one for a day, KindPaymentLease which node carries payments.
	KindPaymentProvider store.Kind = "payment_provider"
	KindReconciliation  store.Kind = "reconciliation"
	KindPaymentLease    store.Kind = "payment_lease"
	// KindStock is the stream of inventory feeds. It has log rows but no records.
	KindStock store.Kind = "stock"
	// KindCapacity is what of a location's capacity was opened, by the location's id.
	KindCapacity store.Kind = "capacity"
	// KindRelocation is the work of moving what a closed location has not accepted, by the location's id.
	KindRelocation store.Kind = "relocation"
	// KindPolicy is a policy with its history, KindPolicyVersion the text of one version.
	KindPolicy        store.Kind = "policy"
	KindPolicyVersion store.Kind = "policy_version"
	// KindBaseline is the policy that decisions are compared with, one record.
	KindBaseline store.Kind = "baseline"
	// KindException is an exception that belongs to no order.
	KindException store.Kind = "exception"
	// KindExperiment is a sourcing policy that challenges those in force on live orders.
	KindExperiment store.Kind = "experiment"
	// KindReassessment is a reassessment that was asked for, KindReassessmentReport what it found, by the same id;
	// KindReassessmentLease says which node makes them.
	KindReassessment       store.Kind = "reassessment"
	KindReassessmentReport store.Kind = "reassessment_report"
	KindReassessmentLease  store.Kind = "reassessment_lease"
	// KindLearned is what one learner learned from the log, with its place there.
	KindLearned store.Kind = "learned"
	// KindLearnedVersion is what decisions read of one version of it, for replays; by the name that decisions give it.
	KindLearnedVersion store.Kind = "learned_version"
)

// PaymentEventTypes lists the events about payments that are of no order.
var PaymentEventTypes = []string{EventReconciled}

// EventReconciled says that the books were compared with a payment provider's for a day.
const EventReconciled = "payment_reconciliation.made"

// referenceKinds are held in memory on every node.
var referenceKinds = []store.Kind{KindChannel, KindLocation, KindNetwork, KindCarrier, KindSKU, KindSupply, KindPolicy, KindBaseline, KindExperiment, KindLearned}

// decoders turn a stored body into the value of its kind. Kinds without one
// keep their body as it is (json.RawMessage): they belong to packages above.
var decoders = map[store.Kind]func([]byte) (any, error){
	KindOrder:       into[order.Order],
	KindReservation: into[inventory.Reservation],
	KindChannel:     into[network.Channel],
	KindLocation:    into[network.Location],
	KindNetwork:     into[network.Network],
	KindCarrier:     into[network.Carrier],
	KindSKU:         into[catalog.SKU],
	KindSupply:      into[inventory.Supply],
	KindCapacity:    into[openedCapacity],
	KindRelocation:  into[relocation],
	KindPolicy:      into[Policy], KindPolicyVersion: into[policyText],
	KindBaseline:   into[Baseline],
	KindExperiment: into[experiment.Experiment],
	KindException:  into[exception.Standalone],
	KindLearned:    intoLearned,
}

func into[T any](body []byte) (any, error) {
	v := new(T)
	return v, jsonenc.Unmarshal(body, v)
}

func decode(r store.Record) (*Entry, error) {
	f, ok := decoders[r.Kind]
	if !ok {
		return &Entry{Record: r, Value: json.RawMessage(r.Body)}, nil
	}
	v, err := f(r.Body)
	if err != nil {
		return nil, fmt.Errorf("decoding %s %s: %w", r.Kind, r.ID, err)
	}
	return &Entry{Record: r, Value: v}, nil
}

// Decode returns the entry of a stored record, for those who read the store directly.
func Decode(r store.Record) (*Entry, error) { return decode(r) }
