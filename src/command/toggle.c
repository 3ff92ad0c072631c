/* layer 7.4: toggle: the profile of a process on and off; contract in toggle.h
 */
#include "command/toggle.h"

#include <poll.h>

#include "command/heap.h"
#include "command/process.h"

#define STEP_MS 20

bool toggle_is_on(struct image *image, const struct root *root)
{
	return root_half(image, root->view.profile_on) != 0;
}

static bool ask(struct image *image, const struct root *root, uint32_t what)
{
	return image_write(image, root->view.switch_word, &what, sizeof(what));
}

static bool may_ask(struct image *image, const struct root *root)
{
	if (!image->pid)
		return image_fails(image, "a core has no profile to turn on");
	if (!root->view.switch_word)
		return image_fails(image, "the library there has no switch");
	if (process_status(image, "Seccomp", 10) > 0)
		return image_fails(image,
				   "process %d is behind a seccomp "
				   "filter, which may end it for starting a "
				   "profile: use LANEMALLOC_CONF=profile=1",
				   image->pid);
	return true;
}

static uint32_t switch_of(bool on)
{
	return on ? LANEMALLOC_SWITCH_PROFILE_ON :
		    LANEMALLOC_SWITCH_PROFILE_OFF;
}

bool toggle_ask(struct image *image, const struct root *root, bool on)
{
	return toggle_is_on(image, root) == on ||
	       (may_ask(image, root) && ask(image, root, switch_of(on)));
}

bool toggle_wait(struct image *image, const struct root *root, bool on,
		 double seconds)
{
	uint32_t what = switch_of(on);
	long turns = (long)(seconds * 1000 / STEP_MS) + 1;

	while (toggle_is_on(image, root) != on && turns-- > 0)
		poll(NULL, 0, STEP_MS);
	if (toggle_is_on(image, root) == on)
		return true;
	if (root_half(image, root->view.switch_word) == what) {
		ask(image, root, LANEMALLOC_SWITCH_NONE);
		return image_fails(image,
				   "process %d made no call of malloc "
				   "or free that its caches could not serve, "
				   "for %.0f s, so it did not notice",
				   image->pid, seconds);
	}
	return image_fails(image,
			   "process %d has no memory for a profile, or "
			   "it ended",
			   image->pid);
}

bool toggle(struct image *image, const struct root *root, bool on,
	    double seconds)
{
	return toggle_ask(image, root, on) &&
	       toggle_wait(image, root, on, seconds);
}
