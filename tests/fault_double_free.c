/* modes: all no-qemu */
/* a block freed twice, with nothing between: by free and by its relatives */
#include "fault.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

FAULT(at_once, NULL, 1, 16, 100, 1000, 5000, 16384, 32768)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	free(opaque(p));
	free(opaque(p));
	flush_caches(); /* the thread may have changed its CPU between them */
}

/* A large block's units are nobody's as soon as they are free. */
FAULT(large, NULL, 32769, 100000, 262145, 1 << 20, 2 << 20, 64 << 20)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	announce("free of %p: not a block", p);
	free(opaque(p));
	free(opaque(p));
}

static void *free_it(void *p)
{
	free(p);
	return NULL;
}

FAULT(by_two_threads, NULL, 100, 5000)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	for (int i = 0; i < 2; i++)
		thread_run(free_it, p);
	flush_caches();
}

FAULT(by_delete, NULL, 100)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	free(opaque(p));
	LOOK(void (*)(void *), "_ZdlPv")(opaque(p));
	flush_caches();
}

FAULT(by_realloc, NULL, 100, 20000)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	announce("realloc of %p: already free", p);
	must(!realloc(opaque(p), opaque((size_t)0)));
	must(!realloc(opaque(p), opaque((size_t)0)));
	flush_caches();
}

/* With the checks on, the second free never returns. */
FAULT(checked, "checks=1", 1, 100, 1000, 5000, 32768)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	free(opaque(p));
	free(opaque(p));
	_exit(0);
}
FAULT_ALSO(checked, "checks=fast", 1, 100, 1000, 5000, 32768)

static void kill_for_open(void)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	static struct sock_fprog program = { ARRAY_SIZE(code), code };

	must(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

/* The file is not tried behind a filter: the report is all there is. */
FAULT(filtered, "report_file=/tmp/fault.none", 100)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	announce("  not written to /tmp/fault.none: error 1, not permitted");
	kill_for_open();
	free(opaque(p));
	free(opaque(p));
	flush_caches();
}
FAULT_ALSO(filtered, "checks=1,report_file=/tmp/fault.none", 100, 5000)

FAULT_MAIN()
