# Misuse: what each allocator makes of it. See docs/hardening.md.

MISUSE_DIR := $(BUILD)/misuse

$(MISUSE_DIR)/%: stress/misuse/%.c $(BUILD)/flags
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu11 -O1 -g $(WARNINGS) -fno-builtin -pthread $< \
		-Wl,--no-as-needed -lstdc++ -o $@

.PHONY: misuse
misuse: $(MISUSE_DIR)/misuse $(BUILD)/pair $(BUILD)/liblanemalloc.so ## which kinds of misuse are named, and at what cost
	@BUILD=$(BUILD) stress/misuse/misuse.py kinds --into docs/hardening.md

.PHONY: misuse-bugs
misuse-bugs: $(MISUSE_DIR)/bugs $(BUILD)/liblanemalloc.so ## bugs of real programs: who finds them, how soon
	@BUILD=$(BUILD) stress/misuse/misuse.py bugs --into docs/hardening.md

# The same loads with the compiler's AddressSanitizer, where it has one.
MISUSE_ASAN := $(MISUSE_DIR)/load.asan $(MISUSE_DIR)/pair.asan
ASAN_CC = $(CC) -std=gnu11 -O2 -g -fno-builtin -fsanitize=address -pthread
$(MISUSE_DIR)/load.asan: $(wildcard stress/bench/*.c stress/bench/*.h \
	stress/bench/loads/*.c)
	$(call say,CC,$@)
	$(Q)$(ASAN_CC) -Istress/bench $(filter %.c,$^) -Wl,--as-needed \
		-lurcu-cds -lurcu-memb -lurcu-common -lm -o $@

$(MISUSE_DIR)/pair.asan: stress/pair.c stress/figure.h
	$(call say,CC,$@)
	$(Q)$(ASAN_CC) $< -o $@

.PHONY: misuse-cost misuse-asan
misuse-asan:
	@$(MAKE) --no-print-directory $(MISUSE_ASAN) || \
		echo "misuse-cost: $(CC) builds nothing with AddressSanitizer"

misuse-cost: misuse-asan $(BUILD)/bench/load $(BUILD)/bench/measure $(BUILD)/pair $(BUILD)/liblanemalloc.so ## what each way to find misuse costs, in time and memory
	@BUILD=$(BUILD) stress/misuse/misuse.py cost --into docs/hardening.md \
		$(LOADS)
