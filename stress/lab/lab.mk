# The lab: Debian's kernels on emulated machines, with the library and its
# tests inside. See stress/lab/README.md.
#
#	CELLS=...	names or patterns of cells.txt; all of them unless said

LAB_AT := stress/lab
LAB_PROGRAMS := $(patsubst $(LAB_AT)/%.c,$(BUILD)/lab/programs/%,\
	$(wildcard $(LAB_AT)/lab_*.c))
PACKAGES_LAB = qemu-system-x86 qemu-system-arm gcc-aarch64-linux-gnu \
	libc6-dev-arm64-cross

$(LAB_PROGRAMS): $(BUILD)/lab/programs/%: $(LAB_AT)/%.c $(BUILD)/flags
	$(call say,CC,$@)
	$(Q)$(TEST_CC) $< -o $@

-include $(wildcard $(BUILD)/lab/programs/*.d)

# What a machine of either processor runs; C++ is this machine's own.
.PHONY: lab lab-quick lab-build lab-cross
lab-build: aarch64-tests
	@$(MAKE) --no-print-directory all tests $(LAB_PROGRAMS)
	+@$(CROSS_MAKE) lab-cross

lab-cross: $(LAB_PROGRAMS) $(PLUGINS) $(patsubst tests/%.c,$(T)/%,\
	$(wildcard $(foreach kind,test api fault storm,tests/$(kind)_*.c)))

RUN_LAB = python3 $(LAB_AT)/lab.py --build '$(BUILD)'

# Where qemu may not be installed, its absence is said and nothing runs.
lab_with_tools = +@tests/install-packages.sh $(PACKAGES_LAB) || \
	{ status=$$?; [ $$status -eq 3 ] || exit $$status; \
	echo 'lab: skipped'; exit 0; }; \
	$(MAKE) --no-print-directory lab-build && \
	python3 $(LAB_AT)/selftest.py && $(RUN_LAB) $(1)

lab: ## the tests on Debian's kernels, emulated; CELLS= some of them
	$(call lab_with_tools,$(CELLS))

lab-quick: ## two such machines, a part of the tests
	$(call lab_with_tools,--within 200 'quick-*')
