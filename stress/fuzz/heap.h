/* heap: what the files of fuzz_heap share */
#ifndef FUZZ_HEAP_H
#define FUZZ_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CPU numbers that the input chooses from; the last ones are beyond what the
 * library's table has: a thread that is not registered. */
#define NR_IDS 10
extern const uint32_t heap_ids[NR_IDS];

/* A size, of one to four bytes of the input. */
size_t heap_read_size(void);

/* An operation of the input: of the program (heap_blocks.c), or of the
 * machine and the checks (heap_machine.c). */
typedef void heap_operation(void);
extern heap_operation *const heap_block_operations[];
extern const unsigned nr_heap_block_operations;
extern heap_operation *const heap_machine_operations[];
extern const unsigned nr_heap_machine_operations;

/* Reads and runs one operation. */
void heap_operate(void);

/* The process of this input starts. */
void heap_begin(void);

/* Everything is freed: nothing may stay behind. */
void heap_end(void);

/* Verifies all structures, and that live memory is what the table says. */
void machine_check(void);

/* Whether memory may be short: NULL is a right answer then. */
void heap_may_fail_begin(void);
bool heap_may_have_failed(size_t size);

#endif
