# Single steps: each operation stopped at every step, and what the last of
# many threads still needs when all others are stopped. See docs/steps.md.
#
#	STEP=...	further options, see build/step/step --help
#	LAST=...	likewise, build/step/last --help
#	STEP_JOBS=N	stops at a time; as many as CPUs
#	STEP_LIBRARY=F	another malloc; then only whether anybody is blocked
#			means something

ifneq ($(ARCH),x86_64)
.PHONY: step step-quick all-but-one all-but-one-quick
step step-quick all-but-one all-but-one-quick:
	@echo 'step: x86-64 only; this compiler is for $(ARCH)' >&2; exit 1
else

STEP_DIR := $(BUILD)/step
STEP_JOBS ?= $(shell nproc)
STEP_LIBRARY ?= $(BUILD)/liblanemalloc.so
STEP_CC = $(CC) -std=gnu11 -O2 -g $(WARNINGS) -fno-builtin \
	-fno-stack-protector $(INCLUDES) -MMD -MP -MF $@.d -pthread
STEP_SHARED = $(addprefix stress/step/,trap.c child.c rare.c) \
	$(addprefix stress/sweep/,die.c process.c fate.c remains.c load.c ledger.c \
	names.c outside.c text.c watch.c)
RUN_STEP = $(STEP_DIR)/step --jobs $(STEP_JOBS) $(STEP) --library
RUN_LAST = $(STEP_DIR)/last $(LAST) --library

define STEP_PROGRAM
$(STEP_DIR)/$(1): $(2) $(STEP_SHARED) $(wildcard stress/step/*.h \
		stress/sweep/*.h) $(BUILD)/flags
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$$(STEP_CC) $$(filter %.c,$$^) -o $$@
endef
$(eval $(call STEP_PROGRAM,step,stress/step/step.c stress/step/ops.c))
$(eval $(call STEP_PROGRAM,last,stress/step/last.c stress/step/kinds.c))

$(STEP_DIR)/blocking.so: stress/sweep/control/blocking.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(STEP_CC) -fPIC -shared -fvisibility=hidden $< -o $@

-include $(wildcard $(STEP_DIR)/*.d)

.PHONY: step step-quick step-control
step: $(STEP_DIR)/step $(STEP_LIBRARY) step-control ## stops at every step
	$(RUN_STEP) $(STEP_LIBRARY)

step-quick: $(STEP_DIR)/step $(STEP_LIBRARY) step-control ## a sample
	$(RUN_STEP) $(STEP_LIBRARY) --modes abe --most 2 --work 40

# A malloc with a lock: somebody must be blocked.
step-control: $(STEP_DIR)/step $(STEP_DIR)/blocking.so
	$(STEP_DIR)/step --library $(STEP_DIR)/blocking.so --timeout 2 \
		--only 'malloc hit' --modes a --most 6 --expect-blocked

.PHONY: all-but-one all-but-one-quick all-but-one-control
all-but-one all-but-one-quick: $(STEP_DIR)/last $(STEP_LIBRARY)
all-but-one: all-but-one-control ## all threads stopped but one
	$(RUN_LAST) $(STEP_LIBRARY) --trials 200
	$(RUN_LAST) $(STEP_LIBRARY) --trials 10 --threads 64

all-but-one-quick: all-but-one-control ## a sample
	$(RUN_LAST) $(STEP_LIBRARY) --trials 4 --calls 2

all-but-one-control: $(STEP_DIR)/last $(STEP_DIR)/blocking.so
	$(STEP_DIR)/last --library $(STEP_DIR)/blocking.so --timeout 2 \
		--trials 4 --threads 16 --calls 1 --expect-blocked

endif
