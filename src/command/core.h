/* layer 7.1: core: a core file as an image
 *
 * ELF of 64 bits: its PT_LOAD segments are the memory, its NT_FILE note says
 * which files were mapped where. Pages of files that the core leaves out are
 * read from the files, where they are there: texts, as a rule. Everything that
 * the file says is checked against its size; what does not fit is cut or left
 * out.
 */
#ifndef LANE_COMMAND_CORE_H
#define LANE_COMMAND_CORE_H

#include "command/image.h"

/* False: error says why. */
bool core_open(struct image *image, const char *path);
void core_close(struct image *image);

/* How many bytes are there, from the address on. */
size_t core_read(struct image *image, uint64_t address, void *buf, size_t size);

#endif
