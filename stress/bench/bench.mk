# The benchmark: lanemalloc and its peers, and the aims judged. See
# docs/performance.md.
#
#	BENCH=...	further options, see stress/bench/bench.py --help
#	PEERS=DIR	sources of other allocators, see stress/bench/peers.sh

PACKAGES_BENCH = gcc python3 liburcu-dev
RUN_BENCH = stress/bench/bench.py --build '$(BUILD)' $(BENCH)

$(BUILD)/bench/measure: stress/measure.c stress/figure.h $(BUILD)/flags
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu11 -O2 -g $(WARNINGS) $< -o $@

.PHONY: bench bench-peers bench-quick bench-resume bench-report bench-selftest \
	bench-programs bench-packages
bench-packages:
	@tests/install-packages.sh $(PACKAGES_BUILD) $(PACKAGES_BENCH)

bench-programs: bench-packages
	@$(MAKE) --no-print-directory $(BUILD)/liblanemalloc.so \
		$(BUILD)/bench/load $(BUILD)/bench/measure

bench: bench-programs ## against every other malloc, half an hour
	$(RUN_BENCH)

# Those that PEERS has take the place of Debian's of their name; what cannot be
# built is said and left out.
PACKAGES_PEERS = g++ cmake autoconf automake libtool
bench-peers: bench-programs ## against those built from the sources in PEERS=DIR
	@[ -d '$(PEERS)' ] || { echo "bench-peers: PEERS=DIR names no folder\
 with the sources of allocators" >&2; exit 2; }
	@tests/install-packages.sh $(PACKAGES_PEERS)
	stress/bench/peers.sh '$(PEERS)' $(BUILD)/peers >$(BUILD)/peers.txt
	$(RUN_BENCH) $$(sed 's/^/--with /' $(BUILD)/peers.txt)

bench-quick: bench-programs ## the same, fewer cells, about five minutes
	$(RUN_BENCH) --quick

bench-resume: bench-programs ## goes on with an interrupted bench
	$(RUN_BENCH) --resume

# Of the runs that there are; a page for each kind of machine.
bench-report: ## the last bench's figures into docs/performance
	$(RUN_BENCH) --report --into docs/performance

bench-selftest: ## are ratios, aims and the driver's bookkeeping right?
	@python3 -B -m unittest discover -s stress/bench -p 'test_*.py'
