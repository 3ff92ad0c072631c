/* layer 4.10: dump: the profile as a file that people's tools read
 *
 * Two forms: profile.proto of pprof in gzip (pprof.c), and the text of
 * gperftools (text.c). Symbols are the reader's job: files say where code is
 * mapped and of which build it is.
 *
 * A file is whole or not there (system/part_file.h). Sums are read while
 * threads go on, so a file may lack what was added meanwhile, or have one sum
 * of a sample and not yet the other. Each who writes has some scratch memory of
 * its own, from the kernel. A thread that dies leaves that, and a file that is
 * not whole.
 */
#ifndef LANE_DUMP_H
#define LANE_DUMP_H

#include "sample/maps.h"
#include "sample/pinned.h"
#include "sample/writer.h"

#define SCRATCH_MAPPINGS 4096

/* What the sites are looked up in, and room for a line. */
struct dump_scratch {
	struct pinned pinned; /* its sums lie behind all this */
	struct maps maps;
	uint32_t nr_mappings;
	uint64_t begins[SCRATCH_MAPPINGS]; /* of code, in order */
	uint64_t ends[SCRATCH_MAPPINGS];
};

/* Writes a file: 0 or a negated errno; -ENODATA: there never was a profile.
 * path NULL: a name of our own in the directory of the option profile_dir, in
 * the form that the option says; else one that ends in ".heap" is the text, any
 * other the other. */
int dump_write(const char *path);

/* Writes to a name of our own, which stands in path then, or what there is of
 * it where it could not be made. */
#define DUMP_PATH_SIZE 1024
int dump_write_named(char path[DUMP_PATH_SIZE]);

/* Write the forms into an open writer. */
void dump_pprof(struct writer *w, struct dump_scratch *scratch);
void dump_text(struct writer *w, struct dump_scratch *scratch);

#endif
