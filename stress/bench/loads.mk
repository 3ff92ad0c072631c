# The load programs: $(BUILD)/bench/load, of stress/bench/ and its loads/.

BENCH_DIR := $(BUILD)/bench
BENCH_CC = $(CC) -std=gnu11 -O2 -g $(WARNINGS) $(NO_BUILTINS) -pthread \
	-Istress/bench -MMD -MP
BENCH_OBJECTS := $(patsubst stress/bench/%.c,$(BENCH_DIR)/obj/%.o,\
	$(sort $(wildcard stress/bench/*.c stress/bench/loads/*.c)))

$(BENCH_DIR)/load: $(BENCH_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(CC) -O2 -g -pthread $^ -Wl,--as-needed -lurcu-cds -lurcu-memb \
		-lurcu-common -lm -o $@

$(BENCH_DIR)/obj/%.o: stress/bench/%.c $(BUILD)/flags
	$(call say,CC,$@)
	$(Q)$(BENCH_CC) -c $< -o $@

-include $(BENCH_OBJECTS:.o=.d)

.PHONY: load
load: $(BENCH_DIR)/load ## the load programs of the benchmark

# Mallocs that err: with --verify each load must notice; and one that is slow.
$(BENCH_DIR)/%.so: stress/bench/control/%.c $(BUILD)/flags
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu11 -O2 -g $(WARNINGS) -fno-builtin -fPIC -shared \
		-fvisibility=hidden $< -o $@

.PHONY: load-control
load-control: $(BENCH_DIR)/load $(BENCH_DIR)/broken.so $(BENCH_DIR)/slow.so ## do they notice a malloc that errs?
	@stress/bench/control/run.sh $(BENCH_DIR)/load $(BENCH_DIR)/broken.so
	@stress/bench/control/worst.sh $(BENCH_DIR)/load $(BENCH_DIR)/slow.so
