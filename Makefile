SHELL := /bin/bash
.DEFAULT_GOAL := help

BIN     := build/bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
V       := github.com/cosmos/cosmos-sdk/version
# Only -X: other build flags would open a second build cache, and a cold build takes minutes.
ldflags = -X $(V).Name=edge -X $(V).AppName=$(1) -X $(V).Version=$(VERSION) -X $(V).Commit=$(COMMIT)

PROGRAMS := edged edge-worker edge
ARGS     ?=
FUZZTIME ?= 20s
export CGO_ENABLED := 1

.PHONY: build
build: $(addprefix build-,$(PROGRAMS)) ## Build edged, edge-worker and edge into build/bin

build-%:
	@mkdir -p $(BIN)
	go build -ldflags '$(call ldflags,$*)' -o $(BIN)/$* ./cmd/$*

.PHONY: install
install: $(addprefix install-,$(PROGRAMS)) ## Install the three programs into GOBIN

install-%:
	go install -ldflags '$(call ldflags,$*)' ./cmd/$*

.PHONY: test
test: unit e2e ## Run all tests: the packages, then the end-to-end tests with real programs

.PHONY: unit
unit: ## Run the tests of the packages
	go vet ./...
	go test -p 2 -timeout 20m $$(go list ./... | grep -v '/e2e$$')

.PHONY: crash
crash: ## Kill the worker at every step of a settlement and cut its log at every byte (the unit tests take a sample)
	EDGE_CRASH=all go test -count=1 -timeout 60m -run 'KilledAtEveryStep|LogCutAtEveryByte|TornTail' ./worker/rollup ./worker/ackpool

.PHONY: e2e
e2e: build ## Run the end-to-end tests: real chain, worker and client on loopback
	EDGE_BIN=$(CURDIR)/$(BIN) go test -count=1 -timeout 20m -parallel 6 -v ./e2e

.PHONY: lint
lint: ## Run the linters (installs the pinned golangci-lint into build/tools)
	scripts/tools.sh lint
	build/tools/golangci-lint run --timeout 15m ./...

.PHONY: proto
proto: ## Generate the Go code and the REST reference from proto/
	scripts/proto.sh

.PHONY: proto-check
proto-check: ## Fail if code or REST reference differ from what proto/ generates
	scripts/proto.sh --check

.PHONY: bench
bench: build ## Run the benchmarks; tables on stdout, build/bench/NAME.json (ARGS="-only settle")
	EDGE_BIN=$(CURDIR)/$(BIN) go run ./scripts/bench $(ARGS)

.PHONY: bench-http
bench-http: build ## Measure the worker's HTTP against nginx; needs nginx-light and wrk (ARGS="-sizes 1KiB,64MiB")
	EDGE_BIN=$(CURDIR)/$(BIN) go run ./scripts/benchhttp $(ARGS)

.PHONY: devnet
devnet: build ## Start a local network, prove the whole path, stay up (ARGS="--once"; ARGS="--validators 7")
	@go build -o $(BIN)/devnet ./scripts/devnet
	@EDGE_BIN=$(CURDIR)/$(BIN) exec $(BIN)/devnet $(ARGS)

.PHONY: sim
sim: ## Run the simulations of the chain (ARGS="-seeds=5,6 -blocks=1000")
	go test -tags sims ./app -run "^Test.*Simulation" -count=1 -timeout 60m -v $(ARGS)

.PHONY: test-memory
test-memory: ## Measure the worker's memory with 10,000 idle connections and 1,000 slow ones
	EDGE_TEST_MEMORY_LONG=1 go test -count=1 -v -run '^TestMemory$$' ./worker/gateway

.PHONY: economics
economics: ## Search long for profit from the emission, under the rules and with holes in them (ARGS="-plays 20000")
	go run ./scripts/economics $(ARGS)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (20s)
	scripts/fuzz.sh $(FUZZTIME)

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf build

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
