/* layer 6.2: C++ names: operator new and operator delete, in plain C
 *
 * The mangled names, m being size_t:
 *
 *	_Znwm, _Znam			new, new[]
 *	_ZdlPv, _ZdaPv			delete, delete[]
 *	...m				sized
 *	...St11align_val_t		aligned
 *	...RKSt9nothrow_t		nothrow
 *
 * A request that fails calls the program's new-handler until it succeeds or
 * no handler is left, and then throws std::bad_alloc. Handler and throw come
 * from the C++ runtime, and C programs shall not need one, so the references
 * are weak. Two cases lie beyond a weak reference:
 *
 *	plugins		a C program opens a C++ library with RTLD_LOCAL; its
 *			runtime is then looked for by name
 *	static links	a weak reference brings nothing in: the function that
 *			throws may be missing, though a program that names
 *			bad_alloc in a catch has the parts it is made of
 *
 * A program that still has neither gets a message and abort. Exceptions fly
 * through these frames: the file is compiled with -fexceptions
 * -fasynchronous-unwind-tables.
 *
 * The nothrow forms return NULL where the others throw, also where the handler
 * throws by itself: they ask it behind a frame that stops exceptions
 * (cxx_catch.h). Where the program has a throwing form of its own (program.h)
 * they call that one, in the same frame.
 *
 * errno has no meaning to these callers and is not set.
 */
#include "entry/cxx_catch.h"
#include "entry/cxx_runtime.h"
#include "entry/program.h"
#include "front/heap.h"
#include "front/marked.h"
#include "system/config.h"
#include "system/fault.h"

#define ALIGN_LEAST 16

struct nothrow; /* std::nothrow_t: a tag, never looked at */

typedef void new_handler(void);
typedef int personality(int version, int actions, uint64_t exception_class,
			void *exception, void *context);

/* Of the unwinder's interface (Itanium C++ ABI, Exception Handling, 1). */
#define UA_FORCE_UNWIND 8
#define URC_CONTINUE_UNWIND 8

extern new_handler *_ZSt15get_new_handlerv(void) weak_import;
extern void _ZSt17__throw_bad_allocv(void) weak_import;
extern int __gxx_personality_v0(int version, int actions,
				uint64_t exception_class, void *exception,
				void *context) weak_import;
extern void *__cxa_begin_catch(void *exception) weak_import;
extern void __cxa_end_catch(void) weak_import;
extern void *__cxa_allocate_exception(size_t size) weak_import;
extern _Noreturn void __cxa_throw(void *exception, const void *type,
				  void (*destroy)(void *)) weak_import;
extern const void *const _ZTVSt9bad_alloc[] weak_import; /* its vtable */
extern const void *const _ZTISt9bad_alloc[] weak_import; /* its type_info */
extern void _ZNSt9bad_allocD1Ev(void *exception) weak_import;

/* What a weak reference found, or else a look-up by name. */
#define RUNTIME_FIND(function) \
	((function) ? (function) : (__typeof__(&(function)))find(#function))

static void *find(const char *name)
{
	return cxx_runtime_find ? cxx_runtime_find(name) : NULL;
}

/* Runs the program's handler, which may make room, throw or exit; false
 * where there is none. */
static bool new_handler_run(void)
{
	new_handler *(*get)(void) = RUNTIME_FIND(_ZSt15get_new_handlerv);
	new_handler *handler = get ? get() : NULL;

	if (!handler)
		return false;
	handler();
	return true;
}

/* `throw std::bad_alloc()` in the words of the C++ ABI: an object that is one
 * pointer to its table, whose functions begin two words in. */
static void throw_by_parts(void)
{
	const void **exception;

	if (!__cxa_allocate_exception || !__cxa_throw || !_ZTVSt9bad_alloc ||
	    !_ZTISt9bad_alloc || !_ZNSt9bad_allocD1Ev)
		return;
	exception = __cxa_allocate_exception(sizeof(*exception));
	*exception = &_ZTVSt9bad_alloc[2];
	__cxa_throw(exception, _ZTISt9bad_alloc, _ZNSt9bad_allocD1Ev);
}

static _Noreturn void throw_bad_alloc(size_t size)
{
	void (*throw)(void) = RUNTIME_FIND(_ZSt17__throw_bad_allocv);

	if (throw)
		throw();
	throw_by_parts();
	fault("operator new: no memory for %zu bytes, "
	      "and no C++ runtime that could throw",
	      size);
}

int cxx_personality(int version, int actions, uint64_t exception_class,
		    void *exception, void *context)
{
	personality *decide = RUNTIME_FIND(__gxx_personality_v0);

	if (!decide || actions & UA_FORCE_UNWIND)
		return URC_CONTINUE_UNWIND;
	return decide(version, actions, exception_class, exception, context);
}

/* Ends the exception, as an empty handler for all of them does; its functions
 * are where the personality is. */
void cxx_caught(void *exception)
{
	void *(*begin)(void *) = RUNTIME_FIND(__cxa_begin_catch);
	void (*end)(void) = RUNTIME_FIND(__cxa_end_catch);

	begin(exception);
	end();
}

/* Asks the handler, which may throw, until there is memory or no handler. */
static void *new_by_handler(size_t size, size_t align)
{
	void *block = NULL;

	while (!block && new_handler_run())
		block = heap_alloc_aligned(size, align);
	return block;
}

/* Where the program has some of the operators, its own may do as they like with
 * what ours made, and ours with theirs. */
static enum block_form form_here(enum block_form form)
{
	bool mixed = config_checks_pairs() &&
		     (program_defines(free) || program_defines(_Znwm) ||
		      program_defines(_Znam) || program_defines(_ZdlPv) ||
		      program_defines(_ZdaPv) ||
		      program_defines(_ZnwmSt11align_val_t) ||
		      program_defines(_ZnamSt11align_val_t) ||
		      program_defines(_ZdlPvSt11align_val_t) ||
		      program_defines(_ZdaPvSt11align_val_t));

	return mixed ? FORM_ANY : form;
}

static __attribute__((noinline)) void *new_slow(size_t size, size_t align,
						enum block_form form)
{
	void *block = align == ALIGN_LEAST ? marked_try_alloc(size) : NULL;

	if (likely(block))
		return block; /* without a form, which checks=full alone has */
	block = heap_alloc_aligned(size, align);
	if (!block)
		block = new_by_handler(size, align);
	if (!block)
		throw_bad_alloc(size);
	heap_form_set(block, form_here(form));
	return block;
}

static cold void *new_nothrow_slow(size_t size, size_t align,
				   enum block_form form)
{
	void *block = heap_alloc_aligned(size, align);

	if (!block)
		block = cxx_catch(new_by_handler, size, align);
	heap_form_set(block, form_here(form));
	return block;
}

static force_inline void *new_or_throw(size_t size, enum block_form form)
{
	void *object = heap_try_alloc(size);

	if (unlikely(!object))
		object = heap_try_alloc_counted(size);
	if (unlikely(!object))
		return new_slow(size, ALIGN_LEAST, form);
	return object;
}

static force_inline void *new_or_null(size_t size, enum block_form form)
{
	void *object = heap_try_alloc(size);

	if (unlikely(!object))
		object = heap_try_alloc_counted(size);
	if (unlikely(!object))
		return new_nothrow_slow(size, ALIGN_LEAST, form);
	return object;
}

static cold void delete_slow(void *block, enum block_form form,
			     enum program_first first)
{
	if (!program_delete(block, first))
		heap_free_formed(block, form_here(form));
}

static force_inline void delete_plain(void *block, enum block_form form,
				      enum program_first first)
{
	if (unlikely(!heap_try_free(block)))
		delete_slow(block, form, first);
}

/* align is 0 where the operator has none. */
static cold void delete_sized_slow(void *block, enum block_form form,
				   size_t align, size_t size,
				   enum program_first first)
{
	if (align ? !program_delete_aligned(block, align, first) :
		    !program_delete(block, first))
		heap_free_hinted(block, form_here(form), align, &size);
}

static force_inline void delete_sized(void *block, enum block_form form,
				      size_t align, size_t size,
				      enum program_first first)
{
	if (unlikely(!heap_try_free(block)))
		delete_sized_slow(block, form, align, size, first);
}

static cold void delete_aligned_slow(void *block, enum block_form form,
				     size_t align, enum program_first first)
{
	if (!program_delete_aligned(block, align, first))
		heap_free_hinted(block, form_here(form), align, NULL);
}

static force_inline void delete_aligned(void *block, enum block_form form,
					size_t align, enum program_first first)
{
	if (unlikely(!heap_try_free(block)))
		delete_aligned_slow(block, form, align, first);
}

/* new of one kind, w for single objects, a for arrays. */
#define CXX_NEW_NAMES(k, form)                                             \
	exported on_own_lines void *_Zn##k##m(size_t size)                 \
	{                                                                  \
		return new_or_throw(size, form);                           \
	}                                                                  \
	PROGRAM_ALIAS(_Zn##k##m)                                           \
	exported void *_Zn##k##mRKSt9nothrow_t(size_t size,                \
					       const struct nothrow *tag)  \
	{                                                                  \
		(void)tag;                                                 \
		if (unlikely(program_defines(_Zn##k##m)))                  \
			return cxx_catch(program_new_##k, size, 0);        \
		return new_or_null(size, form);                            \
	}                                                                  \
	exported void *_Zn##k##mSt11align_val_t(size_t size, size_t align) \
	{                                                                  \
		return new_slow(size, align, form##_ALIGNED);              \
	}                                                                  \
	PROGRAM_ALIAS(_Zn##k##mSt11align_val_t)                            \
	exported void *_Zn##k##mSt11align_val_tRKSt9nothrow_t(             \
		size_t size, size_t align, const struct nothrow *tag)      \
	{                                                                  \
		(void)tag;                                                 \
		if (unlikely(program_defines(_Zn##k##mSt11align_val_t)))   \
			return cxx_catch(program_new_aligned_##k, size,    \
					 align);                           \
		return new_nothrow_slow(size, align, form##_ALIGNED);      \
	}

/* delete of one kind, l for single objects, a for arrays: where its plain
 * forms look for the program's, and where the others do. */
#define CXX_DELETE_NAMES(k, form, plain, other)                            \
	exported on_own_lines void _Zd##k##Pv(void *block)                 \
	{                                                                  \
		delete_plain(block, form, plain);                          \
	}                                                                  \
	PROGRAM_ALIAS(_Zd##k##Pv)                                          \
	exported void _Zd##k##PvRKSt9nothrow_t(void *block,                \
					       const struct nothrow *tag)  \
	{                                                                  \
		(void)tag;                                                 \
		delete_plain(block, form, other);                          \
	}                                                                  \
	exported void _Zd##k##Pvm(void *block, size_t size)                \
	{                                                                  \
		delete_sized(block, form, 0, size, other);                 \
	}                                                                  \
	exported void _Zd##k##PvSt11align_val_t(void *block, size_t align) \
	{                                                                  \
		delete_aligned(block, form##_ALIGNED, align, plain);       \
	}                                                                  \
	PROGRAM_ALIAS(_Zd##k##PvSt11align_val_t)                           \
	exported void _Zd##k##PvmSt11align_val_t(void *block, size_t size, \
						 size_t align)             \
	{                                                                  \
		delete_sized(block, form##_ALIGNED, align, size, other);   \
	}                                                                  \
	exported void _Zd##k##PvSt11align_val_tRKSt9nothrow_t(             \
		void *block, size_t align, const struct nothrow *tag)      \
	{                                                                  \
		(void)tag;                                                 \
		delete_aligned(block, form##_ALIGNED, align, other);       \
	}

CXX_NEW_NAMES(w, FORM_NEW)
CXX_NEW_NAMES(a, FORM_ARRAY)
CXX_DELETE_NAMES(l, FORM_NEW, FIRST_FREE, FIRST_DELETE)
CXX_DELETE_NAMES(a, FORM_ARRAY, FIRST_DELETE, FIRST_DELETE_ARRAY)
