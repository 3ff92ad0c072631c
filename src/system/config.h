/* layer 1.5: config: the options of LANEMALLOC_CONF
 *
 * Read once at start-up: the file /etc/lanemalloc.conf, one key=value a line;
 * then LANEMALLOC_CONF=key=value,key=value,... where @path is another such file
 * in that place. What comes later counts. A privileged (setuid) program has an
 * environment that somebody else chose: it reads root's file alone, and writes
 * no files by it. An unknown key or a value out of range costs one warning
 * line and is otherwise ignored. The table CONFIG_OPTIONS is the only list of
 * options: parser, `verbose` print-out, docs/options.md and the tests loop
 * over it.
 *
 * X(name, kind, default, minimum, maximum, help); kinds: BOOL (0, 1, off, on,
 * false, true, no, yes), NUMBER (decimal, suffix k, m or g = powers of 1024),
 * CHOICE_xxx (a word of the table of that name) and TEXT (at most so many
 * bytes, without a comma). In all of them the field is a uint64_t; a text's is
 * its address, see config_text(). Where a key stands twice, the last one
 * counts.
 */
#ifndef LANE_CONFIG_H
#define LANE_CONFIG_H

#include "base/compiler.h"

/* The words of each choice in the order of its values: X(value, word). */
#define CONFIG_CHOICE_index(X)    \
	X(INDEX_AUTO, "auto")     \
	X(INDEX_MM_CID, "mm_cid") \
	X(INDEX_CPU_ID, "cpu_id")
#define CONFIG_CHOICE_numa(X) \
	X(NUMA_AUTO, "auto")  \
	X(NUMA_OFF, "off")    \
	X(NUMA_INTERLEAVE, "interleave")
#define CONFIG_CHOICE_hugepage(X)    \
	X(HUGEPAGE_SYSTEM, "system") \
	X(HUGEPAGE_AUTO, "auto")     \
	X(HUGEPAGE_ON, "on")         \
	X(HUGEPAGE_OFF, "off")
#define CONFIG_CHOICE_large_guard(X) \
	X(LARGE_GUARD_AUTO, "auto")  \
	X(LARGE_GUARD_ALL, "all")    \
	X(LARGE_GUARD_OFF, "off")
#define CONFIG_CHOICE_mte(X) \
	X(MTE_AUTO, "auto")  \
	X(MTE_OFF, "off")    \
	X(MTE_SYNC, "sync")  \
	X(MTE_ASYNC, "async")
#define CONFIG_CHOICE_usable(X) \
	X(USABLE_REAL, "real")  \
	X(USABLE_REQUESTED, "requested")
#define CONFIG_CHOICE_checks(X) \
	X(CHECKS_OFF, "0")      \
	X(CHECKS_ON, "1")       \
	X(CHECKS_FAST, "fast")  \
	X(CHECKS_FULL, "full")  \
	X(CHECKS_NO, "off")     \
	X(CHECKS_YES, "on")

#define CONFIG_CHOICE_limit(X)        \
	X(CGROUP_LIMIT_AUTO, "auto")  \
	X(CGROUP_LIMIT_OWN, "cgroup") \
	X(CGROUP_LIMIT_OFF, "off")
#define CONFIG_CHOICE_profile_form(X)  \
	X(PROFILE_FORM_PPROF, "pprof") \
	X(PROFILE_FORM_TEXT, "text")

#define CONFIG_VALUE(value, word) value,
enum config_index { CONFIG_CHOICE_index(CONFIG_VALUE) };
enum config_numa { CONFIG_CHOICE_numa(CONFIG_VALUE) };
enum config_hugepage { CONFIG_CHOICE_hugepage(CONFIG_VALUE) };
enum config_large_guard { CONFIG_CHOICE_large_guard(CONFIG_VALUE) };
enum config_mte { CONFIG_CHOICE_mte(CONFIG_VALUE) };
enum config_usable { CONFIG_CHOICE_usable(CONFIG_VALUE) };
enum config_checks { CONFIG_CHOICE_checks(CONFIG_VALUE) };
enum config_limit { CONFIG_CHOICE_limit(CONFIG_VALUE) };
enum config_profile_form { CONFIG_CHOICE_profile_form(CONFIG_VALUE) };
#undef CONFIG_VALUE

#define CONFIG_OPTIONS(X)                                                      \
	X(verbose, BOOL, 0, 0, 1,                                              \
	  "print mode, options and memory layout at start-up")                 \
	X(stats, BOOL, 0, 0, 1, "print statistics at exit")                    \
	X(index, CHOICE_index, INDEX_AUTO, 0, 0,                               \
	  "CPU caches by mm_cid or cpu_id; auto: mm_cid if there")             \
	X(rseq, BOOL, 1, 0, 1,                                                 \
	  "use restartable sequences; off: the direct path, without caches")   \
	X(purge_delay, NUMBER, 1000, 0, 3600000,                               \
	  "milliseconds that free memory stays before it is given back")       \
	X(purge_budget, NUMBER, 4194304, 0, (uint64_t)1 << 50,                 \
	  "bytes of free memory that are kept whatever the heap's size")       \
	X(reclaimer, BOOL, 1, 0, 1,                                            \
	  "give memory back by a thread, in programs that have threads")       \
	X(hugepage, CHOICE_hugepage, HUGEPAGE_SYSTEM, 0, 0,                    \
	  "transparent hugepages: system (leave it), auto, on or off")         \
	X(numa, CHOICE_numa, NUMA_AUTO, 0, 0,                                  \
	  "several memory nodes: auto (near to the CPU), off or interleave")   \
	X(cpu_cache, NUMBER, 8388608, 0, (uint64_t)1 << 30,                    \
	  "bytes that a CPU's cache may hold, all together twice that or an "  \
	  "eighth of the heap, the larger; and 16k each")                      \
	X(deepbind, BOOL, 0, 0, 1,                                             \
	  "let dlopen's RTLD_DEEPBIND through (it would bypass this malloc)")  \
	X(checks, CHOICE_checks, CHECKS_OFF, 0, 0,                             \
	  "misuse: fast sees more of it, full (1, on) nearly all (slower)")    \
	X(hardened, BOOL, 0, 0, 1,                                             \
	  "zeroes, shuffles, walls and a quarantine against attacks")          \
	X(mte, CHOICE_mte, MTE_AUTO, 0, 0,                                     \
	  "hardened, memory tagging where there is: auto (sync), async, off")  \
	X(check_stacks, BOOL, 1, 0, 1,                                         \
	  "with checks=full: keep the stacks that allocate and free a block")  \
	X(check_pairs, BOOL, 1, 0, 1,                                          \
	  "with checks=full: new, new[] and malloc each want their own free")  \
	X(quarantine, NUMBER, 16777216, 0, (uint64_t)1 << 40,                  \
	  "checks=full, hardened: bytes of freed blocks kept from reuse")      \
	X(guard, NUMBER, 0, 0, (uint64_t)1 << 40,                              \
	  "put one in so many sampled blocks between faulting pages; 0: off")  \
	X(guard_recover, BOOL, 0, 0, 1,                                        \
	  "go on after the report of a guarded block that was misused")        \
	X(guard_slots, NUMBER, 128, 1, 65536,                                  \
	  "guarded blocks that there may be, of a page each")                  \
	X(report_file, TEXT, 0, 0, 255,                                        \
	  "where reports of misuse are appended, besides standard error")      \
	X(large_guard, CHOICE_large_guard, LARGE_GUARD_AUTO, 0, 0,             \
	  "fault behind blocks above 256k; auto: where it costs nothing")      \
	X(usable, CHOICE_usable, USABLE_REAL, 0, 0,                            \
	  "malloc_usable_size: real, or requested (slower)")                   \
	X(profile, BOOL, 0, 0, 1,                                              \
	  "sample allocations from the start on, and write them at exit")      \
	X(profile_interval, NUMBER, 524288, 1, (uint64_t)1 << 40,              \
	  "bytes between two samples on the average; 1: every block")          \
	X(profile_memory, NUMBER, 8388608, 1048576, (uint64_t)1 << 36,         \
	  "bytes that stacks and samples may need; beyond, samples are lost")  \
	X(profile_signal, NUMBER, 0, 0, 64,                                    \
	  "a signal that starts the profile, and writes it when it is on")     \
	X(profile_form, CHOICE_profile_form, PROFILE_FORM_PPROF, 0, 0,         \
	  "how: pprof's profile.proto, or text that google-pprof reads")       \
	X(profile_dir, TEXT, 0, 0, 255,                                        \
	  "where profiles are written; the working directory if not given")    \
	X(profile_leak, NUMBER, 0, 0, (uint64_t)1 << 50,                       \
	  "stacks that hold so many bytes at exit are told; 0: none")          \
	X(profile_leak_exit, NUMBER, 0, 0, 255,                                \
	  "the exit status then; 0: as it would be")                           \
	X(stats_file, TEXT, 0, 0, 255,                                         \
	  "statistics go there at exit; %p: process; by its end .json, .prom") \
	X(stats_signal, NUMBER, 0, 0, 64,                                      \
	  "a signal that writes statistics, there or on stderr")               \
	X(map_names, BOOL, 0, 0, 1,                                            \
	  "name mappings in /proc/PID/maps (Linux 5.17, if it is built so)")   \
	X(limit_soft, NUMBER, 0, 0, (uint64_t)1 << 50,                         \
	  "bytes beyond which all that can be is given back; 0: no limit")     \
	X(limit_hard, NUMBER, 0, 0, (uint64_t)1 << 50,                         \
	  "bytes that the heap never passes, it says ENOMEM; 0: no limit")     \
	X(limit_report, BOOL, 1, 0, 1,                                         \
	  "say it on stderr when limit_hard refuses, once a minute at most")   \
	X(limit, CHOICE_limit, CGROUP_LIMIT_AUTO, 0, 0,                        \
	  "soft limit: auto of a container, cgroup of its own, watched; off")  \
	X(pressure, BOOL, 0, 0, 1,                                             \
	  "watch $MEMORY_PRESSURE_WATCH, or the cgroup's (a descriptor)")

struct config {
#define CONFIG_FIELD(name, kind, value, least, most, help) uint64_t name;
	CONFIG_OPTIONS(CONFIG_FIELD)
#undef CONFIG_FIELD
};

/* const after config_start(); the defaults before. */
extern struct config config internal;

/* Whether every block is checked, or what a word in it tells. */
static inline bool config_checks_full(void)
{
	return config.checks == CHECKS_ON || config.checks == CHECKS_FULL ||
	       config.checks == CHECKS_YES;
}

static inline bool config_checks_pairs(void)
{
	return config.check_pairs && config_checks_full();
}

/* Whether free blocks are zeros: with checks=full they have their fill. */
static inline bool config_wipes(void)
{
	return config.hardened && !config_checks_full();
}

static inline bool config_checks_fast(void)
{
	return config.checks == CHECKS_FAST || config_wipes();
}

/* Whether a mark is all that free objects have. */
static inline bool config_marks(void)
{
	return config.checks == CHECKS_FAST && !config.hardened;
}

/* Whether each call is looked at before it uses a lane. */
static inline bool config_checks_calls(void)
{
	return config_checks_fast() || config_checks_full();
}

#define CONFIG_COUNT(name, kind, value, least, most, help) +1
enum { NR_CONFIG_OPTIONS = 0 CONFIG_OPTIONS(CONFIG_COUNT) };
#undef CONFIG_COUNT

enum config_kind { CONFIG_BOOL, CONFIG_NUMBER, CONFIG_CHOICE, CONFIG_TEXT };

#define CONFIG_TEXT_MOST 255

/* Returns the text that a field stands for. */
static inline const char *config_text(uint64_t value)
{
	return value ? (const char *)(uintptr_t)value : "";
}

/* One row of the table; const. Option i is the i-th field of struct config. */
struct config_option {
	const char *name;
	enum config_kind kind;
	const char *const *words; /* of a choice, by value; NULL ends them */
	uint64_t value;		  /* the default */
	uint64_t least;		  /* of a number; of a text its length */
	uint64_t most;
	const char *help;
};
extern const struct config_option config_options[NR_CONFIG_OPTIONS] internal;

static inline uint64_t *config_field(struct config *out, unsigned option)
{
	return (uint64_t *)out + option;
}

/* Warnings of one text or file beyond these are dropped. */
#define CONFIG_WARNINGS_MOST 10

/* Where a text comes from, as warnings say. */
struct config_source {
	const char *name;
	bool is_file;
	unsigned nr_warnings; /* as yet */
};

/* Reads the environment, once; later calls return true and change nothing.
 * Threads may race in the first call: they store the same values, and each
 * prints the warnings. Allocates nothing, safe in handlers and before main.
 * False where there is no environment yet, because libc has not run its first
 * initialiser (IFUNC resolvers' time): it did nothing then. It stays false in
 * a program that called clearenv() before its first allocation, so a caller
 * that runs after libc's initialisers takes false for the defaults. */
bool config_start(void);

/* Parses one LANEMALLOC_CONF text into *out, on top of what it holds; each
 * warning goes to report_line(). For config_start() and the tests. */
void config_parse(struct config *out, const char *text);

/* Parses one line of a file on top of *out: key = value, or nothing, or # and a
 * comment. */
void config_parse_line(struct config *out, const char *line, size_t length,
		       struct config_source *source);

/* Prints all options on stderr, "lanemalloc: pid N:
 * LANEMALLOC_CONF=name=value,...", in a form that the parser reads back, but
 * for a comma in a file's text; a second line where one is full. */
void config_print(void);

#endif
