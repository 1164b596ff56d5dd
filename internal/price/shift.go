package price

import "math"

// Constants of noticing a shift of demand.
const (
	// recentOrders are compared with all that is remembered.
	recentOrders = 150
	// keptOrders bounds how far back a shift can be dated, in orders.
	keptOrders = 1024
	// priorOrders is how many orders of the whole the recent ones are mixed with.
	priorOrders = 20
	// shiftEvidence is the log likelihood ratio above which demand has shifted. Chance
	// reaches it once in e^12, about 160,000 times, that the evidence begins at zero.
	shiftEvidence = 12
)

// shift watches whether the recent orders foretell the next one better than all
// orders do. It adds up the logarithm of that advantage, for the basket and for the
// zone, and begins again at zero when the sum falls below; a sum above
// shiftEvidence means that demand has shifted where the sum last left zero.
type shift struct {
	evidence float64
	kept     []event // a ring of the last keptOrders orders
	next     int
	since    int // orders since the evidence left zero
	basket   mix
	zone     mix
}

// mix counts one feature of orders, among all and among recent ones.
type mix struct {
	all, recent       map[string]float64
	total, totalShort float64
}

func (m *mix) reset() { *m = mix{all: map[string]float64{}, recent: map[string]float64{}} }

// advantage is how much better the recent orders foretell the value, in nats.
func (m *mix) advantage(value string) float64 {
	whole := (m.all[value] + 0.5) / (m.total + 0.5*float64(len(m.all)+1))
	short := (m.recent[value] + priorOrders*whole) / (m.totalShort + priorOrders)
	return math.Log(short / whole)
}

func (m *mix) add(value string) {
	m.all[value]++
	m.recent[value]++
	m.total++
	m.totalShort++
}

func (m *mix) drop(value string) {
	m.totalShort--
	if m.recent[value]--; m.recent[value] <= 0 {
		delete(m.recent, value)
	}
}

func (s *shift) reset() {
	s.evidence, s.kept, s.next, s.since = 0, nil, 0, 0
	s.basket.reset()
	s.zone.reset()
}

// judge weighs the next order, before it is learned. When demand has shifted it
// returns the orders since then, oldest first.
func (s *shift) judge(e event) (since []event, moved bool) {
	if s.basket.total < 2*recentOrders {
		return nil, false
	}
	s.evidence += s.basket.advantage(e.basket) + s.zone.advantage(e.zone)
	s.since++
	if s.evidence <= 0 {
		s.evidence, s.since = 0, 0
	}
	if s.evidence < shiftEvidence {
		return nil, false
	}
	n := min(max(s.since-1, 1), len(s.kept))
	for i := len(s.kept) - n; i < len(s.kept); i++ {
		since = append(since, s.kept[(s.next+i)%len(s.kept)])
	}
	return since, true
}

// learn takes one order into the counts.
func (s *shift) learn(e event) {
	s.basket.add(e.basket)
	s.zone.add(e.zone)
	if len(s.kept) < keptOrders {
		s.kept = append(s.kept, e)
	} else {
		s.kept[s.next] = e
		s.next = (s.next + 1) % keptOrders
	}
	if n := len(s.kept); n > recentOrders {
		old := s.kept[(s.next+n-1-recentOrders)%n]
		s.basket.drop(old.basket)
		s.zone.drop(old.zone)
	}
}
