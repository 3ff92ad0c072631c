/* percpu: the storms, with delays at the points inside the sections
 *
 * links: real-system
 */
#define LANE_INJECT
#include "test_percpu_storm.c"
