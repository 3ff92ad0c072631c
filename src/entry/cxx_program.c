/* layer 6.1: C++ program: operators that the program defines itself
 *
 * Exceptions fly through these frames, as through those of cxx_names.c.
 */
#include "entry/program.h"
#include "front/foreign.h"

void *program_new_w(size_t size, size_t align)
{
	(void)align;
	return _Znwm(size);
}

void *program_new_a(size_t size, size_t align)
{
	(void)align;
	return _Znam(size);
}

void *program_new_aligned_w(size_t size, size_t align)
{
	return _ZnwmSt11align_val_t(size, align);
}

void *program_new_aligned_a(size_t size, size_t align)
{
	return _ZnamSt11align_val_t(size, align);
}

static bool taken_by(void (*theirs)(void *), void *block)
{
	foreign_count();
	theirs(block);
	return true;
}

bool program_delete(void *block, enum program_first first)
{
	if (!foreign_is(block))
		return false;
	if (first >= FIRST_DELETE_ARRAY && program_defines(_ZdaPv))
		return taken_by(_ZdaPv, block);
	if (first >= FIRST_DELETE && program_defines(_ZdlPv))
		return taken_by(_ZdlPv, block);
	return program_free(block);
}

static bool taken_by_aligned(void (*theirs)(void *, size_t), void *block,
			     size_t align)
{
	foreign_count();
	theirs(block, align);
	return true;
}

bool program_delete_aligned(void *block, size_t align, enum program_first first)
{
	if (!foreign_is(block))
		return false;
	if (first >= FIRST_DELETE_ARRAY &&
	    program_defines(_ZdaPvSt11align_val_t))
		return taken_by_aligned(_ZdaPvSt11align_val_t, block, align);
	if (first >= FIRST_DELETE && program_defines(_ZdlPvSt11align_val_t))
		return taken_by_aligned(_ZdlPvSt11align_val_t, block, align);
	return program_free(block);
}
