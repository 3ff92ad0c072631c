# Fuzzing: byte strings as sequences of operations, against a reference. See
# docs/fuzzing.md.
#
#	FUZZ_SECONDS=N	for each target of `make fuzz`; 60
#	FUZZ=...	further options for libFuzzer
#	FUZZ_TARGETS=	some of heap, page_heap, config

FUZZ_DIR := $(BUILD)/fuzz
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= heap page_heap config
PACKAGES_FUZZ = gcc make libck-dev liburcu-dev clang libclang-rt-14-dev \
	llvm
FUZZ_CORPUS := stress/fuzz/corpus
FUZZ_CLANG ?= clang
FUZZ_LLVM_COV ?= llvm-cov
FUZZ_LLVM_PROFDATA ?= llvm-profdata

# The library, but for what replaces a process's malloc and its system layer.
FUZZ_SRC ?= src
FUZZ_LEFT_OUT = $(addprefix src/,system/linux.c system/threads.c \
	system/static_link.c $(addprefix entry/,cxx_names.c \
	cxx_program.c cxx_runtime.c wrappers.c real.c rights.c signals.c children.c start.c \
	static_names.c clone.c) $(wildcard src/*/*.S))
FUZZ_MODULES := $(patsubst src/%.c,%,$(filter-out $(FUZZ_LEFT_OUT) %.S,\
	$(SOURCES)))
FUZZ_SHARED := replay world threads interrupt blocks
FUZZ_FILES_heap := fuzz_heap heap_blocks heap_machine
FUZZ_FILES_page_heap := fuzz_page_heap
FUZZ_FILES_config := fuzz_config

# Names of libc's that the library's sources read, and ours for them.
FUZZ_RENAME = $(foreach n,__rseq_offset=fuzz_rseq_offset \
	__rseq_size=fuzz_rseq_size environ=fuzz_environ \
	getauxval=fuzz_getauxval,-D$(n))
FUZZ_CFLAGS = -std=gnu11 -g $(WARNINGS) -fno-stack-protector \
	-fno-builtin-malloc -DLANE_DEBUG -I$(FUZZ_DIR)/shadow \
	-Istress/fuzz/shadow -I$(FUZZ_SRC) \
	-Iinclude -I. $(CROSS_INCLUDES)
# Its variables in sections of their own, so that they can be set back; its
# malloc under another name.
FUZZ_OBJCOPY = $(OBJCOPY) --rename-section .data=lane_data \
	--rename-section .bss=lane_bss,alloc \
	--redefine-syms=stress/fuzz/names.txt

$(FUZZ_DIR)/shadow/made: stress/harness/shadow.py $(FUZZ_SRC)/base/atomic.h
	@mkdir -p $(@D)
	$(Q)python3 $< --hook fuzz --src $(FUZZ_SRC) --out $(@D)
	@touch $@

# $(1) variant, $(2) compiler, $(3) flags for what is looked at, $(4) to link,
# $(5) for our own files
define FUZZ_VARIANT
$(FUZZ_DIR)/$(1)/lib/%.o: $(FUZZ_SRC)/%.c stress/fuzz/fuzz.mk \
		$(FUZZ_DIR)/shadow/made $(BUILD)/flags | $(BUILD)/headers
	$$(call say,CC,$$@)
	$$(Q)$(2) $$(FUZZ_CFLAGS) $$(FUZZ_RENAME) $(3) -MMD -MP -c $$< -o $$@
	$$(Q)$$(FUZZ_OBJCOPY) $$@

$(FUZZ_DIR)/$(1)/%.o: stress/fuzz/%.c stress/fuzz/fuzz.mk \
		$(FUZZ_DIR)/shadow/made $(BUILD)/flags | $(BUILD)/headers
	$$(call say,CC,$$@)
	$$(Q)$(2) $$(FUZZ_CFLAGS) -fno-builtin $$(if $$(filter \
		$$(FUZZ_SHARED),$$*),-O2,$(3)) $(5) -MMD -MP -c $$< -o $$@

$(addprefix $(FUZZ_DIR)/$(1)/fuzz_,heap page_heap config): \
		$(FUZZ_DIR)/$(1)/fuzz_%: $$(FUZZ_SHARED:%=$(FUZZ_DIR)/$(1)/%.o) \
		$$(FUZZ_MODULES:%=$(FUZZ_DIR)/$(1)/lib/%.o)
	$$(call say,LD,$$@)
	$$(Q)$(2) $(3) $$(filter %.o,$$^) $(4) -o $$@

$(foreach t,heap page_heap config,
$(FUZZ_DIR)/$(1)/fuzz_$(t): $$(FUZZ_FILES_$(t):%=$(FUZZ_DIR)/$(1)/%.o))

-include $$(wildcard $(FUZZ_DIR)/$(1)/*.d $(FUZZ_DIR)/$(1)/lib/*/*.d)
endef

# Not: addresses from base 0 and from link fields at offset 0, which are sums
# that C does not know.
FUZZ_CHECKS = -fsanitize=undefined -fno-sanitize-recover=undefined \
	-fno-sanitize=pointer-overflow,null
$(eval $(call FUZZ_VARIANT,replay,$$(CC),-O2,,))
$(eval $(call FUZZ_VARIANT,libfuzzer,$$(FUZZ_CLANG),-O1 \
	-fsanitize=fuzzer-no-link $$(FUZZ_CHECKS),-fsanitize=fuzzer,\
	-DFUZZ_LIBFUZZER))
$(eval $(call FUZZ_VARIANT,coverage,$$(FUZZ_CLANG),-O1 \
	-fprofile-instr-generate -fcoverage-mapping,,))

fuzz_programs = $(FUZZ_TARGETS:%=$(FUZZ_DIR)/$(1)/fuzz_%)
# libFuzzer wants a file for each input.
unpack_corpus = rm -rf $(FUZZ_DIR)/corpus/$(1) && python3 \
	stress/fuzz/corpus.py unpack $(FUZZ_CORPUS)/$(1).txt \
	$(FUZZ_DIR)/corpus/$(1)
# What the fuzzer finds stays in $(FUZZ_DIR)/found; faults beside it.
run_fuzzer = mkdir -p $(FUZZ_DIR)/found/$(1) && $(call unpack_corpus,$(1)) && \
	$(FUZZ_DIR)/libfuzzer/fuzz_$(1) -max_total_time=$(FUZZ_SECONDS) \
	-max_len=400 -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 \
	-verbosity=1 -artifact_prefix=$(FUZZ_DIR)/fault_$(1)_ $(FUZZ) \
	$(FUZZ_DIR)/found/$(1) $(FUZZ_DIR)/corpus/$(1) \
	>$(FUZZ_DIR)/$(1).log 2>&1 \
	|| { tail -n 40 $(FUZZ_DIR)/$(1).log; exit 1; }; \
	echo "fuzz_$(1):"; grep -E 'DONE|^stat::' $(FUZZ_DIR)/$(1).log

.PHONY: fuzz fuzz-quick fuzz-control fuzz-coverage fuzz-minimise
.PHONY: fuzz-build-libfuzzer fuzz-build-replay fuzz-build-coverage
fuzz-build-libfuzzer fuzz-build-replay fuzz-build-coverage: fuzz-build-%:
	@$(MAKE) --no-print-directory $(call fuzz_programs,$*)

fuzz: ## random operations against a reference, FUZZ_SECONDS each
	@tests/install-packages.sh $(PACKAGES_FUZZ)
	@$(MAKE) --no-print-directory fuzz-build-libfuzzer
	@$(foreach t,$(FUZZ_TARGETS),{ $(call run_fuzzer,$(t)); } &&) :

fuzz-quick: $(call fuzz_programs,replay) ## the fuzzer's corpus once more
	@$(foreach t,$(FUZZ_TARGETS),printf 'fuzz_%s: ' $(t) && \
		$(FUZZ_DIR)/replay/fuzz_$(t) $(FUZZ_CORPUS)/$(t).txt &&) :

fuzz-coverage: ## which lines of the library the corpus reaches
	@tests/install-packages.sh $(PACKAGES_FUZZ)
	@$(MAKE) --no-print-directory fuzz-build-coverage
	@$(foreach t,$(FUZZ_TARGETS),LLVM_PROFILE_FILE=$(FUZZ_DIR)/$(t).profraw \
		$(FUZZ_DIR)/coverage/fuzz_$(t) $(FUZZ_CORPUS)/$(t).txt >/dev/null &&) :
	@$(FUZZ_LLVM_PROFDATA) merge -o $(FUZZ_DIR)/all.profdata \
		$(FUZZ_TARGETS:%=$(FUZZ_DIR)/%.profraw)
	@$(FUZZ_LLVM_COV) report $(subst $(subst ,, ), -object ,$(strip \
		$(call fuzz_programs,coverage))) \
		-instr-profile=$(FUZZ_DIR)/all.profdata \
		$(wildcard $(FUZZ_SRC)/*/*.[ch]) | tee $(FUZZ_DIR)/coverage.txt

fuzz-control: ## faults put into copies of the library, which must be found
	@tests/install-packages.sh $(PACKAGES_FUZZ)
	@BUILD='$(BUILD)' MAKE='$(MAKE)' stress/fuzz/control.sh

# The corpus anew: the fewest inputs that reach what all that were found do.
fuzz-minimise: fuzz-build-libfuzzer ## found inputs into the corpus
	@$(foreach t,$(FUZZ_TARGETS),rm -rf $(FUZZ_DIR)/new && \
		mkdir -p $(FUZZ_DIR)/new $(FUZZ_DIR)/found/$(t) && \
		$(call unpack_corpus,$(t)) && \
		$(FUZZ_DIR)/libfuzzer/fuzz_$(t) -merge=1 -use_counters=0 \
		-max_len=400 $(FUZZ_DIR)/new $(FUZZ_DIR)/found/$(t) \
		$(FUZZ_DIR)/corpus/$(t) >$(FUZZ_DIR)/merge.log 2>&1 && \
		python3 stress/fuzz/corpus.py pack $(FUZZ_DIR)/new \
		$(FUZZ_CORPUS)/$(t).txt &&) :
	@wc -lc $(FUZZ_CORPUS)/*
