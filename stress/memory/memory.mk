# Memory over live bytes: lanemalloc and its peers. See docs/memory.md.
#
#	MEMORY=...	further options, see stress/memory/memory.py --help

MEMORY_DIR := $(BUILD)/memory
MEMORY_CC = $(CC) -std=gnu11 -O2 -g $(WARNINGS) $(NO_BUILTINS) -pthread \
	-Iinclude -Istress/bench -Istress/memory -Istress/trace -MMD -MP
MEMORY_COMMON := $(patsubst stress/%.c,$(MEMORY_DIR)/obj/%.o,\
	stress/bench/load.c stress/memory/board.c stress/memory/resident.c)
MEMORY_OBJECTS := $(MEMORY_COMMON) $(patsubst stress/%.c,$(MEMORY_DIR)/obj/%.o,\
	stress/bench/main.c stress/memory/profile.c stress/memory/fleet.c \
	$(sort $(wildcard stress/memory/loads/*.c)))
MEMORY_PROGRAMS := $(MEMORY_DIR)/load $(MEMORY_DIR)/watch $(MEMORY_DIR)/replay
TRACE_PROGRAMS := $(MEMORY_DIR)/recorder.so $(MEMORY_DIR)/known
RUN_MEMORY = stress/memory/memory.py --build '$(BUILD)' $(MEMORY)

$(MEMORY_DIR)/obj/%.o: stress/%.c $(BUILD)/flags
	$(call say,CC,$@)
	$(Q)$(MEMORY_CC) -c $< -o $@

$(MEMORY_DIR)/obj/memory/profile.o: $(wildcard stress/memory/profiles/*.txt)

$(MEMORY_DIR)/load: $(MEMORY_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(CC) -O2 -g -pthread $^ -lm -o $@

$(MEMORY_DIR)/watch: $(MEMORY_DIR)/obj/memory/watch.o \
		$(MEMORY_DIR)/obj/memory/resident.o
	$(call say,LD,$@)
	$(Q)$(CC) -O2 -g $^ -o $@

$(MEMORY_DIR)/replay: $(MEMORY_DIR)/obj/trace/replay.o $(MEMORY_COMMON)
	$(call say,LD,$@)
	$(Q)$(CC) -O2 -g -pthread $^ -lm -o $@

$(MEMORY_DIR)/known: $(MEMORY_DIR)/obj/trace/known.o
	$(call say,LD,$@)
	$(Q)$(CC) -O2 -g -pthread $^ -o $@

# Beneath it is glibc's malloc.
$(MEMORY_DIR)/recorder.so: stress/trace/recorder.c stress/trace/raw.h \
		stress/harness/clock.h $(BUILD)/flags
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu11 -O2 -g $(WARNINGS) -fno-builtin -fPIC -shared \
		-fvisibility=hidden -ftls-model=initial-exec $< -o $@

-include $(MEMORY_OBJECTS:.o=.d) $(MEMORY_DIR)/obj/memory/watch.d \
	$(MEMORY_DIR)/obj/trace/replay.d $(MEMORY_DIR)/obj/trace/known.d

.PHONY: memory recorder memory-programs memory-report memory-selftest
memory-programs: bench-packages
	@$(MAKE) --no-print-directory $(BUILD)/liblanemalloc.so \
		$(MEMORY_PROGRAMS)

memory: memory-programs ## memory over live bytes, against every other malloc
	$(RUN_MEMORY)

# Of the runs that there are; the summary goes into docs/memory.md.
memory-report: ## the last memory run's figures into docs/memory.md
	$(RUN_MEMORY) --report --into docs/memory.md

memory-selftest: memory-programs $(TRACE_PROGRAMS) ## figures, driver, recorder and replayer: are they right?
	@python3 -B -m unittest discover -s stress/memory -p 'test_*.py'
	@BUILD='$(BUILD)' python3 -B -m unittest discover -s stress/trace \
		-p 'test_*.py'

recorder: $(MEMORY_DIR)/recorder.so ## writes down what a program allocates
