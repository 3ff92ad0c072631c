# The command `lanemalloc`: a program of its own, which links nothing of the
# library but the two modules that read an option's value. It needs argp, which glibc has itself and musl as a library of its own
# (in COMMAND_LIBS then), ncursesw for `top` and libmicrohttpd for `serve`, whose
# packages on Debian these are; the library needs none of them.
PACKAGES_COMMAND = libncurses-dev libmicrohttpd-dev

COMMAND := $(BUILD)/lanemalloc
COMMAND_SOURCES := $(wildcard src/command/*.c)
COMMAND_OBJECTS := $(patsubst src/%.c,$(BUILD)/%.o,$(COMMAND_SOURCES)) \
	$(addprefix $(BUILD)/command/system/,option.o report.o)
COMMAND_CFLAGS = -std=gnu11 -D_GNU_SOURCE -Isrc -Iinclude $(CPPFLAGS) -O2 -g \
	-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE \
	$(WARNINGS)
COMMAND_LIBS = -lncursesw -ltinfo -lmicrohttpd -lm

.PHONY: command docs-inspect
command: $(COMMAND) ## the command `lanemalloc`, into build/

$(COMMAND): $(COMMAND_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -pie -Wl,-z,relro,-z,now $(COMMAND_OBJECTS) $(COMMAND_LIBS) -o $@

$(BUILD)/command/headers:
	@mkdir -p $(@D)
	@printf '#include <curses.h>\n#include <microhttpd.h>\n' | \
		$(CC) $(COMMAND_CFLAGS) -E -x c - >/dev/null 2>&1 || { \
		echo 'lanemalloc: the command needs $(PACKAGES_COMMAND):' \
		'install them first (or: make deps)' >&2; exit 1; }
	@touch $@

$(BUILD)/command/system/%.o: src/system/%.c | $(BUILD)/command/headers
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(COMMAND_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/command/%.o: src/command/%.c | $(BUILD)/command/headers
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(COMMAND_CFLAGS) -MMD -MP -c $< -o $@

docs-inspect: command ## docs/inspect.md anew: the command on a redis-server
	@tests/install-packages.sh $(PACKAGES_DEMO)
	@python3 docs/generate/inspect.py $(BUILD)

-include $(COMMAND_OBJECTS:.o=.d)
