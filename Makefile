# What one does with Muster's sources. The two to begin with:
#
#	make demo    build it, start it with a private PostgreSQL, and watch a post go out
#	make test    all tests; finds or installs what they need
#
# Whatever is written here goes to var/, which Git ignores; make clean removes it.

GO       ?= go
FUZZTIME ?= 30s
BENCH    ?= .
COUNT    ?= 6
NEED     := sh deploy/need.sh
GOFMT     = $$($(GO) env GOROOT)/bin/gofmt
GOFILES   = $$(git ls-files --cached --others --exclude-standard '*.go')

# Debian keeps servers' programs where an ordinary user's PATH does not look.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

# Where Postfix could not be installed, deploy/need.sh has unpacked it.
ifneq ($(wildcard var/peers/postfix/usr/sbin),)
export PATH := $(CURDIR)/var/peers/postfix/usr/sbin:$(PATH)
export LD_LIBRARY_PATH := $(CURDIR)/var/peers/postfix/usr/lib/postfix
endif

.PHONY: build demo test test-long lint fmt cover fuzz bench bench-scaling bench-peers bench-go test-openssl clean

build:
	$(GO) build -o muster ./cmd/muster

# Its data stays in var/demo: a second make demo finds it again.
demo: build
	@$(NEED) postgresql
	./muster demo --data-dir var/demo

test:
	@$(NEED) cc postgresql chromium postfix swaks
	$(GO) test -race -timeout 15m ./...

# The rounds that take their time: every message of the corpora, many more kills, and each fuzz
# target for a moment. What is the same in long and in short is make test's.
test-long:
	@$(NEED) cc postgresql chromium postfix swaks
	MUSTER_LONG=1 $(GO) test -count 1 -timeout 18m ./cmd/muster/systemtest
	$(MAKE) fuzz FUZZTIME=10s

# The build that has OpenSSL make RSA signatures: see docs/running.md.
test-openssl:
	@$(NEED) cc openssl
	$(GO) vet -tags openssl ./lists/dkim
	$(GO) test -race -timeout 2m -tags openssl ./lists/dkim

lint:
	@unformatted=$$($(GOFMT) -l $(GOFILES)); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

fmt:
	$(GOFMT) -w $(GOFILES)

cover:
	@$(NEED) postgresql chromium postfix swaks
	@mkdir -p var
	$(GO) test -timeout 20m -coverpkg ./... -coverprofile var/cover.out ./...
	$(GO) tool cover -func var/cover.out | tail -n 1
	$(GO) tool cover -html var/cover.out -o var/cover.html

# Every fuzz target there is, one after the other: go test takes one package and target at a time. On a
# busy machine Go's fuzzer may fail for its own end ("context deadline exceeded"), so who fails runs again:
# an input that it failed for is kept in testdata, and is the first that the second run tries.
fuzz:
	@set -e; for package in $$(grep -rl '^func Fuzz' --include '*_test.go' . | xargs -r -n 1 dirname | sort -u); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$package/*_test.go); do \
			echo "$$package $$target"; \
			run="$(GO) test -run ^$$ -fuzz ^$$target\$$ -fuzztime $(FUZZTIME) $$package"; \
			$$run || { echo "$$target: once more"; $$run; }; \
		done; \
	done

# What Muster does against what other programs do, in one run: see bench/README.md.
bench: build
	@$(NEED) postgresql postfix
	$(GO) run ./bench

# What grows with lists, members, posts and nodes, in less than ten minutes; and the tables and curves
# of docs/scaling.md that are made from it.
bench-scaling: build
	@$(NEED) postgresql
	$(GO) run ./bench -scaling
	$(GO) run ./bench/simulate -write docs

# As bench, against other list managers, which take their time. They run in directories of their own,
# as root, who may give those to the users that the programs run as.
bench-peers: build
	@$(NEED) postgresql postfix mlmmj mailman
	$(GO) run ./bench -peers -only 'peers|queueing' -out bench/peers.json

# Go's own benchmarks, compared with those of the time before.
bench-go:
	@$(NEED) postgresql
	@mkdir -p var
	@if [ -f var/bench.txt ]; then mv var/bench.txt var/bench.before.txt; fi
	$(GO) test -run '^$$' -bench '$(BENCH)' -count $(COUNT) -timeout 60m ./... | tee var/bench.txt
	@if [ -f var/bench.before.txt ]; then $(GO) tool benchstat var/bench.before.txt var/bench.txt; fi

clean:
	rm -rf muster var
