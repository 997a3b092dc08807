# make build                  debug build of everything
# make release                release build of the command: .build/release/merge-engine
# make package-build          the same with Swift's runtime linked in: .build-static/release/merge-engine
# make install                installs program, man pages and completions; PREFIX=/usr/local, DESTDIR for packagers
# make uninstall              removes them again
# make deb                    a Debian package in .build-static
# make tarball                an archive to be unpacked below a prefix, in .build-static
# make test                   installs what is missing, runs all tests against private PostgreSQL servers
# make test-matrix            the integration tests on every other PostgreSQL version that can be installed
# make test-citus             the tests on a Citus cluster, where Citus is installed
# make torture                CDC, kills, frozen clients, crashes for 20 minutes; SECONDS=60 SEED=1 for another storm
# make torture-citus          the same for merges on the nodes of Citus, with moves of shards, for 10 minutes
# make benchmarks             what the client costs a row, in a release build: allocations and nanoseconds
# make bench-archive        measures a release build with bench, 1M rows, and archives the result in Benchmarks/Runs
# make demo                   installs what is missing, merges a realistic data set on a private server
# make dms-simulator          AWS DMS on loopback, loading the sample tables into DATABASE_URL; ARGUMENTS="--help" for more
# make format                 formats all Swift sources
# make format-check           fails when the sources are not formatted or break a rule of .swift-format
# make clean                  removes everything that was built
# make install-dependencies   installs the packages that are missing: libpq-dev, PostgreSQL, pkg-config
# make install-test-dependencies  the same, and what only the tests need: Chromium, Python, the AWS CLI and its emulator
# make help                   prints these lines

.PHONY: help build release package-build install uninstall deb tarball test test-matrix test-citus torture torture-citus benchmarks bench-archive demo dms-simulator format format-check clean install-dependencies install-test-dependencies
.DEFAULT_GOAL := help

help:
	@sed -n -e '/^# /!q' -e 's/^# //p' Makefile

build: install-dependencies
	swift build

# What --version says; empty where there is no repository.
COMMIT = $(shell git rev-parse --short=12 HEAD 2>/dev/null)$(if $(shell git status --porcelain 2>/dev/null),-dirty)

# Further flags of the release build; .ci/run has the benchmarks' added, which then find their modules built.
RELEASE_FLAGS ?=

release: install-dependencies
	MERGE_ENGINE_COMMIT=$(COMMIT) swift build -c release $(RELEASE_FLAGS) --product merge-engine

# A folder of its own: what is linked in differs, and the tests' build stays as it is.
STATIC_BUILD = .build-static
STATIC_PROGRAM = $(STATIC_BUILD)/release/merge-engine

package-build: install-dependencies
	MERGE_ENGINE_COMMIT=$(COMMIT) swift build -c release --product merge-engine --scratch-path $(STATIC_BUILD) \
	  --static-swift-stdlib -Xlinker --gc-sections -Xlinker -s

PREFIX ?= /usr/local

install: package-build
	.packaging/stage $(STATIC_PROGRAM) "$(DESTDIR)" "$(PREFIX)"

uninstall:
	rm -f "$(DESTDIR)$(PREFIX)"/bin/merge-engine "$(DESTDIR)$(PREFIX)"/share/man/man1/merge-engine*.1.gz \
	  "$(DESTDIR)$(PREFIX)"/share/bash-completion/completions/merge-engine \
	  "$(DESTDIR)$(PREFIX)"/share/zsh/site-functions/_merge-engine \
	  "$(DESTDIR)$(PREFIX)"/share/fish/vendor_completions.d/merge-engine.fish
	rm -rf "$(DESTDIR)$(PREFIX)"/share/doc/merge-engine

deb: package-build
	.packaging/deb $(STATIC_PROGRAM) $(STATIC_BUILD)

tarball: package-build
	.packaging/tarball $(STATIC_PROGRAM) $(STATIC_BUILD)

# The lanes of TestSupport say how many tests work at a time; a smaller width would have waiting tests keep others out.
WIDTH = --experimental-maximum-parallelization-width 1000

# The program is tested as it is shipped: optimised it starts in a seventh of the time, and tests start it 500 times.
test: install-test-dependencies release
	PATH="$$PATH:$(CURDIR)/.build/python/bin" MERGE_ENGINE_TEST_PROGRAM="$(CURDIR)/.build/release/merge-engine" \
	  .ci/clusters-in-memory swift test $(WIDTH) --skip CitusTests

test-matrix: install-test-dependencies
	.ci/test-matrix

test-citus: install-test-dependencies release
	MERGE_ENGINE_TEST_PROGRAM="$(CURDIR)/.build/release/merge-engine" .ci/clusters-in-memory swift test --filter CitusTests

torture: SECONDS ?= 1200
torture: install-test-dependencies
	MERGE_ENGINE_TORTURE_SECONDS=$(SECONDS) MERGE_ENGINE_TORTURE_SEED=$(SEED) swift test --filter TortureTests

torture-citus: SECONDS ?= 600
torture-citus: install-test-dependencies release
	MERGE_ENGINE_TEST_PROGRAM="$(CURDIR)/.build/release/merge-engine" \
	  MERGE_ENGINE_TORTURE_SECONDS=$(SECONDS) MERGE_ENGINE_TORTURE_SEED=$(SEED) \
	  .ci/clusters-in-memory swift test --filter CitusStormTests

# Their build folder; with that of a release build with the same flags nothing of the engine is built again.
BENCHMARKS_BUILD = .build-benchmarks
TESTABLE = -Xswiftc -enable-testing

benchmarks: install-dependencies
	swift run --package-path Benchmarks --scratch-path $(BENCHMARKS_BUILD) -c release $(TESTABLE) MicroBenchmarks

bench-archive: release
	Benchmarks/archive $(ARGUMENTS)

demo: release
	.build/release/merge-engine demo

dms-simulator:
	@python3 Tests/DMSSimulator/simulator.py $(ARGUMENTS)

format:
	swift format format --in-place --parallel --recursive Package.swift Sources Tests Benchmarks

format-check:
	@.ci/format-check

clean:
	swift package clean
	rm -rf $(BENCHMARKS_BUILD) $(STATIC_BUILD)

install-dependencies:
	@.ci/install-dependencies

install-test-dependencies:
	@.ci/install-dependencies --tests
