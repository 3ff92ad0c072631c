/* layer 5.2: gate: whether the fast paths may run
 *
 * Its words are bounds that are 0 while it is closed, so that every call takes
 * its slow path. While it is open two of them are not:
 *
 *	anchor's tags_end and small_end		as a rule
 *	gate_checked's tags_end and small_end	with checks: the anchor's stay
 *						0, so that each call is looked
 *						at, then uses the lanes
 *	gate_marked's tags_end and small_end	likewise with checks=fast, whose
 *						halves (marked.h) ask no option
 *	gate_marked's tags_end, gate_checked's	with checks=fast while the
 *	small_end				profile is on
 *	anchor's tags_end, sample_gate's	while the profile is on, without
 *	small_end				checks
 *
 * Who is not on a fast path asks gate_is_open(). A word counts who wants it
 * closed:
 *
 *	bits  0..31	closers
 *	bits 32..63	version, changes with every change of the count
 *
 * A thread that calls vfork closes the gate, since the child runs on its TLS
 * without a registration and the kernel would not abort the child's sections.
 * The child must find the gate closed, whatever other threads do: an opener
 * that saw the count 0 and then sleeps must not open it later. So opening is
 * the commit of a section that compares the count first
 * (percpu_store_checked), and closing is: count up, fence, store 0. After the
 * fence every opener of an older version has stored (and is overwritten) or
 * has been aborted and finds the word changed.
 *
 * Where the kernel has no fence, a gate once closed stays closed. Where one
 * fails, as in a sandbox that may be there (system/sandbox.h), nobody can tell
 * when the last opener is through: the closer counts twice, and its second
 * count is a debt. Who opens, and who comes out of such a call, pays: it closes
 * the gate with a fence, takes the debts off the count, and opens.
 *
 *	closer	debt + 1 (seq)		then, to open, reads the sandbox's word
 *	caller	the sandbox's word - 1	then reads the debt (seq)
 *
 * So one of them sees that it can be paid. A thread that dies in between has
 * taken the debt and not the count off: the gate stays closed. An
 * opener that the machine holds between its compare and its commit, without a
 * preemption, may commit behind the closer's store of 0; without a fence the
 * gate is open then until it moves next, for a vfork child too, whose sections
 * nobody aborts. It takes a fence that is refused in that very moment.
 *
 * While the profile is on, sample_gate.small_end (sample/sampler.h) opens in
 * place of the anchor's: every allocation goes by the path that counts and then
 * uses the lanes (front/fast.h), and frees stay as they are. Turning the
 * profile on or off is closing the gate and opening it again.
 */
#ifndef LANE_GATE_H
#define LANE_GATE_H

#include "base/atomic.h"
#include "base/compiler.h"

/* Opens it for the first time, at start-up, where the mode allows. False:
 * every try was aborted (a debugger steps, signals rain); try again. */
bool gate_start(void);

/* Closes it, until gate_open(); calls nest. */
void gate_close(void);
/* False: the gate should be open now and every try was aborted. */
bool gate_open(void);

/* Pays what is owed, where that is possible. False: the gate should be open now
 * and every try was aborted. Wait-free. */
bool gate_settle(void);

/* Whether one of the four small_end is not 0: lanes may be used. A hint, as
 * all that comes before a section. */
bool gate_is_open(void);

/* Says whether nobody wants it closed, and it is: who was to open it could
 * not. */
bool gate_is_stuck(void);

#endif
