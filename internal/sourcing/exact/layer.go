package exact

// eager is the round after which locations are singled out in numbers, not one conflict at a time.
const eager = 3

// singleOut finds locations that a plan uses twice and gives them layers of their
// own; false: there are none.
func (s *search) singleOut(plan int32, round int) bool {
	found := false
	for a := plan; a >= 0; a = s.nodes[a].next {
		c := s.nodes[a].candidate
		for b := s.nodes[a].next; b >= 0; b = s.nodes[b].next {
			if s.nodes[b].candidate == c && !s.single[c] {
				s.addSingle(c)
				found = true
			}
		}
	}
	if !found {
		return false
	}
	if round < eager {
		return true
	}
	// Conflicts come one after the other: settle those of the next candidates in line too.
	for _, c := range s.bestBy {
		if c >= 0 && !s.single[c] {
			s.addSingle(c)
		}
	}
	return true
}

func (s *search) addSingle(c int32) {
	s.single[c] = true
	s.singles = append(s.singles, c)
}

// addLayer lets candidate c ship once on top of what the tables have.
func (s *search) addLayer(c, layers int) bool {
	states, costs := s.list(s.f, c)
	prices := s.price(s.f.p, s.f.candidates[c].tariff)
	s.pending = resize(s.pending, s.size)
	if layers == 1 {
		return s.layer(c, states, costs, prices, &s.tables[0], &s.tables[0])
	}
	for k := layers - 1; k > 0; k-- { // downwards: each reads the table below as it was before
		if !s.layer(c, states, costs, prices, &s.tables[k], &s.tables[k-1]) {
			return false
		}
	}
	return true
}

func (s *search) layer(c int, states []int32, costs, prices []int64, to, from *table) bool {
	for v := range s.pending {
		s.pending[v] = choice{cost: to.cost[v], shipments: to.shipments[v], candidate: -1, rest: to.plan[v]}
	}
	for j, w := range states {
		cost := costs[j] + prices[w]
		if cost >= never || !s.admits(&s.f.candidates[c], w) {
			continue
		}
		rests := s.restsOf(w)
		if s.work += int64(len(rests)); s.work > s.most {
			return false
		}
		for _, r := range rests {
			total := cost + from.cost[r]
			if pick := &s.pending[w+r]; total <= pick.cost && total < never {
				s.offer(pick, int32(c), w, r, total, from)
			}
		}
	}
	for v := range s.pending {
		if !s.settle(to, int32(v), &s.pending[v]) {
			return false
		}
	}
	return true
}

// restsOf lists the states that still fit beside w.
func (s *search) restsOf(w int32) []int32 {
	list := append(s.rests[:0], 0)
	for i := range s.f.items {
		it := &s.f.items[i]
		left := it.levels - w/it.stride%(it.levels+1)
		before := len(list)
		for level := int32(1); level <= left; level++ {
			for j := range before {
				list = append(list, list[j]+level*it.stride)
			}
		}
	}
	s.rests = list
	return list
}
