/* The gate: gate_close(), gate_open(), gate_start() of gate.c,
 * anchor_commit(), and children that must find it closed.
 *
 * NT threads close, run a child, open, ROUNDS times together; one thread
 * starts the gate; one commits units. A section compares the gate's count and
 * commits by one store; an interrupt or a fence before the commit undoes it.
 */
#include "when.h"

#ifndef NT
#define NT 2
#endif
#ifndef ROUNDS
#define ROUNDS 3
#endif
#ifndef COMMITS
#define COMMITS 2
#endif

#define COUNT_MASK 7
#define VERSION_ONE 8
#define NPROC (NT + 1)

byte gate;
byte tags_end, small_end;
byte nr_committed = 1;
byte children;
byte rounds, done;
bit inside[NPROC], aborted[NPROC];

/* Whoever opens a word while a child runs would let it run sections. */
#define no_child() assert(children == 0)

/* open_word(): percpu_store_checked(); ok = 0: the count changed */
inline open_word(word, value)
{
#ifdef M_PLAIN_OPEN
	atomic {
		no_child();
		word = value;
		ok = 1
	}
#else
	do
	:: atomic {
		aborted[_pid] = 0;
		if
		:: gate == mine -> inside[_pid] = 1
		:: else -> ok = 0; break
		fi
	   }
		atomic {
			inside[_pid] = 0;
			if
			:: !aborted[_pid] ->
				no_child();
				word = value;
				ok = 1;
				break
			:: else -> aborted[_pid] = 0
			fi
		}
	od
#endif
}

inline anchor_commit(units)
{
	end = tags_end;
	do
	:: end && end < units ->
#ifdef M_PLAIN_COMMIT
		atomic {
			no_child();
			tags_end = units;
			break
		}
#else
		atomic {
			if
			:: tags_end == end ->
				no_child();
				tags_end = units;
				break
			:: else -> end = tags_end
			fi
		}
#endif
	:: else -> break
	od;
	end = 0
}

inline open_words()
{
	n = nr_committed;
	open_word(tags_end, n);
	if
	:: ok ->
		open_word(small_end, 1);
#ifndef M_NO_SECOND_END
		n = nr_committed;
		anchor_commit(n)
#endif
	:: else
	fi
}

inline rseq_fence()
{
	d_step {
		n = 0;
		do
		:: n < NPROC -> aborted[n] = inside[n]; n++
		:: else -> break
		od;
		n = 0
	}
}

inline gate_close()
{
#ifdef M_FENCE_FIRST
	rseq_fence();
#endif
	/* add_relaxed(&gate_count, GATE_VERSION_ONE + 1) */
#ifdef NO_VERSION
	gate = gate + 1;
#else
	gate = gate + VERSION_ONE + 1;
#endif
#ifdef M_STORE_FIRST
	small_end = 0;
	tags_end = 0;
#endif
#if !defined(M_NO_FENCE) && !defined(M_FENCE_FIRST)
	rseq_fence();
#endif
#ifndef M_STORE_FIRST
	small_end = 0;
	tags_end = 0
#endif
}

inline gate_open()
{
#ifdef NO_VERSION
	atomic { gate = gate - 1; mine = gate }
#else
	atomic { gate = gate + VERSION_ONE - 1; mine = gate }
#endif
#ifdef M_COUNT_IGNORED
	open_words();
#else
	if
	:: mine & COUNT_MASK
	:: else -> open_words()
	fi
#endif
}

inline quiet_check()
{
	done++;
	when(done == NT + 2,
		assert(!(gate & COUNT_MASK));
		assert(small_end && tags_end == nr_committed))
}

active [NT] proctype closer()
{
	byte mine, n, end;
	bit ok;

	do
	:: atomic { rounds < ROUNDS -> rounds++ }
		gate_close();
		atomic {
			assert(!small_end && !tags_end);
			children++
		}
		/* the child runs, and looks when it likes */
		atomic {
			assert(!small_end && !tags_end);
			children--
		}
		gate_open();
		atomic { mine = 0; n = 0; ok = 0 }
	:: atomic { rounds == ROUNDS -> break }
	od;
	atomic { quiet_check() }
}

/* gate_start(), possibly late */
active proctype starter()
{
	byte mine, n, end;
	bit ok;

	mine = gate;
	if
	:: mine & COUNT_MASK
	:: else -> open_words()
	fi;
	atomic { quiet_check() }
}

/* region_cover(), in any thread */
active proctype committer()
{
	byte end, n;

	do
	:: nr_committed < COMMITS + 1 ->
		nr_committed++;
		n = nr_committed;
		anchor_commit(n)
	:: else -> break
	od;
	atomic { quiet_check() }
}
