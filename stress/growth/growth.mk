# What calls cost as CPUs and heaps grow: see stress/growth/growth.py.

PACKAGES_GROWTH = gcc python3 valgrind gnuplot-nox

$(BUILD)/growth: stress/growth/growth.c stress/figure.h \
		$(wildcard stress/harness/*.h) $(BUILD)/flags
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu11 -O2 -g $(WARNINGS) $(NO_BUILTINS) -Istress $< -o $@

.PHONY: growth growth-quick
growth: $(BUILD)/growth $(BUILD)/liblanemalloc.so ## instructions and cache lines as CPUs and heaps grow
	@tests/install-packages.sh $(PACKAGES_BUILD) $(PACKAGES_GROWTH)
	stress/growth/growth.py --build '$(BUILD)' --into docs/performance.md

growth-quick: $(BUILD)/growth $(BUILD)/liblanemalloc.so ## three small points of each
	@tests/install-packages.sh $(PACKAGES_BUILD) $(PACKAGES_GROWTH)
	stress/growth/growth.py --build '$(BUILD)' --quick
