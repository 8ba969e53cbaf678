# The commands of Perigee. `make run` and `make test` need nothing but git, make and a Debian
# system.
BUILD    ?= build
JOBS     ?= $(shell nproc)
ORIGIN   ?=
LISTEN   ?= 127.0.0.1:8080
SEED     ?= 1
TRACE    ?=
FUZZ_SECONDS ?= 60
PREFIX   ?= /usr/local

CONFIGURE = cmake -S . -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo
QUIET     = > $(1)/configure.log 2>&1 || { cat $(1)/configure.log; exit 1; }

.PHONY: all run test check torture asan tsan asan-short tsan-short bench head-cost store-bench \
        coding-bench cold-bench capacity-bench sim replay fuzz mutants docs tidy locks format fmt \
        install clean bootstrap fresh

all: bootstrap
	@mkdir -p $(BUILD)
	@$(CONFIGURE) -B $(BUILD) -DPERIGEE_TESTS=OFF $(call QUIET,$(BUILD))
	@cmake --build $(BUILD) -j $(JOBS) --target perigee perigeectl

bootstrap:
	@tools/bootstrap

# Serves the demo site, or what ORIGIN names (http://host:port or dir:/folder), through the cache.
run: all
	@exec tools/run "$(BUILD)/perigee" "$(ORIGIN)" "$(LISTEN)"

# Everything, in build-test: unit, fault, simulation and end-to-end tests.
test:
	@tools/bootstrap --tests
	@mkdir -p $(BUILD)-test
	@$(CONFIGURE) -B $(BUILD)-test $(call QUIET,$(BUILD)-test)
	@cmake --build $(BUILD)-test -j $(JOBS)
	ctest --test-dir $(BUILD)-test --output-on-failure -j $(JOBS)

SANITIZED = asan tsan asan-short tsan-short
# The allocator's quarantine is kept small: tests watch how much memory the node takes.
$(SANITIZED): export ASAN_OPTIONS = quarantine_size_mb=8
# A SIGBUS that is not the store's ends a process as it does without a sanitizer.
$(SANITIZED): export TSAN_OPTIONS = handle_sigbus=0 suppressions=$(CURDIR)/tests/tsan.supp
# The stress test, which runs for 5 seconds elsewhere.
asan tsan: export PERIGEE_STRESS_SECONDS = 60
# The short ones are for continuous integration: what threads, the kernel and the disk do, which no
# other run shows as well; corrupt bytes under asan alone.
asan-short tsan-short: TARGETS = --target unit_base unit_cache_store unit_origin unit_doors \
                                          fault_store e2e
SHORT_TESTS = ^unit/(base|cache_store|origin|doors)/|^e2e/(Crowd|Stress|Fills)|Interleaving
asan-short: CHOSEN = -E /Seeds/ -R '$(SHORT_TESTS)|^fault/cache_store/'
tsan-short: CHOSEN = -R '$(SHORT_TESTS)'
$(SANITIZED): FOLDER = $(BUILD)-$(@:-short=)
$(SANITIZED):
	@tools/bootstrap --tests
	@mkdir -p $(FOLDER)
	@$(CONFIGURE) -B $(FOLDER) -DPERIGEE_SANITIZE=$(if $(filter asan%,$@),address,thread) \
	  $(call QUIET,$(FOLDER))
	@cmake --build $(FOLDER) -j $(JOBS) $(TARGETS)
	ctest --test-dir $(FOLDER) --output-on-failure -j $(JOBS) $(CHOSEN)

# The store's fault tests, ten times as long as in the suite: 1,000 kills, 100,000 damaged files;
# and an object of 5 GiB through a store of 1 GiB.
torture:
	@tools/bootstrap --tests
	@mkdir -p $(BUILD)-test
	@$(CONFIGURE) -B $(BUILD)-test $(call QUIET,$(BUILD)-test)
	@cmake --build $(BUILD)-test -j $(JOBS) --target fault_store e2e
	PERIGEE_TORTURE=10 $(BUILD)-test/tests/fault_store
	PERIGEE_TORTURE=10 $(BUILD)-test/tests/e2e --gtest_filter='LongerThanTheStore.*'

# All that people run before they hand on a change.
check:
	for part in test asan tsan locks tidy format; do $(MAKE) $$part || exit 1; done

# CPU for 10,000 responses beside nginx's proxy_cache, and their ratio; then coding-bench.
bench: all
	@tools/bootstrap --bench
	@tools/edge_bench $(BUILD)/perigee
	@tools/coding_bench $(BUILD)/perigee

# CPU for 10,000 hits on a coded script, beside a plain hit of its size, and beside nginx, Varnish
# and H2O. Fails when a bar is missed.
coding-bench: all
	@tools/bootstrap --bench
	@tools/coding_bench $(BUILD)/perigee

# CPU for the worst head of each kind; fails when one costs more than 100 us.
head-cost:
	@tools/bootstrap --tests
	@mkdir -p $(BUILD)-test
	@$(CONFIGURE) -B $(BUILD)-test $(call QUIET,$(BUILD)-test)
	@cmake --build $(BUILD)-test -j $(JOBS) --target head_cost
	$(BUILD)-test/tools/head_cost

# What the store costs: index bytes an object, time to start, time of each verb. Fails when a bar is
# missed.
store-bench:
	@tools/bootstrap --tests
	@mkdir -p $(BUILD)-test
	@$(CONFIGURE) -B $(BUILD)-test $(call QUIET,$(BUILD)-test)
	@cmake --build $(BUILD)-test -j $(JOBS) --target store_bench
	$(BUILD)-test/tools/store_bench

# Hot hits beside reads of cold pages, in a store four times larger than the memory. For root. Fails
# when the bar is missed.
cold-bench: all
	@tools/bootstrap --tests
	@tools/cold_bench $(BUILD)/perigee

# Replays one run of the simulator: make sim SEED=n.
sim:
	@tools/bootstrap --tests
	@mkdir -p $(BUILD)-test
	@$(CONFIGURE) -B $(BUILD)-test $(call QUIET,$(BUILD)-test)
	@cmake --build $(BUILD)-test -j $(JOBS) --target sim
	PERIGEE_SIM_SEED=$(SEED) $(BUILD)-test/tests/sim --gtest_filter='*AskedFor'

# How many bytes of a text site a store holds, coded and uncoded.
capacity-bench: all
	@tools/bootstrap --tests
	@tools/capacity_bench $(BUILD)/perigee

# How often the store has what a trace asks for (lines `time id size`, plain or .xz), beside other
# caches: make replay TRACE=file. Fails when a bar is missed.
replay:
	@tools/bootstrap --tests
	@mkdir -p $(BUILD)-test
	@$(CONFIGURE) -B $(BUILD)-test $(call QUIET,$(BUILD)-test)
	@cmake --build $(BUILD)-test -j $(JOBS) --target store_replay
	$(BUILD)-test/tools/store_replay $(TRACE)

# Looks for new inputs with each fuzz target in turn, FUZZ_SECONDS each; what is found is kept in
# build-fuzz.
fuzz:
	@tools/bootstrap --fuzz
	@mkdir -p $(BUILD)-fuzz
	@CC=clang-16 CXX=clang++-16 $(CONFIGURE) -B $(BUILD)-fuzz -DPERIGEE_FUZZ=ON \
	  $(call QUIET,$(BUILD)-fuzz)
	@cmake --build $(BUILD)-fuzz -j $(JOBS) --target fuzz_targets
	@tools/fuzz $(BUILD)-fuzz $(FUZZ_SECONDS)

# Plants each bug of tests/mutants in a copy of the sources; fails when its test does not find it.
# One alone: make mutants MUTANT=name.
mutants:
	@tools/bootstrap --tests
	@tools/bootstrap --fuzz
	@tools/mutants $(BUILD)-mutants $(MUTANT)

# Writes docs/http.md from the rules that the tests show.
docs:
	@tools/bootstrap --tests
	@mkdir -p $(BUILD)-test
	@$(CONFIGURE) -B $(BUILD)-test $(call QUIET,$(BUILD)-test)
	@cmake --build $(BUILD)-test -j $(JOBS)
	@tools/http_rules $(BUILD)-test/tests

# Proves on a minimal Debian root that nothing installed by hand is needed.
fresh:
	@tools/fresh

# What clang-tidy finds beyond the compiler's warnings.
tidy:
	@tools/bootstrap --fuzz
	@mkdir -p $(BUILD)-test
	@$(CONFIGURE) -B $(BUILD)-test $(call QUIET,$(BUILD)-test)
	@tools/tidy $(BUILD)-test

# That what a lock guards is touched under it only.
locks:
	@tools/bootstrap --fuzz
	@mkdir -p $(BUILD)-test
	@$(CONFIGURE) -B $(BUILD)-test $(call QUIET,$(BUILD)-test)
	@tools/locks $(BUILD)-test

# Fails when a file is not as `make fmt` would write it.
format:
	@tools/bootstrap --fuzz
	git ls-files '*.h' '*.cc' | xargs clang-format --dry-run --Werror

fmt:
	git ls-files '*.h' '*.cc' | xargs clang-format -i

install: all
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(BUILD)/perigee $(BUILD)/perigeectl
	@# A configuration that is there is somebody's: the example then goes beside it.
	@to=$(DESTDIR)/etc/perigee/perigee.toml; \
	  if [ -e "$$to" ] || [ -L "$$to" ]; then \
	    echo "keeping $$to; the example is $$to.example"; to=$$to.example; \
	  fi; \
	  install -D -m 644 conf/perigee.toml "$$to"
	install -D -m 644 -t $(DESTDIR)/etc/perigee/demo-site/public conf/demo-site/public/*

clean:
	rm -rf $(BUILD) $(BUILD)-*
