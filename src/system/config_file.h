/* layer 1.5: config file: options from a file, a line at a time
 *
 * The file is read by pieces into a buffer on the stack, some CONFIG_FILE_MOST
 * bytes of it; a line that the buffer does not hold is dropped with a warning,
 * and so is what lies behind those bytes, with the line there. A file that is
 * none (a FIFO, a directory) is not waited for. Racing threads read it each for
 * itself. Wait-free, but for the kernel's part; a thread that dies here leaves
 * a descriptor open.
 */
#ifndef LANE_CONFIG_FILE_H
#define LANE_CONFIG_FILE_H

#include "system/config.h"

#define CONFIG_FILE "/etc/lanemalloc.conf"
#define CONFIG_FILE_MOST 65536
#define CONFIG_LINE_MOST 510

/* What becomes of a line: config_parse_line(). */
typedef void config_line(struct config *out, const char *line, size_t length,
			 struct config_source *source);

/* Reads a file on top of what *out holds, by `parse`. 0, or a negated errno:
 * the lines before count. */
int config_read(struct config *out, const char *path, config_line *parse);

#endif
