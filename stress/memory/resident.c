/* resident: the figures that both sides of the board read */
#include "board.h"

#include <stdio.h>
#include <unistd.h>

uint64_t board_resident(int file)
{
	unsigned long size, resident, shared;
	char text[128];
	ssize_t length = pread(file, text, sizeof(text) - 1, 0);

	if (length <= 0)
		return 0;
	text[length] = 0;
	if (sscanf(text, "%lu %lu %lu", &size, &resident, &shared) != 3)
		return 0;
	return (uint64_t)(resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

long long board_live(const struct board *board)
{
	long long bytes = 0;

	for (unsigned i = 0; i < BOARD_COUNTERS; i++)
		bytes += atomic_load_explicit(&board->counters[i].bytes,
					      memory_order_relaxed);
	return bytes;
}
