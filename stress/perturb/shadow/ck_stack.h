/* Shadows Concurrency Kit's header: its exchanges become sites of hook.h. A
 * function-like macro of a function's own name is not expanded again inside
 * itself, so each wrapper calls the function that it hides. */
#ifndef PERTURB_CK_STACK_H
#define PERTURB_CK_STACK_H

#include <ck_pr.h>

#include "hook.h"

#define ck_pr_cas_ptr(t, c, s) \
	PERTURB_VALUE("ck_pr_cas_ptr", ck_pr_cas_ptr(t, c, s))
#define ck_pr_cas_ptr_value(t, c, s, v) \
	PERTURB_VALUE("ck_pr_cas_ptr_value", ck_pr_cas_ptr_value(t, c, s, v))
#define ck_pr_cas_ptr_2(t, c, s) \
	PERTURB_VALUE("ck_pr_cas_ptr_2", ck_pr_cas_ptr_2(t, c, s))
#define ck_pr_cas_ptr_2_value(t, c, s, v) \
	PERTURB_VALUE("ck_pr_cas_ptr_2_value", \
		      ck_pr_cas_ptr_2_value(t, c, s, v))
#define ck_pr_fas_ptr(t, v) \
	PERTURB_VALUE("ck_pr_fas_ptr", ck_pr_fas_ptr(t, v))

#include_next <ck_stack.h>

#endif
