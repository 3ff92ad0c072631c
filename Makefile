# lanemalloc. `make help` lists the targets.
#
#	CC=gcc|clang	the compiler
#	CFLAGS=...	replaces -O2 -g
#	DEBUG=1		builds into build/debug, with all internal checks
#	WERROR=1	warnings are errors
#	BUILD=dir	where everything goes
#	ONLY=pattern	(test targets) only the tests whose name matches
#	V=1		shows the commands
#
# The library is src/*/*.c, compiled once. By convention, not by lists:
#   *_x86_64.[cS], *_aarch64.[cS]   that architecture's file
#   src/entry/{wrappers,real,rights,signals,clone_real,mallctl,extension,
#   cxx_runtime}.c, syscall_*.S     in the shared library only
#   src/entry/static_names.c        and src/system/static_link.c: in the archive
#                                   only
#   src/entry/libc_names.c          and clone.c, and those two: with glibc only
#   src/entry/clone_real.c, src/cpucache/rseq_own.c
#                                   with another libc only
#   tests/fake_*.c                  replace functions of src/system in unit tests
# and for the tests see tests/run.sh.

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := g++
endif
ifeq ($(DEBUG),1)
BUILD ?= build/debug
CFLAGS ?= -O1 -g
DEBUG_FLAGS := -DLANE_DEBUG
else
BUILD ?= build
CFLAGS ?= -O2 -g
endif
# What the compiler compiles for: x86_64, aarch64.
ARCH := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
# Empty where the compiler's libc is another one (musl).
GLIBC := $(shell $(CC) $(CPPFLAGS) $(CFLAGS) -include features.h -E -dM \
	-x c /dev/null 2>/dev/null | awk '$$2 == "__GLIBC__" { print $$3 }')
OBJCOPY ?= objcopy
SHELL := /bin/bash
Q := $(if $(V),,@)
# Names what a rule makes, in whose folder it then may write.
say = @mkdir -p $(@D) && printf '  %-4s %s\n' $(1) $(2)
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

PACKAGES_BUILD = gcc make libck-dev liburcu-dev
PACKAGES_TEST = g++ libcmocka-dev python3 clang clang-format valgrind \
	shellcheck musl-tools qemu-user gcc-aarch64-linux-gnu \
	g++-aarch64-linux-gnu libc6-dev-arm64-cross spin patch gdb \
	$(PACKAGES_COMMAND)
PACKAGES_DEMO = redis-server redis-tools

WARNINGS = -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror)
INCLUDES = -Isrc -Iinclude $(CROSS_INCLUDES)
LANE_CFLAGS = -std=gnu11 $(INCLUDES) -fPIC -fvisibility=hidden \
	-fno-stack-protector -ftls-model=initial-exec -fno-builtin-malloc
COMPILE = $(CC) $(DEBUG_FLAGS) $(CPPFLAGS) $(CFLAGS) $(LANE_CFLAGS)

### The library

of_arch = $(filter-out $(foreach a,x86_64 aarch64,%_$(a).c %_$(a).S),$(1)) \
	$(filter %_$(ARCH).c %_$(ARCH).S,$(1))
objects = $(patsubst src/%,$(BUILD)/obj/%.o,$(basename $(1)))

FOREIGN := $(if $(GLIBC),src/cpucache/rseq_own.c src/entry/clone_real.c,\
	src/system/static_link.c \
	$(addprefix src/entry/,libc_names.c static_names.c clone.c))
SOURCES := $(filter-out $(FOREIGN) src/command/%,$(call of_arch,$(sort \
	$(wildcard src/*/*.c src/*/*.S))))
OBJECTS := $(call objects,$(SOURCES))
ONLY_SHARED := $(addprefix $(BUILD)/obj/entry/,wrappers.o real.o rights.o \
	signals.o clone_real.o mallctl.o extension.o cxx_runtime.o \
	syscall_$(ARCH).o)
ONLY_STATIC := $(addprefix $(BUILD)/obj/,entry/static_names.o \
	system/static_link.o)
VERSION_MAP := $(wildcard src/liblanemalloc.map)
VERSION := $(shell awk '/define LANEMALLOC_VERSION_/ \
	{ v = v s $$3; s = "." } END { print v }' include/lanemalloc.h)

LANE_LDFLAGS = -shared -Wl,-soname,liblanemalloc.so.1 -Wl,--hash-style=gnu \
	-Wl,-z,now,-z,relro,-z,nodelete,-z,noexecstack,-z,defs \
	-Wl,--as-needed $(VERSION_MAP:%=-Wl,--version-script=%)

.PHONY: all
all: $(BUILD)/liblanemalloc.so $(BUILD)/liblanemalloc.a ## the library

$(BUILD)/liblanemalloc.so: $(filter-out $(ONLY_STATIC),$(OBJECTS)) \
		$(VERSION_MAP)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(LANE_LDFLAGS) $(filter %.o,$^) -o $@
	$(Q)ln -sf liblanemalloc.so $@.1

# One object, so that a program gets all of the library or none of it, and
# with its internal names local, so that they are no names of the program's.
# Operators that a program defines itself go before these, as C++ has it.
$(BUILD)/liblanemalloc.a: $(filter-out $(ONLY_SHARED),$(OBJECTS))
	$(call say,AR,$@)
	$(Q)$(CC) -r -nostdlib $^ -o $(BUILD)/lanemalloc.o
	$(Q)$(OBJCOPY) --localize-hidden --wildcard --weaken-symbol='_Z[nd]*' \
		$(BUILD)/lanemalloc.o
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(BUILD)/lanemalloc.o

# C++ exceptions pass through operator new.
FLAGS_entry/cxx_names = -fexceptions -fasynchronous-unwind-tables
FLAGS_entry/cxx_program = $(FLAGS_entry/cxx_names)

$(BUILD)/obj/%.o: src/%.c $(BUILD)/flags | $(BUILD)/headers
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(COMPILE) $(WARNINGS) $(FLAGS_$*) -MMD -MP -c $< -o $@

$(BUILD)/obj/%.o: src/%.S $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,AS,$@)
	$(Q)$(COMPILE) -MMD -MP -c $< -o $@

# Changes when the compiler or its flags do; everything is built anew then.
.PHONY: FORCE
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(COMPILE) $(LDFLAGS) $(LANE_LDFLAGS)' | cmp -s - $@ || \
		echo '$(COMPILE) $(LDFLAGS) $(LANE_LDFLAGS)' >$@

$(BUILD)/headers:
	@mkdir -p $(@D)
	@command -v $(firstword $(CC)) >/dev/null || { echo 'lanemalloc:' \
		'no compiler $(CC); install gcc first (or: make deps)' >&2; \
		exit 1; }
	@printf '#include <ck_stack.h>\n#include <urcu/lfstack.h>\n' | \
		$(COMPILE) -E -x c - >/dev/null 2>&1 || { echo 'lanemalloc:' \
		'install libck-dev and liburcu-dev first (or: make deps)' >&2; \
		exit 1; }
	@touch $@

-include $(OBJECTS:.o=.d)

### Tests: one program per file, found by its name

# The compiler must not optimise a pair of malloc and free away.
NO_BUILTINS = $(addprefix -fno-builtin-,malloc calloc realloc free \
	aligned_alloc memalign posix_memalign strdup strndup)
TEST_CFLAGS = -O2 -g $(WARNINGS) $(NO_BUILTINS) -pthread -MMD -MP -MF $@.d
TEST_CC = $(CC) -std=gnu11 $(TEST_CFLAGS) $(DEBUG_FLAGS) $(INCLUDES) -Itests
TEST_CXX = $(CXX) -std=gnu++17 $(TEST_CFLAGS) -Iinclude $(CROSS_INCLUDES) \
	-Itests
CMOCKA = $(CROSS_LDFLAGS) -Wl,--as-needed -lcmocka
# The text behind `key:` in a comment at the head of the test $<.
head_comment = $$(sed -n '1,40s|^/\{0,1\} \{0,1\}\* $(1): *\(.*[^ */]\).*|\1|p' $<)

SO := $(abspath $(BUILD)/liblanemalloc.so)
T := $(BUILD)/tests
programs = $(patsubst tests/%,$(T)/%,$(basename \
	$(wildcard $(foreach kind,$(1),tests/$(kind)_*.c tests/$(kind)_*.cc))))
UNIT_TESTS := $(call programs,test)
PRELOAD_TESTS := $(call programs,api fault storm)
PLUGINS := $(addsuffix .so,$(call programs,plugin))
STATIC_TESTS := $(foreach form,static static-pie dynamic,\
	$(addsuffix .$(form),$(call programs,static)))
FAKES := $(patsubst tests/%.c,$(T)/%.o,$(wildcard tests/fake_*.c))
REAL_SYSTEM := $(addprefix $(BUILD)/obj/system/,linux.o cpus.o)
# What objects replace (stress/harness/replace.h), for the linker.
replaced = $$(nm $(1) | sed -n 's/.* T __wrap_/-Wl,--wrap=/p')

.PHONY: tests
tests: $(UNIT_TESTS) $(PRELOAD_TESTS) $(STATIC_TESTS) $(PLUGINS) \
		$(T)/tool_heap ## builds all tests

# An archive, so that a unit test that defines a module's functions itself
# gets its own instead.
$(T)/unit.a: $(filter-out $(BUILD)/obj/entry/% $(ONLY_STATIC) $(REAL_SYSTEM),\
		$(OBJECTS))
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(FAKES) $(UNIT_TESTS:=.o): $(T)/%.o: tests/%.c $(BUILD)/flags | \
		$(BUILD)/headers
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(TEST_CC) $$(echo $(call head_comment,build) | \
		sed 's/-l[^ ]*//g') -c $< -o $@

# Its source comes first, as its head is read.
$(UNIT_TESTS): $(T)/%: tests/%.c $(T)/%.o $(T)/unit.a $(FAKES) $(REAL_SYSTEM)
	$(call say,LD,$@)
	$(Q)fakes="$(FAKES) $(call replaced,$(FAKES))"; \
	[ "$(call head_comment,links)" != real-system ] || fakes=; \
	$(CC) -pthread $(T)/$*.o $$fakes $(REAL_SYSTEM) $(T)/unit.a $(CMOCKA) \
		$(call head_comment,build) -o $@

# Ordinary programs; they meet the library through LD_PRELOAD.
link_lanemalloc = $$([ "$(call head_comment,links)" != lanemalloc ] || \
	echo $(SO) -Wl,-rpath,$(dir $(SO)))

$(T)/%: tests/%.c $(BUILD)/flags | $(BUILD)/liblanemalloc.so
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(TEST_CC) $< $(link_lanemalloc) $(CMOCKA) \
		$(call head_comment,build) -o $@

$(T)/%: tests/%.cc $(BUILD)/flags | $(BUILD)/liblanemalloc.so
	@mkdir -p $(@D)
	$(call say,C++,$@)
	$(Q)$(TEST_CXX) $< $(link_lanemalloc) $(CMOCKA) \
		$(call head_comment,build) -o $@

$(T)/plugin_%.so: tests/plugin_%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(TEST_CC) -shared -fPIC $< $(call head_comment,build) -o $@

$(T)/plugin_%.so: tests/plugin_%.cc $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,C++,$@)
	$(Q)$(TEST_CXX) -shared -fPIC $< $(call head_comment,build) -o $@

# Three ways to link the archive.
define STATIC_RULES
$(T)/%.$(1): tests/%.c $(BUILD)/liblanemalloc.a
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$$(TEST_CC) $(2) $$< $(BUILD)/liblanemalloc.a \
		$$(call head_comment,build) -o $$@
$(T)/%.$(1): tests/%.cc $(BUILD)/liblanemalloc.a
	@mkdir -p $$(@D)
	$$(call say,C++,$$@)
	$$(Q)$$(TEST_CXX) $(2) $$< $(BUILD)/liblanemalloc.a \
		$$(call head_comment,build) -o $$@
endef
$(eval $(call STATIC_RULES,static,-static))
$(eval $(call STATIC_RULES,static-pie,-static-pie -fPIE))
$(eval $(call STATIC_RULES,dynamic,))

-include $(wildcard $(T)/*.d)

### Proofs and benchmarks: their targets stand beside what they run
-include $(wildcard stress/*/*.mk)

### The command that looks into processes
include src/command/command.mk

### Installing it: install, dist, and what packages are checked for
include packaging/packaging.mk

TEST_GROUPS := binary unit api fault storm static tool valgrind lint
RUN_TESTS = BUILD='$(BUILD)' MAKE='$(MAKE)' ONLY='$(ONLY)' tests/run.sh

.PHONY: check test test-programs test-aarch64 test-clang test-musl test-proof \
	test-lab $(TEST_GROUPS:%=test-%)
test: ## every check, installing first what they need
	@status=0; \
	tests/install-packages.sh $(PACKAGES_BUILD) $(PACKAGES_TEST) || \
		status=$$?; \
	MAY_SKIP=$$([ $$status -ne 3 ] || echo 1) $(RUN_TESTS) \
		build $(TEST_GROUPS) clang musl aarch64 proof lab quick

# What a group needs; of programs, with ONLY, those that it names. Where it
# names none by its first word it is a pattern or a way to serve: then all.
only = $(or $(strip $(foreach p,$(if $(ONLY),$(1)),$(if $(findstring \
	$(firstword $(ONLY)),$(notdir $(p))),$(p)))),$(1))
UNIT_NEEDS := $(call only,$(UNIT_TESTS))
API_NEEDS := $(call only,$(call programs,api)) $(PLUGINS)
test-unit: $(UNIT_NEEDS)
test-api test-valgrind: all $(API_NEEDS)
test-fault: all $(call only,$(call programs,fault))
test-storm: all $(call only,$(call programs,storm))
test-static: all $(call only,$(STATIC_TESTS))
test-tool: all $(COMMAND) $(T)/tool_heap
test-binary test-lint: all

$(TEST_GROUPS:%=test-%): test-%:
	@$(RUN_TESTS) $*

# With all CPUs, unless -j says how many.
.PHONY: check-needs
check-needs: all $(UNIT_NEEDS) $(API_NEEDS)
check: ## build, lint, unit and api: between two edits
	@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$$(nproc)) \
		check-needs
	@KNOWN=1 $(RUN_TESTS) lint unit api

test-programs: all ## real programs under the library, all of them (MODES: with options)
	@$(RUN_TESTS) programs

test-clang test-musl test-aarch64 test-proof test-lab: test-%:
	@$(RUN_TESTS) $*

### Other compilers and machines

.PHONY: clang musl aarch64 aarch64-tests
clang: ## the library by clang, into build/clang
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=clang WERROR=1 all

musl: | $(BUILD)/headers ## the library by musl-gcc, into build/musl, and storms on it
	+@tests/packages/musl.sh $(BUILD)/musl

# libck-dev and liburcu-dev hold the headers of every architecture; the one
# file that is made for the package's own is ck_md.h, which states x86's
# strong memory order. Ours states a weak one.
CROSS = aarch64-linux-gnu-
CROSS_BUILD = $(BUILD)/aarch64
CROSS_MAKE = $(MAKE) --no-print-directory BUILD=$(CROSS_BUILD) \
	CC=$(CROSS)gcc CXX=$(CROSS)g++ AR=$(CROSS)ar OBJCOPY=$(CROSS)objcopy \
	CROSS_INCLUDES=-I$(CROSS_BUILD)/include \
	CROSS_LDFLAGS='-L$(CROSS_LIB) -Wl,-rpath,$(abspath $(CROSS_LIB))'
CROSS_LIB = $(CROSS_BUILD)/sysroot/usr/lib/aarch64-linux-gnu

aarch64: $(CROSS_BUILD)/include/ck_md.h ## the library for aarch64
	+@$(CROSS_MAKE) WERROR=1 all

aarch64-tests: aarch64 $(CROSS_BUILD)/include/cmocka.h
	+@$(CROSS_MAKE) cross-tests

# The tests need a library besides, which its own architecture's package has.
$(CROSS_BUILD)/include/cmocka.h: $(CROSS_BUILD)/include/ck_md.h
	tests/foreign-packages.sh arm64 $(CROSS_BUILD)/sysroot \
		libcmocka-dev libcmocka0
	cp $(CROSS_BUILD)/sysroot/usr/include/cmocka.h $@

.PHONY: cross-tests
cross-tests: $(call programs,api) $(PLUGINS)

where_is = $$(echo '\#include <$(1)>' | $(CC) -E -x c - | \
	sed -n 's|^\# 1 "\(.*\)/$(1)".*|\1|p' | sed 1q)

$(CROSS_BUILD)/include/ck_md.h: | $(BUILD)/headers
	@mkdir -p $(@D)
	ck=$(call where_is,ck_md.h); urcu=$(call where_is,urcu/lfstack.h); \
	ln -sf "$$ck"/ck_*.h "$$ck"/gcc "$$urcu"/urcu "$$urcu"/urcu*.h $(@D); \
	rm -f $@; \
	sed -e 's/CK_MD_TSO/CK_MD_RMO/' -e '/CK_MD_VMA_BITS/d' \
		"$$ck"/ck_md.h >$@

### Everything else

.PHONY: lint format figures docs demo deps clean help
lint: ## the house rules, read from the sources
	@$(RUN_TESTS) lint

format: ## src and include as clang-format has them
	@clang-format -i $(wildcard src/*/*.[ch] include/*.h)

FIGURES = pair many_threads give_back metadata base_rss
figures: $(FIGURES:%=$(BUILD)/%) $(BUILD)/bench/measure all ## the programs behind README's figures
$(FIGURES:%=$(BUILD)/%): $(BUILD)/%: stress/%.c stress/figure.h \
		$(wildcard stress/harness/*.h) $(BUILD)/flags
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu11 -O2 -g $(WARNINGS) $(NO_BUILTINS) -pthread $< -o $@

docs: ## writes the generated pages of docs/
	@python3 docs/generate/generate.py
	@if [ -x $(COMMAND) ]; then $(COMMAND) --man >docs/man/lanemalloc.1; \
	else echo "docs/man/lanemalloc.1 is left as it is: make command first"; fi

demo: ## a server under load, with and without the library
	@tests/install-packages.sh $(PACKAGES_BUILD) $(PACKAGES_DEMO)
	@$(MAKE) --no-print-directory all
	@BUILD='$(BUILD)' LANEMALLOC_SO='$(SO)' stress/demo.sh

deps: ## installs what building and testing need (Debian)
	@tests/install-packages.sh $(PACKAGES_BUILD) $(PACKAGES_TEST)

clean: ## removes build/
	rm -rf build

help: ## this list
	@echo 'make [CC=clang] [DEBUG=1] [WERROR=1] [TARGET]'
	@awk -F ':.*## ' '/^[a-z][^=]*:.*## / { \
		printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo '  test-NAME       one group of tests, NAME one of:'
	@echo '                  $(TEST_GROUPS) clang musl aarch64 proof lab'
