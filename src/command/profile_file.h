/* layer 7.4: profile file: profile.proto, written and read
 *
 * What is written is gzip of stored blocks, which needs no compressor; what is
 * read is that, or the plain message. Of a file only the sample types that
 * PROFILE_VALUES names are taken. Lengths are checked against what is there.
 */
#ifndef LANE_COMMAND_PROFILE_FILE_H
#define LANE_COMMAND_PROFILE_FILE_H

#include "command/profile.h"

/* Whether it is a file with a profile: of gzip, or one that begins as a
 * message does. */
bool profile_file_is(const char *path);

/* False: it was said why. */
bool profile_file_read(const char *path, struct profile *profile);

#endif
