package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"

	"github.com/orderly-oms/orderly/internal/replay"
)

// flowMap is the map of one run: where goods went from and to.
type flowMap struct {
	Name  string
	SVG   template.HTML
	Note  string
	Lanes []laneRow
}

type laneRow struct {
	Location, Zone, Shipments, Cost, Each string
}

const mapWidth, mapMaxHeight, mapMinHeight = 620.0, 640.0, 260.0

// point is a place on the map with what goes through it.
type point struct {
	name      string
	lat, lon  float64
	shipments int64
}

// placed says whether a lane's ends are known: no location is at exactly 0, 0.
func placed(l *replay.Lane) bool {
	return (l.FromLat != 0 || l.FromLon != 0) && (l.ToLat != 0 || l.ToLon != 0)
}

// projection is equirectangular, true to scale in the middle of the map.
type projection struct {
	west, north, perLon, perLat float64
	width, height               float64
	south, east                 float64
}

// newProjection covers the lanes of all maps alike, so that they can be compared.
func newProjection(lanes []replay.Lane) (p projection, ok bool) {
	south, north, west, east := 90.0, -90.0, 180.0, -180.0
	for i := range lanes {
		if l := &lanes[i]; placed(l) {
			ok = true
			south, north = min(south, l.FromLat, l.ToLat), max(north, l.FromLat, l.ToLat)
			west, east = min(west, l.FromLon, l.ToLon), max(east, l.FromLon, l.ToLon)
		}
	}
	if !ok {
		return p, false
	}
	padLat, padLon := max((north-south)*.07, .15), max((east-west)*.09, .25)
	south, north, west, east = max(south-padLat, -89), min(north+padLat, 89), west-padLon, east+padLon
	squeeze := math.Max(math.Cos((south+north)/2*math.Pi/180), .1)
	perLon := mapWidth / (east - west)
	height := (north - south) * perLon / squeeze
	if height > mapMaxHeight { // too tall: more land on both sides
		perLon *= mapMaxHeight / height
		middle, half := (west+east)/2, mapWidth/perLon/2
		west, east, height = middle-half, middle+half, mapMaxHeight
	}
	if height < mapMinHeight {
		middle, half := (south+north)/2, mapMinHeight*squeeze/perLon/2
		south, north, height = middle-half, middle+half, mapMinHeight
	}
	return projection{west: west, north: north, perLon: perLon, perLat: perLon / squeeze, width: mapWidth, height: height, south: south, east: east}, true
}

func (p *projection) at(lat, lon float64) (x, y float64) {
	return (lon - p.west) * p.perLon, (p.north - lat) * p.perLat
}

// graticule draws parallels and meridians at round degrees, with their names.
func (p *projection) graticule(d *drawing) {
	step := 1.0
	for _, s := range []float64{.5, 1, 2, 5, 10, 20, 30} {
		if step = s; (p.east-p.west)/s <= 8 {
			break
		}
	}
	for lon := math.Ceil(p.west/step) * step; lon <= p.east; lon += step {
		x, _ := p.at(0, lon)
		d.line("grid", x, 0, x, p.height)
		d.text("degree", "start", x+3, p.height-4, degrees(lon, "E", "W"))
	}
	for lat := math.Ceil(p.south/step) * step; lat <= p.north; lat += step {
		_, y := p.at(lat, 0)
		d.line("grid", 0, y, p.width, y)
		d.text("degree", "start", 4, y-3, degrees(lat, "N", "S"))
	}
}

func degrees(v float64, positive, negative string) string {
	if v < 0 {
		return number(-v, 0) + "° " + negative
	}
	return number(v, 0) + "° " + positive
}

// flows draws the lanes of one run. most is the largest lane of all maps.
func flows(name string, lanes []replay.Lane, p projection, most int64) flowMap {
	d := newDrawing(p.width, p.height, "Map of flows: "+name, "Locations as squares, destinations as circles; the wider a line, the more shipments")
	p.graticule(d)
	var from, to []point
	drawn, left, unplaced := 0, int64(0), int64(0)
	for i := range lanes {
		l := &lanes[i]
		if !placed(l) {
			unplaced += l.Shipments
			continue
		}
		from, to = pass(from, l.Location, l.FromLat, l.FromLon, l.Shipments), pass(to, l.Zone, l.ToLat, l.ToLon, l.Shipments)
		if drawn == maxLanesDrawn {
			left += l.Shipments
			continue
		}
		drawn++
		lane(d, l, p, most)
	}
	marks(d, from, to, p)
	m := flowMap{Name: name, SVG: d.svg()}
	if left > 0 {
		m.Note = fmt.Sprintf("The %d largest lanes are drawn; %s shipments went on others. ", drawn, whole(left))
	}
	if unplaced > 0 {
		m.Note += fmt.Sprintf("%s shipments are not drawn, because it is not known where their location or destination is.", whole(unplaced))
	}
	return m
}

// lane is a line that bends to one side, so that there and back do not cover each other.
func lane(d *drawing, l *replay.Lane, p projection, most int64) {
	x1, y1 := p.at(l.FromLat, l.FromLon)
	x2, y2 := p.at(l.ToLat, l.ToLon)
	cx, cy := (x1+x2)/2-(y2-y1)*.12, (y1+y2)/2+(x2-x1)*.12
	share := math.Sqrt(float64(l.Shipments) / float64(max(most, 1)))
	d.path("lane", fmt.Sprintf("stroke-width:%s;stroke-opacity:%.2f", px(.6+5.4*share), .18+.5*share),
		fmt.Sprintf("M%s %sQ%s %s %s %s", px(x1), px(y1), px(cx), px(cy), px(x2), px(y2)),
		fmt.Sprintf("%s to %s: %s shipments", l.Location, l.Zone, whole(l.Shipments)))
}

func pass(points []point, name string, lat, lon float64, n int64) []point {
	for i := range points {
		if points[i].name == name {
			points[i].shipments += n
			return points
		}
	}
	return append(points, point{name, lat, lon, n})
}

// marks draws the places, the busiest on top, and names as many locations as there is room for.
func marks(d *drawing, from, to []point, p projection) {
	bySize := func(a, b point) int {
		return cmp.Or(cmp.Compare(a.shipments, b.shipments), cmp.Compare(b.name, a.name))
	}
	slices.SortFunc(from, bySize)
	slices.SortFunc(to, bySize)
	size := func(points []point, n int64, least, most float64) float64 {
		return least + (most-least)*math.Sqrt(float64(n)/float64(max(points[len(points)-1].shipments, 1)))
	}
	for _, t := range to {
		x, y := p.at(t.lat, t.lon)
		d.circle("zone", x, y, size(to, t.shipments, 1.5, 7), fmt.Sprintf("to %s: %s shipments", t.name, whole(t.shipments)))
	}
	var boxes [][4]float64
	for _, f := range from {
		x, y := p.at(f.lat, f.lon)
		r := size(from, f.shipments, 3, 8)
		d.rect("place", x-r, y-r, 2*r, 2*r, fmt.Sprintf("%s: %s shipments", f.name, whole(f.shipments)))
		boxes = append(boxes, [4]float64{x - r, y - r, x + r, y + r})
	}
	for _, f := range slices.Backward(from) {
		x, y := p.at(f.lat, f.lon)
		label(d, f.name, x, y, size(from, f.shipments, 3, 8), p, &boxes)
	}
}

// label writes a name right, left, above or below its place, where nothing else is; nowhere when there is no room.
func label(d *drawing, name string, x, y, r float64, p projection, boxes *[][4]float64) {
	name = shorten(name, 22)
	w, h := float64(len([]rune(name)))*6.6, 12.0
	for _, at := range []struct {
		anchor string
		x, y   float64
		left   float64
	}{
		{"start", x + r + 4, y + 4, x + r + 4},
		{"end", x - r - 4, y + 4, x - r - 4 - w},
		{"middle", x, y - r - 4, x - w/2},
		{"middle", x, y + r + 12, x - w/2},
	} {
		box := [4]float64{at.left, at.y - 10, at.left + w, at.y - 10 + h}
		if box[0] < 0 || box[2] > p.width || box[1] < 0 || box[3] > p.height {
			continue
		}
		if slices.ContainsFunc(*boxes, func(b [4]float64) bool {
			return box[0] < b[2] && b[0] < box[2] && box[1] < b[3] && b[1] < box[3]
		}) {
			continue
		}
		*boxes = append(*boxes, box)
		d.text("placename", at.anchor, at.x, at.y, name)
		return
	}
}
