/* layer 1.2: system: what the library asks of the kernel again and again
 *
 * What is asked for rarely, or at start-up alone, stands with its matter in
 * other files of this folder (files.c, threads.c, cpus.c), likewise by
 * syscall.h. The real one is linux.c; tests link a replacement that fails on
 * demand. Every call goes to the kernel directly, touches no errno and no TLS,
 * and takes no lock of libc's. Those that can fail return 0 or a negated errno
 * unless their comment says otherwise. All are safe in signal handlers.
 */
#ifndef LANE_SYSTEM_H
#define LANE_SYSTEM_H

#include "base/compiler.h"
#include "system/threads.h"

/* Maps private zeroed memory, readable and writable, at [addr, addr + size),
 * whole pages. -EEXIST: something is mapped there, and stays. -ENOMEM: a limit
 * or the kernel's overcommit policy refuses. */
int system_map_at(void *addr, size_t size);

/* Sets what /proc/PID/maps says of it, where the kernel can (Linux 5.17). */
void system_map_name(void *addr, size_t size, const char *name);

/* Gives address space back. */
void system_unmap(void *addr, size_t size);

/* Says whether all of [addr, addr + size) is mapped, by whomever. */
bool system_is_mapped(void *addr, size_t size);

/* Says whether the process has a limit on its address space (RLIMIT_AS). */
bool system_address_space_limited(void);

/* Gives whole pages' memory back; they read as zero afterwards. */
int system_purge(void *addr, size_t size);

/* Makes whole pages inaccessible, and their memory goes back; without `split`
 * only where the kernel can do that inside of a mapping. */
int system_guard(void *addr, size_t size, bool split);

/* Makes them accessible again, zero where they were guarded; split: they may
 * have been guarded with it. */
int system_unguard(void *addr, size_t size, bool split);

/* Asks for (want) or against (!want) transparent hugepages in the range. */
int system_hugepages(void *addr, size_t size, bool want);

/* Moves the pages of [from, from+size) to [to, to+size), leaving `from`
 * mapped and zero (mremap with MREMAP_DONTUNMAP). `to` is usable memory too,
 * and its old contents are lost. On failure both ranges are still mapped and
 * readable and `from` is as it was. */
int system_move_pages(void *to, void *from, size_t size);

size_t system_page_size(void);

/* Returns at least one more than the largest CPU number that this kernel can
 * have. */
unsigned system_nr_cpus(void);

/* Returns the bytes of main memory that the kernel manages; 0 where it does not
 * tell. */
uint64_t system_memory_size(void);

/* Draws a number that nobody can guess; the same one each time where the
 * process was started without random addresses (as under a debugger). */
uint64_t system_random(void);

/* Reads milliseconds of the monotonic clock, coarse (a tick's resolution). */
uint64_t system_now_ms(void);

/* Writes a zero to a page that has only zeros; how long that took, fault and
 * all, in nanoseconds. UINT64_MAX: there is no clock. */
uint64_t system_touch_ns(void *addr);

/* Call membarrier(2) with the RSEQ commands: register, then fence every CPU
 * that runs this process (aborts rseq sections, orders memory). */
int system_rseq_fence_register(void);
int system_rseq_fence(void);

/* Whether the process was given privileges when it started (setuid and the
 * like, AT_SECURE), or might have been: its environment is not to be trusted.
 */
bool system_privileged(void);

int system_getpid(void);
void system_write_stderr(const char *text, size_t size);

/* Says whether stderr takes a line at once: it is open, is no pipe that is full
 * or that nobody reads. */
bool system_stderr_takes(void);

/* Says which file stderr is, by a number that is not 0: one of its own where it
 * is closed. */
uint64_t system_stderr_file(void);

/* Says whether what is written to stderr goes to a file's end, as to a log. */
bool system_stderr_appends(void);
_Noreturn void system_abort(void);

/* Sleeps while *word == value, at most timeout_ms, and while the watched word
 * (NULL: none) has its value. False: it has not, or cannot be watched. The
 * helper thread alone calls this. */
bool system_sleep(_Atomic(uint32_t) *word, uint32_t value, uint64_t timeout_ms,
		  const struct system_watch *watch);
void system_wake(_Atomic(uint32_t) *word);

/* Runs run(arg), which must not return, on a bare thread: no libc behind it,
 * its thread pointer is tls, it has the caller's signal mask, and the caller
 * has blocked all signals: no handler of the program may run on it. 0 or a
 * negated errno. */
int system_thread_start(void *stack, size_t stack_size, void *tls,
			void (*run)(void *), void *arg,
			struct system_thread *thread);

/* Reads a whole small file (at most size bytes) without libc; the number of
 * bytes, or a negated errno. For /sys and /proc at start-up and statistics. */
long system_read_file(const char *path, char *buf, size_t size);

#endif
