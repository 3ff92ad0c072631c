/* layer 7.6: profile command: lanemalloc profile PID
 *
 * Asks for the profile again and again for as long as it is wanted (toggle.h),
 * and reads the tables then, also where it is interrupted by a signal. The file
 * is written under another name first, so that it is whole or not there.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "command/command.h"
#include "command/profile.h"
#include "command/text.h"
#include "command/toggle.h"

#define KEY_KEEP 256
#define KEY_OFF 257

struct arguments {
	const char *name, *output;
	double seconds, wait;
	bool keep, off;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static const struct argp_option options[] = {
	{ "seconds", 's', "N", 0,
	  "how long it is on, 10; 0: what is there "
	  "already is written, and nothing is turned on",
	  0 },
	{ "output", 'o', "FILE", 0,
	  "the file; NAME.PID.pb.gz if not given, "
	  "- is stdout",
	  0 },
	{ "wait", 'w', "N", 0,
	  "seconds in which the process has to notice, "
	  "10",
	  0 },
	{ "keep", KEY_KEEP, NULL, 0, "leave it on, until --off", 0 },
	{ "off", KEY_OFF, NULL, 0,
	  "turn it off at the end, for all who want it, "
	  "the program itself too",
	  0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (key == 's')
		a->seconds = command_seconds(state, arg);
	else if (key == 'w')
		a->wait = command_seconds(state, arg);
	else if (key == 'o')
		a->output = arg;
	else if (key == KEY_KEEP)
		a->keep = true;
	else if (key == KEY_OFF)
		a->off = true;
	else
		return command_name(key, arg, state, "process or core",
				    &a->name);
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PID|CORE",
	.doc = "Writes a profile of the heap for pprof. The sampler is turned "
	       "on in the running process, and goes off some seconds after "
	       "the last who asked for it, by one word that "
	       "the library looks at in its slow calls: a process that makes "
	       "none, since it sleeps or its caches serve it, does not notice. "
	       "Of a core, what was there when it was written.",
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Until the time is over, a signal comes or the process has ended. */
static void stay_on(struct image *image, const struct root *root,
		    double seconds)
{
	double start = now(), asked = start, left = seconds;
	uint32_t word;

	while (left > 0 && !interrupted &&
	       image_read(image, root->view.switch_word, &word, sizeof(word))) {
		poll(NULL, 0, left < 0.1 ? (int)(left * 1000) + 1 : 100);
		if (now() - asked >= TOGGLE_AGAIN) {
			toggle_ask(image, root, TOGGLE_SECONDS);
			asked = now();
		}
		left = start + seconds - now();
	}
}

/* Something that is there and no file (a pipe, /dev/null) stays what it is. */
static bool is_special(const char *path)
{
	struct stat st;

	return !strcmp(path, "-") || (!stat(path, &st) && !S_ISREG(st.st_mode));
}

static int write_to(const struct profile *profile, const char *path)
{
	FILE *out = command_output(path);

	if (!out)
		return 1;
	profile_write(out, profile);
	return command_output_end(out, path);
}

static int write_whole(const struct profile *profile, const char *path)
{
	char part[4096];
	int status;

	if (snprintf(part, sizeof(part), "%s.part", path) >= (int)sizeof(part))
		return command_fails("%s: too long", path);
	status = write_to(profile, part);
	if (!status && rename(part, path))
		status = command_fails("%s: %s", path, strerror(errno));
	if (status)
		remove(part);
	return status;
}

static int write_file(const struct profile *profile, const char *path)
{
	char stacks[COUNT_TEXT], samples[COUNT_TEXT], bytes[COUNT_TEXT];

	if (is_special(path) ? write_to(profile, path) :
			       write_whole(profile, path))
		return 1;
	fprintf(stderr, "lanemalloc: %s: %s, %s, one in %s\n", path,
		text_count(stacks, profile->nr_stacks, "stack"),
		text_count(samples, profile->nr_samples, "sample"),
		text_count(bytes, profile->interval, "byte"));
	if (!profile->nr_samples)
		fprintf(stderr,
			"lanemalloc: it is empty: while it was on, the process "
			"asked for less than a few times %s; --seconds for "
			"longer, or start it by lanemalloc run "
			"--profile_interval=16k\n",
			bytes);
	return 0;
}

static int write_named(const struct arguments *a, struct image *image,
		       const struct root *root)
{
	struct profile profile;
	char path[128];
	int status;

	if (!profile_read(image, root, &profile)) {
		profile_free(&profile);
		return command_fails("%s", image->error);
	}
	snprintf(path, sizeof(path), "%s.%d.pb.gz",
		 image->comm[0] ? image->comm : "heap", image->pid);
	for (char *c = path; *c; c++)
		if (*c == '/' || *c <= ' ')
			*c = '_';
	status = write_file(&profile, a->output ? a->output : path);
	profile_free(&profile);
	return status;
}

static int run(int argc, char **argv)
{
	struct arguments a = { .seconds = 10, .wait = 10 };
	struct image image;
	struct root root;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (a.keep && a.off)
		command_misused("profile: --keep and --off; either the one or "
				"the other");
	if (!command_open(&image, &root, a.name))
		return 1;
	signal(SIGINT, interrupt);
	signal(SIGTERM, interrupt);
	if (image.pid && a.seconds > 0) {
		if (!toggle_ask(&image, &root, TOGGLE_SECONDS) ||
		    !toggle_wait(&image, &root, a.wait))
			return command_fails("%s", image.error);
		stay_on(&image, &root, a.seconds);
		toggle_end(&image, &root);
	}
	image_read_ranges(&image);
	status = write_named(&a, &image, &root);
	if (image.pid && a.keep && a.seconds > 0 &&
	    !toggle_keep(&image, &root, a.wait))
		status = command_fails("it goes off: %s", image.error);
	if (image.pid && a.off && !toggle_off(&image, &root, a.wait))
		status = command_fails("it stays on: %s", image.error);
	image_close(&image);
	return status;
}

const struct subcommand profile_command = { "profile", &argp, run };
