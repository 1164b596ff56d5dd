// Package promise answers when an order can be had, and how sure that is.
//
// It has five parts. A Calendar turns an order time into ship and delivery dates
// from opening hours, cut-offs, pickup days, transit days and holidays. Delays
// learns from deliveries how late calendar dates really are, and Stages how long
// the steps at a location take. Options lists the ways a basket can reach the
// customer, each with its plan, dates, cost and probability. Board answers the
// same question for one SKU on a product page. Ledger keeps the promises that were
// given and shows those that will probably be broken before they are.
//
// It promises that the same input gives the same answer, whatever the order it
// comes in; that a date never gets earlier as time goes on, so that every
// answer of a Calendar or a Board holds until the instant it names (ValidUntil);
// that history makes a date later but never earlier than the calendar's; and that
// every cache, table and list has a stated bound.
//
// It does not choose locations (package sourcing does), hold stock, read a clock,
// or keep anything beyond the process: snapshots are values that the caller
// stores. Holidays are the national ones of each country; regional ones, and days
// a carrier chooses to work all the same, are not known.
package promise
