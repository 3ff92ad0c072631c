/* layer 7.6: serve: lanemalloc serve PID...|--all
 *
 * A small server of HTTP, on loopback unless told otherwise, for programs that
 * fetch metrics and profiles:
 *
 *	/metrics		Prometheus' text, of one or of all processes
 *	/debug/pprof/heap	profile.proto; of several all together, each
 *				stack with the labels `pid` and `process`, or
 *				of one by ?pid=N
 *	/debug/pprof/symbol	no names: those that there are stand in the
 *				profile, and go tool pprof asks for the others
 *				of what it fetched
 *	/stats.json		as `stats --json` has it; of several an array,
 *				or of one by ?pid=N
 *
 * The first fetch of a profile turns the process's sampler on, and it stays on
 * while the server asks for it (toggle.h), which it does until it ends. Of
 * several all are asked before any is waited for, and those that do not notice
 * are left out. Every answer is made anew; requests are served one after the
 * other, by one thread, while the first one asks.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/profile.h"
#include "command/show.h"
#include "command/toggle.h"
#include "command/wanted.h"

#define PROCESSES_MOST 256
#define KEY_ALL 256
#define WAIT_SECONDS 2
#define SYMBOL "/debug/pprof/symbol"

struct process {
	struct image image;
	struct root root;
	struct heap heap;
};

struct server {
	const char *listen;
	const char *names[PROCESSES_MOST]; /* none: all */
	size_t nr_names;
	uint64_t starts[PROCESSES_MOST]; /* when they were; 0: a core */
	bool all;
};

static const struct argp_option options[] = {
	{ "listen", 'l', "ADDRESS:PORT", 0,
	  "127.0.0.1:9465 if not given; port "
	  "0 is any that is free",
	  0 },
	{ "all", KEY_ALL, NULL, 0,
	  "all processes that may be read and have "
	  "the library mapped",
	  0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct server *s = state->input;

	if (key == 'l')
		s->listen = arg;
	else if (key == KEY_ALL)
		s->all = true;
	else if (key == ARGP_KEY_ARG && s->nr_names < PROCESSES_MOST)
		s->names[s->nr_names++] = arg;
	else if (key == ARGP_KEY_ARG)
		command_misused("serve: more than %d processes",
				PROCESSES_MOST);
	else if (key != ARGP_KEY_END)
		return ARGP_ERR_UNKNOWN;
	else if (s->all && s->nr_names)
		command_misused("serve: --all and process %s; either the one "
				"or the other",
				s->names[0]);
	else if (!s->all && !s->nr_names)
		command_lacks(state, "process or --all");
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PID...|--all",
	.doc = "Serves metrics and profiles by HTTP. /metrics is for "
	       "Prometheus, /debug/pprof/heap for what fetches pprof's "
	       "profiles (Parca, Pyroscope, go tool pprof), of a server that "
	       "knows nothing of it; /stats.json is as `stats --json'. Of "
	       "several processes there is one profile, in which labels tell "
	       "them apart, or that of one by ?pid=N. The first fetch of a "
	       "profile turns the sampler on; it goes off some seconds after "
	       "this command ends.",
};

/* Processes */

static bool is_number(const char *name)
{
	return *name && !name[strspn(name, "0123456789")];
}

/* Whether it is the one that was there when this command was started, where it
 * was named then. */
static bool is_the_same(const struct server *s, struct image *image,
			const char *name)
{
	for (size_t i = 0; i < s->nr_names; i++)
		if (!strcmp(s->names[i], name) && image->start != s->starts[i])
			return image_fails(image,
					   "process %d has ended, and another "
					   "one has its number",
					   image->pid);
	return true;
}

/* Without a look at its heap. False: p->image.error says why. */
static bool process_open(const struct server *s, struct process *p,
			 const char *name)
{
	if (image_open(&p->image, name) && is_the_same(s, &p->image, name) &&
	    root_find(&p->image, &p->root))
		return true;
	image_close(&p->image);
	return false;
}

static bool process_read(const struct server *s, struct process *p,
			 const char *name)
{
	if (!process_open(s, p, name))
		return false;
	if (heap_read(&p->image, &p->root, &p->heap, NULL, NULL))
		return true;
	image_close(&p->image);
	return false;
}

/* Why it could not be read, also when it is closed, until the next is asked. */
static const char *why_not(const struct process *p)
{
	static char why[sizeof(p->image.error)];

	memcpy(why, p->image.error, sizeof(why));
	return why;
}

static void process_close(struct process *p)
{
	heap_free(&p->heap);
	image_close(&p->image);
}

/* Whether it has the library's file mapped; so others need not be searched. */
static bool has_library(const char *pid)
{
	struct image image;
	bool found = false;

	if (image_open(&image, pid))
		for (size_t i = 0; i < image.nr_ranges && !found; i++)
			found = strstr(image.ranges[i].path, "liblanemalloc");
	image_close(&image);
	return found;
}

/* Takes processes, each by take(), at most PROCESSES_MOST; how many. */
typedef bool take_process(const struct server *s, struct process *p,
			  const char *name);

static size_t each_found(const struct server *s, struct process *processes,
			 take_process *take)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	size_t nr = 0;

	while (dir && nr < PROCESSES_MOST && (entry = readdir(dir)))
		if (is_number(entry->d_name) && has_library(entry->d_name) &&
		    take(s, &processes[nr], entry->d_name))
			nr++;
	if (dir)
		closedir(dir);
	return nr;
}

static size_t each_process(const struct server *s, struct process *processes,
			   take_process *take)
{
	size_t nr = 0;

	if (s->all)
		return each_found(s, processes, take);
	for (size_t i = 0; i < s->nr_names; i++)
		nr += take(s, &processes[nr], s->names[i]);
	return nr;
}

/* Answers: each writes into out, or returns why not. */

static const char *metrics(struct server *s, FILE *out)
{
	struct process *p = calloc(PROCESSES_MOST, sizeof(*p));
	struct shown *shown = calloc(PROCESSES_MOST, sizeof(*shown));
	const char *why;
	size_t nr = 0;

	if (p && shown)
		nr = each_process(s, p, process_read);
	for (size_t i = 0; i < nr; i++)
		shown[i] = (struct shown){ &p[i].image, &p[i].root,
					   &p[i].heap };
	show_prometheus(out, shown, nr);
	for (size_t i = 0; i < nr; i++)
		process_close(&p[i]);
	if (nr || s->all)
		why = NULL;
	else
		why = p && shown ? why_not(&p[0]) : "no memory";
	free(p);
	free(shown);
	return why;
}

static const char *stats_all(const struct server *s, FILE *out)
{
	struct process *p = calloc(PROCESSES_MOST, sizeof(*p));
	size_t nr = p ? each_process(s, p, process_read) : 0;

	fputc('[', out);
	for (size_t i = 0; i < nr; i++) {
		if (i)
			fputc(',', out);
		show_json(out, &p[i].image, &p[i].root, &p[i].heap);
		process_close(&p[i]);
	}
	fputs("]\n", out);
	free(p);
	return NULL;
}

static const char *stats(const struct server *s, FILE *out, const char *name)
{
	struct process p;

	if (!process_read(s, &p, name))
		return why_not(&p);
	show_json(out, &p.image, &p.root, &p.heap);
	process_close(&p);
	return NULL;
}

/* Asks for the profile, from now on until the end. */
static bool ask_on(struct process *p)
{
	if (!toggle_ask(&p->image, &p->root, TOGGLE_SECONDS))
		return false;
	return !p->image.pid || wanted_note(&p->image);
}

static void once_more(struct image *image, const struct root *root)
{
	toggle_ask(image, root, TOGGLE_SECONDS);
}

static bool profile_of(struct process *p, struct profile *profile)
{
	*profile = (struct profile){ 0 };
	return ask_on(p) && toggle_wait(&p->image, &p->root, WAIT_SECONDS) &&
	       profile_read(&p->image, &p->root, profile);
}

static const char *pprof(const struct server *s, FILE *out, const char *name)
{
	struct process p;
	struct profile profile = { 0 };
	bool opened = process_open(s, &p, name);
	bool done = opened && profile_of(&p, &profile);

	if (done)
		profile_write(out, &profile);
	profile_names_end();
	profile_free(&profile);
	if (opened)
		image_close(&p.image);
	return done ? NULL : why_not(&p);
}

/* All that noticed within the time that one has. */
static size_t profiles_join(struct process *p, size_t nr, struct profile *all)
{
	static bool asked[PROCESSES_MOST];
	double left = WAIT_SECONDS;
	struct profile one;
	size_t n = 0;

	for (size_t i = 0; i < nr; i++)
		asked[i] = ask_on(&p[i]);
	for (size_t i = 0; i < nr; i++) {
		if (!asked[i])
			continue;
		if (!toggle_wait(&p[i].image, &p[i].root, left)) {
			left = 0;
			continue;
		}
		if (profile_read(&p[i].image, &p[i].root, &one))
			n += profile_join(all, &one, p[i].image.comm);
		profile_free(&one);
	}
	return n;
}

static const char *pprof_all(struct server *s, FILE *out)
{
	struct process *p = calloc(PROCESSES_MOST, sizeof(*p));
	size_t nr = p ? each_process(s, p, process_open) : 0, n;
	struct profile all = { 0 };

	n = profiles_join(p, nr, &all);
	if (n)
		profile_write(out, &all);
	profile_names_end();
	profile_free(&all);
	for (size_t i = 0; i < nr; i++)
		image_close(&p[i].image);
	free(p);
	if (n)
		return NULL;
	return nr ? "no process noticed that it is to turn its profile on" :
		    "no process may be read and has the library";
}

static void index_page(FILE *out)
{
	fputs("<!DOCTYPE html><title>lanemalloc</title><p><a href=\"/metrics\">"
	      "metrics</a>, <a href=\"/debug/pprof/heap\">heap profile</a>, "
	      "<a href=\"/stats.json\">statistics</a>\n",
	      out);
}

/* What ?pid=N may name. */
static bool is_served(const struct server *s, const char *name)
{
	if (s->all)
		return is_number(name);
	for (size_t i = 0; i < s->nr_names; i++)
		if (!strcmp(s->names[i], name))
			return true;
	return false;
}

/* NULL: it is answered; else why not. *type: of the answer. */
static const char *answer(struct server *s, FILE *out, const char *url,
			  const char *pid, const char **type)
{
	const char *name = !pid && s->nr_names == 1 ? s->names[0] : pid;

	*type = "text/plain; version=0.0.4; charset=utf-8";
	if (!strcmp(url, "/metrics"))
		return metrics(s, out);
	if (!strcmp(url, SYMBOL)) {
		fputs("num_symbols: 0\n", out);
		return NULL;
	}
	if (!strcmp(url, "/")) {
		*type = "text/html";
		index_page(out);
		return NULL;
	}
	if (name && !is_served(s, name))
		return "not found";
	if (!strcmp(url, "/stats.json")) {
		*type = "application/json";
		return name ? stats(s, out, name) : stats_all(s, out);
	}
	if (!strcmp(url, "/debug/pprof/heap")) {
		*type = "application/octet-stream";
		return name ? pprof(s, out, name) : pprof_all(s, out);
	}
	return "not found";
}

static enum MHD_Result respond(struct MHD_Connection *connection,
			       unsigned status, const char *type, char *text,
			       size_t size)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
		size, text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	result = MHD_queue_response(connection, status, r);
	MHD_destroy_response(r);
	return result;
}

/* Whether more of what is posted comes first; it is not read. */
static bool is_posted(const char *method, size_t *upload_size, void **state)
{
	static char seen;
	bool more = !*state || *upload_size;

	if (strcmp(method, MHD_HTTP_METHOD_POST))
		return false;
	*state = &seen;
	*upload_size = 0;
	return more;
}

static enum MHD_Result serve(void *context, struct MHD_Connection *connection,
			     const char *url, const char *method,
			     const char *version, const char *upload,
			     size_t *upload_size, void **state)
{
	const char *pid = MHD_lookup_connection_value(
		connection, MHD_GET_ARGUMENT_KIND, "pid");
	const char *type, *why;
	char *text = NULL;
	size_t size;
	FILE *out;

	(void)version;
	(void)upload;
	if (is_posted(method, upload_size, state))
		return MHD_YES;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(url, SYMBOL))
		return respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
			       "text/plain", strdup("GET alone\n"), 10);
	out = open_memstream(&text, &size);
	if (!out)
		return MHD_NO;
	why = answer(context, out, url, pid, &type);
	if (why) {
		rewind(out);
		fprintf(out, "%s\n", why);
		type = "text/plain";
	}
	if (fclose(out))
		return MHD_NO;
	return respond(connection,
		       !why			 ? MHD_HTTP_OK :
		       !strcmp(why, "not found") ? MHD_HTTP_NOT_FOUND :
						   MHD_HTTP_SERVICE_UNAVAILABLE,
		       type, text, size);
}

/* getaddrinfo() takes the lowest 16 bits of any number. */
static bool is_port(const char *text)
{
	return *text && strlen(text) <= 5 &&
	       !text[strspn(text, "0123456789")] &&
	       strtoul(text, NULL, 10) <= UINT16_MAX;
}

/* "127.0.0.1:80", "[::1]:80"; NULL, or what is wrong with it. */
static const char *address_of(const char *text, struct addrinfo **out)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_PASSIVE,
				  .ai_socktype = SOCK_STREAM };
	char host[128];
	const char *port = strrchr(text, ':');
	size_t n = port ? (size_t)(port - text) : 0;

	if (!port)
		return "no ADDRESS:PORT, as 127.0.0.1:9465 is one";
	if (!is_port(port + 1))
		return "what is behind the colon is no port, 0 to 65535";
	if (n >= sizeof(host))
		return "too long";
	snprintf(host, sizeof(host), "%.*s", (int)n, text);
	if (host[0] == '[' && n > 2 && host[n - 1] == ']') {
		host[n - 1] = '\0';
		memmove(host, host + 1, n - 1);
	}
	if (!*host || getaddrinfo(host, port + 1, &hints, out))
		return "no address in numbers: 127.0.0.1, [::1], 0.0.0.0 for "
		       "all; names are not looked up";
	return NULL;
}

static struct MHD_Daemon *daemon_start(struct server *s)
{
	struct addrinfo *at = NULL;
	struct MHD_Daemon *d;
	unsigned flags = MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD;
	const char *wrong = address_of(s->listen, &at);
	int error;

	if (wrong)
		command_misused("--listen %s: %s", s->listen, wrong);
	if (at->ai_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	d = MHD_start_daemon(flags, 0, NULL, NULL, serve, s,
			     MHD_OPTION_SOCK_ADDR, at->ai_addr,
			     MHD_OPTION_CONNECTION_TIMEOUT, 30u,
			     MHD_OPTION_END);
	error = errno;
	freeaddrinfo(at);
	if (!d)
		command_fails("cannot listen on %s: %s", s->listen,
			      strerror(error));
	return d;
}

/* Until a signal of the set comes. */
static void ask_until(const sigset_t *set)
{
	const struct timespec rest = { TOGGLE_AGAIN, 0 };

	while (sigtimedwait(set, NULL, &rest) < 0)
		wanted_toggle(once_more);
}

static int run(int argc, char **argv)
{
	static struct server s = { .listen = "127.0.0.1:9465" };
	const union MHD_DaemonInfo *info;
	struct MHD_Daemon *d;
	struct image image;
	struct root root;
	sigset_t set;

	argp_parse(&argp, argc, argv, 0, NULL, &s);
	for (size_t i = 0; i < s.nr_names; i++) {
		if (!command_open(&image, &root, s.names[i]))
			return 1;
		s.starts[i] = image.start;
		image_close(&image);
	}
	/* Before threads are made, so that they have it, too. */
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	d = daemon_start(&s);
	if (!d)
		return 1;
	info = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT);
	printf("listening on %.*s:%u\n",
	       (int)(strrchr(s.listen, ':') - s.listen), s.listen,
	       info ? info->port : 0);
	fflush(stdout);
	ask_until(&set);
	MHD_stop_daemon(d);
	wanted_toggle(toggle_end);
	return 0;
}

const struct subcommand serve_command = { "serve", &argp, run };
