package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/history"
	"github.com/orderly-oms/orderly/internal/problem"
)

// maxRanked is how many SKUs of a location, or locations of a SKU, one answer ranks.
const maxRanked = 1000

func learnedRoutes() []Route {
	return []Route{
		{
			Method: "GET", Path: "/v1/learned", ID: "listLearned", Tag: "learned", Scope: auth.PoliciesRead, Status: 200,
			Summary: "What was learned from the log: the snapshots that decisions of this node read, with when and from how much each was learned",
			Out:     Page[engine.Learned]{}, Handle: (*Server).listLearned,
		},
		{
			Method: "GET", Path: "/v1/learned/history", ID: "getLearnedHistory", Tag: "learned", Scope: auth.PoliciesRead, Status: 200,
			Summary: "How often locations fail and how long they take, and how fast SKUs sell: all locations, or one of them, or one SKU",
			Query: []Query{
				{Name: "location", Doc: "only this location, with the SKUs that leave it fastest"},
				{Name: "sku", Doc: "only this SKU, with its demand and the locations it leaves fastest"},
				{Name: "limit", Doc: "locations on a page, or ranked SKUs or locations: 1 to 1000; default 50", Integer: true},
				{Name: "cursor", Doc: "the next field of the previous page"},
			},
			Out: LearnedHistory{}, Handle: (*Server).learnedHistory,
		},
	}
}

// LearnedHistory is what was learned of locations and SKUs. Counts are faded: one counts half after half_life_days.
type LearnedHistory struct {
	// Version is the snapshot's; decisions name it history@version. 0: nothing was learned yet.
	Version            int64     `json:"version"`
	At                 time.Time `json:"at,omitzero"`
	Observations       int64     `json:"observations"` // events, since the beginning
	HalfLifeDays       int       `json:"half_life_days"`
	NetworkFailureRate float64   `json:"network_failure_rate"`

	Locations []history.LocationFacts `json:"locations"`
	Next      string                  `json:"next,omitempty"` // cursor of the next page of locations
	// Movers are the SKUs that leave the location fastest.
	Movers []history.Mover `json:"movers,omitempty"`
	// Demand is how many units of the SKU are ordered in a day; Outlets where it leaves from.
	Demand  *float64         `json:"demand,omitempty"`
	Outlets []history.Outlet `json:"outlets,omitempty"`
}

func (s *Server) listLearned(c *Call) error {
	return c.json(http.StatusOK, Page[engine.Learned]{Items: s.engine.Learned()})
}

func (s *Server) learnedHistory(c *Call) error {
	limit, err := rankLimit(c.query("limit"))
	if err != nil {
		return err
	}
	location, sku := c.query("location"), c.query("sku")
	if location != "" && sku != "" {
		var bad problem.Invalid
		bad.Add("sku", problem.Conflict, "ask for a location or for a SKU, not for both")
		return bad.Err()
	}
	f := s.engine.HistoryFacts()
	out := LearnedHistory{Observations: f.Observations(), HalfLifeDays: history.HalfLifeDays, NetworkFailureRate: f.NetworkFailureRate(), Locations: []history.LocationFacts{}}
	if f != nil {
		out.Version, out.At = f.Version, f.At
	}
	switch {
	case location != "":
		l, ok := f.Location(location)
		if !ok {
			return newProblem(http.StatusNotFound, "not_found", "nothing was learned of this location yet")
		}
		out.Locations, out.Movers = append(out.Locations, l), f.Movers(location, limit)
	case sku != "":
		demand := f.Demand(sku)
		out.Demand, out.Outlets = &demand, f.Outlets(sku, limit)
	default:
		out.Locations = f.Locations(c.query("cursor"), limit+1)
		if len(out.Locations) > limit {
			out.Locations = out.Locations[:limit]
			out.Next = out.Locations[limit-1].Location
		}
	}
	return c.json(http.StatusOK, out)
}

func rankLimit(text string) (int, error) {
	if text == "" {
		return defaultPageSize, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxRanked {
		var bad problem.Invalid
		bad.Add("limit", problem.OutOfRange, "must be between 1 and %d", maxRanked)
		return 0, bad.Err()
	}
	return n, nil
}
