/* layer 7.4: toggle: the profile of a process on and off; contract in toggle.h
 */
#include "command/toggle.h"

#include <poll.h>

#include "command/heap.h"
#include "command/process.h"

#define STEP_MS 20

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

static uint32_t switch_of(unsigned seconds)
{
	return LANEMALLOC_SWITCH_PROFILE_ON |
	       seconds << LANEMALLOC_SWITCH_SECONDS_SHIFT;
}

bool toggle_ask(struct image *image, const struct root *root, unsigned seconds)
{
	/* What is on without us we may read, too. */
	if (!may_ask(image, root))
		return root_profile_is_on(image, root);
	return ask(image, root, switch_of(seconds));
}

static bool waits(struct image *image, const struct root *root, uint32_t what)
{
	return root_half(image, root->view.switch_word) == what;
}

static bool is_waiting(struct image *image, const struct root *root,
		       unsigned seconds)
{
	return waits(image, root, switch_of(seconds));
}

static long turns_of(double wait)
{
	return (long)(wait * 1000 / STEP_MS) + 1;
}

void toggle_end(struct image *image, const struct root *root)
{
	if (image->pid && is_waiting(image, root, TOGGLE_SECONDS))
		ask(image, root, LANEMALLOC_SWITCH_NONE);
}

static bool did_not_notice(struct image *image, double wait)
{
	return image_fails(image,
			   "process %d made no call of malloc "
			   "or free that its caches could not serve, "
			   "for %.0f s, so it did not notice",
			   image->pid, wait);
}

bool toggle_wait(struct image *image, const struct root *root, double wait)
{
	long turns = turns_of(wait);
	uint32_t word;

	while (!root_profile_is_on(image, root) && turns-- > 0)
		poll(NULL, 0, STEP_MS);
	if (root_profile_is_on(image, root))
		return true;
	if (is_waiting(image, root, TOGGLE_SECONDS)) {
		toggle_end(image, root);
		return did_not_notice(image, wait);
	}
	if (!image_read(image, root->view.switch_word, &word, sizeof(word)))
		return image_fails(image, "the process has ended");
	return image_fails(image, "process %d has no memory for a profile",
			   image->pid);
}

bool toggle_keep(struct image *image, const struct root *root, double wait)
{
	long turns = turns_of(wait);

	if (!toggle_ask(image, root, 0))
		return false;
	while (is_waiting(image, root, 0) && turns-- > 0)
		poll(NULL, 0, STEP_MS);
	if (!is_waiting(image, root, 0))
		return true;
	ask(image, root, LANEMALLOC_SWITCH_NONE);
	return did_not_notice(image, wait);
}

/* An order that the process has not noticed is taken back: it would end what
 * somebody starts later. */
bool toggle_off(struct image *image, const struct root *root, double wait)
{
	const uint32_t off = LANEMALLOC_SWITCH_PROFILE_OFF;
	long turns = turns_of(wait);
	bool noticed;

	if (!root_profile_is_on(image, root))
		return true;
	if (!may_ask(image, root) || !ask(image, root, off))
		return false;
	while (root_profile_is_on(image, root) && turns-- > 0)
		poll(NULL, 0, STEP_MS);
	noticed = !waits(image, root, off);
	if (!noticed)
		ask(image, root, LANEMALLOC_SWITCH_NONE);
	if (!root_profile_is_on(image, root))
		return true;
	if (!noticed)
		return did_not_notice(image, wait);
	return image_fails(image, "somebody else asked for it again");
}
