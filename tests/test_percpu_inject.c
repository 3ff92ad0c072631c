/* percpu: the storms, with delays at the points inside the sections
 *
 * links: real-system
 * timeout: 600
 */
#define LANE_INJECT
#include "test_percpu_storm.c"
