/* layer 6.1: program: a free that the program defines itself */
#include "entry/program.h"

#include "front/foreign.h"

bool program_free(void *block)
{
	if (!program_defines(free) || !foreign_is(block))
		return false;
	foreign_count();
	free(block);
	return true;
}
