### Our unwinder against others': see stress/unwind/compare.c

UNWIND_OBJECTS = $(addprefix $(BUILD)/obj/,sample/unwind.o sample/cfi.o \
	sample/fde.o sample/expression.o sample/lasting.o sample/memory.o \
	sample/rules.o system/peek.o \
	system/linux.o system/threads.o system/sealed.o system/sandbox.o \
	base/bytes.o)

$(BUILD)/unwind-compare.so: stress/unwind/compare.c $(UNWIND_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(CC) -std=gnu11 -O2 -g $(WARNINGS) $(INCLUDES) -fPIC -shared \
		-Wl,-z,defs $^ -lunwind -o $@

.PHONY: unwind-compare
unwind-compare: $(BUILD)/unwind-compare.so ## stacks of real programs, ours and others'
	@BUILD='$(BUILD)' stress/unwind/compare.sh
