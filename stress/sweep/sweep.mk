# The sweep: stops a thread at every instruction of the library and looks
# whether the others go on. See docs/proof.md.
#
#	SWEEP_JOBS=N	stops at a time; as many as CPUs
#	SWEEP=...	further options, see build/sweep/sweep --help

S := $(BUILD)/sweep
SWEEP_JOBS ?= $(shell nproc)
SWEEP_CC = $(CC) -std=gnu11 -O2 -g $(WARNINGS) -fno-builtin \
	-fno-stack-protector $(INCLUDES) -MMD -MP -MF $@.d -pthread
RUN_SWEEP = $(S)/sweep --jobs $(SWEEP_JOBS) $(SWEEP)

$(S)/sweep: $(wildcard stress/sweep/*.c) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(SWEEP_CC) -rdynamic $(filter %.c,$^) -o $@

$(S)/blocking.so: stress/sweep/control/blocking.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(SWEEP_CC) -fPIC -shared -fvisibility=hidden $< -o $@

-include $(S)/sweep.d $(S)/blocking.so.d

.PHONY: sweep sweep-quick sweep-control sweep-peers
sweep: $(S)/sweep $(BUILD)/liblanemalloc.so sweep-control ## the proof: a stop at every instruction
	$(RUN_SWEEP) --library $(BUILD)/liblanemalloc.so --surveys 40 \
		--hit 1,7 --report $(S)/report.txt

sweep-quick: $(S)/sweep $(BUILD)/liblanemalloc.so sweep-control ## the same at every 40th, in a minute
	$(RUN_SWEEP) --library $(BUILD)/liblanemalloc.so --surveys 8 \
		--step 40 --modes abde --report $(S)/report.txt

# A malloc with a lock: the sweep must find somebody blocked.
sweep-control: $(S)/sweep $(S)/blocking.so
	$(RUN_SWEEP) --library $(S)/blocking.so --modes a --step 9 \
		--surveys 3 --timeout 1 --failures 1 --expect-blocked \
		--report $(S)/control.txt

# The same for allocators of the system, those that there are.
PEER_DIRS = /usr/lib/$(ARCH)-linux-gnu /lib/$(ARCH)-linux-gnu
peer = $(firstword $(wildcard $(addsuffix /$(1),$(PEER_DIRS))))
sweep-peers: $(S)/sweep
	$(foreach so,libjemalloc.so.2 libtcmalloc_minimal.so.4 \
		libmimalloc.so.2 libc.so.6,\
		$(if $(call peer,$(so)),$(RUN_SWEEP) --library \
		$(call peer,$(so)) $(if $(filter libc.%,$(so)),--range \
		__libc_malloc-0x3800$(comma)__libc_mallopt) --modes a \
		--step 53 --surveys 5 --timeout 1 --failures 2 \
		--report $(S)/$(so).txt || true;)) :
comma := ,
