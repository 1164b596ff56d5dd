# Orderly. `make test` is the one command that says whether the tree is good. The
# tests start their own PostgreSQL; only its binaries must be installed.

GO ?= go
# How long the tests of one package may take; one that hangs then shows where.
TEST_TIMEOUT ?= 10m
BENCH ?= .

.PHONY: build test lint bench

build:
	$(GO) build -o bin/orderly ./cmd/orderly

# The race detector slows tests down several times, and it finds every data race
# that the plain run would meet, so there is one run and it has the detector.
test: lint
	$(GO) test -race -timeout $(TEST_TIMEOUT) ./...

lint:
	@unformatted=$$(gofmt -l cmd internal); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...

bench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...
