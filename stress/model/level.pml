/* Two levels of the page heap: claim, release, carve and coalesce of
 * level.c, the purge of dirty.c, of one hugepage and of several together.
 *
 * The parent word has NH granules (hugepages), a word below two units. Bit
 * set = free. NT threads take runs of 1 or 2 units, give and purge, OPS times
 * together, and may be killed at any point. Ghosts: `claimed` says whose a
 * unit is, `content` whether it has something in it.
 */
#include "when.h"

#ifndef NT
#define NT 2
#endif
#ifndef NH
#define NH 2
#endif
#ifndef OPS
#define OPS 5
#endif
#ifndef KILLS
#define KILLS 0
#endif

#define ALL 3
#define ME (1 + _pid)

/* level 1's word; bit h set: hugepage h is free as a whole, and closed */
byte parent = (1 << NH) - 1;
/* level 0's words and the dirty words */
byte word[NH], dirty[NH];

byte claimed[2 * NH];
bit content[2 * NH];
bit kill[NT], ended[NT];
/* Ghost: the thread holds a range of hugepages, to purge it. */
bit ranging[NT];
byte ops, done, killed;

/* Ghost: the units of mask m in hugepage h pass from one to another. */
inline pass(h, m, from, to)
{
	when((m) & 1,
		assert(claimed[2 * h] == from);
		claimed[2 * h] = to);
	when((m) & 2,
		assert(claimed[2 * h + 1] == from);
		claimed[2 * h + 1] = to)
}

/* Any n units of a plain copy: mask in m, 0 if there are none. */
inline pick(n, copy)
{
	if
	:: n == 1 && ((copy) & 1) -> m = 1
	:: n == 1 && ((copy) & 2) -> m = 2
	:: n == 2 && (copy) == ALL -> m = ALL
	:: else -> m = 0
	fi
}

/* level_open(): the second half of carve */
inline level_open(h, free)
{
	when(free,
		atomic {
			word[h] = free;
			pass(h, free, ME, 0)
		})
}

/* level_take(): any word whose bits fit, else carve. m = 0: nothing. */
inline level_take(n)
{
	/* a hugepage that looks as if it fits; hints may be wrong */
	atomic {
		select(h : 0 .. NH - 1)
	}
	/* level_try_take() */
	f = word[h];
	do
	:: atomic {
		pick(n, f);
		when(m == 0, break)
	   }
#ifdef M_PLAIN_CLAIM
		atomic { word[h] = f & ~m; pass(h, m, 0, ME) }
		break
#else
		atomic {
			if
			:: word[h] == f ->
				word[h] = f & ~m;
				pass(h, m, 0, ME);
				break
			:: else -> f = word[h]
			fi
		}
#endif
	od;
	if
	:: m
	:: else ->
		/* level_take(level + 1): claim the granule's bit */
#ifdef M_OPEN_FIRST
		when(parent & (1 << h), word[h] = ALL);
#endif
		f = parent;
		do
		:: f & (1 << h) ->
			atomic {
				if
				:: parent == f ->
					parent = f & ~(1 << h);
					pass(h, ALL, 0, ME);
					m = n;
					break
				:: else -> f = parent
				fi
			}
		:: else -> break
		od;
		when(m == 1 && !(dirty[h] & 1) && (dirty[h] & 2), m = 2);
		if
		:: m -> level_open(h, (ALL & ~m))
		:: else
		fi
	fi
}

/* level_release() of level 1 */
inline level_release_whole(h)
{
	assert(!(parent & (1 << h)));
	atomic {
		parent = parent | (1 << h);
		pass(h, ALL, ME, 0)
	}
}

/* level_release() of level 0 with level_coalesce_word() */
inline level_release(h, m)
{
	assert(!(parent & (1 << h)));
#ifdef M_PLAIN_RELEASE
	f = word[h];
	atomic {
		pass(h, m, ME, 0);
		f = f | m;
		word[h] = f
	}
#else
	atomic {
		assert(!(word[h] & m));
		f = word[h] | m;
		word[h] = f;
		pass(h, m, ME, 0)
	}
#endif
	if
	:: f == ALL ->
#if defined(M_PARENT_FIRST)
		when(word[h] == ALL,
			parent = parent | (1 << h);
			atomic {
				when(word[h] == ALL, word[h] = 0)
			})
#elif defined(M_COALESCE_STORE)
		atomic {
			word[h] = 0;
			pass(h, ALL, 0, ME)
		}
		level_release_whole(h)
#else
		atomic {
			if
			:: word[h] == ALL ->
				word[h] = 0;
				pass(h, ALL, 0, ME)
			:: else -> f = 0
			fi
		}
		when(f == ALL, level_release_whole(h))
#endif
	:: else
	fi
}

/* dirty_count(), then the program's use: units whose dirty bit was clear are
 * promised to be zero. */
inline units_finish(h, m)
{
	f = dirty[h];
	atomic {
		assert(!(m & 1) || claimed[2 * h] == ME);
		assert(!(m & 2) || claimed[2 * h + 1] == ME);
		assert(!(m & 1) || (f & 1) || !content[2 * h]);
		assert(!(m & 2) || (f & 2) || !content[2 * h + 1]);
		when(m & 1, content[2 * h] = 1);
		when(m & 2, content[2 * h + 1] = 1)
	}
}

/* The program's units: what it wrote is still there. */
inline use(h, m)
{
	atomic {
		assert(!(m & 1) || content[2 * h]);
		assert(!(m & 2) || content[2 * h + 1])
	}
}

/* madvise, then the dirty bits */
inline dirty_drop(h, m)
{
	atomic {
		when(m & 1, content[2 * h] = 0);
		when(m & 2, content[2 * h + 1] = 0)
	}
	dirty[h] = dirty[h] & ~m
}

/* dirty_mark() before the release; or, of a whole hugepage, what a huge run
 * gets: dropped while it is held, and released at level 1. */
inline page_heap_give(h, m)
{
	if
	:: m == ALL ->
		dirty_drop(h, m);
		level_release_whole(h)
	:: true ->
#ifdef M_MARK_LATE
		f = m;
		level_release(h, m);
		dirty[h] = dirty[h] | m
#else
		dirty[h] = dirty[h] | m;
		level_release(h, m)
#endif
	fi
}

/* dirty_purge_whole(): all that are free as a whole, by one CAS and one
 * call. The call comes before the dirty words, one by one. */
inline dirty_purge_whole()
{
	f = parent;
	atomic {
		if
#ifdef M_PLAIN_RANGE
		:: true ->
#else
		:: parent == f ->
#endif
			parent = 0;
			m = f;
			h = 0;
			do
			:: h < NH ->
				when(m & (1 << h), pass(h, ALL, 0, ME));
				h++
			:: else -> break
			od;
			h = 0;
			ranging[_pid] = 1
		:: else
		fi
	}
	if
	:: m ->
		do
		:: h < NH ->
			when(m & (1 << h), dirty_drop(h, ALL));
			h++
		:: else -> break
		od;
		atomic {
			assert(!(parent & m));
			parent = parent | m;
			h = 0;
			do
			:: h < NH ->
				when(m & (1 << h), pass(h, ALL, ME, 0));
				h++
			:: else -> break
			od;
			ranging[_pid] = 0
		}
	:: else -> ranging[_pid] = 0
	fi
}

inline dirty_purge()
{
	atomic {
		select(h : 0 .. NH - 1)
	}
	/* dirty_purge_open() */
	f = word[h];
	m = 0;
	if
	:: f ->
		do
		:: m = f & dirty[h];
			when(m == 0, break);
#ifdef M_PURGE_UNCLAIMED
			dirty_drop(h, m);
			break
#else
			atomic {
				if
				:: word[h] == f ->
					word[h] = f & ~m;
					pass(h, m, 0, ME);
					f = ALL
				:: else -> f = word[h]; m = 0
				fi
			}
			if
			:: m ->
				dirty_drop(h, m);
				level_release(h, m);
				break
			:: f == 0 -> break
			:: else
			fi
#endif
		od
	:: else ->
		/* dirty_purge_closed() */
		f = parent;
		do
		:: f & (1 << h) ->
			atomic {
				if
				:: parent == f ->
					parent = f & ~(1 << h);
					pass(h, ALL, 0, ME);
					m = ALL;
					break
				:: else -> f = parent
				fi
			}
		:: else -> break
		od;
		when(m,
			m = dirty[h];
			dirty_drop(h, m);
			level_release_whole(h))
	fi
}

active [NT] proctype thread()
{
	byte h, f, m, n, hugepage, mine;

	{
		do
		:: atomic { ops < OPS -> ops++ }
			if
			:: atomic { mine == 0 ->
				if
				:: n = 1
				:: n = 2
				fi
			   }
				level_take(n);
				when(m,
					units_finish(h, m);
					atomic { mine = m; hugepage = h })
			:: mine ->
				use(hugepage, mine);
				m = mine;
				mine = 0;
				page_heap_give(hugepage, m)
			:: atomic { mine == 0 -> skip }
				dirty_purge()
			:: atomic { mine == 0 -> skip }
				dirty_purge_whole()
			fi;
			atomic { h = 0; f = 0; m = 0; n = 0 }
		:: atomic { ops == OPS -> break }
		od;
		when(mine,
			use(hugepage, mine);
			page_heap_give(hugepage, mine));
		atomic { ended[_pid] = 1; done++ }
	} unless {
		kill[_pid]
	}
}

/* Kills; and when nobody runs any more looks that every unit is free in
 * exactly one way, or among the units of one dead thread's hugepage or range. */
active proctype killer()
{
	byte i, u, whose;

	do
	:: atomic {
		killed < KILLS && done + killed < NT ->
		select(i : 0 .. NT - 1);
		when(!kill[i] && !ended[i], kill[i] = 1; killed++)
	   }
	:: atomic {
		done + killed == NT ->
		u = 0;
		do
		:: u < 2 * NH ->
			whose = claimed[u];
			if
			:: whose == 0 ->
				assert(((parent >> (u / 2)) & 1) !=
				       ((word[u / 2] >> (u % 2)) & 1))
			:: else ->
				assert(kill[whose - 1]);
				/* one hugepage, not several, but in a purge */
				i = 0;
				do
				:: i < 2 * NH ->
					assert(claimed[i] != whose ||
					       i / 2 == u / 2 ||
					       ranging[whose - 1]);
					i++
				:: else -> break
				od;
				assert(!((parent >> (u / 2)) & 1));
				assert(!((word[u / 2] >> (u % 2)) & 1))
			fi;
			u++
		:: else -> break
		od;
		break
	   }
	od
}
