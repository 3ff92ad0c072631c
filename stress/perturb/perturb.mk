# Perturbation: the library with delays, yields, signals, moves and aborts at
# every atomic operation and at every point of its sections, under loads that
# account for every byte. See stress/perturb/README.md.
#
#	SOAK_SECONDS=600	how long `make soak` runs
#	PERTURB=...		further options, see perturb.py --help
#
# PERTURB_SRC and PERTURB_DIR are other ones for the controls.

PERTURB_SRC ?= src
PERTURB_DIR ?= $(BUILD)/perturb
PERTURB_AT := stress/perturb
SOAK_SECONDS ?= 600

# Of the whole library, inside.c contains slab/bin.c.
PERTURB_PARTS := $(filter-out slab/bin \
	entry/wrappers entry/real entry/rights entry/signals entry/cxx_runtime \
	entry/children entry/syscall_$(ARCH) command/% \
	$(patsubst src/%.c,%,$(FOREIGN)),$(patsubst \
	$(PERTURB_SRC)/%,%,$(basename $(call of_arch,$(sort $(wildcard \
	$(PERTURB_SRC)/*/*.c $(PERTURB_SRC)/*/*.S))))))
PERTURB_INCLUDES = -I$(PERTURB_SRC) -Iinclude -I$(PERTURB_AT) -I.
PERTURB_SHADOW = -DPERTURB_SITES -I$(PERTURB_DIR)/shadow \
	-I$(PERTURB_AT)/shadow
PERTURB_LIBRARY = $(CC) $(CPPFLAGS) $(CFLAGS) $(WARNINGS) \
	$(filter-out -I%,$(LANE_CFLAGS)) -MMD -MP
PERTURB_LOAD = $(CC) -std=gnu11 -O2 -g -fno-builtin -pthread $(WARNINGS) \
	-MMD -MP -Itests
PERTURB_OBJECTS = $(addsuffix .o,$(addprefix $(PERTURB_DIR)/$(1)/,\
	$(PERTURB_PARTS) perturb inside world load rounds cell))

$(PERTURB_DIR)/cell-perturbed: $(call PERTURB_OBJECTS,perturbed)
$(PERTURB_DIR)/cell-plain: $(call PERTURB_OBJECTS,plain)
$(PERTURB_DIR)/cell-perturbed $(PERTURB_DIR)/cell-plain:
	$(call say,CC,$@)
	$(Q)$(CC) -pthread $^ $(call replaced,$(filter %/world.o,$^)) -o $@

$(PERTURB_DIR)/shadow/made: stress/harness/shadow.py \
		$(PERTURB_SRC)/base/atomic.h \
		$(PERTURB_SRC)/cpucache/percpu_x86_64.h
	@mkdir -p $(@D)
	$(Q)python3 $< --hook perturb --src $(PERTURB_SRC) --out $(@D)
	@touch $@

define PERTURB_RULES
$(PERTURB_DIR)/$(1)/%.o: $(PERTURB_SRC)/%.c $(3) $(BUILD)/flags | \
		$(BUILD)/headers
	$$(call say,CC,$$@)
	$$(Q)$$(PERTURB_LIBRARY) $$(FLAGS_$$*) $(2) $$(PERTURB_INCLUDES) \
		-c $$< -o $$@

$(PERTURB_DIR)/$(1)/%.o: $(PERTURB_SRC)/%.S
	$$(call say,AS,$$@)
	$$(Q)$$(PERTURB_LIBRARY) $$(PERTURB_INCLUDES) -c $$< -o $$@

$(PERTURB_DIR)/$(1)/inside.o: $(PERTURB_AT)/inside.c $(3) $(BUILD)/flags
	$$(call say,CC,$$@)
	$$(Q)$$(PERTURB_LIBRARY) $(2) $$(PERTURB_INCLUDES) -c $$< -o $$@

$(PERTURB_DIR)/$(1)/%.o: $(PERTURB_AT)/%.c $(3) $(BUILD)/flags
	$$(call say,CC,$$@)
	$$(Q)$$(PERTURB_LOAD) $(if $(2),-DPERTURB_SITES) $$(PERTURB_INCLUDES) \
		-c $$< -o $$@
endef
$(eval $(call PERTURB_RULES,perturbed,$$(PERTURB_SHADOW),\
	$(PERTURB_DIR)/shadow/made))
$(eval $(call PERTURB_RULES,plain,,))

-include $(wildcard $(PERTURB_DIR)/plain/*.d $(PERTURB_DIR)/plain/*/*.d \
	$(PERTURB_DIR)/perturbed/*.d $(PERTURB_DIR)/perturbed/*/*.d)

PERTURB_CELLS = $(PERTURB_DIR)/cell-perturbed $(PERTURB_DIR)/cell-plain
RUN_PERTURB = python3 $(PERTURB_AT)/perturb.py --build $(PERTURB_DIR) $(PERTURB)

.PHONY: perturb perturb-quick perturb-control perturb-cells soak
perturb: $(PERTURB_CELLS) ## perturbed loads, the whole matrix (50 minutes)
	$(RUN_PERTURB) full

perturb-quick: $(PERTURB_CELLS) ## some of the matrix (4 minutes)
	$(RUN_PERTURB) quick

soak: $(PERTURB_CELLS) ## plain and perturbed, for SOAK_SECONDS=600
	$(RUN_PERTURB) --seconds $(SOAK_SECONDS) soak

# The library broken on purpose: perturb-quick must find each of them.
perturb-control: $(PERTURB_CELLS) ## broken libraries, which must be found
	$(RUN_PERTURB) --make '$(MAKE)' control

perturb-cells: $(PERTURB_CELLS)
