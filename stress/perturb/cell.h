/* cell: one run of a load under one set of circumstances
 *
 *	cell.c	 options, the course of a run
 *	rounds.c threads, and where they rest
 *	load.c	 what they do
 *	world.c	 what the library sees of the system
 *	inside.c accounts for every byte when all threads have ended
 */
#ifndef PERTURB_CELL_H
#define PERTURB_CELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The variable with the number of the pipe's end that tells of pressure. */
#define PRESSURE "PERTURB_CELL_PRESSURE"

struct cell {
	unsigned threads;
	unsigned steps; /* of all threads together */
	unsigned every; /* sites between two injections; 0: none */
	unsigned limit; /* MiB of address space; 0: all */
	unsigned hasty; /* how much faster the library's clock runs */
	uint64_t seed;
	bool affinity;   /* a thread moves the others over the CPUs */
	bool late;       /* CPUs appear late, and go away */
	bool no_fence;   /* membarrier is refused */
	bool fence_fails; /* it fails now and then */
	bool refuse;     /* the system refuses memory now and then */
	bool reclaimer;
	const char *sites; /* the file for the report of sites; NULL: none */
	bool purgers;  /* two threads purge all the time */
	bool profiles; /* the profile goes on and off, and is written */
	bool limits;   /* a thread changes the limits all the time */
	bool pressure; /* the service manager's pipe tells of it now and then */
	bool looks;    /* a thread asks for all statistics, and checks */
	bool progress; /* a line every ten seconds */
};
extern struct cell cell;

/* No memory is a legal answer in this cell, at any time. */
static inline bool cell_memory_is_short(void)
{
	return cell.limit || cell.refuse;
}

/* world.c */
void world_start(void);
void world_calm(void); /* nothing fails any more */
void world_storm(void);
/* The library's thread stands still, until it may go on. */
void world_park_reclaimer(void);
void world_unpark_reclaimer(void);
/* It falls asleep by itself, as nobody does anything, and is woken. */
void world_idle_reclaimer(void);

#endif
