/* names: the library's C functions under the names that names.txt gives them,
 * so that they do not serve the fuzzer itself */
#ifndef FUZZ_NAMES_H
#define FUZZ_NAMES_H

#include <malloc.h>
#include <stddef.h>

void *fuzz_malloc(size_t size);
void fuzz_free(void *block);
void fuzz_cfree(void *block);
void *fuzz_calloc(size_t nr, size_t size);
void *fuzz_realloc(void *block, size_t size);
void fuzz_free_sized(void *block, size_t size);
void fuzz_free_aligned_sized(void *block, size_t align, size_t size);
size_t fuzz_malloc_usable_size(void *block);
void *fuzz_aligned_alloc(size_t align, size_t size);
void *fuzz_memalign(size_t align, size_t size);
int fuzz_posix_memalign(void **out, size_t align, size_t size);
void *fuzz_valloc(size_t size);
void *fuzz_pvalloc(size_t size);
struct mallinfo2 fuzz_mallinfo2(void);
int fuzz_mallopt(int parameter, int value);
int fuzz_malloc_trim(size_t pad);

#endif
