/* target: what one input is to a fuzzing target; each target defines it */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Returns, or aborts with a finding. */
void target_run(const uint8_t *data, size_t size);

#endif
