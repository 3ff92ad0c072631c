/* reasons: why some of the library's instructions are never reached */
#include "reason.h"

#define ENDS "ends the process"
#define TESTS "only tests call it"
#define KERNEL "on another kernel"
#define MACHINE "on another machine"
#define LIBC "with another libc"
#define RUNTIME "with parts of a C++ runtime, in a static program"
#define RACE "only if others come between two instructions, several times"
#define ABORTS "only if the kernel aborts the same section again and again"
#define MEMORY "only if the very last memory is gone at that place"
#define FULL "only when a table or a queue is full"
#define EDGE "only for a run that begins or ends at a word's edge"
#define FLOATS "saves floating point arguments, which nobody passes"

const struct reason reasons[] = {
	{ NULL, "fault(", ENDS },
	{ "fault", NULL, ENDS },
	{ "block_fault", NULL, ENDS },
	{ "batch_refuse", NULL, ENDS },
	{ "inside_large", NULL, ENDS },
	{ "level_fault", NULL, ENDS },
	{ "system_abort", NULL, ENDS },
	{ "raise_abort", NULL, ENDS },
	{ "foreign_free", "{", ENDS },
	{ "foreign_realloc", "{", ENDS },
	{ "foreign_usable_size", "{", ENDS },
	{ "large_free", "{", ENDS },
	{ "give_bits", "(64 * word", ENDS },
	{ "give_bits", "v->class->size", ENDS },
	{ "undo_move", "system_abort", ENDS },
	{ "undo_move", "lost", ENDS },

	{ "page_heap_check", NULL, TESTS },
	{ "page_heap_count", NULL, TESTS },
	{ "page_heap_dirty_size", NULL, TESTS },
	{ "slab_check", NULL, TESTS },
	{ "slab_nr_free", NULL, TESTS },

	{ "trim", NULL, KERNEL },
	{ "system_reserve", "size + align", KERNEL },
	{ "system_reserve", "trim(", KERNEL },
	{ "system_reserve", "system_unreserve(addr, size)", KERNEL },
	{ "system_reserve", "addr + head", KERNEL },
	{ "system_write_stderr", "}", "a message written in part" },
	{ "system_rseq_fence", "MEMBARRIER", KERNEL },
	{ "rseq_give_up", NULL, KERNEL },
	{ "gate_close_for_good", NULL, KERNEL },
	{ "heap_threads_start", "gate_close_for_good", KERNEL },
	{ "heap_threads_start", "rseq_give_up", KERNEL },
	{ "check_round", "CHECK_FAILS", KERNEL },
	{ "rseq_kernel_aborts", "CHECK_FAILS", KERNEL },
	{ "check_helper", "SYS_exit", KERNEL },
	{ "read_all", NULL, KERNEL },
	{ "stderr_keep", "copy = -1", KERNEL },
	{ "decide", NULL, KERNEL },

	{ "unit_word_purgeable", NULL, MACHINE },
	{ "region_size_unlimited", NULL, MACHINE },
	{ "region_size_wanted", "}", MACHINE },

	{ "pthread_create", "}", LIBC },
	{ "thrd_create", "}", LIBC },
	{ "dlopen", "}", LIBC },
	{ "dlmopen", "}", LIBC },
	{ "aux_value", NULL, LIBC },
	{ "system_privileged", NULL, LIBC },
	{ "config_start", "}", LIBC },
	{ "config_start", "return false", LIBC },

	{ "throw_by_parts", NULL, RUNTIME },

	{ "ck_stack_push_upmc", NULL, RACE },
	{ "inbox_take", "for (node", RACE },
	{ "level_try_take", "cas_acquire", RACE },
	{ "level_try_take", "unit_word_pick", RACE },
	{ "level_take", "unit_word", RACE },
	{ "level_take", "level_warm", RACE },
	{ "level_warm", NULL, RACE },
	{ "level_free_hugepages", "ALL_ONES", RACE },
	{ "level_release", NULL, RACE },
	{ "dirty_purge_closed", NULL, RACE },
	{ "fit_previous", "for (", RACE },
	{ "fit_refile", NULL, RACE },
	{ "unit_word_same_class", NULL, RACE },
	{ "slab_take", "n = 0", RACE },
	{ "slab_take", "return n", RACE },
	{ "slab_leave", NULL, RACE },
	{ "bin_leave", NULL, RACE },
	{ "bin_take", "n = 0", RACE },
	{ "bin_take", "while (", RACE },
	{ "bin_steal", "for (", RACE },
	{ "bin_set_find", NULL, RACE },
	{ "give_prefix", "filled = false", RACE },
	{ "give_prefix", "for (", RACE },
	{ "give_bits", "add_seq", RACE },
	{ "minus", NULL, RACE },
	{ "region_committed", NULL, RACE },
	{ "bin_sweep", "empty_note", RACE },
	{ "reclaimer_wake_slow", "}", RACE },
	{ "right_take", NULL, RACE },
	{ "region_make", "system_unreserve", RACE },

	{ "open_word", NULL, ABORTS },
	{ "open_words", "}", ABORTS },
	{ "area_swap", NULL, ABORTS },
	{ "area_empty", NULL, ABORTS },
	{ "drain_caches", "return", ABORTS },
	{ "lane_empty", NULL, ABORTS },
	{ "percpu_watch", NULL, ABORTS },
	{ "system_thread_start", NULL, ABORTS },
	{ "heap_alloc_growing", NULL, ABORTS },

	{ "bin_set_any", NULL, MEMORY },
	{ "cpu_cache_alloc_direct", NULL, MEMORY },
	{ "cpu_cache_free_direct", NULL, MEMORY },
	{ "cpu_cache_free_slow", "cpu_cache_free_direct", MEMORY },
	{ "cpu_cache_free_slow", "return;", MEMORY },
	{ "realloc_stay", NULL, MEMORY },
	{ "realloc_small", "pointer : NULL", MEMORY },
	{ "page_heap_take_in", NULL, MEMORY },
	{ "page_heap_take_slow", "ADDS_MOST", MEMORY },
	{ "page_heap_take_usable", NULL, MEMORY },
	{ "region_make_between", NULL, MEMORY },
	{ "region_commit_bytes", NULL, MEMORY },
	{ "system_reserve_probe", "}", MEMORY },
	{ "posix_memalign", "}", MEMORY },
	{ "alloc_slow", "footer", MEMORY },

	{ "slab_send", "partial_push", FULL },
	{ "region_add", "system_unreserve", FULL },

	{ "level_take_across", NULL, EDGE },
	{ "level_take_units", "level = 0", EDGE },
	{ "bits_low", "n >= 64", EDGE },
	{ "level_take", "level_open", EDGE },
	{ "dirty_mark", NULL, EDGE },

	{ "format_size", NULL, "a figure of 1 TiB" },
	{ "pad", NULL, "a name that fills its column" },
	{ "text_add_escaped", NULL, "no text has quotes" },
	{ "bin_collect_all", NULL, "before the first block" },
	{ "put_text", NULL, "a text that fills the line" },
	{ "report_vline", "}", "a text that fills the line" },
	{ "??", NULL, "bytes behind the last section" },

	{ "report_line", "{", FLOATS },
	{ "text_add", "{", FLOATS },
	{ 0 },
};
