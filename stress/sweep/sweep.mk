# The sweep: stops a thread at every instruction of the library and looks
# whether the others go on. See docs/proof.md.
#
#	SWEEP_JOBS=N	stops at a time; as many as CPUs
#	ALL=1		also what stress/sweep/proven.txt has
#	SWEEP=...	further options, see build/sweep/sweep --help

SWEEP_DIR := $(BUILD)/sweep
SWEEP_JOBS ?= $(shell nproc)
SWEEP_CC = $(CC) -std=gnu11 -O2 -g $(WARNINGS) -fno-builtin \
	-fno-stack-protector $(INCLUDES) -pthread
RUN_SWEEP = $(SWEEP_DIR)/sweep --jobs $(SWEEP_JOBS) $(SWEEP)
# What one killed thread may strand; docs/proof.md says why.
SWEEP_BOUNDS = --most-objects 0x190000 --most-address-space 0x8200000

$(SWEEP_DIR)/sweep: $(wildcard stress/sweep/*.[ch] stress/harness/*.h \
		src/*/*.h include/*.h) $(BUILD)/flags $(SWEEP_DIR)/throw.so
	$(call say,CC,$@)
	$(Q)$(SWEEP_CC) -rdynamic $(filter %.c,$^) -o $@

# Loaded where the load is to have a C++ runtime.
$(SWEEP_DIR)/throw.so: stress/sweep/throw.cc $(BUILD)/flags
	$(call say,CXX,$@)
	$(Q)$(CXX) -std=gnu++17 -O2 -g $(WARNINGS) -fPIC -shared $< -o $@

.PHONY: sweep sweep-quick sweep-control sweep-peers
# What the ledger has not, and what it has with ALL=1; both go there. Where it
# was interrupted, the same command goes on.
PROVEN = --proven stress/sweep/proven.txt
sweep: $(SWEEP_DIR)/sweep $(BUILD)/liblanemalloc.so sweep-control ## every instruction that is not proven; ALL=1: every one
	$(RUN_SWEEP) --library $(BUILD)/liblanemalloc.so --surveys 40 \
		$(SWEEP_BOUNDS) --hit 1,7 --explain $(EXPLAIN) --state $(SWEEP_DIR)/state \
		$(PROVEN) --add-proven $(if $(ALL),,--skip-proven) \
		--report $(SWEEP_DIR)/report.txt

# Says at once which reasons name what the library no longer has.
EXPLAIN = stress/sweep/explain.py
TEST_EXPLAIN = python3 -B -m unittest discover -s stress/sweep -p 'test_*.py'

sweep-quick: $(SWEEP_DIR)/sweep $(BUILD)/liblanemalloc.so ## a sample of the sweep
	$(TEST_EXPLAIN)
	$(EXPLAIN) --names $(BUILD)/liblanemalloc.so
	$(RUN_SWEEP) --library $(BUILD)/liblanemalloc.so --surveys 8 \
		$(SWEEP_BOUNDS) --sample 150 --modes abde $(PROVEN) \
		--report $(SWEEP_DIR)/quick.txt

### Controls: the sweep must find them out

# A malloc with a lock.
$(SWEEP_DIR)/blocking.so: stress/sweep/control/blocking.c $(BUILD)/flags
	$(call say,CC,$@)
	$(Q)$(SWEEP_CC) -fPIC -shared -fvisibility=hidden $< -o $@

# The library itself with a fault; and `sound`, the same without one.
# Nothing is inlined, so that the functions in question are there by name.
SWEEP_CONTROLS = sound inbox lock
SWEEP_BUILDS = $(SWEEP_CONTROLS:%=$(SWEEP_DIR)/%/build/liblanemalloc.so)

SWEEP_FAULTS = stress/sweep/control/faults.txt

$(SWEEP_BUILDS): $(SWEEP_DIR)/%/build/liblanemalloc.so: Makefile \
		$(wildcard src/* src/*/* include/*) $(SWEEP_FAULTS) $(BUILD)/flags
	$(call say,COPY,$(SWEEP_DIR)/$*)
	$(Q)rm -rf $(SWEEP_DIR)/$* && mkdir -p $(SWEEP_DIR)/$*
	$(Q)cp -r Makefile src include packaging $(SWEEP_DIR)/$*
	$(Q)python3 stress/harness/faults.py --src $(SWEEP_DIR)/$*/src \
		$(SWEEP_FAULTS) $(filter-out sound,$*)
	$(Q)$(MAKE) --no-print-directory -C $(SWEEP_DIR)/$* BUILD=build \
		WARNINGS=-w CFLAGS='-O1 -g -fno-inline' build/liblanemalloc.so

# All three with the same options; one blocked stop each is enough.
RUN_CONTROL = $(RUN_SWEEP) --modes a --surveys 8 --timeout 4 \
	--failures 2 --enough 2
RUN_PATCHED = $(RUN_CONTROL) --scenario cold \
	--functions slab_send,inbox_take,claim_within_hugepage \
	--report $(SWEEP_DIR)/$(1).txt \
	--library $(SWEEP_DIR)/$(1)/build/liblanemalloc.so

sweep-control: $(SWEEP_DIR)/sweep $(SWEEP_DIR)/blocking.so $(SWEEP_BUILDS) ## broken libraries, which must be found
	$(RUN_CONTROL) --library $(SWEEP_DIR)/blocking.so \
		--expect-blocked --report $(SWEEP_DIR)/blocking.txt
	$(RUN_CONTROL) --library $(SWEEP_DIR)/blocking.so --modes d \
		--expect-blocked --report $(SWEEP_DIR)/blocking-many.txt
	$(call RUN_PATCHED,inbox) --expect-blocked
	$(call RUN_PATCHED,lock) --expect-blocked
	$(call RUN_PATCHED,sound)

### Steps: other places to stop, see docs/steps.md
#
#	STEP=... LAST=...	further options
#	STEP_LIBRARY=F		another malloc; then only whether anybody is
#				blocked means something

STEP_LIBRARY ?= $(BUILD)/liblanemalloc.so
RUN_STEP = $(RUN_SWEEP) --steps $(SWEEP_BOUNDS) $(STEP) --library
RUN_LAST = $(RUN_SWEEP) --last $(LAST) --library

.PHONY: step step-quick step-control
step: $(SWEEP_DIR)/sweep $(STEP_LIBRARY) step-control ## stops at every step
	$(RUN_STEP) $(STEP_LIBRARY)

step-quick: $(SWEEP_DIR)/sweep $(STEP_LIBRARY) step-control ## a sample of the steps
	$(RUN_STEP) $(STEP_LIBRARY) --modes abe --most 2 --work 40

# A malloc with a lock: somebody must be blocked.
step-control: $(SWEEP_DIR)/sweep $(SWEEP_DIR)/blocking.so
	$(RUN_STEP) $(SWEEP_DIR)/blocking.so --timeout 2 \
		--operation 'malloc hit' --modes a --most 6 --expect-blocked

.PHONY: all-but-one all-but-one-quick all-but-one-control
all-but-one all-but-one-quick: $(SWEEP_DIR)/sweep $(STEP_LIBRARY)
all-but-one: all-but-one-control ## all threads stopped but one
	$(RUN_LAST) $(STEP_LIBRARY) --trials 200
	$(RUN_LAST) $(STEP_LIBRARY) --trials 10 --threads 64

all-but-one-quick: all-but-one-control ## a sample of all-but-one
	$(RUN_LAST) $(STEP_LIBRARY) --trials 4 --calls 2

all-but-one-control: $(SWEEP_DIR)/sweep $(SWEEP_DIR)/blocking.so
	$(RUN_LAST) $(SWEEP_DIR)/blocking.so --timeout 2 \
		--trials 4 --threads 16 --calls 1 --expect-blocked

### The same for the allocators of the system

SWEEP_PEERS = --jobs $$((2 * $(SWEEP_JOBS))) --sample 220 --surveys 5 \
	--timeout 1
sweep-peers: $(SWEEP_DIR)/sweep $(BUILD)/liblanemalloc.so ## other allocators
	stress/sweep/peers.sh $(SWEEP_DIR)/sweep $(BUILD)/liblanemalloc.so \
		$(SWEEP_DIR) $(SWEEP_PEERS) $(SWEEP)
