/* The inbox of a bin: slab_send() and inbox_take() of bin_list.c, liburcu's push
 * and pop_all, and threads that are killed at any point.
 *
 * NT threads send and take, OPS times together. A slab is a number from 1 on.
 * In the pool are full slabs: a give that wins one sends it. Partial is a
 * set; the stack behind it is trusted. Ghosts: `where` says who has a slab,
 * `length` how long the inbox's chain is, `stale` how many of its pushes took
 * their depth from a head that was no longer one, `taken` the longest chain
 * that was taken.
 */
#include "when.h"

#ifndef NT
#define NT 2
#endif
#ifndef NS
#define NS 3
#endif
#ifndef OPS
#define OPS 6
#endif
#ifndef DEPTH
#define DEPTH 2		/* INBOX_DEPTH_MOST */
#endif
#ifndef KILLS
#define KILLS 1
#endif

#define POOL 0
#define INBOX 1
#define PARTIAL 2
#define HELD (3 + _pid)

byte head;
byte next[NS + 1], depth[NS + 1];
byte where[NS + 1];
byte length, stale, taken;
bit kill[NT], ended[NT];
byte killed, done, ops;

inline partial_push(s)
{
	atomic {
		assert(where[s] == HELD);
		where[s] = PARTIAL
	}
}

inline slab_send()
{
	/* slab_give() won a full slab */
	atomic {
		select(s : 1 .. NS);
		if
		:: where[s] == POOL -> where[s] = HELD
		:: else -> s = 0
		fi
	}
	if
	:: s == 0
	:: else ->
		h = head;
		d = 1;
		when(h, d = depth[h] + 1);
		if
#ifndef M_NO_BOUND
		:: d > DEPTH -> partial_push(s)
#endif
		:: else ->
			depth[s] = d;
			/* _cds_lfs_push() */
#ifdef M_PLAIN_PUSH
			h = head;
			next[s] = h;
			atomic {
				head = s;
				where[s] = INBOX;
				length++
			}
#else
			won = 0;
			do
			:: next[s] = h;
				atomic {
					if
					:: head == h ->
						head = s;
						assert(where[s] == HELD);
						where[s] = INBOX;
						length++;
						if
						:: d == 1 + (h -> depth[h] : 0)
						:: else -> stale++
						fi;
						assert(length <=
						       DEPTH * (1 + stale));
						won = 1
					:: else -> h = head
					fi
				}
				when(won, break)
			od
#endif
		fi
	fi
}

/* After head was exchanged with 0: the chain is this thread's. */
inline own_chain()
{
	n = h;
	do
	:: n ->
		assert(where[n] == INBOX);
		where[n] = HELD;
		n = next[n]
	:: else -> break
	od;
	taken = (length > taken -> length : taken);
	length = 0;
	stale = 0
}

inline inbox_take()
{
	if
	:: head ->
#ifdef M_PLAIN_TAKE
		h = head;
		atomic { head = 0; own_chain() }
#else
		atomic { h = head; head = 0; own_chain() }
#endif
		if
		:: h ->
			n = next[h];
			do
			:: n ->
#ifdef M_NEXT_LATE
				partial_push(n);
				n = next[n]
#else
				s = next[n];
				partial_push(n);
				n = s
#endif
			:: else -> break
			od
		:: else
		fi
	:: else -> h = 0
	fi;
	s = h
}

/* bin_get(): held; then all is taken, slab_leave(): full */
inline bin_take()
{
	atomic {
		select(s : 1 .. NS);
		if
		:: where[s] == PARTIAL -> where[s] = HELD
		:: else -> s = 0
		fi
	}
	when(s == 0, inbox_take());
	if
	:: s -> atomic {
			assert(where[s] == HELD);
			where[s] = POOL;
			next[s] = 0
		}
	:: else
	fi
}

active [NT] proctype thread()
{
	byte s, h, n, d;
	bit won;

	{
		do
		:: atomic { ops < OPS -> ops++ }
			if
			:: slab_send()
			:: bin_take()
			fi;
			atomic { s = 0; h = 0; n = 0; d = 0; won = 0 }
		:: atomic { ops == OPS -> break }
		od;
		atomic { ended[_pid] = 1; done++ }
	} unless {
		kill[_pid]
	}
}

/* Kills, and when nobody runs any more counts what is lost. */
active proctype killer()
{
	byte s, i, lost;

	do
	:: atomic {
		killed < KILLS && done + killed < NT ->
		select(i : 0 .. NT - 1);
		when(!kill[i] && !ended[i], kill[i] = 1; killed++)
	   }
	:: atomic {
		done + killed >= NT ->
		/* the inbox holds what it should, once */
		s = head;
		do
		:: s ->
			assert(where[s] == INBOX);
			where[s] = POOL;
			s = next[s]
		:: else -> break
		od;
		/* the others are in partial, full, or a dead one's */
		s = 1;
		do
		:: s <= NS ->
			if
			:: where[s] == POOL || where[s] == PARTIAL
			:: else ->
				assert(where[s] >= 3 && kill[where[s] - 3]);
				lost++
			fi;
			s++
		:: else -> break
		od;
		assert(lost <= killed * (taken > 1 -> taken : 1));
		break
	   }
	od
}
