// Package network is where a retailer's orders come from and what can fulfil
// them: channels, locations with their calendars, cut-offs and capacity, networks
// of locations, and carriers with zones and rates.
//
// It promises that everything here is a value checked by Validate, which names
// every bad field (problem.Invalid); that opening hours, cut-offs and ship dates
// are right across changes of daylight saving time; that searches in time end
// after maxSearchDays; and that a Directory never changes, so that any number of
// goroutines read it without a lock.
//
// It does not store anything, count capacity that is used, look at stock, or
// decide who fulfils. Its only I/O is the zone database, read once per zone (from
// the system, else from the copy inside the binary): a replay on a machine with
// other zone rules may see other hours.
package network
