package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/orderly-oms/orderly/internal/partner/sandbox"
)

type sandboxCommand struct {
	Listen string  `help:"Address to listen on." default:"127.0.0.1:8090" placeholder:"HOST:PORT"`
	Secret string  `help:"Bearer token that callers must send; empty: none." env:"ORDERLY_SANDBOX_SECRET"`
	Faults float64 `help:"Share of requests that go wrong, in every way there is: 0 to 1." default:"0"`
	Seed   uint64  `help:"What goes wrong follows from it." default:"1"`
}

// Run plays a payment provider until it is interrupted.
func (c *sandboxCommand) Run(ctx context.Context, m *Main) error {
	if c.Faults < 0 || c.Faults > 1 {
		return errors.New("--faults must be between 0 and 1")
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	s := sandbox.New(sandbox.Options{Seed: c.Seed, Secret: c.Secret, Faults: sandbox.All(c.Faults)})
	server := &http.Server{Handler: s, ReadHeaderTimeout: readHeaderTimeout}
	fmt.Fprintf(m.Stdout, "a payment provider to test against, at http://%s; tokens that begin with decline_ are declined; what it knows is lost when it ends\n", listener.Addr())
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if server.Shutdown(ending) != nil {
		server.Close() // requests that are kept without an answer
	}
	for _, problem := range s.Check() {
		fmt.Fprintln(m.Stdout, problem)
	}
	x := s.Sums(nil)
	fmt.Fprintf(m.Stdout, "%d operations, %d declined; authorized %d, captured %d, voided %d, refunded %d minor units\n", x.Operations, x.Declined, x.Authorized, x.Captured, x.Voided, x.Refunded)
	return nil
}
