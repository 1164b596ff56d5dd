# Orderly. `make test` is the one command that says whether the tree is good. The
# tests start their own PostgreSQL; only its binaries must be installed.

GO ?= go
# How long the tests of one package may take; one that hangs then shows where.
TEST_TIMEOUT ?= 10m
BENCH ?= .
# How often crash kills each thing it kills, and how many rounds soak checks.
KILLS ?= 100
ROUNDS ?= 300

.PHONY: build test lint plants bench crash soak

build:
	$(GO) build -o bin/orderly ./cmd/orderly

# The race detector slows tests down several times, and it finds every data race
# that the plain run would meet, so there is one run and it has the detector.
test: lint plants
	$(GO) test -race -timeout $(TEST_TIMEOUT) ./...

lint:
	@unformatted=$$(gofmt -l cmd internal); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...

# Puts one known bug after the other into the product and fails when it is not found:
# what shows that the tests and the simulator would see it. The rest is built without them.
plants:
	$(GO) test -tags plants -count 1 -timeout 15m -v -run TestPlanted ./internal/plant

bench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

# The long versions of the end-to-end tests: nodes and databases that die under
# load, and histories of concurrent requests.
crash:
	ORDERLY_E2E_KILLS=$(KILLS) $(GO) test -count 1 -timeout 2h -v -run 'Kill|Crash|NodeDies|DrainUnderLoad' ./internal/e2e

soak:
	ORDERLY_E2E_ROUNDS=$(ROUNDS) ORDERLY_E2E_SHOPPERS=20000 $(GO) test -count 1 -timeout 2h -v -run 'Linearizable|ThousandUnits' ./internal/e2e
