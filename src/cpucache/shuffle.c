/* layer 4.2: shuffle: objects in an order that nobody can guess */
#include "cpucache/shuffle.h"

#include "system/draw.h"

void shuffle(void **objects, unsigned n)
{
	struct draw draw = draw_begin();
	unsigned other;
	void *object;

	for (; n > 1; n--) {
		other = draw_below(&draw, n);
		object = objects[n - 1];
		objects[n - 1] = objects[other];
		objects[other] = object;
	}
}
