// Package inventory knows what stock there is and what may be promised of it.
//
// Movement, Delta and Position are the double-entry stock journal and the
// counters that follow from it. Net sums the movements of a batch per position,
// with the guard a store needs. Book holds all positions and all future supply
// of one node in memory, for decisions and availability answers.
// AppendAvailability turns the book into the figures a channel may show.
//
// What it promises:
//
//   - Every int64 quantity and every time (to the microsecond, in UTC) that goes
//     into a Book comes out unchanged.
//   - Readers never block each other, see each SKU in one consistent state, and
//     never see half a change.
//   - Answers and iterations come in a defined order: the same calls give the
//     same results, byte for byte.
//   - Decision reads and availability answers allocate nothing once the buffers
//     that callers hand in have grown.
//
// What it does not do: store anything, look at a clock, decide, or refuse a
// change. Whether a take is covered is the decider's question before it calls
// Apply and the store's guard after. States of several SKUs are read one after
// the other, so an answer over several SKUs is not one instant of the book.
package inventory
