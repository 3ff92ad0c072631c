/* flow: blocks that producers allocate and consumers free, in batches */
#ifndef FLOW_H
#define FLOW_H

#include "load.h"

/* Who is connected with whom, and with what. */
struct flow_kind {
	bool pairs;		/* each two threads have a flow of their own */
	bool (*produces)(unsigned index);
	size_t batch;
	size_t size_low, size_high;
};

/* Runs all threads, at least two; run->kind is a flow_kind. */
void flow_run(const struct run *run);

#endif
