/* layer 1.5: colours: whether blocks have colours; contract in colours.h */
#include "system/colours.h"

#include <elf.h>
#include <sys/mman.h>

#include "system/config.h"
#include "system/sandbox.h"
#include "system/syscall.h"
#include "system/system.h"

#define MODE_SET 55		       /* PR_SET_TAGGED_ADDR_CTRL */
#define MODE_ADDRESSES 1ul	       /* PR_TAGGED_ADDR_ENABLE */
#define MODE_SYNC 2ul		       /* PR_MTE_TCF_SYNC */
#define MODE_ASYNC 4ul		       /* PR_MTE_TCF_ASYNC */
#define MODE_ALL_BUT_0 (0xfffeul << 3) /* colours that may be drawn */
#define HWCAP2 26		       /* AT_HWCAP2 */
#define HWCAP2_TAGS (1ul << 18)	       /* HWCAP2_MTE */
#define AUX_MOST 64		       /* entries, more than kernels have */
#define STAT_SIZE 1024
#define STAT_THREADS 17 /* spaces between a process's name and their number */

_Atomic(uint32_t) colours_mode;

/* Not by getauxval(), which may write errno. */
static bool processor_tags(void)
{
	Elf64_auxv_t vector[AUX_MOST];
	long size = system_read_file("/proc/self/auxv", (char *)vector,
				     sizeof(vector));
	long i;

	for (i = 0; i < size / (long)sizeof(vector[0]); i++)
		if (vector[i].a_type == HWCAP2)
			return vector[i].a_un.a_val & HWCAP2_TAGS;
	return false;
}

/* The name is whatever the program likes, in brackets. An emulator that does
 * not count threads says 0. */
static bool is_alone(void)
{
	char text[STAT_SIZE + 1];
	long size = system_read_file("/proc/self/stat", text, STAT_SIZE);
	const char *at = text;
	unsigned i;

	if (size <= 0)
		return false;
	text[size] = 0;
	for (at += size; at > text && *at != ')'; at--)
		;
	for (i = 0; *at && i <= STAT_THREADS; at++)
		i += *at == ' ';
	return (at[0] == '0' || at[0] == '1') && at[1] == ' ';
}

static enum colours_mode mode_wanted(void)
{
	if (!MTE_IS_POSSIBLE || !config.hardened || config_checks_full() ||
	    config.mte == MTE_OFF || sandbox_known())
		return COLOURS_OFF;
	return config.mte == MTE_ASYNC ? COLOURS_ASYNC : COLOURS_SYNC;
}

/* The kernel refuses where the machine's owner forbids tagged addresses. */
static enum colours_mode mode_try(enum colours_mode mode)
{
	unsigned long how = mode == COLOURS_ASYNC ? MODE_ASYNC : MODE_SYNC;

	if (mode == COLOURS_OFF || !processor_tags() || !is_alone())
		return COLOURS_OFF;
	how |= MODE_ADDRESSES | MODE_ALL_BUT_0;
	if (call_5(SYS_prctl, MODE_SET, how, 0, 0, 0))
		return COLOURS_OFF;
	return mode;
}

bool colours_start(void)
{
	uint32_t none = COLOURS_UNKNOWN, mode;

	if (likely(load_relaxed(&colours_mode))) // own: set once
		return false;
	mode = mode_try(mode_wanted());
	// own: both found the same
	return cas_relaxed(&colours_mode, &none, mode) && mode != COLOURS_OFF;
}

void colours_cover(void *addr, size_t size)
{
	if (colours_are_on() && !sandbox_strict())
		call_3(SYS_mprotect, addr, size,
		       PROT_READ | PROT_WRITE | MTE_MAP);
}
