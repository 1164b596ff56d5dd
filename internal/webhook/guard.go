package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

const (
	maxURLBytes    = 2048
	resolveTimeout = 5 * time.Second
)

// errPrivate: the address is not on the public Internet.
var errPrivate = errors.New("the address is not public, and private addresses are refused on this server (--webhook-allow-private)")

// closed are the IPv4 networks that are not the public Internet (IANA special-purpose registry).
var closed = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)

// global is the only part of IPv6 that is in public use, and closed6 what in it
// is not: protocol assignments with Teredo, documentation, and 6to4, which can hide any IPv4 address.
var (
	global  = netip.MustParsePrefix("2000::/3")
	closed6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, p := range list {
		out[i] = netip.MustParsePrefix(p)
	}
	return out
}

// public reports whether an address may be dialled on a server that refuses
// private ones. IPv4 addresses written as IPv6 count as what they are.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if a.Is6() && (!global.Contains(a) || a.Zone() != "") {
		return false
	}
	list := closed
	if a.Is6() {
		list = closed6
	}
	for _, p := range list {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsValid()
}

// refusePrivate runs between name resolution and connect, with the very address
// that is about to be dialled, so a name that changes its address between a check
// and the connection gains nothing.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dialling %s: %w", address, err)
	}
	if !public(ap.Addr()) {
		return errPrivate
	}
	return nil
}

// resolver looks names up; net.DefaultResolver does.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// checkURL adds what is wrong with a subscriber's address. A name that cannot
// be resolved now is accepted: its DNS may be down, and every connection is checked anyway.
func checkURL(ctx context.Context, bad *problem.Invalid, raw string, allowPrivate bool, names resolver) {
	if raw == "" || len(raw) > maxURLBytes {
		bad.Add("url", problem.Required, "give an address of at most %d bytes", maxURLBytes)
		return
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Opaque != "" {
		bad.Add("url", problem.Malformed, "must be an address like https://example.com/hooks")
		return
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		bad.Add("url", problem.Malformed, "must begin with https://")
	case u.Scheme == "http" && !allowPrivate:
		bad.Add("url", problem.Malformed, "must begin with https://; plain http is for private addresses, which this server refuses (--webhook-allow-private)")
	case u.User != nil:
		bad.Add("url", problem.Malformed, "must not hold a user or password; check the signature instead")
	case u.Fragment != "":
		bad.Add("url", problem.Malformed, "must not have a fragment (#)")
	}
	if len(*bad) > 0 || allowPrivate {
		return
	}
	for _, a := range addresses(ctx, u.Hostname(), names) {
		if !public(a) {
			bad.Add("url", problem.OutOfRange, "%s", errPrivate)
			return
		}
	}
}

func addresses(ctx context.Context, host string, names resolver) []netip.Addr {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	found, err := names.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	return found
}

var _ resolver = net.DefaultResolver
