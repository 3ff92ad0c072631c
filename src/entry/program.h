/* layer 6.1: program: names of ours that the program defines itself
 *
 * A program may define some of the names of this library: malloc and free, or
 * operator new and delete. The loader then gives its definitions to all
 * libraries, and ours keep what it left out. C++ says how the two go together
 * (its own definitions of the rest do the same):
 *
 *	sized, nothrow delete	call the program's plain one
 *	delete[]		calls the program's delete
 *	delete			calls the program's free
 *	nothrow new		calls the program's throwing one
 *
 * For a delete or free_sized that is so for foreign blocks alone: one of ours
 * comes back to this heap, whoever frees it. Our plain free(), which runs
 * although the program has one, was called by the program's own (RTLD_NEXT),
 * so it never calls that one: no call goes in circles. realloc() and
 * malloc_usable_size() have plain forms alone.
 *
 * What the program defines is not looked up: the loader binds the references
 * of program.c and cxx_program.c as it binds those of every library, in the
 * table that becomes read-only before the first constructor runs; so those
 * files define none of the names. A name is ours if it has the address of our
 * own hidden alias. An executable that is not position-independent may stand
 * in for an address of ours by a jump of its own; then it is taken for the
 * program's, and the call arrives here after all, at a plain form. Before the
 * loader has filled the table (IFUNC resolvers) all names are ours. In a static
 * link the linker does the same with the operators, which are weak there.
 *
 * So program.c needs the names of c_names.c, which needs program_free(), and
 * cxx_program.c those of cxx_names.c: a circle on paper, which is the purpose.
 * What is asked for is the program's, if it has it.
 *
 * No state: nothing is held or stranded here. What the program's functions do
 * in a signal handler, or at a fork, is the program's own.
 */
#ifndef LANE_PROGRAM_H
#define LANE_PROGRAM_H

#include "base/compiler.h"

/* The names, and hidden aliases of this library's own definitions. */
#define PROGRAM_NAMES(X)                                             \
	X(free, void, (void *block))                                 \
	X(_Znwm, void *, (size_t size))                              \
	X(_Znam, void *, (size_t size))                              \
	X(_ZnwmSt11align_val_t, void *, (size_t size, size_t align)) \
	X(_ZnamSt11align_val_t, void *, (size_t size, size_t align)) \
	X(_ZdlPv, void, (void *block))                               \
	X(_ZdaPv, void, (void *block))                               \
	X(_ZdlPvSt11align_val_t, void, (void *block, size_t align))  \
	X(_ZdaPvSt11align_val_t, void, (void *block, size_t align))

#define PROGRAM_DECLARE(name, result, arguments) \
	extern result name arguments;            \
	extern internal result lane_##name arguments;
PROGRAM_NAMES(PROGRAM_DECLARE)
#undef PROGRAM_DECLARE

/* Beside the definition of a name, with what else is said of it. */
#define PROGRAM_ALIAS(name, ...)                            \
	extern __typeof__(name) lane_##name __attribute__(( \
		alias(#name), visibility("hidden"), ##__VA_ARGS__));

/* The compiler knows the one definition that it sees, the loader all; NULL:
 * the loader was not here yet, and what runs is a resolver. */
static force_inline bool program_differs(const void *used, const void *own)
{
	__asm__("" : "+r"(used));
	return unlikely(used != own) && used;
}

#define program_defines(name) \
	program_differs((const void *)(name), (const void *)lane_##name)

/* Hands a foreign block to the program's free. True: it is another malloc's and
 * the program took it. */
bool program_free(void *block);

/* Hand it to the program's delete; the enum says where to begin to look. True:
 * as of program_free(). */
enum program_first { FIRST_FREE, FIRST_DELETE, FIRST_DELETE_ARRAY };
bool program_delete(void *block, enum program_first first);
bool program_delete_aligned(void *block, size_t align,
			    enum program_first first);

/* Call operator new and new[], whosever they are. */
void *program_new_w(size_t size, size_t align);
void *program_new_a(size_t size, size_t align);
void *program_new_aligned_w(size_t size, size_t align);
void *program_new_aligned_a(size_t size, size_t align);

#endif
