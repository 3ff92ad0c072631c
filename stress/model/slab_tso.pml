/* The pair of looks at on and bits (slab_give() against slab_leave()) with
 * a store buffer of one entry per thread, as on TSO.
 *
 * A write that is not sequentially consistent goes to the buffer and reaches
 * memory at any later time; a thread's reads come after its buffered write in
 * program order, but may be done before. A sequentially consistent write
 * empties the buffer and is done at once. An entry is an operation, not a
 * value, which also stands for a relaxed fetch_or that a weakly ordered
 * machine performs late.
 */
#include "when.h"

#ifndef NG
#define NG 2
#endif

#ifdef M_BITS_BUFFERED
#define GIVE_BUFFERED 1
#else
#define GIVE_BUFFERED 0
#endif
#ifdef M_ON_BUFFERED
#define LEAVE_BUFFERED 1
#else
#define LEAVE_BUFFERED 0
#endif

byte bits;
bit on = 1;
byte holders = 1; /* ghost: the leaver */
bit buffered[NG + 1];
byte done;

/* or_seq(&slab->word, SLAB_ON), after the thread's own buffer */
inline or_on(i)
{
	atomic {
		!buffered[i] ->
		when(!on,
			on = 1;
			holders++;
			assert(holders == 1))
	}
}

inline quiet_check()
{
	done++;
	when(done == NG + 1, assert(!bits || (on && holders == 1)))
}

/* The buffers' ways to memory; process i's entry. */
active proctype memory()
{
	do
	:: atomic { buffered[0] -> on = 0; buffered[0] = 0 }
	:: atomic { buffered[1] -> bits = bits | 1; buffered[1] = 0 }
#if NG > 1
	:: atomic { buffered[2] -> bits = bits | 2; buffered[2] = 0 }
#endif
	:: atomic { done == NG + 1 -> break }
	od
}

proctype leaver()
{
	bit won;

	/* and_seq(&slab->word, ~SLAB_ON); the slab is nobody's */
	if
	:: LEAVE_BUFFERED -> atomic { holders = 0; buffered[0] = 1 }
	:: else -> atomic { holders = 0; on = 0 }
	fi;
	/* load_seq(&v.bits[i]) */
	when(bits, or_on(0));
	atomic { !buffered[0] -> quiet_check() }
}

proctype giver(byte i)
{
	bit seen;

	/* give_bits() */
	if
	:: GIVE_BUFFERED -> buffered[i] = 1
	:: else -> bits = bits | i
	fi;
	/* load_seq(&slab->word) */
	seen = on;
	if
	:: seen
	:: else -> or_on(i)
	fi;
	atomic { !buffered[i] -> quiet_check() }
}

init {
	atomic {
		run leaver();
		run giver(1);
#if NG > 1
		run giver(2)
#endif
	}
}
