/* percpu, with delays at the numbered points inside the sections
 *
 * links: real-system
 */
#define LANE_INJECT
#include "test_percpu.c"
