/* The drain of a CPU's cache: drain.c, with the sections of percpu.h.
 *
 * One lane in each of two areas; one CPU that pops and pushes, OPS times; ND
 * drainers that may sleep for ever or for a while and be superseded, DRAINS
 * attempts together. A lane's count stands for where its top is. A section
 * reads step by step and commits by one store; an interrupt or a fence before
 * the commit undoes it. The fence may fail. An object that a drainer popped
 * counts as given. Ghost: `where` says who has an object. Slots whose memory
 * went back hold nothing.
 */
#include "when.h"

#ifndef ND
#define ND 2
#endif
#ifndef NOBJ
#define NOBJ 2
#endif
#ifndef OPS
#define OPS 3
#endif
#ifndef DRAINS
#define DRAINS 3
#endif

#define CAP NOBJ
#define NOTHING NOBJ
#define LANE 0
#define USER 1
#define SLAB 2
#define SLOT(a, n) slot[(a) * CAP + (n)]

bit table;
bit dropping;
byte count[2];
byte slot[2 * CAP];	/* at first object i is in slot i */
byte lease;
byte where[NOBJ];
bit inside[ND + 1], aborted[ND + 1];
byte ops, drains;
bit started;

/* Every object of the lanes is in exactly one slot below a count. */
inline lanes_check()
{
	d_step {
		o = 0;
		do
		:: o < NOBJ ->
			k = 0;
			seen = 0;
			do
			:: k < CAP ->
				when(k < count[0] && SLOT(0, k) == o, seen++);
				when(k < count[1] && SLOT(1, k) == o, seen++);
				k++
			:: else -> break
			od;
			assert(seen == (where[o] == LANE));
			o++
		:: else -> break
		od;
		o = 0;
		k = 0;
		seen = 0
	}
}

/* arm: rseq_cs = &descriptor */
inline section_enter()
{
	aborted[_pid] = 0;
	inside[_pid] = 1
}

inline section_leave()
{
	inside[_pid] = 0;
	aborted[_pid] = 0
}

/* rseq_fence(): sections in flight commit before it or not at all */
inline rseq_fence()
{
	atomic {
		if
		:: k = 0;
			do
			:: k <= ND ->
				aborted[k] = inside[k];
				k++
			:: else -> break
			od;
			k = 0;
			ok = 1
#ifndef FENCE_SURE
		:: ok = 0
#endif
		fi
	}
}

/* percpu_pop() and percpu_push(), an object of the program's */
active proctype cpu()
{
	byte n, obj, o, k, seen;
	bit a, push;

	atomic {
		do
		:: count[0] < NOBJ ->
			SLOT(0, count[0]) = count[0];
			count[0] = count[0] + 1
		:: else -> break
		od;
		started = 1
	}

	do
	:: atomic {
		ops < OPS ->
		ops++;
		if
		:: push = 0
		:: push = 1;
			obj = 0;
			do
			:: obj < NOBJ && where[obj] != USER -> obj++
			:: else -> break
			od
		fi;
		when(push && obj == NOBJ, goto next);
		section_enter();
		a = table
	   }
		if
		:: atomic { aborted[_pid] -> goto next }
		:: atomic { else -> n = count[a] }
		fi;
		if
		:: atomic { aborted[_pid] -> goto next }
		:: atomic { else ->
			if
			:: !push && n == 0 -> goto next
			:: push && n == CAP -> goto next
			:: push -> SLOT(a, n) = obj
			:: else -> obj = SLOT(a, n - 1)
			fi
		   }
		fi;
		if
		/* preempted, moved, signalled, fenced */
		:: atomic { true -> skip }
		:: atomic { !aborted[_pid] ->
			if
			:: push ->
				count[a] = n + 1;
				assert(where[obj] == USER);
				where[obj] = LANE
			:: else ->
				count[a] = n - 1;
				assert(where[obj] == LANE);
				where[obj] = USER
			fi;
			lanes_check()
		   }
		fi;
next:		atomic { section_leave(); n = 0; obj = 0; a = 0; push = 0 }
	:: atomic { ops == OPS -> break }
	od
}

/* lane_empty(): pops all there is; ok = 0: the lease is lost, or every try
 * aborts */
inline area_empty(a)
{
	do
	:: atomic {
		section_enter();
#ifndef M_POP_UNCHECKED
		when(lease != mine, ok = 0; section_leave(); break)
#endif
	   }
		if
		:: atomic { aborted[_pid] -> skip }
		:: atomic { else ->
			n = count[a];
			if
			:: n == 0 -> ok = 1; section_leave(); break
			:: else -> obj = SLOT(a, n - 1)
			fi
		   }
			if
			:: atomic { true -> skip }
			:: atomic { !aborted[_pid] ->
				count[a] = n - 1;
				assert(where[obj] == LANE);
				where[obj] = SLAB;
				lanes_check()
			   }
			fi
		fi;
		atomic {
			section_leave();
			n = 0;
			obj = 0;
			/* gives up, or goes on */
			if
			:: true
			:: ok = 0; break
			fi
		}
	od
}

/* area_swap() */
inline area_swap(a)
{
	do
	:: atomic {
		section_enter();
#ifndef M_SWAP_UNCHECKED
		when(lease != mine, ok = 0; section_leave(); break)
#endif
	   }
		if
		:: atomic { true -> ok = 0; section_leave(); break }
		:: atomic { !aborted[_pid] ->
			table = a;
			ok = 1;
			section_leave();
			break
		   }
		fi
	od
}

inline lease_take()
{
	mine = lease;
	atomic { n = mine & 1 }
	if
	/* held, and not past its deadline */
	:: n -> ok = 0
	:: true ->
		atomic {
			if
			:: lease == mine ->
				mine = mine + 1 + n;
				lease = mine;
				ok = 1
			:: else -> ok = 0
			fi
		}
#ifndef M_SUPERSEDE_UNFENCED
		when(ok && n, rseq_fence())
#endif
	fi;
	n = 0
}

/* slots_drop() */
inline slots_drop(a)
{
	do
	:: atomic {
		section_enter();
#ifndef M_MARK_UNCHECKED
		when(lease != mine, ok = 0; section_leave(); break)
#endif
	   }
		if
		:: atomic { true -> ok = 0; section_leave(); break }
		:: atomic { !aborted[_pid] ->
			dropping = 1;
			section_leave();
			break
		   }
		fi
	od;
	if
	:: ok ->
		atomic {
			do
			:: k < CAP -> SLOT(a, k) = NOTHING; k++
			:: else -> break
			od;
			k = 0;
			lanes_check()
		}
		dropping = 0
	:: else -> ok = 1	/* as it was: nothing hangs on it */
	fi
}

inline cache_drain()
{
	spare = !table;
	area_empty(spare);
	when(ok, area_swap(spare));
#ifndef M_NO_FENCE
	when(ok, rseq_fence());
#endif
	when(ok, area_empty(!spare));
	when(ok, slots_drop(!spare))
}

active [ND] proctype drainer()
{
	byte mine, n, obj, o, k, seen;
	bit ok, spare;

	started;
	do
	:: atomic { drains < DRAINS -> drains++ }
		lease_take();
		if
		:: ok ->
			if
#ifndef M_DROP_UNSEEN
			:: dropping	/* somebody does: not this id */
#endif
			:: atomic {
#ifndef M_DROP_UNSEEN
				!dropping
#else
				true
#endif
				-> skip }
				cache_drain()
			fi;
			/* lease_drop(); a drain that broke off keeps it: the
			 * next holder must fence */
			if
#ifdef M_DROP_ALWAYS
			:: atomic { lease == mine -> lease = mine + 1 }
#else
			:: atomic { ok && lease == mine -> lease = mine + 1 }
#endif
			:: else
			fi
		:: else
		fi;
		atomic { mine = 0; n = 0; obj = 0; ok = 0; spare = 0 }
	:: atomic { drains == DRAINS -> break }
	od
}
