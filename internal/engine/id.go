package engine

import (
	"encoding/hex"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/orderly-oms/orderly/internal/store"
)

func newUUIDv7() string {
	id, err := uuid.NewV7()
	if err != nil {
		panic(err) // the system has no randomness left: nothing can work
	}
	return id.String()
}

// hashByte spreads keys over buckets; it is part of the stored format.
func hashByte(parts ...string) byte {
	h := fnv.New32a()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	sum := h.Sum32()
	return byte(sum ^ sum>>8 ^ sum>>16 ^ sum>>24)
}

// idWithHash makes an id whose last byte is h, so that the id alone tells the bucket.
func (e *Engine) idWithHash(h byte) string {
	id := e.opt.NewID()
	return id[:len(id)-2] + hex.EncodeToString([]byte{h})
}

// key returns the key of an aggregate whose id names its bucket; ids of any
// other form have a bucket too, in which they are then not found.
func (e *Engine) key(kind store.Kind, id string) store.Key {
	var h uint64
	if len(id) >= 2 {
		h, _ = strconv.ParseUint(id[len(id)-2:], 16, 8)
	}
	return store.Key{Bucket: int(h) % len(e.lanes), Kind: kind, ID: id}
}

// OrderKey returns the key of an order.
func (e *Engine) OrderKey(id string) store.Key { return e.key(KindOrder, id) }

// ReservationKey returns the key of a reservation.
func (e *Engine) ReservationKey(id string) store.Key { return e.key(KindReservation, id) }

// OrderOfFulfillment returns the id of the order a fulfillment belongs to.
func OrderOfFulfillment(id string) string {
	i := strings.LastIndexByte(id, '-')
	if i < 0 {
		return id
	}
	return id[:i]
}

// answerBucket is where the answer to a request with an idempotency key is
// remembered: it follows from the key alone, so that the key is found again
// whatever the request under it is about.
func (e *Engine) answerBucket(key string) int { return int(hashByte(key)) % len(e.lanes) }
