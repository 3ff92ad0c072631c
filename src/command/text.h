/* layer 7.1: text: numbers and strings as people and machines read them */
#ifndef LANE_COMMAND_TEXT_H
#define LANE_COMMAND_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SIZE_TEXT 16

/* "12.3 MiB", "512 B"; returns buf. */
const char *text_size(char buf[SIZE_TEXT], uint64_t size);

/* "1 block", "2 blocks", of what takes an s; returns buf. */
#define COUNT_TEXT 48
const char *text_count(char buf[COUNT_TEXT], uint64_t nr, const char *what);

/* A paragraph cut between words, for a terminal of 80 columns: its first line
 * begins here, which is column indent, and so does each other one. */
void text_put_lines(FILE *out, int indent, const char *text);

/* The inside of a string of JSON, or of a label of Prometheus. */
void text_put_escaped(FILE *out, const char *text);

/* The inside of an element of HTML or SVG. */
void text_put_markup(FILE *out, const char *text);

#endif
