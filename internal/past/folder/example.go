package folder

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// town is a location of the example, or a town that its customers live in.
type town struct {
	id, kind, city, postal string
	lat, lon               float64
}

var exampleTowns = []town{
	{"dc-hamburg", "dc", "Hamburg", "20457", 53.54, 10.00},
	{"dc-leipzig", "dc", "Leipzig", "04158", 51.39, 12.35},
	{"store-berlin", "store", "Berlin", "10117", 52.52, 13.39},
	{"store-koeln", "store", "Köln", "50667", 50.94, 6.96},
	{"store-muenchen", "store", "München", "80331", 48.14, 11.57},
	{"store-stuttgart", "store", "Stuttgart", "70173", 48.78, 9.18},
}

const (
	exampleOrders   = 600
	exampleDays     = 40
	exampleArticles = 24
)

// Init writes an example folder, the same at every time. A folder that has something in it is refused.
func Init(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(there) > 0 {
		return fmt.Errorf("%s is not empty (%s is there); name a new folder", dir, there[0].Name())
	}
	files := map[string]*strings.Builder{}
	add := func(name, format string, a ...any) {
		if files[name] == nil {
			files[name] = &strings.Builder{}
		}
		fmt.Fprintf(files[name], format, a...)
	}
	add("README.txt", "%s", Readme())
	exampleNetwork(add)
	for i := range exampleOrders {
		exampleOrder(add, i)
	}
	var failed error
	for name, text := range files {
		failed = errors.Join(failed, os.WriteFile(filepath.Join(dir, name), []byte(text.String()), 0o644))
	}
	return failed
}

// draw is a number below n that depends on nothing but what it is for.
func draw(n int, what ...any) int {
	h := fnv.New64a()
	fmt.Fprint(h, what...)
	x := h.Sum64()
	x ^= x >> 31
	x *= 0x9e3779b97f4a7c15
	return int((x >> 33) % uint64(n))
}

func article(i int) string { return fmt.Sprintf("A%03d", i+1) }

func exampleNetwork(add func(name, format string, a ...any)) {
	add("settings.csv", "setting,value\ncurrency,EUR\ntime_zone,Europe/Berlin\nchannel,shop\n")
	add("locations.csv", "location,type,country,postal_code,city,latitude,longitude,cut_off,orders_per_day,processing_minutes\n")
	add("stock.csv", "location,sku,units\n")
	add("skus.csv", "sku,weight_grams\n")
	for i := range exampleArticles {
		add("skus.csv", "%s,%d\n", article(i), 200+draw(2200, "weight", i))
	}
	for _, x := range exampleTowns {
		limit, units := 200, 120
		if x.kind == "store" {
			limit, units = 15, 25
		}
		add("locations.csv", "%s,%s,DE,%s,%s,%.2f,%.2f,14:00,%d,60\n", x.id, x.kind, x.postal, x.city, x.lat, x.lon, limit)
		for i := range exampleArticles {
			add("stock.csv", "%s,%s,%d\n", x.id, article(i), units)
		}
	}
	add("rates.csv", "carrier,service,up_to_km,up_to_grams,price,transit_days\n")
	for i, km := range []string{"150", "400", ""} {
		for j, grams := range []int{2000, 5000, 31500} {
			add("rates.csv", "parcel,standard,%s,%d,%.2f,%d\n", km, grams, 3.9+1.1*float64(i)+1.3*float64(j), 1+i)
		}
	}
	add("orders.csv", "order,placed_at,country,postal_code,city,latitude,longitude,promised_by\n")
	add("lines.csv", "order,sku,quantity,unit_price\n")
	add("shipments.csv", "order,location,shipped_at,sku,quantity\n")
	add("deliveries.csv", "order,delivered_at\n")
	add("cancellations.csv", "order,cancelled_at,reason\n")
	add("touches.csv", "order,at,seconds,reason\n")
}

// exampleOrder sends from Hamburg, whatever the customer lives near to: what other rules can better.
func exampleOrder(add func(name, format string, a ...any), i int) {
	const layout = "2006-01-02 15:04"
	id := fmt.Sprintf("E%04d", i+1)
	at := time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC).Add(time.Duration(i) * exampleDays * 24 * time.Hour / exampleOrders)
	to := exampleTowns[draw(len(exampleTowns), "town", i)]
	add("orders.csv", "%s,%s,DE,%s,%s,%.2f,%.2f,%s\n", id, at.Format(layout), to.postal, to.city, to.lat, to.lon, at.Add(96*time.Hour).Format(layout))
	first := draw(exampleArticles, "article", i)
	lines := 1 + draw(3, "lines", i)/2
	cancelled := draw(40, "cancel", i) == 0
	if cancelled {
		add("cancellations.csv", "%s,%s,changed mind\n", id, at.Add(2*time.Hour).Format(layout))
	}
	shipped := at.Add(time.Duration(6+draw(30, "ship", i)) * time.Hour)
	for j := range lines {
		sku, quantity := article((first+7*j)%exampleArticles), 1+draw(2, "quantity", i, j)
		add("lines.csv", "%s,%s,%d,%d.90\n", id, sku, quantity, 9+draw(60, "price", sku))
		if cancelled {
			continue
		}
		from := exampleTowns[0].id
		if j > 0 && draw(3, "split", i) == 0 {
			from = exampleTowns[1].id
		}
		add("shipments.csv", "%s,%s,%s,%s,%d\n", id, from, shipped.Format(layout), sku, quantity)
	}
	if !cancelled {
		add("deliveries.csv", "%s,%s\n", id, shipped.Add(time.Duration(24+draw(60, "way", i))*time.Hour).Format(layout))
	}
	if draw(12, "touch", i) == 0 {
		add("touches.csv", "%s,%s,%d,question of the customer\n", id, at.Add(time.Hour).Format(layout), 60+draw(400, "seconds", i))
	}
}

// Readme explains the folder, file by file and column by column.
func Readme() string {
	var b strings.Builder
	b.WriteString("A history of orders as plain CSV files, for: orderly reassess --csv FOLDER\n\n" +
		"The first line of each file names its columns, in any order and case. Cells are separated by comma, semicolon or tab.\n" +
		"Times: 2026-11-26 15:04 in the time zone of settings.csv, or RFC 3339. Amounts: 12.34, of the currency of settings.csv.\n" +
		"Lines that begin with # are comments. * marks what is necessary; what is missing is assumed as stated, and the report says so.\n")
	for _, f := range Files {
		fmt.Fprintf(&b, "\n%s%s: one row is %s.\n", f.Name, star(f.Need), strings.TrimPrefix(f.Row, "one row is "))
		if f.Default != "" {
			fmt.Fprintf(&b, "  Without the file: %s.\n", f.Default)
		}
		for _, c := range f.Columns {
			fmt.Fprintf(&b, "  %s%s", c.Name, star(c.Need))
			if len(c.Aliases) > 0 {
				fmt.Fprintf(&b, " (or %s)", strings.Join(c.Aliases, ", "))
			}
			if c.Default != "" {
				fmt.Fprintf(&b, "; default: %s", c.Default)
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func star(need bool) string {
	if need {
		return "*"
	}
	return ""
}
