package bulk

import (
	"fmt"
	"strings"

	"github.com/orderly-oms/orderly/internal/network"
)

// LocationTable reads and writes locations. In CSV the hours are like
// "mon-fri 09:00-18:00; sat 10:00-16:00", exceptions like "2026-12-25 closed;
// 2026-12-24 09:00-14:00", cut-offs like "14:00|express=12:00". Without hours and
// exceptions a location is always open.
var LocationTable = &Table[network.Location]{
	name:  "locations",
	id:    func(l *network.Location) string { return l.ID },
	check: (*network.Location).Validate,
	columns: []column[network.Location]{
		text("id", "id", func(l *network.Location) *string { return &l.ID }),
		text("name", "name", func(l *network.Location) *string { return &l.Name }),
		text("type", "type", func(l *network.Location) *network.LocationType { return &l.Type }),
		text("status", "status", func(l *network.Location) *network.Status { return &l.Status }),
		text("suspended_reason", "suspended_reason", func(l *network.Location) *string { return &l.SuspendedReason }),
		text("contact_name", "address.name", func(l *network.Location) *string { return &l.Address.Name }),
		text("company", "address.company", func(l *network.Location) *string { return &l.Address.Company }),
		text("line1", "address.line1", func(l *network.Location) *string { return &l.Address.Line1 }),
		text("line2", "address.line2", func(l *network.Location) *string { return &l.Address.Line2 }),
		text("city", "address.city", func(l *network.Location) *string { return &l.Address.City }),
		text("region", "address.region", func(l *network.Location) *string { return &l.Address.Region }),
		text("postal_code", "address.postal_code", func(l *network.Location) *string { return &l.Address.PostalCode }),
		text("country", "address.country", func(l *network.Location) *string { return &l.Address.Country }),
		text("phone", "address.phone", func(l *network.Location) *string { return &l.Address.Phone }),
		text("email", "address.email", func(l *network.Location) *string { return &l.Address.Email }),
		degrees("latitude", "address.latitude", func(l *network.Location) **float64 { return &l.Address.Latitude }),
		degrees("longitude", "address.longitude", func(l *network.Location) **float64 { return &l.Address.Longitude }),
		text("zone", "address.zone", func(l *network.Location) *string { return &l.Address.Zone }),
		text("time_zone", "time_zone", func(l *network.Location) *string { return &l.TimeZone }),
		{"hours", "calendar.hours", getHours, setHours},
		{"exceptions", "calendar.exceptions", getExceptions, setExceptions},
		{"cutoffs", "cutoffs", getCutoffs, setCutoffs},
		list("capabilities", "capabilities", func(l *network.Location) *[]network.Capability { return &l.Capabilities }),
		optionalNumber("orders_per_day", "capacity.orders_per_day", func(l *network.Location) **int64 { return &l.Capacity.OrdersPerDay }),
		optionalNumber("orders_per_hour", "capacity.orders_per_hour", func(l *network.Location) **int64 { return &l.Capacity.OrdersPerHour }),
		optionalNumber("units_per_day", "capacity.units_per_day", func(l *network.Location) **int64 { return &l.Capacity.UnitsPerDay }),
		optionalNumber("units_per_hour", "capacity.units_per_hour", func(l *network.Location) **int64 { return &l.Capacity.UnitsPerHour }),
		optionalNumber("value_per_day", "capacity.value_per_day", func(l *network.Location) **int64 { return &l.Capacity.ValuePerDay }),
		optionalNumber("value_per_hour", "capacity.value_per_hour", func(l *network.Location) **int64 { return &l.Capacity.ValuePerHour }),
		number("processing_minutes", "processing_minutes", func(l *network.Location) *int64 { return &l.ProcessingMinutes }),
		number("priority", "priority", func(l *network.Location) *int64 { return &l.Priority }),
		list("tags", "tags", func(l *network.Location) *[]string { return &l.Tags }),
	},
}

// calendar returns the location's calendar, made when it has none yet.
func calendar(l *network.Location) *network.Calendar {
	if l.Calendar == nil {
		l.Calendar = new(network.Calendar)
	}
	return l.Calendar
}

func getHours(l *network.Location) string {
	if l.Calendar == nil {
		return ""
	}
	return network.FormatWeek(l.Calendar.Hours)
}

func setHours(l *network.Location, cell string) (err error) {
	calendar(l).Hours, err = network.ParseWeek(cell)
	return err
}

func getExceptions(l *network.Location) string {
	if l.Calendar == nil {
		return ""
	}
	return network.FormatExceptions(l.Calendar.Exceptions)
}

func setExceptions(l *network.Location, cell string) (err error) {
	calendar(l).Exceptions, err = network.ParseExceptions(cell)
	return err
}

func getCutoffs(l *network.Location) string {
	parts := make([]string, len(l.Cutoffs))
	for i, c := range l.Cutoffs {
		if parts[i] = c.Time.String(); c.Service != "" {
			parts[i] = escape(c.Service, `\|=`) + "=" + parts[i]
		}
	}
	return strings.Join(parts, "|")
}

func setCutoffs(l *network.Location, cell string) error {
	for _, part := range splitEscaped(cell, '|') {
		sides := splitEscaped(part, '=')
		if len(sides) > 2 {
			return fmt.Errorf("%.60q is not of the form 14:00|service=12:00", part)
		}
		var c network.Cutoff
		var err error
		if c.Time, err = network.ParseClock(strings.TrimSpace(sides[len(sides)-1])); err != nil {
			return err
		}
		if len(sides) == 2 {
			c.Service = unescape(strings.TrimSpace(sides[0]))
		}
		l.Cutoffs = append(l.Cutoffs, c)
	}
	return nil
}
