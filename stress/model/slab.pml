/* The life of a slab: slab.h, slab.c, and bin.c as far as it moves slabs.
 *
 * NT threads take, give and collect, OPS times together. A slab has two words
 * of one object each (class 0) or one such word (class 1). A list is the
 * number of the bin that a slab is in: pushes and pops are one step each.
 * Ghosts: `where` says who answers for a slab, `out` which objects are not
 * free, `live` which of them the program may free now.
 */
#include "when.h"

#ifndef NT
#define NT 2
#endif
#ifndef NS
#define NS 1
#endif
#ifndef OPS
#define OPS 8
#endif

#define ALL(c) (3 >> (c))

#define RELEASED 0
#define LISTED 1
#define FULL 2
#define HELD (3 + _pid)

/* the slab's word */
bit on[NS];
bit class[NS];
bit owner[NS];
/* region.bits */
byte bits[NS];

byte where[NS];
byte out[NS];
byte live[NS];
bit bin_owner[NS], bin_class[NS];
byte ops, done;

inline slab_close(s)
{
	/* the word; the tags; the bits */
	atomic {
		assert(where[s] == HELD && out[s] == 0);
		vc = class[s];
		vo = owner[s]
	}
	bits[s] = bits[s] & 2;
	when(vc == 0, bits[s] = bits[s] & 1);
	atomic {
		assert(on[s]);
#ifdef M_CLOSE_OFF
		on[s] = 0;
#else
		on[s] = 1;
#endif
		class[s] = vc;
		owner[s] = vo
	}
	/* page_heap_give() */
	atomic { where[s] = RELEASED }
}

/* slab_list(), slab_send(), partial_push(): held -> listed */
inline slab_push(s, o, c)
{
	atomic {
		assert(where[s] == HELD);
		assert(class[s] == (c));
		bin_owner[s] = (o);
		bin_class[s] = (c);
		where[s] = LISTED
	}
}

/* idle = slab_is_empty(), word by word */
inline slab_is_empty(s)
{
	vc = class[s];
	idle = bits[s] & 1;
#ifndef M_CLOSE_BY_WORD
	when(idle && vc == 0, idle = bits[s] >> 1);
#endif
}

/* Whoever won a slab that was full puts it where its word says. */
inline bin_place(s)
{
	slab_is_empty(s);
	if
	:: idle -> slab_close(s)
	:: else -> slab_push(s, wo, wc)
	fi
}

/* The next slab of class c: any listed one, as own lists, steals and
 * collections look at different times; or a new one. */
inline bin_get(id, c)
{
	s = 0;
	atomic {
		do
		:: s < NS - 1 -> s++
		:: break
		od;
		if
		:: where[s] == LISTED && bin_class[s] == c ->
			assert(class[s] == c);
			where[s] = HELD;
			n = 1
		:: where[s] == RELEASED ->
			where[s] = HELD;
			n = 2
		:: else ->
			n = 0
		fi
	}
	if
	:: n == 1 && owner[s] != id ->
		/* slab_adopt() */
		owner[s] = id
	:: n == 2 ->
		/* slab_open() */
		atomic {
			class[s] = c;
			owner[s] = id;
			on[s] = 1
		}
		bits[s] = bits[s] | 1;
		when(c == 0, bits[s] = bits[s] | 2)
	:: else
	fi
}

inline slab_take_word(s, m)
{
	atomic {
		when(n < most && (bits[s] & m),
			assert(!(out[s] & m));
			bits[s] = bits[s] & ~m;
			out[s] = out[s] | m;
			mine = mine | m;
			n++)
	}
}

/* The second look: or(on) if the word has bits. */
inline slab_leave_look(s, m)
{
	if
	:: left && (bits[s] & m) ->
		atomic {
			if
			:: on[s]
			:: else ->
				assert(where[s] == FULL);
				on[s] = 1;
				where[s] = HELD;
				left = 0;
				wc = class[s];
				wo = owner[s]
			fi;
			again = 0
		}
	:: else
	fi
}

inline slab_leave(s)
{
	left = 1;
	vc = class[s];
#ifdef M_LOOK_EARLY
	when(bits[s] & ALL(vc), left = 0; wc = vc; wo = owner[s]);
#endif
	when(left,
		atomic {
			assert(where[s] == HELD);
			on[s] = 0;
			where[s] = FULL
		});
#if !defined(M_NO_LOOK) && !defined(M_LOOK_EARLY)
	atomic { again = (vc == 0) }
	slab_leave_look(s, 1);
	when(left && again, slab_leave_look(s, 2));
#endif
}

/* The slab that slab_leave() won again may live another life than the one
 * that was left: the word that or(on) found says where it belongs. */
inline bin_leave(s, id, c)
{
	slab_leave(s);
	if
	:: left
	:: else ->
#ifdef M_CLASS_KEPT
		slab_push(s, id, c)
#else
		bin_place(s)
#endif
	fi
}

/* one round of the loop in bin_take() */
inline bin_take(id, c)
{
	bin_get(id, c);
	if
	:: n == 0
	:: else ->
		atomic { n = 0; mine = 0; vc = class[s] }
		slab_take_word(s, 1);
		when(vc == 0, slab_take_word(s, 2));
		if
		:: n == most -> slab_push(s, id, c)
		:: else -> bin_leave(s, id, c)
		fi;
		/* the objects go to the program */
		atomic { live[s] = live[s] | mine; mine = 0 }
	fi
}

inline slab_give_word(s, m)
{
	when(mine & m,
		atomic {
			assert(!(bits[s] & m));
			assert(where[s] != RELEASED && (ALL(class[s]) & m));
			bits[s] = bits[s] | m;
			out[s] = out[s] & ~m
		})
}

/* left = 1: the caller holds the slab, of class wc and owner wo. */
inline slab_give(s)
{
	left = 0;
#ifdef M_GIVE_LOOK_EARLY
	left = !on[s];
#endif
	slab_give_word(s, 1);
	slab_give_word(s, 2);
#ifndef M_GIVE_LOOK_EARLY
	left = !on[s];
#endif
	if
	:: left ->
		atomic {
			wc = class[s];
			wo = owner[s];
#ifndef M_PLAIN_ON
			left = !on[s];
#endif
			on[s] = 1;
			when(left,
				assert(where[s] == FULL);
				where[s] = HELD)
		}
	:: else
	fi
}

/* Any objects of one slab that the program holds. */
inline bin_give()
{
	atomic {
		select(s : 0 .. NS - 1);
		mine = live[s];
		if
		:: mine == 3 ->
			if
			:: mine = 1
			:: mine = 2
			:: true
			fi
		:: else
		fi;
		live[s] = live[s] & ~mine
	}
	when(mine,
		slab_give(s);
		mine = 0;
		when(left, bin_place(s)))
}

/* slab_purge(): what was free at its look is so at its call, as it holds the
 * slab; the bits stay where they are. */
inline slab_purge_word(s, m)
{
	n = bits[s] & m;
	assert(!(out[s] & n) && (bits[s] & n) == n)
}

/* collect_side(), bin_collect() */
inline bin_collect()
{
	atomic {
		select(s : 0 .. NS - 1);
		if
		:: where[s] == LISTED ->
			n = 1;
			where[s] = HELD;
			wc = bin_class[s];
			wo = bin_owner[s]
		:: else ->
			n = 0
		fi
	}
	if
	:: n ->
		slab_is_empty(s);
		if
		:: idle -> slab_close(s)
		:: else ->
#ifdef M_PURGE_LISTED
			slab_push(s, wo, wc);
#endif
			if
			:: slab_purge_word(s, 1);
				when(vc == 0, slab_purge_word(s, 2))
			:: true
			fi;
#ifndef M_PURGE_LISTED
			slab_push(s, wo, wc)
#else
			skip
#endif
		fi
	:: else
	fi
}

inline quiet_check()
{
	s = 0;
	do
	:: s < NS ->
		c = class[s];
		assert(where[s] == RELEASED || where[s] == LISTED ||
		       (where[s] == FULL && !(bits[s] & ALL(c))));
		assert(where[s] == RELEASED ||
		       ((bits[s] ^ out[s]) & ALL(c)) == ALL(c));
		s++
	:: else -> break
	od
}

active [NT] proctype thread()
{
	byte s, n, most, mine;
	bit c, vc, vo, wc, wo, left, idle, again;

	do
	:: atomic { ops < OPS -> ops++ }
		if
		:: atomic {
			if
			:: c = 0
			:: c = 1
			fi;
			if
			:: most = 1
			:: most = 2
			fi
		   }
		   bin_take(_pid & 1, c)
		:: atomic { (live[0] || live[NS - 1]) -> skip }
		   bin_give()
		:: atomic {
			(where[0] == LISTED || where[NS - 1] == LISTED) -> skip
		   }
		   bin_collect()
		fi;
		atomic {
			s = 0; n = 0; most = 0; mine = 0; c = 0; vc = 0;
			vo = 0; wc = 0; wo = 0; left = 0; idle = 0;
			again = 0
		}
	:: atomic { ops == OPS -> break }
	od;
	atomic {
		done++;
		when(done == NT, quiet_check())
	}
}
