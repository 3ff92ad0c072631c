# The sweep: stops a thread at every instruction of the library and looks
# whether the others go on. See docs/proof.md.
#
#	SWEEP_JOBS=N	stops at a time; as many as CPUs
#	SWEEP=...	further options, see build/sweep/sweep --help

SWEEP_DIR := $(BUILD)/sweep
SWEEP_JOBS ?= $(shell nproc)
SWEEP_CC = $(CC) -std=gnu11 -O2 -g $(WARNINGS) -fno-builtin \
	-fno-stack-protector $(INCLUDES) -MMD -MP -MF $@.d -pthread
RUN_SWEEP = $(SWEEP_DIR)/sweep --jobs $(SWEEP_JOBS) $(SWEEP)
# What one killed thread may strand; docs/proof.md says why.
SWEEP_BOUNDS = --most-objects 0x80000 --most-address-space 0x8200000

$(SWEEP_DIR)/sweep: $(wildcard stress/sweep/*.[ch]) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(SWEEP_CC) -rdynamic $(filter %.c,$^) -o $@

$(SWEEP_DIR)/blocking.so: stress/sweep/control/blocking.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(SWEEP_CC) -fPIC -shared -fvisibility=hidden $< -o $@

-include $(SWEEP_DIR)/sweep.d $(SWEEP_DIR)/blocking.so.d

.PHONY: sweep sweep-quick sweep-control sweep-peers
sweep: $(SWEEP_DIR)/sweep $(BUILD)/liblanemalloc.so sweep-control ## the proof
	$(RUN_SWEEP) --library $(BUILD)/liblanemalloc.so --surveys 40 \
		$(SWEEP_BOUNDS) --hit 1,7 --report $(SWEEP_DIR)/report.txt

sweep-quick: $(SWEEP_DIR)/sweep $(BUILD)/liblanemalloc.so sweep-control ## a sample
	$(RUN_SWEEP) --library $(BUILD)/liblanemalloc.so --surveys 8 \
		$(SWEEP_BOUNDS) --step 40 --modes abde --report $(SWEEP_DIR)/report.txt

# A malloc with a lock: the sweep must find somebody blocked.
sweep-control: $(SWEEP_DIR)/sweep $(SWEEP_DIR)/blocking.so
	$(RUN_SWEEP) --library $(SWEEP_DIR)/blocking.so --modes a --step 9 \
		--surveys 3 --timeout 1 --failures 1 --expect-blocked \
		--report $(SWEEP_DIR)/control.txt

# The same for allocators of the system, those that there are.
PEER_DIRS = /usr/lib/$(ARCH)-linux-gnu /lib/$(ARCH)-linux-gnu
peer = $(firstword $(wildcard $(addsuffix /$(1),$(PEER_DIRS))))
sweep-peers: $(SWEEP_DIR)/sweep
	$(foreach so,libjemalloc.so.2 libtcmalloc_minimal.so.4 \
		libmimalloc.so.2 libc.so.6,\
		$(if $(call peer,$(so)),$(RUN_SWEEP) --library \
		$(call peer,$(so)) $(if $(filter libc.%,$(so)),--range \
		__libc_malloc-0x3800$(comma)__libc_mallopt) --modes a \
		--step 53 --surveys 5 --timeout 1 --failures 2 \
		--report $(SWEEP_DIR)/$(so).txt || true;)) :
comma := ,
