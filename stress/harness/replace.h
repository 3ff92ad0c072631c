/* replace: a function of the library's gets another body, by the linker's
 * --wrap; the real one is __real_NAME
 *
 *	REPLACE(size_t, system_page_size, void)
 *	{
 *		return page_size ? page_size : __real_system_page_size();
 *	}
 *
 * Calls from the file that has the real one stay as they are. The linker learns
 * the names from the object: $(call replaced,OBJECT) in the Makefile.
 */
#ifndef HARNESS_REPLACE_H
#define HARNESS_REPLACE_H

#define REPLACE(type, name, ...)         \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

/* One that returns an error's number, which the condition makes it do. */
#define REPLACE_REFUSED(refused, error, name, parameters, arguments)      \
	int __real_##name parameters;                                     \
	int __wrap_##name parameters;                                     \
	int __wrap_##name parameters                                      \
	{                                                                 \
		return (refused) ? -(error) : __real_##name arguments;    \
	}

#endif
