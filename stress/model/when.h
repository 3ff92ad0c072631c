/* when: a statement under a condition; otherwise nothing */
#define when(condition, statements) if :: condition -> statements :: else fi
