package auth

import (
	"regexp"
	"slices"
	"strings"
)

// The rights of customer service, one for each kind of action.
const (
	OrdersEdit     Scope = "orders:edit"     // edit orders, substitute articles
	OrdersCancel   Scope = "orders:cancel"   // cancel, and ask locations to stop
	OrdersRelease  Scope = "orders:release"  // let units that wait look for a location again
	NotesWrite     Scope = "notes:write"     // write notes
	HoldsWrite     Scope = "holds:write"     // place holds
	HoldsRelease   Scope = "holds:release"   // end holds of every type; see ReleaseOf
	ServiceAdjust  Scope = "service:adjust"  // give money back, up to the limit of the holds policy
	ServiceApprove Scope = "service:approve" // without limit, and approve what others gave
	ServiceReship  Scope = "service:reship"  // send units again

	ReturnsWrite    Scope = "returns:write"    // authorise, receive, inspect and dispose of returns; exchanges
	ReturnsOverride Scope = "returns:override" // take back what the returns policy refuses
	PaymentsWrite   Scope = "payments:write"   // report what providers did, record payments, add tenders, retry
	// ExceptionsWrite works on exceptions; fixes that do what another right is for need that one as well.
	ExceptionsWrite Scope = "exceptions:write"
)

// ServiceScopes lists the rights of customer service.
var ServiceScopes = []Scope{
	OrdersEdit, OrdersCancel, OrdersRelease, NotesWrite, HoldsWrite, HoldsRelease, ServiceAdjust, ServiceApprove, ServiceReship, ExceptionsWrite,
	ReturnsWrite, ReturnsOverride, PaymentsWrite,
}

// implied are the scopes that come with another. orders:write had these rights before they had names of their own.
var implied = map[Scope][]Scope{
	OrdersWrite:    {OrdersCancel, OrdersRelease},
	HoldsRelease:   {OrdersRelease},
	ServiceApprove: {ServiceAdjust},
}

// ReleaseOf is the right to end holds of one type only, like holds:release:fraud.
func ReleaseOf(holdType string) Scope { return HoldsRelease + ":" + Scope(holdType) }

var releaseOf = regexp.MustCompile(`^holds:release:[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Known reports whether there is such a scope.
func Known(s Scope) bool { return slices.Contains(Scopes, s) || releaseOf.MatchString(string(s)) }

// GrantedBy lists the scopes that give a right beside admin and the scope itself, those of one
// type of hold (ReleaseOf) left out.
func GrantedBy(wanted Scope) (by []Scope) {
	for _, s := range Scopes {
		if s != Admin && s != wanted && May([]Scope{s}, wanted) {
			by = append(by, s)
		}
	}
	return by
}

// May reports whether a caller with these scopes may use what asks for one.
func May(scopes []Scope, wanted Scope) bool {
	if wanted == Public {
		return true
	}
	for _, s := range scopes {
		switch {
		case s == Admin, s == wanted, slices.Contains(implied[s], wanted):
			return true
		case releaseOf.MatchString(string(s)) && wanted == OrdersRelease:
			return true
		case s == HoldsRelease && strings.HasPrefix(string(wanted), string(HoldsRelease)+":"):
			return true
		}
	}
	return false
}
