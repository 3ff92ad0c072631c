/* layer 7.5: wanted: processes whose profile is to stay on; see wanted.h */
#include "command/wanted.h"

#include <pthread.h>
#include <stdio.h>

#include "command/process.h"

static struct process {
	pid_t pid;
	uint64_t start;
} wanted[WANTED_MOST];	 /* under the lock */
static size_t nr_wanted; /* likewise */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void forget_ended(void)
{
	size_t n = 0;

	for (size_t i = 0; i < nr_wanted; i++)
		if (process_start(wanted[i].pid) == wanted[i].start)
			wanted[n++] = wanted[i];
	nr_wanted = n;
}

static bool is_noted(const struct image *image)
{
	for (size_t i = 0; i < nr_wanted; i++)
		if (wanted[i].pid == image->pid &&
		    wanted[i].start == image->start)
			return true;
	return false;
}

static bool note(const struct image *image)
{
	if (is_noted(image))
		return true;
	if (nr_wanted == WANTED_MOST)
		forget_ended();
	if (nr_wanted == WANTED_MOST)
		return false;
	wanted[nr_wanted++] = (struct process){ image->pid, image->start };
	return true;
}

bool wanted_note(struct image *image)
{
	bool noted;

	pthread_mutex_lock(&lock);
	noted = note(image);
	pthread_mutex_unlock(&lock);
	return noted || image_fails(image,
				    "the profiles of %d processes are "
				    "on already, which is the most",
				    WANTED_MOST);
}

static void toggle_one(const struct process *process, toggling *toggling)
{
	struct image image;
	struct root root;
	char name[16];

	snprintf(name, sizeof(name), "%d", process->pid);
	if (image_open(&image, name) && image.start == process->start &&
	    root_find(&image, &root))
		toggling(&image, &root);
	image_close(&image);
}

void wanted_toggle(toggling *toggling)
{
	pthread_mutex_lock(&lock);
	forget_ended();
	for (size_t i = 0; i < nr_wanted; i++)
		toggle_one(&wanted[i], toggling);
	pthread_mutex_unlock(&lock);
}
